package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"chargestream/engine/store"
)

// rounds runs one round after another until ctx is done: each of the partitions that are active at
// its beginning, until those change.
func (g *group) rounds(ctx context.Context, h sarama.ConsumerGroupHandler) error {
	var paused time.Time
	for {
		running, err := g.begin(ctx, h)
		if err != nil {
			return err
		}
		if !paused.IsZero() && running != nil {
			g.i.c.Metrics.rebalanced(g.i.p.Group, time.Since(paused))
		}
		var c change
		select {
		case c = <-g.changes:
		case <-ctx.Done():
		}
		paused = time.Now()
		if err := running.end(h); err != nil {
			g.i.fail(err)
		}
		if cause := context.Cause(ctx); cause != nil {
			if errors.Is(cause, context.Canceled) {
				return nil
			}
			return cause
		}
		err = g.change(ctx, c)
		close(c.done)
		if err != nil {
			return err
		}
	}
}

// change adds and removes active partitions. No round runs meanwhile.
func (g *group) change(ctx context.Context, c change) error {
	i := g.i
	i.mu.Lock()
	for _, p := range c.add {
		i.activeByID[p.id] = p
	}
	i.mu.Unlock()
	if len(c.revoke) == 0 {
		return nil
	}
	err := i.commit(ctx)
	if err != nil {
		i.fail(err)
	}
	given := map[int32]*store.Store{}
	g.mu.Lock()
	for _, n := range c.revoke {
		p := g.owned[n]
		if p == nil {
			continue
		}
		delete(g.owned, n)
		<-p.restored
		if p.store != nil {
			given[n] = p.store
		}
		i.mu.Lock()
		delete(i.activeByID, n)
		i.mu.Unlock()
		p.starve(false)
		i.makeRoom(p.read.Drop() + weightOf(p.rest))
		i.c.Metrics.forget(i.p, n)
	}
	owned := len(g.owned)
	g.mu.Unlock()
	i.setState(func(s *State) { s.Owned, s.Active = owned, min(s.Active, owned) })
	i.pool.put(g.ctx, given) // the rebalance does not wait for the disk
	return err
}

// round is one session of goka, in which no partition moves (sarama.ConsumerGroupSession).
type round struct {
	i       *instance
	ctx     context.Context
	cancel  func()
	claims  map[string][]int32
	working sync.WaitGroup
}

// begin starts a round of the active partitions; nil if there are none.
func (g *group) begin(ctx context.Context, h sarama.ConsumerGroupHandler) (*round, error) {
	i := g.i
	ps := i.active()
	i.reportActive()
	if len(ps) == 0 {
		return nil, nil
	}
	r := &round{i: i, claims: map[string][]int32{}}
	r.ctx, r.cancel = context.WithCancel(ctx)
	for _, topic := range i.p.Topics() {
		for _, p := range ps {
			r.claims[topic] = append(r.claims[topic], p.id)
		}
	}
	i.foldMu.RLock() // a commit may cut meanwhile
	for _, p := range ps {
		each := i.c.CacheBytes / len(ps)
		p.task.SetCache(each / 2)
		p.store.SetCache(each / 2)
	}
	i.foldMu.RUnlock()
	i.pausing.Store(false)
	if err := h.Setup(r); err != nil {
		r.cancel()
		return nil, fmt.Errorf("begin round: %w", err)
	}
	for _, p := range ps {
		calls := make(chan *sarama.ConsumerMessage)
		r.working.Go(func() { p.calls(r.ctx, calls) })
		r.working.Go(func() {
			err := h.ConsumeClaim(r, &claim{p, calls})
			if err == nil && r.ctx.Err() == nil {
				err = fmt.Errorf("goka gave partition %d up", p.id)
			}
			if err != nil {
				i.fail(err)
			}
		})
	}
	return r, nil
}

// end stops the folds and waits for them.
func (r *round) end(h sarama.ConsumerGroupHandler) error {
	if r == nil {
		return nil
	}
	r.i.pausing.Store(true)
	r.cancel()
	r.working.Wait()
	if err := h.Cleanup(r); err != nil {
		return fmt.Errorf("end round: %w", err)
	}
	return nil
}
