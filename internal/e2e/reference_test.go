//go:build faults

package e2e_test

import (
	"encoding/json"
	"testing"

	"chargestream/ingest"
	"chargestream/internal/sim"
	"chargestream/topics"
)

// referenceOf are the registry and the tariffs of a world, as records.
func referenceOf(t *testing.T, w *sim.World) []ingest.Record {
	t.Helper()
	var list []ingest.Record
	add := func(topic, key string, value any) {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, ingest.Record{Topic: topic, Key: key, Value: text})
	}
	for _, s := range w.Stations() {
		add(topics.Stations, string(s.StationID), s)
	}
	for _, tariff := range w.Tariffs() {
		add(topics.Tariffs, string(tariff.TariffID), tariff)
	}
	return list
}
