package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"chargestream/engine/store"
)

// Bounds of an instance.
const (
	// producerRecordsMax bounds the records that are under way to the broker.
	producerRecordsMax = 50_000
	producerLinger     = 5 * time.Millisecond
	// metadataMinAge is how soon a client fetches metadata again when a leader has moved. The
	// client's default of five seconds would stop all work for as long.
	metadataMinAge = 50 * time.Millisecond
	// closeMax is how long the end of an attempt may take to commit or abort what it left open.
	closeMax = 3 * time.Second
	// channelSize bounds goka's channel of a partition: it holds calls, not records.
	channelSize = 1
	// queueBytesMax bounds what is fetched and not yet folded, of all partitions.
	queueBytesMax = 32 << 20
)

// errExpelled ends an attempt whose member is not in the group any more: its uncommitted work is
// dropped.
var errExpelled = fmt.Errorf("this member was expelled from the group: %w", kerr.UnknownMemberID)

// instance is one attempt to run a processor. It lives until an error ends it, and Run makes the
// next one. Between two cuts records are folded, rows change in the stores' memory and outputs are
// kept. A commit then sends all of that and commits it at once, while the next commit interval
// runs.
//
// Lock order: commitMu, foldMu, mu.
type instance struct {
	p *Processor
	c Config
	// partitions is how many each input has.
	partitions int32
	producer   *kgo.Client
	group      *kgo.Client
	pool       *pool

	// commitMu is held during a commit.
	commitMu sync.Mutex
	// foldMu is the commit barrier: a fold of a batch holds it for reading, cut for writing.
	foldMu     sync.RWMutex
	mu         sync.Mutex
	activeByID map[int32]*ownedPartition // partitions that are restored and read
	clocks     []*kgo.Record             // to be sent with the next commit
	wasCut     chan struct{}             // closed at the next cut

	hurried      chan struct{} // a commit interval has become large
	pausing      atomic.Bool   // the round ends: folds return
	queued       atomic.Int64  // bytes that are fetched and not yet folded
	starving     atomic.Int64  // partitions that wait for a topic that is behind
	room         chan struct{} // something was folded
	memberID     atomic.Pointer[string]
	layoutLogged sync.Once // that tables of another layout are emptied
	expelled     atomic.Bool
	stateMu      sync.Mutex // guards state; held while it is reported, for the order
	state        State
	// membership is the last place in the group, when the attempt has ended.
	membership membership
	lookups    sync.WaitGroup                    // lookup tables that goka has open
	closed     bool                              // no more of them are opened; guarded by mu
	copies     map[string]map[int32]*store.Store // the same by topic and partition; guarded by mu
	failure    atomic.Pointer[error]             // the first error
	fatal      context.CancelCauseFunc

	runCtx  context.Context // ends when the instance is to stop
	endGoka func()          // ends goka
	gokaCtx context.Context // goka's, that its lookup tables end with
	began   atomic.Bool     // goka consumes

	// For Watch: what was done in the attempt, and the table that is waited for.
	restoredRows, commits atomic.Int64
	awaited               atomic.Pointer[string]
}

func newInstance(p *Processor, c Config, partitions int32) *instance {
	i := &instance{p: p, c: c, partitions: partitions, activeByID: map[int32]*ownedPartition{},
		hurried: make(chan struct{}, 1), room: make(chan struct{}, 1),
		wasCut: make(chan struct{}), fatal: func(error) {},
		copies: map[string]map[int32]*store.Store{}}
	i.pool = &pool{i: i, copies: map[int32]*localCopy{}}
	return i
}

func (i *instance) transactionalID() string { return i.p.Group + "-" + i.c.Instance }

// note records the first error of the attempt. Nothing is committed after it.
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

// setState changes the state and reports it.
func (i *instance) setState(change func(s *State)) {
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

// reportActive reports how many partitions are restored and read, without those whose rows of
// another layout are still to be deleted.
func (i *instance) reportActive() {
	i.setState(func(s *State) {
		s.Active = 0 // counted here: of two reports at once the later one has the later count
		for _, p := range i.active() {
			if !p.emptying.Load() {
				s.Active++
			}
		}
	})
}

// hurry asks for a commit now.
func (i *instance) hurry() {
	select {
	case i.hurried <- struct{}{}:
	default:
	}
}

// makeRoom lets the poller continue: bytes were folded, or a partition needs more records.
func (i *instance) makeRoom(bytes int64) {
	i.queued.Add(-bytes)
	select {
	case i.room <- struct{}{}:
	default:
	}
}

// openProducer makes the one producer of the instance. With transactions it is initialised at once:
// that fences a former process of this instance and ends its open transaction, before the group is
// joined.
func (i *instance) openProducer(ctx context.Context) error {
	options := []kgo.Opt{kgo.SeedBrokers(i.c.Brokers...), kgo.ClientID(i.transactionalID()),
		kgo.RecordPartitioner(
			Partitioner(i.p.TableTopics()...),
		), kgo.RequiredAcks(kgo.AllISRAcks()),
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

// closeProducer closes the producer. It aborts an open transaction, behind which readers would
// otherwise wait until its timeout. The result of the abort distinguishes a transaction that timed
// out from a producer that was fenced.
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

func (i *instance) activePartition(partition int32) *ownedPartition {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.activeByID[partition]
}

// active are the partitions that are restored and read.
func (i *instance) active() []*ownedPartition {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Collect(maps.Values(i.activeByID))
}

// reportLag sets the metrics of how far the partitions are behind.
func (i *instance) reportLag() {
	if i.c.Metrics == nil {
		return
	}
	now := time.Now().UnixMilli()
	i.mu.Lock()
	defer i.mu.Unlock()
	for id, p := range i.activeByID {
		for _, topic := range i.p.Topics() {
			offsets, oldest := p.read.Lag(topic)
			seconds := 0.0
			if offsets > 0 && oldest > 0 {
				seconds = max(float64(now-oldest)/1000, 0)
			}
			i.c.Metrics.lag(i.p.Group, topic, strconv.Itoa(int(id)), offsets, seconds)
		}
	}
}
