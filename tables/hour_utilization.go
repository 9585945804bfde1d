package tables

import (
	"cmp"
	"slices"

	"chargestream"
)

// SampleHold is how long a power sample is believed: stations send one every ten seconds to
// every quarter hour.
const SampleHold = 15

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
	sessions := h.intervals()
	cuts := h.cuts(key, sessions)
	for i := 0; i+1 < len(cuts); i++ {
		h.count(&u, cuts[i], cuts[i+1], sessions, power)
	}
	for _, l := range h.Quarters {
		u.PeakPower = max(u.PeakPower, l.Peak)
	}
	for i := range h.Sessions {
		if s := &h.Sessions[i]; s.From != 0 && h.firstOf(s) {
			u.Energy += s.Energy
		}
	}
	copies := h.duplicates()
	for i := range h.Sessions {
		if _, copied := copies[h.Sessions[i].ID]; len(h.Sessions[i].Starts) > 0 && !copied {
			u.Sessions++
		}
	}
	return u
}

// cuts are the moments, in whole seconds, at which the state may change.
func (h *Hour) cuts(key HourKey, sessions []HourSession) []chargestream.Millis {
	cuts := []chargestream.Millis{key.Start, key.End(), h.seenUntil(key)}
	for i := range h.Transitions {
		cuts = append(cuts, h.Transitions[i].At)
	}
	for i := range sessions {
		cuts = append(cuts, sessions[i].From, sessions[i].To)
	}
	for i := range cuts {
		cuts[i] = min(max(cuts[i].Truncate(chargestream.Second), key.Start), key.End())
	}
	slices.Sort(cuts)
	return slices.Compact(cuts)
}

// seenUntil is until when the last status is known to have held.
func (h *Hour) seenUntil(key HourKey) chargestream.Millis {
	if h.CoversEnd {
		return key.End()
	}
	last := key.Start
	if n := len(h.Transitions); n > 0 {
		last = h.Transitions[n-1].At
	}
	for i := range h.Quarters {
		l := &h.Quarters[i]
		for m := range chargestream.Millis(15) {
			if l.Sampled>>m&1 != 0 {
				last = max(last, l.Start+m*chargestream.Minute)
			}
		}
	}
	return last.Truncate(chargestream.Second)
}

// count adds the seconds from a to b, in which nothing changes, to the parts of the window.
func (h *Hour) count(u *chargestream.Utilization, a, b chargestream.Millis, sessions []HourSession,
	power [minutesOfHour]chargestream.Activity) {
	var now Transition
	if a < h.seenUntil(HourKey{Start: u.WindowStart}) {
		now = h.statusAt(a)
	}
	running := slices.ContainsFunc(sessions, func(s HourSession) bool {
		return s.From.Truncate(chargestream.Second) <= a && a < s.To.Truncate(chargestream.Second)
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
	now := h.Opening
	for i := range h.Transitions {
		if h.Transitions[i].At.Truncate(chargestream.Second) <= at {
			now = h.Transitions[i]
		}
	}
	return now
}

// minutes is what the meter tells of each minute: charging or idle where there is a sample, or
// was one not longer than SampleHold ago.
func (h *Hour) minutes(key HourKey) [minutesOfHour]chargestream.Activity {
	var power [minutesOfHour]chargestream.Activity
	for i := range h.Quarters {
		l := &h.Quarters[i]
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
		} else if age++; age < SampleHold {
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
	onTime := h.Opening.At != 0
	note := func(arrival chargestream.Millis) {
		if arrival > closing {
			late = append(late, arrival)
		} else if arrival != 0 {
			onTime = true
		}
	}
	for i := range h.Quarters {
		onTime = onTime || h.Quarters[i].Late == 0
		note(h.Quarters[i].Late)
	}
	for i := range h.Transitions {
		note(h.Transitions[i].Arrival)
	}
	for i := range h.Sessions {
		for _, c := range h.Sessions[i].Starts {
			note(c.Arrival)
		}
		if h.Sessions[i].From != 0 {
			note(h.Sessions[i].EndArrival)
		}
	}
	slices.Sort(late)
	revision := min(len(slices.Compact(late)), lateMax)
	if onTime {
		revision++
	}
	return max(revision, 1)
}

// intervals are the sessions that count as occupancy, by begin: without those that were delivered
// again with the same begin, and without those that have no length.
func (h *Hour) intervals() []HourSession {
	var list []HourSession
	for i := range h.Sessions {
		if s := &h.Sessions[i]; s.From < s.To && h.firstOf(s) {
			list = append(list, *s)
		}
	}
	slices.SortFunc(list, func(a, b HourSession) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// Overlaps are the anomalies of the window: sessions that began in it while another still ran on
// the connector.
func (h *Hour) Overlaps(key HourKey) []chargestream.Anomaly {
	var anomalies []chargestream.Anomaly
	var longest *HourSession
	sessions := h.intervals()
	for i := range sessions {
		s := &sessions[i]
		if longest != nil && longest.To > s.From && s.From >= key.Start {
			anomalies = append(anomalies, overlap(key, longest, s))
		}
		if longest == nil || s.To > longest.To {
			longest = s
		}
	}
	return anomalies
}

func overlap(key HourKey, first, second *HourSession) chargestream.Anomaly {
	end := min(first.To, second.To)
	return chargestream.Anomaly{
		AnomalyID: string(chargestream.AnomalyOverlap) + "/" + string(key.StationID) + "/" +
			string(first.ID) + "/" + string(second.ID),
		Kind: chargestream.AnomalyOverlap, Severity: chargestream.SeverityWarning,
		StationID: key.StationID, ConnectorID: key.ConnectorID, SessionID: second.ID,
		OpenedAt: second.From, ClosedAt: end,
		Evidence: map[string]string{"other_session_id": string(first.ID),
			"overlap_from": second.From.String(), "overlap_to": end.String()},
	}
}
