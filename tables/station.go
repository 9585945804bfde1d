package tables

import (
	"cmp"
	"slices"

	"chargestream"
)

// Bounds of a station row. Each is far above what a station needs and keeps a broken one from
// filling a broker.
const (
	// StationConnectorsMax: the largest charging stations sold have some twenty connectors.
	StationConnectorsMax = 64
	// StationPendingMax: sessions of the last day; a connector that is used every five minutes
	// day and night reaches it.
	StationPendingMax = 288
	// StationTicksMax: late facts that are told at the end of their quarter hour. A station that
	// was offline for a day tells of a hundred sessions and windows.
	StationTicksMax = 256
	statusesMax     = 4
	skewDaysMax     = 8
)

// Station is the row of the stations table: what is known of one station now.
type Station struct {
	// LastSeen is the latest moment at which the station is known to have been alive.
	LastSeen   chargestream.Millis
	Connectors []Connector // by ConnectorID
	Pending    []Pending   // by ID and time
	Ticks      []Tick      // by time
	Skews      []SkewDay   // by Day, the latest skewDaysMax
	ID         chargestream.StationID
}

// Connector is what is known of one connector now.
type Connector struct {
	ID chargestream.ConnectorID
	// Statuses are the latest reports, the newest first.
	Statuses []Status
	// Meter is the newest sample; its ids are not kept.
	Meter chargestream.MeterValue
	// Running is the session that started last, and may have ended.
	Running RunningSession
	// LastEnd is the latest end of any session.
	LastEnd chargestream.Millis
	// Boundary is the latest start or end of any session. A quarter whose samples begin at or
	// before it is handed on at once; a later one is held here until it is full.
	Boundary chargestream.Millis
	// Slot is the newest quarter: later samples of it are merged here.
	Slot        Quarter
	SlotSession chargestream.SessionID
	// SlotTold: the slot was handed on because its time was over, while the station was silent.
	SlotTold bool
}

// Status is a status report as it is kept.
type Status struct {
	At        chargestream.Millis
	State     chargestream.State
	Activity  chargestream.Activity
	Word      string
	ErrorCode string
}

// RunningSession is the session that a connector was last started for.
type RunningSession struct {
	StartedAt chargestream.Millis
	ID        chargestream.SessionID
	UserID    chargestream.UserID
}

// Pending is one start or one end of a session that is still waited on: a start for its end, an
// end for its settlement and, for a day, for a start that comes after it. Each claim has an entry
// of its own, so that what is pending is a set that every order of the claims agrees on.
type Pending struct {
	ID          chargestream.SessionID
	Start       chargestream.Millis // zero in an end
	End         chargestream.Millis // zero in a start
	Arrival     chargestream.Millis
	ConnectorID chargestream.ConnectorID // empty in an end that named none
	Settled     bool
}

// Tick is a moment from which a late fact, or a decision, is known: then the session that it is of,
// or the window where no session is named, is told that all is known up to that moment.
type Tick struct {
	At          chargestream.Millis
	ID          chargestream.SessionID   // empty where a window is meant
	ConnectorID chargestream.ConnectorID // of the window
	Hour        chargestream.Millis      // of the window
}

func compareTicks(a, b *Tick) int {
	return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.ID, b.ID),
		cmp.Compare(a.ConnectorID, b.ConnectorID), cmp.Compare(a.Hour, b.Hour))
}

// tick notes a moment; zero is none.
func (s *Station) tick(t Tick) {
	if t.At != 0 {
		s.Ticks = insertSorted(s.Ticks, t, compareTicks, func(_, _ *Tick) {})
	}
}

// tickSession notes the moment from which a fact of a session is known, if it is late.
func (s *Station) tickSession(id chargestream.SessionID, at, arrival chargestream.Millis) {
	s.tick(Tick{At: lateMoment(at, arrival), ID: id})
}

// tickHour notes the moment from which a fact of a connector is known, if it is late.
func (s *Station) tickHour(id chargestream.ConnectorID, at, arrival chargestream.Millis) {
	s.tick(Tick{At: lateMoment(at, arrival), ConnectorID: id,
		Hour: at.Truncate(chargestream.Hour)})
}

// SkewDay is a UTC day on which events came from a clock that was too far ahead.
type SkewDay struct {
	Day   chargestream.Millis
	First chargestream.Millis // arrival of the first such event
	Ahead chargestream.Millis // the most that the clock was ahead
}

// StationEffects collects what a fold of a station row hands to other tables.
type StationEffects struct {
	Sessions []SessionPart
	Hours    []HourPart
}

// SessionPart is a partial row for the sessions table.
type SessionPart struct {
	ID  chargestream.SessionID
	Row Session
}

// Fold merges an event that arrived at arrival into the row. The parts that others must merge
// are appended to out.
func (s *Station) Fold(event chargestream.Event, arrival chargestream.Millis, out *StationEffects) {
	s.ID = event.Station()
	if d, ok := event.(*chargestream.Decision); ok {
		// Somebody decided: nothing was heard of the station.
		s.foldDecision(d, arrival, out)
		return
	}
	if ahead := event.At() - arrival; skewed(event.At(), arrival) {
		s.noteSkew(arrival, ahead)
	}
	s.see(min(event.At(), arrival), out)
	switch e := event.(type) {
	case *chargestream.StatusReport:
		s.foldStatus(e, arrival, out)
	case *chargestream.MeterValue:
		s.foldMeter(e, arrival, out)
	case *chargestream.SessionStart:
		s.foldStart(e, e.Time, arrival, out)
	case *chargestream.SessionEnd:
		s.foldEnd(e, e.Time, arrival, out)
	case *chargestream.SessionRecord:
		s.foldStart(&e.Start, e.At(), arrival, out)
		s.foldEnd(&e.End, e.At(), arrival, out)
	case *chargestream.Heartbeat:
	}
}

func (s *Station) connector(id chargestream.ConnectorID) *Connector {
	i, ok := slices.BinarySearchFunc(
		s.Connectors,
		id,
		func(c Connector, id chargestream.ConnectorID) int {
			return cmp.Compare(c.ID, id)
		},
	)
	if !ok {
		if len(s.Connectors) >= StationConnectorsMax {
			return &Connector{} // folded into nothing: processors refuse the event before
		}
		s.Connectors = insertAt(s.Connectors, i, Connector{ID: id})
	}
	return &s.Connectors[i]
}

// Full tells whether an event of a connector would be one connector too many.
func (s *Station) Full(id chargestream.ConnectorID) bool {
	if id == "" || len(s.Connectors) < StationConnectorsMax {
		return false
	}
	return !slices.ContainsFunc(s.Connectors, func(c Connector) bool { return c.ID == id })
}

// see moves LastSeen on. Each hour that is left is told that the station was alive through its
// end, and each that is entered the status that every connector brings into it, so that a window
// without any event of its own can be told.
func (s *Station) see(at chargestream.Millis, out *StationEffects) {
	if at <= s.LastSeen {
		return
	}
	left := s.LastSeen.Truncate(chargestream.Hour)
	before := s.LastSeen
	s.LastSeen = at
	if before == 0 {
		return
	}
	for i := range s.Connectors {
		if c := &s.Connectors[i]; !c.over(before) && c.over(at) && !c.SlotTold {
			out.quarter(s.ID, c.ID, c.SlotSession, &c.Slot)
		}
	}
	now := at.Truncate(chargestream.Hour)
	for hour := left; hour <= min(now, left+chargestream.StatusHold); hour += chargestream.Hour {
		for i := range s.Connectors {
			c := &s.Connectors[i]
			row := Hour{Through: hour < now}
			if hour > left {
				row.Carry = c.carry(hour)
			}
			if row.Carry.At != 0 || (row.Through && c.reported(hour)) {
				out.hour(s.ID, c.ID, hour, row)
			}
		}
	}
}

// believed tells whether a status of a moment still counts in an hour that nothing renewed it in.
func believed(at, hour chargestream.Millis) bool {
	return hour-at.Truncate(chargestream.Hour) <= chargestream.StatusHold
}

// carry is the status that was in force when an hour began.
func (c *Connector) carry(hour chargestream.Millis) Transition {
	if st := c.statusBefore(hour); st.At != 0 && believed(st.At, hour) {
		return transitionOf(&st)
	}
	return Transition{}
}

// reported tells whether the connector has a status that counts at the end of an hour.
func (c *Connector) reported(hour chargestream.Millis) bool {
	st := c.statusBefore(hour + chargestream.Hour)
	return st.At != 0 && believed(st.At, hour)
}

func (s *Station) foldStatus(
	e *chargestream.StatusReport,
	arrival chargestream.Millis,
	out *StationEffects,
) {
	state, activity, _ := chargestream.ParseStatus(e.Status)
	st := Status{
		At:        e.Time,
		State:     state,
		Activity:  activity,
		Word:      e.Status,
		ErrorCode: e.ErrorCode,
	}
	c := s.connector(e.ConnectorID)
	c.addStatus(st)
	hour, now := st.At.Truncate(chargestream.Hour), s.LastSeen.Truncate(chargestream.Hour)
	t := transitionOf(&st)
	t.Arrival = arrival
	out.hour(s.ID, c.ID, hour, Hour{Transitions: []Transition{t}, Through: hour < now})
	s.tickHour(c.ID, st.At, arrival)
	// A late report also changes what was brought into the hours after it, up to the next one.
	next := hour + chargestream.Hour
	for ; next <= now && believed(st.At, next); next += chargestream.Hour {
		if before := c.statusBefore(next); before.At == 0 || before == st {
			out.hour(s.ID, c.ID, next, Hour{Carry: transitionOf(&st), Through: next < now})
		}
	}
}

// statusBefore is the newest status from before a moment.
func (c *Connector) statusBefore(at chargestream.Millis) Status {
	for _, st := range c.Statuses {
		if st.At < at {
			return st
		}
	}
	return Status{} // none that is kept is so old
}

func compareStatuses(a, b *Status) int { // newest first
	return -cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.State, b.State),
		cmp.Compare(a.Activity, b.Activity), cmp.Compare(a.Word, b.Word),
		cmp.Compare(a.ErrorCode, b.ErrorCode))
}

func (c *Connector) addStatus(st Status) {
	c.Statuses = insertSorted(c.Statuses, st, compareStatuses, func(_, _ *Status) {})
	if len(c.Statuses) > statusesMax {
		c.Statuses = c.Statuses[:statusesMax]
	}
}

// foldStart folds a start, which may have been told only later, with the end.
func (s *Station) foldStart(
	e *chargestream.SessionStart,
	told, arrival chargestream.Millis,
	out *StationEffects,
) {
	claim := Start{
		Arrival:     arrival,
		At:          e.Time,
		Told:        told,
		ConnectorID: e.ConnectorID,
		UserID:      e.UserID,
		Meter:       e.Meter,
	}
	out.session(e.SessionID, Session{StationID: s.ID, Starts: []Start{claim},
		Signed: signedOf(e.Signed, e.Time, arrival)})
	s.tickSession(e.SessionID, told, arrival)
	out.hour(s.ID, e.ConnectorID, e.Time.Truncate(chargestream.Hour), Hour{Stays: []Stay{{
		ID: e.SessionID, Begins: []Begin{{At: e.Time, Arrival: arrival}}}}})
	c := s.connector(e.ConnectorID)
	run := RunningSession{StartedAt: e.Time, ID: e.SessionID, UserID: e.UserID}
	if compareRunning(&run, &c.Running) > 0 {
		c.Running = run
	}
	s.bound(c, e.Time, out)
	s.pendStart(Pending{ID: e.SessionID, ConnectorID: e.ConnectorID, Start: e.Time,
		Arrival: arrival}, out)
}

// pendStart adds a start, unless the end that it waits for is known already.
func (s *Station) pendStart(p Pending, out *StationEffects) {
	ended := false
	for i := range s.Pending {
		end := &s.Pending[i]
		if end.ID != p.ID || end.End < p.Start {
			continue
		}
		ended = ended || end.Arrival <= overdueAt(p.Start, p.Arrival)
		s.tellSpan(&p, end, out)
		if end.ConnectorID == "" {
			s.end(s.connector(p.ConnectorID), end.End, out)
		}
	}
	if !ended {
		s.pend(p)
	}
}

// pendEnd adds an end, and forgets the starts that waited for it.
func (s *Station) pendEnd(p Pending, out *StationEffects) {
	if p.ConnectorID != "" {
		s.end(s.connector(p.ConnectorID), p.End, out)
	}
	s.Pending = slices.DeleteFunc(s.Pending, func(start Pending) bool {
		if start.ID != p.ID || start.End != 0 || start.Start > p.End {
			return false
		}
		if p.ConnectorID == "" {
			s.end(s.connector(start.ConnectorID), p.End, out)
		}
		s.tellSpan(&start, &p, out)
		return p.Arrival <= overdueAt(start.Start, start.Arrival) // else it was missed before
	})
	// A session that ran for longer than a day is pending no more; the connector may still know it.
	for i := range s.Connectors {
		c := &s.Connectors[i]
		if p.ConnectorID == "" && c.Running.ID == p.ID && c.Running.StartedAt <= p.End {
			s.end(c, p.End, out)
		}
	}
	s.pend(p)
}

// tellSpan tells the windows that a session touches when it was.
func (s *Station) tellSpan(start, end *Pending, out *StationEffects) {
	in := Interval{From: start.Start, To: end.End, StartArrival: start.Arrival,
		EndArrival: end.Arrival, Due: max(start.known(), knownFrom(end.End, end.Arrival))}
	for _, hour := range windowsOf(in.From, in.From, in.To) {
		out.hour(s.ID, start.ConnectorID, hour, Hour{Stays: []Stay{{ID: start.ID, Span: in}}})
	}
}

func (s *Station) pend(p Pending) {
	s.Pending = insertSorted(s.Pending, p, func(a, b *Pending) int {
		return cmp.Or(
			cmp.Compare(a.ID, b.ID),
			cmp.Compare(a.Start, b.Start),
			cmp.Compare(a.End, b.End),
			cmp.Compare(a.ConnectorID, b.ConnectorID),
		)
	}, func(into, from *Pending) { into.Arrival = least(into.Arrival, from.Arrival) })
}

func compareRunning(a, b *RunningSession) int {
	return cmp.Or(cmp.Compare(a.StartedAt, b.StartedAt), cmp.Compare(a.ID, b.ID),
		cmp.Compare(a.UserID, b.UserID))
}

func (s *Station) foldEnd(
	e *chargestream.SessionEnd,
	told, arrival chargestream.Millis,
	out *StationEffects,
) {
	out.session(e.SessionID, Session{StationID: s.ID, Ends: []End{{Arrival: arrival, At: e.Time,
		Told: told, ConnectorID: e.ConnectorID, Energy: e.Energy, Meter: e.Meter,
		Reason: e.Reason}},
		Signed: signedOf(e.Signed, e.Time, arrival)})
	s.tickSession(e.SessionID, told, arrival)
	s.pendEnd(Pending{ID: e.SessionID, End: e.Time, ConnectorID: e.ConnectorID,
		Arrival: arrival}, out)
}

// decisionOf is a decision as a session keeps it: the session knows its station and its own id.
func decisionOf(e *chargestream.Decision, arrival chargestream.Millis) Decision {
	d := Decision{Arrival: arrival, Decision: *e}
	d.StationID, d.SessionID = "", ""
	return d
}

// foldDecision hands a decision on to its session, in its place among the session's facts.
func (s *Station) foldDecision(
	e *chargestream.Decision,
	arrival chargestream.Millis,
	out *StationEffects,
) {
	out.session(e.SessionID, Session{StationID: s.ID,
		Decisions: []Decision{decisionOf(e, arrival)}})
	s.tick(Tick{At: arrival, ID: e.SessionID})
	if end := e.Correction.EndTime; end != 0 {
		s.tick(Tick{At: max(end+chargestream.Grace, arrival), ID: e.SessionID})
	}
	if start := e.Correction.StartTime; start != 0 && overdueAt(start, start) > arrival {
		s.tick(Tick{At: overdueAt(start, start), ID: e.SessionID})
	}
}

func (s *Station) end(c *Connector, at chargestream.Millis, out *StationEffects) {
	c.LastEnd = max(c.LastEnd, at)
	s.bound(c, at, out)
}

// bound raises the boundary, and hands on what it shows to be over.
func (s *Station) bound(c *Connector, at chargestream.Millis, out *StationEffects) {
	was := c.over(s.LastSeen)
	c.Boundary = max(c.Boundary, at)
	if !was && c.over(s.LastSeen) {
		out.quarter(s.ID, c.ID, c.SlotSession, &c.Slot)
	}
}

// over tells whether the quarter in the slot is over when the station was last seen at a moment:
// a session began or ended after it began, or it has been full for a minute.
func (c *Connector) over(seen chargestream.Millis) bool {
	return c.Slot.From != 0 && (c.Slot.From <= c.Boundary || c.full() <= seen)
}

// full is when the quarter in the slot is surely over.
func (c *Connector) full() chargestream.Millis {
	return c.Slot.Start + chargestream.Quarter + chargestream.Minute
}

func (s *Station) foldMeter(
	e *chargestream.MeterValue,
	arrival chargestream.Millis,
	out *StationEffects,
) {
	c := s.connector(e.ConnectorID)
	c.addSample(e)
	if e.Signed != "" && e.SessionID != "" {
		out.session(e.SessionID, Session{StationID: s.ID,
			Signed: signedOf(e.Signed, e.Time, arrival)})
	}
	q := QuarterOf(e, arrival)
	if q.Late != 0 {
		if e.SessionID != "" {
			s.tickSession(e.SessionID, e.Time, arrival)
		}
		s.tickHour(c.ID, e.Time, arrival) // whatever session it names, another may have been there
		out.quarter(s.ID, c.ID, e.SessionID, &q)
		return
	}
	at := cmp.Or(cmp.Compare(q.Start, c.Slot.Start), cmp.Compare(e.SessionID, c.SlotSession))
	switch {
	case at < 0 && c.Slot.From != 0:
		out.quarter(s.ID, c.ID, e.SessionID, &q)
		return
	case at == 0 && c.Slot.From != 0:
		c.Slot.Merge(&q)
	default:
		if c.Slot.From != 0 && !c.SlotTold && !c.over(s.LastSeen) { // else it was handed on
			out.quarter(s.ID, c.ID, c.SlotSession, &c.Slot)
		}
		c.Slot, c.SlotSession, c.SlotTold = q, e.SessionID, false
	}
	if c.over(s.LastSeen) || c.SlotTold {
		out.quarter(s.ID, c.ID, c.SlotSession, &c.Slot)
	}
}

// addSample keeps the newest sample; of two of the same moment the one that is larger in the
// order of its fields, so that all orders agree.
func (c *Connector) addSample(e *chargestream.MeterValue) {
	m := &c.Meter
	newer := cmp.Or(cmp.Compare(e.Time, m.Time), compareOptional(e.Energy, m.Energy),
		compareOptional(e.Power, m.Power), compareOptional(e.SoC, m.SoC))
	if newer > 0 {
		*m = chargestream.MeterValue{Time: e.Time, Energy: e.Energy, Power: e.Power, SoC: e.SoC}
	}
}

func (s *Station) noteSkew(arrival, ahead chargestream.Millis) {
	day := SkewDay{Day: arrival.Truncate(chargestream.Day), First: arrival, Ahead: ahead}
	s.Skews = insertSorted(s.Skews, day,
		func(a, b *SkewDay) int { return cmp.Compare(a.Day, b.Day) },
		func(into, from *SkewDay) {
			into.First, into.Ahead = least(into.First, from.First), max(into.Ahead, from.Ahead)
		})
	if len(s.Skews) > skewDaysMax {
		s.Skews = slices.Delete(s.Skews, 0, len(s.Skews)-skewDaysMax)
	}
}

func (out *StationEffects) session(id chargestream.SessionID, row Session) {
	out.Sessions = append(out.Sessions, SessionPart{ID: id, Row: row})
}

func (out *StationEffects) hour(station chargestream.StationID, connector chargestream.ConnectorID,
	start chargestream.Millis, row Hour) {
	out.Hours = append(out.Hours, HourPart{
		Key: HourKey{StationID: station, ConnectorID: connector, Start: start}, Row: row})
}

// quarter hands a quarter on to its session, where it names one, and to its window.
func (out *StationEffects) quarter(
	station chargestream.StationID,
	connector chargestream.ConnectorID,
	session chargestream.SessionID,
	q *Quarter,
) {
	if session != "" {
		out.session(session, Session{StationID: station, Quarters: []Quarter{*q}})
	}
	out.hour(station, connector, q.Start.Truncate(chargestream.Hour), Hour{Loads: []Quarter{*q}})
}
