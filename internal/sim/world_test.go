package sim_test

import (
	"crypto/sha256"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream"
	"chargestream/internal/sim"
)

func digest(t *testing.T, records []sim.Record) [sha256.Size]byte {
	t.Helper()
	hash := sha256.New()
	encoder := json.NewEncoder(hash)
	for _, r := range records {
		if err := encoder.Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	return [sha256.Size]byte(hash.Sum(nil))
}

func TestSameSeedSameBytes(t *testing.T) {
	cfg := sim.Config{Seed: seed(t), Faults: sim.DefaultFaults()}
	const n = 100_000
	first := digest(t, sim.Journal(cfg, n))
	if digest(t, sim.Journal(cfg, n)) != first {
		t.Error("the same seed gave other records")
	}
	if diff := cmp.Diff(sim.New(cfg).Stations(), sim.New(cfg).Stations()); diff != "" {
		t.Error("the same seed gave another registry:", diff)
	}
	cfg.Seed++
	if digest(t, sim.Journal(cfg, n)) == first {
		t.Error("another seed gave the same records")
	}
}

func TestArrivalNeverGoesBack(t *testing.T) {
	w := sim.New(sim.Config{Seed: seed(t), Faults: sim.DefaultFaults()})
	last := w.Now()
	for range 200_000 {
		r := w.Next()
		if r.Arrival < last || w.Now() != r.Arrival {
			t.Fatalf("arrival %v after %v, now %v", r.Arrival, last, w.Now())
		}
		if r.Event.At() > r.Arrival {
			t.Fatalf("%T of %v arrived before, at %v", r.Event, r.Event.At(), r.Arrival)
		}
		last = r.Arrival
	}
}

// Without faults, what one station says arrives in order and within three seconds.
func TestNoFaults(t *testing.T) {
	heard := map[chargestream.StationID]chargestream.Millis{}
	for _, r := range sim.Journal(sim.Config{Seed: seed(t)}, 200_000) {
		at, id := r.Event.At(), r.Event.Station()
		if delay := r.Arrival - at; delay < 50 || delay > 3000 {
			t.Fatalf("delay of %d ms", delay)
		}
		if at < heard[id] {
			t.Fatalf("%s: %v after %v", id, at, heard[id])
		}
		heard[id] = at
	}
}

func TestRegistryAndTariffs(t *testing.T) {
	w := sim.New(sim.Config{Seed: seed(t), DepotConnectors: 31, CityStations: 120})
	tariffs := map[chargestream.TariffID]bool{}
	for _, history := range w.Tariffs() {
		tariffs[history.TariffID] = true
		for _, v := range history.Versions {
			var tariff struct {
				Elements []struct {
					PriceComponents []struct{ Price, VAT json.Number } `json:"price_components"`
				}
			}
			if err := json.Unmarshal(v.Tariff, &tariff); err != nil {
				t.Fatal(err)
			}
			for _, c := range tariff.Elements[0].PriceComponents {
				if c.VAT == "" || c.Price == "" {
					t.Errorf("%s: a price without VAT: %+v", history.TariffID, c)
				}
			}
		}
	}
	outlets := map[outlet]bool{}
	depot := 0
	for _, s := range w.Stations() {
		if !tariffs[s.TariffID] || s.TimeZone != sim.TimeZone || s.SiteID == "" || s.Name == "" {
			t.Errorf("incomplete: %+v", s)
		}
		if s.Latitude < 45.6 || s.Latitude > 45.9 || s.Longitude < 4.7 || s.Longitude > 5 {
			t.Errorf("%s lies at %v, %v", s.StationID, s.Latitude, s.Longitude)
		}
		var power chargestream.Watts
		for _, c := range s.Connectors {
			power += c.MaxPower
			outlets[outlet{s.StationID, c.ConnectorID}] = true
		}
		if power != s.MaxPower {
			t.Errorf("%s: %d W, its connectors %d W", s.StationID, s.MaxPower, power)
		}
		if s.SiteID == "lyon-depot" {
			depot += len(s.Connectors)
		}
	}
	if depot != 31 || len(w.Stations()) != 16+120 || len(outlets) != 31+240 {
		t.Errorf("%d depot connectors, %d stations, %d connectors",
			depot, len(w.Stations()), len(outlets))
	}
	for range 50_000 {
		switch e := w.Next().Event.(type) {
		case *chargestream.StatusReport:
			if !outlets[outlet{e.StationID, e.ConnectorID}] {
				t.Fatalf("not in the registry: %+v", e)
			}
		}
	}
}

func TestSmallWorlds(t *testing.T) {
	for _, cfg := range []sim.Config{
		{DepotConnectors: -1, CityStations: -1}, {DepotConnectors: -1}, {CityStations: -1},
		{DepotConnectors: 1, CityStations: 1, MeterEvery: 1, HeartbeatEvery: 1},
	} {
		if got := len(sim.Journal(cfg, 10_000)); got != 10_000 {
			t.Errorf("%+v: %d records", cfg, got)
		}
	}
	if got := len(sim.Journal(sim.Config{}, -1)); got != 0 {
		t.Errorf("%d records of none", got)
	}
}

func BenchmarkNext(b *testing.B) {
	w := sim.New(sim.Config{DepotConnectors: 500, CityStations: 1000,
		Faults: sim.DefaultFaults()})
	for w.Now() < sim.DefaultStart+5*chargestream.Hour {
		w.Next()
	}
	b.ReportAllocs()
	for b.Loop() {
		w.Next()
	}
}
