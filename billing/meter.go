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
	// marks are the readings of the begin and the end, by time.
	marks []mark
	// before is the last reading that names the session and lies up to edgeSpan before it; nil for
	// none.
	before *tables.Reading
	// rating is the most that the connector delivers.
	rating chargestream.Watts

	course *course // as far as it was worked out
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
	// contradicted: the energy told is not that of the registers, which is measured.
	contradicted bool
	measured     chargestream.WattHours
	glitch       bool // the register fell and came back
	decided      bool // by a person
	unproven     bool // nothing but the end shows it
	// fellFrom, fellTo and fellAt are the last fall of the register.
	fellFrom, fellTo chargestream.WattHours
	fellAt           chargestream.Millis
	// base is what the register showed when nothing had been delivered.
	base chargestream.WattHours
}

// meterOf is what is known of a session's energy by all that its own row holds.
func meterOf(s *tables.Session) *meter {
	m := &meter{rating: chargestream.UnknownRating}
	if len(s.Starts) > 0 {
		m.start = &s.Starts[0]
	}
	if len(s.Ends) > 0 {
		m.end = &s.Ends[0]
	}
	m.addMarks(s.Quarters, true, math.MaxInt64)
	m.samples = joinQuarters(s.Quarters)
	return m
}

// joinQuarters merges the envelopes of the same quarter hour. The register of the begin and the end
// is left out: it is in the marks.
func joinQuarters(lists ...[]tables.Quarter) []tables.Quarter {
	all := slices.Concat(lists...)
	for i := range all {
		q := &all[i]
		if q.Context != tables.ContextSample {
			*q = tables.Quarter{Start: q.Start, From: q.From, Peak: q.Peak, Low: q.Low,
				CurrentLow: q.CurrentLow, CurrentPeak: q.CurrentPeak, Sampled: q.Sampled,
				Charging: q.Charging}
		}
		q.Late, q.Named = 0, false
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

// energy is what the session delivered (docs/decisions/0010, Energy).
func (m *meter) energy() energy {
	e := m.registers()
	if m.end == nil || m.end.Energy == nil {
		return e
	}
	told, c := *m.end.Energy, m.readings()
	if m.end.Meter != nil && *m.end.Meter == told &&
		(e.lifetime || c.start != nil && *c.start > 0) {
		e.lifetime, e.estimated = true, e.known
		return e
	}
	exact := c.start != nil && c.end != nil && !e.lifetime
	e.contradicted = e.known && !e.regressed && !e.negative && contradicts(told, e.total, exact)
	e.measured, e.unproven = e.total, !e.known
	e.regressed = e.regressed || e.negative // the registers contradict what was told
	e.total, e.known, e.negative = max(told, 0), true, told < 0
	e.estimated, e.sampled, e.lifetime = false, false, false
	return e
}

// What may be between an energy told and that of the registers: rounding, and a part of it for
// losses in cable and converter.
const (
	roundingMax chargestream.WattHours = 100
	lossPercent chargestream.WattHours = 2
)

// contradicts reports whether an energy told is not the measured one. Where start or end is that of
// a sample, so much was delivered at least.
func contradicts(told, measured chargestream.WattHours, exact bool) bool {
	allowed := max(roundingMax, max(told, measured)/100*lossPercent+
		max(told, measured)%100*lossPercent/100)
	return measured-told > allowed || exact && told-measured > allowed
}

// registers is the energy by the registers alone.
func (m *meter) registers() energy {
	c := m.readings()
	points := c.points(m)
	var e energy
	lost := m.noRegister(points)
	e.lifetime = lost > 0
	points = points[lost:]
	e.sampled = c.start == nil && c.end == nil && !e.lifetime
	if len(points) < 2 {
		return energy{lifetime: e.lifetime}
	}
	e.estimated = e.lifetime || c.start == nil || c.end == nil
	last := len(points) - 1
	e.known, e.base = true, points[0].Energy
	e.follow(e.base, points[1:last], points[last], len(c.between) > 0 || e.lifetime)
	return e
}

// follow walks along the register from first to the end. Where it fell, and nothing was measured in
// between, what was delivered is not known.
func (e *energy) follow(first chargestream.WattHours, list []tables.Reading, end tables.Reading,
	measured bool) {
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
	case !measured:
		e.negative = true
	default:
		e.total, e.regressed, e.estimated, e.glitch = rises, true, true, false
		if last < before {
			e.fellFrom, e.fellTo, e.fellAt = before, last, end.At
		}
	}
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
	base, list := e.base, m.readings().all
	if m.readings().relative {
		base = 0
	}
	for i, r := range list {
		quarter := r.At.Truncate(chargestream.Quarter)
		first := i == 0 || list[i-1].At.Truncate(chargestream.Quarter) != quarter
		last := i == len(list)-1 || list[i+1].At.Truncate(chargestream.Quarter) != quarter
		if quarter+chargestream.Quarter > c.end || !first && !last {
			continue
		}
		before := &c.points[len(c.points)-1]
		if r.At > before.At && r.At < c.end {
			r.Energy = min(max(r.Energy-base, before.Energy), c.total)
			c.points = append(c.points, r)
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
