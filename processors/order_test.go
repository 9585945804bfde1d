package processors_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"chargestream"
	"chargestream/codecs"
	"chargestream/internal/engine"
	"chargestream/processors"
	"chargestream/tables"
	"chargestream/topics"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the random scripts; 0 takes one from the clock")

func seed(t *testing.T) uint64 {
	t.Helper()
	s := *seedFlag
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("run again with -seed %d", s)
	return s
}

const partitions = 4

var begin = chargestream.MillisOf(time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC))

// record is an event with its arrival.
type record struct {
	topic   string
	event   chargestream.Event
	arrival chargestream.Millis
}

func (r record) message(t *testing.T) engine.Message {
	t.Helper()
	value, err := codecs.EncodeEvent(r.event)
	if err != nil {
		t.Fatal(err)
	}
	return engine.Message{
		Topic:     r.topic,
		Partition: -1,
		Key:       string(r.event.Station()),
		HasKey:    true,
		Value:     value,
		Arrival:   int64(r.arrival),
		Timestamp: int64(r.arrival),
	}
}

// randomRecords are events of a few stations over two days, with everything that must not
// matter: late ones, equal times, sessions told twice with other content, ends without starts,
// starts without ends, samples without sessions, clocks that are ahead.
func randomRecords(r *rand.Rand, n int) []record {
	words := []string{"Available", "Charging", "SuspendedEV", "Faulted", "Reserved", "occupied"}
	var list []record
	wh := func() *chargestream.WattHours {
		if r.IntN(4) == 0 {
			return nil
		}
		v := chargestream.WattHours(r.IntN(60000))
		return &v
	}
	for range n {
		station := chargestream.StationID(fmt.Sprintf("st-%d", r.IntN(3)))
		connector := chargestream.ConnectorID(fmt.Sprint(1 + r.IntN(2)))
		session := chargestream.SessionID(fmt.Sprintf("%s-%s-%d", station, connector, r.IntN(6)))
		at := begin + chargestream.Millis(r.IntN(3*48))*20*chargestream.Minute
		if r.IntN(2) == 0 {
			at += chargestream.Millis(r.IntN(3600000))
		}
		arrival := at + chargestream.Millis(r.IntN(5000))
		switch r.IntN(12) {
		case 0:
			arrival = at + chargestream.Millis(r.IntN(int(20*chargestream.Hour)))
		case 1:
			arrival = at - chargestream.Millis(r.IntN(int(9*chargestream.Minute)))
		}
		rec := record{arrival: arrival}
		switch k := r.IntN(10); {
		case k < 3:
			rec.topic, rec.event = topics.StationStatus, &chargestream.StatusReport{
				StationID:   station,
				ConnectorID: connector,
				Time:        at,
				Status:      words[r.IntN(len(words))],
			}
		case k < 6:
			m := &chargestream.MeterValue{
				StationID:   station,
				ConnectorID: connector,
				Time:        at,
				Energy:      wh(),
			}
			if r.IntN(3) > 0 {
				m.SessionID = session
			}
			if r.IntN(2) == 0 {
				p := chargestream.Watts(r.IntN(300))
				m.Power = &p
			}
			rec.topic, rec.event = topics.MeterValues, m
		case k < 8:
			rec.topic, rec.event = topics.ChargingSessions, &chargestream.SessionStart{
				StationID:   station,
				ConnectorID: connector,
				SessionID:   session,
				UserID:      "u1",
				Time:        at,
				Meter:       wh(),
			}
		case k < 9:
			e := &chargestream.SessionEnd{
				StationID:   station,
				SessionID:   session,
				Time:        at,
				Energy:      wh(),
				Meter:       wh(),
				Reason:      "Local",
				ConnectorID: connector,
			}
			rec.topic, rec.event = topics.ChargingSessions, e
		default:
			rec.topic, rec.event = topics.Heartbeats, &chargestream.Heartbeat{
				StationID: station,
				Time:      at,
			}
		}
		list = append(list, rec)
	}
	return list
}

// run feeds records and then moves time on, so that all that is due is done.
func run(t *testing.T, list []record, end chargestream.Millis) *engine.Driver {
	t.Helper()
	d, err := engine.NewDriver(partitions, processors.All(nil)...)
	if err != nil {
		t.Fatal(err)
	}
	feedReference(t, d)
	for _, r := range list {
		if err := d.Feed(r.message(t)); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Tick(int64(end)); err != nil {
		t.Fatal(err)
	}
	return d
}

func feedReference(t *testing.T, d *engine.Driver) {
	t.Helper()
	for topic, entries := range reference() {
		for key, value := range entries {
			feedJSON(t, d, topic, key, value)
		}
	}
}

// reference is the registry and the tariffs of the tests.
func reference() map[string]map[string]any {
	stations := map[string]any{}
	for i := range 3 {
		id := fmt.Sprintf("st-%d", i)
		stations[id] = chargestream.StationInfo{
			StationID: chargestream.StationID(id),
			TariffID:  "t",
		}
	}
	tariff := chargestream.Tariff{Currency: "EUR", Elements: []chargestream.TariffElement{{
		PriceComponents: []chargestream.PriceComponent{
			{Type: "ENERGY", Price: "0.45", VAT: "20", StepSize: 1},
			{Type: "TIME", Price: "1.20", VAT: "20", StepSize: 1}}}}}
	return map[string]map[string]any{topics.Stations: stations, topics.Tariffs: {
		"t": chargestream.TariffHistory{TariffID: "t", Versions: []chargestream.TariffVersion{
			{ValidFrom: begin - chargestream.Day, Tariff: tariff}}}}}
}

func feedJSON(t *testing.T, d *engine.Driver, topic, key string, value any) {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	m := engine.Message{Topic: topic, Partition: -1, Key: key, HasKey: true, Value: text}
	if err := d.Feed(m); err != nil {
		t.Fatal(err)
	}
}

// TestOrderDoesNotMatter is the idea of the design: the same events in any order, any number of
// times and in any split give the same bytes in every table.
func TestOrderDoesNotMatter(t *testing.T) {
	s := seed(t)
	for round := range uint64(60) {
		r := rand.New(rand.NewPCG(s, round))
		list := randomRecords(r, 10+r.IntN(150))
		for _, end := range []chargestream.Millis{lastArrival(list), begin + 30*chargestream.Day} {
			want := run(t, list, end)
			shuffled := slices.Concat(list, list[:r.IntN(len(list))])
			r.Shuffle(
				len(shuffled),
				func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] },
			)
			got := run(t, shuffled, end)
			if diff := compareTables(want, got); diff != "" {
				t.Fatalf("round %d, end %s: %s", round, end, diff)
			}
		}
	}
}

// TestCopiesInAnyOrder has starts of the same moment whose arrivals change places when all of them
// are known.
func TestCopiesInAnyOrder(t *testing.T) {
	start := func(id string, at, arrival chargestream.Millis) record {
		return record{topic: topics.ChargingSessions, arrival: begin + arrival,
			event: &chargestream.SessionStart{StationID: "st-0", ConnectorID: "1", UserID: "u",
				SessionID: chargestream.SessionID(id), Time: begin + at}}
	}
	const second = chargestream.Second
	for name, list := range map[string][]record{
		"earlier arrival": {start("a", 0, 10*second), start("b", 0, 20*second),
			start("b", 0, 5*second)},
		"other start": {start("a", 0, 20*second), start("b", 0, 30*second),
			start("a", chargestream.Minute, 5*second)},
		"equal arrival": {start("b", 0, 10*second), start("a", 0, 20*second),
			start("a", 0, 10*second)},
	} {
		want := run(t, list, begin+chargestream.Day)
		slices.Reverse(list)
		if diff := compareTables(want, run(t, list, begin+chargestream.Day)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// lastArrival is the arrival of the last record, and so what stream time comes to; the delay of
// timers on top makes sure that it is the same in every partition.
func lastArrival(list []record) chargestream.Millis {
	var last chargestream.Millis
	for _, r := range list {
		last = max(last, r.arrival)
	}
	return last
}

func compareTables(want, got *engine.Driver) string {
	for _, group := range []string{topics.GroupStations, topics.GroupHours, topics.GroupSessions} {
		a, b := want.Rows(group), got.Rows(group)
		for key, row := range a {
			if !bytes.Equal(row, b[key]) {
				return fmt.Sprintf(
					"%s %q:\n%s\n%s",
					group,
					key,
					show(group, row),
					show(group, b[key]),
				)
			}
		}
		for key := range b {
			if _, ok := a[key]; !ok {
				return fmt.Sprintf("%s %q: only in the second: %s", group, key, show(group, b[key]))
			}
		}
	}
	return ""
}

func show(group string, row []byte) string {
	var v any
	var err error
	switch group {
	case topics.GroupStations:
		v, err = tables.DecodeStation(row)
	case topics.GroupHours:
		v, err = tables.DecodeHour(row)
	default:
		v, err = tables.DecodeSession(row)
	}
	if err != nil {
		return fmt.Sprintf("%x: %v", row, err)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
