// Package benchmarks is the load that chargestream is measured by, and the measurements: go test
// -bench. It holds workloads as a library, so that a test, a benchmark and a comparison with
// another engine use the same records.
//
// It refuses to know what a good number is: see README.md for what is compared with what.
package benchmarks

import (
	"fmt"

	"chargestream"
	"chargestream/codecs"
	"chargestream/engine"
	"chargestream/internal/sim"
)

// Config is a workload.
type Config struct {
	// Seed is that of the simulated world.
	Seed uint64
	// Connectors of the depot; all plug in within the same minute. 500 by default.
	Connectors int
	// Span is how long the burst is followed. 15 minutes by default.
	Span chargestream.Millis
}

// Burst is a fleet that comes home: every connector of the depot starts a session within one
// minute and sends status and meter values from then on. That all come within a minute is a
// stress assumption that no data shows; see README.md. The records are encoded as they lie in
// Kafka, in the order in which they arrive.
func Burst(c Config) ([]engine.Message, error) {
	if c.Connectors == 0 {
		c.Connectors = 500
	}
	records := sim.Burst(sim.Config{Seed: c.Seed, DepotConnectors: c.Connectors, Span: c.Span})
	return messages(records)
}

// Day is a simulated day of a depot and a city, of which the busiest hour has the share of the
// arrivals that real data shows.
func Day(c Config, records int) ([]engine.Message, error) {
	if c.Connectors == 0 {
		c.Connectors = 500
	}
	return messages(sim.Journal(sim.Config{Seed: c.Seed, DepotConnectors: c.Connectors,
		CityStations: c.Connectors}, records))
}

func messages(records []sim.Record) ([]engine.Message, error) {
	list := make([]engine.Message, len(records))
	for i, r := range records {
		value, err := codecs.EncodeEvent(r.Event)
		if err != nil {
			return nil, fmt.Errorf("encode record %d: %w", i, err)
		}
		list[i] = engine.Message{Topic: r.Topic, Partition: -1, Key: string(r.Event.Station()),
			HasKey: true, Value: value, Arrival: int64(r.Arrival), Timestamp: int64(r.Arrival)}
	}
	return list, nil
}
