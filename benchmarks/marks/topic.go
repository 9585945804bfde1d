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

	"chargestream/benchmarks/internal/harness"
	"chargestream/engine"
)

// seed is that of all events; they are the same in every run.
const seed = 1

// Topic settings.
const (
	compact = "compact"
	keep    = "delete"
)

// kafka is the broker of a run.
type kafka struct{ *harness.Kafka }

func (k *kafka) createTopic(ctx context.Context, name string, partitions int32,
	cleanup string) error {
	return harness.CreateTopic(ctx, k.Addr, name, partitions, cleanup)
}

func (k *kafka) deleteTopics(ctx context.Context, names ...string) error {
	return k.Admin(func(adm *kadm.Client) error {
		if _, err := adm.DeleteTopics(ctx, names...); err != nil {
			return fmt.Errorf("delete topics: %w", err)
		}
		return nil
	})
}

// producer writes records where Kafka's default partitioner puts them, compressed by snappy.
func (k *kafka) producer(opts ...kgo.Opt) (*kgo.Client, error) {
	opts = append([]kgo.Opt{kgo.SeedBrokers(k.Addr),
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
	return harness.ReadAll(ctx, k.Addr, topic, yield)
}
