// Package source reads what package reconcile compares: sessions from the sessions table, and
// registers from the hours table.
//
// Nothing here is what bills are made by: start and end that count, and plain differences. It
// refuses to know what adds up; the documents are read by the caller, before it calls Read: what
// is sent while the tables are read would otherwise be of sessions that the tables do not have.
package source

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/engine"
	"chargestream/internal/kafkaread"
	"chargestream/processors"
	"chargestream/reconcile"
	"chargestream/tables"
	"chargestream/topics"
)

// asOfSlack is how long before the latest arrival a bill must be due to be missing: a bill waits
// for the end of the quarter hour of a late fact, and for stream time.
const asOfSlack = chargestream.Hour

// Topics are those that Read reads.
func Topics() []string {
	return []string{topics.Table(topics.TableSessions), topics.Table(topics.TableHours)}
}

// Concerns reports whether a document may be of a session of the period.
func Concerns(in *reconcile.Input, v *chargestream.Invoice) bool {
	first := v.IssuedAt
	for _, at := range []chargestream.Millis{v.StartTime, v.EndTime} {
		if at != 0 {
			first = min(first, at)
		}
	}
	return max(v.StartTime, v.EndTime, v.IssuedAt) >= in.From-chargestream.SessionSpanMax &&
		first < in.To+chargestream.SessionSpanMax
}

// Read fills the sessions and the registers of an input, and AsOf where it is not set. It returns
// the rows that cannot be read, as partition@offset and why, by topic.
func Read(ctx context.Context, reader *kafkaread.Reader, in *reconcile.Input) (
	unreadable map[string][]string, err error) {
	s := &sources{in: in, sessions: map[string]*tables.Session{},
		hours: map[string][]reconcile.Reading{}}
	unreadable = map[string][]string{}
	for table, read := range map[string]func(*kgo.Record) error{
		topics.TableSessions: s.readSession, topics.TableHours: s.readHour} {
		topic := topics.Table(table)
		refused, err := reader.Newest(ctx, topic, func(r *kgo.Record) error {
			if engine.Reserved(string(r.Key)) {
				return nil
			}
			return read(r)
		})
		if err != nil {
			return nil, err
		}
		if len(refused) > 0 {
			unreadable[topic] = refused
		}
	}
	s.fill()
	return unreadable, nil
}

// sources reads what is compared.
type sources struct {
	in *reconcile.Input
	// sessions and hours are by key: of a table the newest record of a key counts.
	sessions map[string]*tables.Session
	hours    map[string][]reconcile.Reading
	latest   chargestream.Millis // arrival
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
	s.latest = max(s.latest, row.BilledUpTo)
	for i := range row.Starts {
		s.latest = max(s.latest, row.Starts[i].Arrival)
	}
	for i := range row.Ends {
		s.latest = max(s.latest, row.Ends[i].Arrival)
	}
	if len(row.Starts) == 0 && len(row.Ends) == 0 {
		return nil // samples that name a session of which nothing else arrived
	}
	row.Quarters, row.Signed = nil, nil // large, and compared with nothing
	s.sessions[string(r.Key)] = row
	return nil
}

// readHour keeps what a window has of the register of its connector, if the window may be one of a
// session of the period.
func (s *sources) readHour(r *kgo.Record) error {
	delete(s.hours, string(r.Key))
	if len(r.Value) == 0 {
		return nil
	}
	key, err := processors.ParseHourKey(string(r.Key))
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
	for i := range row.Quarters {
		if q := &row.Quarters[i]; q.HasEnergy() {
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
		if k, err := processors.ParseHourKey(key); err == nil {
			s.in.Registers = append(s.in.Registers, reconcile.Register{StationID: k.StationID,
				ConnectorID: k.ConnectorID, Readings: readings})
		}
	}
	for key, row := range s.sessions {
		station, id, _ := processors.ParseSessionKey(key)
		session, register := sessionOf(station, id, row)
		s.in.Sessions = append(s.in.Sessions, session)
		s.in.Registers = append(s.in.Registers, register)
	}
}

// sessionOf is what a session's own meters counted, and what they showed.
func sessionOf(station chargestream.StationID, id chargestream.SessionID, row *tables.Session) (
	reconcile.Session, reconcile.Register) {
	s := reconcile.Session{ID: id, StationID: station, CopyOf: row.DuplicateOf, Due: dueBy(row)}
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
