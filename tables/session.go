package tables

import (
	"cmp"

	"chargestream"
)

// SessionQuartersMax bounds the quarter hours of one session: those of a week.
const SessionQuartersMax = 7 * 24 * 4

// Session is the row of the sessions table, and a part of one.
type Session struct {
	StationID chargestream.StationID
	Starts    []Start   // the first to arrive counts
	Ends      []End     // the first to arrive counts
	Quarters  []Quarter // by Start
	// Low is the earliest moment that any claim told, LastStart the latest start, LastEnd the
	// latest end, those included that are not kept: they bound the windows that were ever told of
	// the session.
	Low, LastStart, LastEnd chargestream.Millis
	Verdict                 Verdict
	// Settled: the session ended longer than the grace ago.
	Settled bool
	// Overdue: the session has no end, a day after its start. An end, whenever it comes, makes
	// this false, so that every order leaves the same row.
	Overdue bool
}

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
}

func compareOrigins(a, b *Origin) int {
	return cmp.Or(cmp.Compare(a.Arrival, b.Arrival), cmp.Compare(a.ID, b.ID))
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
	own := Origin{Arrival: starts[0].Arrival, ID: v.Self}
	if compareOrigins(&own, &v.DuplicateOf) < 0 {
		v.Self, v.DuplicateOf = "", Origin{}
	}
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
	s.Quarters = s.Quarters[:min(len(s.Quarters), SessionQuartersMax)]
	s.Verdict.merge(&o.Verdict)
	s.Verdict.clear(s.Starts)
	s.Settled = s.Settled || o.Settled
	s.Overdue = (s.Overdue || o.Overdue) && len(s.Ends) == 0
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
	case len(s.Ends) == 0 && s.Overdue:
		return chargestream.PhaseOverdue
	case len(s.Ends) == 0:
		return chargestream.PhaseActive
	case s.Settled:
		return chargestream.PhaseSettled
	}
	return chargestream.PhaseEnded
}

// lateEnd tells whether the end arrived only after the session had been called overdue.
func (s *Session) lateEnd() bool {
	return len(s.Starts) > 0 && len(s.Ends) > 0 &&
		s.Ends[0].Arrival >= overdueAt(s.Starts[0].At, s.Starts[0].Arrival)+FireDelay
}

// FireDelay is how much later than due a timer fires, on purpose: so that races between topics
// that are read live do not show in what was settled.
const FireDelay = chargestream.Second

// Anomalies are those of the session: a pure function of its row.
func (s *Session) Anomalies(id chargestream.SessionID) []chargestream.Anomaly {
	var anomalies []chargestream.Anomaly
	add := func(kind chargestream.AnomalyKind, opened, closed chargestream.Millis,
		evidence map[string]string) {
		anomalies = append(anomalies, chargestream.Anomaly{
			AnomalyID: string(kind) + "/" + string(id), Kind: kind,
			Severity: chargestream.SeverityWarning, StationID: s.StationID,
			ConnectorID: s.ConnectorID(), SessionID: id, OpenedAt: opened, ClosedAt: closed,
			BillingHold: closed == 0 || kind != chargestream.AnomalyNotEnded, Evidence: evidence})
	}
	if len(s.Starts) > 0 && (s.Overdue || s.lateEnd()) {
		var closed chargestream.Millis
		if len(s.Ends) > 0 {
			closed = s.Ends[0].Arrival
		}
		add(chargestream.AnomalyNotEnded, overdueAt(s.Starts[0].At, s.Starts[0].Arrival), closed,
			map[string]string{"start_time": s.Starts[0].At.String()})
	}
	if at, evidence := s.regression(); at != 0 {
		add(chargestream.AnomalyMeterRegression, at, 0, evidence)
	}
	if len(s.Starts) > 1 {
		add(chargestream.AnomalyConflict, s.Starts[1].Arrival, 0, map[string]string{
			"start_time": s.Starts[0].At.String(), "other_start_time": s.Starts[1].At.String()})
	} else if len(s.Ends) > 1 {
		add(chargestream.AnomalyConflict, s.Ends[1].Arrival, 0, map[string]string{
			"end_time": s.Ends[0].At.String(), "other_end_time": s.Ends[1].At.String()})
	}
	return anomalies
}

// State is the session as the views tell it.
func (s *Session) State(id chargestream.SessionID) chargestream.SessionState {
	state := chargestream.SessionState{SessionID: id, StationID: s.StationID,
		ConnectorID: s.ConnectorID(), Phase: s.Phase(), DuplicateOf: s.Verdict.DuplicateOf.ID,
		HoldReasons: s.holdReasons()}
	if len(s.Starts) > 0 {
		state.UserID, state.StartTime = s.Starts[0].UserID, s.Starts[0].At
	}
	if len(s.Ends) > 0 {
		state.EndTime, state.EndReason = s.Ends[0].At, s.Ends[0].Reason
	}
	energy := s.energy()
	if energy.known {
		state.Energy, state.Estimated = &energy.total, energy.estimated
	}
	return state
}
