package engine_test

import (
	"sync/atomic"
	"testing"
	"time"

	"chargestream/engine"
	"chargestream/internal/kafkatest"
)

// held is a processor whose folds after the first stand still until it is let go.
func held(p *engine.Processor, first int64) (folded *atomic.Int64, release chan struct{}) {
	folded, release = &atomic.Int64{}, make(chan struct{})
	fold := p.Fold
	p.Fold = func(ctx *engine.Context, m *engine.Message) error {
		if folded.Add(1) > first {
			<-release
		}
		return fold(ctx, m)
	}
	return folded, release
}

// TestStopDuringARevoke: an instance that gives partitions up is stopped before it has. The revoke
// waits for the last commit, and nothing may wait for the revoke before that.
func TestStopDuringARevoke(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "stop-revoke"
	plainTopics(t, b, name)
	sent := map[string]int{}
	someWords(t, b, name, 1, sent)
	p := named(name, wordCount())
	folded, release := held(p, int64(len(sent)))
	a := start(t, p, configOf(t, b, "a"))
	untilSent(t, b, name, sent)
	someWords(t, b, name, 1, sent)
	eventually(t, "a fold stands still", func() bool { return folded.Load() > int64(len(sent)) })
	other := start(t, named(name, wordCount()), configOf(t, b, "b"))
	<-time.After(2 * time.Second) // by then the group has asked for partitions
	a.cancel()
	<-time.After(100 * time.Millisecond)
	close(release)
	select {
	case err := <-a.done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the instance does not end")
	}
	untilSent(t, b, name, sent)
	other.stop(t)
	expectExact(t, b, name, sent)
}

// TestStopWithLookupsThatFindNothing: what is not in a lookup table is no error, at a stop neither.
func TestStopWithLookupsThatFindNothing(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "stop-lookup"
	plainTopics(t, b, name)
	shared.mustTopics(t, b, kafkatest.Topic{Name: name + "-dictionary", Partitions: 1})
	p := named(name, wordCount())
	p.Lookups = []string{name + "-dictionary"}
	fold := p.Fold
	p.Fold = func(ctx *engine.Context, m *engine.Message) error {
		if _, err := ctx.Lookup(name+"-dictionary", "none"); err != nil {
			return err
		}
		return fold(ctx, m)
	}
	sent := map[string]int{}
	someWords(t, b, name, 1, sent)
	folded, release := held(p, int64(len(sent)))
	a := start(t, p, configOf(t, b, "a"))
	untilSent(t, b, name, sent)
	someWords(t, b, name, 1, sent)
	eventually(t, "a fold stands still", func() bool { return folded.Load() > int64(len(sent)) })
	a.cancel()
	<-time.After(100 * time.Millisecond)
	close(release)
	if err := <-a.done; err != nil {
		t.Error(err)
	}
	written := len(kafkatest.MustReadAll(t, b, name+"-counts", true))
	if n := int(folded.Load()); written != n {
		t.Errorf("%d records were folded, %d counts are committed", n, written)
	}
}
