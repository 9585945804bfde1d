//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/benchmarks/internal/harness"
)

const (
	fillBuffer = 100_000               // records that wait to be acknowledged
	fillLinger = 20 * time.Millisecond // makes batches as large as those of a busy producer
)

// newProducer writes records where Kafka's default partitioner puts them.
func newProducer(addr string, opts ...kgo.Opt) (*kgo.Client, error) {
	opts = append([]kgo.Opt{kgo.SeedBrokers(addr),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
		kgo.ProducerBatchCompression(kgo.Lz4Compression())}, opts...)
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return client, nil
}

// failures keeps the first error of many promises.
type failures struct {
	mu    sync.Mutex
	first error
}

// note is the promise of a record.
func (f *failures) note(_ *kgo.Record, err error) {
	if err == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.first == nil {
		f.first = fmt.Errorf("produce: %w", err)
	}
}

func (f *failures) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.first
}

// fill writes a workload to the input topics and returns when all of it is acknowledged.
func fill(ctx context.Context, addr string, w Workload, seed uint64) (Totals, error) {
	client, err := newProducer(addr, kgo.ProducerLinger(fillLinger),
		kgo.MaxBufferedRecords(fillBuffer))
	if err != nil {
		return Totals{}, err
	}
	defer client.Close()
	var failed failures
	totals, err := w.Each(seed, func(r *kgo.Record) error {
		client.Produce(ctx, r, failed.note)
		return ctx.Err()
	})
	if flushErr := client.Flush(ctx); flushErr != nil {
		err = errors.Join(err, fmt.Errorf("produce: %w", flushErr))
	}
	return totals, errors.Join(err, failed.err())
}

// sizes are the bytes that each topic takes in the logs of the brokers.
func sizes(ctx context.Context, addr string) (map[string]int64, error) {
	bytes := map[string]int64{}
	err := harness.Admin(addr, func(adm *kadm.Client) error {
		dirs, err := adm.DescribeAllLogDirs(ctx, nil)
		if err != nil {
			return fmt.Errorf("sizes of topics: %w", err)
		}
		dirs.Each(func(d kadm.DescribedLogDir) {
			err = errors.Join(err, d.Err)
			d.Topics.Each(func(p kadm.DescribedLogDirPartition) { bytes[p.Topic] += p.Size })
		})
		return err
	})
	return bytes, err
}

// grown is by how much topics have grown; those that have not are left out.
func grown(before, after map[string]int64) map[string]int64 {
	more := map[string]int64{}
	for topic, bytes := range after {
		if bytes > before[topic] {
			more[topic] = bytes - before[topic]
		}
	}
	return more
}
