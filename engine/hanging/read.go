package hanging

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// StateTopic is the log of the coordinators.
const StateTopic = "__transaction_state"

// Bounds of reading the coordinators' log.
const (
	// logBefore is how long before the last record of a transaction the log is read from: its
	// clock is the brokers', that of the record may be another.
	logBefore = 2 * time.Minute
	// logRecordsMax bounds what is read of a partition of the log.
	logRecordsMax = 300_000
	// logMax bounds the time for it.
	logMax = 10 * time.Second
)

// entriesFor reads the coordinators' log for the producers of transactions that hang, and returns
// it by producer.
func entriesFor(ctx context.Context, client *kgo.Client, admin *kadm.Client, opens []Open,
	known map[int64]*Known, all bool) (map[int64][]Entry, error) {
	want, oldest := map[int64]bool{}, int64(0)
	for _, o := range opens {
		k := known[o.ProducerID]
		if Decide(o, k, nil).Action == Wait || (k == nil && !all) {
			continue
		}
		want[o.ProducerID] = true
		if oldest == 0 || o.Last < oldest {
			oldest = o.Last
		}
	}
	if len(want) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, logMax)
	defer cancel()
	from, ends, err := logBounds(ctx, admin, max(oldest-logBefore.Milliseconds(), 0))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", StateTopic, err)
	}
	entries, err := readLog(ctx, client, from, ends, want)
	if err != nil {
		return entries, fmt.Errorf("read %s: %w", StateTopic, err)
	}
	return entries, nil
}

// logBounds are where to read the log from and where it ends, by partition.
func logBounds(ctx context.Context, admin *kadm.Client, ms int64) (from map[int32]kgo.Offset,
	ends map[int32]int64, err error) {
	starts, err := admin.ListOffsetsAfterMilli(ctx, ms, StateTopic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, nil, err
	}
	listed, err := admin.ListEndOffsets(ctx, StateTopic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, nil, err
	}
	from, ends = map[int32]kgo.Offset{}, map[int32]int64{}
	listed.Each(func(end kadm.ListedOffset) {
		start, ok := starts.Lookup(end.Topic, end.Partition)
		if !ok || start.Offset >= end.Offset {
			return
		}
		at := max(start.Offset, end.Offset-logRecordsMax)
		from[end.Partition], ends[end.Partition] = kgo.NewOffset().At(at), end.Offset
	})
	return from, ends, nil
}

// readLog reads partitions of the log up to their ends, and keeps what is of some producers.
func readLog(ctx context.Context, client *kgo.Client, from map[int32]kgo.Offset,
	ends map[int32]int64, want map[int64]bool) (map[int64][]Entry, error) {
	entries := map[int64][]Entry{}
	if len(from) == 0 {
		return entries, nil
	}
	reader, err := kgo.NewClient(append(client.Opts(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{StateTopic: from}),
		kgo.FetchMaxWait(100*time.Millisecond))...)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	for len(ends) > 0 {
		fetches := reader.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return entries, err
		}
		var failed error
		fetches.EachError(func(_ string, _ int32, err error) {
			if !kerr.IsRetriable(err) {
				failed = errors.Join(failed, err)
			}
		})
		if failed != nil {
			return entries, failed
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if e, ok := entryOf(r); ok && want[e.ProducerID] {
				entries[e.ProducerID] = append(entries[e.ProducerID], e)
			}
			if r.Offset >= ends[r.Partition]-1 {
				delete(ends, r.Partition)
			}
		})
	}
	return entries, nil
}

// entryOf decodes a record of the log; false for what is none, such as a tombstone.
func entryOf(r *kgo.Record) (Entry, bool) {
	var k kmsg.TxnMetadataKey
	var v kmsg.TxnMetadataValue
	if r.Value == nil || k.ReadFrom(r.Key) != nil || v.ReadFrom(r.Value) != nil {
		return Entry{}, false
	}
	e := Entry{ID: k.TransactionalID, State: State(v.State.String()), ProducerID: v.ProducerID,
		Epoch: v.ProducerEpoch, Version: v.ClientTransactionVersion,
		Partitions: map[string][]int32{}}
	for _, t := range v.Topics {
		e.Partitions[t.Topic] = append(e.Partitions[t.Topic], t.Partitions...)
	}
	return e, true
}
