package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine/broker"
	"chargestream/engine/hanging"
	"chargestream/engine/stall"
)

// watchEvery is how often a Watch looks.
const watchEvery = 5 * time.Second

// surveyMax bounds asking how far topics go.
const surveyMax = 4 * time.Second

// Watch watches processors and views of this process for positions that stand still although there
// is something to read, and says why. It ends hanging transactions of the processors, by the
// outcome that their coordinator has for them.
type Watch struct {
	c     Config
	procs []*Processor
	own   []*Processor // whose transactions are not another application's
	views []*View
	hangs hangs
	last  survey
	clock func() time.Time
	// unknown is the class of the error with which transactions were looked at last.
	unknown string

	mu        sync.Mutex
	instances map[string]*instance // the attempts that run, by group
	seen      map[string]*seen     // by group
	tracker   stall.Tracker
}

// seen is what a watch remembers of a group.
type seen struct {
	began    time.Time    // of the running attempt, or of the last one
	failing  stall.Reason // why the last attempt ended; zero if one has lasted since
	done     int64        // commits of earlier attempts
	lookedUp int64        // largest sum of the offsets of lookup copies
}

// NewWatch makes a watch over processors that run in this process with Config.Watch set to it. Of
// the configuration it needs Brokers and Log.
func NewWatch(c Config, procs []*Processor) *Watch {
	w := &Watch{c: c, procs: procs, own: procs, hangs: hangs{procs: procs},
		instances: map[string]*instance{}, seen: map[string]*seen{}, clock: time.Now}
	for _, p := range procs {
		w.seen[p.Group] = &seen{began: w.clock()}
	}
	return w
}

// NewViewWatch makes a watch over views of what processors write, in a process that does not run
// these. It ends no transactions.
func NewViewWatch(c Config, of []*Processor, views []*View) *Watch {
	return &Watch{c: c, own: of, views: views, clock: time.Now}
}

// enter notes the begin of an attempt. The function that it returns notes its end.
func (w *Watch) enter(i *instance) func() {
	if w == nil {
		return func() {}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.instances[i.p.Group] = i
	if s := w.seen[i.p.Group]; s != nil {
		s.began = w.clock()
	}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.instances, i.p.Group)
		if s := w.seen[i.p.Group]; s != nil {
			s.done += i.commits.Load()
		}
	}
}

// noteEnd keeps the reason why an attempt ended.
func (w *Watch) noteEnd(group string, class broker.Class) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.seen[group]; s != nil {
		s.failing = stall.Reason{Class: class.Name,
			Detail: "the processor is restarted again and again: " + class.Reason}
	}
}

// Stalls are the positions that stand still now.
func (w *Watch) Stalls() []stall.Stall {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tracker.Stalls()
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
		w.look(ctx, client)
	}
}

// look looks once: how far the topics go, at the transactions under which stable offsets stand, and
// at the positions of this process.
func (w *Watch) look(ctx context.Context, client *kgo.Client) {
	within, cancel := context.WithTimeout(ctx, surveyMax)
	admin := kadm.NewClient(client)
	now, failed := surveyOf(within, admin, w.topics())
	lacking, err := lackReplicas(within, admin, w.topics())
	failed = errors.Join(failed, err)
	err = now.addOffsets(within, admin, groupsOf(w.procs))
	cancel()
	found, unknown := w.transactions(ctx, client, now)
	if ctx.Err() != nil {
		return // stopped meanwhile: failures have that cause
	}
	if failed == nil { // else there is one cause for both
		w.noteUnknown(errors.Join(err, unknown))
	}
	at := w.clock()
	began, ended := w.note(at, view{survey: now, found: byPartition(found, w.own),
		lacking: lacking, failed: failed})
	for _, s := range gather(began) {
		attrs := s.attrs(at)
		if s.What == stall.Brokers {
			attrs = append(attrs, "error", failed)
		}
		w.c.Log.Warn("does not move although there is something to read", attrs...)
	}
	for _, s := range gather(ended) {
		w.c.Log.Info("moves again", s.attrs(at)...)
	}
}

// transactions looks at the transactions under which stable offsets stand, and ends those that are
// to be ended.
func (w *Watch) transactions(ctx context.Context, client *kgo.Client, now survey) (
	[]hanging.Found, error) {
	ctx, cancel := context.WithTimeout(ctx, hangMax)
	defer cancel()
	found, unseen, unclear := lookAt(ctx, client, now.standing(w.last), w.own)
	err := errors.Join(unseen, unclear)
	w.last = now
	if len(w.procs) > 0 {
		err = errors.Join(err, w.endFound(ctx, client, found))
	}
	return found, err
}

// noteUnknown logs why transactions could not be looked at or ended, once for each class of error
// until it succeeds. Of what else is watched nothing depends on it.
func (w *Watch) noteUnknown(err error) {
	class := broker.Classify(err)
	if err != nil && class.Name != w.unknown {
		w.c.Log.Warn("hanging transactions could not be looked for or ended", "class", class.Name,
			"reason", class.Reason, "error", err,
			"rights", "docs/operations.md, Rights: those of hanging transactions")
	}
	w.unknown = class.Name
}

// topics are all that is watched.
func (w *Watch) topics() []string {
	topics := watchedTopics(w.procs)
	for _, v := range w.views {
		topics = append(topics, v.topic)
	}
	slices.Sort(topics)
	return slices.Compact(topics)
}

// gathered are stalls of several partitions that have one cause.
type gathered struct {
	stall.Stall
	partitions []int32
}

// gather puts stalls together that differ in the partition only.
func gather(stalls []stall.Stall) []gathered {
	type cause struct {
		of     stall.Subject
		reason stall.Reason
	}
	by := map[cause]*gathered{}
	var order []*gathered
	for _, s := range stalls {
		c := cause{s.Subject, s.Reason}
		c.of.Partition = 0
		if by[c] == nil {
			by[c] = &gathered{Stall: s}
			order = append(order, by[c])
		}
		g := by[c]
		g.partitions = append(g.partitions, s.Partition)
		g.Since = earlier(g.Since, s.Since)
	}
	all := make([]gathered, len(order))
	for n, g := range order {
		all[n] = *g
	}
	return all
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// attrs are what a log line has of stalls.
func (g *gathered) attrs(now time.Time) []any {
	attrs := []any{"what", string(g.What)}
	if g.Group != "" {
		attrs = append(attrs, "group", g.Group)
	}
	if g.Topic != "" {
		attrs = append(attrs, "topic", g.Topic, "partitions", g.partitions)
	}
	return append(attrs, "for", now.Sub(g.Since).Round(time.Second), "class",
		g.Reason.Class, "reason", g.Reason.Detail)
}

// running are the attempts that run.
func (w *Watch) running() map[string]*instance {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.instances)
}
