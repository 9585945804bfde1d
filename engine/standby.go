package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"

	"chargestream/engine/store"
)

// pool holds the local copies of partitions that this instance does not own: those that were
// restored before it joined the group, and with Config.Standby those of all partitions of other
// owners.
type pool struct {
	i        *instance
	mu       sync.Mutex
	copies   map[int32]*localCopy
	cancel   context.CancelFunc
	running  sync.WaitGroup
	givingMu sync.Mutex
	given    chan struct{} // closed when all partitions that were put are in the pool
}

// recoverAhead restores the local copies before the group is joined, when no partition waits for
// it; with Config.Standby those of all partitions.
func (o *pool) recoverAhead(ctx context.Context) error {
	partitions := o.i.local()
	if o.i.c.Standby {
		partitions = partitions[:0]
		for p := range o.i.partitions {
			partitions = append(partitions, p)
		}
	}
	if len(partitions) == 0 {
		return nil
	}
	for try := 1; ; try++ {
		err := o.fill(ctx, partitions)
		if try == restoreTries || !errors.Is(err, kerr.OffsetOutOfRange) {
			return err
		}
		if err := o.closeAll(); err != nil {
			return err
		}
	}
}

// fill restores partitions into the pool.
func (o *pool) fill(ctx context.Context, partitions []int32) error {
	copies, err := o.i.open(ctx, partitions, nil)
	if err != nil {
		return err
	}
	for _, c := range copies {
		o.copies[c.partition] = c
	}
	return o.i.restore(ctx, copies, func(*localCopy) error { return nil })
}

// refill rebuilds the pool after a changelog was truncated beyond the position of a copy.
func (o *pool) refill(ctx context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	o.stop()
	partitions := slices.Collect(maps.Keys(o.copies))
	err := o.closeAll()
	if err == nil {
		err = o.fill(ctx, partitions)
	}
	if err == nil {
		err = o.follow(ctx)
	}
	if err != nil && ctx.Err() == nil {
		o.i.fail(fmt.Errorf("follow table: %w", err))
	}
}

// await waits until the partitions that were put before are in the pool.
func (o *pool) await() {
	o.givingMu.Lock()
	given := o.given
	o.givingMu.Unlock()
	if given != nil {
		<-given
	}
}

// take stops the pool, removes partitions from it and returns the copies that it had of them.
func (o *pool) take(partitions []int32) map[int32]*localCopy {
	o.await()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stop()
	taken := map[int32]*localCopy{}
	for _, p := range partitions {
		if c := o.copies[p]; c != nil {
			taken[p] = c
			delete(o.copies, p)
		}
	}
	return taken
}

// put gives the stores of revoked partitions to the pool, in the background; without Config.Standby
// it closes them. take waits for that, so a partition that returns is not opened before.
func (o *pool) put(ctx context.Context, given map[int32]*store.Store) {
	o.givingMu.Lock()
	before, done := o.given, make(chan struct{})
	o.given = done
	o.givingMu.Unlock()
	go func() {
		defer close(done)
		if before != nil {
			<-before
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		var err error
		for partition, s := range given {
			if !o.i.c.Standby || o.i.failed() != nil {
				err = errors.Join(err, s.Close())
				continue
			}
			o.copies[partition] = o.i.newCopy(s, partition)
		}
		if err = errors.Join(err, o.follow(ctx)); err != nil {
			o.i.fail(fmt.Errorf("give up partitions: %w", err))
		}
	}()
}

// resume follows the changelogs of the copies in the pool; without Config.Standby it closes them.
func (o *pool) resume(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.follow(ctx)
}

func (o *pool) follow(ctx context.Context) error {
	if !o.i.c.Standby {
		return o.closeAll()
	}
	o.stop()
	copies := make([]*localCopy, 0, len(o.copies))
	for _, c := range o.copies {
		copies = append(copies, c)
	}
	o.i.c.Metrics.state(o.i.p.Group, "standby", len(copies))
	if len(copies) == 0 || ctx.Err() != nil {
		return nil
	}
	following, cancel := context.WithCancel(ctx)
	o.cancel = cancel
	o.running.Go(func() {
		err := o.i.standby(following, copies)
		switch {
		case errors.Is(err, kerr.OffsetOutOfRange):
			go o.refill(ctx)
		case err != nil:
			o.i.fail(fmt.Errorf("follow table: %w", err))
		}
	})
	return nil
}

func (o *pool) stop() {
	if o.cancel != nil {
		o.cancel()
		o.cancel = nil
	}
	o.running.Wait()
}

func (o *pool) close() error {
	o.await()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stop()
	return o.closeAll()
}

func (o *pool) closeAll() error {
	var err error
	for p, c := range o.copies {
		err = errors.Join(err, c.store.Close())
		delete(o.copies, p)
	}
	return err
}

// standby reads the changelogs of copies until ctx is done, so that a takeover has little to
// restore.
func (i *instance) standby(ctx context.Context, copies []*localCopy) error {
	for _, c := range copies {
		c.until, c.ended = nil, false
	}
	err := i.follow(ctx, copies, func(*localCopy, int64) error { return nil })
	if ctx.Err() != nil {
		return nil
	}
	return err
}
