package engine

import (
	"context"
	"fmt"
	"sync"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"
)

// buildGroup is goka's ConsumerGroupBuilder.
func (i *instance) buildGroup([]string, string, string) (sarama.ConsumerGroup, error) {
	return &group{i: i, started: make(chan struct{}), settled: make(chan struct{}),
		changes: make(chan change), owned: map[int32]*ownedPartition{}}, nil
}

// Consume implements sarama.ConsumerGroup: it returns when ctx is done or the attempt has failed.
func (g *group) Consume(ctx context.Context, topics []string, h sarama.ConsumerGroupHandler) error {
	g.i.gokaCtx = ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	g.i.fatal, g.ctx = cancel, ctx
	defer g.i.consuming(cancel)()
	if err := g.i.failed(); err != nil {
		return err
	}
	if err := g.i.awaitSources(ctx); err != nil {
		if g.i.runCtx.Err() != nil {
			return nil // stopped while it waited
		}
		g.i.fail(err)
		return err
	}
	alive, kill := context.WithCancel(context.Background())
	defer kill()
	client, err := kgo.NewClient(append(g.options(topics), kgo.WithContext(alive))...)
	if err != nil {
		return fmt.Errorf("join group: %w", err)
	}
	g.client, g.i.group = client, client
	close(g.started)
	var committing sync.WaitGroup
	g.polling.Go(func() { g.poll(ctx) })
	committing.Go(func() { g.i.commitEvery(ctx) })
	committing.Go(func() { g.audit(ctx) })
	committing.Go(func() { g.i.watchSources(ctx) })
	err = g.rounds(ctx, h)
	if err != nil {
		g.i.fail(err)
	}
	cancel(nil)
	committing.Wait()
	return g.end(kill)
}

// Errors implements sarama.ConsumerGroup.
func (g *group) Errors() <-chan error { return nil }

// Close implements sarama.ConsumerGroup.
func (g *group) Close() error { return nil }

// Pause implements sarama.ConsumerGroup.
func (g *group) Pause(map[string][]int32) {}

// Resume implements sarama.ConsumerGroup.
func (g *group) Resume(map[string][]int32) {}

// PauseAll implements sarama.ConsumerGroup.
func (g *group) PauseAll() {}

// ResumeAll implements sarama.ConsumerGroup.
func (g *group) ResumeAll() {}

// Claims implements sarama.ConsumerGroupSession.
func (r *round) Claims() map[string][]int32 { return r.claims }

// MemberID implements sarama.ConsumerGroupSession.
func (r *round) MemberID() string { return r.i.member() }

// GenerationID implements sarama.ConsumerGroupSession.
func (r *round) GenerationID() int32 {
	_, generation := r.i.group.GroupMetadata()
	return generation
}

// Context implements sarama.ConsumerGroupSession.
func (r *round) Context() context.Context { return r.ctx }

// MarkOffset implements sarama.ConsumerGroupSession: goka marks calls, not records.
func (r *round) MarkOffset(string, int32, int64, string) {}

// ResetOffset implements sarama.ConsumerGroupSession.
func (r *round) ResetOffset(string, int32, int64, string) {}

// MarkMessage implements sarama.ConsumerGroupSession.
func (r *round) MarkMessage(*sarama.ConsumerMessage, string) {}

// Commit implements sarama.ConsumerGroupSession.
func (r *round) Commit() {}

// claim is a partition as goka reads it: its messages are calls to fold, not records.
type claim struct {
	p     *ownedPartition
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
