package benchmarks_test

import (
	"testing"
	"time"

	"chargestream"
	"chargestream/benchmarks"
	"chargestream/billing"
	"chargestream/codecs"
	"chargestream/engine"
	"chargestream/pricing"
	"chargestream/processors"
	"chargestream/tables"
	"chargestream/topics"
)

// commitEvery is how many records a commit of 100 ms holds at 200,000 records a second.
const commitEvery = 20_000

// BenchmarkTopology folds records through all processors in memory: decoding, folds, rows of
// several tables, encoding; no broker. One operation is the whole workload; events/s is the
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
				d.CommitEvery = commitEvery
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

// rows are the rows of the sessions and hours of one station.
type rows struct {
	sessions map[chargestream.SessionID]*tables.Session
	hours    map[chargestream.Millis]*tables.Hour
}

// Peek implements tables.Rows.
func (r *rows) Peek(id chargestream.SessionID) (*tables.Session, error) {
	return r.sessions[id], nil
}

// Session implements tables.Rows.
func (r *rows) Session(id chargestream.SessionID) (*tables.Session, error) {
	if r.sessions[id] == nil {
		r.sessions[id] = &tables.Session{}
	}
	return r.sessions[id], nil
}

// Hour implements tables.Rows.
func (r *rows) Hour(_ chargestream.ConnectorID, start chargestream.Millis) (*tables.Hour, error) {
	if r.hours[start] == nil {
		r.hours[start] = &tables.Hour{}
	}
	return r.hours[start], nil
}

// PeekHour implements tables.Rows.
func (r *rows) PeekHour(_ chargestream.ConnectorID, start chargestream.Millis) (*tables.Hour,
	error) {
	return r.hours[start], nil
}

// warmStation is a station in the middle of a session.
func warmStation(b *testing.B) (*tables.Station, *rows) {
	b.Helper()
	s := &tables.Station{ID: "depot-0001"}
	r := &rows{map[chargestream.SessionID]*tables.Session{},
		map[chargestream.Millis]*tables.Hour{}}
	for _, e := range []chargestream.Event{
		&chargestream.StatusReport{StationID: "depot-0001", ConnectorID: "1", Time: at,
			Status: "Charging"},
		&chargestream.SessionStart{StationID: "depot-0001", ConnectorID: "1", SessionID: "s-1",
			UserID: "u-1", Time: at},
		meterValue(1),
	} {
		if err := s.Fold(r, e, e.At()+chargestream.Second); err != nil {
			b.Fatal(err)
		}
	}
	return s, r
}

// BenchmarkFoldMeter is the pure fold of one decoded meter value into a warm row: on time, and
// late, when it goes to the session and the hour at once.
func BenchmarkFoldMeter(b *testing.B) {
	for name, delay := range map[string]chargestream.Millis{
		"timely": chargestream.Second, "late": 2 * chargestream.Hour} {
		b.Run(name, func(b *testing.B) {
			s, r := warmStation(b)
			m := meterValue(2)
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Fold(r, m, m.Time+delay); err != nil {
					b.Fatal(err)
				}
			}
		})
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
	s, _ := warmStation(b)
	row := s.Append(nil)
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		buf := make([]byte, 0, 2*len(row))
		for b.Loop() {
			buf = s.Append(buf[:0])
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := tables.DecodeStation(s.ID, row); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// book is reference data that is parsed, as processors have it.
type book struct {
	station *tables.Registry
	tariff  *tables.Tariff
	parsed  *pricing.Tariff
}

// Registry implements billing.Book.
func (b *book) Registry(chargestream.StationID) (*tables.Registry, error) { return b.station, nil }

// Tariff implements billing.Book.
func (b *book) Tariff(chargestream.TariffID) (*tables.Tariff, error) { return b.tariff, nil }

// Parse implements billing.Book.
func (b *book) Parse([]byte) (*pricing.Tariff, error) { return b.parsed, nil }

// Location implements billing.Book.
func (b *book) Location(string) *time.Location { return time.UTC }

// BenchmarkInvoice bills one settled session: all that is known of it, as a document with its id.
func BenchmarkInvoice(b *testing.B) {
	energy := chargestream.WattHours(12_345)
	row := tables.Session{
		Starts: []tables.Start{{Arrival: at, At: at, ConnectorID: "1", UserID: "u-1"}},
		Ends:   []tables.End{{Arrival: at, At: at + chargestream.Hour, Energy: &energy}},
		Low:    at, LastStart: at, LastEnd: at + chargestream.Hour,
	}
	raw := []byte(`{"currency":"EUR","elements":[{"price_components":[
		{"type":"ENERGY","price":0.45,"vat":20,"step_size":1},
		{"type":"TIME","price":1.20,"vat":20,"step_size":60}]}]}`)
	tariff, err := pricing.Parse(raw)
	if err != nil {
		b.Fatal(err)
	}
	info := &chargestream.StationInfo{StationID: "depot-0001", TariffID: "t"}
	parsed := &book{parsed: tariff,
		station: &tables.Registry{Revisions: []tables.RegistryRevision{{Arrival: 1, Info: info}}},
		tariff: &tables.Tariff{Revisions: []tables.TariffRevision{{Arrival: 1,
			Versions: []chargestream.TariffVersion{{ValidFrom: 1, Tariff: raw}}}}}}
	noHours := func(chargestream.ConnectorID, chargestream.Millis) (*tables.Hour, error) {
		return nil, nil
	}
	s := &billing.Session{ID: "s-1", Station: "depot-0001", Row: &row, Hours: noHours,
		Book: parsed}
	b.ReportAllocs()
	for b.Loop() {
		if list, err := s.History(at + 2*chargestream.Hour); err != nil || len(list) != 1 {
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
