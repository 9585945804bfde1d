package ingest_test

import (
	"errors"
	"strings"
	"testing"
	_ "time/tzdata" // the zones of the tests, wherever they run

	"chargestream/ingest"
)

func TestBadMaps(t *testing.T) {
	for name, tc := range map[string]struct{ old, new, message string }{
		"unknown key": {"  user_id:", "  users: {column: u}\n  user_id:",
			"[6:3] unknown field"},
		"unknown in field": {"{column: user}", "{colum: user}", `unknown field "colum"`},
		"two ways":         {"{column: user}", "{column: user, value: u}", "2 are given"},
		"no way":           {"{column: user}", "{absent: [x]}", "0 are given"},
		"required": {"  station_id:   {column: station}\n", "",
			"sessions.station_id is missing"},
		"unit of a text": {"column: user", "column: user, unit: h", "only an energy and a"},
		"unit twice":     {"column: kwh", "column: kwh, unit: Wh", "the name has the unit"},
		"no unit":        {"  energy_kwh:", "  energy:", "unit is missing"},
		"unknown unit": {"  energy_kwh:   {column: kwh}", "  energy: {column: kwh, unit: J}",
			"none of Wh"},
		"unit of a duration": {"  energy_kwh:", "  duration: {column: d, unit: d}\n  energy_kwh:",
			"none of ms"},
		"two formats": {"start, format: rfc3339", "start, format: rfc3339, formats: [epoch_s]",
			"both given"},
		"with alone":        {"column: user", "column: user, with: x", "with belongs to join"},
		"decimal":           {"\nsessions:", "\ndecimal: x\nsessions:", "neither a point"},
		"thousands":         {"\nsessions:", "\nthousands: x\nsessions:", "thousands"},
		"zone of all":       {"\nsessions:", "\ntime_zone: Local\nsessions:", "no IANA name"},
		"no format":         {"start, format: rfc3339", "start", "sessions.start_time: format is"},
		"format of no time": {"column: user", "column: user, format: x", "only a time has"},
		"no layout": {"start, format: rfc3339", "start, format: iso",
			`format "iso" is neither`},
		"no zone": {"start, format: rfc3339", `start, format: "2006-01-02 15:04"`,
			"time_zone is needed"},
		"bad zone": {"start, format: rfc3339",
			`start, format: "2006-01-02 15:04", time_zone: Paris`, "no IANA name"},
		"zone twice": {"start, format: rfc3339", "start, format: epoch_s, time_zone: UTC",
			"must be left out"},
		"two energies": {"  energy_kwh:", "  energy_wh: {column: wh}\n  energy_kwh:",
			"both given"},
		"end arrival": {"stations:\n", "  end_arrival: never\nstations:\n", `"never" is neither`},
		"delimiter":   {"\nsessions:", "\ndelimiter: \"||\"\nsessions:", "delimiter"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(plain, tc.old, tc.new, 1)
			if text == plain {
				t.Fatal("the map was not changed")
			}
			_, err := ingest.ParseMap([]byte(text))
			if !errors.Is(err, ingest.ErrMap) || !strings.Contains(err.Error(), tc.message) {
				t.Errorf("error %v, want %q", err, tc.message)
			}
		})
	}
	if _, err := ingest.ParseMap(nil); !errors.Is(err, ingest.ErrMap) {
		t.Errorf("empty map: %v", err)
	}
}

func TestTimes(t *testing.T) {
	const local = `"02/01/2006 15:04", time_zone: Europe/Paris`
	for _, tc := range []struct{ format, text, want string }{
		{"epoch_s", "1490998085", "2017-03-31T22:08:05Z"},
		{"epoch_s", "1490998085.25", "2017-03-31T22:08:05.25Z"},
		{"epoch_ms", "1490998085001", "2017-03-31T22:08:05.001Z"},
		{"rfc3339", "2017-04-01T00:08:05.5+02:00", "2017-03-31T22:08:05.5Z"},
		{`"2006-01-02 15:04:05 -0700"`, "2017-04-01 00:08:05 +0200", "2017-03-31T22:08:05Z"},
		{local, "01/04/2017 00:08", "2017-03-31T22:08:00Z"},
		{local, "01/01/2017 00:08", "2016-12-31T23:08:00Z"},
		{local, "29/10/2017 02:30", "2017-10-29T00:30:00Z"}, // shown twice
		{local, "29/10/2017 03:00", "2017-10-29T02:00:00Z"},
		{local, "26/03/2017 02:30", "2017-03-26T01:30:00Z"}, // skipped: a clock not set yet
		{"iso8601", "2017-04-01 00:08+02", "2017-03-31T22:08:00Z"},
		{"iso8601, time_zone: Europe/Paris", "2017-04-01 00:08", "2017-03-31T22:08:00Z"},
		{"iso8601", "2017-04-01 00:08", ""}, // no zone
		{`"02/01/2006 15:04", zone_column: no, time_zone: America/Denver`, "11/03/2018 02:23",
			"2018-03-11T09:23:00Z"}, // MST, where the clocks had moved on
		{local, "31/02/2017 02:30", ""},
		{"epoch_s", "-5", ""},
		{"epoch_s", "1e3x", ""},
		{"rfc3339", "2017-04-01 00:08:05", ""},
	} {
		m := parse(t, "sessions:\n  session_id: {value: a}\n  station_id: {value: s}\n"+
			"  user_id: {value: u}\n  start_time: {column: at, format: "+tc.format+"}\n"+
			"delimiter: \";\"\n")
		got := read(t, m, "no;at\nMST;"+tc.text+"\n")
		switch {
		case tc.want == "" && got.BadRows != 1:
			t.Errorf("%s %q gave %v, want a bad row", tc.format, tc.text, tell(got.Events))
		case tc.want != "" && (len(got.Events) != 1 || got.Events[0].Arrival.String() != tc.want):
			t.Errorf("%s %q gave %v %v, want %s", tc.format, tc.text, tell(got.Events), got.Bad,
				tc.want)
		}
	}
}
