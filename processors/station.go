package processors

import (
	"errors"
	"fmt"
	"time"

	"chargestream"
	"chargestream/internal/engine"
	"chargestream/tables"
	"chargestream/topics"
)

// Stations folds everything that a station says into its row, and hands parts on to the windows
// and the sessions. Status and meter values are joined here: both lie in the same row.
func Stations(count Counter) *engine.Processor {
	f := &stationFold{count: orSilent(count), inputs: map[string]topics.Topic{}}
	for _, t := range topics.All() {
		if t.Decode != nil {
			f.inputs[t.Name] = t
		}
	}
	return &engine.Processor{
		Group: topics.GroupStations,
		Inputs: []string{
			topics.ChargingSessions,
			topics.StationStatus,
			topics.MeterValues,
			topics.Heartbeats,
			topics.BillingDecisions,
		},
		Clock: topics.Clock(topics.GroupStations),
		Outputs: []string{
			topics.SessionParts,
			topics.HourParts,
			topics.Anomalies,
			topics.DeadLetters,
		},
		Fold: f.fold,
		Due:  stationDue,
		Fire: f.fire,
	}
}

type stationFold struct {
	count  Counter
	inputs map[string]topics.Topic
}

// fold judges a record by its two times, and folds it or keeps it as a dead letter.
func (f *stationFold) fold(ctx engine.Context, m *engine.Message) error {
	topic, ok := f.inputs[m.Topic]
	if !ok {
		return fmt.Errorf("topic %q has no events", m.Topic)
	}
	event, reason, cause := admit(&topic, m)
	if reason != "" {
		deadLetter(ctx, f.count, m, reason, cause)
		return nil
	}
	row, before, err := readStation(ctx)
	if err != nil {
		return err
	}
	if row.Full(connectorOf(event)) {
		deadLetter(ctx, f.count, m, ReasonBound,
			fmt.Errorf("station has %d connectors already", tables.StationConnectorsMax))
		f.count.Bound("station_connectors")
		return nil
	}
	if m.Arrival > int64(event.At()+chargestream.Grace) {
		f.count.Late(m.Topic)
	}
	var out tables.StationEffects
	row.Fold(event, chargestream.Millis(m.Arrival), &out)
	return f.finish(ctx, row, before, &out)
}

func (f *stationFold) fire(ctx engine.Context, now int64) error {
	row, before, err := readStation(ctx)
	if err != nil {
		return err
	}
	if row.Crowded() {
		f.count.Bound("station_pending")
	}
	var out tables.StationEffects
	row.Fire(chargestream.Millis(now), &out)
	return f.finish(ctx, row, before, &out)
}

func (f *stationFold) finish(ctx engine.Context, row *tables.Station,
	before []chargestream.Anomaly, out *tables.StationEffects) error {
	emitSessionParts(ctx, out.Sessions)
	emitHourParts(ctx, out.Hours)
	ctx.SetRow(row.Append(nil))
	ctx.SetDue(dueOf(row))
	return emitAnomalies(ctx, anomalyChanges(ctx, before, row.Anomalies()))
}

func readStation(ctx engine.Context) (*tables.Station, []chargestream.Anomaly, error) {
	raw, err := ctx.Row()
	if err != nil || raw == nil {
		return &tables.Station{}, nil, err
	}
	row, err := tables.DecodeStation(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("station %q: %w", ctx.Key(), err)
	}
	return row, row.Anomalies(), nil
}

func stationDue(key string, raw []byte) (int64, error) {
	row, err := tables.DecodeStation(raw)
	if err != nil {
		return 0, fmt.Errorf("station %q: %w", key, err)
	}
	return dueOf(row), nil
}

func dueOf(row *tables.Station) int64 {
	if row.Crowded() {
		return 1 // too many: some are settled at once
	}
	return int64(row.Due())
}

// decisionDelayMax is how long after it was taken a decision may arrive.
const decisionDelayMax = 30 * 24 * time.Hour

var errNoKey = errors.New("input records are keyed by station_id")

// admit decodes a record and judges it. A reason means that it is a dead letter.
func admit(topic *topics.Topic, m *engine.Message) (chargestream.Event, Reason, error) {
	switch {
	case !m.HasKey || m.Key == "":
		return nil, ReasonNullKey, errNoKey
	case m.Value == nil:
		return nil, ReasonNullValue, errors.New("an event has a value")
	case len(m.Value) > topic.RecordBytesMax:
		return nil, ReasonOversized, fmt.Errorf("%d bytes, at most %d are taken",
			len(m.Value), topic.RecordBytesMax)
	}
	event, err := topic.Decode(m.Value)
	if err != nil {
		return nil, ReasonMalformed, err
	}
	if string(event.Station()) != m.Key {
		return nil, ReasonKeyMismatch, fmt.Errorf("key %q, station_id %q: %w",
			clip(m.Key), event.Station(), errNoKey)
	}
	keep := topic.Retention
	if _, ok := event.(*chargestream.Decision); ok {
		keep = decisionDelayMax // what a decision corrects is judged by when it was taken
	}
	reason, err := judge(event.At(), chargestream.Millis(m.Arrival), keep)
	if record, ok := event.(*chargestream.SessionRecord); ok && reason == "" {
		first := min(record.Start.Time, record.End.Time)
		reason, err = judge(first, chargestream.Millis(m.Arrival), topic.Retention)
	}
	return event, reason, err
}

// judge tells whether an event came too late, or from too far ahead, to be folded. It depends on
// the record's own two times alone, so that a replay judges alike. What is kept for ever, a
// retention of zero, is never too late.
func judge(at, arrival chargestream.Millis, retention time.Duration) (Reason, error) {
	switch {
	case at > arrival+chargestream.FutureLimit:
		return ReasonFuture, fmt.Errorf("happened at %s, arrived at %s", at, arrival)
	case retention > 0 && arrival-at > chargestream.Millis(retention.Milliseconds()):
		return ReasonLate, fmt.Errorf(
			"happened at %s, arrived at %s, kept for %s",
			at,
			arrival,
			retention,
		)
	}
	return "", nil
}

func connectorOf(event chargestream.Event) chargestream.ConnectorID {
	switch e := event.(type) {
	case *chargestream.StatusReport:
		return e.ConnectorID
	case *chargestream.MeterValue:
		return e.ConnectorID
	case *chargestream.SessionStart:
		return e.ConnectorID
	case *chargestream.SessionEnd:
		return e.ConnectorID
	case *chargestream.SessionRecord:
		return e.Start.ConnectorID
	}
	return ""
}

// clip bounds what is quoted of a foreign text.
func clip(text string) string { return text[:min(len(text), 64)] }
