package oracle

import (
	"cmp"
	"math/big"
	"slices"
	"strings"
)

// register is what the meter showed at a moment.
type register struct{ atMs, wh int64 }

// course is what is known of the register of a session, in order: at its start and at its end,
// where that is known for certain, and in between.
type course struct {
	start, end *int64
	between    []register
}

func isContext(m SampleFact, context string) bool { return strings.EqualFold(m.Context, context) }

func apart(a, b int64) int64 { return max(a-b, b-a) }

// ranked are the samples of the register that may say something of the session: those of its time,
// and those that name it and lie within a minute of it. Readings of the begin and the end are
// parted from all others.
func (s *story) ranked(v sheet) (begins, ends, others []SampleFact) {
	for _, m := range v.known.samples {
		in := v.start.AtMs <= m.AtMs && m.AtMs <= v.end.AtMs || s.rules.flaw == flawAllSamples
		near := m.Session == s.facts.Session && v.start.AtMs-minuteMs <= m.AtMs &&
			m.AtMs <= v.end.AtMs+minuteMs
		switch {
		case m.RegisterWh == nil, !in && !near, !s.names(m, v):
		case isContext(m, "Transaction.Begin") && s.rules.flaw != flawContext:
			begins = append(begins, m)
		case isContext(m, "Transaction.End") && s.rules.flaw != flawContext:
			ends = append(ends, m)
		default:
			others = append(others, m)
		}
	}
	return begins, ends, others
}

// courseOf puts the readings in order. The first reading of the begin within a minute of the start
// is the register at the start, whatever else that minute has; the last one of the end within a
// minute of the end is the register at the end. Elsewhere such readings count only where there are
// no others. A sample that names the session and lies within a minute before it stands for the
// first one of the session where nothing tells the register at the start.
func (s *story) courseOf(v sheet) course {
	begins, ends, others := s.ranked(v)
	c := course{start: v.start.MeterWh, end: v.end.MeterWh}
	var rest, before []SampleFact
	for _, m := range others {
		switch {
		case m.AtMs < v.start.AtMs && s.rules.flaw != flawAllSamples:
			before = append(before, m)
		case m.AtMs <= v.end.AtMs || s.rules.flaw == flawAllSamples:
			rest = append(rest, m)
		}
	}
	first := slices.IndexFunc(begins, func(m SampleFact) bool {
		return apart(m.AtMs, v.start.AtMs) <= minuteMs
	})
	last := len(ends) - 1
	for last >= 0 && apart(ends[last].AtMs, v.end.AtMs) > minuteMs {
		last--
	}
	if len(rest) == 0 {
		for i, m := range begins {
			if i != first && v.start.AtMs <= m.AtMs && m.AtMs <= v.end.AtMs {
				rest = append(rest, m)
			}
		}
		for i, m := range ends {
			if i != last && v.start.AtMs <= m.AtMs && m.AtMs <= v.end.AtMs {
				rest = append(rest, m)
			}
		}
		slices.SortFunc(rest, func(x, y SampleFact) int {
			return cmp.Or(cmp.Compare(x.AtMs, y.AtMs), compareNumbers(x.RegisterWh, y.RegisterWh))
		})
	}
	if first >= 0 {
		rest = slices.DeleteFunc(rest, func(m SampleFact) bool {
			return m.AtMs <= begins[first].AtMs
		})
	}
	if last >= 0 {
		rest = slices.DeleteFunc(rest, func(m SampleFact) bool { return m.AtMs >= ends[last].AtMs })
	}
	switch {
	case first < 0 && c.start == nil && len(before) > 0:
		rest = slices.Insert(rest, 0, before[len(before)-1])
	case first >= 0 && c.start == nil:
		c.start = begins[first].RegisterWh
	case first >= 0 && begins[first].AtMs >= v.start.AtMs:
		rest = slices.Insert(rest, 0, begins[first])
	}
	switch {
	case last >= 0 && c.end == nil:
		c.end = ends[last].RegisterWh
	case last >= 0 && ends[last].AtMs <= v.end.AtMs:
		rest = append(rest, ends[last])
	}
	for _, m := range rest {
		c.between = append(c.between, register{m.AtMs, *m.RegisterWh})
	}
	return c
}

// all are the registers of a course from start to end.
func (c course) all(v sheet) []register {
	var all []register
	if c.start != nil {
		all = append(all, register{v.start.AtMs, *c.start})
	}
	all = append(all, c.between...)
	if c.end != nil {
		all = append(all, register{v.end.AtMs, *c.end})
	}
	return all
}

// noRegister is how many of the first readings are none of the register of the meter's life, which
// shows behind them. The step up to it is more than the connector can have delivered since the
// start; and all that comes behind it lies as far above, or all before it is nothing. Where a
// single reading is left, nothing was measured: that is said behind nothing, and of a step of more
// than ten times what can be delivered.
func (s *story) noRegister(v sheet, c course) int {
	all := c.all(v)
	for k := 1; k < len(all); k++ {
		top := all[0].wh
		for _, r := range all[:k] {
			top = max(top, r.wh)
		}
		above := func(r register, times int64) bool {
			limit := big.NewRat(v.terms.ratingW(s.connectorOf(v))*max(0, r.atMs-v.start.AtMs),
				hourMs)
			limit.Mul(limit, big.NewRat(11, 10)).Add(limit, big.NewRat(1000, 1))
			return big.NewRat(r.wh-top, 1).Cmp(limit.Mul(limit, big.NewRat(times, 1))) > 0
		}
		if !above(all[k], 1) {
			continue
		}
		back := slices.ContainsFunc(all[k:], func(r register) bool { return !above(r, 1) })
		if back && top > 0 {
			continue
		}
		if k < len(all)-1 || top <= 0 || above(all[k], 10) {
			return k
		}
	}
	return 0
}
