package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// buildGroup joins the consumer group.
func (i *instance) buildGroup(
	brokers []string,
	group, clientID string,
) (sarama.ConsumerGroup, error) {
	s := saramaConfig(i.c)
	s.ClientID = clientID
	client, err := sarama.NewClient(brokers, s)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	g, err := sarama.NewConsumerGroupFromClient(group, client)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("join group %q: %w", group, err), client.Close())
	}
	return &consumerGroup{ConsumerGroup: g, i: i, client: client}, nil
}

// consumerGroup re-joins by itself after a rebalance: goka would sleep five seconds before.
type consumerGroup struct {
	sarama.ConsumerGroup
	i      *instance
	client sarama.Client
}

// Consume implements sarama.ConsumerGroup.
func (g *consumerGroup) Consume(
	ctx context.Context,
	topics []string,
	h sarama.ConsumerGroupHandler,
) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	g.i.fatal = cancel
	for {
		err := g.ConsumerGroup.Consume(ctx, topics, &handler{inner: h, i: g.i, client: g.client})
		if cause := context.Cause(ctx); cause != nil {
			if errors.Is(cause, context.Canceled) {
				return nil
			}
			return cause
		}
		if err != nil {
			return err
		}
		g.i.c.Metrics.rebalanced(g.i.p.Group)
	}
}

// Close implements sarama.ConsumerGroup.
func (g *consumerGroup) Close() error {
	return errors.Join(g.ConsumerGroup.Close(), g.client.Close())
}

// handler stands between sarama and goka for one session of the group.
type handler struct {
	inner  sarama.ConsumerGroupHandler
	i      *instance
	client sarama.Client
	stop   chan struct{}
	ticks  sync.WaitGroup

	mu      sync.Mutex
	waiting map[int32]*gathering
}

// gathering collects the claims of one partition until all of them are there.
type gathering struct {
	claims []sarama.ConsumerGroupClaim
	done   chan struct{}
}

// session hands goka's marks to the instance instead of to sarama.
type session struct {
	sarama.ConsumerGroupSession
	i *instance
}

// MarkMessage implements sarama.ConsumerGroupSession.
func (s *session) MarkMessage(m *sarama.ConsumerMessage, metadata string) {
	s.MarkOffset(m.Topic, m.Partition, m.Offset+1, metadata)
}

// Commit implements sarama.ConsumerGroupSession.
func (s *session) Commit() {}

// MarkOffset implements sarama.ConsumerGroupSession. goka calls it once a record, in the order
// of the records of a partition, when the fold has returned.
func (s *session) MarkOffset(topic string, partition int32, offset int64, _ string) {
	s.i.mark(topic, partition, offset)
}

// Setup implements sarama.ConsumerGroupHandler.
func (h *handler) Setup(s sarama.ConsumerGroupSession) error {
	i, now := h.i, time.Now()
	i.mu.Lock()
	i.session, i.closing = s, false
	i.claimed = map[int32]*claimed{}
	for _, partitions := range s.Claims() {
		for _, p := range partitions {
			if i.claimed[p] == nil {
				i.claimed[p] = &claimed{next: map[string]int64{}, changelog: -1, lastClock: now}
				i.claimed[p].lastRecord.Store(now.UnixMilli())
			}
		}
	}
	i.mu.Unlock()
	h.waiting = map[int32]*gathering{}
	if err := h.inner.Setup(&session{s, i}); err != nil {
		return err
	}
	h.stop = make(chan struct{})
	h.ticks.Go(func() { h.tick(s) })
	h.ticks.Go(func() { h.wake(s) })
	return nil
}

// tick commits at every interval.
func (h *handler) tick(s sarama.ConsumerGroupSession) {
	ticker := time.NewTicker(h.i.c.CommitInterval)
	defer ticker.Stop()
	for {
		select {
		case <-h.stop:
			return
		case <-s.Context().Done():
			return
		case <-ticker.C:
			if err := h.i.commitRunning(); err != nil {
				h.i.fatal(err)
				return
			}
			h.i.moveClock()
		}
	}
}

// wake ends a commit that waits for folds of a session that is over.
func (h *handler) wake(s sarama.ConsumerGroupSession) {
	select {
	case <-s.Context().Done():
	case <-h.stop:
	}
	h.i.mu.Lock()
	h.i.closing = true
	h.i.folded.Broadcast()
	h.i.mu.Unlock()
}

// Cleanup implements sarama.ConsumerGroupHandler: goka stops its folds, then what they did is
// committed in the same generation, which the coordinator refuses if it is over, and then the
// stores are let go.
func (h *handler) Cleanup(s sarama.ConsumerGroupSession) error {
	i := h.i
	if h.stop != nil {
		close(h.stop)
		h.ticks.Wait()
	}
	err := h.inner.Cleanup(&session{s, i})
	if err == nil && h.stop != nil && i.failed() == nil {
		if e := i.commit(); e != nil {
			i.fatal(e)
			err = e
		}
	}
	i.mu.Lock()
	stores := i.stores
	i.stores, i.claimed = map[storeKey]*store{}, nil
	i.mu.Unlock()
	for _, st := range stores {
		err = errors.Join(err, st.release())
	}
	return err
}

// ConsumeClaim implements sarama.ConsumerGroupHandler. sarama calls it once a topic and
// partition; goka gets one call a partition, with all its topics merged.
func (h *handler) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	g, last := h.gather(s, c)
	if !last {
		select {
		case <-g.done:
		case <-s.Context().Done():
		}
		return nil
	}
	defer close(g.done)
	ends := make([]int64, len(g.claims))
	for n, claim := range g.claims {
		end, err := h.client.GetOffset(claim.Topic(), claim.Partition(), sarama.OffsetNewest)
		if err != nil {
			return fmt.Errorf("end of %s/%d: %w", claim.Topic(), claim.Partition(), err)
		}
		ends[n] = end
	}
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	merged := &mergedClaim{
		ConsumerGroupClaim: c,
		messages:           make(chan *sarama.ConsumerMessage, channelSize),
	}
	var feeding sync.WaitGroup
	feeding.Go(func() {
		defer close(merged.messages)
		m := newMerger(g.claims, ends)
		m.gaveUp, m.look = h.i.c.Metrics.gaveUp, h.onlyMarkers
		h.feed(ctx, m, c.Partition(), merged.messages)
	})
	err := h.inner.ConsumeClaim(&session{s, h.i}, merged)
	cancel()
	feeding.Wait()
	return err
}

// gather registers a claim and tells whether it was the last of its partition.
func (h *handler) gather(
	s sarama.ConsumerGroupSession,
	c sarama.ConsumerGroupClaim,
) (*gathering, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	g := h.waiting[c.Partition()]
	if g == nil {
		g = &gathering{done: make(chan struct{})}
		h.waiting[c.Partition()] = g
	}
	g.claims = append(g.claims, c)
	topics := 0
	for _, partitions := range s.Claims() {
		if slices.Contains(partitions, c.Partition()) {
			topics++
		}
	}
	slices.SortFunc(g.claims, func(a, b sarama.ConsumerGroupClaim) int {
		order := h.i.p.topics()
		return slices.Index(order, a.Topic()) - slices.Index(order, b.Topic())
	})
	return g, len(g.claims) == topics
}

// mergedClaim is the claim of a partition that goka reads.
type mergedClaim struct {
	sarama.ConsumerGroupClaim
	messages chan *sarama.ConsumerMessage
}

// Messages implements sarama.ConsumerGroupClaim.
func (c *mergedClaim) Messages() <-chan *sarama.ConsumerMessage { return c.messages }

// feed hands records to goka one by one. Each is counted before it is handed over, so that a
// commit can wait until all that were are folded.
func (h *handler) feed(
	ctx context.Context,
	m *merger,
	partition int32,
	out chan<- *sarama.ConsumerMessage,
) {
	h.i.mu.Lock()
	claim := h.i.claimed[partition]
	h.i.mu.Unlock()
	for {
		msg, ok := m.take(ctx)
		if !ok || ctx.Err() != nil {
			return // what is taken after the end may leave a gap behind it
		}
		h.i.gate.RLock()
		claim.delivered.Add(1)
		claim.lastRecord.Store(time.Now().UnixMilli())
		select {
		case out <- msg:
			h.i.gate.RUnlock()
		case <-ctx.Done():
			h.i.gate.RUnlock()
			return // the next one must not overtake this one
		}
	}
}
