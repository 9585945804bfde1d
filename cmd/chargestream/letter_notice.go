package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"chargestream/processors"
)

// How often is said that dead letters come in: soon, and not for each one.
const (
	noticeSoon  = time.Second
	noticeEvery = 10 * time.Second
)

// letterNotice says on the terminal that dead letters came in: who sends records and never looks
// into the topic would otherwise wait for what was refused.
type letterNotice struct {
	mu    sync.Mutex
	count map[string]int // since the last notice, by topic and reason
}

func (n *letterNotice) add(topic string, reason processors.Reason) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.count == nil {
		n.count = map[string]int{}
	}
	n.count[topic+" "+string(reason)]++
}

// take is what came in since it was called last, as words; empty for nothing.
func (n *letterNotice) take() (total int, words string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(n.count)) {
		total += n.count[name]
		parts = append(parts, fmt.Sprintf("%s %d", name, n.count[name]))
	}
	clear(n.count)
	return total, strings.Join(parts, ", ")
}

// run logs until ctx is done, and once more then.
func (n *letterNotice) run(ctx context.Context, log *slog.Logger, brokers []string) {
	say := func() bool {
		total, words := n.take()
		if total > 0 {
			log.Warn("dead letters came in: records that cannot be folded", "count", total,
				"of", words, "see", "chargestream dead-letters list --brokers "+
					strings.Join(brokers, ","))
		}
		return total > 0
	}
	for wait := noticeSoon; ctx.Err() == nil; {
		select {
		case <-ctx.Done():
		case <-time.After(wait):
			wait = noticeSoon
			if say() {
				wait = noticeEvery
			}
		}
	}
	say()
}

// start runs the notice beside what the caller does; stop ends it and returns when all is said.
func (n *letterNotice) start(ctx context.Context, log *slog.Logger, brokers []string) (
	stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { n.run(ctx, log, brokers) })
	return func() {
		cancel()
		running.Wait()
	}
}
