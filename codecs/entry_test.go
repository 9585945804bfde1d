package codecs

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"chargestream"
)

func drawStation(t *rapid.T) *chargestream.StationInfo {
	text := rapid.SampledFrom([]string{"", "a", "st-1", " a", "ü \"x\" \\ \t", "\ufffd", "<&>"})
	watts := rapid.SampledFrom([]chargestream.Watts{0, 1, 22_000, -5})
	info := &chargestream.StationInfo{StationID: chargestream.StationID(text.Draw(t, "station")),
		Name: text.Draw(t, "name"), SiteID: chargestream.SiteID(text.Draw(t, "site")),
		Latitude:  rapid.SampledFrom([]float64{0, 48.85, -33.1, 95}).Draw(t, "lat"),
		Longitude: rapid.SampledFrom([]float64{0, 2.35, -1e-7}).Draw(t, "lon"),
		TimeZone:  text.Draw(t, "zone"), Region: text.Draw(t, "region"),
		TariffID: chargestream.TariffID(text.Draw(t, "tariff")),
		MaxPower: watts.Draw(t, "power"), Calibrated: rapid.Bool().Draw(t, "calibrated")}
	for range rapid.IntRange(0, 3).Draw(t, "connectors") {
		info.Connectors = append(info.Connectors, chargestream.ConnectorInfo{
			ConnectorID: chargestream.ConnectorID(text.Draw(t, "connector")),
			Type:        text.Draw(t, "type"), MaxPower: watts.Draw(t, "rating"),
			Calibrated:  rapid.Bool().Draw(t, "signed"),
			MeterSerial: text.Draw(t, "serial"), PublicKey: text.Draw(t, "key")})
	}
	return info
}

// TestPlainStation: what the generated code reads of an entry the lenient reader reads alike,
// whatever became of its bytes, and it reads every entry that is written as the format says.
func TestPlainStation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		info := drawStation(t)
		value, err := json.Marshal(info)
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(0, 3).Draw(t, "faults") {
			at := rapid.IntRange(0, len(value)-1).Draw(t, "at")
			piece := rapid.SampledFrom([]string{"", "null", ",", "\"", "0", ".5", "e3", "}", " ",
				`"name":"b",`, `"Name":"c",`, `"site_id":null,`, `"connectors":[],`, "\xff", "-",
				`"evses":[],`, `"x_own":1,`}).Draw(t, "piece")
			cut := rapid.IntRange(0, min(4, len(value)-at)).Draw(t, "cut")
			value = append(append(append([]byte(nil), value[:at]...), piece...), value[at+cut:]...)
		}
		plain := PlainStation(value)
		if plain == nil {
			return
		}
		lenient := &chargestream.StationInfo{}
		if err := Read(value, lenient, stationHints()); err != nil {
			t.Fatalf("the lenient reader refuses %s: %v", value, err)
		}
		if diff := cmp.Diff(lenient, plain, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%s (-lenient +plain):\n%s", value, diff)
		}
	})
}

// TestPlainStationIsTaken holds that the generated code reads what is written as the format says.
func TestPlainStationIsTaken(t *testing.T) {
	text := `{"station_id":"st-1","name":"Quai 1","site_id":"s","lat":48.85,"lon":2.35,` +
		`"time_zone":"Europe/Paris","region":"IDF","tariff_id":"t","max_power_w":22000,` +
		`"calibrated":true,"connectors":[{"connector_id":"1","type":"IEC_62196_T2",` +
		`"max_power_w":11000,"calibrated":true,"meter_serial":"m","public_key":"k"}]}`
	got := PlainStation([]byte(text))
	if back, err := json.Marshal(got); got == nil || err != nil || string(back) != text {
		t.Errorf("%s, %v", back, err)
	}
	for _, other := range []string{"", "null", "{}", `{"StationID":"a"}`, `{"station_id":1}`,
		`{"station_id":"a","tarif_id":"t"}`, `{"station_id":"a",}`, `{"station_id":" a"}`} {
		if PlainStation([]byte(other)) != nil {
			t.Errorf("%s is taken", other)
		}
	}
}
