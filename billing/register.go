package billing

import (
	"cmp"
	"slices"

	"chargestream"
	"chargestream/tables"
)

// edgeSpan is how far from a start or an end a reading of it may lie, and how long before the start
// a sample that names the session stands for its first.
const edgeSpan = chargestream.Minute

// mark is a reading of the begin or the end, by its context.
type mark struct {
	tables.Reading
	context tables.ReadingContext
}

// course is the register of a session, in order (docs/decisions/0010, Readings).
type course struct {
	start, end *chargestream.WattHours // nil where they are not certain
	all        []tables.Reading        // of the samples from before the start to the end
	between    []tables.Reading        // all, or none where they say nothing of the register
	relative   bool                    // they count from the session's start
}

// points are the register from start to end.
func (c *course) points(m *meter) []tables.Reading {
	var list []tables.Reading
	if c.start != nil {
		list = append(list, tables.Reading{At: m.start.At, Energy: *c.start})
	}
	list = append(list, c.between...)
	if c.end != nil {
		at := chargestream.Millis(0)
		if m.end != nil {
			at = m.end.At
		}
		list = append(list, tables.Reading{At: at, Energy: *c.end})
	}
	return list
}

// addMarks adds what a list of envelopes that are known at a moment tells of the edges of the
// session: those that name it tell of a little before and behind it, too.
func (m *meter) addMarks(list []tables.Quarter, named bool, at chargestream.Millis) {
	if m.start == nil || m.end == nil {
		return
	}
	from, to := m.start.At, m.end.At
	if named {
		from, to = from-edgeSpan, to+edgeSpan
	}
	for i := range list {
		q := &list[i]
		if q.Late > at || !q.HasEnergy() || q.Start > to || q.Start+chargestream.Quarter <= from {
			continue
		}
		if q.Context == tables.ContextSample {
			if named && q.Start <= m.start.At {
				m.addBefore(q)
			}
			continue
		}
		for r := range readingsOf(q) {
			if from <= r.At && r.At <= to {
				m.marks = append(m.marks, mark{r, q.Context})
			}
		}
	}
	slices.SortFunc(m.marks, func(a, b mark) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Energy, b.Energy),
			cmp.Compare(a.context, b.context))
	})
	m.marks = slices.Compact(m.marks)
}

// addBefore keeps the last reading that lies up to edgeSpan before the start.
func (m *meter) addBefore(q *tables.Quarter) {
	for r := range readingsOf(q) {
		if r.At < m.start.At-edgeSpan || r.At >= m.start.At {
			continue
		}
		if m.before == nil || cmp.Or(cmp.Compare(r.At, m.before.At),
			cmp.Compare(r.Energy, m.before.Energy)) > 0 {
			m.before = &r
		}
	}
}

// readingsOf gives the readings of an envelope that are kept: the first and the last of each
// minute.
func readingsOf(q *tables.Quarter) func(func(tables.Reading) bool) {
	return func(yield func(tables.Reading) bool) {
		for i := range q.Minutes {
			first, last := q.Minutes[i], q.Lasts[i]
			if first.At != 0 && !yield(first) || last != first && !yield(last) {
				return
			}
		}
	}
}

// readings puts the readings of the session in order. The first mark of the begin within edgeSpan
// of the start is the register at the start, and the last mark of the end within edgeSpan of the
// end that at the end. Other marks count only where there are no other samples.
func (m *meter) readings() *course {
	if m.course != nil {
		return m.course
	}
	c := &course{}
	m.course = c
	if m.start != nil {
		c.start = m.start.Meter
	}
	if m.end != nil {
		c.end = m.end.Meter
	}
	begin, end := m.edges()
	c.all = m.sampled(begin, end)
	if len(c.all) == 0 {
		for i := range m.marks {
			if r := &m.marks[i]; r != begin && r != end && m.within(r.Reading) {
				c.all = append(c.all, r.Reading)
			}
		}
	}
	c.place(m, begin, end)
	c.between = c.all
	if c.relative = c.start != nil && relative(*c.start, c.all); c.relative {
		c.between = nil // samples that count from the session's start say nothing of the register
	}
	return c
}

// edges are the marks of the start and of the end; nil where there is none.
func (m *meter) edges() (begin, end *mark) {
	if m.start == nil || m.end == nil {
		return nil, nil
	}
	near := func(a, b chargestream.Millis) bool { return max(a-b, b-a) <= edgeSpan }
	for i := range m.marks {
		r := &m.marks[i]
		if begin == nil && r.context == tables.ContextBegin && near(r.At, m.start.At) {
			begin = r
		}
		if r.context == tables.ContextEnd && near(r.At, m.end.At) {
			end = r
		}
	}
	return begin, end
}

// place puts the marks of the edges to where they belong: what else comes before that of the begin,
// or behind that of the end, says nothing.
func (c *course) place(m *meter, begin, end *mark) {
	if begin != nil {
		c.all = slices.DeleteFunc(c.all, func(r tables.Reading) bool { return r.At <= begin.At })
	}
	if end != nil {
		c.all = slices.DeleteFunc(c.all, func(r tables.Reading) bool { return r.At >= end.At })
	}
	switch {
	case begin == nil && c.start == nil && m.before != nil:
		c.all = slices.Insert(c.all, 0, *m.before)
	case begin != nil && c.start == nil:
		c.start = &begin.Energy
	case begin != nil && begin.At >= m.start.At:
		c.all = slices.Insert(c.all, 0, begin.Reading)
	}
	switch {
	case end != nil && c.end == nil:
		c.end = &end.Energy
	case end != nil && end.At <= m.end.At:
		c.all = append(c.all, end.Reading)
	}
}

// sampled are the readings of the samples within the session, by time, but for the marks.
func (m *meter) sampled(begin, end *mark) []tables.Reading {
	var list []tables.Reading
	for i := range m.samples {
		q := &m.samples[i]
		if !q.HasEnergy() {
			continue
		}
		in := func(r *mark) bool {
			return r != nil && q.Start <= r.At && r.At < q.Start+chargestream.Quarter
		}
		jumps := q.Max-q.Min > deliverable(m.rating, chargestream.Quarter)
		if !m.holds(q) || in(begin) || in(end) || jumps {
			for r := range readingsOf(q) {
				if m.within(r) {
					list = append(list, r)
				}
			}
			continue
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
	}
	return list
}

// relative reports whether samples count from the session's start, while the register at the start
// is that of the meter's life.
func relative(start chargestream.WattHours, list []tables.Reading) bool {
	return start > 0 && len(list) > 0 && !slices.ContainsFunc(list, func(r tables.Reading) bool {
		return r.Energy >= start
	})
}

// noRegister is how many of the first points are no readings of the register of the meter's life,
// which shows behind them: the step is more than the connector can have delivered since the start,
// and all that comes behind it lies as far above, or all before it is nothing. If that leaves a
// single reading, nothing was measured: behind a begin that is not nothing that is said of a step
// only that is larger by far, as the rating may be wrong.
func (m *meter) noRegister(points []tables.Reading) int {
	if m.start == nil || len(points) == 0 {
		return 0
	}
	const far = 10
	top := points[0].Energy
	for k := 1; k < len(points); k++ {
		above := func(r tables.Reading, times chargestream.WattHours) bool {
			return r.Energy-top > times*deliverable(m.rating, max(r.At-m.start.At, 0))
		}
		back := func(r tables.Reading) bool { return !above(r, 1) }
		if above(points[k], 1) && (top <= 0 || !slices.ContainsFunc(points[k:], back)) {
			if k < len(points)-1 || top <= 0 || above(points[k], far) {
				return k
			}
		}
		top = max(top, points[k].Energy)
	}
	return 0
}
