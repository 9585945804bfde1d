package processors

import (
	"errors"
	"fmt"
	"time"

	"chargestream"
	"chargestream/codecs"
	"chargestream/engine"
	"chargestream/topics"
)

// decisionDelayMax is how long after it was taken a decision may arrive.
const decisionDelayMax = 30 * 24 * time.Hour

var errNoKey = errors.New("input records are keyed by station_id: send the bare station_id as " +
	"the record's key")

// address gives a record without a key the station that it names, so that it is led to the
// station's partition. What names none stays without.
func address(m *engine.Message) {
	if m.HasKey && m.Key != "" {
		return
	}
	topic, ok := topics.Lookup(m.Topic) // makes the register: not for every record
	if !ok || topic.Read == nil {
		return
	}
	if station := codecs.StationOf(m.Value); station != "" {
		m.Key, m.HasKey = station, true
	}
}

// admit decodes a record and judges it. A reason means that it is a dead letter.
func admit(door *codecs.Door, topic *topics.Topic, m *engine.Message) (
	chargestream.Event, Reason, error) {
	switch {
	case !m.HasKey || m.Key == "":
		return nil, ReasonNullKey, fmt.Errorf("the record has no key, and its value no station_id "+
			"to lead it home by: %w", errNoKey)
	case m.Value == nil:
		return nil, ReasonNullValue, errors.New("the record has no value: an event has one; " +
			"send tombstones to stations and tariffs only")
	case len(m.Value) > topic.RecordBytesMax:
		return nil, ReasonOversized, fmt.Errorf("%d bytes, at most %d are taken; "+
			"split the record", len(m.Value), topic.RecordBytesMax)
	}
	event, err := topic.Read(m.Value, door)
	if err != nil {
		return nil, ReasonMalformed, errors.Join(err, codecs.KeyProblem(m.Key))
	}
	if string(event.Station()) != m.Key {
		return nil, ReasonKeyMismatch, errKey(m.Key, "station_id", string(event.Station()))
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

// errKey says why a key is not that of its record.
func errKey(key, field, id string) error {
	if err := codecs.KeyProblem(key); err != nil {
		return err
	}
	return fmt.Errorf("key %q, %s %q: records are keyed by %s; send the bare %s as the record's "+
		"key", clip(key), field, clip(id), field, field)
}

// admit judges a record of a station. Times without a zone are those of the station, once the
// registry has its time_zone: an entry counts from the record after it, so that a replay reads
// alike. The last error is that of a row that cannot be read.
func (f *stationFold) admit(ctx *engine.Context, topic *topics.Topic, m *engine.Message) (
	event chargestream.Event, reason Reason, cause, err error) {
	var door codecs.Door
	event, reason, cause = admit(&door, topic, m)
	if reason == ReasonMalformed && codecs.NeedsZone(cause) {
		registry, err := f.registry.Get(ctx, m.Key)
		if err != nil || registry == nil {
			return event, reason, cause, err
		}
		info := registry.By(chargestream.Millis(m.Arrival))
		if info != nil && info.TimeZone != "" {
			door.Zone = f.reference.location(info.TimeZone)
			event, reason, cause = admit(&door, topic, m)
		}
	}
	if reason == "" {
		for _, field := range door.Dropped {
			f.count.Dropped(m.Topic, field)
		}
	}
	return event, reason, cause, nil
}

// judge reports whether an event came too late, or from too far ahead, to be folded. It depends on
// the record's own two times alone, so that a replay judges alike. What is kept for ever, a
// retention of zero, is never too late.
func judge(at, arrival chargestream.Millis, retention time.Duration) (Reason, error) {
	switch {
	case at > arrival+chargestream.FutureLimit:
		return ReasonFuture, fmt.Errorf("happened at %s, arrived at %s: at most a day ahead is "+
			"taken; look at the station's clock, and at the offset", at, arrival)
	case retention > 0 && arrival-at > chargestream.Millis(retention.Milliseconds()):
		return ReasonLate, fmt.Errorf(
			"happened at %s, arrived at %s, kept for %s: events of that time are taken; send the "+
				"header arrival-time where history is brought in",
			at,
			arrival,
			retention,
		)
	}
	return "", nil
}

// clip bounds what is quoted of a foreign text.
func clip(text string) string { return text[:min(len(text), 64)] }
