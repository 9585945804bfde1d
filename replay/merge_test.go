package replay

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/internal/seeded"
)

// mergeRecords are records of a topic's partition with these arrival times, from an offset on.
func mergeRecords(topic string, partition int32, offset int64, arrivals ...int64) []*kgo.Record {
	var list []*kgo.Record
	for i, arrival := range arrivals {
		list = append(list, &kgo.Record{Topic: topic, Partition: partition,
			Offset: offset + int64(i), Timestamp: time.UnixMilli(arrival)})
	}
	return list
}

// feedAll gives a merge a source with all its records.
func feedAll(m *merge, topic string, partition int32, order int, arrivals ...int64) {
	m.add(topic, partition, order, 0, int64(len(arrivals)))
	m.feed(topic, partition, mergeRecords(topic, partition, 0, arrivals...))
}

// taken is all that a merge gives now, as topic/partition@arrival.
func taken(m *merge) string {
	var list []string
	for {
		message, source := m.take()
		if source == nil {
			return strings.Join(list, " ")
		}
		list = append(list, fmt.Sprintf("%s/%d@%d", message.Topic, message.Partition,
			message.Arrival))
	}
}

func wantTaken(t *testing.T, m *merge, want string) {
	t.Helper()
	if got := taken(m); got != want {
		t.Errorf("took %q, want %q", got, want)
	}
}

func TestMergeByArrival(t *testing.T) {
	m := newMerge(mergeBytesMax)
	feedAll(m, "a", 0, 0, 10, 40)
	feedAll(m, "b", 0, 1, 20, 30)
	feedAll(m, "a", 1, 0, 15, 35)
	wantTaken(t, m, "a/0@10 a/1@15 b/0@20 b/0@30 a/1@35 a/0@40")
	if !m.done() {
		t.Error("it is not done")
	}
}

// TestMergeTies: equal arrival times go by the topic, however the topics were added.
func TestMergeTies(t *testing.T) {
	m := newMerge(mergeBytesMax)
	feedAll(m, "clock", 0, 2, 10)
	feedAll(m, "b", 0, 1, 10, 10)
	feedAll(m, "a", 0, 0, 10)
	wantTaken(t, m, "a/0@10 b/0@10 b/0@10 clock/0@10")
}

// TestMergeKeepsTheOrderOfAPartition: a record that arrived before the one in front of it waits
// for that one, as it does in the engine.
func TestMergeKeepsTheOrderOfAPartition(t *testing.T) {
	m := newMerge(mergeBytesMax)
	feedAll(m, "a", 0, 0, 30, 10)
	feedAll(m, "b", 0, 1, 20, 40)
	wantTaken(t, m, "b/0@20 a/0@30 a/0@10 b/0@40")
}

func TestMergeWaits(t *testing.T) {
	m := newMerge(mergeBytesMax)
	m.add("a", 0, 0, 5, 8)
	m.add("b", 0, 1, 0, 2)
	m.feed("b", 0, mergeRecords("b", 0, 0, 10, 30))
	wantTaken(t, m, "")
	m.feed("a", 0, mergeRecords("a", 0, 5, 20))
	wantTaken(t, m, "b/0@10 a/0@20")
	m.feed("a", 0, mergeRecords("a", 0, 6, 25, 40))
	wantTaken(t, m, "a/0@25 b/0@30 a/0@40")
	if !m.done() {
		t.Error("it is not done")
	}
}

// TestMergeEnds: what is at its end is not waited for, nor is what lies behind the end taken; an
// end may be a marker, or lie where nothing is.
func TestMergeEnds(t *testing.T) {
	m := newMerge(mergeBytesMax)
	if m.add("empty", 0, 0, 7, 7) {
		t.Error("a source is added that has nothing")
	}
	m.add("a", 0, 0, 0, 2)
	m.add("b", 0, 1, 0, 2)
	m.add("c", 0, 2, 0, 2)
	_, stop := m.feed("a", 0, mergeRecords("a", 0, 0, 10, 20, 30))
	if !stop {
		t.Error("a source that is at its end is fetched on")
	}
	marked := mergeRecords("b", 0, 0, 15, 16)
	marked[1].Attrs = kgo.NewRecordAttrs(kgo.RecordAttrsOpts{Control: true})
	m.feed("b", 0, marked)
	wantTaken(t, m, "")
	m.feed("c", 0, mergeRecords("c", 0, 5, 99))
	wantTaken(t, m, "a/0@10 b/0@15 a/0@20")
	if source, stop := m.feed("a", 0, mergeRecords("a", 0, 3, 40)); stop || m.mayResume(source) {
		t.Error("a source that has ended goes on")
	}
	if !m.done() {
		t.Error("it is not done")
	}
}

// TestMergeIsBounded: a source that is full is fetched no more, once, until half of it is taken.
func TestMergeIsBounded(t *testing.T) {
	const records = 10
	m := newMerge(records*mergeRecordBytes - 1)
	m.add("a", 0, 0, 0, 100)
	m.add("b", 0, 1, 0, 100)
	var stops []bool
	for offset := range int64(records + 1) {
		_, stop := m.feed("a", 0, mergeRecords("a", 0, offset, offset))
		stops = append(stops, stop)
	}
	want := make([]bool, records+1)
	want[records-1] = true
	if diff := cmp.Diff(want, stops); diff != "" {
		t.Errorf("stops (-want +got):\n%s", diff)
	}
	m.feed("b", 0, mergeRecords("b", 0, 0, 1000))
	resumed := -1
	for left := records; left >= 0; left-- {
		_, source := m.take()
		if source == nil {
			t.Fatalf("nothing is taken, with %d left", left)
		}
		if m.mayResume(source) {
			if resumed >= 0 {
				t.Errorf("fetched again twice")
			}
			resumed = left
		}
	}
	if resumed != records/2-1 {
		t.Errorf("fetched again with %d records left, want %d", resumed, records/2-1)
	}
}

// TestMergeInAnyPieces: records come in one order, in whatever pieces they are fetched, and however
// little is read ahead.
func TestMergeInAnyPieces(t *testing.T) {
	seed := seeded.Seed(t)
	for round := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, round))
		whole, pieces := newMerge(mergeBytesMax), newMerge(4*mergeRecordBytes)
		var left [][]*kgo.Record
		for order := range 3 {
			for partition := range int32(2) {
				arrivals := make([]int64, r.IntN(20))
				for i := range arrivals {
					arrivals[i] = 1 + r.Int64N(30)
				}
				topic := fmt.Sprint("t", order)
				feedAll(whole, topic, partition, order, arrivals...)
				if pieces.add(topic, partition, order, 0, int64(len(arrivals))) {
					left = append(left, mergeRecords(topic, partition, 0, arrivals...))
				}
			}
		}
		want := taken(whole)
		if got := inPieces(pieces, left, r); got != want {
			t.Fatalf("seed %d, round %d: took\n%s\nwant\n%s", seed, round, got, want)
		}
	}
}

// inPieces feeds a merge a few records of some source at a time, but of none that is stopped.
func inPieces(m *merge, left [][]*kgo.Record, r *rand.Rand) string {
	var list []string
	stopped := map[*mergeSource]bool{}
	for !m.done() {
		i := r.IntN(len(left))
		if n := min(1+r.IntN(3), len(left[i])); n > 0 {
			first := left[i][0]
			if !stopped[m.sources[first.Topic][first.Partition]] {
				source, stop := m.feed(first.Topic, first.Partition, left[i][:n])
				stopped[source], left[i] = stop, left[i][n:]
			}
		}
		for message, source := m.take(); source != nil; message, source = m.take() {
			list = append(list, fmt.Sprintf("%s/%d@%d", message.Topic, message.Partition,
				message.Arrival))
			if m.mayResume(source) {
				stopped[source] = false
			}
		}
	}
	return strings.Join(list, " ")
}
