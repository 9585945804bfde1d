package processors_test

import (
	"strings"
	"testing"
	"time"

	"chargestream"
	"chargestream/processors"
	"chargestream/topics"
)

// TestValidate: a record is judged as its fold judges it.
func TestValidate(t *testing.T) {
	const noon = chargestream.Millis(1772452800000)
	const start = `{"event":"session_start","session_id":"s","station_id":"a",` +
		`"start_time":"2026-03-02T12:00:00Z"}`
	const tariff = `{"tariff_id":"t","versions":[{"valid_from":"2026-01-01T00:00:00Z","tariff":` +
		`{"currency":"EUR","elements":[{"price_components":[{"type":"ENERGY","price":1,` +
		`"step_size":1}]}]}}]}`
	const beat = `{"station_id":"a","timestamp":"2026-02-02T12:00:00Z"}`
	const zone = `{"station_id":"a","time_zone":"Mars"}`
	coin := strings.Replace(tariff, "EUR", "EURO", 1)
	for name, c := range map[string]struct {
		topic, key, value string
		arrival           chargestream.Millis
		reason            processors.Reason
		why               string
	}{
		"a start": {topics.ChargingSessions, "a", start, noon, "", ""},
		"another key": {topics.ChargingSessions, "b", start, noon, "key_mismatch",
			`key "b"`},
		"no key": {topics.ChargingSessions, "", start, noon, "null_key", "keyed"},
		"from the future": {topics.ChargingSessions, "a", start, noon - 2*chargestream.Day,
			"future", "2026"},
		"too late":            {topics.Heartbeats, "a", beat, noon, "late", "kept for"},
		"no JSON":             {topics.MeterValues, "a", `{`, noon, "malformed", ""},
		"a station":           {topics.Stations, "a", `{"station_id":"a"}`, noon, "", ""},
		"a zone that is none": {topics.Stations, "a", zone, noon, "malformed", "time_zone"},
		"a tariff":            {topics.Tariffs, "t", tariff, noon, "", ""},
		"a tariff's key":      {topics.Tariffs, "u", tariff, noon, "tariff_refused", `key "u"`},
		"a currency of none":  {topics.Tariffs, "t", coin, noon, "tariff_refused", "currency"},
		"no input":            {topics.Invoices, "t", "{}", noon, "malformed", "no input"},
	} {
		j := processors.Validate(c.topic, []byte(c.key), []byte(c.value), c.arrival, nil)
		reason, err := j.Reason, j.Err
		if reason != c.reason || (err == nil) != (c.reason == "") ||
			err != nil && !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %q, %v; want %q and %q", name, reason, err, c.reason, c.why)
		}
	}
}

// TestValidateKnowsTheZone: a time without a zone is refused, and taken where the zone is known. A
// side field that cannot be read is named and left out.
func TestValidateKnowsTheZone(t *testing.T) {
	const noon = chargestream.Millis(1772452800000)
	text := []byte(`{"station_id":"a","timestamp":"2026-03-02T12:59:00","power_w":1,` +
		`"current_a":"x"}`)
	j := processors.Validate(topics.MeterValues, []byte("a"), text, noon, nil)
	if j.Reason != processors.ReasonMalformed || !j.NeedsZone {
		t.Errorf("without a zone: %+v", j)
	}
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	j = processors.Validate(topics.MeterValues, []byte("a"), text, noon, paris)
	if j.Reason != "" || j.NeedsZone || len(j.Dropped) != 1 || j.Dropped[0] != "current_a" {
		t.Errorf("in Paris: %+v", j)
	}
}
