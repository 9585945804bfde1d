package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// adjustOffsets is kgo's AdjustFetchOffsetsFn: it decides where new partitions are read from. The
// table's progress record has the positions that its rows contain. If the group's offsets differ,
// because they expired or were reset, the table is right.
func (g *group) adjustOffsets(ctx context.Context,
	committed map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	ps, err := g.awaitRestored(ctx, committed)
	if err != nil {
		return nil, err
	}
	from, err := g.startOffsets(ctx, ps, committed)
	for began := time.Now(); errors.Is(err, ErrTopics) && time.Since(began) < topicsAfter; {
		// A broker that has just started may not know the ends of its topics yet.
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(restartAfterMin):
		}
		from, err = g.startOffsets(ctx, ps, committed)
	}
	if err != nil {
		if ctx.Err() == nil {
			g.i.fail(err)
		}
		return nil, err
	}
	c := change{done: make(chan struct{})}
	for n, p := range ps {
		c.add = append(c.add, p)
		g.i.resumeFetch(g.i.p.Topics(), n) // the client keeps what was paused before
	}
	return from, g.apply(ctx, c)
}

// awaitRestored returns the partitions of an assignment once they are restored.
func (g *group) awaitRestored(ctx context.Context,
	committed map[string]map[int32]kgo.Offset) (map[int32]*ownedPartition, error) {
	ps := map[int32]*ownedPartition{}
	g.mu.Lock()
	for _, partitions := range committed {
		for n := range partitions {
			if p := g.owned[n]; p != nil {
				ps[n] = p
			}
		}
	}
	g.mu.Unlock()
	for _, p := range ps {
		select {
		case <-p.restored:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return ps, g.i.failed()
}

// startOffsets finds where each topic of new partitions is read from, and starts their readers.
func (g *group) startOffsets(ctx context.Context, ps map[int32]*ownedPartition,
	committed map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	// Uncommitted records are not part of a topic yet, and the reader does not wait for them.
	starts, ends, err := g.i.bounds(ctx, (*kadm.Client).ListCommittedOffsets, g.i.p.Topics()...)
	if err != nil {
		return nil, fmt.Errorf("bounds of inputs: %w", err)
	}
	from := map[string]map[int32]kgo.Offset{}
	for topic, partitions := range committed {
		from[topic] = map[int32]kgo.Offset{}
		for n, at := range partitions {
			p := ps[n]
			if p == nil {
				continue
			}
			start, _ := starts.Lookup(topic, n)
			end, _ := ends.Lookup(topic, n)
			next, err := g.startOffset(p, topic, at.EpochOffset().Offset, start.Offset, end.Offset)
			if err != nil {
				return nil, err
			}
			p.read.Start(topic, next, end.Offset)
			from[topic][n] = kgo.NewOffset().At(next)
		}
	}
	return from, nil
}

// startOffset is where a topic of a partition is read from; committed is below zero if the group
// has no offset. If the topic ends before the table's position, it was recreated or lost records.
// Then an operator must decide where to continue, by setting the group's offset.
func (g *group) startOffset(p *ownedPartition, topic string,
	committed, start, end int64) (int64, error) {
	if p.oldRows != nil {
		p.progress[topic] = start
		return start, nil
	}
	next, known := p.progress[topic]
	log := g.i.c.Log.With("group", g.i.p.Group, "topic", topic, "partition", p.id,
		"group_offset", committed)
	switch {
	case known && next > end && (committed < 0 || committed > end):
		return 0, fmt.Errorf("%w: %s/%d ends at %d, and the table has it up to %d: it was "+
			"recreated or has lost records; set the group's offset to where to go on",
			ErrTopics, topic, p.id, end, next)
	case known && next > end:
		log.Warn("the topic ends before the table's offset; the group's counts", "table_offset",
			next, "end", end)
		g.i.c.Metrics.offsetMismatch(g.i.p.Group)
		next = committed
	case known:
		if committed != next && committed >= 0 {
			log.Warn("the group's offset is not the table's, which counts", "table_offset", next)
			g.i.c.Metrics.offsetMismatch(g.i.p.Group)
		}
	case committed < 0:
		return start, nil
	default:
		if !p.hasProgress {
			log.Warn("the table is empty but the group has read: what it read before is not " +
				"in the table; to fold it, reset the group's offsets")
			g.i.c.Metrics.offsetMismatch(g.i.p.Group)
		}
		next = min(committed, end)
	}
	if next < start {
		log.Warn("records were deleted before they were read", "next", next, "begin", start)
	}
	return max(next, start), nil
}
