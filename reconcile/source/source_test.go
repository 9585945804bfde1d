package source

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/internal/kafkaread"
	"chargestream/internal/kafkatest"
	"chargestream/processors"
	"chargestream/reconcile"
	"chargestream/tables"
	"chargestream/topics"
)

var noon = chargestream.MillisOf(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC))

func wattHours(e chargestream.WattHours) *chargestream.WattHours { return &e }

// sessionRecord is the record of a session's row.
func sessionRecord(station chargestream.StationID, id chargestream.SessionID,
	row *tables.Session) *kgo.Record {
	return &kgo.Record{Topic: topics.Table(topics.TableSessions),
		Key: []byte(processors.SessionKey(station, id)), Value: row.Append(nil)}
}

// hourRecord is the record of a window of station a/b in which the register showed one value.
func hourRecord(start, at chargestream.Millis, energy chargestream.WattHours) *kgo.Record {
	q := tables.Quarter{Start: at.Truncate(chargestream.Quarter)}
	q.Add(&chargestream.MeterValue{Time: at, Energy: &energy})
	row := tables.Hour{Quarters: []tables.Quarter{q}}
	key := tables.HourKey{StationID: "a%2Fb", ConnectorID: "2", Start: start}
	return &kgo.Record{Topic: topics.Table(topics.TableHours), Key: []byte(key.String()),
		Value: row.Append(nil)}
}

// read produces rows and reads them for March 2026.
func read(t *testing.T, rows ...*kgo.Record) (*reconcile.Input, map[string][]string) {
	t.Helper()
	b := kafkatest.StartFake(t)
	for _, topic := range Topics() {
		kafkatest.MustTopics(t, b, kafkatest.Topic{Name: topic, Partitions: 1})
	}
	kafkatest.MustProduce(t, b, rows...)
	client, err := kgo.NewClient(append(kafkaread.Options(), kgo.SeedBrokers(b.Addrs()...))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	in := &reconcile.Input{From: noon - 36*chargestream.Hour, To: noon + 29*chargestream.Day}
	reader := &kafkaread.Reader{Client: client, Timeout: time.Minute}
	unreadable, err := Read(t.Context(), reader, in)
	if err != nil {
		t.Fatal(err)
	}
	return in, unreadable
}

func TestRead(t *testing.T) {
	end := noon + 40*chargestream.Minute
	row := &tables.Session{
		Starts: []tables.Start{{At: noon, Arrival: noon, ConnectorID: "2", UserID: "card-7",
			Meter: wattHours(1000)}},
		Ends: []tables.End{{At: end, Arrival: end, Meter: wattHours(5000)}}}
	row.BilledUpTo, row.DuplicateOf = noon+2*chargestream.Hour, "s-0"
	year := 365 * chargestream.Day
	in, unreadable := read(t, sessionRecord("a/b", "s-1", row),
		sessionRecord("a/b", "s-2", &tables.Session{}),
		hourRecord(noon, noon+20*chargestream.Minute, 3000),
		hourRecord(noon-year, noon-year, 7), hourRecord(noon+year, noon+year, 8))
	want := &reconcile.Input{From: in.From, To: in.To, AsOf: noon + chargestream.Hour,
		Sessions: []reconcile.Session{{ID: "s-1", StationID: "a/b", ConnectorID: "2", Start: noon,
			End: end, Energy: wattHours(4000), CopyOf: "s-0", Due: end + chargestream.Grace}},
		Registers: []reconcile.Register{
			{StationID: "a/b", ConnectorID: "2", Readings: []reconcile.Reading{
				{At: noon + 20*chargestream.Minute, Energy: 3000},
				{At: noon + 20*chargestream.Minute, Energy: 3000}}},
			{StationID: "a/b", ConnectorID: "2", Readings: []reconcile.Reading{
				{At: end, Energy: 5000}, {At: noon, Energy: 1000}}}}}
	byLength := cmpopts.SortSlices(func(a, b reconcile.Register) bool {
		return a.Readings[0].Energy < b.Readings[0].Energy
	})
	if diff := cmp.Diff(want, in, byLength); diff != "" {
		t.Errorf("input (-want +got):\n%s", diff)
	}
	if len(unreadable) > 0 {
		t.Errorf("unreadable: %v", unreadable)
	}
}

// TestReadNamesWhatItCannotRead: a row that cannot be read is named, unless it was written again or
// taken out; records of the engine are no rows.
func TestReadNamesWhatItCannotRead(t *testing.T) {
	table := topics.Table(topics.TableSessions)
	broken := func(key string) *kgo.Record {
		return &kgo.Record{Topic: table, Key: []byte(key), Value: []byte("C")}
	}
	in, unreadable := read(t, broken("st/s-1"), broken("st/s-2"), broken("st/s-3"),
		sessionRecord("st", "s-1", &tables.Session{Starts: []tables.Start{{At: noon}}}),
		&kgo.Record{Topic: table, Key: []byte("st/s-2")}, broken("\x00progress"),
		&kgo.Record{Topic: topics.Table(topics.TableHours), Key: []byte("noon"),
			Value: []byte("H")})
	if len(in.Sessions) != 1 || in.Sessions[0].ID != "s-1" {
		t.Errorf("sessions %+v", in.Sessions)
	}
	if len(unreadable) != 2 || len(unreadable[table]) != 1 ||
		len(unreadable[topics.Table(topics.TableHours)]) != 1 {
		t.Errorf("unreadable: %v", unreadable)
	}
}

// TestDue holds from when on a session must have a document, by decision 0010.
func TestDue(t *testing.T) {
	const minute, hour = chargestream.Minute, chargestream.Hour
	start := func(at, arrival chargestream.Millis) []tables.Start {
		return []tables.Start{{At: noon + at, Arrival: noon + arrival}}
	}
	end := func(at, arrival chargestream.Millis) []tables.End {
		return []tables.End{{At: noon + at, Arrival: noon + arrival}}
	}
	for name, c := range map[string]struct {
		row  tables.Session
		want chargestream.Millis
	}{
		"in time": {tables.Session{Starts: start(0, 1), Ends: end(hour, hour)},
			hour + 10*minute},
		"late end": {tables.Session{Starts: start(0, 1), Ends: end(hour, 3*hour+1)},
			3*hour + 15*minute},
		"late start": {tables.Session{Starts: start(0, 2*hour), Ends: end(hour, hour)}, 2 * hour},
		"no end":     {tables.Session{Starts: start(0, 1)}, 24 * hour},
		"no end of a late start": {tables.Session{Starts: start(0, 30*hour)},
			30*hour + 10*minute},
		"no start":    {tables.Session{Ends: end(0, 5*minute)}, 15 * minute},
		"nothing yet": {tables.Session{}, -noon},
	} {
		if due := dueBy(&c.row); due != noon+c.want {
			t.Errorf("%s: due %s, want %s", name, due, noon+c.want)
		}
	}
}

func TestConcerns(t *testing.T) {
	in := &reconcile.Input{From: noon, To: noon + chargestream.Hour}
	const far = 2 * chargestream.SessionSpanMax
	var concerned []string
	for name, v := range map[string]chargestream.Invoice{
		"within":        {StartTime: noon, EndTime: noon + 1, IssuedAt: noon + 2},
		"no times":      {IssuedAt: noon},
		"issued later":  {StartTime: noon, EndTime: noon + 1, IssuedAt: noon + far},
		"before":        {StartTime: noon - far, EndTime: noon - far, IssuedAt: noon - far},
		"after":         {StartTime: noon + far, EndTime: noon + far, IssuedAt: noon + far},
		"ended in time": {StartTime: noon - far, EndTime: noon, IssuedAt: noon},
	} {
		if Concerns(in, &v) {
			concerned = append(concerned, name)
		}
	}
	slices.Sort(concerned)
	want := []string{"ended in time", "issued later", "no times", "within"}
	if diff := cmp.Diff(want, concerned); diff != "" {
		t.Errorf("concerned (-want +got):\n%s", diff)
	}
}
