package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"chargestream/engine/broker"
	"chargestream/engine/task"
)

// commitMax bounds a commit: the coordinator has aborted the transaction by then.
const commitMax = 3 * transactionTimeout

// interval is a commit interval: what was folded between two cuts, in all partitions.
type interval struct {
	partitions []*work
	clocks     []*kgo.Record
}

// work is what a commit interval did in one partition.
type work struct {
	p *ownedPartition
	task.Changes
	next   map[string]int64
	oldest int64
	done   int64 // records folded since the assignment
	// emptying: rows of another layout are deleted and more are left; emptied: these are the last.
	emptying, emptied bool

	mu      sync.Mutex
	offsets []int64 // by table: largest offset of a changelog record; -1 for none
}

// commitEvery commits at every interval, and earlier when a partition asks for it, until ctx is
// done.
func (i *instance) commitEvery(ctx context.Context) {
	ticker := time.NewTicker(i.c.CommitInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-i.hurried:
		}
		i.moveClock()
		if err := i.commit(ctx); err != nil {
			i.fail(err)
			return
		}
		i.reportLag()
	}
}

// commit ends the running commit interval and commits it. Folds continue meanwhile, in the next
// interval, which is not cut before this one is committed.
//
// An error ends the attempt. It is noted first, so that no later commit can include what the broker
// rejected. The rows of both intervals are in memory only and are dropped with the stores.
func (i *instance) commit(ctx context.Context) error {
	i.commitMu.Lock()
	defer i.commitMu.Unlock()
	if err := i.failed(); err != nil {
		return err
	}
	iv, err := i.cut()
	if err != nil {
		err = fmt.Errorf("cut: %w", err)
		i.note(err)
		return err
	}
	if iv == nil {
		return i.writeStores()
	}
	start := time.Now()
	ctx, cancel := i.commitContext(ctx)
	defer cancel()
	if i.c.Guarantee == ExactlyOnce {
		err = i.commitTransaction(ctx, iv)
	} else {
		err = i.commitInOrder(ctx, iv)
	}
	i.c.Metrics.committed(i.p.Group, time.Since(start), err)
	if err == nil {
		i.commits.Add(1)
		err = errors.Join(i.keep(iv), i.writeStores())
	}
	if err != nil {
		err = fmt.Errorf("commit: %w", err)
		i.note(err)
	}
	return err
}

// commitContext is the context of a commit. A clean end of the attempt gives the commit time to
// complete, because the next owner of the partitions would otherwise have to repeat the work.
func (i *instance) commitContext(ctx context.Context) (context.Context, context.CancelFunc) {
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitMax)
	stop := context.AfterFunc(ctx, func() {
		if i.failed() != nil {
			cancel()
			return
		}
		time.AfterFunc(closeMax, cancel)
	})
	return own, func() { stop(); cancel() }
}

// cut ends the running commit interval and begins the next; nil if nothing was done.
func (i *instance) cut() (*interval, error) {
	i.foldMu.Lock()
	defer i.foldMu.Unlock()
	i.mu.Lock()
	defer i.mu.Unlock()
	iv := &interval{clocks: i.clocks}
	i.clocks = nil
	for _, p := range i.activeByID {
		if len(p.next) > 0 || p.oldRows != nil || p.unfinished {
			iv.partitions = append(iv.partitions, &work{p: p})
		}
	}
	var cutting errgroup.Group
	for _, w := range iv.partitions {
		cutting.Go(w.cut)
	}
	err := cutting.Wait()
	close(i.wasCut)
	i.wasCut = make(chan struct{})
	if len(iv.partitions) == 0 && len(iv.clocks) == 0 {
		return nil, err
	}
	return iv, err
}

// cut takes what was folded in the partition and the positions of its inputs.
func (w *work) cut() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic in a flush: %v\n%s", r, debug.Stack())
		}
	}()
	p := w.p
	if w.Changes, err = p.task.Cut(); err != nil {
		return err
	}
	for topic, next := range p.next {
		p.progress[topic] = next
	}
	if p.oldRows != nil {
		w.emptying = !p.oldRows.take(w.Rows)
	}
	if !w.emptying {
		w.Rows[0] = append(w.Rows[0], task.Row{Key: progressKey,
			Bytes: progressOf(p.i.p.Layout, p.progress)})
		if w.emptied, p.oldRows = p.oldRows != nil, nil; w.emptied {
			p.next = maps.Clone(p.progress) // the group reads everything again
		}
	}
	w.next, w.oldest, w.done, w.offsets = p.next, p.oldest, p.done, make([]int64, len(w.Rows))
	for table := range w.offsets {
		w.offsets[table] = -1
	}
	p.next, p.oldest, p.unfinished = map[string]int64{}, 0, false
	return nil
}

// commitTransaction commits changelog, outputs and offsets as one Kafka transaction. With
// transaction.version 2 (KIP-890) the coordinator adds the offsets to the transaction itself.
func (i *instance) commitTransaction(ctx context.Context, iv *interval) error {
	if err := i.producer.BeginTransaction(); err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	i.sendOutputs(ctx, iv)
	i.sendChangelog(ctx, iv, 0, len(i.p.Tables))
	err := i.flush(ctx)
	if offsets := iv.offsets(); err == nil && len(offsets) > 0 {
		err = i.commitOffsets(ctx, offsets, i.transactionOffsets)
	}
	if err != nil {
		return err // closeProducer aborts
	}
	err = i.producer.EndTransaction(ctx, kgo.TryCommit)
	switch {
	case err == nil:
		return nil
	case broker.OutcomeUnknown(err):
		// EndTxn is not repeated: the restore reads what was committed.
		return fmt.Errorf("end transaction, which may have been committed: %w", err)
	}
	return fmt.Errorf("end transaction: %w", err)
}

// commitInOrder commits without a transaction: outputs, then the changelog, then the offsets. At
// any moment of a crash the changelog contains no record whose outputs are missing, and the offsets
// cover no record that the changelog lacks. So some work may be repeated, and none is skipped.
//
// No broker rejects rows of a member that was expelled during a pause, so the member checks its
// membership before it writes them. A member that pauses between the check and the write can still
// put older rows over newer ones; a transaction prevents that.
func (i *instance) commitInOrder(ctx context.Context, iv *interval) error {
	i.sendOutputs(ctx, iv)
	if err := i.flush(ctx); err != nil {
		return err
	}
	if len(iv.partitions) > 0 {
		if err := i.commitOffsets(ctx, nil, i.askMembership); err != nil {
			return err
		}
	}
	// The progress record of the first table is the last one: all tables then have what it covers.
	i.sendChangelog(ctx, iv, 1, len(i.p.Tables))
	if err := i.flush(ctx); err != nil {
		return err
	}
	i.sendChangelog(ctx, iv, 0, 1)
	if err := i.flush(ctx); err != nil {
		return err
	}
	if offsets := iv.offsets(); len(offsets) > 0 {
		return i.commitOffsets(ctx, offsets, i.plainOffsets)
	}
	return nil
}

func (i *instance) flush(ctx context.Context) error {
	if err := i.producer.Flush(ctx); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	return i.failed()
}

// keep hands committed rows to the stores.
func (i *instance) keep(iv *interval) error {
	var err error
	now := time.Now()
	for _, w := range iv.partitions {
		w.mu.Lock()
		offsets := slices.Clone(w.offsets)
		w.mu.Unlock()
		if w.emptying {
			continue // the local copy begins when all old rows are deleted
		}
		err = errors.Join(err, w.p.store.Commit(w.Rows, offsets))
		w.p.committed.Store(w.done)
		if w.emptied {
			w.p.emptying.Store(false)
			i.reportActive()
			w.p.read.Wake() // it may fold now
		}
		if w.oldest > 0 {
			i.c.Metrics.sinkLatency(i.p.Group, now.UnixMilli()-w.oldest)
		}
	}
	return err
}

// writeStores writes what was committed long enough ago to the disk.
func (i *instance) writeStores() error {
	var err error
	for _, p := range i.active() {
		err = errors.Join(err, p.store.Write())
	}
	return err
}
