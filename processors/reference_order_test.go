package processors_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"chargestream"
	"chargestream/codecs"
	"chargestream/engine"
	"chargestream/processors"
	"chargestream/topics"
)

// piece is a part of a history that is imported: reference data and sessions, with the arrivals
// that they had.
type piece struct{ reference, sessions []engine.Message }

// drawPiece is a piece of so many sessions of a day: half an hour and 4 kWh each.
func drawPiece(t *testing.T, day chargestream.Millis, sessions int) piece {
	t.Helper()
	record := func(topic, key string, value any, at chargestream.Millis) engine.Message {
		text, ok := value.([]byte)
		if !ok {
			var err error
			if text, err = json.Marshal(value); err != nil {
				t.Fatal(err)
			}
		}
		return engine.Message{Topic: topic, Partition: -1, Key: key, HasKey: true, Value: text,
			Arrival: int64(at), Timestamp: int64(at)}
	}
	tariff := chargestream.TariffHistory{TariffID: "t", Versions: []chargestream.TariffVersion{{
		ValidFrom: day - 100*chargestream.Day, Tariff: json.RawMessage(`{"country_code":"FR",` +
			`"party_id":"TST","id":"t","currency":"EUR","elements":[{"price_components":` +
			`[{"type":"ENERGY","price":0.4,"vat":20,"step_size":1}]}]}`)}}}
	p := piece{reference: []engine.Message{
		record(topics.Stations, "st", chargestream.StationInfo{StationID: "st", TariffID: "t",
			TimeZone: "Europe/Paris"}, day),
		record(topics.Tariffs, "t", tariff, day)}}
	for i := range sessions {
		start := day + chargestream.Millis(i+1)*chargestream.Hour
		energy := chargestream.WattHours(4000)
		id := chargestream.SessionID(fmt.Sprint(start))
		end := start + 30*chargestream.Minute
		value, err := codecs.EncodeEvent(&chargestream.SessionRecord{
			Start: chargestream.SessionStart{StationID: "st", ConnectorID: "1", SessionID: id,
				UserID: "card-7", Time: start},
			End: chargestream.SessionEnd{StationID: "st", ConnectorID: "1", SessionID: id,
				Time: end, Energy: &energy}})
		if err != nil {
			t.Fatal(err)
		}
		p.sessions = append(p.sessions, record(topics.ChargingSessions, "st", value, end))
	}
	return p
}

// live are the documents that stand after records were read in an order, by session: status and
// total.
func live(t *testing.T, until chargestream.Millis, lists ...[]engine.Message) map[string]string {
	t.Helper()
	d, err := engine.NewDriver(partitions, processors.All(nil)...)
	if err != nil {
		t.Fatal(err)
	}
	stands := map[string]string{}
	d.OnRecord = func(topic, _ string, value []byte, _ []engine.Header) {
		switch topic {
		case topics.Invoices:
			var v chargestream.Invoice
			if err := json.Unmarshal(value, &v); err != nil {
				t.Fatal(err)
			}
			if v.Kind == chargestream.KindInvoice {
				stands[string(v.SessionID)] = fmt.Sprint(v.Status, v.HoldReasons, v.TotalInclVAT)
			}
		case topics.DeadLetters:
			t.Fatalf("dead letter: %s", value)
		}
	}
	for _, m := range slices.Concat(lists...) {
		if err := d.Feed(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Tick(int64(until)); err != nil {
		t.Fatal(err)
	}
	return stands
}

// TestPiecesInAnyOrder imports two pieces of a history, with the reference data of each, in any
// order: the same bills stand, and nothing waits for a fact that does not come.
func TestPiecesInAnyOrder(t *testing.T) {
	const sessions = 20
	may := begin
	old := drawPiece(t, may-30*chargestream.Day, sessions)
	recent := drawPiece(t, may, sessions)
	until := may + 3*chargestream.Day
	want := live(t, until, old.reference, old.sessions, recent.reference, recent.sessions)
	for name, order := range map[string][][]engine.Message{
		"the newer one first": {recent.reference, recent.sessions, old.reference, old.sessions},
		"sessions first": {recent.sessions, old.sessions, recent.reference,
			old.reference},
		"the older reference data last": {recent.reference, recent.sessions, old.sessions,
			old.reference},
		"the newer reference data only": {old.sessions, recent.sessions, recent.reference},
	} {
		got := live(t, until, order...)
		if len(got) != 2*sessions || len(want) != 2*sessions {
			t.Errorf("%s: %d bills, want %d", name, len(got), len(want))
		}
		for id, bill := range want {
			if got[id] != bill || bill != "issued[]1.92" {
				t.Errorf("%s: session %s is %s, want %s", name, id, got[id], bill)
			}
		}
	}
}
