package tables

import (
	"cmp"
	"slices"

	"chargestream"
)

// SessionQuartersMax bounds the quarter hours of one session: those of a week.
const SessionQuartersMax = 7 * 24 * 4

// Bounds of what a session keeps besides its quarter hours.
const (
	// SessionDecisionsMax: a bill about which more was decided is for a court.
	SessionDecisionsMax = 32
	// SessionTransitionsMax: the status reports of a month in which one comes every five minutes.
	// What is beyond it is not looked at, and so makes no parking.
	SessionTransitionsMax = 8192
	// SessionSignedMax: begin and end, and one for each change of tariff. Each may have
	// codecs.SignedBytesMax, of which JSON may write one byte as six.
	SessionSignedMax = 6
)

// Session is the row of the sessions table, and a part of one.
type Session struct {
	StationID chargestream.StationID
	Starts    []Start   // the first to arrive counts
	Ends      []End     // the first to arrive counts
	Quarters  []Quarter // by Start: samples that name the session
	// Low is the earliest moment that any claim told, LastStart the latest start, LastEnd the
	// latest end, those included that are not kept: they bound the windows that were ever told of
	// the session.
	Low, LastStart, LastEnd chargestream.Millis
	Verdict                 Verdict
	Hours                   []SessionHour // by connector and Start: what the windows answered
	Decisions               []Decision    // by arrival and id
	Signed                  []Signed      // by time
	// Heard is the moment up to which all that arrived is known.
	Heard chargestream.Millis
	// Told is the moment up to which documents were sent, Shift by how much their revisions are
	// above their places in the list, and Seen the reference data that they were made by: see
	// Bill. They are no facts.
	Told  chargestream.Millis
	Shift int
	Seen  []Seen
}

// Decision is a decision with its arrival.
type Decision struct {
	Arrival chargestream.Millis
	chargestream.Decision
}

func compareDecisions(a, b *Decision) int {
	return cmp.Or(cmp.Compare(a.Arrival, b.Arrival), cmp.Compare(a.DecisionID, b.DecisionID),
		cmp.Compare(a.Action, b.Action), cmp.Compare(a.Time, b.Time), cmp.Compare(a.By, b.By),
		cmp.Compare(a.Reason, b.Reason), slices.Compare(a.Holds, b.Holds),
		compareCorrections(&a.Correction, &b.Correction))
}

func compareCorrections(a, b *chargestream.Correction) int {
	return cmp.Or(compareOptional(a.Energy, b.Energy), cmp.Compare(a.StartTime, b.StartTime),
		cmp.Compare(a.EndTime, b.EndTime), cmp.Compare(a.UserID, b.UserID),
		cmp.Compare(a.TariffID, b.TariffID))
}

// mergeDecision adds a decision. The same id is the same decision: the one that arrived first.
func mergeDecision(list []Decision, d Decision) []Decision {
	for i := range list {
		if list[i].DecisionID != d.DecisionID {
			continue
		}
		if compareDecisions(&list[i], &d) <= 0 {
			return list
		}
		list = slices.Delete(list, i, i+1)
		break
	}
	list = insertSorted(list, d, compareDecisions, func(_, _ *Decision) {})
	return list[:min(len(list), SessionDecisionsMax)]
}

// Signed is a signed meter value, byte for byte.
type Signed struct {
	At, Arrival chargestream.Millis
	Text        string
}

func signedOf(text string, at, arrival chargestream.Millis) []Signed {
	if text == "" {
		return nil
	}
	return []Signed{{At: at, Arrival: arrival, Text: text}}
}

func compareSigned(a, b *Signed) int {
	return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Text, b.Text))
}

func mergeSigned(into, from *Signed) { into.Arrival = least(into.Arrival, from.Arrival) }

// Verdict tells whether a session is a copy of another.
type Verdict struct {
	// Known: the window of the session's start was asked.
	Known bool
	// DuplicateOf is the first delivery of the same session; its ID is empty where this is it.
	DuplicateOf Origin
	// Self is the session that a first delivery was found of, so that the row can be told from it.
	Self chargestream.SessionID
}

// Origin is the first delivery of a session.
type Origin struct {
	Arrival chargestream.Millis
	ID      chargestream.SessionID
	At      chargestream.Millis // the start that both told
}

func compareOrigins(a, b *Origin) int {
	return cmp.Or(cmp.Compare(a.Arrival, b.Arrival), cmp.Compare(a.ID, b.ID),
		cmp.Compare(a.At, b.At))
}

func (v *Verdict) merge(o *Verdict) {
	v.Known = v.Known || o.Known
	v.Self = least(v.Self, o.Self)
	if o.DuplicateOf.ID != "" && (v.DuplicateOf.ID == "" ||
		compareOrigins(&o.DuplicateOf, &v.DuplicateOf) < 0) {
		v.DuplicateOf = o.DuplicateOf
	}
}

// clear forgets a first delivery that turns out to be no earlier than the session itself: so the
// row is the same whether the earlier start was known when the window was asked or not.
func (v *Verdict) clear(starts []Start) {
	if len(starts) == 0 || v.DuplicateOf.ID == "" {
		return
	}
	own := Origin{Arrival: starts[0].Arrival, ID: v.Self, At: v.DuplicateOf.At}
	if compareOrigins(&own, &v.DuplicateOf) < 0 {
		v.Self, v.DuplicateOf = "", Origin{}
	}
}

// Admit makes room for a part, or refuses it: a session is of one station, whose numbers another
// station may use for sessions of its own. A station that told a start or an end counts before one
// that told neither, and of two that did the first to be read.
func (s *Session) Admit(part *Session) bool {
	switch {
	case part.StationID == "" || s.StationID == "" || part.StationID == s.StationID:
		return true
	case len(s.Starts)+len(s.Ends) > 0 || len(part.Starts)+len(part.Ends) == 0:
		return false
	}
	*s = Session{}
	return true
}

// Merge joins another part of the same session into s.
func (s *Session) Merge(o *Session) {
	s.StationID = least(s.StationID, o.StationID)
	for _, start := range o.Starts {
		s.Starts = mergeStart(s.Starts, start)
		s.Low, s.LastStart = least(s.Low, start.At), max(s.LastStart, start.At)
	}
	for _, end := range o.Ends {
		s.Ends = mergeEnd(s.Ends, end)
		s.LastEnd = max(s.LastEnd, end.At)
	}
	s.Low, s.LastStart = least(s.Low, o.Low), max(s.LastStart, o.LastStart)
	s.LastEnd = max(s.LastEnd, o.LastEnd)
	for _, q := range o.Quarters {
		s.Quarters = insertSorted(s.Quarters, q, compareQuarters, mergeQuarters)
	}
	s.Quarters = boundQuarters(s.Quarters, SessionQuartersMax)
	s.Verdict.merge(&o.Verdict)
	s.Verdict.clear(s.Starts)
	s.mergeBilling(o)
}

func (s *Session) mergeBilling(o *Session) {
	for _, h := range o.Hours {
		s.Hours = insertSorted(s.Hours, h, compareSessionHours, mergeSessionHours)
	}
	s.boundHours()
	for _, d := range o.Decisions {
		s.Decisions = mergeDecision(s.Decisions, d)
	}
	for _, v := range o.Signed {
		s.Signed = insertSorted(s.Signed, v, compareSigned, mergeSigned)
	}
	s.Heard, s.Told = max(s.Heard, o.Heard), max(s.Told, o.Told)
	s.Shift = max(s.Shift, o.Shift)
	s.boundSigned()
}

// boundSigned keeps the signed values within what an invoice may hold: the first and the last, as
// begin and end matter most.
func (s *Session) boundSigned() {
	if most := SessionSignedMax / 2; len(s.Signed) > SessionSignedMax {
		s.Signed = slices.Delete(s.Signed, most, len(s.Signed)-most)
	}
}

// boundHours keeps the answers of the windows within what a row may hold.
func (s *Session) boundHours() {
	transitions, loads := SessionTransitionsMax, 2*SessionQuartersMax
	overlaps := 16 * SessionOverlapsMax
	for i := range s.Hours {
		h := &s.Hours[i]
		h.Transitions = h.Transitions[:min(len(h.Transitions), transitions)]
		h.Loads = h.Loads[:min(len(h.Loads), loads)]
		h.Overlaps = h.Overlaps[:min(len(h.Overlaps), overlaps)]
		transitions, loads = transitions-len(h.Transitions), loads-len(h.Loads)
		overlaps -= len(h.Overlaps)
	}
}

// Transitions is how many status reports the windows answered with.
func (s *Session) Transitions() int {
	n := 0
	for i := range s.Hours {
		n += len(s.Hours[i].Transitions)
	}
	return n
}

// ConnectorID is where the session was: what its start says, else its end; empty for neither.
func (s *Session) ConnectorID() chargestream.ConnectorID {
	if len(s.Starts) > 0 {
		return s.Starts[0].ConnectorID
	}
	if len(s.Ends) > 0 {
		return s.Ends[0].ConnectorID
	}
	return ""
}

// Phase is how far the session has come.
func (s *Session) Phase() chargestream.SessionPhase {
	switch {
	case len(s.Starts) == 0:
		return chargestream.PhaseOrphan
	case len(s.Ends) == 0 && s.overdue():
		return chargestream.PhaseOverdue
	case len(s.Ends) == 0:
		return chargestream.PhaseActive
	case s.Heard >= s.due():
		return chargestream.PhaseSettled
	}
	return chargestream.PhaseEnded
}

// due is when the session is settled, if both its start and its end are known.
func (s *Session) due() chargestream.Millis { return max(s.Starts[0].known(), s.Ends[0].known()) }

// overdue tells whether the session's end is missed.
func (s *Session) overdue() bool {
	return len(s.Ends) == 0 && s.Heard >= overdueAt(s.Starts[0].At, s.Starts[0].Arrival)
}

// State is the session as the views tell it. What holds its bill is in its invoice.
func (s *Session) State(id chargestream.SessionID) chargestream.SessionState {
	state := chargestream.SessionState{SessionID: id, StationID: s.StationID,
		ConnectorID: s.ConnectorID(), Phase: s.Phase(), DuplicateOf: s.Verdict.DuplicateOf.ID}
	if len(s.Starts) > 0 {
		state.UserID, state.StartTime = s.Starts[0].UserID, s.Starts[0].At
	}
	if len(s.Ends) > 0 {
		state.EndTime, state.EndReason = s.Ends[0].At, s.Ends[0].Reason
	}
	if e := s.meter().energy(); e.known {
		state.Energy, state.Estimated = &e.total, e.estimated
	}
	state.HoldReasons = s.doubts()
	return state
}
