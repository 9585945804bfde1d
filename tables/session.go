package tables

import (
	"cmp"
	"slices"

	"chargestream"
	"chargestream/internal/lattice"
)

// Bounds of a session row.
const (
	// SessionQuartersMax bounds the quarter hours of one session: those of a week.
	SessionQuartersMax = 7 * 24 * 4
	// SessionDecisionsMax: a bill about which more was decided is for a court.
	SessionDecisionsMax = 32
	// SessionSignedMax: begin and end, and one for each change of tariff. Each may have
	// codecs.SignedBytesMax, of which JSON may write one byte as six.
	SessionSignedMax = 6
)

// Session is the row of the sessions table.
type Session struct {
	Starts   []Start   // the first to arrive counts
	Ends     []End     // the first to arrive counts
	Quarters []Quarter // by Start: samples that name the session
	// Low is the earliest moment of any claim, LastStart the latest start, LastEnd the latest end,
	// those included that are not kept: they bound the hours that have an entry of the session.
	Low, LastStart, LastEnd chargestream.Millis
	Decisions               []Decision // by arrival and id
	Signed                  []Signed   // by time
	Marks
}

// Marks are how far the bill of a session has come. They depend on when timers fired, and are no
// facts: Facts leaves them out.
type Marks struct {
	// BilledUpTo is the last moment up to which documents were made; zero for none.
	BilledUpTo chargestream.Millis
	// WakeAt is the first moment after BilledUpTo at which something that the session's hours hold
	// is known; zero for none.
	WakeAt chargestream.Millis
	// RevisionOffset is by how much revisions of documents are above their places in the list:
	// where a fact was read after the moment at which it is known, documents were sent in addition.
	RevisionOffset int
	// References are the reference data that the documents were made by.
	References []Reference
	// Documents is how many documents the list has, and Holds are the reasons that hold the last.
	Documents int
	Holds     []chargestream.HoldReason
	// DuplicateOf is the first delivery of the same session, as the last document has it.
	DuplicateOf chargestream.SessionID
}

// Equal reports whether two marks are the same.
func (m *Marks) Equal(o *Marks) bool {
	return m.BilledUpTo == o.BilledUpTo && m.WakeAt == o.WakeAt &&
		m.RevisionOffset == o.RevisionOffset && slices.Equal(m.References, o.References) &&
		m.Documents == o.Documents && slices.Equal(m.Holds, o.Holds) &&
		m.DuplicateOf == o.DuplicateOf
}

// Reference is how many revisions of reference data a document was made by: of the registry entry
// of the station, where Tariff is empty, else of that tariff. Revisions are never dropped, so the
// number says which.
type Reference struct {
	Tariff    chargestream.TariffID
	Revisions int
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
	return cmp.Or(lattice.CompareOptional(a.Energy, b.Energy),
		cmp.Compare(a.StartTime, b.StartTime), cmp.Compare(a.EndTime, b.EndTime),
		cmp.Compare(a.UserID, b.UserID), cmp.Compare(a.TariffID, b.TariffID))
}

// addDecision adds a decision. The same id is the same decision: the one that arrived first.
func (s *Session) addDecision(d Decision) {
	for i := range s.Decisions {
		if s.Decisions[i].DecisionID != d.DecisionID {
			continue
		}
		if compareDecisions(&s.Decisions[i], &d) <= 0 {
			return
		}
		s.Decisions = slices.Delete(s.Decisions, i, i+1)
		break
	}
	list := lattice.Insert(s.Decisions, d, compareDecisions, func(_, _ *Decision) {})
	s.Decisions = list[:min(len(list), SessionDecisionsMax)]
}

// Signed is a signed meter value, byte for byte.
type Signed struct {
	At, Arrival chargestream.Millis
	Text        string
}

// addSigned adds a signed value, and keeps the first and the last, as begin and end matter most.
func (s *Session) addSigned(text string, at, arrival chargestream.Millis) {
	if text == "" {
		return
	}
	s.Signed = lattice.Insert(s.Signed, Signed{At: at, Arrival: arrival, Text: text},
		compareSigned, mergeSigned)
	if most := SessionSignedMax / 2; len(s.Signed) > SessionSignedMax {
		s.Signed = slices.Delete(s.Signed, most, len(s.Signed)-most)
	}
}

func compareSigned(a, b *Signed) int {
	return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Text, b.Text))
}

func mergeSigned(into, from *Signed) {
	into.Arrival = lattice.Least(into.Arrival, from.Arrival)
}

func (s *Session) addStart(start Start) {
	s.Starts = mergeStart(s.Starts, start)
	s.Low, s.LastStart = lattice.Least(s.Low, start.At), max(s.LastStart, start.At)
}

func (s *Session) addEnd(end End) {
	s.Ends = mergeEnd(s.Ends, end)
	s.LastEnd = max(s.LastEnd, end.At)
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

// connectors are those that the session's starts name, each once; without a start that of the end
// if a decision set a time.
func (s *Session) connectors() []chargestream.ConnectorID {
	if id := s.ConnectorID(); len(s.Starts) == 0 && id != "" && s.timed() {
		return []chargestream.ConnectorID{id}
	}
	var list []chargestream.ConnectorID
	for i := range s.Starts {
		if id := s.Starts[i].ConnectorID; !slices.Contains(list, id) {
			list = append(list, id)
		}
	}
	return list
}

// touched is which hours have an entry of a session: those windows of each of those connectors.
type touched struct {
	connectors []chargestream.ConnectorID
	windows    []chargestream.Millis
}

func (s *Session) touched() touched { return touched{s.connectors(), s.Windows()} }

func (t *touched) has(connector chargestream.ConnectorID, start chargestream.Millis) bool {
	_, ok := slices.BinarySearch(t.windows, start)
	return ok && slices.Contains(t.connectors, connector)
}

// timed reports whether a decision set a time of the session.
func (s *Session) timed() bool {
	return slices.ContainsFunc(s.Decisions, func(d Decision) bool {
		return d.Correction.StartTime != 0 || d.Correction.EndTime != 0
	})
}

// Windows are the starts of all hours that the session touches, by any of its claims and of the
// times that were decided.
func (s *Session) Windows() []chargestream.Millis {
	return windowsOf(s.bounds())
}

// bounds are the earliest moment of any claim or decision, the latest start and the latest end.
func (s *Session) bounds() (low, start, end chargestream.Millis) {
	low, start, end = s.Low, s.LastStart, s.LastEnd
	for i := range s.Decisions {
		c := &s.Decisions[i].Correction
		low = lattice.Least(low, c.StartTime)
		start, end = max(start, c.StartTime), max(end, c.EndTime)
	}
	return low, start, end
}

// windowsOf are the starts of the hours from low to the last start and to before the last end:
// what ends where an hour begins does not touch it. Of more than SessionSpanMax they are the last,
// and the first one: a start with a wrong date must not push the real hours out.
func windowsOf(low, start, end chargestream.Millis) []chargestream.Millis {
	if low == 0 {
		return nil
	}
	last := max(start, end)
	first := low.Truncate(chargestream.Hour)
	list := []chargestream.Millis{first}
	from := max(first+chargestream.Hour,
		(last - chargestream.SessionSpanMax).Truncate(chargestream.Hour))
	for hour := from; hour <= last; hour += chargestream.Hour {
		if hour <= start || hour < end {
			list = append(list, hour)
		}
	}
	return list
}

// within is the session as an hour of a connector holds it. Its share of the energy is set when
// the row is flushed.
func (s *Session) within(id chargestream.SessionID, connector chargestream.ConnectorID,
	hour chargestream.Millis) HourSession {
	in := HourSession{ID: id, Decided: s.timed()}
	for i := range s.Starts {
		c := &s.Starts[i]
		if c.ConnectorID == connector && c.At.Truncate(chargestream.Hour) == hour {
			in.Starts = append(in.Starts, HourStart{At: c.At, Arrival: c.Arrival})
		}
	}
	if s.Both() && s.Starts[0].ConnectorID == connector {
		start, end := &s.Starts[0], &s.Ends[0]
		in.From, in.To = start.At, max(end.At, start.At)
		in.StartArrival, in.EndArrival = start.Arrival, end.Arrival
		in.Due, in.EndEnergy = s.Due(), end.Energy
	}
	return in
}

// Both reports whether a start and an end arrived.
func (s *Session) Both() bool { return len(s.Starts) > 0 && len(s.Ends) > 0 }

// Due is when the session is settled, by the claims that count, of which there must be both.
func (s *Session) Due() chargestream.Millis { return max(s.Starts[0].Known(), s.Ends[0].Known()) }

// claimMoments gives the moments from which the session's claims are known.
func (s *Session) claimMoments(add func(chargestream.Millis)) {
	for i := range s.Starts {
		add(s.Starts[i].Known())
	}
	for i := range s.Ends {
		add(s.Ends[i].Known())
	}
	if s.Both() {
		add(s.Due())
	}
}

// wakeAt has the session billed again at a moment, if it was not billed up to it.
func (s *Session) wakeAt(at chargestream.Millis) {
	if at > s.BilledUpTo {
		s.WakeAt = lattice.Least(s.WakeAt, at)
	}
}

// Moments gives the moments at which a document may be due, or may change, by what the session's
// own row holds. A claim or a decision adds no moment from before its arrival, as what was sent by
// then stands.
func (s *Session) Moments(add func(chargestream.Millis)) {
	for i := range s.Starts {
		c := &s.Starts[i]
		add(c.Known())
		if at := OverdueAt(c.At, c.Arrival); len(s.Ends) == 0 || s.Ends[0].Arrival > at {
			add(at)
		}
	}
	for i := range s.Ends {
		c := &s.Ends[i]
		add(c.Known())
		if at := OrphanDue(c.At, c.Arrival); len(s.Starts) == 0 || s.Starts[0].Arrival > at {
			add(at)
		}
	}
	for i := range s.Decisions {
		d := &s.Decisions[i]
		add(d.Arrival)
		if due := d.Correction.EndTime + chargestream.Grace; due > d.Arrival {
			add(due)
		}
		if due := OverdueAt(d.Correction.StartTime, d.Correction.StartTime); due > d.Arrival {
			add(due)
		}
	}
	for i := range s.Signed {
		add(KnownFrom(s.Signed[i].At, s.Signed[i].Arrival))
	}
	ended := s.EndKnown()
	if ended == 0 {
		return // before an end is known no document depends on samples
	}
	for i := range s.Quarters {
		if at := s.Quarters[i].Late; at > ended {
			add(at)
		}
	}
}

// FirstDue is a moment before which no document can be due; zero: none ever is.
func (s *Session) FirstDue() chargestream.Millis {
	var due chargestream.Millis
	for i := range s.Starts {
		due = lattice.Least(due, OverdueAt(s.Starts[i].At, s.Starts[i].Arrival))
	}
	for i := range s.Ends {
		due = lattice.Least(due, s.Ends[i].At+chargestream.Grace)
	}
	for i := range s.Decisions {
		c := &s.Decisions[i].Correction
		if c.EndTime != 0 {
			due = lattice.Least(due, c.EndTime+chargestream.Grace)
		}
		if c.StartTime != 0 {
			due = lattice.Least(due, OverdueAt(c.StartTime, c.StartTime))
		}
	}
	return due
}

// EndKnown is the first moment at which an end is known, reported or decided; zero for never.
// Before it no document depends on samples, reports and other sessions.
func (s *Session) EndKnown() chargestream.Millis {
	var known chargestream.Millis
	for i := range s.Ends {
		known = lattice.Least(known, s.Ends[i].Known())
	}
	for i := range s.Decisions {
		if d := &s.Decisions[i]; d.Correction.EndTime != 0 {
			known = lattice.Least(known, d.Arrival)
		}
	}
	return known
}

// NextDue is the first moment after BilledUpTo at which a document may be due or may change; zero
// for none.
func (s *Session) NextDue() chargestream.Millis {
	due := s.WakeAt
	first := s.FirstDue()
	if first == 0 {
		return due
	}
	s.Moments(func(at chargestream.Millis) {
		if at >= first && at > s.BilledUpTo {
			due = lattice.Least(due, at)
		}
	})
	return due
}

// Waits reports whether the last document found no tariff in force: reference data that takes
// effect later is looked for at each end of a quarter hour.
func (s *Session) Waits() bool { return slices.Contains(s.Holds, chargestream.HoldNoTariff) }

// Phase is how far the session has come.
func (s *Session) Phase() chargestream.SessionPhase {
	switch {
	case len(s.Starts) == 0:
		return chargestream.PhaseOrphan
	case len(s.Ends) == 0 && s.Documents > 0:
		return chargestream.PhaseOverdue
	case len(s.Ends) == 0:
		return chargestream.PhaseActive
	case s.BilledUpTo >= s.Due():
		return chargestream.PhaseSettled
	}
	return chargestream.PhaseEnded
}
