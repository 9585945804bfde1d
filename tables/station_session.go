package tables

import (
	"cmp"

	"chargestream"
)

// start folds a start, which may have been reported only later, with the end.
func (f *fold) start(e *chargestream.SessionStart, reportedAt chargestream.Millis) {
	s := f.session(e.SessionID)
	before := s.touched()
	s.addStart(Start{Arrival: f.arrival, At: e.Time, ReportedAt: reportedAt,
		ConnectorID: e.ConnectorID, UserID: e.UserID, Meter: e.Meter})
	s.addSigned(e.Signed, e.Time, f.arrival)
	c := f.connector(e.ConnectorID)
	run := RunningSession{StartedAt: e.Time, ID: e.SessionID, UserID: e.UserID}
	if compareRunning(&run, &c.Running) > 0 {
		c.Running = run
	}
	f.edge(c, e.Time)
	f.noteEnds(s)
	f.placeSession(e.SessionID, s, before)
}

func (f *fold) end(e *chargestream.SessionEnd, reportedAt chargestream.Millis) {
	s := f.session(e.SessionID)
	before := s.touched()
	s.addEnd(End{Arrival: f.arrival, At: e.Time, ReportedAt: reportedAt,
		ConnectorID: e.ConnectorID, Energy: e.Energy, Meter: e.Meter, Reason: e.Reason})
	s.addSigned(e.Signed, e.Time, f.arrival)
	if e.ConnectorID != "" {
		f.ended(f.connector(e.ConnectorID), e.Time)
	}
	f.noteEnds(s)
	f.placeSession(e.SessionID, s, before)
}

// decision folds a decision into its session, in its place among the session's facts.
func (f *fold) decision(e *chargestream.Decision) {
	d := Decision{Arrival: f.arrival, Decision: *e}
	d.StationID, d.SessionID = "", "" // those of the row's key
	s := f.session(e.SessionID)
	before, timed := s.touched(), s.timed()
	s.addDecision(d)
	if timed || s.timed() {
		f.placeSession(e.SessionID, s, before)
	}
}

func compareRunning(a, b *RunningSession) int {
	return cmp.Or(cmp.Compare(a.StartedAt, b.StartedAt), cmp.Compare(a.ID, b.ID),
		cmp.Compare(a.UserID, b.UserID))
}

// noteEnds moves the ends of connectors on, where an end names none: that of each start before it.
func (f *fold) noteEnds(s *Session) {
	for i := range s.Ends {
		end := &s.Ends[i]
		if end.ConnectorID != "" {
			continue // which moved that connector's end on
		}
		for j := range s.Starts {
			if start := &s.Starts[j]; start.At <= end.At {
				f.ended(f.connector(start.ConnectorID), end.At)
			}
		}
	}
}

func (f *fold) ended(c *Connector, at chargestream.Millis) {
	c.LastEnd = max(c.LastEnd, at)
	f.edge(c, at)
}

// edge raises the last edge, and flushes what it shows to be over.
func (f *fold) edge(c *Connector, at chargestream.Millis) {
	was := c.over(f.LastSeen)
	c.LastEdge = max(c.LastEdge, at)
	if !was && c.over(f.LastSeen) {
		f.flush(c)
	}
}

// placeSession brings every hour that a session touches, by any claim or decision, in line with
// what counts of it now, takes it out of the hours that it touched before and touches no more, and
// wakes the sessions of those hours whose bills depend on it.
func (f *fold) placeSession(id chargestream.SessionID, s *Session, before touched) {
	now := s.touched()
	for _, connector := range before.connectors {
		for _, start := range before.windows {
			if !now.has(connector, start) {
				h := f.hour(connector, start)
				was := h.remove(id)
				none := HourSession{ID: id}
				f.wakeOthers(h, &was, &none, s)
				f.wakeNextHour(connector, start+chargestream.Hour, &was, &none, s)
			}
		}
	}
	for _, connector := range now.connectors {
		for _, start := range now.windows {
			h := f.hour(connector, start)
			in := s.within(id, connector, start)
			was := h.place(in)
			f.wakeOthers(h, &was, &in, s)
			f.wakeNextHour(connector, start+chargestream.Hour, &was, &in, s)
		}
	}
}

// wakeNextHour has sessions looked at again that follow a session which ended before their hour
// began.
func (f *fold) wakeNextHour(connector chargestream.ConnectorID, start chargestream.Millis, before,
	now *HourSession, s *Session) {
	if !before.endsBefore(start) && !now.endsBefore(start) {
		return
	}
	h, err := f.rows.PeekHour(connector, start)
	if err != nil {
		f.err = cmp.Or(f.err, err)
		return
	}
	if h != nil {
		f.wakeOthers(h, before, now, s)
	}
}

// wake has the billed sessions of an hour that were under way at a moment billed again when what
// happened then is known.
func (f *fold) wake(h *Hour, at, known chargestream.Millis) {
	for i := range h.Sessions {
		if in := &h.Sessions[i]; in.concerns(at) && f.billed(in.ID) {
			f.session(in.ID).wakeAt(known)
		}
	}
}

// wakeOthers has the billed sessions looked at again that ran at the same time as a session, began
// at the same moment or right after it, as it is known now or was known before.
func (f *fold) wakeOthers(h *Hour, before, now *HourSession, s *Session) {
	for i := range h.Sessions {
		other := &h.Sessions[i]
		concerned := other.shares(before) || other.shares(now) || other.Follows(before) ||
			other.Follows(now) || other.Decided
		if other.ID == now.ID || !concerned || !f.billed(other.ID) {
			continue
		}
		row := f.session(other.ID)
		s.claimMoments(row.wakeAt)
	}
}

// billed reports whether a session was billed.
func (f *fold) billed(id chargestream.SessionID) bool {
	row, err := f.rows.Peek(id)
	if err != nil {
		f.err = cmp.Or(f.err, err)
	}
	return row != nil && row.BilledUpTo != 0
}
