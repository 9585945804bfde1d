package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// producer sends records and counts those that are acknowledged, by topic. The first error ends
// it: what was sent before may be there, and sending all of it again does no harm, as events are
// folded once.
type producer struct {
	client *kgo.Client
	ctx    context.Context
	cancel context.CancelCauseFunc

	mu           sync.Mutex
	acknowledged map[string]int
	total        int

	progress *progress
}

func newProducer(ctx context.Context, client *kgo.Client, p *progress) *producer {
	ctx, cancel := context.WithCancelCause(ctx)
	return &producer{client: client, ctx: ctx, cancel: cancel, acknowledged: map[string]int{},
		progress: p}
}

// send hands a record over; it waits while too many are under way.
func (p *producer) send(record *kgo.Record) {
	p.client.Produce(p.ctx, record, func(r *kgo.Record, err error) {
		if err != nil {
			p.cancel(fmt.Errorf("topic %s: %w", r.Topic, err))
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.acknowledged[r.Topic]++
		p.total++
		p.progress.show(p.total)
	})
}

// flush returns when every record is acknowledged, or with the first error.
func (p *producer) flush() error {
	if err := p.client.Flush(p.ctx); err != nil && p.ctx.Err() == nil {
		return err
	}
	// Only an error or an interrupt ends the context before close.
	return context.Cause(p.ctx)
}

// close ends the producer and returns how many records were acknowledged, by topic.
func (p *producer) close() map[string]int {
	p.cancel(errors.New("closed"))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.progress.end()
	return p.acknowledged
}

// progressStep is after how many records the progress is drawn again.
const progressStep = 500

// progress is a line on a terminal that says how far something has come. A nil progress is
// silent.
type progress struct {
	out   *os.File
	verb  string
	total int
	shown bool
}

// newProgress is nil where stderr is no terminal.
func (a *app) newProgress(verb string, total int) *progress {
	out := a.terminal()
	if out == nil {
		return nil
	}
	return &progress{out: out, verb: verb, total: total}
}

func (p *progress) show(done int) {
	if p == nil || done%progressStep != 0 && done != p.total {
		return
	}
	p.shown = true
	fmt.Fprintf(p.out, "\r%s %d of %d", p.verb, done, p.total)
}

func (p *progress) end() {
	if p != nil && p.shown {
		fmt.Fprintln(p.out)
	}
}
