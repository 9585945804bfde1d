package tables

import (
	"slices"

	"chargestream"
)

// known is what is known of a session at a moment.
type known struct {
	at     chargestream.Millis
	start  *Start // the first to arrive of those that are known; nil for none
	end    *End
	meter  meter
	hours  []SessionHour // of the start's connector
	copied bool
	signed []string

	startDoubt, endDoubt claimDoubt
	// startArrived and endArrived tell that one came, which may not be known yet: it is waited for.
	startArrived, endArrived bool
}

// claimDoubt is what is doubtful about the starts, or the ends, that were told.
type claimDoubt struct {
	skewed  bool // from a clock that was ahead
	differs bool // in what money hangs on
}

// knownAt is what is known of the session at a moment, with what a decision corrected.
func (s *Session) knownAt(at chargestream.Millis, corrected *chargestream.Correction) *known {
	k := &known{at: at}
	for i := range s.Starts {
		c := &s.Starts[i]
		k.startArrived = k.startArrived || c.Arrival <= at
		if c.known() > at {
			continue
		}
		k.startDoubt.skewed = k.startDoubt.skewed || skewed(c.At, c.Arrival)
		if k.start == nil {
			k.start = c
		} else {
			k.startDoubt.differs = true
		}
	}
	for i := range s.Ends {
		c := &s.Ends[i]
		k.endArrived = k.endArrived || c.Arrival <= at
		if c.known() > at {
			continue
		}
		k.endDoubt.skewed = k.endDoubt.skewed || skewed(c.At, c.Arrival)
		if k.end == nil {
			k.end = c
		} else {
			k.endDoubt.differs = k.endDoubt.differs || !sameEnd(k.end, c)
		}
	}
	for i := range s.Signed {
		if v := &s.Signed[i]; knownFrom(v.At, v.Arrival) <= at {
			if !slices.Contains(k.signed, v.Text) {
				k.signed = append(k.signed, v.Text)
			}
		}
	}
	origin := &s.Verdict.DuplicateOf
	k.copied = origin.ID != "" && k.start != nil && k.start.At == origin.At
	k.correct(corrected)
	k.meter = meter{start: k.start, end: k.end}
	if k.end != nil { // without one nothing hangs on what was measured
		s.learnHours(k)
	}
	return k
}

// endTolerance is how far two reports of the same stop may be apart: stations send it again with
// a timestamp of their own.
const endTolerance = chargestream.Minute

// sameEnd tells whether two ends bill the same.
func sameEnd(a, b *End) bool {
	apart := max(a.At, b.At) - min(a.At, b.At)
	return apart <= endTolerance && compareOptional(a.Energy, b.Energy) == 0 &&
		compareOptional(a.Meter, b.Meter) == 0 &&
		(a.ConnectorID == b.ConnectorID || a.ConnectorID == "" || b.ConnectorID == "")
}

// learnHours takes what the windows answered.
func (s *Session) learnHours(k *known) {
	var loads []Quarter
	for i := range s.Hours {
		h := s.Hours[i]
		if k.start == nil || h.ConnectorID != k.start.ConnectorID {
			continue
		}
		h.Transitions = slices.DeleteFunc(slices.Clone(h.Transitions), func(t Transition) bool {
			return knownFrom(t.At, t.Arrival) > k.at
		})
		k.hours = append(k.hours, h)
		loads = append(loads, h.Loads...)
	}
	for _, q := range joinQuarters(k.during(s.Quarters), k.during(loads)) {
		if !k.meter.holds(&q) {
			q = k.edge(q)
		}
		k.meter.samples = append(k.meter.samples, q)
	}
}

// during are the quarter hours that are known and that the session was in.
func (k *known) during(list []Quarter) []Quarter {
	return joinQuarters(slices.DeleteFunc(slices.Clone(list), func(q Quarter) bool {
		return q.Late > k.at || (k.start != nil && q.Start+chargestream.Quarter <= k.start.At) ||
			(k.end != nil && q.Start > k.end.At)
	}))
}

// edge is a quarter hour in which the session began or ended: what of it is surely of its time, as
// another session may have been there before or after.
func (k *known) edge(q Quarter) Quarter {
	var inside uint16
	for m := range 15 {
		from := q.Start + chargestream.Millis(m)*chargestream.Minute
		if (k.start == nil || k.start.At <= from) &&
			(k.end == nil || from+chargestream.Minute <= k.end.At) {
			inside |= 1 << m
		}
	}
	if q.Sampled&^inside != 0 { // how much power there was within is not known
		q.Low, q.Peak, q.CurrentLow, q.CurrentPeak = 0, 0, 0, 0
	}
	q.Sampled, q.Charging = q.Sampled&inside, q.Charging&inside
	return q
}

// overlaps tells whether another session, that was due by then, ran at the same time.
func (k *known) overlaps() bool {
	if k.start == nil || k.end == nil || k.copied || k.end.At <= k.start.At {
		return false
	}
	own := Interval{From: k.start.At, To: k.end.At}
	for i := range k.hours {
		for j := range k.hours[i].Overlaps {
			o := &k.hours[i].Overlaps[j]
			if !o.Copy && o.Interval.Due <= k.at && own.meets(&o.Interval) {
				return true
			}
		}
	}
	return false
}

// moments are those at which a document may be due or may change, after one and up to another,
// in order and each once.
func (s *Session) moments(after, upTo chargestream.Millis) []chargestream.Millis {
	var list []chargestream.Millis
	add := func(at chargestream.Millis) {
		if after < at && at <= upTo {
			list = append(list, at)
		}
	}
	for i := range s.Starts {
		c := &s.Starts[i]
		add(c.known())
		if at := overdueAt(c.At, c.Arrival); !arrivedBy(s.Ends, at) {
			add(at)
		}
	}
	for i := range s.Ends {
		c := &s.Ends[i]
		add(c.At + chargestream.Grace)
		add(c.known())
		if at := orphanDue(c.At, c.Arrival); len(s.Starts) == 0 || s.Starts[0].Arrival > at {
			add(at)
		}
	}
	for i := range s.Decisions {
		d := &s.Decisions[i]
		add(d.Arrival)
		if end := d.Correction.EndTime; end != 0 {
			add(end + chargestream.Grace)
		}
		if start := d.Correction.StartTime; start != 0 {
			add(overdueAt(start, start))
		}
	}
	for i := range s.Signed {
		add(knownFrom(s.Signed[i].At, s.Signed[i].Arrival))
	}
	if ended := s.endKnown(); ended != 0 {
		s.measured(func(at chargestream.Millis) {
			if at > ended {
				add(at)
			}
		})
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// arrivedBy tells whether an end arrived by a moment: then it is not missed.
func arrivedBy(ends []End, at chargestream.Millis) bool {
	return len(ends) > 0 && ends[0].Arrival <= at
}

// endKnown is the first moment at which an end is known, told or decided; zero for never. Before
// it no document hangs on samples, reports and other sessions.
func (s *Session) endKnown() chargestream.Millis {
	var known chargestream.Millis
	for i := range s.Ends {
		known = least(known, s.Ends[i].known())
	}
	for i := range s.Decisions {
		if d := &s.Decisions[i]; d.Correction.EndTime != 0 {
			known = least(known, d.Arrival)
		}
	}
	return known
}

// measured gives the moments from which samples, reports and other sessions are known.
func (s *Session) measured(add func(chargestream.Millis)) {
	for i := range s.Quarters {
		add(s.Quarters[i].Late)
	}
	for i := range s.Hours {
		h := &s.Hours[i]
		for j := range h.Transitions {
			add(knownFrom(h.Transitions[j].At, h.Transitions[j].Arrival))
		}
		for j := range h.Loads {
			add(h.Loads[j].Late)
		}
		for j := range h.Overlaps {
			add(h.Overlaps[j].Interval.Due)
		}
	}
}
