package engine

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/google/go-cmp/cmp"
)

// fakeClaim is a claim of partition 0 whose records a test sends.
type fakeClaim struct {
	topic    string
	initial  int64
	high     int64
	messages chan *sarama.ConsumerMessage
}

func newFakeClaim(topic string, high int64) *fakeClaim {
	return &fakeClaim{topic: topic, high: high, messages: make(chan *sarama.ConsumerMessage, 100)}
}

func (c *fakeClaim) Topic() string                            { return c.topic }
func (c *fakeClaim) Partition() int32                         { return 0 }
func (c *fakeClaim) InitialOffset() int64                     { return c.initial }
func (c *fakeClaim) HighWaterMarkOffset() int64               { return c.high }
func (c *fakeClaim) Messages() <-chan *sarama.ConsumerMessage { return c.messages }

// send queues a record whose own timestamp is at, in seconds, and whose arrival header, where
// there is one, is the text.
func (c *fakeClaim) send(offset, at int64, arrival ...string) {
	m := &sarama.ConsumerMessage{Topic: c.topic, Offset: offset, Timestamp: time.Unix(at, 0)}
	for _, text := range arrival {
		m.Headers = append(m.Headers,
			&sarama.RecordHeader{Key: []byte(HeaderArrival), Value: []byte(text)})
	}
	c.messages <- m
}

func merge(claims ...*fakeClaim) *merger {
	var all []sarama.ConsumerGroupClaim
	var ends []int64
	for _, c := range claims {
		all = append(all, c)
		ends = append(ends, c.high)
	}
	return newMerger(all, ends)
}

// order takes n records and names each by topic, offset and arrival.
func order(t *testing.T, m *merger, n int) []string {
	t.Helper()
	var got []string
	for range n {
		msg, ok := m.take(t.Context())
		if !ok {
			return append(got, "end")
		}
		got = append(got, fmt.Sprintf("%s%d@%d", msg.Topic, msg.Offset, msg.Timestamp.Unix()))
	}
	return got
}

func expectOrder(t *testing.T, m *merger, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, order(t, m, len(want))); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestMergeSmallestArrivalFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFakeClaim("a", 3), newFakeClaim("b", 3)
		for n, at := range []int64{10, 30, 40} {
			a.send(int64(n), at)
		}
		for n, at := range []int64{20, 25, 50} {
			b.send(int64(n), at)
		}
		start := time.Now()
		expectOrder(t, merge(a, b), "a0@10", "b0@20", "b1@25", "a1@30", "a2@40", "b2@50")
		if waited := time.Since(start); waited != 0 {
			t.Errorf("waited %v with nothing missing", waited)
		}
	})
}

func TestMergeEqualArrivalInOrderOfInputs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 50 {
			a, b, c := newFakeClaim("a", 1), newFakeClaim("b", 1), newFakeClaim("c", 1)
			c.send(0, 5)
			b.send(0, 5)
			a.send(0, 5)
			expectOrder(t, merge(b, a, c), "b0@5", "a0@5", "c0@5")
		}
	})
}

// TestMergeArrivalHeaderOverTimestamp also looks at where the record's own timestamp goes.
func TestMergeArrivalHeaderOverTimestamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFakeClaim("a", 2), newFakeClaim("b", 2)
		a.send(0, 1, "1970-01-01T00:01:40Z") // timestamp 1 s, arrival 100 s
		b.send(0, 50)
		b.send(1, 200, "not a time", "1970-01-01T00:01:39Z", "nor this")
		a.send(1, 3, "nonsense") // its timestamp stands, though it is behind a0
		m := merge(a, b)
		first, ok := m.take(t.Context())
		if !ok || first.Topic != "b" {
			t.Fatalf("first is %+v, want b0", first)
		}
		expectOrder(t, m, "b1@99")
		last, ok := m.take(t.Context())
		if !ok || last.Timestamp.Unix() != 100 {
			t.Fatalf("a0 is %+v", last)
		}
		own := last.Headers[len(last.Headers)-1]
		if string(own.Key) != timestampHeader || string(own.Value) != "1000" {
			t.Errorf("a0's own time is %s %s", own.Key, own.Value)
		}
		expectOrder(t, m, "a1@3")
	})
}

// TestMergeWaitsForWhatIsBehind: b has records that are not fetched yet, so a's must wait, however
// small its own arrival time is compared with what comes.
func TestMergeWaitsForWhatIsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFakeClaim("a", 1), newFakeClaim("b", 2)
		a.send(0, 100)
		go func() {
			time.Sleep(idleMax - time.Millisecond)
			b.send(0, 10)
			time.Sleep(idleMax - time.Millisecond)
			b.send(1, 200)
		}()
		m, start := merge(a, b), time.Now()
		expectOrder(t, m, "b0@10", "a0@100", "b1@200")
		if waited := time.Since(start); waited != 2*idleMax-2*time.Millisecond {
			t.Errorf("waited %v", waited)
		}
	})
}

// TestMergeTopicThatIsReadToItsEndIsNotWaitedFor: live records pass at once.
func TestMergeTopicThatIsReadToItsEndIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFakeClaim("a", 1), newFakeClaim("b", 7)
		b.initial = 7
		a.send(0, 100)
		start := time.Now()
		expectOrder(t, merge(a, b), "a0@100")
		if waited := time.Since(start); waited != 0 {
			t.Errorf("waited %v for a topic without records", waited)
		}
	})
}

// TestMergeGivesUpMarkers: offsets 1 to 4 of b are markers, which never come. That costs idleMax
// once, and again only when b has grown.
func TestMergeGivesUpMarkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFakeClaim("a", 3), newFakeClaim("b", 5)
		a.send(0, 100)
		a.send(1, 101)
		b.send(0, 1)
		m, start := merge(a, b), time.Now()
		expectOrder(t, m, "b0@1", "a0@100", "a1@101")
		if waited := time.Since(start); waited != idleMax {
			t.Errorf("waited %v, want %v once", waited, idleMax)
		}
		a.send(2, 102)
		b.high = 7
		b.send(5, 50)
		expectOrder(t, m, "b5@50", "a2@102")
		if waited := time.Since(start); waited != 2*idleMax {
			t.Errorf("waited %v, want %v", waited, 2*idleMax)
		}
	})
}

// TestMergeTrimmedTopic: the log of b was cut to nothing, and nothing was committed on it.
func TestMergeTrimmedTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFakeClaim("a", 1), newFakeClaim("b", 5)
		b.initial = sarama.OffsetOldest
		a.send(0, 1)
		start := time.Now()
		expectOrder(t, merge(a, b), "a0@1")
		if waited := time.Since(start); waited != idleMax {
			t.Errorf("waited %v", waited)
		}
	})
}

func TestMergeEndsWithItsClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFakeClaim("a", 9), newFakeClaim("b", 9)
		a.send(0, 2)
		b.send(0, 1)
		close(a.messages)
		m := merge(a, b)
		go func() {
			time.Sleep(time.Millisecond)
			close(b.messages)
		}()
		// What was fetched is still handed over: the session decides whether it is folded.
		expectOrder(t, m, "b0@1", "a0@2", "end")
	})
}

func TestMergeEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newFakeClaim("a", 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if msg, ok := merge(a).take(ctx); ok {
			t.Errorf("took %v", msg)
		}
	})
}
