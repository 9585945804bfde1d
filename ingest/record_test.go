package ingest_test

import (
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"chargestream"
	"chargestream/ingest"
)

func numbered(n int) []ingest.Record {
	records := make([]ingest.Record, n)
	for i := range records {
		records[i] = ingest.Record{Topic: "t", Key: strconv.Itoa(i)}
	}
	return records
}

func TestShuffleAndCutKeepEveryRecord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := numbered(rapid.IntRange(0, 50).Draw(t, "records"))
		seed := rapid.Uint64().Draw(t, "seed")
		step := rapid.IntRange(1, 20).Draw(t, "step")
		all := ingest.Shuffle(ingest.Duplicate(records), seed)
		if !slices.Equal(tell(all), tell(ingest.Shuffle(ingest.Duplicate(records), seed))) {
			t.Fatal("the same seed gave two orders")
		}
		var joined []string
		for at := 0; at < len(all); at += step {
			joined = append(joined, tell(ingest.Cut(all, at, step))...)
		}
		if !slices.Equal(joined, tell(all)) {
			t.Fatalf("cuts gave %v, want %v", joined, tell(all))
		}
		want := tell(ingest.Duplicate(records))
		slices.Sort(want)
		slices.Sort(joined)
		if !slices.Equal(joined, want) {
			t.Fatalf("shuffled %v, want %v", joined, want)
		}
	})
}

func TestCut(t *testing.T) {
	records := numbered(3)
	for _, tc := range []struct{ offset, limit, want int }{
		{0, 0, 3}, {1, 0, 2}, {1, 1, 1}, {2, 9, 1}, {3, 1, 0}, {9, 0, 0}, {-1, 2, 2},
	} {
		if got := len(ingest.Cut(records, tc.offset, tc.limit)); got != tc.want {
			t.Errorf("Cut(%d, %d) has %d records, want %d", tc.offset, tc.limit, got, tc.want)
		}
	}
}

// TestBackdate: reference data arrived a day before the first event, wherever that stands.
func TestBackdate(t *testing.T) {
	reference := []ingest.Record{{Key: "a"}, {Key: "b", Arrival: 9}}
	const day = chargestream.Day
	events := []ingest.Record{{Arrival: day + 7}, {}, {Arrival: day + 5}, {Arrival: day + 6}}
	want := []ingest.Record{{Key: "a", Arrival: 5}, {Key: "b", Arrival: 9}}
	if diff := cmp.Diff(want, ingest.Backdate(reference, events)); diff != "" {
		t.Errorf("with events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(reference, ingest.Backdate(reference, nil)); diff != "" {
		t.Errorf("without events (-want +got):\n%s", diff)
	}
	if reference[0].Arrival != 0 {
		t.Error("what was given was changed")
	}
}
