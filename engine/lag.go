package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// markersMax is how many offsets behind the end a partition may be for Lag to check whether they
// are only control records. Each transaction that wrote to it leaves one.
const markersMax = 5000

// Quiet waits until processors have nothing left to read: the lag of all is zero twice, and no
// record was written in between, as the output of one is the input of another.
func Quiet(ctx context.Context, brokers []string, every time.Duration, procs ...*Processor) error {
	last := int64(-1)
	for {
		lag, err := Lag(ctx, brokers, procs...)
		if err == nil {
			var total int64
			if total, err = written(ctx, brokers, procs...); err == nil && lag == 0 &&
				total == last {
				return nil
			}
			last = total
		}
		if err != nil && !passes(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
}

// passes reports whether an error of a request is temporary: a broker that starts, a coordinator
// that moves, a broken connection.
func passes(err error) bool {
	var code *kerr.Error
	if errors.As(err, &code) {
		return code.Retriable
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF)
}

// written is how many offsets the inputs of processors have.
func written(ctx context.Context, brokers []string, procs ...*Processor) (int64, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return 0, fmt.Errorf("connect: %w", err)
	}
	defer client.Close()
	var total int64
	for _, p := range procs {
		ends, err := kadm.NewClient(client).ListEndOffsets(ctx, p.Topics()...)
		if err != nil {
			return 0, fmt.Errorf("end offsets: %w", err)
		}
		ends.Each(func(end kadm.ListedOffset) { total += end.Offset })
	}
	return total, nil
}

// Lag is how many records the groups of processors have not read. Control records, which hold no
// data, do not count.
func Lag(ctx context.Context, brokers []string, procs ...*Processor) (int64, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return 0, fmt.Errorf("connect: %w", err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	var total int64
	for _, p := range procs {
		topics := p.Topics()
		ends, err := admin.ListEndOffsets(ctx, topics...)
		if err != nil {
			return 0, fmt.Errorf("end offsets: %w", err)
		}
		starts, err := admin.ListStartOffsets(ctx, topics...)
		if err != nil {
			return 0, fmt.Errorf("start offsets: %w", err)
		}
		committed, err := admin.FetchOffsets(ctx, p.Group)
		if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
			return 0, fmt.Errorf("offsets of group %s: %w", p.Group, err)
		}
		behind := map[string]map[int32]int64{}
		ends.Each(func(end kadm.ListedOffset) {
			at := int64(0)
			if c, ok := committed.Lookup(end.Topic, end.Partition); ok {
				at = max(c.At, 0)
			}
			if s, ok := starts.Lookup(end.Topic, end.Partition); ok {
				at = max(at, s.Offset)
			}
			if at < end.Offset {
				if behind[end.Topic] == nil {
					behind[end.Topic] = map[int32]int64{}
				}
				behind[end.Topic][end.Partition] = at
				total += end.Offset - at
			}
		})
		if total > 0 && total <= markersMax {
			if total, err = dataAfter(ctx, brokers, behind, ends); err != nil {
				return 0, err
			}
		}
		if total > 0 {
			return total, nil
		}
	}
	return 0, nil
}

// dataAfter counts the committed records from offsets to the ends that are not control records.
func dataAfter(ctx context.Context, brokers []string, from map[string]map[int32]int64,
	ends kadm.ListedOffsets) (int64, error) {
	at := map[string]map[int32]kgo.Offset{}
	left := map[string]map[int32]bool{}
	for topic, partitions := range from {
		at[topic], left[topic] = map[int32]kgo.Offset{}, map[int32]bool{}
		for p, offset := range partitions {
			at[topic][p], left[topic][p] = kgo.NewOffset().At(offset), true
		}
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumePartitions(at),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		return 0, fmt.Errorf("connect: %w", err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 3*transactionTimeout) // by then an open one has ended
	defer cancel()
	var data int64
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := firstFetchError(fetches); err != nil {
			return 0, fmt.Errorf("read what is left: %w", err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			end, ok := ends.Lookup(r.Topic, r.Partition)
			if !ok || !left[r.Topic][r.Partition] {
				return
			}
			if !r.Attrs.IsControl() && r.Offset < end.Offset {
				data++
			}
			if r.Offset >= end.Offset-1 { // aborted records may hide the last one itself
				delete(left[r.Topic], r.Partition)
			}
			if len(left[r.Topic]) == 0 {
				delete(left, r.Topic)
			}
		})
	}
	return data, nil
}

// firstFetchError is the first error of fetches that is not temporary.
func firstFetchError(fetches kgo.Fetches) error {
	var first error
	fetches.EachError(func(_ string, _ int32, err error) {
		if first == nil && !kerr.IsRetriable(err) {
			first = err
		}
	})
	return first
}
