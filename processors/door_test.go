package processors_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream"
	"chargestream/engine"
	"chargestream/tables"
	"chargestream/topics"
)

// TestEnvelopesOfKafkaConnect: what its JsonConverter wraps is refused, by its name and with the
// setting that ends it.
func TestEnvelopesOfKafkaConnect(t *testing.T) {
	const value = `{"event":"session_end","session_id":"s","station_id":"st",` +
		`"end_time":"2026-03-01T06:00:00Z"}`
	const wrapped = `{"schema":{"type":"struct","optional":false},"payload":` + value + `}`
	const keyEnvelope = `{"schema":{"type":"string","optional":false},"payload":"st"}`
	for name, c := range map[string]struct{ topic, key, value, reason, names string }{
		"key in quotes": {topics.ChargingSessions, `"st"`, value, "key_mismatch",
			"key.converter=org.apache.kafka.connect.storage.StringConverter"},
		"both in envelopes": {topics.ChargingSessions, keyEnvelope, wrapped, "malformed",
			"value.converter.schemas.enable=false"},
		"key in an envelope": {topics.ChargingSessions, keyEnvelope, value, "key_mismatch",
			"key.converter=org.apache.kafka.connect.storage.StringConverter"},
		"value in an envelope": {topics.ChargingSessions, "st", wrapped, "malformed",
			"value.converter.schemas.enable=false"},
		"registry": {topics.Stations, "st", wrapped, "malformed",
			"value.converter.schemas.enable=false"},
		"registry, key in quotes": {topics.Stations, `"st"`, `{"station_id":"st"}`, "malformed",
			"key.converter=org.apache.kafka.connect.storage.StringConverter"},
		"decision": {topics.BillingDecisions, "st", wrapped, "malformed",
			"value.converter.schemas.enable=false"},
		"tariff": {topics.Tariffs, "t", wrapped, "tariff_refused",
			"value.converter.schemas.enable=false"},
		"blanks around a key": {topics.ChargingSessions, " st", value, "key_mismatch",
			"trim the key"},
	} {
		r := newReferenceRun(t)
		r.feed(c.topic, c.key, c.value, 1)
		if len(r.dead) != 1 || !strings.HasPrefix(r.dead[0], c.reason+": ") ||
			!strings.Contains(r.dead[0], c.names) {
			t.Errorf("%s: dead letters %q, want %s with %s", name, r.dead, c.reason, c.names)
		}
		if strings.Contains(c.value, "payload") && !strings.Contains(r.dead[0], "JsonConverter") {
			t.Errorf("%s: %q does not name the envelope", name, r.dead)
		}
	}
}

// TestEventWithoutKey is folded for the station that it names, in whatever partition it lies.
func TestEventWithoutKey(t *testing.T) {
	r := newReferenceRun(t)
	r.driver.OnRecord = func(topic, key string, _ []byte, _ []engine.Header) {
		if topic != topics.Heartbeats || key != "17" {
			t.Errorf("a record for %s, %q", topic, key)
		}
	}
	for partition := range int32(3) {
		at := begin + chargestream.Millis(partition)*chargestream.Minute
		err := r.driver.Feed(engine.Message{Topic: topics.Heartbeats, Partition: partition,
			Value:   fmt.Appendf(nil, `{"stationId":17,"timestamp":"%s"}`, at),
			Arrival: int64(at)})
		if err != nil {
			t.Fatal(err)
		}
	}
	row, err := tables.DecodeStation("17", r.driver.Rows(topics.TableStations)["17"])
	if err != nil || row.LastSeen != begin+2*chargestream.Minute {
		t.Errorf("row %+v, %v", row, err)
	}
}

// TestSideFieldIsCounted: a side field that cannot be read costs itself alone.
func TestSideFieldIsCounted(t *testing.T) {
	r := newReferenceRun(t)
	r.feed(topics.MeterValues, "st", `{"station_id":"st","timestamp":"2026-03-01T06:00:00Z",`+
		`"energy_wh":1000,"current_a":"n/a","soc_percent":{}}`, 0)
	want := map[string]int{topics.MeterValues + " current_a": 1, topics.MeterValues +
		" soc_percent": 1}
	if diff := cmp.Diff(want, r.counts.bounds); diff != "" || len(r.dead) > 0 {
		t.Errorf("counted (-want +got):\n%s\ndead letters %q", diff, r.dead)
	}
}

// TestBareTariffFollows: an OCPI Tariff that stands alone counts from when it was updated, and what
// began before keeps its price.
func TestBareTariffFollows(t *testing.T) {
	bare := func(price, updated string) string {
		return fmt.Sprintf(`{"country_code":"FR","party_id":"TST","id":"a","currency":"EUR",`+
			`"elements":[{"price_components":[{"type":"ENERGY","price":%s,"step_size":1}]}],`+
			`"last_updated":%q}`, price, updated)
	}
	r := newReferenceRun(t)
	first, second := bare("0.40", "2026-01-01T00:00:00Z"), bare("0.50", "2026-02-01T00:00:00Z")
	for minute, text := range []string{first, first, second, second, ""} {
		r.feed(topics.Tariffs, "a", text, minute)
	}
	const from, updated = chargestream.Millis(946684800000), chargestream.Millis(1769904000000)
	one := []chargestream.TariffVersion{{ValidFrom: from, Tariff: []byte(first)}}
	two := append(one, chargestream.TariffVersion{ValidFrom: updated, Tariff: []byte(second)})
	want := &tables.Tariff{Revisions: []tables.TariffRevision{
		{Arrival: begin, Versions: one}, {Arrival: begin + 2*chargestream.Minute, Versions: two},
		{Arrival: begin + 4*chargestream.Minute}}}
	if diff := cmp.Diff(want, r.row("a").Tariff); diff != "" || len(r.dead) > 0 {
		t.Errorf("row (-want +got):\n%s\ndead letters %q", diff, r.dead)
	}
}

// TestTariffInSeveralSpellings is one tariff, whatever case its id and its key have and in
// whatever partitions they lie; without a value it is no more.
func TestTariffInSeveralSpellings(t *testing.T) {
	version := func(id, price string) string {
		return fmt.Sprintf(`{"tariff_id":%q,"versions":[{"valid_from":"2026-01-01T00:00:00Z",`+
			`"tariff":{"currency":"EUR","elements":[{"price_components":[{"type":"ENERGY",`+
			`"price":%s,"step_size":1}]}]}}]}`, id, price)
	}
	r := newReferenceRun(t)
	r.driver.OnRecord = func(topic, key string, _ []byte, _ []engine.Header) {
		if topic != topics.Tariffs || key != "day" {
			t.Errorf("a record for %s, %q", topic, key)
		}
	}
	spelled := []string{"Day", "day", "DAY", "dAY", "DAy"}
	for minute, key := range spelled {
		r.feed(topics.Tariffs, key, version(spelled[(minute+1)%len(spelled)],
			fmt.Sprint(minute+1)), minute)
	}
	r.feed(topics.Tariffs, "daY", "", len(spelled))
	row := r.row("day").Tariff
	if row == nil || len(row.Revisions) != len(spelled)+1 {
		t.Fatalf("the row is %+v", row)
	}
	for i := range row.Revisions {
		var prices []string
		for _, v := range row.Revisions[i].Versions {
			prices = append(prices, string(v.Tariff))
		}
		want := fmt.Sprintf(`"price":%d,`, i+1)
		if text := strings.Join(prices, " "); i < len(spelled) && !strings.Contains(text, want) ||
			i == len(spelled) && text != "" {
			t.Errorf("revision %d is %q, want %s", i, text, want)
		}
	}
	for _, key := range spelled {
		if key != "day" && r.row(key).Tariff != nil {
			t.Errorf("there is a row %q", key)
		}
	}
}
