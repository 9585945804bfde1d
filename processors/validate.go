package processors

import (
	"fmt"

	"chargestream"
	"chargestream/engine"
	"chargestream/topics"
)

// Validate judges a record of an input as its fold would, without folding it: with the same readers
// and the same bounds. A reason means that it would become a dead letter. What depends on what was
// folded before, as the number of a station's connectors, is not judged.
func Validate(topic string, key, value []byte, arrival chargestream.Millis) (Reason, error) {
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
	_, reason, err := admit(&t, m)
	return reason, err
}
