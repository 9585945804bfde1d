//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/internal/engine"
)

// seed is that of all events; they are the same in every run.
const seed = 1

// Topic settings.
const (
	compact = "compact"
	keep    = "delete"
)

func (k *kafka) createTopic(ctx context.Context, name string, partitions int32,
	cleanup string) error {
	return k.admin(func(adm *kadm.Client) error {
		config := map[string]*string{"cleanup.policy": &cleanup}
		if _, err := adm.CreateTopic(ctx, partitions, 1, config, name); err != nil {
			return fmt.Errorf("create topic %s: %w", name, err)
		}
		for { // until the metadata show what was answered
			meta, err := adm.Metadata(ctx, name)
			if err == nil && meta.Topics[name].Err == nil &&
				len(meta.Topics[name].Partitions) == int(partitions) {
				return nil
			}
			if err := pause(ctx, 10*time.Millisecond); err != nil {
				return err
			}
		}
	})
}

func (k *kafka) deleteTopics(ctx context.Context, names ...string) error {
	return k.admin(func(adm *kadm.Client) error {
		if _, err := adm.DeleteTopics(ctx, names...); err != nil {
			return fmt.Errorf("delete topics: %w", err)
		}
		return nil
	})
}

// producer writes records where Kafka's default partitioner puts them, compressed by snappy.
func (k *kafka) producer(opts ...kgo.Opt) (*kgo.Client, error) {
	opts = append([]kgo.Opt{kgo.SeedBrokers(k.addr),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
		kgo.ProducerBatchCompression(kgo.SnappyCompression())}, opts...)
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return client, nil
}

// total is what a table must add up to.
type total struct {
	Keys   int
	Count  int64
	Energy int64
}

// preload writes n records that next makes, and returns when all are acknowledged.
func (k *kafka) preload(ctx context.Context, n int64, next func(seq int64) *kgo.Record) error {
	client, err := k.producer(kgo.ProducerLinger(5*time.Millisecond),
		kgo.MaxBufferedRecords(100_000))
	if err != nil {
		return err
	}
	defer client.Close()
	var mu sync.Mutex
	var failed error
	for seq := range n {
		client.Produce(ctx, next(seq), func(_ *kgo.Record, err error) {
			if err != nil {
				mu.Lock()
				failed = errors.Join(failed, err)
				mu.Unlock()
			}
		})
	}
	if err := client.Flush(ctx); err != nil {
		return fmt.Errorf("produce: %w", err)
	}
	return failed
}

// preloadEvents writes n events of so many keys and gives what they add up to and the mean size
// of their JSON.
func (k *kafka) preloadEvents(ctx context.Context, topic string, n int64, keys int) (total,
	float64, error) {
	rng := rand.New(rand.NewPCG(seed, 0))
	met := make([]bool, keys)
	var sum total
	var bytes int64
	err := k.preload(ctx, n, func(seq int64) *kgo.Record {
		i := rng.IntN(keys)
		if !met[i] {
			met[i] = true
			sum.Keys++
		}
		e := newEvent(rng, seq, keyOf(i))
		sum.Count++
		sum.Energy += e.EnergyWh
		r := &kgo.Record{Topic: topic, Key: []byte(e.StationID), Value: e.append(nil)}
		bytes += int64(len(r.Value))
		return r
	})
	return sum, float64(bytes) / float64(max(n, 1)), err
}

// committed is how many records of a topic a group has committed.
func committed(ctx context.Context, adm *kadm.Client, group, topic string) (int64, error) {
	offsets, err := adm.FetchOffsets(ctx, group)
	if err != nil {
		return 0, fmt.Errorf("offsets of group %s: %w", group, err)
	}
	var n int64
	offsets.Each(func(o kadm.OffsetResponse) {
		if o.Topic == topic && o.Err == nil {
			n += max(o.At, 0)
		}
	})
	return n, nil
}

// readTable adds up the committed rows of a table, and counts the records that they were left by.
func (k *kafka) readTable(ctx context.Context, topic string) (total, int64, error) {
	rows := map[string]row{}
	written := int64(0)
	err := k.readAll(ctx, topic, func(r *kgo.Record) error {
		key := string(r.Key)
		if engine.Reserved(key) {
			return nil
		}
		written++
		if r.Value == nil {
			delete(rows, key)
			return nil
		}
		var one row
		err := decodeRow(r.Value, &one)
		rows[key] = one
		return err
	})
	sum := total{Keys: len(rows)}
	for _, r := range rows {
		sum.Count += r[rowCount]
		sum.Energy += r[rowEnergySum]
	}
	return sum, written, err
}

// readAll calls yield with the committed records of a topic that is not written to any more.
func (k *kafka) readAll(ctx context.Context, topic string, yield func(*kgo.Record) error) error {
	left := map[int32]int64{} // ends of the partitions that are not read yet
	if err := k.admin(func(adm *kadm.Client) error {
		ends, err := adm.ListEndOffsets(ctx, topic)
		ends.Each(func(o kadm.ListedOffset) {
			if o.Offset > 0 {
				left[o.Partition] = o.Offset
			}
		})
		return errors.Join(err, ends.Error())
	}); err != nil {
		return fmt.Errorf("end offsets of %s: %w", topic, err)
	}
	// Control records are kept, as the last one of a partition may be one.
	client, err := kgo.NewClient(kgo.SeedBrokers(k.addr), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer client.Close()
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			if r.Offset >= left[r.Partition]-1 {
				delete(left, r.Partition)
			}
			if r.Attrs.IsControl() {
				continue
			}
			if err := yield(r); err != nil {
				return fmt.Errorf("read %s/%d at %d: %w", topic, r.Partition, r.Offset, err)
			}
		}
	}
	return nil
}
