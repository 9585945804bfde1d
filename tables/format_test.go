package tables_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream"
	"chargestream/tables"
	"chargestream/topics"
)

// block is one fenced block of a page: the words behind the fence, and the lines in it.
type block struct{ info, text string }

func readPage(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "format", name+".md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var fence = regexp.MustCompile("(?ms)^```([^\n]*)\n(.*?)^```$")

// blocksOf are the blocks of a page of which the info begins with a word.
func blocksOf(t *testing.T, page, word string) []block {
	t.Helper()
	var list []block
	for _, m := range fence.FindAllStringSubmatch(readPage(t, page), -1) {
		if info, ok := strings.CutPrefix(m[1], word); ok {
			list = append(list, block{strings.TrimSpace(info), m[2]})
		}
	}
	if len(list) == 0 {
		t.Fatalf("%s.md has no block of %s", page, word)
	}
	return list
}

// TestPagesShowTheGoldenRows holds the hexadecimal rows of docs/format against testdata.
func TestPagesShowTheGoldenRows(t *testing.T) {
	for _, g := range goldens() {
		page, version, _ := strings.Cut(g.name, "_v")
		if b := blocksOf(t, page, "hex"); len(b) != 1 || b[0].info != g.name ||
			b[0].text != hexLines(g.bytes) {
			t.Errorf("docs/format/%s.md does not show testdata/%s.hex but\n%+v", page, g.name, b)
		}
		if !strings.Contains(readPage(t, page), "version "+version) {
			t.Errorf("docs/format/%s.md is not of version %s", page, version)
		}
	}
}

// TestPagesShowEvents holds that each example of an event is one, and that it shows every field
// that an event of its kind has.
func TestPagesShowEvents(t *testing.T) {
	shown := map[string]int{}
	for _, b := range blocksOf(t, "events", "json") {
		topic, ok := topics.Lookup(b.info)
		if !ok {
			t.Errorf("%q is no topic", b.info)
			continue
		}
		shown[topic.Name]++
		if topic.Decode == nil {
			continue
		}
		event, err := topic.Decode([]byte(b.text))
		if err != nil {
			t.Errorf("%s: %v", b.text, err)
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
	for _, b := range blocksOf(t, page, "json") {
		if b.info != topic {
			continue
		}
		d := json.NewDecoder(strings.NewReader(b.text))
		d.DisallowUnknownFields()
		if err := d.Decode(into); err != nil {
			t.Fatalf("%s: %v", b.text, err)
		}
		written, err := json.Marshal(into)
		if err != nil {
			t.Fatal(err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, []byte(b.text)); err != nil {
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
	var bill chargestream.Invoice
	for topic, into := range map[string]any{topics.Utilization: &chargestream.Utilization{},
		topics.Invoices: &bill, topics.Anomalies: &chargestream.Anomaly{}} {
		example(t, "derived", topic, into)
		namesFields(t, "derived", reflect.TypeOf(into).Elem())
	}
	for _, record := range []reflect.Type{reflect.TypeFor[chargestream.InvoiceLine](),
		reflect.TypeFor[chargestream.VATGroup](), reflect.TypeFor[chargestream.AppliedDecision]()} {
		namesFields(t, "derived", record)
	}
	example(t, "events", topics.Stations, &chargestream.StationInfo{})
	namesFields(t, "events", reflect.TypeFor[chargestream.StationInfo]())
	var history chargestream.TariffHistory
	for _, b := range blocksOf(t, "events", "json") {
		if b.info != topics.Tariffs {
			continue
		}
		if err := json.Unmarshal([]byte(b.text), &history); err != nil {
			t.Fatal(err)
		}
	}
	holdExampleBill(t, &bill, &history)
	parts := chargestream.Utilization{}
	example(t, "derived", topics.Utilization, &parts)
	if sum := parts.Occupied + parts.Available + parts.Reserved + parts.Unavailable +
		parts.Faulted +
		parts.Unknown; sum != 3600 {
		t.Errorf("the parts of the example add up to %d s", sum)
	}
}

// holdExampleBill holds that the invoice of derived.md is the one that the tariff of events.md
// makes of such a session.
func holdExampleBill(t *testing.T, want *chargestream.Invoice, h *chargestream.TariffHistory) {
	t.Helper()
	book := newShelf()
	book.publish(yesterday, h.TariffID, h.Versions...)
	book.register(yesterday, &chargestream.StationInfo{StationID: want.StationID,
		SiteID: want.SiteID, TimeZone: want.TimeZone, TariffID: h.TariffID})
	row := &tables.Session{StationID: want.StationID, Heard: want.IssuedAt,
		Starts: []tables.Start{{At: want.StartTime, Arrival: want.StartTime,
			ConnectorID: want.ConnectorID, UserID: want.UserID, Meter: want.MeterStart}},
		Ends: []tables.End{{At: want.EndTime, Arrival: want.EndTime, Meter: want.MeterStop}}}
	list := must(row.History(want.SessionID, book, want.IssuedAt))
	if len(list) != 1 {
		t.Fatalf("%d invoices", len(list))
	}
	if diff := cmp.Diff(*want, list[0]); diff != "" {
		t.Errorf("the tariff of events.md does not make the invoice of derived.md: %s", diff)
	}
}

// namesFields holds that a page has the name of every field of a record in backticks.
func namesFields(t *testing.T, page string, record reflect.Type) {
	t.Helper()
	text := readPage(t, page)
	for i := range record.NumField() {
		name, _, _ := strings.Cut(record.Field(i).Tag.Get("json"), ",")
		if !strings.Contains(text, "`"+name+"`") && !strings.Contains(text, "`"+name+"?`") {
			t.Errorf("docs/format/%s.md does not say what %s is", page, name)
		}
	}
}

// TestPagesNameStatusWords holds the words of each state against the program.
func TestPagesNameStatusWords(t *testing.T) {
	words := 0
	for line := range strings.Lines(readPage(t, "events")) {
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
			if told := strings.TrimSpace(cells[1]); !ok || told != want &&
				told != want+", may be charging" {
				t.Errorf("%s is not %s but %s", word, told, want)
			}
			words++
		}
	}
	if words != 12 {
		t.Errorf("%d status words", words)
	}
}

// TestPagesShowKeys holds the example of a window's key, and the partitions of the table.
func TestPagesShowKeys(t *testing.T) {
	for _, b := range blocksOf(t, "keys", "key") {
		text := strings.TrimSpace(b.text)
		key, err := tables.ParseHourKey(text)
		if err != nil || key.String() != text ||
			key.Start.Truncate(chargestream.Hour) != key.Start {
			t.Errorf("%q: %+v, %v", text, key, err)
		}
	}
	vector := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (-?[0-9]+) \\| ([0-9]+) \\|$")
	rows := vector.FindAllStringSubmatch(readPage(t, "keys"), -1)
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
