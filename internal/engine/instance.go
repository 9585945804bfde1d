package engine

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lovoo/goka"
	"github.com/lovoo/goka/storage"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Bounds of an instance.
const (
	// producerRecordsMax bounds the records that are under way to the broker.
	producerRecordsMax = 50_000
	producerLinger     = 5 * time.Millisecond
	// metadataMinAge is how soon a client asks anew where partitions are, when it was told that
	// they are elsewhere. The client's own five seconds are a pause of everything.
	metadataMinAge = 50 * time.Millisecond
	// closeMax is how long the end of an attempt may take to commit or abort what it left open.
	closeMax = 3 * time.Second
	// channelSize bounds goka's channel of a partition: it holds calls, not records.
	channelSize = 1
	// queueBytesMax bounds what is fetched and not yet folded, of all partitions.
	queueBytesMax = 64 << 20
)

// errExpelled ends an attempt whose member is in the group no more: what it did is forgotten.
var errExpelled = fmt.Errorf("this member was expelled from the group: %w", kerr.UnknownMemberID)

// instance is one attempt to run a processor: it lives until an error ends it, and Run makes the
// next one. Its units of work are cut by commit: between two cuts records are folded, rows are
// changed in the stores' memory and outputs are kept; then all of it is sent and made to count at
// once, while the next unit runs.
//
// Lock order: commitMu, gate, mu.
type instance struct {
	p *Processor
	c Config
	// partitions is how many each input has.
	partitions int32
	producer   *kgo.Client
	group      *kgo.Client
	pool       *pool

	// commitMu lets one unit of work be committed at a time.
	commitMu sync.Mutex
	// gate is held for reading while a batch is folded, and for writing by cut.
	gate   sync.RWMutex
	mu     sync.Mutex
	parts  map[int32]*part // partitions that are restored and read
	clocks []*kgo.Record   // to be sent with the next unit of work
	wasCut chan struct{}   // closed at the next cut

	hurried  chan struct{} // a unit of work has become large
	pausing  atomic.Bool   // goka's session ends: folds return
	queued   atomic.Int64  // bytes that are fetched and not yet folded
	starving atomic.Int64  // partitions that wait for a topic that is behind
	room     chan struct{} // something was folded
	memberID atomic.Pointer[string]
	expelled atomic.Bool
	stateMu  sync.Mutex // guards state, and lets it be told in order
	state    State
	// membership is the last place in the group, when the attempt has ended.
	membership membership
	lookups    sync.WaitGroup              // lookup tables that goka has open
	over       bool                        // no more of them are opened; guarded by mu
	copies     map[string]map[int32]*store // the same by topic and partition; guarded by mu
	failure    atomic.Pointer[error]       // the first error
	fatal      context.CancelCauseFunc

	outer context.Context // ends when the instance is to stop
	ended func()          // ends goka
	given context.Context // goka's, that its lookup tables end with
	began atomic.Bool     // goka consumes
}

func newInstance(p *Processor, c Config, partitions int32) *instance {
	i := &instance{p: p, c: c, partitions: partitions, parts: map[int32]*part{},
		hurried: make(chan struct{}, 1), room: make(chan struct{}, 1),
		wasCut: make(chan struct{}), fatal: func(error) {},
		copies: map[string]map[int32]*store{}}
	i.pool = &pool{i: i, copies: map[int32]*copyOf{}}
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
		goka.WithTopicManagerBuilder(i.buildTopicManager),
		goka.WithStorageBuilder(i.buildStore),
		goka.WithUpdateCallback(Update),
		goka.WithPartitionChannelSize(channelSize),
		goka.WithLogger(printer{i.c.Log}),
	}
}

func (i *instance) transactionalID() string { return i.p.Group + "-" + i.c.Instance }

// note takes note of the attempt's first error. Nothing is committed after it.
func (i *instance) note(err error) { i.failure.CompareAndSwap(nil, &err) }

// fail ends the attempt.
func (i *instance) fail(err error) {
	i.note(err)
	i.fatal(err)
}

func (i *instance) failed() error {
	if err := i.failure.Load(); err != nil {
		return *err
	}
	if i.expelled.Load() {
		return errExpelled
	}
	return nil
}

// member is the id under which the partitions were assigned.
func (i *instance) member() string {
	if id := i.memberID.Load(); id != nil {
		return *id
	}
	return ""
}

// tell changes the state and tells of it.
func (i *instance) tell(change func(s *State)) {
	i.stateMu.Lock()
	defer i.stateMu.Unlock()
	i.state.Group = i.p.Group
	change(&i.state)
	i.c.Metrics.state(i.p.Group, "active", i.state.Active)
	i.c.Metrics.state(i.p.Group, "restoring", i.state.Owned-i.state.Active)
	if i.c.OnState != nil {
		i.c.OnState(i.state)
	}
}

func (i *instance) hurry() {
	select {
	case i.hurried <- struct{}{}:
	default:
	}
}

// makeRoom tells the poller that bytes were folded, or that a partition needs more to go on.
func (i *instance) makeRoom(bytes int64) {
	i.queued.Add(-bytes)
	select {
	case i.room <- struct{}{}:
	default:
	}
}

// openProducer makes the one producer of the instance. With a transaction it initialises it at
// once: that fences a former self and ends what it left open, before the group is joined.
func (i *instance) openProducer(ctx context.Context) error {
	options := []kgo.Opt{kgo.SeedBrokers(i.c.Brokers...), kgo.ClientID(i.transactionalID()),
		kgo.RecordPartitioner(Partitioner(i.p.Table())), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(kgo.SnappyCompression()), kgo.ProducerLinger(producerLinger),
		kgo.MaxBufferedRecords(producerRecordsMax), kgo.WithLogger(clientLog{i.c.Log}),
		kgo.MaxVersions(kversion.V4_0_0()), kgo.MetadataMinAge(metadataMinAge)}
	if i.c.Guarantee == ExactlyOnce {
		options = append(options, kgo.TransactionalID(i.transactionalID()),
			kgo.TransactionTimeout(transactionTimeout))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return fmt.Errorf("make producer: %w", err)
	}
	if i.c.Guarantee == ExactlyOnce {
		ctx, cancel := context.WithTimeout(ctx, 3*transactionTimeout)
		defer cancel()
		if _, _, err := client.ProducerID(ctx); err != nil {
			client.Close()
			return fmt.Errorf("initialise transactional id %q: %w", i.transactionalID(), err)
		}
	}
	i.producer = client
	return nil
}

// closeProducer ends the producer. What is open was not committed and is aborted at once, as
// readers would else stand still behind it until it has timed out. What the broker answers to that
// tells a transaction that has timed out from a producer that was fenced.
func (i *instance) closeProducer() error {
	defer i.producer.Close()
	ctx, cancel := context.WithTimeout(context.Background(), closeMax)
	defer cancel()
	err := i.producer.AbortBufferedRecords(ctx)
	if err == nil && i.c.Guarantee == ExactlyOnce {
		err = i.producer.EndTransaction(ctx, kgo.TryAbort)
	}
	if err != nil {
		return fmt.Errorf("abort transaction: %w", err)
	}
	return nil
}

func (i *instance) buildProducer([]string, string, func() hash.Hash32) (goka.Producer, error) {
	return producer{i}, nil
}

// producer is goka's Producer. Folds do not pass through it.
type producer struct{ i *instance }

// Emit implements goka.Producer.
func (p producer) Emit(topic, key string, value []byte) *goka.Promise {
	return p.EmitWithHeaders(topic, key, value, nil)
}

// EmitWithHeaders implements goka.Producer: what goka sends would be part of no unit of work.
func (p producer) EmitWithHeaders(topic, _ string, _ []byte, _ goka.Headers) *goka.Promise {
	_, finish := goka.NewPromiseWithFinisher()
	return finish(nil, fmt.Errorf("%w: %q is written past the engine", ErrDeclaration, topic))
}

// Close implements goka.Producer.
func (p producer) Close() error { return nil }

// buildStore gives goka a partition of a table: ours is open already, lookup tables are opened and
// restored by goka.
func (i *instance) buildStore(topic string, partition int32) (storage.Storage, error) {
	if topic != i.p.Table() {
		s, err := i.openOrRebuild(i.path(topic, partition), topic, partition)
		if err != nil {
			return nil, err
		}
		i.mu.Lock()
		over := i.over
		if !over {
			i.lookups.Add(1)
			i.noteLookup(s)
		}
		i.mu.Unlock()
		if over {
			return nil, errors.Join(errors.New("the attempt is over"), s.close())
		}
		return &lookup{store: s, i: i}, nil
	}
	if p := i.part(partition); p != nil {
		return owned{p.store}, nil
	}
	return nil, fmt.Errorf("table of partition %d is not open", partition)
}

// lookup is a partition of a lookup table: restored, kept up to date and closed by goka.
type lookup struct {
	*store
	i    *instance
	once sync.Once
}

// Close implements storage.Storage.
func (l *lookup) Close() error {
	defer l.once.Do(l.i.lookups.Done)
	return l.close()
}

func (i *instance) part(partition int32) *part {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.parts[partition]
}

// active are the partitions that are restored and read.
func (i *instance) active() []*part {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Collect(maps.Values(i.parts))
}

// buildTopicManager gives goka its view of topics. Of our own table it shows just what the store
// has, so that goka finds nothing to restore.
func (i *instance) buildTopicManager(brokers []string) (goka.TopicManager, error) {
	m, err := topicManager(brokers)
	if err != nil {
		return nil, err
	}
	return &tableTopics{m, i}, nil
}

type tableTopics struct {
	goka.TopicManager
	i *instance
}

// GetOffset implements goka.TopicManager. goka asks for the oldest and for the newest offset, and
// restores what lies between the store's and the newest.
func (t *tableTopics) GetOffset(topic string, partition int32, at int64) (int64, error) {
	if topic != t.i.p.Table() {
		return t.TopicManager.GetOffset(topic, partition, at)
	}
	p := t.i.part(partition)
	if p == nil {
		return 0, fmt.Errorf("table of partition %d is not open", partition)
	}
	next, err := p.store.GetOffset(-1)
	return next + 1, err
}

// handle is goka's callback for every input.
func (i *instance) handle(ctx goka.Context, _ any) {
	p := i.part(ctx.Partition())
	if p == nil {
		i.fail(fmt.Errorf("partition %d is not ours", ctx.Partition()))
		return
	}
	if err := p.fold(ctx); err != nil {
		i.fail(err)
	}
}

// messageOf is goka's message as the engine's.
func messageOf(ctx goka.Context, value any) *Message {
	m := &Message{Topic: string(ctx.Topic()), Partition: ctx.Partition(), Offset: ctx.Offset(),
		Key: ctx.Key(), HasKey: ctx.Key() != "", Timestamp: ctx.Timestamp().UnixMilli()}
	if value != nil {
		m.Value = value.([]byte)
	}
	for name, v := range ctx.Headers() {
		m.Headers = append(m.Headers, Header{Key: name, Value: v})
	}
	sortHeaders(m.Headers) // goka gives them in no order
	m.Arrival = ArrivalOf(m.Headers, m.Timestamp)
	return m
}

// tellLag makes metrics of how far the partitions are behind.
func (i *instance) tellLag() {
	if i.c.Metrics == nil {
		return
	}
	now := time.Now().UnixMilli()
	i.mu.Lock()
	defer i.mu.Unlock()
	for id, p := range i.parts {
		for _, topic := range i.p.topics() {
			offsets, oldest := p.read.lag(topic)
			seconds := 0.0
			if offsets > 0 && oldest > 0 {
				seconds = max(float64(now-oldest)/1000, 0)
			}
			i.c.Metrics.lag(i.p.Group, topic, strconv.Itoa(int(id)), offsets, seconds)
		}
	}
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
