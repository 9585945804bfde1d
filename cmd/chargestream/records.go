package main

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// readingClient is a client that can read the records of committed transactions to the end of the
// topics, which the cluster must have.
func (a *app) readingClient(ctx context.Context, names ...string) (*kgo.Client, error) {
	client, err := a.kafkaClient(ctx, kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// The last offset of a partition may be that of a marker; without it the end is not seen.
		kgo.KeepControlRecords())
	if err != nil {
		return nil, err
	}
	if err := a.needTopics(ctx, client, names...); err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}

// eachRecord visits the records of a topic from the given offsets on (of a partition that is not
// in it, from the oldest on) up to what is committed now, and returns the offsets behind them.
func (a *app) eachRecord(ctx context.Context, client *kgo.Client, topic string,
	from map[int32]int64, visit func(*kgo.Record) error) (map[int32]int64, error) {
	at, end, err := a.recordBounds(ctx, client, topic, from)
	if err != nil {
		return nil, err
	}
	open := map[int32]kgo.Offset{}
	for partition := range end {
		if at[partition] < end[partition] {
			open[partition] = kgo.NewOffset().At(at[partition])
		}
	}
	if len(open) == 0 {
		return end, nil
	}
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: open})
	defer client.PurgeTopicsFromConsuming(topic)
	for len(open) > 0 {
		fetches, err := a.poll(ctx, client, topic)
		if err != nil {
			return nil, err
		}
		for _, r := range fetches.Records() {
			if r.Offset < end[r.Partition] && !r.Attrs.IsControl() {
				if err := visit(r); err != nil {
					return nil, err
				}
			}
			if r.Offset+1 >= end[r.Partition] {
				delete(open, r.Partition)
			}
		}
	}
	return end, nil
}

// poll waits for records, at most as long as Kafka may take to answer.
func (a *app) poll(ctx context.Context, client *kgo.Client, topic string) (kgo.Fetches, error) {
	limited, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	fetches := client.PollFetches(limited)
	for _, f := range fetches.Errors() {
		return nil, a.kafkaError("read "+topic, f.Err)
	}
	return fetches, nil
}

// recordBounds is where reading begins and where it ends, by partition.
func (a *app) recordBounds(ctx context.Context, client *kgo.Client, topic string,
	from map[int32]int64) (at, end map[int32]int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	admin := kadm.NewClient(client)
	starts, errStart := admin.ListStartOffsets(ctx, topic)
	ends, errEnd := admin.ListCommittedOffsets(ctx, topic)
	if err := errors.Join(errStart, errEnd, starts.Error(), ends.Error()); err != nil {
		return nil, nil, a.kafkaError("read the offsets of "+topic, err)
	}
	at, end = map[int32]int64{}, map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) { end[o.Partition] = o.Offset })
	starts.Each(func(o kadm.ListedOffset) { at[o.Partition] = max(o.Offset, from[o.Partition]) })
	return at, end, nil
}
