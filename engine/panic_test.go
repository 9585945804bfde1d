package engine_test

import (
	"sync/atomic"
	"testing"
	"time"

	"chargestream/engine"
	"chargestream/internal/kafkatest"
)

// TestFoldThatPanics does its work first: what it did of the record must not be committed, and the
// partition must not stand still.
func TestFoldThatPanics(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "panics"
	topicsOf(t, b, name)
	var panicked atomic.Bool
	p := named(name, wordCount())
	fold := p.Fold
	p.Fold = func(ctx *engine.Context, m *engine.Message) error {
		err := fold(ctx, m)
		if string(m.Value) == "boom" && !panicked.Swap(true) {
			panic("planted")
		}
		return err
	}
	c := quickConfig(b.Addrs(), t.TempDir(), engine.ExactlyOnce)
	c.CommitInterval = time.Millisecond
	c.Log = testLog(t)
	kafkatest.MustProduce(t, b, put(name+"-words", "a", "x"), put(name+"-words", "a", "boom"),
		put(name+"-words", "a", "x"))
	runUntilCaughtUp(t, p, c)
	if !panicked.Load() {
		t.Error("nothing panicked")
	}
	expectExact(t, b, name, map[string]int{"a": 3})
}
