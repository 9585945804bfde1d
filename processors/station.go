package processors

import (
	"fmt"
	"sync/atomic"

	"chargestream"
	"chargestream/engine"
	"chargestream/tables"
	"chargestream/topics"
)

// Stations folds everything that belongs to a station, in one task: its own row, its entry in the
// registry, its sessions and its hours. Utilization, invoices and anomalies are derived of them.
func Stations(count Counter) *engine.Processor {
	f := newStationFold(orSilent(count))
	return &engine.Processor{
		Group: topics.GroupStations,
		Inputs: []string{
			topics.Stations,
			topics.ChargingSessions,
			topics.StationStatus,
			topics.MeterValues,
			topics.Heartbeats,
			topics.BillingDecisions,
		},
		Clock: topics.Clock(topics.GroupStations),
		// In this order they are flushed: a session sets its share of the energy in its hours.
		Tables:  []engine.Declared{f.stations, f.registry, f.sessions, f.hours},
		Layout:  tables.Layout,
		Lookups: []string{topics.Table(topics.TableTariffs)},
		Sources: map[string][]string{topics.Table(topics.TableTariffs): {topics.Tariffs}},
		Outputs: []engine.Output{
			{Topic: topics.Utilization, Newest: true},
			{Topic: topics.Invoices},
			{Topic: topics.Anomalies, Newest: true},
			{Topic: topics.DeadLetters},
		},
		Address: address,
		Fold:    f.fold,
	}
}

// partitionsMax is how many partitions have a moment of their own in stationFold.billedUpTo; above
// that several share one.
const partitionsMax = 1024

// stationFold is the fold of everything that belongs to a station.
type stationFold struct {
	count Counter
	// billedUpTo is, by partition, no less than the BilledUpTo of any session: no bill needs to be
	// looked at for what arrived later.
	billedUpTo [partitionsMax]atomic.Int64
	inputs     map[string]topics.Topic
	reference  *parsed

	stations *engine.Table[stationRow]
	registry *engine.Table[tables.Registry]
	sessions *engine.Table[sessionRow]
	hours    *engine.Table[hourRow]
}

func newStationFold(count Counter) *stationFold {
	f := &stationFold{count: count, inputs: map[string]topics.Topic{}, reference: newParsed()}
	for _, t := range topics.All() {
		if t.Decode != nil {
			f.inputs[t.Name] = t
		}
	}
	f.stations = &engine.Table[stationRow]{Name: topics.TableStations,
		Decode: decodeStation, Append: appendStation, Due: stationDue, Fire: f.fireStation,
		Flush: flushStation}
	f.registry = &engine.Table[tables.Registry]{Name: topics.TableRegistry,
		Decode: decodeRegistry, Append: appendRegistry}
	f.sessions = &engine.Table[sessionRow]{Name: topics.TableSessions,
		Decode: decodeSession, Append: appendSession, Due: sessionDue, Fire: f.fireSession,
		Restored: func(ctx *engine.Context, _ string, s *sessionRow) {
			f.noteBilled(ctx, s.BilledUpTo)
		},
		Flush: f.flushSession}
	f.hours = &engine.Table[hourRow]{Name: topics.TableHours,
		Decode: decodeHour, Append: appendHour, Due: hourDue, Fire: fireHour, Flush: f.flushHour}
	return f
}

// noteBilled raises the moment up to which sessions of the partition were billed.
func (f *stationFold) noteBilled(ctx *engine.Context, at chargestream.Millis) {
	last := &f.billedUpTo[ctx.Partition()%partitionsMax]
	for was := last.Load(); int64(at) > was && !last.CompareAndSwap(was, int64(at)); {
		was = last.Load()
	}
}

// stationRow is a station with the anomalies that were emitted of it.
type stationRow struct {
	tables.Station
	emitted []chargestream.Anomaly
}

func decodeStation(key string, row []byte) (*stationRow, error) {
	s, err := tables.DecodeStation(chargestream.StationID(key), row)
	if err != nil {
		return nil, err
	}
	return &stationRow{Station: *s, emitted: s.Anomalies()}, nil
}

func appendStation(buf []byte, s *stationRow) []byte { return s.Append(buf) }

func stationDue(_ string, s *stationRow) int64 { return int64(s.Due()) }

func flushStation(ctx *engine.Context, _ string, s *stationRow) error {
	if len(s.Skews) == 0 {
		return nil
	}
	now := s.Anomalies()
	before := s.emitted
	s.emitted = now
	return emitAnomalies(ctx, anomalyChanges(ctx, before, now))
}

// fold judges a record by its two times, and folds it or keeps it as a dead letter.
func (f *stationFold) fold(ctx *engine.Context, m *engine.Message) error {
	if m.Topic == topics.Stations {
		return f.foldRegistry(ctx, m)
	}
	topic, ok := f.inputs[m.Topic]
	if !ok {
		return fmt.Errorf("topic %q has no events", m.Topic)
	}
	event, reason, cause, err := f.admit(ctx, &topic, m)
	if err != nil {
		return err
	}
	if reason != "" {
		deadLetter(ctx, f.count, m, reason, cause)
		return nil
	}
	known, err := f.stations.Get(ctx, m.Key)
	if err != nil {
		return err
	}
	if known != nil && known.Full(event.Scope().ConnectorID) {
		deadLetter(ctx, f.count, m, ReasonBound,
			fmt.Errorf("station has %d connectors already", tables.StationConnectorsMax))
		f.count.Bound("station_connectors")
		return nil
	}
	arrival := chargestream.Millis(m.Arrival)
	if arrival > event.At()+chargestream.Grace {
		f.count.Late(m.Topic)
	}
	rows := f.rowsOf(ctx, chargestream.StationID(m.Key))
	sent, err := rows.billedBehind(event, arrival)
	if err != nil {
		return err
	}
	row, err := f.stations.Edit(ctx, m.Key)
	if err != nil {
		return err
	}
	if known == nil {
		history, err := f.registry.Get(ctx, m.Key)
		if err != nil {
			return err
		}
		row.ID, row.Site = chargestream.StationID(m.Key), siteOf(history)
	}
	if err := row.Fold(rows, event, arrival); err != nil {
		return err
	}
	return rows.restate(sent)
}

func (f *stationFold) fireStation(ctx *engine.Context, key string, s *stationRow, now int64) error {
	return s.Fire(f.rowsOf(ctx, chargestream.StationID(key)), chargestream.Millis(now))
}
