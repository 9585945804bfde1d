package engine

import (
	"context"
	"fmt"
	"hash"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/lovoo/goka/storage"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Bounds of an instance.
const (
	// producerRecordsMax bounds the records that are under way to the broker: some 100 ms of
	// the fastest fold.
	producerRecordsMax = 50_000
	producerLinger     = 5 * time.Millisecond
	// closeMax is how long the end of an attempt may take to abort what it left open.
	closeMax = 3 * time.Second
	// channelSize bounds the records of a partition between the merger and goka.
	channelSize = 256
)

// instance is one attempt to run a processor: it lives until an error ends it, and Run makes the
// next one. Its units of work are cut by commit: between two commits records are folded, rows
// are changed in the stores' memory and outputs are sent; commit makes all of it count at once.
//
// Lock order: gate, then mu.
type instance struct {
	p      *Processor
	c      Config
	client *kgo.Client
	// partitions is how many each input has.
	partitions int32

	// gate is held for reading while a record is handed to goka, and for writing by commit.
	gate    sync.RWMutex
	mu      sync.Mutex
	stores  map[storeKey]*store
	claimed map[int32]*claimed // partitions of the running session
	session sarama.ConsumerGroupSession

	waiting  atomic.Bool // commit waits for folds that run
	folded   sync.Cond   // on mu
	closing  bool        // the session ends: what was delivered and not folded comes again
	produced atomic.Int64
	failure  atomic.Pointer[error] // the first error of a producer
	fatal    context.CancelCauseFunc
}

type storeKey struct {
	topic     string
	partition int32
}

// claimed is a partition that this instance owns in the running session.
type claimed struct {
	delivered, done atomic.Int64
	lastRecord      atomic.Int64 // wall clock, ms; to find idle partitions
	lastClock       time.Time
	mu              sync.Mutex
	next            map[string]int64 // next input offset by topic, not yet committed
	task            *task
	back            *liveBackend
	loaded          bool
	changelog       int64 // offset of the last changelog record that was sent; -1 for none
}

func newInstance(p *Processor, c Config, partitions int32) *instance {
	i := &instance{p: p, c: c, partitions: partitions, stores: map[storeKey]*store{}}
	i.folded.L = &i.mu
	return i
}

// options put the instance into goka.
func (i *instance) options() []goka.ProcessorOption {
	return []goka.ProcessorOption{
		goka.WithHasher(NewHasher),
		goka.WithNilHandling(goka.NilProcess),
		goka.WithProducerBuilder(i.buildProducer),
		goka.WithConsumerGroupBuilder(i.buildGroup),
		goka.WithConsumerSaramaBuilder(NewTableReader(i.c.Log)),
		goka.WithTopicManagerBuilder(topicManager(i.c)),
		goka.WithStorageBuilder(i.buildStore),
		goka.WithUpdateCallback(Update),
		goka.WithPartitionChannelSize(channelSize),
		goka.WithLogger(printer{i.c.Log}),
	}
}

func (i *instance) transactionalID() string { return i.p.Group + "-" + i.c.Instance }

// buildProducer makes the one producer of the instance. With a transaction it initialises it at
// once: that fences a former self and ends what it left open, before the group is joined.
func (i *instance) buildProducer(
	brokers []string,
	clientID string,
	_ func() hash.Hash32,
) (goka.Producer, error) {
	options := []kgo.Opt{kgo.SeedBrokers(brokers...), kgo.ClientID(clientID),
		kgo.RecordPartitioner(Partitioner(i.p.Table())), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(kgo.SnappyCompression()), kgo.ProducerLinger(producerLinger),
		kgo.MaxBufferedRecords(producerRecordsMax), kgo.MaxVersions(kversion.V4_0_0())}
	if i.c.Guarantee == ExactlyOnce {
		options = append(options, kgo.TransactionalID(i.transactionalID()),
			kgo.TransactionTimeout(transactionTimeout))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("make producer: %w", err)
	}
	i.client = client
	if i.c.Guarantee == ExactlyOnce {
		ctx, cancel := context.WithTimeout(context.Background(), 3*transactionTimeout)
		defer cancel()
		if _, _, err := client.ProducerID(ctx); err != nil {
			client.Close()
			return nil, fmt.Errorf("initialise transactional id %q: %w", i.transactionalID(), err)
		}
		if err := client.BeginTransaction(); err != nil {
			client.Close()
			return nil, fmt.Errorf("begin transaction: %w", err)
		}
	}
	return &producer{i}, nil
}

// producer is the instance's client as goka's Producer. Folds do not pass through it; goka owns
// its life.
type producer struct{ i *instance }

// Emit implements goka.Producer.
func (p *producer) Emit(topic, key string, value []byte) *goka.Promise {
	return p.EmitWithHeaders(topic, key, value, nil)
}

// EmitWithHeaders implements goka.Producer. The promise is kept at once: whether the record counts
// is decided by the commit alone.
func (p *producer) EmitWithHeaders(
	topic, key string,
	value []byte,
	headers goka.Headers,
) *goka.Promise {
	r := &kgo.Record{Topic: topic, Key: []byte(key), Value: value}
	for name, v := range headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: v})
	}
	p.i.send(r)
	_, finish := goka.NewPromiseWithFinisher()
	return finish(nil, nil)
}

// Close implements goka.Producer. What is open was not committed and is aborted at once, as readers
// would else stand still behind it until it has timed out.
func (p *producer) Close() error {
	defer p.i.client.Close()
	if p.i.c.Guarantee != ExactlyOnce {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeMax)
	defer cancel()
	if err := p.i.client.AbortBufferedRecords(ctx); err != nil {
		return fmt.Errorf("abort what is buffered: %w", err)
	}
	if err := p.i.client.EndTransaction(ctx, kgo.TryAbort); err != nil {
		return fmt.Errorf("abort transaction: %w", err)
	}
	return nil
}

// send puts a record on its way; an error shows at the commit.
func (i *instance) send(r *kgo.Record) {
	i.produced.Add(1)
	i.client.Produce(context.Background(), r, func(r *kgo.Record, err error) {
		if err != nil {
			err = fmt.Errorf("produce to %s/%d: %w", r.Topic, r.Partition, err)
			i.failure.CompareAndSwap(nil, &err)
		}
	})
	i.c.Metrics.produced(r.Topic)
}

func (i *instance) failed() error {
	if err := i.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// buildStore opens the local copy of a table's partition.
func (i *instance) buildStore(topic string, partition int32) (storage.Storage, error) {
	i.mu.Lock()
	_, own := i.claimed[partition]
	i.mu.Unlock()
	owned := own && topic == i.p.Table()
	path := filepath.Join(i.c.StateDir, i.p.Group, fmt.Sprintf("%s.%d", topic, partition))
	s, err := i.openOrRebuild(path, topic, partition, owned)
	if err != nil {
		return nil, err
	}
	if owned {
		i.mu.Lock()
		i.stores[storeKey{topic, partition}] = s
		i.mu.Unlock()
	}
	return s, nil
}

func (i *instance) store(partition int32) *store {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.stores[storeKey{i.p.Table(), partition}]
}

// handle is goka's callback for every input. A failure is noted before it ends the session: once
// that is over, goka's Fail returns, and goka marks the record as if it were folded.
func (i *instance) handle(ctx goka.Context, value any) {
	i.mu.Lock()
	claim := i.claimed[ctx.Partition()]
	i.mu.Unlock()
	if claim == nil {
		ctx.Fail(fmt.Errorf("record of partition %d, which is not ours", ctx.Partition()))
		return
	}
	if err := i.ready(ctx, claim); err != nil {
		i.failure.CompareAndSwap(nil, &err)
		i.fatal(err)
		ctx.Fail(err)
		return
	}
	m := messageOf(ctx, value)
	claim.back.ctx = ctx
	start := time.Now()
	if err := claim.task.process(m); err != nil {
		i.failure.CompareAndSwap(nil, &err)
		i.fatal(err)
		ctx.Fail(err)
		return
	}
	i.c.Metrics.processed(i.p.Group, m.Topic, time.Since(start))
}

// ready makes the task of a partition when its first record comes: its table is recovered then.
func (i *instance) ready(ctx goka.Context, claim *claimed) error {
	if claim.loaded {
		return nil
	}
	s := i.store(ctx.Partition())
	if s == nil {
		return fmt.Errorf("table of partition %d is not open", ctx.Partition())
	}
	back := &liveBackend{i: i, s: s}
	t := newTask(i.p, ctx.Partition(), i.partitions, back)
	t.metrics = i.c.Metrics.task(i.p.Group, ctx.Partition())
	if i.p.Due != nil {
		if err := s.each(t.load); err != nil {
			return fmt.Errorf("index timers: %w", err)
		}
	}
	claim.task, claim.back, claim.loaded = t, back, true
	return nil
}

// messageOf is goka's message as the engine's. The merger has put the arrival time in the
// timestamp, and the timestamp in a header.
func messageOf(ctx goka.Context, value any) *Message {
	m := &Message{Topic: string(ctx.Topic()), Partition: ctx.Partition(), Offset: ctx.Offset(),
		Key: ctx.Key(), HasKey: ctx.Key() != "", Arrival: ctx.Timestamp().UnixMilli()}
	m.Timestamp = m.Arrival
	if value != nil {
		m.Value = value.([]byte)
	}
	for name, v := range ctx.Headers() {
		if name == timestampHeader {
			if own, err := strconv.ParseInt(string(v), 10, 64); err == nil {
				m.Timestamp = own
			}
			continue
		}
		m.Headers = append(m.Headers, Header{Key: name, Value: v})
	}
	slices.SortFunc(m.Headers, func(a, b Header) int {
		if a.Key < b.Key {
			return -1
		}
		return 1
	})
	return m
}

// liveBackend is the world of a task that runs on Kafka.
type liveBackend struct {
	i   *instance
	s   *store
	ctx goka.Context
}

func (b *liveBackend) get(key string) ([]byte, error) { return b.s.Get(key) }

func (b *liveBackend) set(key string, row []byte) {
	b.s.mu.Lock()
	b.s.dirty[key] = row
	b.s.mu.Unlock()
}

func (b *liveBackend) emit(r *outRecord) {
	record := &kgo.Record{Topic: r.topic, Value: r.value}
	if r.hasKey {
		record.Key = []byte(r.key)
	}
	record.Headers = make([]kgo.RecordHeader, len(r.headers))
	for n, h := range r.headers {
		record.Headers[n] = kgo.RecordHeader{Key: h.Key, Value: h.Value}
	}
	b.i.send(record)
}

func (b *liveBackend) lookup(topic, key string) ([]byte, error) {
	raw, ok := b.ctx.Lookup(goka.Table(topic), key).([]byte)
	if !ok {
		return nil, nil
	}
	return raw, nil
}

// Bytes is the goka.Codec that leaves bytes as they are: whether they can be read is for the fold
// to find out, as goka ends a processor for a codec's error.
type Bytes struct{}

// Encode implements goka.Codec.
func (Bytes) Encode(v any) ([]byte, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("%T is not bytes", v)
	}
	return b, nil
}

// Decode implements goka.Codec.
func (Bytes) Decode(b []byte) (any, error) { return b, nil }
