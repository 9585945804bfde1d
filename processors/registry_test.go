package processors_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream"
	"chargestream/engine"
	"chargestream/processors"
	"chargestream/tables"
	"chargestream/topics"
)

// counted is a Counter that remembers what it was told.
type counted struct {
	reasons map[string]int // topic and reason
	bounds  map[string]int
}

// DeadLetter implements processors.Counter.
func (c *counted) DeadLetter(topic string, reason processors.Reason) {
	c.reasons[topic+" "+string(reason)]++
}

// Late implements processors.Counter.
func (c *counted) Late(string) {}

// Dropped implements processors.Counter.
func (c *counted) Dropped(topic, field string) { c.bounds[topic+" "+field]++ }

// Bound implements processors.Counter.
func (c *counted) Bound(name string) { c.bounds[name]++ }

// referenceRun is the reference processor in memory.
type referenceRun struct {
	t      *testing.T
	driver *engine.Driver
	counts *counted
	dead   []string // reason and error of each dead letter
}

func newReferenceRun(t *testing.T) *referenceRun {
	t.Helper()
	r := &referenceRun{t: t, counts: &counted{map[string]int{}, map[string]int{}}}
	d, err := engine.NewDriver(3, processors.All(r.counts)...)
	if err != nil {
		t.Fatal(err)
	}
	d.OnRecord = func(topic, _ string, _ []byte, headers []engine.Header) {
		if topic != topics.DeadLetters {
			t.Errorf("a record for %s", topic)
		}
		m := engine.Message{Headers: headers}
		reason, _ := m.Header(topics.HeaderReason)
		text, _ := m.Header(topics.HeaderError)
		r.dead = append(r.dead, string(reason)+": "+string(text))
	}
	r.driver = d
	return r
}

// feed feeds a record that arrived so many minutes after begin; an empty value is a tombstone.
func (r *referenceRun) feed(topic, key, value string, minutes int) {
	r.t.Helper()
	m := engine.Message{Topic: topic, Partition: -1, Key: key, HasKey: key != "",
		Arrival: int64(begin + chargestream.Millis(minutes)*chargestream.Minute)}
	if value != "" {
		m.Value = []byte(value)
	}
	if err := r.driver.Feed(m); err != nil {
		r.t.Fatal(err)
	}
}

// referenceRows are the rows of a key in both tables; nil for one that is not there.
type referenceRows struct {
	Registry *tables.Registry
	Tariff   *tables.Tariff
}

func (r *referenceRun) row(key string) referenceRows {
	r.t.Helper()
	var rows referenceRows
	var err error
	if raw := r.driver.Rows(topics.TableRegistry)[key]; raw != nil {
		rows.Registry, err = tables.DecodeRegistry(raw)
	}
	if raw := r.driver.Rows(topics.TableTariffs)[key]; raw != nil && err == nil {
		rows.Tariff, err = tables.DecodeTariff(raw)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return rows
}

// plainTariff is a record of the tariffs topic with a price a kWh.
func plainTariff(id, price string) string {
	return fmt.Sprintf(`{"tariff_id":%q,"versions":[{"valid_from":"2026-01-01T00:00:00Z",
		"tariff":{"currency":"EUR", "elements":[{"price_components":[
		{"type":"ENERGY","price":%s,"vat":20,"step_size":1}]}]}}]}`, id, price)
}

func TestReferenceKeepsHistory(t *testing.T) {
	r := newReferenceRun(t)
	r.feed(topics.Stations, "a", `{"station_id":"a","name":"one","future_field":1}`, 0)
	r.feed(topics.Stations, "a", `{"name":"one", "station_id":"a"}`, 1) // says the same
	r.feed(topics.Stations, "a", `{"station_id":"a","name":"two"}`, 5)
	r.feed(topics.Stations, "a", "", 4) // arrived before the one before
	r.feed(topics.Tariffs, "a", plainTariff("a", "0.40"), 2)
	r.feed(topics.Tariffs, "a", strings.ReplaceAll(plainTariff("a", "0.40"), "\n", " "), 3)
	r.feed(topics.Tariffs, "a", plainTariff("a", "0.45"), 6)
	r.feed(topics.Tariffs, "a", "", 7)
	r.feed(topics.Tariffs, "never", "", 7)
	version := func(price string) []chargestream.TariffVersion {
		return []chargestream.TariffVersion{{ValidFrom: 1767225600000, Tariff: fmt.Appendf(nil,
			`{"currency":"EUR","elements":[{"price_components":[`+
				`{"type":"ENERGY","price":%s,"vat":20,"step_size":1}]}]}`, price)}}
	}
	at := func(minutes int) chargestream.Millis {
		return begin + chargestream.Millis(minutes)*chargestream.Minute
	}
	want := referenceRows{
		Registry: &tables.Registry{Revisions: []tables.RegistryRevision{
			{Arrival: at(0), Info: &chargestream.StationInfo{StationID: "a", Name: "one"}},
			{Arrival: at(5), Info: &chargestream.StationInfo{StationID: "a", Name: "two"}},
			{Arrival: at(5)}}},
		Tariff: &tables.Tariff{Revisions: []tables.TariffRevision{
			{Arrival: at(2), Versions: version("0.40")},
			{Arrival: at(6), Versions: version("0.45")}, {Arrival: at(7)}}}}
	if diff := cmp.Diff(want, r.row("a")); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
	if (r.row("never") != referenceRows{}) || len(r.dead) > 0 {
		t.Errorf("dead letters %q", r.dead)
	}
}

// TestReferenceRefuses: what nobody could bill by is a dead letter, and the last good stays.
func TestReferenceRefuses(t *testing.T) {
	registry := func(fields string) string { return `{"station_id":"a",` + fields + `}` }
	large := strings.Repeat("x", topics.RecordBytesMax)
	version := func(from string) string {
		return `{"valid_from":"` + from + `","tariff":{"currency":"EUR","elements":[` +
			`{"price_components":[{"type":"FLAT","price":1}]}]}}`
	}
	history := func(versions ...string) string {
		return `{"tariff_id":"a","versions":[` + strings.Join(versions, ",") + `]}`
	}
	const noon, night = "2026-01-01T12:00:00Z", "2026-01-01T00:00:00Z"
	for name, c := range map[string]struct{ topic, key, value, want string }{
		"no key":   {topics.Stations, "", registry(`"name":"b"`), "null_key: "},
		"no JSON":  {topics.Stations, "a", "b", "malformed: "},
		"no entry": {topics.Stations, "a", "null", "malformed: the value is null"},
		"wrong type": {topics.Stations, "a", registry(`"max_power_w":1.5`),
			"malformed: max_power_w: 1.5 is not whole"},
		"other station": {topics.Stations, "a", `{"station_id":"b"}`, "key_mismatch: key \"a\""},
		"large": {topics.Stations, "a", registry(`"name":"` + large + `"`),
			"oversized: 65564 bytes"},
		"zone": {topics.Stations, "a", registry(`"time_zone":"Europe/Atlantis"`),
			`malformed: time_zone: "Europe/Atlantis"`},
		"zone of the host": {topics.Stations, "a", registry(`"time_zone":"Local"`),
			"malformed: time_zone"},
		"rating": {topics.Stations, "a", registry(`"max_power_w":-1`),
			"malformed: max_power_w: -1"},
		"rating of a connector": {topics.Stations, "a",
			registry(`"connectors":[{"connector_id":"1","max_power_w":-1}]`),
			"malformed: connectors[0].max_power_w"},
		"public key": {topics.Stations, "a",
			registry(`"connectors":[{"connector_id":"1","public_key":"a key"}]`),
			`malformed: connectors[0].public_key: "a key" is no public key`},
		"no connector": {topics.Stations, "a", registry(`"connectors":[{}]`),
			"malformed: connectors[0].connector_id"},
		"slash": {topics.Stations, "a", registry(`"connectors":[{"connector_id":"1/2"}]`),
			`malformed: connectors[0].connector_id: "1/2" must not`},
		"connector twice": {topics.Stations, "a",
			registry(`"connectors":[{"connector_id":"1"},{"connector_id":"1"}]`),
			"malformed: connectors[1].connector_id"},
		"tariff id": {topics.Stations, "a", registry(`"tariff_id":"\n"`), "malformed: tariff_id"},
		"site id":   {topics.Stations, "a", registry(`"site_id":"\n"`), "malformed: site_id"},

		"tariff without key": {topics.Tariffs, "", history(version(noon)), "null_key: "},
		"tariff, no JSON":    {topics.Tariffs, "a", "b", "tariff_refused: "},
		"null tariff":        {topics.Tariffs, "a", "null", "tariff_refused: "},
		"other tariff": {topics.Tariffs, "b", history(version(noon)),
			`tariff_refused: key "b", tariff_id "a"`},
		"no versions": {topics.Tariffs, "a", history(), "tariff_refused: tariff refused: versions"},
		"no begin": {topics.Tariffs, "a", history(version("")),
			"tariff_refused: tariff refused: versions[0].valid_from"},
		"one begin twice": {topics.Tariffs, "a", history(version(noon), version(noon)),
			"tariff_refused: tariff refused: versions[1].valid_from"},
		"one version is not understood": {topics.Tariffs, "a",
			history(version(noon), strings.Replace(version(night), "FLAT", "WATER", 1)),
			"tariff_refused: versions[1].tariff: tariff refused: elements[0]"},
		"large tariff": {topics.Tariffs, "a",
			history(version(noon), strings.Replace(version(night), "EUR", large, 1)),
			"tariff_refused: 65"},
	} {
		r := newReferenceRun(t)
		r.feed(topics.Stations, "a", registry(`"name":"good"`), 0)
		r.feed(topics.Tariffs, "a", plainTariff("a", "1"), 0)
		good := r.row("a")
		r.feed(c.topic, c.key, c.value, 1)
		if len(r.dead) != 1 || !strings.HasPrefix(r.dead[0], c.want) {
			t.Errorf("%s: dead letters %q, want %q", name, r.dead, c.want)
		}
		reason, _, _ := strings.Cut(c.want, ":")
		if r.counts.reasons[c.topic+" "+reason] != 1 {
			t.Errorf("%s: counted %v", name, r.counts.reasons)
		}
		if diff := cmp.Diff(good, r.row("a")); diff != "" {
			t.Errorf("%s: the last good did not stay:\n%s", name, diff)
		}
	}
}

func TestReferenceIsFull(t *testing.T) {
	r := newReferenceRun(t)
	for n := range tables.ReferenceRevisionsMax + 1 {
		r.feed(topics.Stations, "a", fmt.Sprintf(`{"station_id":"a","name":"%d"}`, n), n)
	}
	pad := strings.Repeat("x", 60_000)
	for n := range 10 {
		tariff := plainTariff("b", fmt.Sprint(n+1))
		r.feed(topics.Tariffs, "b", strings.Replace(tariff, `"currency"`,
			`"id":"`+pad+`","currency"`, 1), n)
	}
	if len(r.dead) != 3 || !strings.HasPrefix(r.dead[0], "bound: ") {
		t.Errorf("%d dead letters", len(r.dead))
	}
	want := map[string]int{"reference_revisions": 1, "reference_bytes": 2}
	if diff := cmp.Diff(want, r.counts.bounds); diff != "" {
		t.Errorf("bounds (-want +got):\n%s", diff)
	}
	if n := len(r.row("a").Registry.Revisions); n != tables.ReferenceRevisionsMax {
		t.Errorf("%d revisions", n)
	}
}

// TestSiteOfUtilization: a window that changes has the site that the registry has for its station
// at that moment, whether or not the rows were forgotten in between.
func TestSiteOfUtilization(t *testing.T) {
	status := func(minute int) string {
		return fmt.Sprintf(`{"station_id":"a","connector_id":"1","status":"Charging",
			"timestamp":%q}`, begin+chargestream.Millis(minute)*chargestream.Minute)
	}
	entry := func(site string) string {
		return fmt.Sprintf(`{"station_id":"a","site_id":%q}`, site)
	}
	for _, forget := range []bool{false, true} {
		r := newReferenceRun(t)
		var sites []chargestream.SiteID
		r.driver.OnRecord = func(topic, _ string, value []byte, _ []engine.Header) {
			var u chargestream.Utilization
			if err := json.Unmarshal(value, &u); err != nil || topic != topics.Utilization {
				t.Errorf("%s: %s, %v", topic, value, err)
			}
			sites = append(sites, u.SiteID)
		}
		for minute, record := range []string{status(0), entry("one"), status(2), entry("two"),
			status(4), "", status(6), entry("three"), status(8)} {
			topic := topics.Stations
			if strings.Contains(record, "status") {
				topic = topics.StationStatus
			}
			r.feed(topic, "a", record, minute)
			if err := r.driver.Commit(); err != nil {
				t.Fatal(err)
			}
			if forget {
				if err := r.driver.Restart(); err != nil {
					t.Fatal(err)
				}
			}
		}
		want := []chargestream.SiteID{"", "one", "two", "", "three"}
		if diff := cmp.Diff(want, sites); diff != "" {
			t.Errorf("forgotten %v (-want +got):\n%s", forget, diff)
		}
	}
}
