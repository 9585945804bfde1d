package engine

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"

	"chargestream/engine/order"
	"chargestream/engine/store"
	"chargestream/engine/task"
)

// Bounds of a commit interval.
const (
	// intervalBytesMax is what a partition may hold of a commit interval, rows and outputs, before
	// the interval is cut early. At twice as much the partition waits for the previous commit.
	intervalBytesMax = 16 << 20
	// turnMax is how many batches are folded in one call of goka.
	turnMax = 64
)

// ownedPartition is a partition from its assignment to its revocation: store, task and fetched
// records. It outlives the rounds, so a rebalance rebuilds nothing but the partitions that move.
// Kafka Streams splits it into StreamTask, PartitionGroup and ProcessorStateManager.
type ownedPartition struct {
	id          int32
	i           *instance
	read        *order.Reader
	restored    chan struct{} // closed when store, task and progress are there, or will not be
	finished    atomic.Bool   // restored is closed
	revoked     atomic.Bool   // revoked while it is restored
	store       *store.Store
	task        *task.Task
	oldRows     oldRows          // rows of another layout, to be deleted before anything is folded
	emptying    atomic.Bool      // the last of oldRows is not deleted yet
	progress    map[string]int64 // next input offsets by topic, as the table records them
	hasProgress bool             // the table has a progress record

	batch    []order.Entry
	rest     []order.Entry // of batch: what is not folded yet
	message  Message
	starving bool
	timer    *time.Timer
	ctx      goka.Context // of the running call of goka

	// Of the running commit interval; guarded by the instance's foldMu.
	next   map[string]int64
	oldest int64 // smallest timestamp of what was folded, ms; zero for nothing
	// unfinished: timers have fired before a record that is not folded yet.
	unfinished bool
	done       int64 // records folded since the assignment
	// committed is how many of them are committed.
	committed atomic.Int64

	lastRecord atomic.Int64 // wall clock, ms; to find idle partitions
	lastClock  time.Time
	consumed   func(topic string)
	folded     func(records int, took time.Duration)
	latency    func(time.Duration)
}

func (i *instance) newPartition(id int32) *ownedPartition {
	p := &ownedPartition{id: id, i: i, read: order.NewReader(i.p.Topics()),
		restored: make(chan struct{}), next: map[string]int64{}, lastClock: time.Now()}
	p.read.GaveUp = i.c.Metrics.gaveUp
	p.lastRecord.Store(time.Now().UnixMilli())
	p.consumed, p.folded, p.latency = i.c.Metrics.partition(i.p)
	return p
}

// finish marks the restore of the partition as over, however it ended.
func (p *ownedPartition) finish() {
	if !p.finished.Swap(true) {
		close(p.restored)
	}
}

// begin makes the task of a partition whose tables are restored, and indexes the timers. If the
// tables have another layout it empties them.
func (p *ownedPartition) begin(s *store.Store) error {
	p.store = s
	text, err := s.Get(0, progressKey)
	if err != nil {
		return err
	}
	layout := 0
	p.hasProgress = text != nil
	if layout, p.progress, err = parseProgress(text); err != nil {
		return err
	}
	if p.hasProgress && layout != p.i.p.Layout {
		if err := p.empty(layout); err != nil {
			return err
		}
	}
	p.task = task.New(p.i.p, p.id, p.i.partitions, &liveBackend{p},
		p.i.c.Metrics.task(p.i.p.Group, p.id))
	for table := range p.i.p.Tables {
		err := p.store.Each(table, func(key string, row []byte) error {
			return p.task.Index(table, key, row)
		})
		if err != nil {
			return fmt.Errorf("index timers: %w", err)
		}
	}
	return nil
}

// calls sends goka one message for each time that there is something to fold. So the cost of a
// message in goka, several channels and a context, is paid once for many records.
func (p *ownedPartition) calls(ctx context.Context, out chan<- *sarama.ConsumerMessage) {
	call := &sarama.ConsumerMessage{Topic: p.i.p.Inputs[0], Partition: p.id, Value: []byte{}}
	p.read.Wake()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.read.Woken():
		}
		select {
		case <-ctx.Done():
			return
		case out <- call:
		}
	}
}

// fold folds what there is, in its order, up to turnMax batches, and asks to be called again for
// more.
func (p *ownedPartition) fold(ctx goka.Context) error {
	p.ctx = ctx
	if p.isEmptied() {
		p.i.hurry()
		return nil
	}
	for range turnMax {
		if p.i.pausing.Load() {
			return nil
		}
		if len(p.rest) == 0 && !p.take() {
			return nil
		}
		heavy, err := p.foldBatch()
		if err != nil {
			return err
		}
		p.slow(heavy)
	}
	p.read.Wake()
	return nil
}

// take takes the next batch; false if there is none now.
func (p *ownedPartition) take() bool {
	clear(p.batch)
	batch, wait, resume := p.read.Take(p.batch[:0], time.Now())
	p.batch, p.rest = batch, batch
	if len(resume) > 0 {
		p.i.resumeFetch(resume, p.id)
	}
	p.starve(wait > 0)
	if len(batch) == 0 && wait > 0 {
		p.wakeAfter(wait)
	}
	return len(batch) > 0
}

// wakeAfter has the partition called when the wait for a topic is over.
func (p *ownedPartition) wakeAfter(wait time.Duration) {
	if p.timer == nil {
		p.timer = time.AfterFunc(wait, p.read.Wake)
		return
	}
	p.timer.Reset(wait)
}

// starve records for the poller whether this partition waits for a topic that is behind.
func (p *ownedPartition) starve(now bool) {
	if p.starving == now {
		return
	}
	p.starving = now
	if now {
		p.i.starving.Add(1)
		p.i.makeRoom(0)
	} else {
		p.i.starving.Add(-1)
	}
}

// slow asks for an early commit when the commit interval has become large. When it is twice as
// large, slow waits for the cut, which the commit of the previous interval delays.
func (p *ownedPartition) slow(bytes int) {
	if bytes <= intervalBytesMax {
		return
	}
	p.i.mu.Lock()
	cut := p.i.wasCut
	p.i.mu.Unlock()
	p.i.hurry()
	if bytes <= 2*intervalBytesMax {
		return
	}
	p.i.c.Metrics.slowed(p.i.p.Group)
	select {
	case <-cut:
	case <-p.ctx.Context().Done():
	}
}

func weightOf(batch []order.Entry) int64 {
	sum := 0
	for _, e := range batch {
		sum += order.Weight(e.Record)
	}
	return int64(sum)
}

// foldBatch folds the rest of the batch within one commit interval, and returns how many bytes the
// interval has now. It stops before a record for which more timers are due than a commit can hold.
//
// An error is noted before foldMu is released: a record that is folded by half must not be
// committed.
func (p *ownedPartition) foldBatch() (_ int, err error) {
	p.i.foldMu.RLock()
	defer p.i.foldMu.RUnlock()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic in a fold: %v\n%s", r, debug.Stack())
		}
		if err != nil {
			p.i.note(err)
		}
	}()
	began, folded, done := time.Now(), 0, true
	if at := p.rest[0].Record.Timestamp.UnixMilli(); p.oldest == 0 || at < p.oldest {
		p.oldest = at
	}
	for n := 0; n < len(p.rest) && done; n++ {
		r := p.rest[n].Record
		p.fill(&p.rest[n])
		if done, err = p.task.Process(&p.message); err != nil {
			return 0, err
		}
		if done {
			folded++
			p.next[r.Topic] = r.Offset + 1
			p.consumed(r.Topic)
		}
	}
	if folded > 0 {
		p.done += int64(folded)
		p.folded(folded, time.Since(began))
		p.latency(began.Sub(p.rest[folded-1].Record.Timestamp))
		p.i.makeRoom(weightOf(p.rest[:folded]))
		p.rest = p.rest[folded:]
	}
	p.lastRecord.Store(began.UnixMilli())
	if !done {
		p.unfinished = true
		return 2*intervalBytesMax + 1, nil // the next commit is waited for
	}
	return p.task.Weight(), nil
}

// fill makes the message of a record.
func (p *ownedPartition) fill(e *order.Entry) {
	r, m := e.Record, &p.message
	m.Topic, m.Partition, m.Offset = r.Topic, r.Partition, r.Offset
	m.Key, m.HasKey, m.Value = string(r.Key), len(r.Key) > 0, r.Value
	m.Arrival, m.Timestamp = e.Arrival, r.Timestamp.UnixMilli()
	m.Headers = m.Headers[:0]
	for _, h := range r.Headers {
		m.Headers = append(m.Headers, Header{Key: h.Key, Value: h.Value})
	}
	if len(m.Headers) > 1 {
		sortHeaders(m.Headers)
	}
}

// sortHeaders sorts headers by name; those of one name keep their order.
func sortHeaders(headers []Header) {
	slices.SortStableFunc(headers, func(a, b Header) int { return strings.Compare(a.Key, b.Key) })
}

// liveBackend is the backend of a task that runs on Kafka.
type liveBackend struct{ p *ownedPartition }

// Get implements task.Backend.
func (b *liveBackend) Get(
	table int,
	key string,
) ([]byte, error) {
	return b.p.store.Get(table, key)
}

// Lookup implements task.Backend.
func (b *liveBackend) Lookup(topic, key string) ([]byte, error) {
	raw, ok := b.p.ctx.Lookup(goka.Table(topic), key).([]byte)
	if err := b.p.i.gokaCtx.Err(); !ok && err != nil {
		return nil, fmt.Errorf("look up %s: %w", topic, err) // the table was closed
	}
	if !ok {
		return nil, nil
	}
	return raw, nil
}
