package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/lovoo/goka/storage"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine/task"
)

// markerKey stands for a control record, which marks the end of a transaction and has an offset but
// no content. goka considers a table recovered when it has read the record before the high
// watermark. If that is a control record, goka would wait for it forever.
const markerKey = task.ReservedPrefix + "marker"

// markerKeyBytes is markerKey as bytes, which are shared and never written.
var markerKeyBytes = []byte(markerKey)

// Bounds of a reader.
const (
	// readerQueue is how many records of a table are fetched ahead.
	readerQueue = 1024
	// readerSlab is how many messages are made at once. All stay in memory as long as one does.
	readerSlab = 256
)

// Update is goka's UpdateCallback for tables that the engine wrote: it stores rows, and skips the
// engine's own records.
func Update(ctx goka.UpdateContext, s storage.Storage, key string, value []byte) error {
	if task.Reserved(key) {
		return nil
	}
	return goka.DefaultUpdate(ctx, s, key, value)
}

// tableReader is a sarama.Consumer on franz-go, with which goka reads tables: committed records
// only, and control records as tombstones of markerKey. sarama's own consumer drops control
// records.
type tableReader struct {
	brokers []string
	log     *slog.Logger
	mu      sync.Mutex
	high    map[string]map[int32]int64
}

// NewTableReader is goka's SaramaConsumerBuilder for processors and views.
func NewTableReader(log *slog.Logger) goka.SaramaConsumerBuilder {
	return func(brokers []string, _ string) (sarama.Consumer, error) {
		return &tableReader{brokers: brokers, log: log, high: map[string]map[int32]int64{}}, nil
	}
}

var errNotATable = errors.New("the table reader only reads partitions that are named")

// Topics implements sarama.Consumer.
func (r *tableReader) Topics() ([]string, error) { return nil, errNotATable }

// Partitions implements sarama.Consumer.
func (r *tableReader) Partitions(string) ([]int32, error) { return nil, errNotATable }

// Close implements sarama.Consumer.
func (r *tableReader) Close() error { return nil }

// Pause implements sarama.Consumer.
func (r *tableReader) Pause(map[string][]int32) {}

// Resume implements sarama.Consumer.
func (r *tableReader) Resume(map[string][]int32) {}

// PauseAll implements sarama.Consumer.
func (r *tableReader) PauseAll() {}

// ResumeAll implements sarama.Consumer.
func (r *tableReader) ResumeAll() {}

// HighWaterMarks implements sarama.Consumer.
func (r *tableReader) HighWaterMarks() map[string]map[int32]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string]map[int32]int64{}
	for topic, partitions := range r.high {
		all[topic] = map[int32]int64{}
		for p, offset := range partitions {
			all[topic][p] = offset
		}
	}
	return all
}

// ConsumePartition implements sarama.Consumer.
func (r *tableReader) ConsumePartition(
	topic string,
	partition int32,
	offset int64,
) (sarama.PartitionConsumer, error) {
	from := kgo.NewOffset().At(offset)
	if offset == sarama.OffsetOldest {
		from = kgo.NewOffset().AtStart()
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(r.brokers...),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.FetchMaxWait(250*time.Millisecond), kgo.MetadataMaxAge(metadataMaxAge),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: from}}))
	if err != nil {
		return nil, fmt.Errorf("read table %s/%d: %w", topic, partition, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &partitionReader{owner: r, client: client, cancel: cancel,
		messages: make(chan *sarama.ConsumerMessage, readerQueue),
		errors:   make(chan *sarama.ConsumerError, 1)}
	go p.run(ctx)
	return p, nil
}

func (r *tableReader) note(topic string, partition int32, high int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.high[topic] == nil {
		r.high[topic] = map[int32]int64{}
	}
	r.high[topic][partition] = high
}

// partitionReader is a sarama.PartitionConsumer.
type partitionReader struct {
	owner    *tableReader
	client   *kgo.Client
	cancel   func()
	messages chan *sarama.ConsumerMessage
	errors   chan *sarama.ConsumerError
}

func (p *partitionReader) run(ctx context.Context) {
	defer close(p.errors)
	defer close(p.messages)
	defer p.client.Close()
	for ctx.Err() == nil {
		fetches := p.client.PollFetches(ctx)
		fetches.EachError(func(topic string, partition int32, err error) {
			// The client retries by itself after a temporary error.
			if ctx.Err() == nil {
				p.owner.log.Warn("read table", "topic", topic, "partition", partition, "error", err)
			}
		})
		fetches.EachPartition(func(f kgo.FetchTopicPartition) {
			p.owner.note(f.Topic, f.Partition, f.HighWatermark)
			p.hand(ctx, f.Records)
		})
	}
}

// hand passes records to goka as messages.
func (p *partitionReader) hand(ctx context.Context, records []*kgo.Record) {
	for slab := range slices.Chunk(records, readerSlab) {
		messages := make([]sarama.ConsumerMessage, len(slab))
		for n, r := range slab {
			fillMessage(&messages[n], r)
			select {
			case p.messages <- &messages[n]:
			case <-ctx.Done():
				return
			}
		}
	}
}

// fillMessage makes a message of a record. It has no headers: goka passes them only to the
// UpdateCallback, and Update does not use them.
func fillMessage(m *sarama.ConsumerMessage, r *kgo.Record) {
	m.Topic, m.Partition, m.Offset, m.Timestamp = r.Topic, r.Partition, r.Offset, r.Timestamp
	m.Key, m.Value = r.Key, r.Value
	if r.Attrs.IsControl() {
		m.Key, m.Value = markerKeyBytes, nil
	}
}

// AsyncClose implements sarama.PartitionConsumer.
func (p *partitionReader) AsyncClose() { p.cancel() }

// Close implements sarama.PartitionConsumer.
func (p *partitionReader) Close() error { p.cancel(); return nil }

// Messages implements sarama.PartitionConsumer.
func (p *partitionReader) Messages() <-chan *sarama.ConsumerMessage { return p.messages }

// Errors implements sarama.PartitionConsumer.
func (p *partitionReader) Errors() <-chan *sarama.ConsumerError { return p.errors }

// HighWaterMarkOffset implements sarama.PartitionConsumer.
func (p *partitionReader) HighWaterMarkOffset() int64 { return 0 }

// Pause implements sarama.PartitionConsumer.
func (p *partitionReader) Pause() {}

// Resume implements sarama.PartitionConsumer.
func (p *partitionReader) Resume() {}

// IsPaused implements sarama.PartitionConsumer.
func (p *partitionReader) IsPaused() bool { return false }
