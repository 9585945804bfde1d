package engine_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
	"chargestream/internal/kafkatest"
)

// longAfter is longer than a view may go without news of its topic.
const longAfter = time.Minute

// staleness is how stale a view will call itself when it hears nothing for so long from now on.
func staleness(t *testing.T, v *engine.View, after time.Duration) time.Duration {
	t.Helper()
	stale, known := v.Staleness(time.Now().Add(after))
	if !known {
		t.Fatal("the staleness is not known")
	}
	return stale
}

// TestViewMeasuresItself: a view that has caught up is fresh, until it hears of its topic no more
// or an open transaction hides what follows.
func TestViewMeasuresItself(t *testing.T) {
	t.Parallel()
	b, topic := shared.Broker(t), "measured"
	shared.mustTopics(t, b, kafkatest.CompactedTopic(topic))
	idle, err := engine.NewView(b.Addrs(), topic, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	if stale, known := idle.Staleness(time.Now()); known || idle.Behind() != 0 {
		t.Errorf("a view that never ran is %v stale and %d behind", stale, idle.Behind())
	}
	written := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	old := put(topic, "a", "1")
	old.Timestamp = written
	kafkatest.MustProduce(t, b, old)
	v := openView(t, b, topic)
	fresh := func() bool {
		stale, known := v.Staleness(time.Now())
		return known && stale == 0
	}
	eventually(t, "view is fresh", fresh)
	if v.Behind() != 0 || v.Newest() != written.UnixMilli() {
		t.Errorf("%d behind, newest %d, want %d", v.Behind(), v.Newest(), written.UnixMilli())
	}
	// Of what it had at its last news it had all, so it is as stale as that is old, not an hour.
	if stale := staleness(t, v, longAfter); stale < longAfter || stale > 2*longAfter {
		t.Errorf("cut off for %v it is %v stale", longAfter, stale)
	}
	end := open(t, b, put(topic, "a", "2"))
	eventually(t, "what is open counts", func() bool { return v.Behind() > 0 })
	if stale := staleness(t, v, longAfter); stale < longAfter || stale > 2*longAfter {
		t.Errorf("behind an open transaction for %v it is %v stale", longAfter, stale)
	}
	end(kgo.TryCommit)
	eventually(t, "view is fresh again", fresh)
	if age := time.Now().UnixMilli() - v.Newest(); v.Behind() != 0 || age < 0 ||
		age > patience.Milliseconds() {
		t.Errorf("%d behind, newest is %d ms old", v.Behind(), age)
	}
}

// TestViewOfACutLogIsNotBehind: what was deleted before it was read is not to be read any more.
func TestViewOfACutLogIsNotBehind(t *testing.T) {
	t.Parallel()
	b, topic := shared.Broker(t), "cut-log"
	shared.mustTopics(t, b, cuttable(topic))
	cutAt(2, nil, "a=1", "a=2").write(t, b, topic)
	v := openView(t, b, topic)
	eventually(t, "view is fresh", func() bool {
		stale, known := v.Staleness(time.Now())
		return known && stale == 0 && v.Ready()
	})
	if v.Behind() != 0 || v.Newest() != 0 {
		t.Errorf("%d behind, newest %d", v.Behind(), v.Newest())
	}
}
