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

// gaps are for how long nothing has happened in each partition. It is safe for concurrent use.
type gaps struct {
	mu    sync.Mutex
	moved [partitions]time.Time     // when something happened last
	still [partitions]time.Duration // longest time without it since the last reset
}

func newGaps() *gaps {
	g, now := &gaps{}, time.Now()
	for i := range g.moved {
		g.moved[i] = now
	}
	return g
}

// note takes that something happened in a partition.
func (g *gaps) note(partition int32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	g.still[partition] = max(g.still[partition], now.Sub(g.moved[partition]))
	g.moved[partition] = now
}

// reset forgets what was before.
func (g *gaps) reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.still = [partitions]time.Duration{}
}

// since reports whether something happened in every partition after a moment, and the longest time
// without it in one since the reset.
func (g *gaps) since(after time.Time) (all bool, longest time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	all = true
	for i, moved := range g.moved {
		all = all && moved.After(after)
		longest = max(longest, g.still[i], time.Since(moved))
	}
	return all, longest
}

// progress is since when the partitions of the stations group have committed nothing, as anybody
// can see it from outside.
type progress struct {
	*gaps
	at [partitions]int64 // sums of the committed offsets of inputs
}

// watchProgress looks until the test is over.
func watchProgress(t *testing.T, b kafkatest.Broker) *progress {
	p := &progress{gaps: newGaps()}
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
	for i, sum := range sums {
		if sum != p.at[i] {
			p.at[i] = sum
			p.note(int32(i))
		}
	}
	return true
}
