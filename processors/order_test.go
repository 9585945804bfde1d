package processors_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"chargestream"
	"chargestream/codecs"
	"chargestream/engine"
	"chargestream/internal/seeded"
	"chargestream/processors"
	"chargestream/tables"
	"chargestream/topics"
)

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
func run(t *testing.T, list []record, end chargestream.Millis) *outcome {
	t.Helper()
	out := &outcome{live: map[chargestream.SessionID]string{},
		ids: map[chargestream.SessionID]string{}}
	d, err := engine.NewDriver(partitions, processors.All(nil)...)
	if err != nil {
		t.Fatal(err)
	}
	out.Driver = d
	d.OnRecord = func(topic, _ string, value []byte, _ []engine.Header) {
		if topic == topics.Invoices {
			out.bill(t, value)
		}
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
	return out
}

// outcome is what became of the records.
type outcome struct {
	*engine.Driver
	// live and ids are what the invoices say that no note cancels, and their ids.
	live, ids map[chargestream.SessionID]string
}

func (o *outcome) bill(t *testing.T, value []byte) {
	t.Helper()
	var v chargestream.Invoice
	if err := json.Unmarshal(value, &v); err != nil {
		t.Fatal(err)
	}
	live := o.live[v.SessionID]
	switch {
	case v.Kind == chargestream.KindCreditNote && v.Credits == o.ids[v.SessionID] && live != "":
		delete(o.live, v.SessionID)
	case v.Kind == chargestream.KindInvoice && live == "":
		o.ids[v.SessionID] = v.InvoiceID
		// A fact that is read behind its moment makes one document more, so these may differ.
		v.InvoiceID, v.Revision, v.IssuedAt, v.BookingDate = "", 0, 0, ""
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		o.live[v.SessionID] = string(text)
	default:
		t.Fatalf("%s while %s is live", value, live)
	}
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
	tariff := json.RawMessage(`{"currency":"EUR","elements":[{"price_components":[
		{"type":"ENERGY","price":0.45,"vat":20,"step_size":1},
		{"type":"TIME","price":1.20,"vat":20,"step_size":1}]}]}`)
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
	m := engine.Message{Topic: topic, Partition: -1, Key: key, HasKey: true, Value: text,
		Arrival: int64(begin - chargestream.Day)}
	if err := d.Feed(m); err != nil {
		t.Fatal(err)
	}
}

// TestOrderDoesNotMatter is the idea of the design: the same events in any order, any number of
// times and in any split give the same facts in every table, byte for byte, and the same live
// invoices. How far a session has been told, and what the windows answered by then, is no fact.
func TestOrderDoesNotMatter(t *testing.T) {
	s := seeded.Seed(t)
	for round := range uint64(12) {
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
			if diff := compareTables(t, want, got); diff != "" {
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
		if diff := compareTables(t, want, run(t, list, begin+chargestream.Day)); diff != "" {
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

// factsOf is a row without how far it has come.
func factsOf(t *testing.T, table string, row []byte) []byte {
	t.Helper()
	if table != topics.TableSessions || row == nil {
		return row
	}
	s, err := tables.DecodeSession(row)
	if err != nil {
		t.Fatal(err)
	}
	return s.Facts()
}

func compareTables(t *testing.T, want, got *outcome) string {
	t.Helper()
	for id, v := range want.live {
		if got.live[id] != v {
			return fmt.Sprintf("session %q is billed by\n%s\n%s\n%s\n%s", id,
				v, got.live[id],
				sessionOf(want, id), sessionOf(got, id))
		}
	}
	if len(want.live) != len(got.live) {
		return fmt.Sprintf("%d live invoices, %d", len(want.live), len(got.live))
	}
	for _, group := range []string{topics.TableStations, topics.TableHours, topics.TableSessions} {
		a, b := want.Rows(group), got.Rows(group)
		for _, key := range slices.Sorted(maps.Keys(joined(a, b))) {
			if !bytes.Equal(factsOf(t, group, a[key]), factsOf(t, group, b[key])) {
				return fmt.Sprintf("%s %q:\n%s\n%s", group, key, show(group, a[key]),
					show(group, b[key]))
			}
		}
	}
	return ""
}

// sessionOf are the rows of a session, to be read.
func sessionOf(o *outcome, id chargestream.SessionID) string {
	text := ""
	for key, row := range o.Rows(topics.TableSessions) {
		if strings.HasSuffix(key, "/"+string(id)) {
			text += key + ": " + show(topics.TableSessions, row) + "\n"
		}
	}
	return text
}

func joined(a, b map[string][]byte) map[string][]byte {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func show(group string, row []byte) string {
	if row == nil {
		return "nothing"
	}
	var v any
	var err error
	switch group {
	case topics.TableStations:
		v, err = tables.DecodeStation("", row)
	case topics.TableHours:
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
