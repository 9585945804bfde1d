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
	"github.com/twmb/franz-go/pkg/kgo"
)

// Bounds of a unit of work.
const (
	// unitBytesMax is what a partition may hold of a unit of work, rows and outputs, until the unit
	// is cut before its time. At twice as much the partition waits for the unit before.
	unitBytesMax = 16 << 20
	// turnMax is how many batches are folded in one call of goka.
	turnMax = 64
)

// part is a partition that this instance owns, from its assignment to its revocation. It outlives
// goka's sessions, so that a rebalance rebuilds nothing but what moved.
type part struct {
	id       int32
	i        *instance
	read     *reader
	restored chan struct{} // closed when store, task and progress are there, or will not be
	finished atomic.Bool   // restored is closed
	gone     atomic.Bool   // it is given up while it is restored
	store    *store
	task     *task
	progress map[string]int64 // next input offsets by topic that the table tells of
	known    bool             // the table has such a record

	batch    []entry
	message  Message
	starving bool
	timer    *time.Timer
	ctx      goka.Context // of the call of goka that runs

	// Of the running unit of work; guarded by the instance's gate.
	next   map[string]int64
	out    []*kgo.Record
	weight int
	oldest int64 // smallest timestamp of what was folded, ms; zero for nothing

	lastRecord atomic.Int64 // wall clock, ms; to find idle partitions
	lastClock  time.Time
	consumed   func(topic string)
	folded     func(records int, took time.Duration)
	latency    func(time.Duration)
}

func (i *instance) newPart(id int32) *part {
	p := &part{id: id, i: i, read: newReader(i.p.topics()), restored: make(chan struct{}),
		next: map[string]int64{}, lastClock: time.Now()}
	p.read.gaveUp = i.c.Metrics.gaveUp
	p.lastRecord.Store(time.Now().UnixMilli())
	p.consumed, p.folded, p.latency = i.c.Metrics.part(i.p)
	return p
}

// finish tells that the restore of the partition is over, however it ended.
func (p *part) finish() {
	if !p.finished.Swap(true) {
		close(p.restored)
	}
}

// begin makes the task of a partition whose table is restored: the timers are indexed here, where
// nobody waits for them but this partition.
func (p *part) begin(s *store) error {
	p.store = s
	p.task = newTask(p.i.p, p.id, p.i.partitions, &liveBackend{p})
	p.task.metrics = p.i.c.Metrics.task(p.i.p.Group, p.id)
	if p.i.p.Due != nil {
		if err := s.each(p.task.load); err != nil {
			return fmt.Errorf("index timers: %w", err)
		}
	}
	text, err := s.get(progressKey)
	if err != nil {
		return err
	}
	p.known = text != nil
	p.progress, err = parseProgress(text)
	return err
}

func (p *part) signal() {
	select {
	case p.read.fed <- struct{}{}:
	default:
	}
}

// calls gives goka one message for each time that there is something to fold. goka's way of a
// message, several channels and a context, is gone once for many records.
func (p *part) calls(ctx context.Context, out chan<- *sarama.ConsumerMessage) {
	call := &sarama.ConsumerMessage{Topic: p.i.p.Inputs[0], Partition: p.id, Value: []byte{}}
	p.signal()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.read.fed:
		}
		select {
		case <-ctx.Done():
			return
		case out <- call:
		}
	}
}

// fold takes its turn: it folds what there is, in its order, and comes back for more.
func (p *part) fold(ctx goka.Context) error {
	p.ctx = ctx
	for range turnMax {
		if p.i.pausing.Load() {
			return nil
		}
		batch, wait, resume := p.read.take(p.batch[:0], time.Now())
		p.batch = batch
		if len(resume) > 0 {
			p.i.resumeFetch(resume, p.id)
		}
		p.starve(wait > 0)
		if len(batch) == 0 {
			if wait > 0 {
				p.later(wait)
			}
			return nil
		}
		bytes := weightOf(batch)
		heavy, err := p.foldBatch()
		if err != nil {
			return err
		}
		p.i.makeRoom(bytes)
		clear(batch)
		p.slow(heavy)
	}
	p.signal()
	return nil
}

// later has the part called again when a topic was waited for long enough.
func (p *part) later(wait time.Duration) {
	if p.timer == nil {
		p.timer = time.AfterFunc(wait, p.signal)
		return
	}
	p.timer.Reset(wait)
}

// starve tells the poller whether this partition waits for a topic that is behind.
func (p *part) starve(now bool) {
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

// slow has a unit of work that has become large cut, and waits for that when it is much too large:
// it is what the commit of the one before lets pile up.
func (p *part) slow(bytes int) {
	if bytes <= unitBytesMax {
		return
	}
	p.i.mu.Lock()
	cut := p.i.wasCut
	p.i.mu.Unlock()
	p.i.hurry()
	if bytes <= 2*unitBytesMax {
		return
	}
	p.i.c.Metrics.slowed(p.i.p.Group)
	select {
	case <-cut:
	case <-p.ctx.Context().Done():
	}
}

func weightOf(batch []entry) int64 {
	sum := 0
	for _, e := range batch {
		sum += weight(e.record)
	}
	return int64(sum)
}

// foldBatch folds a batch within one unit of work, and tells how many bytes that has now.
//
// What ends it is noted before the gate is opened: the half of a record that was done must not be
// committed.
func (p *part) foldBatch() (_ int, err error) {
	p.i.gate.RLock()
	defer p.i.gate.RUnlock()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic in a fold: %v\n%s", r, debug.Stack())
		}
		if err != nil {
			p.i.note(err)
		}
	}()
	began := time.Now()
	for n := range p.batch {
		r := p.batch[n].record
		p.fill(&p.batch[n])
		if err = p.task.process(&p.message); err != nil {
			return 0, err
		}
		p.next[r.Topic] = r.Offset + 1
		p.consumed(r.Topic)
	}
	last := p.batch[len(p.batch)-1].record
	if at := p.batch[0].record.Timestamp.UnixMilli(); p.oldest == 0 || at < p.oldest {
		p.oldest = at
	}
	p.folded(len(p.batch), time.Since(began))
	p.latency(began.Sub(last.Timestamp))
	p.lastRecord.Store(began.UnixMilli())
	return p.weight + p.store.dirtyBytes(), nil
}

// fill makes the message of a record.
func (p *part) fill(e *entry) {
	r, m := e.record, &p.message
	m.Topic, m.Partition, m.Offset = r.Topic, r.Partition, r.Offset
	m.Key, m.HasKey, m.Value = string(r.Key), len(r.Key) > 0, r.Value
	m.Arrival, m.Timestamp = e.arrival, r.Timestamp.UnixMilli()
	m.Headers = nil
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

// liveBackend is the world of a task that runs on Kafka.
type liveBackend struct{ p *part }

func (b *liveBackend) get(key string) ([]byte, error) { return b.p.store.get(key) }

func (b *liveBackend) set(key string, row []byte) { b.p.store.set(key, row) }

// emit keeps a record until the unit of work is committed, when all of them are sent.
func (b *liveBackend) emit(r *outRecord) {
	record := &kgo.Record{Topic: r.topic, Value: r.value}
	if r.hasKey {
		record.Key = []byte(r.key)
	}
	record.Headers = make([]kgo.RecordHeader, len(r.headers))
	for n, h := range r.headers {
		record.Headers[n] = kgo.RecordHeader{Key: h.Key, Value: h.Value}
	}
	b.p.out = append(b.p.out, record)
	b.p.weight += weight(record)
}

func (b *liveBackend) lookup(topic, key string) ([]byte, error) {
	raw, ok := b.p.ctx.Lookup(goka.Table(topic), key).([]byte)
	if err := b.p.i.given.Err(); !ok && err != nil {
		return nil, fmt.Errorf("look up %s: %w", topic, err) // tables that have ended give nothing
	}
	if !ok {
		return nil, nil
	}
	return raw, nil
}
