package tables_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"chargestream"
	"chargestream/tables"
)

// goldenReference is a history of both kinds with all that it can have, of a key that is the id of
// a station and of a tariff.
func goldenReference() *tables.Reference {
	tariff := func(text string) json.RawMessage { return json.RawMessage(text) }
	return &tables.Reference{
		Registry: []tables.RegistryRevision{
			{Arrival: noon, Info: &chargestream.StationInfo{StationID: "st-1", Name: "Quai 1",
				SiteID: "lyon-1", Latitude: 45.764, Longitude: 4.8357, TimeZone: "Europe/Paris",
				Region: "FR-ARA", TariffID: "st-1", MaxPower: 22000, Calibrated: true,
				Connectors: []chargestream.ConnectorInfo{{ConnectorID: "1", Type: "IEC_62196_T2",
					MaxPower: 22000, Calibrated: true, MeterSerial: "m-1", PublicKey: "3059"}}}},
			{Arrival: noon + chargestream.Hour},
		},
		Tariffs: []tables.TariffRevision{
			{Arrival: noon, Versions: []chargestream.TariffVersion{
				{ValidFrom: begin, Tariff: tariff(`{"a":1}`)}}},
			{Arrival: noon + chargestream.Minute, Versions: []chargestream.TariffVersion{
				{ValidFrom: begin, Tariff: tariff(`{"a":1}`)},
				{ValidFrom: begin + chargestream.Day, Tariff: tariff(`{"b":2}`)}}},
			{Arrival: noon + chargestream.Hour},
		}}
}

// TestGoldenReferenceIsWhole holds that the golden row has every field of an entry, so that one
// that is added later cannot be forgotten.
func TestGoldenReferenceIsWhole(t *testing.T) {
	info := goldenReference().Registry[0].Info
	for _, v := range []reflect.Value{reflect.ValueOf(*info), reflect.ValueOf(info.Connectors[0])} {
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("%s.%s is not set", v.Type(), v.Type().Field(i).Name)
			}
		}
	}
}

func FuzzDecodeReference(f *testing.F) {
	fuzzRow(f, "reference_v1",
		func(b []byte) (appender, error) { return tables.DecodeReference(b) })
}

// entryNamed is an entry of the registry, told apart by its name.
func entryNamed(name string) *chargestream.StationInfo {
	if name == "" {
		return nil
	}
	return &chargestream.StationInfo{StationID: "st-1", Name: name}
}

// nameOf is the name of an entry; empty for none.
func nameOf(info *chargestream.StationInfo) string {
	if info == nil {
		return ""
	}
	return info.Name
}

// valid are versions of a tariff by their begins, in minutes after begin.
func valid(minutes ...int) []chargestream.TariffVersion {
	var list []chargestream.TariffVersion
	for _, m := range minutes {
		list = append(list, chargestream.TariffVersion{ValidFrom: minuteOf(m),
			Tariff: json.RawMessage(fmt.Sprintf(`{"from":%d}`, m))})
	}
	return list
}

func minuteOf(m int) chargestream.Millis {
	return begin + chargestream.Millis(m)*chargestream.Minute
}

func mustAdd(t interface{ Fatal(...any) }, changed bool, err error) {
	if err != nil || !changed {
		t.Fatal("not added: ", err)
	}
}

func TestRegistryAt(t *testing.T) {
	type revision struct {
		arrival int // minutes after begin
		name    string
	}
	for name, c := range map[string]struct {
		list       []revision
		start, now int
		want       string
		since      int // -1 for always
	}{
		"nothing":              {nil, 5, 900, "", -1},
		"arrived before":       {[]revision{{0, "a"}}, 5, 5, "a", -1},
		"arrived at start":     {[]revision{{5, "a"}}, 5, 5, "a", -1},
		"the last before":      {[]revision{{0, "a"}, {4, "b"}, {6, "c"}}, 5, 900, "b", -1},
		"later, not in effect": {[]revision{{6, "a"}}, 5, 15, "", -1},
		"later, in effect":     {[]revision{{6, "a"}}, 5, 16, "a", 16},
		"the first later":      {[]revision{{6, "a"}, {7, "b"}}, 5, 900, "a", 16},
		"later at one moment":  {[]revision{{6, "a"}, {6, "b"}}, 5, 900, "b", 16},
		"withdrawn before":     {[]revision{{0, "a"}, {4, ""}}, 5, 900, "", -1},
		"withdrawn, and back":  {[]revision{{0, "a"}, {4, ""}, {7, "b"}}, 5, 900, "b", 17},
		"withdrawn, back soon": {[]revision{{0, "a"}, {4, ""}, {7, "b"}}, 5, 16, "", -1},
		"withdrawn later":      {[]revision{{0, "a"}, {6, ""}}, 5, 900, "a", -1},
		"later, and withdrawn": {[]revision{{6, "a"}, {7, ""}}, 5, 900, "a", 16},
	} {
		var r tables.Reference
		for _, rev := range c.list {
			changed, err := r.AddRegistry(minuteOf(rev.arrival), entryNamed(rev.name))
			mustAdd(t, changed, err)
		}
		since := chargestream.Millis(0)
		if c.since >= 0 {
			since = minuteOf(c.since)
		}
		got, from := r.RegistryAt(minuteOf(c.start), minuteOf(c.now))
		if nameOf(got) != c.want || from != since {
			t.Errorf("%s: %q since %s, want %q since %s", name, nameOf(got), from, c.want, since)
		}
	}
}

func TestRegistryBy(t *testing.T) {
	var r tables.Reference
	for arrival, name := range []string{"a", "", "b"} {
		changed, err := r.AddRegistry(minuteOf(arrival), entryNamed(name))
		mustAdd(t, changed, err)
	}
	for by, want := range map[int]string{-1: "", 0: "a", 1: "", 2: "b", 900: "b"} {
		if got := nameOf(r.RegistryBy(minuteOf(by))); got != want {
			t.Errorf("by minute %d: %q, want %q", by, got, want)
		}
	}
}

func TestTariffAt(t *testing.T) {
	type revision struct {
		arrival  int // minutes after begin
		versions []chargestream.TariffVersion
	}
	for name, c := range map[string]struct {
		list       []revision
		start, now int
		want       int // begin of the version, in minutes; -1 for none
	}{
		"nothing":              {nil, 5, 900, -1},
		"in effect":            {[]revision{{0, valid(1)}}, 5, 10, 1},
		"not yet":              {[]revision{{0, valid(1)}}, 5, 9, -1},
		"not in force":         {[]revision{{0, valid(6)}}, 5, 900, -1},
		"in force at start":    {[]revision{{0, valid(5)}}, 5, 900, 5},
		"the largest in force": {[]revision{{0, valid(4, 6, 2)}}, 5, 900, 4},
		"the last record":      {[]revision{{0, valid(1)}, {1, valid(2)}}, 5, 11, 2},
		"of which one counts":  {[]revision{{0, valid(1)}, {1, valid(2)}}, 5, 10, 1},
		"none before":          {[]revision{{0, valid(6)}, {1, valid(1, 6)}}, 5, 900, 1},
		"withdrawn":            {[]revision{{0, valid(1)}, {1, nil}}, 5, 11, -1},
		"withdrawn later":      {[]revision{{0, valid(1)}, {1, nil}}, 5, 10, 1},
	} {
		var r tables.Reference
		for _, rev := range c.list {
			changed, err := r.AddTariff(minuteOf(rev.arrival), rev.versions)
			mustAdd(t, changed, err)
		}
		got := r.TariffAt(minuteOf(c.start), minuteOf(c.now))
		switch {
		case c.want < 0 && got != nil:
			t.Errorf("%s: %+v, want none", name, got)
		case c.want >= 0 && (got == nil || got.ValidFrom != minuteOf(c.want)):
			t.Errorf("%s: %+v, want minute %d", name, got, c.want)
		}
		by := r.TariffBy(minuteOf(c.start), minuteOf(c.now)-chargestream.Grace)
		if diff := cmp.Diff(got, by); diff != "" {
			t.Errorf("%s: by the arrival, the grace left out: %s", name, diff)
		}
	}
}

// TestReferenceHoldsItsOrder: what says nothing new adds nothing, arrivals do not fall, and what a
// row gave away does not change with it.
func TestReferenceHoldsItsOrder(t *testing.T) {
	var r tables.Reference
	if changed, err := r.AddRegistry(minuteOf(0), nil); changed || err != nil {
		t.Errorf("a station that never was is taken out: %v, %v", changed, err)
	}
	if changed, err := r.AddTariff(minuteOf(0), nil); changed || err != nil {
		t.Errorf("a tariff that never was is taken out: %v, %v", changed, err)
	}
	given := valid(3, 1)
	changed, err := r.AddTariff(minuteOf(5), given)
	mustAdd(t, changed, err)
	changed, err = r.AddRegistry(minuteOf(5), entryNamed("a"))
	mustAdd(t, changed, err)
	before := r
	for range 2 {
		if changed, err := r.AddTariff(minuteOf(9), valid(1, 3)); changed || err != nil {
			t.Errorf("the same versions in another order: %v, %v", changed, err)
		}
		if changed, err := r.AddRegistry(minuteOf(9), entryNamed("a")); changed || err != nil {
			t.Errorf("the same entry: %v, %v", changed, err)
		}
	}
	changed, err = r.AddTariff(minuteOf(2), nil)
	mustAdd(t, changed, err)
	changed, err = r.AddRegistry(minuteOf(2), nil)
	mustAdd(t, changed, err)
	want := tables.Reference{
		Registry: []tables.RegistryRevision{{Arrival: minuteOf(5), Info: entryNamed("a")},
			{Arrival: minuteOf(5)}},
		Tariffs: []tables.TariffRevision{{Arrival: minuteOf(5), Versions: valid(1, 3)},
			{Arrival: minuteOf(5)}}}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
	if len(before.Registry) != 1 || len(before.Tariffs) != 1 || given[0].ValidFrom != minuteOf(3) {
		t.Error("what was given, or given away, was changed")
	}
}

func TestReferenceIsBounded(t *testing.T) {
	var r tables.Reference
	for n := range tables.ReferenceRevisionsMax {
		changed, err := r.AddRegistry(minuteOf(n), entryNamed(fmt.Sprint(n)))
		mustAdd(t, changed, err)
		changed, err = r.AddTariff(minuteOf(n), valid(n))
		mustAdd(t, changed, err)
	}
	full := r.Append(nil)
	if _, err := r.AddRegistry(minuteOf(0), nil); !errors.Is(err, tables.ErrReferenceRevisions) {
		t.Errorf("one entry more: %v", err)
	}
	if _, err := r.AddTariff(minuteOf(0), nil); !errors.Is(err, tables.ErrReferenceRevisions) {
		t.Errorf("one tariff more: %v", err)
	}
	if !slices.Equal(full, r.Append(nil)) {
		t.Error("a row that is full was changed")
	}

	r = tables.Reference{}
	large := valid(1)
	large[0].Tariff = json.RawMessage(strings.Repeat("x", tables.ReferenceBytesMax))
	if _, err := r.AddTariff(minuteOf(0), large); !errors.Is(err, tables.ErrReferenceBytes) {
		t.Errorf("a tariff that is too large: %v", err)
	}
	large[0].Tariff = large[0].Tariff[:tables.ReferenceBytesMax/2]
	changed, err := r.AddTariff(minuteOf(0), large)
	mustAdd(t, changed, err)
	// The text that is there already costs nothing again.
	changed, err = r.AddTariff(minuteOf(0), append(valid(2), large...))
	mustAdd(t, changed, err)
	again := append(valid(2), large...)
	again[1].Tariff = append([]byte("y"), large[0].Tariff...)
	if _, err := r.AddTariff(minuteOf(0), again); !errors.Is(err, tables.ErrReferenceBytes) {
		t.Errorf("another text as large: %v", err)
	}
	if len(r.Tariffs) != 2 {
		t.Errorf("%d revisions, want 2", len(r.Tariffs))
	}
}

// TestReferenceOfRandomHistories holds rows against what they were made of, asked at each minute.
func TestReferenceOfRandomHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &tables.Reference{}
		for range rapid.IntRange(0, 12).Draw(t, "revisions") {
			at := minuteOf(rapid.IntRange(0, 30).Draw(t, "arrival"))
			_, err := r.AddRegistry(at,
				entryNamed(rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "name")))
			if err != nil {
				t.Fatal(err)
			}
			from := rapid.SliceOfNDistinct(rapid.IntRange(0, 40), 0, 3, rapid.ID[int])
			if _, err = r.AddTariff(at, valid(from.Draw(t, "versions")...)); err != nil {
				t.Fatal(err)
			}
		}
		back, err := tables.DecodeReference(r.Append([]byte("was there before")))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, back); diff != "" {
			t.Fatal(diff)
		}
		start := minuteOf(rapid.IntRange(0, 50).Draw(t, "start"))
		for m := 60; m >= 0; m-- {
			now := minuteOf(m)
			info, since := r.RegistryAt(start, now)
			if since > now || since != 0 && r.RegistryBy(start) != nil {
				t.Fatalf("at minute %d in effect since %s", m, since)
			}
			if later, from := r.RegistryAt(start, now+chargestream.Day); info != nil &&
				(later != info || from != since) {
				t.Fatalf("at minute %d %+v since %s, a day later %+v since %s", m, info, since,
					later, from)
			}
		}
	})
}
