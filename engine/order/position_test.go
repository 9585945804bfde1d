package order

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestPosition follows a topic from its start, while another one is waited for.
func TestPosition(t *testing.T) {
	r := NewReader([]string{"a", "b"})
	r.Start("a", 5, 9)
	r.Start("b", 0, 3)
	expect := func(step string, want Position, awaited ...string) {
		t.Helper()
		if got, ok := r.Position("a"); !ok || got != want {
			t.Errorf("%s: %+v, want %+v", step, got, want)
		}
		if got := r.Awaited(); !slices.Equal(got, awaited) {
			t.Errorf("%s: waits for %v, want %v", step, got, awaited)
		}
	}
	now := time.UnixMilli(1000)
	record := func(topic string, offset, ms int64) *kgo.Record {
		return &kgo.Record{Topic: topic, Offset: offset, Timestamp: time.UnixMilli(ms)}
	}
	expect("started", Position{Folded: 5, Fetched: 5})
	r.Feed("a", []*kgo.Record{record("a", 5, 1), record("a", 7, 2)}, 9)
	expect("fetched", Position{Folded: 5, Fetched: 8, Queued: 2})
	r.Take(nil, now)
	expect("b is behind", Position{Folded: 5, Fetched: 8, Queued: 2}, "b")
	r.Feed("b", []*kgo.Record{record("b", 2, 1)}, 3)
	r.Take(nil, now)
	expect("all is taken", Position{Folded: 8, Fetched: 8, Taken: 2})
	r.Feed("a", []*kgo.Record{record("a", 8, 3)}, 9)
	expect("one more is fetched", Position{Folded: 8, Fetched: 9, Queued: 1, Taken: 2})
	if got, ok := r.Position("c"); ok {
		t.Errorf("a topic that is not read is at %+v", got)
	}
}
