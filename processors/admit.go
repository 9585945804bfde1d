package processors

import (
	"errors"
	"fmt"
	"time"

	"chargestream"
	"chargestream/engine"
	"chargestream/topics"
)

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

// clip bounds what is quoted of a foreign text.
func clip(text string) string { return text[:min(len(text), 64)] }
