package billing

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"chargestream"
	"chargestream/tables"
)

// meter is what is known of a session's energy: what its claims told, and its samples.
type meter struct {
	start *tables.Start // nil where none is known
	end   *tables.End   // nil where none is known
	// samples are the envelopes of the session's quarter hours, by Start, each once.
	samples []tables.Quarter
	// rating is the most that the connector delivers; zero: whatever is told is believed.
	rating chargestream.Watts
}

// energy is how much a session delivered, and how that is known.
type energy struct {
	total     chargestream.WattHours
	known     bool
	estimated bool // from samples, where start or end told no register
	sampled   bool // from samples only
	negative  bool // the register at the end is below the one at the start
	regressed bool // the register fell and did not come back
	lifetime  bool // a register of the meter's life was told as that of the session
	glitch    bool // the register fell and came back
	decided   bool // by a person
	// fellFrom, fellTo and fellAt are the last fall of the register.
	fellFrom, fellTo chargestream.WattHours
	fellAt           chargestream.Millis
	// base is what the register showed when nothing had been delivered.
	base chargestream.WattHours
}

// meterOf is what is known of a session's energy by all that its own row holds.
func meterOf(s *tables.Session) *meter {
	m := &meter{samples: joinQuarters(s.Quarters)}
	if len(s.Starts) > 0 {
		m.start = &s.Starts[0]
	}
	if len(s.Ends) > 0 {
		m.end = &s.Ends[0]
	}
	return m
}

// joinQuarters merges the envelopes of the same quarter hour.
func joinQuarters(lists ...[]tables.Quarter) []tables.Quarter {
	all := slices.Concat(lists...)
	for i := range all {
		all[i].Late, all[i].Named = 0, false
	}
	slices.SortStableFunc(
		all,
		func(a, b tables.Quarter) int { return cmp.Compare(a.Start, b.Start) },
	)
	joined := all[:0]
	for i := range all {
		if n := len(joined); n > 0 && joined[n-1].Start == all[i].Start {
			joined[n-1].Merge(&all[i])
		} else {
			joined = append(joined, all[i])
		}
	}
	return joined
}

// within reports whether a reading is one of the session.
func (m *meter) within(r tables.Reading) bool {
	return r.At != 0 && (m.start == nil || r.At >= m.start.At) && (m.end == nil || r.At <= m.end.At)
}

// holds reports whether a quarter hour lies in the session as a whole.
func (m *meter) holds(q *tables.Quarter) bool {
	return m.start != nil && m.end != nil && m.start.At <= q.Start &&
		q.Start+chargestream.Quarter <= m.end.At
}

// readings are those of the samples within the session, by time.
func (m *meter) readings() []tables.Reading {
	var list []tables.Reading
	for i := range m.samples {
		list = m.readingsOf(list, &m.samples[i])
	}
	return list
}

// readingsOf adds the readings of a quarter hour. Where the session began or ended in it, they are
// the first of its minutes: what is measured after the end must not change which was the last.
func (m *meter) readingsOf(list []tables.Reading, q *tables.Quarter) []tables.Reading {
	if !q.HasEnergy() {
		return list
	}
	if !m.holds(q) {
		for _, r := range q.Minutes {
			if m.within(r) {
				list = append(list, r)
			}
		}
		over := m.end != nil && q.Start+chargestream.Quarter <= m.end.At
		if over && m.within(q.Last) && (len(list) == 0 || list[len(list)-1] != q.Last) {
			list = append(list, q.Last)
		}
		return list
	}
	list = append(list, q.First)
	if q.RanBackwards() {
		// Where in the quarter hour it fell is not known; that it fell is.
		list = append(list, tables.Reading{At: q.First.At, Energy: q.Max},
			tables.Reading{At: q.Last.At, Energy: q.Min})
	}
	if q.Last != q.First {
		list = append(list, q.Last)
	}
	return list
}

// energy is what the session delivered (docs/decisions/0010, Energy).
func (m *meter) energy() energy {
	e := m.registers()
	if m.end == nil || m.end.Energy == nil {
		return e
	}
	told := *m.end.Energy
	if m.end.Meter != nil && *m.end.Meter == told && m.start != nil && m.start.Meter != nil &&
		*m.start.Meter > 0 {
		e.lifetime, e.estimated = true, true
		return e
	}
	e.regressed = e.regressed || e.negative // the registers contradict what was told
	e.total, e.known, e.negative = max(told, 0), true, told < 0
	e.estimated, e.sampled, e.lifetime = false, false, false
	return e
}

// registers is the energy by the registers alone.
func (m *meter) registers() energy {
	list := m.readings()
	var e energy
	var first, last *chargestream.WattHours
	if m.start != nil {
		first = m.start.Meter
	}
	if m.end != nil {
		last = m.end.Meter
	}
	if len(list) > 0 {
		if first != nil && *first == 0 && m.implausible(list[0]) {
			e.lifetime, first = true, nil
		}
		if first != nil && relative(*first, list) {
			list = nil // samples that count from the session's start say nothing of the register
		}
	}
	sampled := first == nil && last == nil && len(list) > 0
	e.sampled = sampled && !e.lifetime
	if first == nil && len(list) > 0 {
		first, e.estimated = &list[0].Energy, true
	}
	if last == nil && len(list) > 0 {
		last, e.estimated = &list[len(list)-1].Energy, true
	}
	if first == nil || last == nil || (sampled && len(list) < 2) {
		return energy{lifetime: e.lifetime}
	}
	e.known, e.base = true, *first
	end := tables.Reading{Energy: *last}
	if m.end != nil {
		end.At = m.end.At
	}
	e.follow(*first, list, end)
	return e
}

// follow walks along the register from first to the end.
func (e *energy) follow(first chargestream.WattHours, list []tables.Reading, end tables.Reading) {
	last := end.Energy
	highest, before, rises := first, first, chargestream.WattHours(0)
	for _, r := range list {
		if r.Energy < before {
			e.glitch, e.fellFrom, e.fellTo, e.fellAt = true, before, r.Energy, r.At
		}
		rises += max(r.Energy-before, 0)
		highest, before = max(highest, r.Energy), r.Energy
	}
	e.glitch = e.glitch || (len(list) > 0 && last < before)
	rises += max(last-before, 0)
	switch {
	case last >= highest:
		e.total = last - first
	case len(list) == 0:
		e.negative = true
	default:
		e.total, e.regressed, e.estimated, e.glitch = rises, true, true, false
		if last < before {
			e.fellFrom, e.fellTo, e.fellAt = before, last, end.At
		}
	}
}

// relative reports whether samples count from the session's start, while the register at the start
// is that of the meter's life.
func relative(start chargestream.WattHours, list []tables.Reading) bool {
	return start > 0 && !slices.ContainsFunc(list, func(r tables.Reading) bool {
		return r.Energy >= start
	})
}

// implausible reports whether a reading is more than was delivered since a start at zero.
func (m *meter) implausible(r tables.Reading) bool {
	return m.rating > 0 && r.Energy > deliverable(m.rating, r.At-m.start.At)
}

// deliverable is the most that a connector can have delivered: a tenth more than its rating, and
// a kWh for what clocks and registers are off.
func deliverable(rating chargestream.Watts, in chargestream.Millis) chargestream.WattHours {
	const tolerance = 1000
	return chargestream.WattHours(mulDiv(int64(rating)*11, int64(in),
		10*int64(chargestream.Hour))) + tolerance
}

// curve is what a session had delivered by each moment: straight lines between points.
type curve struct {
	start, end chargestream.Millis
	// points are of what was delivered, by time; the first at start, the last at end.
	points []tables.Reading
	total  chargestream.WattHours
}

// curveOf is made of the readings of the quarter hours that are over by the end: in the last one
// samples from after the end may have been merged. It has no points where start or end is not
// known.
func (m *meter) curveOf(e energy) *curve {
	c := &curve{total: e.total}
	if m.start == nil || m.end == nil {
		return c
	}
	c.start, c.end = m.start.At, max(m.start.At, m.end.At)
	c.points = append(c.points, tables.Reading{At: c.start})
	base := e.base
	if list := m.readings(); m.start.Meter != nil && relative(*m.start.Meter, list) {
		base = 0
	}
	for i := range m.samples {
		q := &m.samples[i]
		if !q.HasEnergy() || q.Start+chargestream.Quarter > c.end {
			continue
		}
		first, last := q.First, q.Last
		if list := m.readingsOf(nil, q); len(list) > 0 {
			first, last = list[0], list[len(list)-1]
		}
		for _, r := range [2]tables.Reading{first, last} {
			before := &c.points[len(c.points)-1]
			if r.At > before.At && r.At < c.end {
				r.Energy = min(max(r.Energy-base, before.Energy), c.total)
				c.points = append(c.points, r)
			}
		}
	}
	c.points = append(c.points, tables.Reading{At: c.end, Energy: c.total})
	return c
}

// share is the part of the energy that falls between two moments. Shares of adjoining spans add
// up to the total exactly, as each is a difference of the same rising function.
func (c *curve) share(from, to chargestream.Millis) chargestream.WattHours {
	if c.end <= c.start {
		if from <= c.start && c.start < to {
			return c.total
		}
		return 0
	}
	return chargestream.WattHours(c.at(to)/milli - c.at(from)/milli)
}

// milli is how many mWh are a Wh.
const milli = 1000

// at is what had been delivered by a moment, in mWh, rounded down between the points.
func (c *curve) at(moment chargestream.Millis) int64 {
	moment = min(max(moment, c.start), c.end)
	i, found := slices.BinarySearchFunc(
		c.points,
		moment,
		func(r tables.Reading, at chargestream.Millis) int {
			return cmp.Compare(r.At, at)
		},
	)
	if found {
		return int64(c.points[i].Energy) * milli
	}
	before, after := &c.points[i-1], &c.points[i]
	return int64(before.Energy)*milli + mulDiv(int64(after.Energy-before.Energy)*milli,
		int64(moment-before.At), int64(after.At-before.At))
}

// mulDiv is a*b/c, rounded down, for a, b >= 0 and c > 0, without overflow in between; what is more
// than an int64 holds is its largest.
func mulDiv(a, b, c int64) int64 {
	high, low := bits.Mul64(uint64(max(a, 0)), uint64(max(b, 0)))
	if high >= uint64(c) {
		return math.MaxInt64
	}
	quotient, _ := bits.Div64(high, low, uint64(c))
	return int64(min(quotient, math.MaxInt64))
}
