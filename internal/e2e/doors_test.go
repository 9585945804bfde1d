package e2e_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream/codecs"
	"chargestream/ingest"
	"chargestream/pricing"
	"chargestream/topics"
)

// door is a way in: its reader, and a record that all fields of the leniencies are in.
type door struct {
	name   string
	read   func(value []byte) (any, error)
	record map[string]any
	// The names of fields of a kind.
	ids, numbers, times, sides []string
	unknown                    bool // fields that are almost known are refused
}

// eventDoor is a topic of events.
func eventDoor(topic string, d door) door {
	t, _ := topics.Lookup(topic)
	d.name = topic
	d.read = func(value []byte) (any, error) { return t.Decode(value) }
	return d
}

// doors are all that take JSON.
func doors() []door {
	const at = "2026-03-02T12:00:00Z"
	return []door{
		eventDoor(topics.StationStatus, door{
			record: map[string]any{"station_id": "17", "connector_id": "1", "timestamp": at,
				"status": "Available", "error_code": "4"},
			ids: []string{"station_id", "connector_id"}, times: []string{"timestamp"},
			sides: []string{"error_code"}}),
		eventDoor(topics.MeterValues, door{
			record: map[string]any{"station_id": "17", "connector_id": "1", "session_id": "5",
				"timestamp": at, "energy_wh": 22000, "power_w": 22000, "current_a": 22000,
				"voltage_v": 22000, "soc_percent": 22000, "context": "4"},
			ids: []string{"station_id", "connector_id", "session_id"}, times: []string{"timestamp"},
			numbers: []string{"energy_wh", "power_w", "current_a", "voltage_v", "soc_percent"},
			sides:   []string{"power_w", "current_a", "voltage_v", "soc_percent", "context"}}),
		eventDoor(topics.Heartbeats, door{
			record: map[string]any{"station_id": "17", "timestamp": at},
			ids:    []string{"station_id"}, times: []string{"timestamp"}}),
		eventDoor(topics.ChargingSessions, door{
			record: map[string]any{"station_id": "17", "connector_id": "1", "session_id": "5",
				"user_id": "9", "start_time": at, "end_time": at, "meter_start_wh": 22000,
				"meter_stop_wh": 22000, "energy_wh": 22000, "reason": "4"},
			ids:     []string{"station_id", "connector_id", "session_id", "user_id"},
			numbers: []string{"meter_start_wh", "meter_stop_wh", "energy_wh"},
			times:   []string{"start_time", "end_time"}, sides: []string{"reason"}}),
		eventDoor(topics.BillingDecisions, door{
			record: map[string]any{"decision_id": "3", "station_id": "17", "session_id": "5",
				"decided_at": at, "by": "9", "reason": "4", "action": "correct",
				"correction": map[string]any{"energy_wh": 22000}},
			ids:     []string{"decision_id", "station_id", "session_id", "by"},
			numbers: []string{"correction.energy_wh"}, times: []string{"decided_at"},
			unknown: true}),
		{name: topics.Stations,
			read: func(value []byte) (any, error) { return codecs.DecodeStation(value) },
			record: map[string]any{"station_id": "17", "site_id": "2", "tariff_id": "3",
				"max_power_w": 22000, "connectors": []any{map[string]any{"connector_id": "1",
					"max_power_w": 22000}}},
			ids:     []string{"station_id", "site_id", "tariff_id", "connectors.connector_id"},
			numbers: []string{"max_power_w", "connectors.max_power_w"}, unknown: true},
		{name: topics.Tariffs,
			read: func(value []byte) (any, error) { return pricing.ParseHistory(value) },
			record: map[string]any{"tariff_id": "3", "versions": []any{map[string]any{
				"valid_from": at, "tariff": json.RawMessage(`{"currency":"EUR","elements":[` +
					`{"price_components":[{"type":"FLAT","price":1}]}]}`)}}},
			ids: []string{"tariff_id"}, times: []string{"versions.valid_from"}, unknown: true},
	}
}

// with is the record with another value, as raw JSON, of a field, or with the field under another
// name; without both it is left out. A field within an object, or within the first of a list, has
// its path before it.
func (d *door) with(field, rename, value string) []byte {
	var record map[string]any
	if err := json.Unmarshal(mustJSON(d.record), &record); err != nil {
		panic(err) // it was written the line before
	}
	at, name := record, field
	if outer, inner, ok := strings.Cut(field, "."); ok {
		name = inner
		switch v := record[outer].(type) {
		case map[string]any:
			at = v
		case []any:
			at = v[0].(map[string]any)
		}
	}
	old := at[name]
	delete(at, name)
	switch {
	case field == "":
	case rename != "":
		at[rename] = old
	case value != "":
		at[name] = json.RawMessage("\"VALUE\"")
	}
	return []byte(strings.Replace(string(mustJSON(record)), `"VALUE"`, value, 1))
}

// twice is the record with a field a second time, in the same spelling: in front of it, with a
// value as raw JSON.
func (d *door) twice(field, value string) []byte {
	name := fmt.Sprintf("%q:", last(field))
	text := string(d.with(field, "", string(d.value(field))))
	at := strings.Index(text, name)
	if outer, _, ok := strings.Cut(field, "."); ok {
		begin := strings.Index(text, fmt.Sprintf("%q:", outer))
		at = begin + strings.Index(text[begin:], name)
	}
	return []byte(text[:at] + name + value + "," + text[at:])
}

// goWords are words that no message to a user may have.
var goWords = regexp.MustCompile(`json:|unmarshal|Go struct|Go value|strconv|int64|float64|` +
	`parsing|codecs\.|chargestream\.|of type |%!|\[\]byte|<nil>`)

// refuses holds that a value is refused with field, value, what is expected and what to do.
func (d *door) refuses(t *testing.T, value []byte, field, shown string) {
	t.Helper()
	got, err := d.read(value)
	if err == nil {
		t.Errorf("%s takes %s as %+v", d.name, value, got)
		return
	}
	_, name, inner := strings.Cut(field, ".")
	if !inner {
		name = field
	}
	text := err.Error()
	for _, line := range strings.Split(text, "\n") {
		expected, do, ok := strings.Cut(line, "; ")
		if !ok || do == "" || !strings.Contains(expected, ": ") {
			t.Errorf("%s, %s: %q does not say what is expected and what to do", d.name, value, line)
		}
	}
	if !strings.Contains(text, name) || !strings.Contains(text, shown) {
		t.Errorf("%s, %s: %q has not %s and %s", d.name, value, text, name, shown)
	}
	if word := goWords.FindString(text); word != "" {
		t.Errorf("%s, %s: %q has the word %q", d.name, value, text, word)
	}
}

// takes holds that a record means the same as the plain one.
func (d *door) takes(t *testing.T, value []byte) {
	t.Helper()
	plain, err := d.read(d.with("", "", ""))
	if err != nil {
		t.Fatalf("%s: the plain record: %v", d.name, err)
	}
	got, err := d.read(value)
	if err != nil {
		t.Errorf("%s refuses %s: %v", d.name, value, err)
		return
	}
	if diff := cmp.Diff(plain, got); diff != "" {
		t.Errorf("%s takes %s as another (-want +got):\n%s", d.name, value, diff)
	}
}

// camel is a name in camelCase.
func camel(name string) string {
	words := strings.Split(name, "_")
	for i, w := range words[1:] {
		words[i+1] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "")
}

func last(field string) string { return field[strings.LastIndex(field, ".")+1:] }

// TestEveryInputIsADoor: a topic that is not in doors() is held against no leniency and no refusal.
func TestEveryInputIsADoor(t *testing.T) {
	known := map[string]bool{}
	for _, d := range doors() {
		known[d.name] = true
	}
	for _, topic := range topics.All() {
		fromOutside := topic.Kind == topics.KindInput || topic.Kind == topics.KindReference
		if fromOutside && !known[topic.Name] {
			t.Errorf("internal/e2e/doors_test.go, doors: a door of %s", topic.Name)
		}
	}
}

// TestDoorsTakeOneLeniency: what is unambiguous is taken at every door, and means the same.
func TestDoorsTakeOneLeniency(t *testing.T) {
	for _, d := range doors() {
		d.takes(t, append([]byte("\ufeff"), d.with("", "", "")...))
		for _, field := range d.ids {
			id := strings.Trim(string(d.value(field)), `"`)
			for _, same := range []string{id, `"` + id + `"`, `" ` + id + `\t"`,
				"\"\u00a0" + id + `"`} {
				d.takes(t, d.with(field, "", same))
			}
		}
		for _, field := range d.numbers {
			for _, same := range []string{"22000", "22000.0", "2.2e4", "2.2E+4", `"22000"`,
				`" 22000 "`, `"22000.0"`, `"2.2e4"`} {
				d.takes(t, d.with(field, "", same))
			}
		}
		for _, field := range d.times {
			for _, same := range []string{`"2026-03-02T12:00:00Z"`, `"2026-03-02T14:00:00+02:00"`,
				`"2026-03-02T14:00:00+02"`, `"2026-03-02T14:00:00+0200"`, `"2026-03-02 12:00:00Z"`,
				`"2026-03-02T12:00Z"`, `" 2026-03-02t12:00:00.000z "`, "1772452800",
				"1772452800000", `"1772452800"`, `"1772452800000"`, "1772452800.0",
				`"2026-03-02 12:00 UTC"`} {
				d.takes(t, d.with(field, "", same))
			}
		}
		for _, field := range append(append(append([]string{}, d.ids...), d.numbers...),
			d.times...) {
			name := last(field)
			for _, spelled := range []string{camel(name), strings.ToUpper(name),
				strings.ToUpper(camel(name)), strings.ReplaceAll(name, "_", "-"),
				strings.ToUpper(camel(name)[:1]) + camel(name)[1:]} {
				d.takes(t, d.with(field, spelled, ""))
			}
		}
	}
}

// value is the value of a field of the plain record.
func (d *door) value(field string) []byte {
	at := any(d.record)
	for _, name := range strings.Split(field, ".") {
		if list, ok := at.([]any); ok {
			at = list[0]
		}
		at = at.(map[string]any)[name]
	}
	return mustJSON(at)
}

// mustJSON writes what can always be written.
func mustJSON(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // a test's own values
	}
	return text
}

// TestDoorsRefuseInWords: what is ambiguous or wrong is refused at every door, with field, value,
// what is expected and what to do.
func TestDoorsRefuseInWords(t *testing.T) {
	for _, d := range doors() {
		for _, whole := range []string{"", "x", "[]", `"17"`, "17", "null", `{"station_id"`,
			"\x00\x00\x00\x00\x07abc", "\xff\xfe{"} {
			d.refuses(t, []byte(whole), "", "")
		}
		text := d.with("", "", "")
		d.refuses(t, fmt.Appendf(nil, `{"schema":{"type":"struct"},"payload":%s}`, text),
			"JsonConverter", "value.converter.schemas.enable=false")
		for _, field := range d.ids {
			for _, bad := range []string{"1.5", "1e3", "true", `{"a":1}`, "[1]"} {
				d.refuses(t, d.with(field, "", bad), field, bad)
			}
			d.refuses(t, d.with(field, "", `"a\u0001b"`), field, `a\x01b`)
			d.refuses(t, d.with(field, "", `"`+strings.Repeat("x", 256)+`"`), field, "256 bytes")
		}
		for _, field := range d.numbers {
			if slices.Contains(d.sides, field) {
				continue
			}
			for _, bad := range []string{`"22 kW"`, `"1,5"`, `"22.000,0"`, `"0x10"`, `"NaN"`,
				"true", `{"a":1}`, "[1]", "1e400"} {
				d.refuses(t, d.with(field, "", bad), field, strings.Trim(bad, `"`))
			}
		}
		for _, field := range d.times {
			for _, bad := range []string{`"2026-03-02T12:00:00"`, `"2026-03-02"`,
				`"02/03/2026 12:00"`, `"2026-02-30T12:00:00Z"`, "20260302", "20260302120000",
				"1772452800000000", "true", `{"a":1}`, `"noon"`} {
				d.refuses(t, d.with(field, "", bad), field, strings.Trim(bad, `"`))
			}
			for _, none := range []string{"", "null", "0", `"0"`, `""`, `"1970-01-01T00:00:00Z"`} {
				d.refuses(t, d.with(field, "", none), field, "missing")
			}
		}
		for _, field := range slices.Concat(d.ids, d.numbers, d.times) {
			if !slices.Contains(d.sides, field) {
				d.refuses(t, d.twice(field, "7"), field, string(d.value(field)))
			}
			d.takes(t, d.twice(field, string(d.value(field))))
			d.takes(t, d.twice(field, "null"))
		}
		for _, field := range append(append([]string{}, d.ids...), d.times...) {
			name := last(field)
			if string(d.value(field)) == `"x"` || strings.Contains(field, ".") {
				continue
			}
			both := strings.Replace(string(text), "{", fmt.Sprintf(`{%q:"2026-03-02T13:00:00Z",`,
				strings.ToUpper(name)), 1)
			d.refuses(t, []byte(both), field, strings.ToUpper(name))
		}
	}
}

// TestDoorsDropBadSideFields: the good fields of the record are kept, and the bad ones are named.
func TestDoorsDropBadSideFields(t *testing.T) {
	for _, d := range doors() {
		topic, ok := topics.Lookup(d.name)
		if !ok || topic.Read == nil {
			continue
		}
		for _, field := range d.sides {
			left, err := topic.Decode(d.with(field, "", "null"))
			if err != nil {
				t.Fatal(err)
			}
			bad := []string{`{"a":1}`, "[1]", "true"}
			if slices.Contains(d.numbers, field) {
				bad = append(bad, `"n/a"`, `"1,5"`, "1e400")
			}
			records := [][]byte{d.twice(field, "7")}
			for _, value := range bad {
				records = append(records, d.with(field, "", value))
			}
			for _, record := range records {
				var through codecs.Door
				got, err := topic.Read(record, &through)
				if diff := cmp.Diff(left, got); err != nil || diff != "" {
					t.Errorf("%s, %s in %s: %v\n%s", d.name, field, record, err, diff)
				}
				if diff := cmp.Diff([]string{field}, through.Dropped); diff != "" {
					t.Errorf("%s, %s in %s: dropped\n%s", d.name, field, record, diff)
				}
			}
		}
	}
}

// TestDoorsOfReferenceDataRefuseWhatIsAlmostKnown: an ignored field would unbill or unprotect.
func TestDoorsOfReferenceDataRefuseWhatIsAlmostKnown(t *testing.T) {
	for _, d := range doors() {
		if !d.unknown {
			continue
		}
		for name, meant := range map[string]map[string]string{
			topics.Stations: {"tarif_id": "tariff_id", "tariff": "tariff_id",
				"tariffs": "tariff_id", "max_power_kw": "max_power_w", "maxPowerKW": "max_power_w",
				"power_w": "max_power_w", "calibration": "calibrated", "eichrecht": "calibrated",
				"timezone_name": "time_zone", "stationid_": "", "connector": "connectors",
				"max_electric_power": "max_power_w", "rating_kw": "max_power_w"},
			topics.Tariffs: {"tarif_id": "tariff_id", "version": "versions", "valid_from": ""},
			topics.BillingDecisions: {"hold_reason": "hold_reasons", "corection": "correction",
				"decided": ""},
		}[d.name] {
			if meant == "" {
				continue
			}
			text := strings.Replace(string(d.with("", "", "")), "{", fmt.Sprintf(`{%q:1,`, name), 1)
			d.refuses(t, []byte(text), name, "did you mean "+meant)
		}
		foreign := strings.Replace(string(d.with("", "", "")), "{",
			`{"vendor":{"a":[1]},"x_tariff":1,"note":"n",`, 1)
		d.takes(t, []byte(foreign))
	}
	list := doors()
	tariffs := list[slices.IndexFunc(list, func(d door) bool { return d.name == topics.Tariffs })]
	for _, name := range []string{"valid_to", "valid_until", "validTo", "note"} {
		text := strings.Replace(string(tariffs.with("", "", "")), `"valid_from"`,
			fmt.Sprintf(`%q:"2027-01-01T00:00:00Z","valid_from"`, name), 1)
		tariffs.refuses(t, []byte(text), "versions[0]."+name, "unknown field")
	}
}

// importDoor reads one row of a file, in which cells replace those of a plain row.
func importDoor(cells map[string]string) (*ingest.Sessions, error) {
	columns, err := ingest.ParseMap([]byte(`
sessions:
  session_id: {column: session_id}
  station_id: {column: station_id}
  connector_id: {column: connector_id}
  user_id: {column: user_id}
  start_time: {column: start_time, formats: [iso8601, unix]}
  end_time: {column: end_time, formats: [iso8601, unix]}
  energy_wh: {column: energy_wh}
  meter_start_wh: {column: meter_start_wh}
stations:
  station_id: {column: station_id}
  lat: {column: lat}
`))
	if err != nil {
		return nil, err
	}
	plain := map[string]string{"session_id": "5", "station_id": "17", "connector_id": "1",
		"user_id": "9", "start_time": "2026-03-02T12:00:00Z", "end_time": "2026-03-02T12:00:00Z",
		"energy_wh": "22000", "meter_start_wh": "22000", "lat": "45"}
	var names, row []string
	for _, name := range slices.Sorted(maps.Keys(plain)) {
		value, ok := cells[name]
		if !ok {
			value = plain[name]
		}
		names = append(names, name)
		row = append(row, `"`+strings.ReplaceAll(value, `"`, `""`)+`"`)
	}
	return ingest.ReadSessions(strings.NewReader("\ufeff"+strings.Join(names, ",")+"\r\n"+
		strings.Join(row, ",")+"\r\n"), columns)
}

// TestImportTakesAndRefusesAlike: a cell is read as a text of JSON is.
func TestImportTakesAndRefusesAlike(t *testing.T) {
	plain, err := importDoor(nil)
	if err != nil || plain.Rows != 1 {
		t.Fatalf("%+v, %v", plain, err)
	}
	same := map[string][]string{
		"station_id": {" 17", "17\u00a0"}, "user_id": {"9 "},
		"energy_wh": {"22000.0", "2.2e4", " 22000 ", "22 kWh", "22,000.0", "22 000", "0,022 MWh"},
		"start_time": {"2026-03-02T14:00:00+02", "2026-03-02T14:00:00+0200", "2026-03-02 12:00Z",
			"1772452800", "1772452800000", "2026-03-02 12:00 UTC"},
		"connector_id": {"", "NA", "null"}}
	for name, values := range same {
		for _, value := range values {
			got, err := importDoor(map[string]string{name: value})
			if err != nil || got.Rows != 1 {
				t.Errorf("import refuses %s %q: %+v, %v", name, value, got, err)
				continue
			}
			if diff := cmp.Diff(plain.Events, got.Events); diff != "" {
				t.Errorf("import takes %s %q as another:\n%s", name, value, diff)
			}
		}
	}
	bad := map[string][]string{
		"station_id": {"", "NA", "a\x01b", strings.Repeat("x", 256)}, "session_id": {"", "0", "-1"},
		"connector_id": {"1/2"}, "user_id": {"a\x01b"},
		"start_time": {"", "NA", "0", "1970-01-01", "2026-03-02 12:00:00", "20260302", "noon"},
		"end_time":   {"2026-02-30T12:00:00Z", "1772452800000000"},
		"energy_wh":  {"22 kW", "1,234", "0x10", "1e400", "many", "1.2.3"},
		"lat":        {"91", "north", "1,234"}}
	for name, values := range bad {
		for _, value := range values {
			got, err := importDoor(map[string]string{name: value})
			if err != nil || got.BadRows != 1 {
				t.Errorf("import takes %s %q: %+v, %v", name, value, got, err)
				continue
			}
			reason := got.Bad[0].Reason
			expected, do, ok := strings.Cut(reason, "; ")
			if !ok || do == "" || !strings.Contains(expected, ": ") ||
				!strings.Contains(reason, name) || goWords.MatchString(reason) {
				t.Errorf("import, %s %q: %q", name, value, reason)
			}
		}
	}
}
