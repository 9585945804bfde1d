package engine_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"chargestream/engine"
	"chargestream/internal/kafkatest"
)

// TestRecordThatFailedIsFoldedAgain: while a commit waits for a fold, that fold fails. Its record
// must not be passed over. Whether the commit or the end of the round comes first is a race, so
// it takes many rounds to show much.
func TestRecordThatFailedIsFoldedAgain(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "passed-over"
	topicsOf(t, b, name)
	var mu sync.Mutex
	tries := map[string]int{}
	p := named(name, wordCount())
	fold := p.Fold
	p.Fold = func(ctx *engine.Context, m *engine.Message) error {
		mu.Lock()
		tries[m.Key]++
		first := tries[m.Key] == 1
		mu.Unlock()
		if first {
			<-time.After(30 * time.Millisecond) // many commit intervals
			return errors.New("planted")
		}
		return fold(ctx, m)
	}
	c := quickConfig(b.Addrs(), t.TempDir(), engine.ExactlyOnce)
	c.CommitInterval = time.Millisecond
	c.Log = testLog(t)
	sent := map[string]int{}
	for n := range failures {
		key := fmt.Sprint("k", n)
		sent[key] = 1
		kafkatest.MustProduce(t, b, put(name+"-words", key, "x"))
		runUntilCaughtUp(t, p, c)
	}
	expectExact(t, b, name, sent)
}
