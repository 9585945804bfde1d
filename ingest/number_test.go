package ingest_test

import (
	"fmt"
	"strings"
	"testing"

	"chargestream/ingest"
)

// amounts is a map of one energy and one duration.
const amounts = `
delimiter: ";"
%s
sessions:
  session_id: {join: [id, part], with: "-"}
  station_id: {value: st}
  start_time: {column: start, format: rfc3339}
  duration: {column: took%s}
  energy: {column: energy, unit: kWh}
`

func TestEnergies(t *testing.T) {
	const comma, both, point = `decimal: ","`, "decimal: \",\"\nthousands: \".\"", `decimal: "."`
	for _, c := range []struct{ marks, text, want string }{
		{"", "12.5", "12.5"}, {"", "1.234", "1.234"}, {"", "1,234.5", "1234.5"},
		{"", "1.234,5", "1234.5"}, {"", "19,96", "19.96"}, {"", "11,41667", "11.417"},
		{"", "1,234", ""}, // thousands, or a decimal comma: nobody knows
		{"", "1 234,5", "1234.5"}, {"", "1'234.5", "1234.5"}, {"", "1\u202f234,5", "1234.5"},
		{"", "1,23,4", ""}, {"", "12 34", ""}, {"", "1.2.3", ""}, {"", "1,234,567", ""},
		{comma, "1,234", "1.234"}, {comma, "1.234,5", "1234.5"}, {comma, "1.5", ""},
		{both, "1.234", "1234"}, {both, "1.234.567,5", "1234567.5"}, {both, "1 234", ""},
		{point, "1,234", "1234"}, {point, "1,5", ""}, {"thousands: \",\"", "1,234", "1234"},
		{"", "17 kWh", "17"}, {"", "17000Wh", "17"}, {"", "0,017 MWh", "17"}, {"", "17 kW", ""},
		{"", "NA", "none"}, {"", "n/a", "none"}, {"", "#N/A", "none"}, {"", "NULL", "none"},
		{"", "-", "none"}, {"", "nan", "none"}, {"", "\\N", "none"}, {"", "0", "0"},
	} {
		m := parse(t, fmt.Sprintf(amounts, c.marks, ""))
		got := read(t, m, "id;part;start;took;energy\n1;a;2024-01-01T09:00:00Z;0:30;"+c.text+"\n")
		text := strings.Join(tell(got.Events), "")
		switch {
		case c.want == "" && (got.BadRows != 1 || !strings.Contains(got.Bad[0].Reason, "; ")):
			t.Errorf("%s %q gave %s, want a bad row: %v", c.marks, c.text, text, got.Bad)
		case c.want == "none" && (got.Rows != 1 || strings.Contains(text, "energy_kwh")):
			t.Errorf("%s %q gave %s %v, want no energy", c.marks, c.text, text, got.Bad)
		case c.want != "" && c.want != "none" &&
			!strings.Contains(text+"}", `"energy_kwh":`+padded(c.want)+"}"):
			t.Errorf("%s %q gave %s %v, want %s", c.marks, c.text, text, got.Bad, c.want)
		}
	}
}

// padded is a number with three decimals.
func padded(number string) string {
	whole, fraction, _ := strings.Cut(number, ".")
	return whole + "." + (fraction + "000")[:3]
}

func TestDurations(t *testing.T) {
	for _, c := range []struct{ unit, text, end string }{
		{"", "1:29:40", "10:29:40"}, {"", "0:30", "09:30:00"}, {"", "12:02:10 AM", "09:02:10"},
		{"", "1:05:00 PM", "22:05:00"}, {", unit: s", "130", "09:02:10"},
		{", unit: min", "1.5", "09:01:30"}, {", unit: h", "5,683333", "14:40:59.998"},
		{", unit: ms", "1500", "09:00:01.5"}, {"", "838:59:59", ""}, {"", "NA", ""},
		{"", "0:00:00", ""},
	} {
		m := parse(t, fmt.Sprintf(amounts, "", c.unit))
		got := read(t, m, "id;part;start;took;energy\n1;a;2024-01-01T09:00:00Z;"+c.text+";1\n")
		text := strings.Join(tell(got.Events), "")
		if c.end == "" && (got.Rows != 1 || got.Ends != 0) || c.end != "" &&
			!strings.Contains(text, `"end_time":"2024-01-01T`+c.end+`Z"`) {
			t.Errorf("%q%s gave %s %v, want %s", c.text, c.unit, text, got.Bad, c.end)
		}
	}
	for _, bad := range []string{"90", "1:99", "soon", "-1:00"} {
		got := read(t, parse(t, fmt.Sprintf(amounts, "", "")),
			"id;part;start;took;energy\n1;a;2024-01-01T09:00:00Z;"+bad+";1\n")
		if got.BadRows != 1 || !strings.Contains(got.Bad[0].Reason, "1:29:40") {
			t.Errorf("%q gave %v, want a bad row", bad, got.Bad)
		}
	}
}

func TestJoinedColumns(t *testing.T) {
	m := parse(t, fmt.Sprintf(amounts, "", ""))
	got := read(t, m, "id;part;start;took;energy\n7;b;2024-01-01T09:00:00Z;;1\n"+
		"7;;2024-01-01T09:00:00Z;;1\n;NA;2024-01-01T09:00:00Z;;1\n")
	if got.Rows != 1 || got.BadRows != 2 ||
		!strings.Contains(string(got.Events[0].Value), `"session_id":"7-b"`) {
		t.Errorf("events %v, bad %v", tell(got.Events), got.Bad)
	}
	if !strings.Contains(got.Bad[0].Reason, `column "part" is empty`) {
		t.Errorf("bad %v", got.Bad)
	}
}

// TestRatings: a rating is that of a connector, in the unit of its field or of its cell.
func TestRatings(t *testing.T) {
	const rated = `
sessions:
  session_id: {column: id}
  station_id: {value: st}
  connector_id: {column: plug}
  start_time: {value: "2024-01-01T09:00:00Z", format: rfc3339}
stations:
  station_id: {value: st}
  max_power_kw: {column: rated}
`
	got := read(t, parse(t, rated), "id,plug,rated\n"+
		"1,1,22\n2,1,NA\n3,2,3.7 kW\n4,3,11000 W\n5,4,\"7,4\"\n6,5,\n7,6,fast\n8,6,-1\n")
	const want = `stations st  {"station_id":"st","connectors":[` +
		`{"connector_id":"1","max_power_w":22000},{"connector_id":"2","max_power_w":3700},` +
		`{"connector_id":"3","max_power_w":11000},{"connector_id":"4","max_power_w":7400},` +
		`{"connector_id":"5"}]}`
	if text := strings.Join(tell(got.Stations), ""); text != want || got.BadRows != 2 {
		t.Errorf("stations %s, bad %v", text, got.Bad)
	}
	both := rated + "  max_power_w: {column: w}\n"
	if _, err := ingest.ParseMap([]byte(both)); err == nil {
		t.Error("a map with two ratings is taken")
	}
}

// TestSummaryTellsWhatLooksWrong has each doubt once.
func TestSummaryTellsWhatLooksWrong(t *testing.T) {
	const doubtful = `
time_zone: Europe/Paris
sessions:
  session_id: {column: id}
  station_id: {column: st}
  user_id: {column: user}
  start_time: {column: start, format: iso8601}
  end_time: {column: end, format: iso8601}
  duration: {column: took}
  energy: {column: energy, unit: kWh}
`
	got := read(t, parse(t, doubtful), "id,st,user,start,end,took,energy\n"+
		"a,s1,u,2024-05-01 10:00,2024-05-01 09:00,,1\n"+
		"b,s2,u,2024-05-01 10:00,2024-05-09 11:00,,1\n"+
		"c,s3,u,2024-05-01 10:00,2024-05-01 11:00,,401\n"+
		"d,s4,u,2024-05-01 10:00,2024-05-01 11:00,,-1\n"+
		"e,s5,u,2024-05-01 10:00,2024-05-01 11:00,,0\n"+
		"f,s6,u,2024-05-01 10:00,2024-05-01 11:00,2:00:00,1\n"+
		"g,s7,u,2024-10-27 02:30,2024-10-27 02:10,,1\n"+
		"h,s8,u,2024-03-31 02:30,2024-03-31 04:10,,1\n"+
		"h,s8,u,2024-03-31 02:30,2024-03-31 04:10,,1\n"+
		"h,s8,u,2024-03-31 05:30,2024-03-31 06:10,,1\n"+
		"i,s9,,2024-05-01 10:00,,,1\n"+
		"j,s9,u,2024-05-01 09:00,2024-05-01 10:30,,1\n")
	text := strings.Join(got.Summary.Warnings, "\n")
	for _, want := range []string{"end before they start: 1, the first in line 2; are the columns",
		"sessions of more than 7 days: 1, the first in line 3", "a mean power above 400 kW: 1",
		"a negative energy: 1", "without energy, or with zero: 1",
		"another duration than their times: 1", "the clocks showed twice: 1",
		"the clocks skipped: 2", "of an earlier one: 2", "without an end: 1", "without a user: 1",
		"begin while another one is on the same connector: 2"} {
		if !strings.Contains(text, want) {
			t.Errorf("no warning %q in\n%s", want, text)
		}
	}
	if r := got.Summary.Repeated; len(r) != 2 || !r[0].Same || r[1].Same || r[1].Before != 9 {
		t.Errorf("repeated %+v", r)
	}
	for unit, want := range map[string]string{"Wh": "is the energy in kWh?",
		"MWh": "is the energy in Wh?"} {
		m := parse(t, strings.Replace(doubtful, "kWh", unit, 1))
		got := read(t, m, "id,st,user,start,end,took,energy\na,s,u,2024-05-01,2024-05-02,,3\n"+
			"b,s,u,2024-05-01 10:00,2024-05-01 11:00,,30\n")
		if text := strings.Join(got.Summary.Warnings, "\n"); !strings.Contains(text, want) {
			t.Errorf("%s: no warning %q in\n%s", unit, want, text)
		}
	}
}
