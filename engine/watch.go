package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine/broker"
)

// watchEvery is how often a Watch looks.
const watchEvery = 5 * time.Second

// Watch watches the topics of processors for what stands still. It ends hanging transactions of
// these processors, by the outcome that their coordinator has for them.
type Watch struct {
	c      Config
	procs  []*Processor
	hangs  hangs
	last   survey
	failed string // class of the last look's error; empty for none
}

// NewWatch makes a watch over processors. Of the configuration it needs Brokers and Log.
func NewWatch(c Config, procs ...*Processor) *Watch {
	return &Watch{c: c, procs: procs, hangs: hangs{procs: procs}}
}

// Run watches until ctx is done.
func (w *Watch) Run(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(w.c.Brokers...),
		kgo.MetadataMinAge(metadataMinAge), kgo.WithLogger(clientLog{w.c.Log}))
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	defer client.Close()
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := w.look(ctx, client); ctx.Err() == nil {
			w.noteFailure(err)
		}
	}
}

// noteFailure logs an error of a look, once for each class until a look succeeds.
func (w *Watch) noteFailure(err error) {
	class := broker.Classify(err)
	if err != nil && class.Name != w.failed {
		w.c.Log.Warn("what stands still could not be looked for, or a hanging transaction not "+
			"ended", "class", class.Name, "reason", class.Reason, "error", err)
	}
	w.failed = class.Name
}

// look looks once: how far the topics go, and at the transactions under which stable offsets stand.
func (w *Watch) look(ctx context.Context, client *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, hangMax)
	defer cancel()
	now, failed := surveyOf(ctx, kadm.NewClient(client), watchedTopics(w.procs),
		groupsOf(w.procs))
	found, err := lookAt(ctx, client, now.standing(w.last), w.procs)
	w.last = now
	end, tell := w.hangs.look(found)
	for n := range tell {
		tellHanging(w.c.Log, &tell[n], OwnerOf(tell[n].ID, w.procs...))
	}
	by := map[Owner]int{}
	for n := range found {
		if found[n].Decision.Action.Hangs() {
			by[OwnerOf(found[n].ID, w.procs...)]++
		}
	}
	w.c.Metrics.hanging(by)
	return errors.Join(failed, err, endHanging(ctx, client, &w.c, end))
}
