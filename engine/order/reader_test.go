package order

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine/task"
	"chargestream/internal/seeded"
)

// noon is when the tests begin. They pass the time as an argument.
var noon = time.Unix(1_790_000_000, 0)

// record is one whose own timestamp is at, in seconds, and which has the arrival headers given.
func record(topic string, offset, at int64, arrivals ...string) *kgo.Record {
	r := &kgo.Record{Topic: topic, Offset: offset, Timestamp: time.Unix(at, 0)}
	for _, text := range arrivals {
		r.Headers = append(r.Headers,
			kgo.RecordHeader{Key: task.HeaderArrival, Value: []byte(text)})
	}
	return r
}

// marker is a control record.
func marker(topic string, offset int64) *kgo.Record {
	r := record(topic, offset, 0)
	r.Attrs = kgo.NewRecordAttrs(kgo.RecordAttrsOpts{Control: true})
	return r
}

// reading is a reader with topics a, b and so on, each from offset 0 to the end given.
func reading(ends ...int64) *Reader {
	var topics []string
	for n := range ends {
		topics = append(topics, string(rune('a'+n)))
	}
	r := NewReader(topics)
	for n, topic := range topics {
		r.Start(topic, 0, ends[n])
	}
	return r
}

// feed hands records over, each to its topic, and nothing of where that ends.
func feed(r *Reader, records ...*kgo.Record) {
	for _, record := range records {
		r.Feed(record.Topic, []*kgo.Record{record}, 0)
	}
}

// order takes all that a reader gives at a moment, and names each by topic, offset and arrival.
func order(r *Reader, now time.Time) (got []string, wait time.Duration) {
	for {
		var batch []Entry
		batch, wait, _ = r.Take(nil, now)
		if len(batch) == 0 {
			return got, wait
		}
		for _, e := range batch {
			got = append(got, fmt.Sprintf("%s%d@%d", e.Record.Topic, e.Record.Offset,
				e.Arrival/1000))
		}
	}
}

// expectOrder checks what a reader gives at a moment, and how long it then waits at most.
func expectOrder(t *testing.T, r *Reader, now time.Time, wait time.Duration, want ...string) {
	t.Helper()
	got, waits := order(r, now)
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if waits != wait {
		t.Errorf("waits %v, want %v", waits, wait)
	}
}

func TestMergeSmallestArrivalFirst(t *testing.T) {
	r := reading(3, 3)
	feed(r, record("a", 0, 10), record("a", 1, 30), record("a", 2, 40),
		record("b", 0, 20), record("b", 1, 25), record("b", 2, 50))
	expectOrder(t, r, noon, 0, "a0@10", "b0@20", "b1@25", "a1@30", "a2@40", "b2@50")
}

func TestMergeEqualArrivalInOrderOfInputs(t *testing.T) {
	for _, fed := range [][]string{{"c", "b", "a"}, {"a", "b", "c"}, {"b", "c", "a"}} {
		r := NewReader([]string{"b", "a", "c"})
		for _, topic := range fed {
			r.Start(topic, 0, 1)
			feed(r, record(topic, 0, 5))
		}
		expectOrder(t, r, noon, 0, "b0@5", "a0@5", "c0@5")
	}
}

// TestMergeArrivalHeaderOverTimestamp: the last header that is a time counts; where none is, or it
// is far ahead of the timestamp, that stands.
func TestMergeArrivalHeaderOverTimestamp(t *testing.T) {
	r := reading(3, 2)
	feed(r, record("a", 0, 1, "1970-01-01T00:01:40Z"), record("b", 0, 50),
		record("b", 1, 200, "not a time", "1970-01-01T00:01:39Z", "nor this"),
		record("a", 1, 3, "nonsense"), record("a", 2, 101, "1999-01-01T00:00:00Z"))
	expectOrder(t, r, noon, 0, "b0@50", "b1@99", "a0@100", "a1@3", "a2@101")
}

// TestMergeLeavesTheTimestamp of a record as it is, beside the arrival.
func TestMergeLeavesTheTimestamp(t *testing.T) {
	r := reading(1)
	feed(r, record("a", 0, 1, "1970-01-01T00:01:40.5Z"))
	batch, _, _ := r.Take(nil, noon)
	if len(batch) != 1 || batch[0].Arrival != 100_500 || batch[0].Record.Timestamp.Unix() != 1 {
		t.Errorf("took %+v", batch)
	}
}

// TestMergeWaitsForWhatIsBehind: b has records that are not fetched yet, so a's must wait, however
// small its own arrival time is compared with what comes.
func TestMergeWaitsForWhatIsBehind(t *testing.T) {
	r := reading(1, 2)
	feed(r, record("a", 0, 100))
	expectOrder(t, r, noon, idleMax)
	now := noon.Add(idleMax - time.Millisecond)
	expectOrder(t, r, now, time.Millisecond)
	feed(r, record("b", 0, 10))
	expectOrder(t, r, now, idleMax, "b0@10") // and a new wait begins
	now = now.Add(idleMax - time.Millisecond)
	expectOrder(t, r, now, time.Millisecond)
	feed(r, record("b", 1, 200))
	expectOrder(t, r, now, 0, "a0@100", "b1@200")
}

// TestMergeTopicThatIsReadToItsEndIsNotWaitedFor: live records pass at once.
func TestMergeTopicThatIsReadToItsEndIsNotWaitedFor(t *testing.T) {
	r := NewReader([]string{"a", "b"})
	r.Start("a", 0, 1)
	r.Start("b", 7, 7)
	feed(r, record("a", 0, 100))
	expectOrder(t, r, noon, 0, "a0@100")
}

// TestMergeSingleTopicNeverWaits for itself.
func TestMergeSingleTopicNeverWaits(t *testing.T) {
	r := reading(9)
	expectOrder(t, r, noon, 0)
	feed(r, record("a", 0, 1))
	expectOrder(t, r, noon, 0, "a0@1")
}

// TestMergeGivesUpOnce: what b has left never comes. That costs idleMax once, is reported once, and
// costs it again only when b has grown.
func TestMergeGivesUpOnce(t *testing.T) {
	var gaveUp []string
	r := reading(3, 5, 0)
	r.GaveUp = func(topic string) { gaveUp = append(gaveUp, topic) }
	feed(r, record("a", 0, 100), record("a", 1, 101), record("b", 0, 1))
	expectOrder(t, r, noon, idleMax, "b0@1")
	now := noon.Add(idleMax)
	expectOrder(t, r, now, 0, "a0@100", "a1@101")
	feed(r, record("a", 2, 102))
	expectOrder(t, r, now, 0, "a2@102")
	r.Feed("b", nil, 7) // it has grown
	r.Feed("a", []*kgo.Record{record("a", 3, 103)}, 4)
	expectOrder(t, r, now, idleMax)
	feed(r, record("b", 5, 50))
	expectOrder(t, r, now, idleMax, "b5@50") // offset 6 is behind still
	now = now.Add(idleMax)
	expectOrder(t, r, now, 0, "a3@103")
	if diff := gocmp.Diff([]string{"b", "b"}, gaveUp); diff != "" {
		t.Errorf("given up (-want +got):\n%s", diff)
	}
}

// TestMergeWaitsAgainForATopicThatHasRecords: a topic that was given up, and then has a record, is
// worth waiting for.
func TestMergeWaitsAgainForATopicThatHasRecords(t *testing.T) {
	r := reading(2, 5)
	feed(r, record("a", 0, 100))
	expectOrder(t, r, noon, idleMax)
	now := noon.Add(idleMax)
	expectOrder(t, r, now, 0, "a0@100")
	feed(r, record("b", 1, 1), record("a", 1, 100))
	expectOrder(t, r, now, idleMax, "b1@1")
}

// TestMergeControlRecords move the position of their topic and are never handed out.
func TestMergeControlRecords(t *testing.T) {
	r := reading(1, 3)
	feed(r, record("a", 0, 100), record("b", 0, 1), marker("b", 1))
	expectOrder(t, r, noon, idleMax, "b0@1")
	feed(r, marker("b", 2))
	expectOrder(t, r, noon, 0, "a0@100")
}

// TestMergePassesOverWhatTheTableHas: an answer begins with the whole batch that an offset is in.
func TestMergePassesOverWhatTheTableHas(t *testing.T) {
	r := NewReader([]string{"a", "b"})
	r.Start("a", 5, 7)
	r.Start("b", 0, 0)
	bytes, _ := r.Feed("a", []*kgo.Record{record("a", 3, 1), record("a", 4, 2), record("a", 5, 3)},
		7)
	if bytes != recordOverhead {
		t.Errorf("keeps %d bytes", bytes)
	}
	expectOrder(t, r, noon, 0, "a5@3")
	if offsets, _ := r.Lag("a"); offsets != 1 {
		t.Errorf("lag is %d", offsets)
	}
}

// TestMergeTrimmedTopic: what is before the begin of the log is not waited for.
func TestMergeTrimmedTopic(t *testing.T) {
	r := NewReader([]string{"a", "b"})
	r.Start("a", 0, 1)
	r.Start("b", 5, 5) // next is never before the begin
	feed(r, record("a", 0, 1))
	expectOrder(t, r, noon, 0, "a0@1")
}

// TestMergeIsBounded: a topic that is ahead is paused at topicBytesMax and goes on when half of
// that is left; each is reported once.
func TestMergeIsBounded(t *testing.T) {
	r := reading(100, 1)
	const size = 1 << 20
	offset := int64(0)
	more := func() (full bool) {
		x := record("a", offset, 100)
		x.Value = make([]byte, size)
		bytes, full := r.Feed("a", []*kgo.Record{x}, 100)
		if offset++; bytes != size+recordOverhead {
			t.Errorf("keeps %d bytes of a record", bytes)
		}
		return full
	}
	for n := range topicBytesMax/size + 2 {
		if full := more(); full != (n == topicBytesMax/size-1) {
			t.Errorf("after %d records full is %v", n+1, full)
		}
	}
	if batch, wait, resume := r.Take(nil, noon); len(batch)+len(resume) > 0 || wait != idleMax {
		t.Errorf("took %d records, resumes %v, waits %v", len(batch), resume, wait)
	}
	feed(r, record("b", 0, 200))
	var resumed []int
	for n := range 12 {
		if n == 0 {
			for range BatchMax { // so many that a batch ends between
				feed(r, record("b", 1, 200))
			}
		}
		batch, _, resume := r.Take(nil, noon)
		if len(batch) > BatchMax {
			t.Errorf("a batch has %d records", len(batch))
		}
		for _, topic := range resume {
			if topic != "a" {
				t.Errorf("resumes %s", topic)
			}
			resumed = append(resumed, n)
		}
	}
	if len(resumed) != 1 {
		t.Errorf("resumed %d times", len(resumed))
	}
	if s := r.queue("a"); s.paused || s.bytes != 0 {
		t.Errorf("paused %v with %d bytes", s.paused, s.bytes)
	}
}

func TestMergeBatches(t *testing.T) {
	r := reading(0)
	for offset := range int64(2*BatchMax + 1) {
		feed(r, record("a", offset, offset))
	}
	want := int64(0)
	for _, n := range []int{BatchMax, BatchMax, 1, 0} {
		batch, _, _ := r.Take(nil, noon)
		if len(batch) != n {
			t.Errorf("a batch has %d records, want %d", len(batch), n)
		}
		for _, e := range batch {
			if e.Record.Offset != want {
				t.Fatalf("offset %d comes, want %d", e.Record.Offset, want)
			}
			want++
		}
	}
}

func TestMergeLag(t *testing.T) {
	r := reading(10, 0)
	for _, c := range []struct {
		do              func()
		offsets, oldest int64
	}{
		{func() {}, 10, 0},
		{func() { feed(r, record("a", 0, 7), record("a", 1, 8)) }, 10, 7000},
		{func() { r.Feed("a", nil, 12) }, 12, 7000},
		{func() { order(r, noon) }, 10, 8000}, // as old as the one before, at least
		{func() { feed(r, marker("a", 2)) }, 9, 8000},
	} {
		c.do()
		if offsets, oldest := r.Lag("a"); offsets != c.offsets || oldest != c.oldest {
			t.Errorf("lag is %d and %d, want %d and %d", offsets, oldest, c.offsets, c.oldest)
		}
	}
	if offsets, oldest := r.Lag("other"); offsets != 0 || oldest != 0 {
		t.Errorf("lag of no topic is %d and %d", offsets, oldest)
	}
}

// TestMergeDrop: what comes after a partition was given up is not kept.
func TestMergeDrop(t *testing.T) {
	r := reading(3, 3)
	feed(r, record("a", 0, 1), record("a", 1, 1), record("b", 0, 1))
	if got, _ := order(r, noon); len(got) != 2 {
		t.Fatalf("took %v", got)
	}
	feed(r, record("a", 2, 1), record("b", 1, 1))
	if bytes := r.Drop(); bytes != 3*recordOverhead {
		t.Errorf("drops %d bytes", bytes)
	}
	if bytes, full := r.Feed("a", []*kgo.Record{record("a", 3, 1)}, 9); bytes != 0 || full {
		t.Errorf("keeps %d bytes (full %v) after that", bytes, full)
	}
	if bytes := r.Drop(); bytes != 0 {
		t.Errorf("drops %d bytes again", bytes)
	}
	expectOrder(t, r, noon, 0)
}

// TestMergeIsWokenByFeed: a goroutine that waits is woken, once for many records.
func TestMergeIsWokenByFeed(t *testing.T) {
	r := reading(3)
	feed(r, record("a", 0, 1), record("a", 1, 1))
	select {
	case <-r.woken:
	default:
		t.Error("not woken")
	}
	select {
	case <-r.woken:
		t.Error("woken twice")
	default:
	}
}

// randomLogs are topics with records in the order of their arrival, and control records between.
func randomLogs(r *rand.Rand) map[string][]*kgo.Record {
	logs := map[string][]*kgo.Record{}
	for n := range 1 + r.IntN(4) {
		topic, at := string(rune('a'+n)), int64(1)
		logs[topic] = nil
		for offset := range int64(r.IntN(40)) {
			at += r.Int64N(3)
			x := record(topic, offset, at)
			if r.IntN(6) == 0 {
				x = marker(topic, offset)
			}
			logs[topic] = append(logs[topic], x)
		}
	}
	return logs
}

// sorted is the order in which logs must be read.
func sorted(logs map[string][]*kgo.Record) []string {
	var all []*kgo.Record
	for _, log := range logs {
		for _, r := range log {
			if !r.Attrs.IsControl() {
				all = append(all, r)
			}
		}
	}
	slices.SortFunc(all, func(a, b *kgo.Record) int {
		return cmp.Or(a.Timestamp.Compare(b.Timestamp), cmp.Compare(a.Topic, b.Topic),
			cmp.Compare(a.Offset, b.Offset))
	})
	var names []string
	for _, r := range all {
		names = append(names, fmt.Sprintf("%s%d@%d", r.Topic, r.Offset, r.Timestamp.Unix()))
	}
	return names
}

// TestMergeOrderDependsOnNothingElse feeds the same logs in portions of any size, in any order, and
// takes in between: as long as nothing is given up the order is that of the arrival times.
func TestMergeOrderDependsOnNothingElse(t *testing.T) {
	r := seeded.Rand(t)
	for range 400 {
		logs := randomLogs(r)
		var ends []int64
		for n := range len(logs) {
			ends = append(ends, int64(len(logs[string(rune('a'+n))])))
		}
		read, now, left, got := reading(ends...), noon, map[string][]*kgo.Record{}, []string(nil)
		read.GaveUp = func(topic string) { t.Errorf("gave up %s", topic) }
		for topic, log := range logs {
			left[topic] = log
		}
		for len(left) > 0 {
			topic := string(rune('a' + r.IntN(len(logs))))
			n := min(r.IntN(12), len(left[topic]))
			read.Feed(topic, left[topic][:n], ends[topic[0]-'a'])
			if left[topic] = left[topic][n:]; len(left[topic]) == 0 {
				delete(left, topic)
			}
			if r.IntN(2) == 0 {
				taken, _ := order(read, now)
				got = append(got, taken...)
				now = now.Add(time.Millisecond)
			}
		}
		taken, wait := order(read, now)
		if diff := gocmp.Diff(sorted(logs), append(got, taken...)); diff != "" || wait != 0 {
			t.Fatalf("waits %v, order (-want +got):\n%s", wait, diff)
		}
	}
}
