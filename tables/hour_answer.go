package tables

import (
	"cmp"
	"slices"

	"chargestream"
)

// SessionOverlapsMax bounds the other sessions of a window that a session is known to overlap: one
// is enough to hold a bill.
const SessionOverlapsMax = 4

// SessionHour is what a window knows of a connector, as a session keeps it.
type SessionHour struct {
	ConnectorID chargestream.ConnectorID
	Start       chargestream.Millis
	// Answered is the moment up to which the window knew all when it answered.
	Answered    chargestream.Millis
	Transitions []Transition // by time
	Loads       []Quarter    // by Start
	Overlaps    []Overlap    // by ID, of the last answer
}

func compareSessionHours(a, b *SessionHour) int {
	return cmp.Or(cmp.Compare(a.ConnectorID, b.ConnectorID), cmp.Compare(a.Start, b.Start))
}

func mergeSessionHours(into, from *SessionHour) {
	joined := Hour{Transitions: into.Transitions, Loads: into.Loads}
	joined.Merge(&Hour{Transitions: from.Transitions, Loads: from.Loads})
	into.Transitions, into.Loads = joined.Transitions, joined.Loads
	switch {
	case from.Answered > into.Answered:
		into.Answered, into.Overlaps = from.Answered, slices.Clone(from.Overlaps)
	case from.Answered == into.Answered:
		for _, o := range from.Overlaps {
			into.Overlaps = insertSorted(into.Overlaps, o, compareOverlaps, mergeOverlaps)
		}
		into.Overlaps = boundOverlaps(into.Overlaps)
	}
}

// Overlap is another session that ran on the connector at the same time. Of what was told of it
// the claims that arrived first count.
type Overlap struct {
	ID       chargestream.SessionID
	Interval Interval
	Copy     bool // it turned out to be a copy of another, and counts no more
}

// meets tells whether two intervals share time.
func (in *Interval) meets(o *Interval) bool { return in.From < o.To && o.From < in.To }

func compareOverlaps(a, b *Overlap) int { return cmp.Compare(a.ID, b.ID) }

func mergeOverlaps(into, from *Overlap) {
	switch preferred := compareIntervals(&from.Interval, &into.Interval); {
	case preferred < 0:
		*into = *from
	case preferred == 0:
		into.Copy = into.Copy || from.Copy
	}
}

// Answer is what the window tells a session that asks: its status reports and samples of that
// time, whether the session is a copy of another, and which others ran at the same time.
func (h *Hour) Answer(part *HourPart) SessionPart {
	v := Verdict{Known: true, DuplicateOf: h.duplicates()[part.Check]}
	if v.DuplicateOf.ID != "" {
		v.Self = part.Check
	}
	s := &Stay{ID: part.Check, Heard: part.Heard}
	if i := h.stay(part.Check); i >= 0 {
		s.Interval, s.Span, s.Whole = h.Stays[i].Interval, h.Stays[i].Span, h.Stays[i].Whole
	}
	known := h.knownOf(s, h.ran())
	known.ConnectorID, known.Start = part.Key.ConnectorID, part.Key.Start
	return SessionPart{ID: part.Check, Row: Session{Verdict: v, Hours: []SessionHour{known}}}
}

// Restated are the answers that a merge changed, of sessions that asked before.
func (h *Hour) Restated(key HourKey, before *Hour) []SessionPart {
	if !slices.ContainsFunc(before.Stays, func(s Stay) bool { return s.Heard != 0 }) {
		return nil
	}
	var parts []SessionPart
	ranBefore, ran := before.ran(), h.ran()
	for i := range before.Stays {
		asked := &before.Stays[i]
		j := h.stay(asked.ID)
		if asked.Heard == 0 || j < 0 {
			continue
		}
		old, now := before.knownOf(asked, ranBefore), h.knownOf(&h.Stays[j], ran)
		if old.same(&now) {
			continue
		}
		for _, o := range old.Overlaps {
			k := h.stay(o.ID)
			if k < 0 || slices.ContainsFunc(now.Overlaps, func(n Overlap) bool {
				return n.ID == o.ID
			}) {
				continue
			}
			// The other turned out to have been at another time, or a copy: that is told too.
			gone := overlapOf(&h.Stays[k])
			gone.Copy = gone.Interval.meets(h.Stays[j].when())
			now.Overlaps = insertSorted(now.Overlaps, gone, compareOverlaps, mergeOverlaps)
		}
		now.ConnectorID, now.Start = key.ConnectorID, key.Start
		now.Answered = asked.Heard // for more it asks itself
		parts = append(parts, SessionPart{ID: asked.ID, Row: Session{Hours: []SessionHour{now}}})
	}
	return parts
}

// stay is the place of a session in the window; -1 where there is none.
func (h *Hour) stay(id chargestream.SessionID) int {
	return slices.IndexFunc(h.Stays, func(s Stay) bool { return s.ID == id })
}

// knownOf is what the window knows of the time of a session; of the whole window where a decision
// set that time.
func (h *Hour) knownOf(s *Stay, ran []Stay) SessionHour {
	k := SessionHour{Answered: s.Heard, Overlaps: overlapping(ran, s.ID)}
	in := s.when()
	whole := s.Whole || in.From == 0
	for _, t := range h.Transitions {
		if whole || (in.From <= t.At && t.At < in.To) {
			k.Transitions = append(k.Transitions, t)
		}
	}
	for _, q := range h.Loads {
		if q.Named {
			continue // its session has it
		}
		if whole || (in.From < q.Start+chargestream.Quarter && q.Start <= in.To) {
			k.Loads = append(k.Loads, q)
		}
	}
	return k
}

// same tells whether two answers tell the same.
func (h *SessionHour) same(o *SessionHour) bool {
	return slices.Equal(h.Transitions, o.Transitions) && slices.Equal(h.Loads, o.Loads) &&
		slices.EqualFunc(h.Overlaps, o.Overlaps, func(a, b Overlap) bool {
			return a.ID == b.ID && a.Interval.Same(&b.Interval)
		})
}

func overlapOf(s *Stay) Overlap {
	in := s.when()
	// What the claims told of energy says nothing of when.
	return Overlap{ID: s.ID, Interval: Interval{From: in.From, To: in.To,
		StartArrival: in.StartArrival, EndArrival: in.EndArrival, Due: in.Due}}
}

// when is the interval of the session by all that the window was told.
func (s *Stay) when() *Interval {
	if s.Interval.From != 0 {
		return &s.Interval
	}
	return &s.Span
}

// ran are the stays that took time, without copies of others.
func (h *Hour) ran() []Stay {
	copies := h.duplicates()
	first := map[chargestream.Millis]*Stay{}
	for i := range h.Stays {
		s := &h.Stays[i]
		f := first[s.when().From]
		if f == nil || cmp.Or(cmp.Compare(s.when().StartArrival, f.when().StartArrival),
			cmp.Compare(s.ID, f.ID)) < 0 {
			first[s.when().From] = s
		}
	}
	var stays []Stay
	for i := range h.Stays {
		s := &h.Stays[i]
		in := s.when()
		if _, copied := copies[s.ID]; !copied && in.From < in.To && first[in.From] == s {
			stays = append(stays, *s)
		}
	}
	return stays
}

// overlapping are those of stays, which ran made, that ran at the same time as a session.
func overlapping(stays []Stay, id chargestream.SessionID) []Overlap {
	i := slices.IndexFunc(stays, func(s Stay) bool { return s.ID == id })
	if i < 0 {
		return nil
	}
	var list []Overlap
	for j := range stays {
		if i != j && stays[i].when().meets(stays[j].when()) {
			list = insertSorted(list, overlapOf(&stays[j]), compareOverlaps, mergeOverlaps)
		}
	}
	return boundOverlaps(list)
}

// boundOverlaps keeps those that are known first, so that a bill that is held for one stays so.
func boundOverlaps(list []Overlap) []Overlap {
	return bound(list, SessionOverlapsMax, func(a, b *Overlap) int {
		return cmp.Or(cmp.Compare(a.Interval.Due, b.Interval.Due), cmp.Compare(a.ID, b.ID))
	})
}

// Notices are what the window must tell of its own accord: to all that are due in it, that
// something late is known now; and to sessions that overlap, how far each other has come, so that
// the one that was due first hears of it.
func (h *Hour) Notices(part *HourPart) []SessionPart {
	if part.Row.Heard == 0 && len(part.Row.Stays) == 0 {
		return nil
	}
	var parts []SessionPart
	stays := h.ran()
	for i := range stays {
		s := &stays[i]
		heard := max(h.Heard, metBy(stays, i))
		if s.when().Due <= heard && s.Heard < heard {
			parts = append(parts, SessionPart{ID: s.ID, Row: Session{Heard: heard}})
		}
	}
	return parts
}

// metBy is when the first other session that ran at the same time as one, and was due after it, was
// due; zero where there is none, or where the session has heard of one already: one is enough to
// hold a bill. Of those that were due before it, a session learns when it is due itself.
func metBy(stays []Stay, i int) chargestream.Millis {
	s := &stays[i]
	var met chargestream.Millis
	for j := range stays {
		o := &stays[j]
		if i == j || o.Heard < o.when().Due || !s.when().meets(o.when()) {
			continue
		}
		if max(s.when().Due, o.when().Due) <= s.Heard {
			return 0
		}
		if o.when().Due >= s.when().Due {
			met = least(met, o.when().Due)
		}
	}
	return met
}
