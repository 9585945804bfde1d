//go:build faults

package e2e_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/internal/kafkatest"
	"chargestream/topics"
)

// Bounds of looking for progress.
const (
	progressEvery = 200 * time.Millisecond
	// askMax bounds one look: a broker that does not answer shows no progress.
	askMax = time.Second
)

// progress is since when the partitions of the stations group have committed nothing, as anybody
// can see it from outside.
type progress struct {
	mu    sync.Mutex
	at    [partitions]int64         // sums of the committed offsets of inputs
	moved [partitions]time.Time     // when these were last seen to change
	still [partitions]time.Duration // longest time without a change since the last reset
}

// watchProgress looks until the test is over.
func watchProgress(t *testing.T, b kafkatest.Broker) *progress {
	p, now := &progress{}, time.Now()
	for i := range p.moved {
		p.moved[i] = now
	}
	ctx, done := t.Context(), make(chan struct{})
	t.Cleanup(func() { <-done })
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			p.looks(ctx, b.Addrs())
		}
	}()
	return p
}

// looks looks until one look fails: a client may ask a coordinator that is gone for long, and a new
// one finds the new coordinator.
func (p *progress) looks(ctx context.Context, addrs []string) {
	client, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.RetryTimeout(askMax))
	if err != nil {
		return
	}
	defer client.Close()
	for p.look(ctx, kadm.NewClient(client)) {
		<-time.After(progressEvery)
	}
	<-time.After(progressEvery)
}

func (p *progress) look(ctx context.Context, admin *kadm.Client) bool {
	ctx, cancel := context.WithTimeout(ctx, askMax)
	defer cancel()
	offsets, err := admin.FetchOffsets(ctx, topics.GroupStations)
	if err != nil || offsets.Error() != nil {
		return false
	}
	var sums [partitions]int64
	offsets.Each(func(o kadm.OffsetResponse) {
		if o.Partition < partitions {
			sums[o.Partition] += o.At
		}
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for i, sum := range sums {
		if sum != p.at[i] {
			p.still[i] = max(p.still[i], now.Sub(p.moved[i]))
			p.at[i], p.moved[i] = sum, now
		}
	}
	return true
}

// reset forgets what stood still before.
func (p *progress) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.still = [partitions]time.Duration{}
}

// since reports whether every partition has moved after a moment, and how long the one that stood
// longest has stood since the reset.
func (p *progress) since(after time.Time) (all bool, longest time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all = true
	for i, moved := range p.moved {
		all = all && moved.After(after)
		longest = max(longest, p.still[i], time.Since(moved))
	}
	return all, longest
}
