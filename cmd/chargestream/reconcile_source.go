package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/internal/engine"
	"chargestream/reconcile"
	"chargestream/tables"
	"chargestream/topics"
)

// asOfSlack is how much is taken off the latest arrival for a bill to be called missing: a bill
// waits for the quarter hour of a late fact, and for the windows that the session asks.
const asOfSlack = chargestream.Hour

// sources reads what is held against each other.
type sources struct {
	in *reconcile.Input
	// sessions and hours are by key: of a table the newest record of a key counts.
	sessions   map[string]*tables.Session
	hours      map[string][]reconcile.Reading
	unreadable map[string][]string // by topic
	latest     chargestream.Millis // arrival
}

// readSources fills the input. The documents come first: what is sent while the tables are read
// would else be of sessions that nobody knows.
func (a *app) readSources(ctx context.Context, in *reconcile.Input) (*sources, error) {
	s := &sources{in: in, sessions: map[string]*tables.Session{},
		hours: map[string][]reconcile.Reading{}, unreadable: map[string][]string{}}
	h, err := a.readInvoices(ctx, s.concerns)
	if err != nil {
		return nil, err
	}
	in.Documents = h.documents
	if len(h.unreadable) > 0 {
		s.unreadable[topics.Invoices] = h.unreadable
	}
	for group, read := range map[string]func(*kgo.Record) error{
		topics.GroupSessions: s.readSession, topics.GroupHours: s.readHour} {
		if err := a.readTable(ctx, topics.Table(group), s, read); err != nil {
			return nil, err
		}
	}
	s.fill()
	return s, nil
}

// concerns tells whether a document may be of a session of the period.
func (s *sources) concerns(v *chargestream.Invoice) bool {
	first := v.IssuedAt
	for _, at := range []chargestream.Millis{v.StartTime, v.EndTime} {
		if at != 0 {
			first = min(first, at)
		}
	}
	return max(v.StartTime, v.EndTime, v.IssuedAt) >= s.in.From-chargestream.SessionSpanMax &&
		first < s.in.To+chargestream.SessionSpanMax
}

// readTable reads a table's topic and notes the rows that cannot be read: of a key that was
// written again only the newest counts.
func (a *app) readTable(ctx context.Context, topic string, s *sources,
	read func(*kgo.Record) error) error {
	client, err := a.readingClient(ctx, topic)
	if err != nil {
		return err
	}
	defer client.Close()
	bad := map[string]string{}
	_, err = a.eachRecord(ctx, client, topic, nil, func(r *kgo.Record) error {
		if engine.Reserved(string(r.Key)) {
			return nil
		}
		delete(bad, string(r.Key))
		if err := read(r); err != nil {
			bad[string(r.Key)] = fmt.Sprintf("%d@%d: %v", r.Partition, r.Offset, err)
		}
		return nil
	})
	for _, why := range bad {
		s.unreadable[topic] = append(s.unreadable[topic], why)
	}
	slices.Sort(s.unreadable[topic])
	return err
}

// readSession keeps the row of a session.
func (s *sources) readSession(r *kgo.Record) error {
	delete(s.sessions, string(r.Key))
	if len(r.Value) == 0 {
		return nil
	}
	row, err := tables.DecodeSession(r.Value)
	if err != nil {
		return err
	}
	s.latest = max(s.latest, row.Heard, row.Told)
	for i := range row.Starts {
		s.latest = max(s.latest, row.Starts[i].Arrival)
	}
	for i := range row.Ends {
		s.latest = max(s.latest, row.Ends[i].Arrival)
	}
	if len(row.Starts) == 0 && len(row.Ends) == 0 {
		return nil // samples of a session that nothing else told of
	}
	row.Quarters, row.Hours, row.Signed = nil, nil, nil // large, and not held against anything
	s.sessions[string(r.Key)] = row
	return nil
}

// readHour keeps what a window knows of the register of its connector, if the window may be one of
// a session of the period.
func (s *sources) readHour(r *kgo.Record) error {
	delete(s.hours, string(r.Key))
	if len(r.Value) == 0 {
		return nil
	}
	key, err := tables.ParseHourKey(string(r.Key))
	if err != nil {
		return err
	}
	if key.End() <= s.in.From-chargestream.SessionSpanMax ||
		key.Start >= s.in.To+chargestream.SessionSpanMax {
		return nil
	}
	row, err := tables.DecodeHour(r.Value)
	if err != nil {
		return err
	}
	var list []reconcile.Reading
	for i := range row.Loads {
		if q := &row.Loads[i]; q.HasEnergy() {
			list = append(list, reconcile.Reading(q.First), reconcile.Reading(q.Last))
		}
	}
	if list != nil {
		s.hours[string(r.Key)] = list
	}
	return nil
}

// fill writes what was read into the input.
func (s *sources) fill() {
	if s.in.AsOf == 0 && s.latest != 0 {
		s.in.AsOf = s.latest - asOfSlack
	}
	for key, readings := range s.hours {
		// The key was read before.
		if k, err := tables.ParseHourKey(key); err == nil {
			s.in.Registers = append(s.in.Registers, reconcile.Register{StationID: k.StationID,
				ConnectorID: k.ConnectorID, Readings: readings})
		}
	}
	for id, row := range s.sessions {
		session, register := reconcileSession(chargestream.SessionID(id), row)
		s.in.Sessions = append(s.in.Sessions, session)
		s.in.Registers = append(s.in.Registers, register)
	}
}

// reconcileSession is what a session's own meters told, and what they showed. Nothing here is
// what bills are made by: start and end that count, and plain differences.
func reconcileSession(id chargestream.SessionID, row *tables.Session) (reconcile.Session,
	reconcile.Register) {
	s := reconcile.Session{ID: id, StationID: row.StationID, CopyOf: row.Verdict.DuplicateOf.ID,
		Due: dueBy(row)}
	var register reconcile.Register
	show := func(at chargestream.Millis, meter *chargestream.WattHours) {
		if meter != nil {
			register.Readings = append(register.Readings,
				reconcile.Reading{At: at, Energy: *meter})
		}
	}
	if len(row.Ends) > 0 {
		end := &row.Ends[0]
		s.End, s.Energy, s.ConnectorID = end.At, end.Energy, end.ConnectorID
		show(end.At, end.Meter)
	}
	if len(row.Starts) > 0 {
		start := &row.Starts[0]
		s.Start, s.ConnectorID = start.At, start.ConnectorID
		show(start.At, start.Meter)
		if len(row.Ends) > 0 && s.Energy == nil && start.Meter != nil &&
			row.Ends[0].Meter != nil {
			energy := *row.Ends[0].Meter - *start.Meter
			s.Energy = &energy
		}
	}
	register.StationID, register.ConnectorID = s.StationID, s.ConnectorID
	return s, register
}

// dueBy is a moment at which a session must have a document (decision 0010): the table of what is
// known, with each late fact known at the end of its quarter hour.
func dueBy(row *tables.Session) chargestream.Millis {
	known := func(at, arrival chargestream.Millis) chargestream.Millis {
		if arrival <= at+chargestream.Grace {
			return at + chargestream.Grace
		}
		return (arrival + chargestream.LateBill - 1).Truncate(chargestream.LateBill)
	}
	var start, end chargestream.Millis
	if len(row.Starts) > 0 {
		start = known(row.Starts[0].At, row.Starts[0].Arrival)
	}
	if len(row.Ends) > 0 {
		end = known(row.Ends[0].At, row.Ends[0].Arrival)
	}
	switch {
	case start != 0 && end != 0:
		return max(start, end)
	case start != 0:
		return max(start, row.Starts[0].At+chargestream.OverdueAfter,
			row.Starts[0].Arrival+chargestream.Grace)
	case end != 0:
		return max(end, max(row.Ends[0].At, row.Ends[0].Arrival)+chargestream.Grace)
	}
	return 0
}
