package codecs_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream"
	"chargestream/codecs"
)

// TestDecodeLocation reads an OCPI 2.2.1 Location as an entry of the registry.
func TestDecodeLocation(t *testing.T) {
	connector := func(id, more string) string {
		return `{"id":"` + id + `","standard":"IEC_62196_T2","format":"SOCKET","power_type":` +
			`"AC_3_PHASE","max_voltage":230,"max_amperage":32,"max_electric_power":22000,` +
			`"last_updated":"2026-01-01T00:00:00Z"` + more + `}`
	}
	evse := func(uid string, connectors ...string) string {
		return `{"uid":"` + uid + `","evse_id":"FR*TST*E1","status":"AVAILABLE","connectors":[` +
			strings.Join(connectors, ",") + `]}`
	}
	location := func(evses ...string) string {
		return `{"country_code":"FR","party_id":"TST","id":"LOC1","publish":true,"name":"Quai",` +
			`"address":"Quai 1","city":"Lyon","postal_code":"69000","country":"FRA",` +
			`"coordinates":{"latitude":"45.764","longitude":"4.8357"},"evses":[` +
			strings.Join(evses, ",") + `],"time_zone":"Europe/Paris",` +
			`"last_updated":"2026-01-01T00:00:00Z"}`
	}
	const tariff = `,"tariff_ids":["t-1"]`
	info := func(connectors ...chargestream.ConnectorID) *chargestream.StationInfo {
		want := &chargestream.StationInfo{StationID: "LOC1", SiteID: "LOC1", Name: "Quai",
			Region: "Lyon", TimeZone: "Europe/Paris", TariffID: "t-1", Latitude: 45.764,
			Longitude: 4.8357}
		for _, id := range connectors {
			want.Connectors = append(want.Connectors, chargestream.ConnectorInfo{ConnectorID: id,
				Type: "IEC_62196_T2", MaxPower: 22000})
		}
		return want
	}
	for name, c := range map[string]struct {
		text string
		want *chargestream.StationInfo
	}{
		"one EVSE": {location(evse("E1", connector("1", tariff), connector("2", tariff))),
			info("1", "2")},
		"several": {location(evse("E1", connector("1", tariff)), evse("E2", connector("1", ""))),
			info("E1", "E2")},
		"several of several": {location(evse("E1", connector("1", tariff), connector("2", "")),
			evse("E2", connector("1", ""))), info("E1-1", "E1-2", "E2")},
	} {
		got, err := codecs.DecodeStation([]byte(c.text))
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	for want, text := range map[string]string{
		"evses.connectors.tariff_ids: [\"t-1\" \"t-2\"] are several": location(evse("E1",
			connector("1", tariff), connector("2", `,"tariff_ids":["t-2"]`))),
		"station_id is missing":        strings.Replace(location(evse("E1")), `"LOC1"`, `""`, 1),
		`latitude: "45,7" has a comma`: strings.Replace(location(evse("E1")), "45.764", "45,7", 1),
		"lat: 95 is no number of degrees": strings.Replace(location(evse("E1")), "45.764", "95",
			1),
	} {
		_, err := codecs.DecodeStation([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// TestDecodeStationOfOtherSpelling takes each field in another spelling and form.
func TestDecodeStationOfOtherSpelling(t *testing.T) {
	want := &chargestream.StationInfo{StationID: "7", SiteID: "2", Latitude: 45.5, Longitude: -4,
		TariffID: "t", MaxPower: 22000, Calibrated: true, Connectors: []chargestream.ConnectorInfo{
			{ConnectorID: "1", Type: "IEC_62196_T2", MaxPower: 11000, MeterSerial: "12",
				Calibrated: true}}}
	got, err := codecs.DecodeStation([]byte(`{"stationId":7,"SITE_ID":2,"latitude":"45.5",` +
		`"longitude":-4.0,"tariffId":" t ","maxPowerW":"2.2e4","calibrated":"true","name":null,` +
		`"connectors":[{"connectorId":1,"type":"IEC_62196_T2","max-power-w":11000.0,` +
		`"meterSerial":12,"calibrated":true}],"vendor":"x"}`))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}
