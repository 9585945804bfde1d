package tables

import (
	"math/bits"
	"strconv"

	"chargestream"
)

// energy is how much a session delivered, and how that is known.
type energy struct {
	total     chargestream.WattHours
	known     bool
	estimated bool // from samples, where start or end told no register
	negative  bool // the register at the end is below the one at the start
}

// energy tells what the session delivered: what its end says, else the registers of end and
// start, else the samples between them. A session that runs is told by its samples so far.
func (s *Session) energy() energy {
	var end End
	if len(s.Ends) > 0 {
		end = s.Ends[0]
	}
	if end.Energy != nil {
		return certain(*end.Energy, false)
	}
	var first, last *chargestream.WattHours
	estimated := false
	if len(s.Starts) > 0 {
		first = s.Starts[0].Meter
	}
	last = end.Meter
	for i := range s.Quarters {
		q := &s.Quarters[i]
		if !q.HasEnergy() {
			continue
		}
		if first == nil {
			first, estimated = &q.First.Energy, true
		}
		if end.Meter == nil {
			last, estimated = &q.Last.Energy, true
		}
	}
	if first == nil || last == nil {
		return energy{}
	}
	return certain(*last-*first, estimated)
}

func certain(total chargestream.WattHours, estimated bool) energy {
	if total < 0 {
		return energy{known: true, negative: true, estimated: estimated}
	}
	return energy{total: total, known: true, estimated: estimated}
}

// regression finds the first place where the register ran backwards; zero for none.
func (s *Session) regression() (chargestream.Millis, map[string]string) {
	var before *chargestream.WattHours
	if len(s.Starts) > 0 {
		before = s.Starts[0].Meter
	}
	for i := range s.Quarters {
		q := &s.Quarters[i]
		if !q.HasEnergy() {
			continue
		}
		if before != nil && q.First.Energy < *before {
			return q.First.At, fell(*before, q.First.Energy)
		}
		if q.ranBackwards() {
			return q.Start, fell(q.Max, q.Min)
		}
		before = &q.Last.Energy
	}
	if len(s.Ends) > 0 && s.Ends[0].Meter != nil && before != nil && *s.Ends[0].Meter < *before {
		return s.Ends[0].At, fell(*before, *s.Ends[0].Meter)
	}
	return 0, nil
}

func fell(from, to chargestream.WattHours) map[string]string {
	return map[string]string{"from_wh": strconv.FormatInt(int64(from), 10),
		"to_wh": strconv.FormatInt(int64(to), 10)}
}

// measure grows with every merge of samples.
func (s *Session) measure() int64 {
	var m int64
	for i := range s.Quarters {
		m += s.Quarters[i].measure()
	}
	return m
}

// Intervals are the parts of the windows that the session touches: when it was, and what share
// of its energy falls into each. There are none before both start and end are known.
//
// Where there was more than one claim of a start or an end, all windows between the outermost are
// told of the one that counts, so that a window which was told of another before learns better.
func (s *Session) Intervals(id chargestream.SessionID) []HourPart {
	if len(s.Starts) == 0 || len(s.Ends) == 0 {
		return nil
	}
	start, end := &s.Starts[0], &s.Ends[0]
	in := Interval{From: start.At, To: max(end.At, start.At), StartArrival: start.Arrival,
		EndArrival: end.Arrival, StartMeter: start.Meter, EndEnergy: end.Energy,
		EndMeter: end.Meter, Measure: s.measure()}
	total := s.energy().total
	var parts []HourPart
	last := min(max(s.LastStart, s.LastEnd), s.Low+chargestream.SessionSpanMax)
	for hour := s.Low.Truncate(chargestream.Hour); hour <= last; hour += chargestream.Hour {
		if hour == s.LastEnd && hour > s.LastStart {
			break // every session that was told ends where this window begins
		}
		in.Energy = s.share(total, hour, hour+chargestream.Hour)
		parts = append(parts, s.stay(id, start.ConnectorID, hour, in))
		for i := range s.Starts {
			if other := s.Starts[i].ConnectorID; other != start.ConnectorID {
				nothing := in
				nothing.To, nothing.Energy = in.From, 0
				parts = append(parts, s.stay(id, other, hour, nothing))
			}
		}
	}
	return parts
}

func (s *Session) stay(id chargestream.SessionID, connector chargestream.ConnectorID,
	hour chargestream.Millis, in Interval) HourPart {
	return HourPart{
		Key: HourKey{StationID: s.StationID, ConnectorID: connector, Start: hour},
		Row: Hour{Stays: []Stay{{ID: id, Interval: in}}}}
}

// share is the part of the session's energy that falls between two moments. Shares of adjoining
// spans add up to the total exactly, as each is a difference of the same rising function.
func (s *Session) share(
	total chargestream.WattHours,
	from, to chargestream.Millis,
) chargestream.WattHours {
	start, end := s.Starts[0].At, s.Ends[0].At
	if end <= start {
		if from <= start && start < to {
			return total
		}
		return 0
	}
	clamp := func(at chargestream.Millis) chargestream.Millis { return min(max(at, start), end) }
	return s.deliveredAt(total, clamp(to)) - s.deliveredAt(total, clamp(from))
}

// deliveredAt is the energy that had been delivered at a moment within the session: a straight
// line between the readings on both sides of it.
func (s *Session) deliveredAt(
	total chargestream.WattHours,
	at chargestream.Millis,
) chargestream.WattHours {
	before := Reading{At: s.Starts[0].At}
	after := Reading{At: s.Ends[0].At, Energy: total}
	base, based := s.base()
	for i := range s.Quarters {
		q := &s.Quarters[i]
		if !q.HasEnergy() || !based {
			continue
		}
		for _, r := range [2]Reading{q.First, q.Last} {
			r.Energy = min(max(r.Energy-base, before.Energy), total)
			if r.At > before.At && r.At <= at {
				before = r
			} else if r.At > at && r.At < after.At {
				after = r
			}
		}
	}
	if after.At <= before.At {
		return after.Energy
	}
	return before.Energy + chargestream.WattHours(mulDiv(int64(after.Energy-before.Energy),
		int64(at-before.At), int64(after.At-before.At)))
}

// base is the register at the start.
func (s *Session) base() (chargestream.WattHours, bool) {
	if m := s.Starts[0].Meter; m != nil {
		return *m, true
	}
	for i := range s.Quarters {
		if s.Quarters[i].HasEnergy() {
			return s.Quarters[i].First.Energy, true
		}
	}
	return 0, false
}

// mulDiv is a*b/c, rounded down, for a, b >= 0 and c > 0, without overflow in between.
func mulDiv(a, b, c int64) int64 {
	high, low := bits.Mul64(uint64(max(a, 0)), uint64(max(b, 0)))
	quotient, _ := bits.Div64(high, low, uint64(c))
	return int64(quotient)
}
