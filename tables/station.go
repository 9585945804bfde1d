package tables

import (
	"cmp"
	"fmt"
	"slices"

	"chargestream"
	"chargestream/internal/lattice"
)

// Bounds of a station row. Each is far above what a station needs and keeps a broken one from
// filling a broker.
const (
	// StationConnectorsMax: the largest charging stations sold have some twenty connectors.
	StationConnectorsMax = 64
	statusesMax          = 4
	skewDaysMax          = 8
)

// Station is the row of the stations table: what is known of one station now.
type Station struct {
	ID chargestream.StationID // that of the row's key
	// LastSeen is the latest moment at which the station is known to have been alive.
	LastSeen chargestream.Millis
	// Site is that of the station's entry in the registry now: a copy, so that what is derived of a
	// row does not need the entry. The fold leaves it alone.
	Site       chargestream.SiteID
	Connectors []Connector // by ConnectorID
	Skews      []SkewDay   // by Day, the latest skewDaysMax
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
	// LastEdge is the latest start or end of any session. A quarter hour whose samples begin at or
	// before it is flushed at once; a later one is held here until it is full.
	LastEdge chargestream.Millis
	// Open is the newest quarter hour: later samples of it are merged here, and flushed to its
	// session and its hour when it is over. OpenSession is the session that its samples name.
	Open        Quarter
	OpenSession chargestream.SessionID
	// Flushed: the open quarter was flushed because its time was over, while the station was
	// silent.
	Flushed bool
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

// SkewDay is a UTC day on which events came from a clock that was too far ahead.
type SkewDay struct {
	Day   chargestream.Millis
	First chargestream.Millis // arrival of the first such event
	Ahead chargestream.Millis // the most that the clock was ahead
}

// Rows is how the fold of a station reaches the rows of its sessions and hours.
type Rows interface {
	// Peek is the row of a session, not to be changed; nil where there is none.
	Peek(id chargestream.SessionID) (*Session, error)
	// Session is the row of a session, to be changed; it is made where there is none.
	Session(id chargestream.SessionID) (*Session, error)
	// PeekHour is the row of an hour of a connector, not to be changed; nil where there is none.
	PeekHour(connector chargestream.ConnectorID, start chargestream.Millis) (*Hour, error)
	// Hour is the row of an hour of a connector, to be changed; it is made where there is none.
	Hour(connector chargestream.ConnectorID, start chargestream.Millis) (*Hour, error)
}

// Fold merges an event that arrived at arrival into the row, and into those of the sessions and
// hours that it is of. An error is one of rows.
func (s *Station) Fold(rows Rows, event chargestream.Event, arrival chargestream.Millis) error {
	f := fold{Station: s, rows: rows, arrival: arrival}
	if d, ok := event.(*chargestream.Decision); ok {
		// A person decided: the station said nothing.
		f.decision(d)
		return f.err
	}
	if ahead := event.At() - arrival; Skewed(event.At(), arrival) {
		s.noteSkew(arrival, ahead)
	}
	f.see(min(event.At(), arrival))
	switch e := event.(type) {
	case *chargestream.StatusReport:
		f.status(e)
	case *chargestream.MeterValue:
		f.meter(e)
	case *chargestream.SessionStart:
		f.start(e, e.Time)
	case *chargestream.SessionEnd:
		f.end(e, e.Time)
	case *chargestream.SessionRecord:
		f.start(&e.Start, e.At())
		f.end(&e.End, e.At())
	case *chargestream.Heartbeat:
	default:
		return fmt.Errorf("no fold of %T: Station.Fold needs a case", event)
	}
	return f.err
}

// fold is the fold of one event.
type fold struct {
	*Station
	rows    Rows
	arrival chargestream.Millis
	err     error // the first
}

// session is a row to be changed; after an error one that is thrown away.
func (f *fold) session(id chargestream.SessionID) *Session {
	row, err := f.rows.Session(id)
	if err != nil {
		f.err = cmp.Or(f.err, err)
		return &Session{}
	}
	return row
}

// hour is a row to be changed; after an error one that is thrown away.
func (f *fold) hour(id chargestream.ConnectorID, start chargestream.Millis) *Hour {
	row, err := f.rows.Hour(id, start)
	if err != nil {
		f.err = cmp.Or(f.err, err)
		return &Hour{}
	}
	return row
}

func (s *Station) connector(id chargestream.ConnectorID) *Connector {
	i, ok := slices.BinarySearchFunc(s.Connectors, id,
		func(c Connector, id chargestream.ConnectorID) int { return cmp.Compare(c.ID, id) })
	if !ok {
		if len(s.Connectors) >= StationConnectorsMax {
			return &Connector{} // folded into nothing: processors refuse the event before
		}
		s.Connectors = lattice.InsertAt(s.Connectors, i, Connector{ID: id})
	}
	return &s.Connectors[i]
}

// Full reports whether an event of a connector would be one connector too many.
func (s *Station) Full(id chargestream.ConnectorID) bool {
	if id == "" || len(s.Connectors) < StationConnectorsMax {
		return false
	}
	return !slices.ContainsFunc(s.Connectors, func(c Connector) bool { return c.ID == id })
}

// see moves LastSeen on. Each hour that is left learns that the station was alive through its end,
// and each that is entered the status that every connector brings into it, so that a window
// without any event of its own can be reported.
func (f *fold) see(at chargestream.Millis) {
	before := f.LastSeen
	if at <= before {
		return
	}
	f.LastSeen = at
	if before == 0 {
		return
	}
	for i := range f.Connectors {
		if c := &f.Connectors[i]; !c.over(before) && c.over(at) && !c.Flushed {
			f.flush(c)
		}
	}
	left, now := before.Truncate(chargestream.Hour), at.Truncate(chargestream.Hour)
	if left == now {
		return
	}
	for hour := left; hour <= min(now, left+chargestream.StatusHold); hour += chargestream.Hour {
		for i := range f.Connectors {
			c := &f.Connectors[i]
			covered := hour < now && c.reported(hour)
			var opening Transition
			if hour > left {
				opening = c.opening(hour)
			}
			if opening.At != 0 || covered {
				f.hour(c.ID, hour).open(opening, hour < now)
			}
		}
	}
}

// believed reports whether a status of a moment still counts in an hour that nothing renewed it in.
func believed(at, hour chargestream.Millis) bool {
	return hour-at.Truncate(chargestream.Hour) <= chargestream.StatusHold
}

// opening is the status that was in force when an hour began.
func (c *Connector) opening(hour chargestream.Millis) Transition {
	if st := c.statusBefore(hour); st.At != 0 && believed(st.At, hour) {
		return transitionOf(&st)
	}
	return Transition{}
}

// reported reports whether the connector has a status that counts at the end of an hour.
func (c *Connector) reported(hour chargestream.Millis) bool {
	st := c.statusBefore(hour + chargestream.Hour)
	return st.At != 0 && believed(st.At, hour)
}

func (f *fold) status(e *chargestream.StatusReport) {
	state, activity, _ := chargestream.ParseStatus(e.Status)
	st := Status{At: e.Time, State: state, Activity: activity, Word: e.Status,
		ErrorCode: e.ErrorCode}
	c := f.connector(e.ConnectorID)
	c.addStatus(st)
	hour, now := st.At.Truncate(chargestream.Hour), f.LastSeen.Truncate(chargestream.Hour)
	t := transitionOf(&st)
	t.Arrival = f.arrival
	row := f.hour(c.ID, hour)
	row.addTransition(t)
	row.CoversEnd = row.CoversEnd || hour < now
	f.wake(row, t.At, KnownFrom(t.At, t.Arrival))
	// A late report also changes what was brought into the hours after it, up to the next one.
	next := hour + chargestream.Hour
	for ; next <= now && believed(st.At, next); next += chargestream.Hour {
		if before := c.statusBefore(next); before.At == 0 || before == st {
			f.hour(c.ID, next).open(transitionOf(&st), next < now)
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
	c.Statuses = lattice.Insert(c.Statuses, st, compareStatuses, func(_, _ *Status) {})
	if len(c.Statuses) > statusesMax {
		c.Statuses = c.Statuses[:statusesMax]
	}
}

func (s *Station) noteSkew(arrival, ahead chargestream.Millis) {
	day := SkewDay{Day: arrival.Truncate(chargestream.Day), First: arrival, Ahead: ahead}
	s.Skews = lattice.Insert(s.Skews, day,
		func(a, b *SkewDay) int { return cmp.Compare(a.Day, b.Day) },
		func(into, from *SkewDay) {
			into.First = lattice.Least(into.First, from.First)
			into.Ahead = max(into.Ahead, from.Ahead)
		})
	if len(s.Skews) > skewDaysMax {
		s.Skews = slices.Delete(s.Skews, 0, len(s.Skews)-skewDaysMax)
	}
}

// Due is when the row must be fired next, by stream time; zero for never: when an open quarter is
// surely over.
func (s *Station) Due() chargestream.Millis {
	var due chargestream.Millis
	for i := range s.Connectors {
		if c := &s.Connectors[i]; c.Open.From != 0 && !c.Flushed && !c.over(s.LastSeen) {
			due = lattice.Least(due, c.full())
		}
	}
	return due
}

// Fire flushes the open quarters that are over by the stream time now.
func (s *Station) Fire(rows Rows, now chargestream.Millis) error {
	f := fold{Station: s, rows: rows}
	for i := range s.Connectors {
		c := &s.Connectors[i]
		if c.Open.From != 0 && !c.Flushed && !c.over(s.LastSeen) && c.full() <= now {
			f.flush(c)
			c.Flushed = true
		}
	}
	return f.err
}
