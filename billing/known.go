package billing

import (
	"cmp"
	"math"
	"reflect"
	"slices"

	"chargestream"
	"chargestream/internal/lattice"
	"chargestream/tables"
)

// known is what is known of a session at a moment.
type known struct {
	at    chargestream.Millis
	start *tables.Start // the first to arrive of those that are known; nil for none
	end   *tables.End
	meter meter
	// transitions are the status reports within the session, of the hours of the start's connector.
	transitions []tables.Transition
	origin      tables.Origin
	copied      bool // another session id had the same start before: origin
	// overlapping are the other sessions that ran at the same time and are due, by begin.
	overlapping []tables.HourSession
	// before is the session on the connector that ended right before this one began, and reported
	// its energy; nil for none.
	before *tables.HourSession
	signed []string

	startDoubt, endDoubt claimDoubt
	// startArrived and endArrived: one came, which may not be known yet, and is waited for.
	startArrived, endArrived bool
}

// claimDoubt is what is doubtful about the starts, or the ends, that were reported.
type claimDoubt struct {
	skewed  bool                // from a clock that was ahead
	differs bool                // in what money depends on
	other   chargestream.Millis // the time of one that differs
	ahead   chargestream.Millis // by how much a clock was ahead
}

func (d *claimDoubt) note(at, arrival chargestream.Millis) {
	if tables.Skewed(at, arrival) {
		d.skewed, d.ahead = true, max(d.ahead, at-arrival)
	}
}

// knownAt is what is known of the session at a moment, with what a decision corrected.
func (b *biller) knownAt(
	at chargestream.Millis,
	corrected *chargestream.Correction,
) (*known, error) {
	k, s := &known{at: at}, b.Row
	for i := range s.Starts {
		c := &s.Starts[i]
		k.startArrived = k.startArrived || c.Arrival <= at
		if c.Known() > at {
			continue
		}
		k.startDoubt.note(c.At, c.Arrival)
		if k.start == nil {
			k.start = c
		} else {
			k.startDoubt.differs, k.startDoubt.other = true, c.At
		}
	}
	for i := range s.Ends {
		c := &s.Ends[i]
		k.endArrived = k.endArrived || c.Arrival <= at
		if c.Known() > at {
			continue
		}
		k.endDoubt.note(c.At, c.Arrival)
		if k.end == nil {
			k.end = c
		} else if !sameEnd(k.end, c) {
			k.endDoubt.differs, k.endDoubt.other = true, c.At
		}
	}
	for i := range s.Signed {
		if v := &s.Signed[i]; tables.KnownFrom(v.At, v.Arrival) <= at {
			if !slices.Contains(k.signed, v.Text) {
				k.signed = append(k.signed, v.Text)
			}
		}
	}
	if err := b.findOrigin(k); err != nil {
		return nil, err
	}
	k.correct(corrected)
	k.meter = meter{start: k.start, end: k.end, rating: chargestream.UnknownRating}
	if k.end == nil { // without one nothing depends on what was measured
		return k, nil
	}
	return k, b.readHours(k)
}

// same reports whether the same is known at two moments.
func (k *known) same(o *known) bool {
	a, b := *k, *o
	a.at, b.at = 0, 0
	return reflect.DeepEqual(a, b)
}

// findOrigin finds whether the session is a duplicate of one that was delivered before.
func (b *biller) findOrigin(k *known) error {
	if k.start == nil {
		return nil
	}
	h, err := b.hour(k.start.ConnectorID, k.start.At.Truncate(chargestream.Hour))
	if err != nil || h == nil {
		return err
	}
	k.origin, k.copied = h.OriginOf(b.ID, k.start.At)
	return nil
}

// endTolerance is how far two reports of the same stop may be apart: stations send it again with
// a timestamp of their own.
const endTolerance = chargestream.Minute

// sameEnd reports whether two ends bill the same.
func sameEnd(a, b *tables.End) bool {
	apart := max(a.At, b.At) - min(a.At, b.At)
	return apart <= endTolerance && lattice.CompareOptional(a.Energy, b.Energy) == 0 &&
		lattice.CompareOptional(a.Meter, b.Meter) == 0 &&
		(a.ConnectorID == b.ConnectorID || a.ConnectorID == "" || b.ConnectorID == "")
}

// readHours takes what the hours of the session's time hold: status reports, samples that name no
// session, and other sessions.
func (b *biller) readHours(k *known) error {
	if k.start == nil {
		k.addSamples(b.Row.Quarters, nil)
		return nil
	}
	var unnamed []tables.Quarter
	own := tables.HourSession{From: k.start.At, To: k.end.At}
	for _, start := range b.Row.Windows() {
		if start+chargestream.Hour <= k.start.At.Truncate(chargestream.Quarter) ||
			start > k.end.At {
			continue
		}
		h, err := b.hour(k.start.ConnectorID, start)
		if err != nil {
			return err
		}
		if h == nil {
			continue
		}
		for _, t := range h.Transitions {
			if k.start.At <= t.At && t.At < k.end.At && tables.KnownFrom(t.At, t.Arrival) <= k.at {
				k.transitions = append(k.transitions, t)
			}
		}
		for i := range h.Quarters {
			if q := &h.Quarters[i]; !q.Named { // its session has the others
				unnamed = append(unnamed, *q)
			}
		}
		if !k.copied && own.From < own.To {
			b.addOverlaps(k, &own, h)
		}
	}
	if err := b.findBefore(k, &own); err != nil {
		return err
	}
	k.meter.addMarks(b.Row.Quarters, true, k.at)
	k.meter.addMarks(unnamed, false, k.at)
	k.addSamples(b.Row.Quarters, unnamed)
	return nil
}

// addOverlaps adds the other sessions of an hour that ran at the same time and are due.
func (b *biller) addOverlaps(k *known, own *tables.HourSession, h *tables.Hour) {
	if len(h.Sessions) == 0 || (len(h.Sessions) == 1 && h.Sessions[0].ID == b.ID) {
		return
	}
	for _, o := range b.ranIn(h) {
		if o.ID == b.ID || o.Due > k.at || !own.Meets(&o) {
			continue
		}
		if !slices.ContainsFunc(k.overlapping, func(known tables.HourSession) bool {
			return known.ID == o.ID
		}) {
			k.overlapping = append(k.overlapping, o)
		}
	}
}

// addSamples makes the meter of the samples that are known.
func (k *known) addSamples(named, unnamed []tables.Quarter) {
	for _, q := range joinQuarters(k.during(named), k.during(unnamed)) {
		if !k.meter.holds(&q) {
			q = k.edge(q)
		}
		k.meter.samples = append(k.meter.samples, q)
	}
}

// during are the quarter hours that are known and that the session was in.
func (k *known) during(list []tables.Quarter) []tables.Quarter {
	return joinQuarters(slices.DeleteFunc(slices.Clone(list), func(q tables.Quarter) bool {
		return q.Late > k.at || (k.start != nil && q.Start+chargestream.Quarter <= k.start.At) ||
			(k.end != nil && q.Start > k.end.At)
	}))
}

// edge is a quarter hour in which the session began or ended: what of it is surely of its time, as
// another session may have been there before or after.
func (k *known) edge(q tables.Quarter) tables.Quarter {
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

// moments are those at which a document may be due or may change, after one and up to another,
// in order and each once.
func (b *biller) moments(after, upTo chargestream.Millis) ([]chargestream.Millis, error) {
	if err := b.findMoments(); err != nil {
		return nil, err
	}
	all := b.allMoments
	first, _ := slices.BinarySearch(all, after+1)
	last, _ := slices.BinarySearch(all, upTo+1)
	return all[first:max(first, last)], nil
}

// findMoments finds all moments of the session, once: the rows do not change meanwhile.
func (s *Session) findMoments() error {
	if s.momentsFound {
		return nil
	}
	err := s.hourMoments(func(at chargestream.Millis) { s.hourly = append(s.hourly, at) })
	if err != nil {
		return err
	}
	s.allMoments = slices.Clone(s.hourly)
	s.Row.Moments(func(at chargestream.Millis) { s.allMoments = append(s.allMoments, at) })
	slices.Sort(s.allMoments)
	s.allMoments, s.momentsFound = slices.Compact(s.allMoments), true
	return nil
}

// hourMoments gives the moments, after the end is known, from which what the session's hours hold
// is known. An hour counts from the arrival on of what made the session touch it: a fact adds no
// moment from before its own arrival, as what was sent by then stands.
func (s *Session) hourMoments(add func(chargestream.Millis)) error {
	ended := s.Row.EndKnown()
	if ended == 0 {
		return nil
	}
	late := func(at chargestream.Millis) {
		if at > ended {
			add(at)
		}
	}
	reached, started := reaches(s.Row), chargestream.Millis(math.MaxInt64)
	for i := range s.Row.Starts {
		c := &s.Row.Starts[i]
		started = min(started, c.Arrival)
		if i > 0 && c.ConnectorID == s.Row.Starts[i-1].ConnectorID {
			continue
		}
		if err := s.momentsOf(c.ConnectorID, c.Arrival, math.MaxInt64, reached, late); err != nil {
			return err
		}
	}
	for i := range s.Row.Ends { // until a start arrives a session is where its end was
		c := &s.Row.Ends[i]
		if c.Arrival >= started {
			break
		}
		if err := s.momentsOf(c.ConnectorID, c.Arrival, started, reached, late); err != nil {
			return err
		}
	}
	return nil
}

// reach is the time from low to high that the claims and decisions which arrived by a moment give a
// session; low is zero where none of them began it.
type reach struct{ arrival, low, high chargestream.Millis }

// reaches are those of a session, by arrival.
func reaches(s *tables.Session) []reach {
	var list []reach
	for i := range s.Starts {
		c := &s.Starts[i]
		list = append(list, reach{c.Arrival, c.At, c.At})
	}
	for i := range s.Ends {
		c := &s.Ends[i]
		list = append(list, reach{c.Arrival, 0, c.At})
	}
	for i := range s.Decisions {
		d := &s.Decisions[i]
		list = append(list, reach{d.Arrival, d.Correction.StartTime,
			max(d.Correction.StartTime, d.Correction.EndTime)})
	}
	slices.SortFunc(list, func(a, b reach) int { return cmp.Compare(a.arrival, b.arrival) })
	for i := 1; i < len(list); i++ {
		list[i].low = lattice.Least(list[i].low, list[i-1].low)
		list[i].high = max(list[i].high, list[i-1].high)
	}
	return list
}

// reachedSince is the first arrival by which a session touches an hour; false for never.
func reachedSince(list []reach, start chargestream.Millis) (chargestream.Millis, bool) {
	for i := range list {
		r := &list[i]
		if r.low != 0 && r.low.Truncate(chargestream.Hour) <= start && start <= r.high {
			return r.arrival, true
		}
	}
	return 0, false
}

// momentsOf gives the moments of the hours of a connector at which the session was by what arrived
// from since on and before until.
func (s *Session) momentsOf(connector chargestream.ConnectorID, since, until chargestream.Millis,
	reached []reach, moment func(chargestream.Millis)) error {
	if connector == "" {
		return nil
	}
	err := s.momentsBefore(connector, func(at, arrival chargestream.Millis) {
		if at >= max(arrival, since) && at < until {
			moment(at)
		}
	})
	if err != nil {
		return err
	}
	for _, start := range s.Row.Windows() {
		from, ok := reachedSince(reached, start)
		if !ok {
			continue
		}
		h, err := s.hour(connector, start)
		if err != nil {
			return err
		}
		if h == nil {
			continue
		}
		add := func(at chargestream.Millis) {
			if at >= max(from, since) && at < until {
				moment(at)
			}
		}
		for i := range h.Transitions {
			add(tables.KnownFrom(h.Transitions[i].At, h.Transitions[i].Arrival))
		}
		for i := range h.Quarters {
			if q := &h.Quarters[i]; !q.Named {
				add(q.Late)
			}
		}
		for i := range h.Sessions {
			// One that is here for a decision, or for a claim that does not count, was elsewhere.
			o := &h.Sessions[i]
			if o.ID != s.ID && o.From != 0 && o.From < start+chargestream.Hour && start <= o.To {
				add(o.Due)
			}
		}
	}
	return nil
}

// nextMoment is the first moment after one from which something that the session's hours hold is
// known; zero for none.
func (b *biller) nextMoment(after chargestream.Millis) (chargestream.Millis, error) {
	if err := b.findMoments(); err != nil {
		return 0, err
	}
	var next chargestream.Millis
	for _, at := range b.hourly {
		if at > after {
			next = lattice.Least(next, at)
		}
	}
	return next, nil
}
