package tables_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"chargestream"
	"chargestream/tables"
)

// goldenTariff is a history with all that it can have. Its texts are no tariffs, but short.
func goldenTariff() *tables.Tariff {
	text := func(text string) json.RawMessage { return json.RawMessage(text) }
	return &tables.Tariff{Revisions: []tables.TariffRevision{
		{Arrival: noon, Versions: []chargestream.TariffVersion{
			{ValidFrom: begin, Tariff: text(`{"a":1}`)}}},
		{Arrival: noon + minute, Versions: []chargestream.TariffVersion{
			{ValidFrom: begin, Tariff: text(`{"a":1}`)},
			{ValidFrom: begin + day, Tariff: text(`{"b":2}`)}}},
		{Arrival: noon + hour},
	}}
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
		"in effect":            {[]revision{{0, valid(1)}}, 5, 2, 1},
		"not yet":              {[]revision{{0, valid(1)}}, 5, 1, -1},
		"not in force":         {[]revision{{0, valid(6)}}, 5, 900, -1},
		"in force at start":    {[]revision{{0, valid(5)}}, 5, 900, 5},
		"the largest in force": {[]revision{{0, valid(4, 6, 2)}}, 5, 900, 4},
		"the last record":      {[]revision{{0, valid(1)}, {1, valid(2)}}, 5, 3, 2},
		"of which one counts":  {[]revision{{0, valid(1)}, {1, valid(2)}}, 5, 2, 1},
		"none before":          {[]revision{{0, valid(6)}, {1, valid(1, 6)}}, 5, 900, 1},
		"withdrawn":            {[]revision{{0, valid(1)}, {1, nil}}, 5, 3, -1},
		"withdrawn later":      {[]revision{{0, valid(1)}, {1, nil}}, 5, 2, 1},
	} {
		var r tables.Tariff
		for _, rev := range c.list {
			changed, err := r.Add(minuteOf(rev.arrival), rev.versions)
			mustAdd(t, changed, err)
		}
		got := r.At(minuteOf(c.start), minuteOf(c.now))
		switch {
		case c.want < 0 && got != nil:
			t.Errorf("%s: %+v, want none", name, got)
		case c.want >= 0 && (got == nil || got.ValidFrom != minuteOf(c.want)):
			t.Errorf("%s: %+v, want minute %d", name, got, c.want)
		}
		by := r.By(minuteOf(c.start), minuteOf(c.now)-chargestream.TariffDelay)
		if diff := cmp.Diff(got, by); diff != "" {
			t.Errorf("%s: by the arrival, without the delay: %s", name, diff)
		}
	}
}

// TestTariffCountsFromTheDelayOn holds the moment to the millisecond.
func TestTariffCountsFromTheDelayOn(t *testing.T) {
	var r tables.Tariff
	changed, err := r.Add(begin, valid(0))
	mustAdd(t, changed, err)
	if v := r.At(begin, begin+chargestream.TariffDelay-1); v != nil {
		t.Errorf("a ms before: %+v", v)
	}
	if v := r.At(begin, begin+chargestream.TariffDelay); v == nil {
		t.Error("not in effect")
	}
}

// TestTariffHoldsItsOrder: what says nothing new adds nothing, arrivals do not fall, and what was
// given to a row, or what it gave away, does not change with it.
func TestTariffHoldsItsOrder(t *testing.T) {
	var r tables.Tariff
	if changed, err := r.Add(minuteOf(0), nil); changed || err != nil {
		t.Errorf("a tariff that never was is taken out: %v, %v", changed, err)
	}
	given := valid(3, 1)
	changed, err := r.Add(minuteOf(5), given)
	mustAdd(t, changed, err)
	before, first := r, r.First(1)
	for range 2 {
		if changed, err := r.Add(minuteOf(9), valid(1, 3)); changed || err != nil {
			t.Errorf("the same versions in another order: %v, %v", changed, err)
		}
	}
	changed, err = r.Add(minuteOf(2), nil)
	mustAdd(t, changed, err)
	want := tables.Tariff{Revisions: []tables.TariffRevision{
		{Arrival: minuteOf(5), Versions: valid(1, 3)}, {Arrival: minuteOf(5)}}}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
	if len(before.Revisions) != 1 || len(first.Revisions) != 1 ||
		given[0].ValidFrom != minuteOf(3) {
		t.Error("what was given, or given away, was changed")
	}
}

func TestTariffIsBounded(t *testing.T) {
	var r tables.Tariff
	for n := range tables.ReferenceRevisionsMax {
		changed, err := r.Add(minuteOf(n), valid(n))
		mustAdd(t, changed, err)
	}
	full := r.Append(nil)
	if _, err := r.Add(minuteOf(0), nil); !errors.Is(err, tables.ErrReferenceRevisions) {
		t.Errorf("one revision more: %v", err)
	}
	if !slices.Equal(full, r.Append(nil)) {
		t.Error("a row that is full was changed")
	}

	r = tables.Tariff{}
	large := valid(1)
	large[0].Tariff = json.RawMessage(strings.Repeat("x", tables.ReferenceBytesMax))
	if _, err := r.Add(minuteOf(0), large); !errors.Is(err, tables.ErrReferenceBytes) {
		t.Errorf("a tariff that is too large: %v", err)
	}
	large[0].Tariff = large[0].Tariff[:tables.ReferenceBytesMax/2]
	changed, err := r.Add(minuteOf(0), large)
	mustAdd(t, changed, err)
	// The text that is there already costs nothing again.
	changed, err = r.Add(minuteOf(0), append(valid(2), large...))
	mustAdd(t, changed, err)
	again := append(valid(2), large...)
	again[1].Tariff = append([]byte("y"), large[0].Tariff...)
	if _, err := r.Add(minuteOf(0), again); !errors.Is(err, tables.ErrReferenceBytes) {
		t.Errorf("another text as large: %v", err)
	}
	if len(r.Revisions) != 2 {
		t.Errorf("%d revisions, want 2", len(r.Revisions))
	}
}

// TestTariffOfRandomHistories holds that a row is read as it was written, and that it gives the
// version in force of the last revision in effect.
func TestTariffOfRandomHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &tables.Tariff{}
		for range rapid.IntRange(0, 12).Draw(t, "revisions") {
			at := minuteOf(rapid.IntRange(0, 30).Draw(t, "arrival"))
			from := rapid.SliceOfNDistinct(rapid.IntRange(0, 40), 0, 3, rapid.ID[int])
			if _, err := r.Add(at, valid(from.Draw(t, "versions")...)); err != nil {
				t.Fatal(err)
			}
		}
		back, err := tables.DecodeTariff(r.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, back); diff != "" {
			t.Fatal(diff)
		}
		start := minuteOf(rapid.IntRange(0, 50).Draw(t, "start"))
		now := minuteOf(rapid.IntRange(0, 50).Draw(t, "now"))
		var want chargestream.Millis
		for _, rev := range r.Revisions {
			if rev.Arrival+chargestream.TariffDelay > now {
				break
			}
			want = 0
			for _, v := range rev.Versions {
				if v.ValidFrom <= start {
					want = max(want, v.ValidFrom)
				}
			}
		}
		got := r.At(start, now)
		if (got == nil) != (want == 0) || got != nil && got.ValidFrom != want {
			t.Fatalf("%+v, want %s", got, want)
		}
	})
}
