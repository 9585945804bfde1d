package tables_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream"
	"chargestream/internal/tabletest"
	"chargestream/tables"
	"chargestream/topics"
)

// TestPagesShowTheGoldenRows holds the hexadecimal rows of docs/format against testdata.
func TestPagesShowTheGoldenRows(t *testing.T) {
	for _, g := range goldens() {
		page, version, _ := strings.Cut(g.name, "_v")
		if b := tabletest.Blocks(t, page, "hex"); len(b) != 1 || b[0].Info != g.name ||
			b[0].Text != hexLines(g.bytes()) {
			t.Errorf("docs/format/%s.md does not show testdata/%s.hex but\n%+v", page, g.name, b)
		}
		if !strings.Contains(tabletest.Page(t, page), "version "+version) {
			t.Errorf("docs/format/%s.md is not of version %s", page, version)
		}
	}
}

// TestPagesShowEvents holds that each example of an event is one, and that it shows every field
// that an event of its kind has.
func TestPagesShowEvents(t *testing.T) {
	shown := map[string]int{}
	for _, b := range tabletest.Blocks(t, "events", "json") {
		topic, ok := topics.Lookup(b.Info)
		if !ok {
			t.Errorf("%q is no topic", b.Info)
			continue
		}
		shown[topic.Name]++
		if topic.Decode == nil {
			continue
		}
		event, err := topic.Decode([]byte(b.Text))
		if err != nil {
			t.Errorf("%s: %v", b.Text, err)
		}
		if value := reflect.ValueOf(event); topic.Name == topics.MeterValues {
			for i := range value.Elem().NumField() {
				if value.Elem().Field(i).IsZero() {
					t.Errorf("the example of %s has no %s", topic.Name,
						value.Elem().Type().Field(i).Name)
				}
			}
		}
	}
	for _, topic := range topics.All() {
		mandatory := topic.Kind == topics.KindInput || topic.Kind == topics.KindReference
		if mandatory && shown[topic.Name] == 0 {
			t.Errorf("events.md has no example of %s", topic.Name)
		}
	}
	if shown[topics.ChargingSessions] != 3 {
		t.Errorf("%d examples of sessions instead of 3", shown[topics.ChargingSessions])
	}
}

// example decodes a JSON example into a record that must have all of its fields, and holds that
// the record is written like the example.
func example(t *testing.T, page, topic string, into any) {
	t.Helper()
	for _, b := range tabletest.Blocks(t, page, "json") {
		if b.Info != topic {
			continue
		}
		d := json.NewDecoder(strings.NewReader(b.Text))
		d.DisallowUnknownFields()
		if err := d.Decode(into); err != nil {
			t.Fatalf("%s: %v", b.Text, err)
		}
		written, err := json.Marshal(into)
		if err != nil {
			t.Fatal(err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, []byte(b.Text)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(compact.String(), string(written)); diff != "" {
			t.Errorf("%s: %s", topic, diff)
		}
		return
	}
	t.Errorf("%s.md has no example of %s", page, topic)
}

// TestPagesShowRecords holds the examples of the registry and of derived topics, and that the
// page names every field of them.
func TestPagesShowRecords(t *testing.T) {
	for topic, into := range map[string]any{topics.Utilization: &chargestream.Utilization{},
		topics.Invoices: &chargestream.Invoice{}, topics.Anomalies: &chargestream.Anomaly{}} {
		example(t, "derived", topic, into)
		namesFields(t, "derived", reflect.TypeOf(into).Elem())
	}
	for _, record := range []reflect.Type{reflect.TypeFor[chargestream.InvoiceLine](),
		reflect.TypeFor[chargestream.VATGroup](), reflect.TypeFor[chargestream.AppliedDecision](),
		reflect.TypeFor[chargestream.Hold]()} {
		namesFields(t, "derived", record)
	}
	example(t, "events", topics.Stations, &chargestream.StationInfo{})
	namesFields(t, "events", reflect.TypeFor[chargestream.StationInfo]())
	parts := chargestream.Utilization{}
	example(t, "derived", topics.Utilization, &parts)
	if sum := parts.Occupied + parts.Available + parts.Reserved + parts.Unavailable +
		parts.Faulted +
		parts.Unknown; sum != 3600 {
		t.Errorf("the parts of the example add up to %d s", sum)
	}
}

// namesFields holds that a page has the name of every field of a record in backticks.
func namesFields(t *testing.T, page string, record reflect.Type) {
	t.Helper()
	text := tabletest.Page(t, page)
	for i := range record.NumField() {
		name, _, _ := strings.Cut(record.Field(i).Tag.Get("json"), ",")
		if !strings.Contains(text, "`"+name+"`") && !strings.Contains(text, "`"+name+"?`") {
			t.Errorf("docs/format/%s.md does not show what %s is", page, name)
		}
	}
}

// TestPagesNameStatusWords holds the words of each state against the program.
func TestPagesNameStatusWords(t *testing.T) {
	words := 0
	for line := range strings.Lines(tabletest.Page(t, "events")) {
		cells := strings.Split(line, "|")
		if len(cells) != 4 {
			continue
		}
		for _, word := range regexp.MustCompile("`[A-Za-z]+`").FindAllString(cells[2], -1) {
			state, activity, ok := chargestream.ParseStatus(strings.Trim(word, "`"))
			want := state.String()
			switch activity {
			case chargestream.ActivityIdle, chargestream.ActivityParked:
				want += " and idle"
			case chargestream.ActivityCharging:
				want += " and charging"
			}
			if shown := strings.TrimSpace(cells[1]); !ok || shown != want &&
				shown != want+", may be charging" {
				t.Errorf("%s is not %s but %s", word, shown, want)
			}
			words++
		}
	}
	if words != 20 {
		t.Errorf("%d status words", words)
	}
}

// TestPagesShowKeys holds the examples of keys, and the partitions of the table.
func TestPagesShowKeys(t *testing.T) {
	const station = "A/B%"
	escaped := strings.NewReplacer("%", "%25", "/", "%2F").Replace(station)
	key := func(id chargestream.StationID) string {
		return tables.HourKey{StationID: id, ConnectorID: "2", Start: noon}.String()
	}
	for block, want := range map[string]string{"key": key("FR*LYO*E0001"),
		"session": escaped + "/s-1", "hour": key(chargestream.StationID(escaped))} {
		for _, b := range tabletest.Blocks(t, "keys", block) {
			if got := strings.TrimSpace(b.Text); got != want {
				t.Errorf("keys.md shows %q, not %q", got, want)
			}
		}
	}
	vector := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (-?[0-9]+) \\| ([0-9]+) \\|$")
	rows := vector.FindAllStringSubmatch(tabletest.Page(t, "keys"), -1)
	for _, row := range rows {
		hash := murmur2([]byte(row[1]))
		if strconv.Itoa(int(int32(hash))) != row[2] ||
			strconv.Itoa(int(hash&0x7fffffff%12)) != row[3] {
			t.Errorf("%q: %d, of 12 partitions %d", row[1], int32(hash), hash&0x7fffffff%12)
		}
	}
	if len(rows) < 7 {
		t.Errorf("%d vectors", len(rows))
	}
}

// murmur2 is written after the reference implementation, to hold the page against it.
func murmur2(key []byte) uint32 {
	const m = 0x5bd1e995
	h := 0x9747b28c ^ uint32(len(key))
	for ; len(key) >= 4; key = key[4:] {
		k := uint32(key[0]) | uint32(key[1])<<8 | uint32(key[2])<<16 | uint32(key[3])<<24
		k *= m
		h = h*m ^ (k^k>>24)*m
	}
	for i := len(key) - 1; i >= 0; i-- {
		h ^= uint32(key[i]) << (8 * i)
	}
	if len(key) > 0 {
		h *= m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}
