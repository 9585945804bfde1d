// Package kafkaread reads the records of topics, from the oldest or from given offsets on, up to
// what is committed at the call.
//
// It refuses to know what a record means, and makes no client: a command has one.
package kafkaread

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Options are those that the client of a Reader needs: it reads the records of committed
// transactions only. The last offset of a partition may be that of a marker; without those the end
// is not seen.
func Options() []kgo.Opt {
	return []kgo.Opt{kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords()}
}

// Reader reads topics.
type Reader struct {
	Client *kgo.Client // made with Options, and of no consumer group
	// Timeout is how long Kafka may take to answer.
	Timeout time.Duration
	// Part chooses the one partition of a topic, of how many, that Each reads; nil for all.
	Part func(partitions int32) int32
}

// Error is an error of a request to Kafka.
type Error struct {
	What string // what was tried, such as "read invoices"
	Err  error
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.What, e.Err) }

// Unwrap is why.
func (e *Error) Unwrap() error { return e.Err }

// Each visits the records of a topic from the given offsets on (of a partition that is not in
// them, from the oldest on) up to what is committed now, and returns the offsets behind them. An
// error of visit ends it and is returned as it is.
func (r *Reader) Each(ctx context.Context, topic string, from map[int32]int64,
	visit func(*kgo.Record) error) (map[int32]int64, error) {
	at, end, err := r.Bounds(ctx, topic, from)
	if err != nil {
		return nil, err
	}
	if r.Part != nil {
		only := r.Part(int32(len(end)))
		maps.DeleteFunc(end, func(p int32, _ int64) bool { return p != only })
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
	r.Client.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: open})
	defer r.Client.PurgeTopicsFromConsuming(topic)
	for len(open) > 0 {
		fetches, err := r.Poll(ctx, topic)
		if err != nil {
			return nil, err
		}
		for _, record := range fetches.Records() {
			if record.Offset < end[record.Partition] && !record.Attrs.IsControl() {
				if err := visit(record); err != nil {
					return nil, err
				}
			}
			if record.Offset+1 >= end[record.Partition] {
				delete(open, record.Partition)
			}
		}
	}
	return end, nil
}

// Poll waits for records of what the client consumes, at most for the Timeout. What names it in an
// error.
func (r *Reader) Poll(ctx context.Context, what string) (kgo.Fetches, error) {
	limited, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	fetches := r.Client.PollFetches(limited)
	for _, f := range fetches.Errors() {
		return nil, &Error{"read " + what, f.Err}
	}
	return fetches, nil
}

// Bounds are where reading begins, from the given offsets on, and where it ends, by partition.
func (r *Reader) Bounds(ctx context.Context, topic string, from map[int32]int64) (
	at, end map[int32]int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	admin := kadm.NewClient(r.Client)
	starts, errStart := admin.ListStartOffsets(ctx, topic)
	ends, errEnd := admin.ListCommittedOffsets(ctx, topic)
	if err := errors.Join(errStart, errEnd, starts.Error(), ends.Error()); err != nil {
		return nil, nil, &Error{"read the offsets of " + topic, err}
	}
	at, end = map[int32]int64{}, map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) { end[o.Partition] = o.Offset })
	starts.Each(func(o kadm.ListedOffset) { at[o.Partition] = max(o.Offset, from[o.Partition]) })
	return at, end, nil
}

// Newest reads the records of a compacted topic, tombstones included. It returns those that read
// refused, as partition@offset and why; of a key that was written again only the newest counts.
func (r *Reader) Newest(ctx context.Context, topic string, read func(*kgo.Record) error) (
	refused []string, err error) {
	bad := map[string]string{}
	_, err = r.Each(ctx, topic, nil, func(record *kgo.Record) error {
		delete(bad, string(record.Key))
		if err := read(record); err != nil {
			bad[string(record.Key)] = fmt.Sprintf("%d@%d: %v", record.Partition, record.Offset, err)
		}
		return nil
	})
	for _, why := range bad {
		refused = append(refused, why)
	}
	slices.Sort(refused)
	return refused, err
}

// Header is the last header of a name; empty where there is none.
func Header(r *kgo.Record, name string) string {
	for _, h := range slices.Backward(r.Headers) {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}
