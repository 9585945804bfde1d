package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// sessions runs goka's sessions, one after another, until ctx is done: each of the partitions that
// are restored at its beginning, and until that changes.
func (g *group) sessions(ctx context.Context, h sarama.ConsumerGroupHandler) error {
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

// change takes partitions on and gives others up. No session runs.
func (g *group) change(ctx context.Context, c change) error {
	i := g.i
	i.mu.Lock()
	for _, p := range c.add {
		i.parts[p.id] = p
	}
	i.mu.Unlock()
	if len(c.revoke) == 0 {
		return nil
	}
	err := i.commit(ctx)
	if err != nil {
		i.fail(err)
	}
	var stores []*store
	g.mu.Lock()
	for _, n := range c.revoke {
		p := g.owned[n]
		if p == nil {
			continue
		}
		delete(g.owned, n)
		<-p.restored
		if p.store != nil {
			stores = append(stores, p.store)
		}
		i.mu.Lock()
		delete(i.parts, n)
		i.mu.Unlock()
		p.starve(false)
		i.makeRoom(p.read.drop())
		i.c.Metrics.forget(i.p, n)
	}
	owned := len(g.owned)
	g.mu.Unlock()
	i.tell(func(s *State) { s.Owned, s.Active = owned, min(s.Active, owned) })
	i.pool.put(g.ctx, stores) // what is no more ours need not be on disk before the group goes on
	return err
}

// session is one session of goka.
type session struct {
	i       *instance
	ctx     context.Context
	cancel  func()
	claims  map[string][]int32
	working sync.WaitGroup
}

// begin starts a session of the partitions that are there; nil where there is none.
func (g *group) begin(ctx context.Context, h sarama.ConsumerGroupHandler) (*session, error) {
	i := g.i
	parts := i.active()
	i.tell(func(s *State) { s.Active = len(parts) })
	if len(parts) == 0 {
		return nil, nil
	}
	s := &session{i: i, claims: map[string][]int32{}}
	s.ctx, s.cancel = context.WithCancel(ctx)
	for _, topic := range i.p.topics() {
		for _, p := range parts {
			s.claims[topic] = append(s.claims[topic], p.id)
		}
	}
	i.pausing.Store(false)
	if err := h.Setup(s); err != nil {
		s.cancel()
		return nil, fmt.Errorf("begin session: %w", err)
	}
	for _, p := range parts {
		calls := make(chan *sarama.ConsumerMessage)
		s.working.Go(func() { p.calls(s.ctx, calls) })
		s.working.Go(func() {
			err := h.ConsumeClaim(s, &claim{p, calls})
			if err == nil && s.ctx.Err() == nil {
				err = fmt.Errorf("goka gave partition %d up", p.id)
			}
			if err != nil {
				i.fail(err)
			}
		})
	}
	return s, nil
}

// end stops the folds and waits until they have.
func (s *session) end(h sarama.ConsumerGroupHandler) error {
	if s == nil {
		return nil
	}
	s.i.pausing.Store(true)
	s.cancel()
	s.working.Wait()
	if err := h.Cleanup(s); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// Claims implements sarama.ConsumerGroupSession.
func (s *session) Claims() map[string][]int32 { return s.claims }

// MemberID implements sarama.ConsumerGroupSession.
func (s *session) MemberID() string { return s.i.member() }

// GenerationID implements sarama.ConsumerGroupSession.
func (s *session) GenerationID() int32 {
	_, generation := s.i.group.GroupMetadata()
	return generation
}

// Context implements sarama.ConsumerGroupSession.
func (s *session) Context() context.Context { return s.ctx }

// MarkOffset implements sarama.ConsumerGroupSession: what goka marks are calls, not records.
func (s *session) MarkOffset(string, int32, int64, string) {}

// ResetOffset implements sarama.ConsumerGroupSession.
func (s *session) ResetOffset(string, int32, int64, string) {}

// MarkMessage implements sarama.ConsumerGroupSession.
func (s *session) MarkMessage(*sarama.ConsumerMessage, string) {}

// Commit implements sarama.ConsumerGroupSession.
func (s *session) Commit() {}

// claim is a partition as goka reads it.
type claim struct {
	p     *part
	calls chan *sarama.ConsumerMessage
}

// Topic implements sarama.ConsumerGroupClaim.
func (c *claim) Topic() string { return c.p.i.p.Inputs[0] }

// Partition implements sarama.ConsumerGroupClaim.
func (c *claim) Partition() int32 { return c.p.id }

// InitialOffset implements sarama.ConsumerGroupClaim.
func (c *claim) InitialOffset() int64 { return 0 }

// HighWaterMarkOffset implements sarama.ConsumerGroupClaim.
func (c *claim) HighWaterMarkOffset() int64 { return 0 }

// Messages implements sarama.ConsumerGroupClaim.
func (c *claim) Messages() <-chan *sarama.ConsumerMessage { return c.calls }
