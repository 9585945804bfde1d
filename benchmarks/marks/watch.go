//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// retryAfter is how soon the parent's clients ask a broker again that has not answered: the gap
// that is measured must not be theirs.
const retryAfter = 10 * time.Millisecond

// hasty are the options of the parent's clients.
func hasty() []kgo.Opt {
	return []kgo.Opt{kgo.MetadataMinAge(retryAfter),
		kgo.RetryBackoffFn(func(int) time.Duration { return retryAfter })}
}

// watch reads the committed outputs as they come, and the pings: records that go past all that
// is measured, and whose gaps are therefore the broker's and the parent's own.
type watch struct {
	client     *kgo.Client
	began      time.Time
	output     string
	cancel     context.CancelFunc
	done       chan struct{}
	mu         sync.Mutex
	partitions [][]arrival
	pings      []arrival
	times      []uint8 // how often each event's output came, at most 255
	distinct   int64
	twice      int64
	wrong      error
}

func (k *kafka) startWatch(output, ping string, partitions int32) (*watch, error) {
	client, err := kgo.NewClient(append(hasty(), kgo.SeedBrokers(k.Addr),
		kgo.ConsumeTopics(output, ping), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &watch{client: client, began: time.Now(), output: output, cancel: cancel,
		done: make(chan struct{}), partitions: make([][]arrival, partitions)}
	go w.run(ctx)
	return w, nil
}

func (w *watch) run(ctx context.Context) {
	defer close(w.done)
	for ctx.Err() == nil {
		fetches := w.client.PollFetches(ctx)
		now := time.Since(w.began)
		w.mu.Lock()
		for it := fetches.RecordIter(); !it.Done(); {
			w.take(it.Next(), now)
		}
		w.mu.Unlock()
	}
}

// take is called with the lock held.
func (w *watch) take(r *kgo.Record, now time.Duration) {
	if r.Topic != w.output {
		w.pings = append(w.pings, arrival{at: now})
		return
	}
	o, err := decodeOutput(r.Value)
	if err != nil || o.Seq < 0 || int(o.Partition) >= len(w.partitions) {
		w.wrong = errors.Join(w.wrong, fmt.Errorf("%s/%d at %d: %w", r.Topic, r.Partition,
			r.Offset, err))
		return
	}
	w.partitions[o.Partition] = append(w.partitions[o.Partition], arrival{now, o.Owner})
	if missing := int(o.Seq) + 1 - len(w.times); missing > 0 {
		w.times = append(w.times, make([]uint8, missing)...)
	}
	switch w.times[o.Seq] {
	case 0:
		w.distinct++
		w.times[o.Seq]++
	case 1:
		w.twice++
		w.times[o.Seq]++
	}
}

// now is the time on the clock of the arrivals.
func (w *watch) now() time.Duration { return time.Since(w.began) }

// lists are copies of what came so far.
func (w *watch) lists() (partitions [][]arrival, pings []arrival) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, list := range w.partitions {
		partitions = append(partitions, slices.Clone(list))
	}
	return partitions, slices.Clone(w.pings)
}

// owners is how many partitions each instance had folded last.
func (w *watch) owners() map[byte]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	owners := map[byte]int{}
	for _, list := range w.partitions {
		if len(list) > 0 {
			owners[list[len(list)-1].owner]++
		}
	}
	return owners
}

// counts are how many events had an output, and how many had more than one.
func (w *watch) counts() (distinct, twice int64, wrong error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.distinct, w.twice, w.wrong
}

func (w *watch) stop() {
	w.cancel()
	<-w.done
	w.client.Close()
}
