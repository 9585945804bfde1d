// Package processors is the goka graphs: which topics each group reads, which pure fold of
// package tables is applied, and what is emitted for what changed.
//
// It refuses to know how a unit of work is committed (engine), what a row means beyond
// calling its fold (tables), and it never looks at a clock: time comes with the records.
package processors

import (
	"encoding/json"
	"fmt"
	"strconv"

	"chargestream"
	"chargestream/engine"
	"chargestream/tables"
	"chargestream/topics"
)

// All are the processors of the application, in the order in which the data walks.
func All(count Counter) []*engine.Processor {
	return []*engine.Processor{Tariffs(count), Stations(count)}
}

// Counter is told what became of records; package cmd makes metrics of it. A nil Counter is told
// nothing.
type Counter interface {
	// DeadLetter counts a record that was kept as a dead letter.
	DeadLetter(topic string, reason Reason)
	// Late counts a record that arrived after the grace of what it tells.
	Late(topic string)
	// Dropped counts a side field that could not be read, of a record whose other fields were.
	Dropped(topic, field string)
	// Bound counts a bound that was hit, by its name.
	Bound(name string)
}

// Reason tells why a record became a dead letter.
type Reason string

// The reasons for a dead letter.
const (
	ReasonNullKey     Reason = "null_key"     // nobody knows whose it is
	ReasonNullValue   Reason = "null_value"   // a tombstone where events are expected
	ReasonOversized   Reason = "oversized"    // above topics.Topic.RecordBytesMax
	ReasonMalformed   Reason = "malformed"    // not JSON, wrong types, or a field is missing
	ReasonKeyMismatch Reason = "key_mismatch" // the key is not the station_id of the body
	ReasonLate        Reason = "late"         // older than the topic's retention when it arrived
	ReasonFuture      Reason = "future"       // more than a day ahead of its arrival
	ReasonBound       Reason = "bound"        // more connectors than a station can have, or such
	// ReasonTariffRefused: a version of the tariff is not understood.
	ReasonTariffRefused Reason = "tariff_refused"
)

// silent is the Counter of those who do not count.
type silent struct{}

// DeadLetter implements Counter.
func (silent) DeadLetter(string, Reason) {}

// Late implements Counter.
func (silent) Late(string) {}

// Dropped implements Counter.
func (silent) Dropped(string, string) {}

// Bound implements Counter.
func (silent) Bound(string) {}

func orSilent(count Counter) Counter {
	if count == nil {
		return silent{}
	}
	return count
}

// deadLetter keeps a record that cannot be folded, as it came, with where it came from and why.
func deadLetter(ctx *engine.Context, count Counter, m *engine.Message, reason Reason, cause error) {
	count.DeadLetter(m.Topic, reason)
	headers := []engine.Header{
		{Key: topics.HeaderReason, Value: []byte(reason)},
		{Key: topics.HeaderSourceTopic, Value: []byte(m.Topic)},
		{Key: topics.HeaderSourcePartition, Value: strconv.AppendInt(nil, int64(m.Partition), 10)},
		{Key: topics.HeaderSourceOffset, Value: strconv.AppendInt(nil, m.Offset, 10)},
		{Key: topics.HeaderSourceTime,
			Value: []byte(chargestream.Millis(m.Timestamp).String())},
	}
	if cause != nil {
		headers = append(
			headers,
			engine.Header{Key: topics.HeaderError, Value: []byte(cause.Error())},
		)
	}
	if driven, ok := m.Header(topics.HeaderRedriven); ok {
		headers = append(headers, engine.Header{Key: topics.HeaderRedriven, Value: driven})
	}
	key, value := m.Key[:min(len(m.Key), deadKeyMax)], m.Value
	if len(value) > deadValueMax || len(key) < len(m.Key) {
		count.Bound("dead_letter_bytes")
		headers = append(headers, engine.Header{Key: topics.HeaderSourceBytes,
			Value: strconv.AppendInt(nil, int64(len(m.Key)+len(m.Value)), 10)})
		value = value[:min(len(value), deadValueMax)]
	}
	ctx.Emit(topics.DeadLetters, key, value, headers...)
}

// Bounds of what is kept of a dead letter. A broker takes a record by its compressed size, so one
// can be larger than a producer may send; the header source-bytes tells that it was cut.
const (
	deadKeyMax   = 4 << 10
	deadValueMax = 512 << 10
)

// emitJSON sends a record that others read.
func emitJSON(ctx *engine.Context, topic, key string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode %s %q: %w", topic, key, err)
	}
	ctx.Emit(topic, key, text)
	return nil
}

// emitAnomalies sends what changed of a row's anomalies.
func emitAnomalies(ctx *engine.Context, changes []chargestream.Anomaly) error {
	for _, a := range changes {
		if err := emitJSON(ctx, topics.Anomalies, a.AnomalyID, a); err != nil {
			return err
		}
	}
	return nil
}

// anomalyChanges are what changed of a row's anomalies with what is being folded.
func anomalyChanges(
	ctx *engine.Context,
	before, now []chargestream.Anomaly,
) []chargestream.Anomaly {
	return tables.AnomalyChanges(before, now, chargestream.Millis(ctx.Arrival()))
}
