package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine/broker"
)

// poll fetches records and feeds them to the readers of their partitions.
func (g *group) poll(ctx context.Context) {
	i := g.i
	for ctx.Err() == nil {
		fetches := g.client.PollFetches(ctx)
		if err := i.fetchErrors(fetches); err != nil {
			g.client.AllowRebalance()
			i.fail(fmt.Errorf("read inputs: %w", err))
			return
		}
		fetches.EachPartition(func(f kgo.FetchTopicPartition) {
			p := i.activePartition(f.Partition)
			if p == nil {
				return // revoked meanwhile
			}
			bytes, full := p.read.Feed(f.Topic, f.Records, f.LastStableOffset)
			i.queued.Add(bytes)
			if full {
				g.client.PauseFetchPartitions(map[string][]int32{f.Topic: {f.Partition}})
				i.c.Metrics.paused(f.Topic)
				if !p.read.Paused(f.Topic) { // folded meanwhile
					i.resumeFetch([]string{f.Topic}, f.Partition)
				}
			}
		})
		g.client.AllowRebalance()
		for i.queued.Load() > queueBytesMax && i.starving.Load() == 0 {
			select {
			case <-ctx.Done():
				return
			case <-i.room:
			}
		}
	}
}

// resumeFetch lets the client fetch topics of a partition again.
func (i *instance) resumeFetch(topics []string, partition int32) {
	again := map[string][]int32{}
	for _, topic := range topics {
		again[topic] = []int32{partition}
	}
	i.group.ResumeFetchPartitions(again)
}

// fetchErrors is the first error of the fetches that is not temporary; the client retries after the
// others.
func (i *instance) fetchErrors(fetches kgo.Fetches) error {
	var first error
	fetches.EachError(func(topic string, partition int32, err error) {
		var lost *kgo.ErrGroupSession
		switch {
		case errors.As(err, &lost): // OnGroupManageError is called, too
		case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
			errors.Is(err, kgo.ErrClientClosed):
		case broker.Classify(err).Decision == broker.Retry:
			i.c.Log.Debug("fetch", "topic", topic, "partition", partition, "error", err)
		case first == nil:
			first = fmt.Errorf("%s/%d: %w", topic, partition, err)
		}
	})
	return first
}
