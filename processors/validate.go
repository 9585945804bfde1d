package processors

import (
	"fmt"
	"time"

	"chargestream"
	"chargestream/codecs"
	"chargestream/engine"
	"chargestream/topics"
)

// Judgement is what Validate finds.
type Judgement struct {
	Reason Reason // why it would become a dead letter; empty where it would not
	Err    error  // what is wrong, in words; nil where nothing is
	// NeedsZone: the only fault is times without a zone, and the station's would mend it.
	NeedsZone bool
	// Dropped are fields that cannot be read and are left out; the others are taken.
	Dropped []string
}

// Validate judges a record of an input as its fold would, without folding it: with the same readers
// and the same bounds. Times without a zone are those of zone; nil where it is not known. What
// depends on what was folded before, as the number of a station's connectors, is not judged.
func Validate(topic string, key, value []byte, arrival chargestream.Millis,
	zone *time.Location) Judgement {
	door := codecs.Door{Zone: zone}
	reason, err := validate(&door, topic, key, value, arrival)
	return Judgement{Reason: reason, Err: err, Dropped: door.Dropped,
		NeedsZone: reason == ReasonMalformed && codecs.NeedsZone(err)}
}

func validate(door *codecs.Door, topic string, key, value []byte, arrival chargestream.Millis) (
	Reason, error) {
	m := &engine.Message{Topic: topic, Key: string(key), HasKey: key != nil, Value: value,
		Arrival: int64(arrival), Timestamp: int64(arrival)}
	switch topic {
	case topics.Stations, topics.Tariffs:
		if reason, err := checkKey(m); reason != "" {
			return reason, err
		}
	}
	switch topic {
	case topics.Stations:
		_, reason, err := newStationFold(silent{}).readRegistry(m)
		return reason, err
	case topics.Tariffs:
		if value == nil {
			return "", nil
		}
		if _, err := readTariff(m); err != nil {
			return ReasonTariffRefused, err
		}
		return "", nil
	}
	t, ok := topics.Lookup(topic)
	if !ok || t.Decode == nil {
		return ReasonMalformed, fmt.Errorf("topic %q is no input", topic)
	}
	_, reason, err := admit(door, &t, m)
	return reason, err
}
