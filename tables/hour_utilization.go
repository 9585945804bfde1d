package tables

import (
	"cmp"
	"slices"

	"chargestream"
)

// sampleHold is how long a power sample is believed: stations send one every ten seconds to
// every quarter hour.
const sampleHold = 15

const minutesOfHour = 60

// Utilization is the window as a record: a pure function of its key and its row.
//
// Each second counts for one state: that of the last status before it, while the station is known
// to have been alive; where that does not say that something is wrong, a session that runs then
// makes the second occupied. All boundaries are cut to whole seconds, so the parts add up.
func (h *Hour) Utilization(key HourKey) chargestream.Utilization {
	u := chargestream.Utilization{StationID: key.StationID, ConnectorID: key.ConnectorID,
		WindowStart: key.Start, WindowEnd: key.End(), Final: h.Closed, Revision: h.revision(key)}
	power := h.minutes(key)
	stays := h.intervals()
	cuts := h.cuts(key, stays)
	for i := 0; i+1 < len(cuts); i++ {
		h.count(&u, cuts[i], cuts[i+1], stays, power)
	}
	for _, l := range h.Loads {
		u.PeakPower = max(u.PeakPower, l.Peak)
	}
	for _, s := range h.distinct() {
		u.Energy += s.Interval.Energy
	}
	copies := h.duplicates()
	for i := range h.Stays {
		if _, copied := copies[h.Stays[i].ID]; len(h.Stays[i].Begins) > 0 && !copied {
			u.Sessions++
		}
	}
	return u
}

// cuts are the moments, in whole seconds, at which the state may change.
func (h *Hour) cuts(key HourKey, stays []Stay) []chargestream.Millis {
	cuts := []chargestream.Millis{key.Start, key.End(), h.heardUntil(key)}
	for i := range h.Transitions {
		cuts = append(cuts, h.Transitions[i].At)
	}
	for i := range stays {
		cuts = append(cuts, stays[i].Interval.From, stays[i].Interval.To)
	}
	for i := range cuts {
		cuts[i] = min(max(cuts[i].Truncate(chargestream.Second), key.Start), key.End())
	}
	slices.Sort(cuts)
	return slices.Compact(cuts)
}

// heardUntil is until when the last status is known to have held.
func (h *Hour) heardUntil(key HourKey) chargestream.Millis {
	if h.Through {
		return key.End()
	}
	last := key.Start
	if n := len(h.Transitions); n > 0 {
		last = h.Transitions[n-1].At
	}
	for i := range h.Loads {
		l := &h.Loads[i]
		for m := range chargestream.Millis(15) {
			if l.Sampled>>m&1 != 0 {
				last = max(last, l.Start+m*chargestream.Minute)
			}
		}
	}
	return last.Truncate(chargestream.Second)
}

// count adds the seconds from a to b, in which nothing changes, to the parts of the window.
func (h *Hour) count(u *chargestream.Utilization, a, b chargestream.Millis, stays []Stay,
	power [minutesOfHour]chargestream.Activity) {
	var now Transition
	if a < h.heardUntil(HourKey{Start: u.WindowStart}) {
		now = h.statusAt(a)
	}
	running := slices.ContainsFunc(stays, func(s Stay) bool {
		return s.Interval.From.Truncate(chargestream.Second) <= a &&
			a < s.Interval.To.Truncate(chargestream.Second)
	})
	seconds := int64((b - a) / chargestream.Second)
	state := now.State
	if running && state <= chargestream.StateReserved {
		state, now.Activity = chargestream.StateOccupied, chargestream.ActivityUnknown
	}
	switch state {
	case chargestream.StateAvailable:
		u.Available += seconds
	case chargestream.StateReserved:
		u.Reserved += seconds
	case chargestream.StateOccupied:
		u.Occupied += seconds
		u.Charging += chargingSeconds(a-u.WindowStart, b-u.WindowStart, now.Activity, power)
	case chargestream.StateUnavailable:
		u.Unavailable += seconds
	case chargestream.StateFaulted:
		u.Faulted += seconds
	default:
		u.Unknown += seconds
	}
}

func (h *Hour) statusAt(at chargestream.Millis) Transition {
	now := h.Carry
	for i := range h.Transitions {
		if h.Transitions[i].At.Truncate(chargestream.Second) <= at {
			now = h.Transitions[i]
		}
	}
	return now
}

// minutes is what the meter tells of each minute: charging or idle where there is a sample, or
// was one not longer than sampleHold ago.
func (h *Hour) minutes(key HourKey) [minutesOfHour]chargestream.Activity {
	var power [minutesOfHour]chargestream.Activity
	for i := range h.Loads {
		l := &h.Loads[i]
		first := int((l.Start - key.Start) / chargestream.Minute)
		for m := range 15 {
			if at := first + m; at >= 0 && at < minutesOfHour && l.Sampled>>m&1 != 0 {
				// Of samples that came at different times the charging one counts.
				power[at] = max(power[at], chargestream.ActivityIdle)
				if l.Charging>>m&1 != 0 {
					power[at] = chargestream.ActivityCharging
				}
			}
		}
	}
	last, age := chargestream.ActivityUnknown, 0
	for m := range power {
		if power[m] != chargestream.ActivityUnknown {
			last, age = power[m], 0
		} else if age++; age < sampleHold {
			power[m] = last
		}
	}
	return power
}

// chargingSeconds counts the seconds from a to b, offsets in the window, in which energy flowed.
// The meter tells it; where the meter is silent the status does.
func chargingSeconds(a, b chargestream.Millis, status chargestream.Activity,
	power [minutesOfHour]chargestream.Activity) int64 {
	var seconds chargestream.Millis
	for m := a / chargestream.Minute; m < minutesOfHour && m*chargestream.Minute < b; m++ {
		if cmp.Or(power[m], status) == chargestream.ActivityCharging {
			seconds += min(b, (m+1)*chargestream.Minute) - max(a, m*chargestream.Minute)
		}
	}
	return int64(seconds / chargestream.Second)
}

// revision counts how often the window had to be told: once, and once more for each arrival of
// something after the grace. It is judged by the arrival times alone, so every order agrees.
func (h *Hour) revision(key HourKey) int {
	closing := key.End() + chargestream.Grace
	var late []chargestream.Millis
	onTime := h.Carry.At != 0
	note := func(arrival chargestream.Millis) {
		if arrival > closing {
			late = append(late, arrival)
		} else if arrival != 0 {
			onTime = true
		}
	}
	for i := range h.Loads {
		onTime = onTime || h.Loads[i].Late == 0
		note(h.Loads[i].Late)
	}
	for i := range h.Transitions {
		note(h.Transitions[i].Arrival)
	}
	for i := range h.Stays {
		for _, b := range h.Stays[i].Begins {
			note(b.Arrival)
		}
		if h.Stays[i].Interval.From != 0 {
			note(h.Stays[i].Interval.EndArrival)
		}
	}
	slices.Sort(late)
	revision := min(len(slices.Compact(late)), lateMax)
	if onTime {
		revision++
	}
	return max(revision, 1)
}

// Overlaps are the anomalies of the window: sessions that began in it while another still ran on
// the connector.
func (h *Hour) Overlaps(key HourKey) []chargestream.Anomaly {
	var anomalies []chargestream.Anomaly
	var longest *Stay
	stays := h.intervals()
	for i := range stays {
		s := &stays[i]
		if longest != nil && longest.Interval.To > s.Interval.From &&
			s.Interval.From >= key.Start {
			anomalies = append(anomalies, overlap(key, longest, s))
		}
		if longest == nil || s.Interval.To > longest.Interval.To {
			longest = s
		}
	}
	return anomalies
}

func overlap(key HourKey, first, second *Stay) chargestream.Anomaly {
	end := min(first.Interval.To, second.Interval.To)
	return chargestream.Anomaly{
		AnomalyID: string(
			chargestream.AnomalyOverlap,
		) + "/" + string(
			first.ID,
		) + "/" + string(
			second.ID,
		),
		Kind: chargestream.AnomalyOverlap, Severity: chargestream.SeverityWarning,
		StationID: key.StationID, ConnectorID: key.ConnectorID, SessionID: second.ID,
		OpenedAt: second.Interval.From, ClosedAt: end,
		Evidence: map[string]string{"other_session_id": string(first.ID),
			"overlap_from": second.Interval.From.String(), "overlap_to": end.String()},
	}
}
