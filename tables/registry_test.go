package tables_test

import (
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

// goldenRegistry is a history with all that it can have.
func goldenRegistry() *tables.Registry {
	return &tables.Registry{Revisions: []tables.RegistryRevision{
		{Arrival: noon, Info: &chargestream.StationInfo{StationID: "st-1", Name: "Quai 1",
			SiteID: "lyon-1", Latitude: 45.764, Longitude: 4.8357, TimeZone: "Europe/Paris",
			Region: "FR-ARA", TariffID: "t-1", MaxPower: 22000, Calibrated: true,
			Connectors: []chargestream.ConnectorInfo{{ConnectorID: "1", Type: "IEC_62196_T2",
				MaxPower: 22000, Calibrated: true, MeterSerial: "m-1", PublicKey: "3059"}}}},
		{Arrival: noon + hour},
	}}
}

// TestGoldenRegistryIsWhole holds that the golden row has every field of an entry, so that one
// that is added later cannot be forgotten.
func TestGoldenRegistryIsWhole(t *testing.T) {
	info := goldenRegistry().Revisions[0].Info
	for _, v := range []reflect.Value{reflect.ValueOf(*info), reflect.ValueOf(info.Connectors[0])} {
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("%s.%s is not set", v.Type(), v.Type().Field(i).Name)
			}
		}
	}
}

// entryNamed is an entry of the registry with a name.
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

func minuteOf(m int) chargestream.Millis { return begin + chargestream.Millis(m)*minute }

func mustAdd(t failer, changed bool, err error) {
	t.Helper()
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
	}{
		"nothing":              {nil, 5, 900, ""},
		"arrived before":       {[]revision{{0, "a"}}, 5, 5, "a"},
		"arrived at start":     {[]revision{{5, "a"}}, 5, 5, "a"},
		"the last before":      {[]revision{{0, "a"}, {4, "b"}, {6, "c"}}, 5, 900, "b"},
		"later, not there yet": {[]revision{{6, "a"}}, 5, 5, ""},
		"later, just there":    {[]revision{{6, "a"}}, 5, 6, "a"},
		"the first later":      {[]revision{{6, "a"}, {7, "b"}}, 5, 900, "a"},
		"later at one moment":  {[]revision{{6, "a"}, {6, "b"}}, 5, 900, "b"},
		"withdrawn before":     {[]revision{{0, "a"}, {4, ""}}, 5, 900, ""},
		"withdrawn, and back":  {[]revision{{0, "a"}, {4, ""}, {7, "b"}}, 5, 900, "b"},
		"withdrawn, back soon": {[]revision{{0, "a"}, {4, ""}, {7, "b"}}, 5, 6, ""},
		"withdrawn later":      {[]revision{{0, "a"}, {6, ""}}, 5, 900, "a"},
		"later, and withdrawn": {[]revision{{6, "a"}, {7, ""}}, 5, 900, "a"},
		"a start to come":      {[]revision{{0, "a"}, {6, "b"}}, 7, 5, "a"},
		"before its entry":     {[]revision{{6, "a"}}, 7, 5, ""},
	} {
		var r tables.Registry
		for _, rev := range c.list {
			changed, err := r.Add(minuteOf(rev.arrival), entryNamed(rev.name))
			mustAdd(t, changed, err)
		}
		if got := nameOf(r.At(minuteOf(c.start), minuteOf(c.now))); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestRegistryBy(t *testing.T) {
	var r tables.Registry
	for arrival, name := range []string{"a", "", "b"} {
		changed, err := r.Add(minuteOf(arrival), entryNamed(name))
		mustAdd(t, changed, err)
	}
	for by, want := range map[int]string{-1: "", 0: "a", 1: "", 2: "b", 900: "b"} {
		if got := nameOf(r.By(minuteOf(by))); got != want {
			t.Errorf("by minute %d: %q, want %q", by, got, want)
		}
	}
	for n, want := range []string{"", "a", "", "b", "b"} {
		if got := nameOf(r.First(n).By(minuteOf(900))); got != want {
			t.Errorf("of the first %d: %q, want %q", n, got, want)
		}
	}
}

// TestRegistryHoldsItsOrder: an entry that says the same as the last one adds nothing, arrivals do
// not fall, and what a row gave away does not change with it.
func TestRegistryHoldsItsOrder(t *testing.T) {
	var r tables.Registry
	if changed, err := r.Add(minuteOf(0), nil); changed || err != nil {
		t.Errorf("an entry that never was is taken out: %v, %v", changed, err)
	}
	changed, err := r.Add(minuteOf(5), entryNamed("a"))
	mustAdd(t, changed, err)
	before, first := r, r.First(1)
	for range 2 {
		if changed, err := r.Add(minuteOf(9), entryNamed("a")); changed || err != nil {
			t.Errorf("the same entry: %v, %v", changed, err)
		}
	}
	changed, err = r.Add(minuteOf(2), nil)
	mustAdd(t, changed, err)
	want := tables.Registry{Revisions: []tables.RegistryRevision{
		{Arrival: minuteOf(5), Info: entryNamed("a")}, {Arrival: minuteOf(5)}}}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
	if len(before.Revisions) != 1 || len(first.Revisions) != 1 ||
		nameOf(first.By(minuteOf(900))) != "a" {
		t.Error("what was given away was changed")
	}
}

func TestRegistryIsBounded(t *testing.T) {
	var r tables.Registry
	for n := range tables.ReferenceRevisionsMax {
		changed, err := r.Add(minuteOf(n), entryNamed(fmt.Sprint(n)))
		mustAdd(t, changed, err)
	}
	full := r.Append(nil)
	if _, err := r.Add(minuteOf(0), nil); !errors.Is(err, tables.ErrReferenceRevisions) {
		t.Errorf("one entry more: %v", err)
	}
	if !slices.Equal(full, r.Append(nil)) {
		t.Error("a row that is full was changed")
	}
	r = tables.Registry{}
	changed, err := r.Add(minuteOf(0), entryNamed(strings.Repeat("x", tables.ReferenceBytesMax/2)))
	mustAdd(t, changed, err)
	large := entryNamed(strings.Repeat("y", tables.ReferenceBytesMax/2))
	if _, err := r.Add(minuteOf(0), large); !errors.Is(err, tables.ErrReferenceBytes) {
		t.Errorf("an entry as large again: %v", err)
	}
	if len(r.Revisions) != 1 {
		t.Errorf("%d revisions, want 1", len(r.Revisions))
	}
}

// TestRegistryOfRandomHistories holds rows against what they were made of, asked at each minute.
func TestRegistryOfRandomHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &tables.Registry{}
		for range rapid.IntRange(0, 12).Draw(t, "revisions") {
			at := minuteOf(rapid.IntRange(0, 30).Draw(t, "arrival"))
			name := rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "name")
			if _, err := r.Add(at, entryNamed(name)); err != nil {
				t.Fatal(err)
			}
		}
		back, err := tables.DecodeRegistry(r.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, back); diff != "" {
			t.Fatal(diff)
		}
		last, err := tables.RegistryNow(r.Append(nil))
		if diff := cmp.Diff(r.By(minuteOf(60)), last); err != nil || diff != "" {
			t.Fatalf("the entry that counts now: %v\n%s", err, diff)
		}
		start := minuteOf(rapid.IntRange(0, 50).Draw(t, "start"))
		for m := 60; m >= 0; m-- {
			now := minuteOf(m)
			info := r.At(start, now)
			if by := r.By(min(start, now)); by != nil && info != by {
				t.Fatalf("at minute %d %+v, and by the start %+v", m, info, by)
			}
			if early := r.First(r.Known(now)).At(start, now); early != info {
				t.Fatalf("at minute %d %+v, and of what had arrived %+v", m, info, early)
			}
			// What counts for a session that began once counts for ever.
			if later := r.At(start, now+day); start <= now && info != nil && later != info {
				t.Fatalf("at minute %d %+v, a day later %+v", m, info, later)
			}
		}
	})
}

// TestReferenceHistoryThatIsReadLater holds that an entry, or a tariff, which arrived long before
// the newest one counts from its arrival: history is imported in any order. What the rows were when
// they had fewer revisions stays.
func TestReferenceHistoryThatIsReadLater(t *testing.T) {
	var r tables.Registry
	var tariff tables.Tariff
	version := func(from int) []chargestream.TariffVersion {
		return []chargestream.TariffVersion{{ValidFrom: minuteOf(from), Tariff: []byte(`{}`)}}
	}
	for _, rev := range []struct {
		arrival int
		name    string
		changed bool
	}{{1000, "b", true}, {100, "a", true}, {1001, "b", false}, {300, "a", false},
		{960, "c", true}} {
		changed, err := r.Add(minuteOf(rev.arrival), entryNamed(rev.name))
		if err != nil || changed != rev.changed {
			t.Fatalf("%+v: %v, %v", rev, changed, err)
		}
		changed, err = tariff.Add(minuteOf(rev.arrival), version(-int(rev.name[0])))
		if err != nil || changed != rev.changed {
			t.Fatalf("tariff %+v: %v, %v", rev, changed, err)
		}
	}
	for at, want := range map[int]string{99: "", 100: "a", 999: "a", 1000: "c", 2000: "c"} {
		if got := nameOf(r.By(minuteOf(at))); got != want {
			t.Errorf("by minute %d: %q, want %q", at, got, want)
		}
		v := tariff.By(minuteOf(0), minuteOf(at))
		if (v == nil) != (want == "") || v != nil && v.ValidFrom != minuteOf(-int(want[0])) {
			t.Errorf("tariff by minute %d: %+v, want that of %q", at, v, want)
		}
	}
	if got := nameOf(r.First(1).By(minuteOf(2000))); got != "b" {
		t.Errorf("of the first: %q", got)
	}
	back, err := tables.DecodeRegistry(r.Append(nil))
	if diff := cmp.Diff(&r, back); err != nil || diff != "" {
		t.Errorf("%v, %s", err, diff)
	}
}
