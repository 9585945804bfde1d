package benchmarks_test

import (
	"testing"
	"time"

	"chargestream"
	"chargestream/benchmarks"
	"chargestream/codecs"
	"chargestream/internal/engine"
	"chargestream/pricing"
	"chargestream/processors"
	"chargestream/tables"
	"chargestream/topics"
)

// BenchmarkTopology folds records through all processors in memory: decoding, folds, parts from
// table to table, encoding; no broker. One operation is the whole workload; events/s is the
// figure to read.
func BenchmarkTopology(b *testing.B) {
	burst, err := benchmarks.Burst(benchmarks.Config{Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	day, err := benchmarks.Day(benchmarks.Config{Seed: 1}, 50_000)
	if err != nil {
		b.Fatal(err)
	}
	for name, list := range map[string][]engine.Message{"burst": burst, "day": day} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				d, err := engine.NewDriver(4, processors.All(nil)...)
				if err != nil {
					b.Fatal(err)
				}
				for _, m := range list {
					if err := d.Feed(m); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.N)*float64(len(list))/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func meterValue(i int) *chargestream.MeterValue {
	energy := chargestream.WattHours(1_000_000 + i)
	power := chargestream.Watts(7400)
	return &chargestream.MeterValue{StationID: "depot-0001", ConnectorID: "1", SessionID: "s-1",
		Time: at + chargestream.Millis(i%800)*chargestream.Second, Energy: &energy, Power: &power,
		Context: "Sample.Periodic"}
}

const at = chargestream.Millis(1_772_438_400_000)

// warmStation is a station in the middle of a session.
func warmStation() *tables.Station {
	s, out := &tables.Station{}, &tables.StationEffects{}
	for _, e := range []chargestream.Event{
		&chargestream.StatusReport{StationID: "depot-0001", ConnectorID: "1", Time: at,
			Status: "Charging"},
		&chargestream.SessionStart{StationID: "depot-0001", ConnectorID: "1", SessionID: "s-1",
			UserID: "u-1", Time: at},
		meterValue(1),
	} {
		s.Fold(e, e.At()+chargestream.Second, out)
	}
	return s
}

// BenchmarkFoldMeter is the pure fold of one decoded meter value into a warm row.
func BenchmarkFoldMeter(b *testing.B) {
	s, out := warmStation(), &tables.StationEffects{}
	m := meterValue(2)
	b.ReportAllocs()
	for b.Loop() {
		s.Fold(m, m.Time+chargestream.Second, out)
	}
}

// BenchmarkDecodeMeter reads the JSON of one meter value.
func BenchmarkDecodeMeter(b *testing.B) {
	value, err := codecs.EncodeEvent(meterValue(3))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(value)))
	for b.Loop() {
		if _, err := codecs.DecodeMeter(value); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStationRow writes and reads the row that every event of a station costs.
func BenchmarkStationRow(b *testing.B) {
	s := warmStation()
	row := s.Append(nil)
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		buf := make([]byte, 0, 2*len(row))
		for b.Loop() {
			buf = s.Append(buf)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := tables.DecodeStation(row); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// book is reference data that is ready, as processors have it.
type book struct {
	station, tariff *tables.Reference
	parsed          *pricing.Tariff
}

// Reference implements tables.Book.
func (b *book) Reference(key string) (*tables.Reference, error) {
	if key == "t" {
		return b.tariff, nil
	}
	return b.station, nil
}

// Tariff implements tables.Book.
func (b *book) Tariff([]byte) (*pricing.Tariff, error) { return b.parsed, nil }

// Location implements tables.Book.
func (b *book) Location(string) *time.Location { return time.UTC }

// BenchmarkInvoice bills one settled session: all that is known of it, as a document with its id.
func BenchmarkInvoice(b *testing.B) {
	energy := chargestream.WattHours(12_345)
	s := tables.Session{
		StationID: "depot-0001", Heard: at + 2*chargestream.Hour,
		Verdict: tables.Verdict{Known: true},
		Starts:  []tables.Start{{Arrival: at, At: at, ConnectorID: "1", UserID: "u-1"}},
		Ends:    []tables.End{{Arrival: at, At: at + chargestream.Hour, Energy: &energy}},
	}
	raw := []byte(`{"currency":"EUR","elements":[{"price_components":[
		{"type":"ENERGY","price":0.45,"vat":20,"step_size":1},
		{"type":"TIME","price":1.20,"vat":20,"step_size":60}]}]}`)
	tariff, err := pricing.Parse(raw)
	if err != nil {
		b.Fatal(err)
	}
	ready := &book{parsed: tariff, station: &tables.Reference{Registry: []tables.RegistryRevision{
		{Arrival: 1, Info: &chargestream.StationInfo{StationID: "depot-0001", TariffID: "t"}}}},
		tariff: &tables.Reference{Tariffs: []tables.TariffRevision{{Arrival: 1,
			Versions: []chargestream.TariffVersion{{ValidFrom: 1, Tariff: raw}}}}}}
	b.ReportAllocs()
	for b.Loop() {
		if list, err := s.History("s-1", ready, s.Heard); err != nil || len(list) != 1 {
			b.Fatal(len(list), err)
		}
	}
}

// BenchmarkPartition places one key.
func BenchmarkPartition(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if engine.PartitionOf("depot-0001", 12) < 0 || topics.MeterValues == "" {
			b.Fatal("cannot be")
		}
	}
}
