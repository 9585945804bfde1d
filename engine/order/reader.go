package order

import (
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine/task"
)

// Bounds of what is fetched and not yet folded.
const (
	// idleMax is how long the reader waits for a topic that is behind and whose records do not
	// come.
	idleMax = 5 * time.Second
	// topicBytesMax is what a topic of a partition may hold while the reader waits for others.
	// Beyond it the topic is not fetched until half of that is taken.
	topicBytesMax = 8 << 20
	// recordOverhead is what a record costs in memory beside its bytes.
	recordOverhead = 256
	// BatchMax is how many records Take returns at most.
	BatchMax = 64
)

// Entry is a record that was fetched, with its arrival time in ms.
type Entry struct {
	Record  *kgo.Record
	Arrival int64
}

// Weight is what a record takes in memory, in bytes, by estimate.
func Weight(r *kgo.Record) int { return len(r.Key) + len(r.Value) + recordOverhead }

// queue is one topic of a partition.
type queue struct {
	topic     string
	entries   []Entry
	first     int // of entries; those before it were taken
	bytes     int
	next      int64 // offset after the last one fetched, control records included
	end       int64 // the largest known end of the topic
	ignoredTo int64 // the reader gave up waiting for offsets below this one
	skip      int64 // records before this offset are in the table already
	paused    bool
	last      int64 // timestamp of the last record that was taken, ms
	taken     int64 // how many records were taken
}

func (q *queue) empty() bool { return q.first == len(q.entries) }

// behind reports whether there are records that were not fetched yet.
func (q *queue) behind() bool { return q.next < q.end && q.ignoredTo < q.end }

// Reader reads the topics of one partition as a single one. Of the records that are next in each
// topic it takes the one with the smallest arrival time; equal times go by the order of the topics.
// It waits for a topic that has records which were not fetched yet. So the order is the same
// whether records are read live, after a pause or from the beginning.
//
// If a wait takes longer than idleMax, the order may differ. That changes what timers see, but not
// the rows: those do not depend on the order.
//
// Its methods may be called concurrently.
type Reader struct {
	// GaveUp is called when the reader stops waiting for a topic; nil for no call. It must be set
	// before the first Take.
	GaveUp func(topic string)

	mu      sync.Mutex
	queues  []*queue  // in the order of the topics
	waiting time.Time // since when a topic that is behind is waited for; zero for no wait
	woken   chan struct{}
}

// NewReader makes a reader of topics.
func NewReader(topics []string) *Reader {
	r := &Reader{woken: make(chan struct{}, 1)}
	for _, topic := range topics {
		r.queues = append(r.queues, &queue{topic: topic})
	}
	return r
}

func (r *Reader) queue(topic string) *queue {
	for _, q := range r.queues {
		if q.topic == topic {
			return q
		}
	}
	return nil
}

// Start sets the offset from which a topic is read, and the end of the topic.
func (r *Reader) Start(topic string, next, end int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if q := r.queue(topic); q != nil {
		q.next, q.end, q.skip = next, end, next
	}
}

// Feed adds what was fetched, control records included: their offsets show how far the topic was
// read. end is the end of the topic at the fetch. It returns how many bytes the reader keeps, and
// whether the topic now holds so many that the caller must not fetch it until Take resumes it.
func (r *Reader) Feed(topic string, records []*kgo.Record, end int64) (bytes int64, full bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := r.queue(topic)
	if q == nil {
		return 0, false
	}
	was := q.bytes
	if q.first > 0 {
		q.entries = append(q.entries[:0], q.entries[q.first:]...)
		q.first = 0
	}
	for _, record := range records {
		q.next = max(q.next, record.Offset+1)
		if record.Attrs.IsControl() || record.Offset < q.skip {
			continue
		}
		q.entries = append(q.entries, Entry{record, ArrivalOf(record)})
		q.bytes += Weight(record)
		q.ignoredTo = 0 // records do come: the reader waits for the topic from now on
	}
	q.end = max(q.end, end, q.next)
	r.Wake()
	if full = !q.paused && q.bytes > topicBytesMax; full {
		q.paused = true
	}
	return int64(q.bytes - was), full
}

// Wake makes Woken ready, as Feed does.
func (r *Reader) Wake() {
	select {
	case r.woken <- struct{}{}:
	default:
	}
}

// Woken receives a value after Feed or Wake was called, one for any number of calls.
func (r *Reader) Woken() <-chan struct{} { return r.woken }

// Paused reports whether a topic must not be fetched.
func (r *Reader) Paused(topic string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := r.queue(topic)
	return q != nil && q.paused
}

// Drop discards what was not taken and returns its size in bytes. The reader keeps nothing that is
// fed later.
func (r *Reader) Drop() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	bytes := 0
	for _, q := range r.queues {
		bytes += q.bytes
		q.entries, q.first, q.bytes = nil, 0, 0
	}
	r.queues = nil
	return int64(bytes)
}

// Take appends the next records to batch, until it has BatchMax. If it stops early because it waits
// for a topic, wait is how long that may take; wait is zero if there are no records. resume names
// the topics that may be fetched again.
func (r *Reader) Take(batch []Entry, now time.Time) (got []Entry, wait time.Duration,
	resume []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(batch) < BatchMax {
		q, behind := r.first()
		if q == nil {
			break
		}
		if behind && !r.waitIsOver(now) {
			wait = max(idleMax-now.Sub(r.waiting), time.Millisecond)
			break
		}
		if !behind {
			r.waiting = time.Time{}
		}
		e := q.entries[q.first]
		q.last = e.Record.Timestamp.UnixMilli()
		q.entries[q.first] = Entry{}
		q.first++
		q.taken++
		q.bytes -= Weight(e.Record)
		if q.paused && q.bytes < topicBytesMax/2 {
			q.paused = false
			resume = append(resume, q.topic)
		}
		batch = append(batch, e)
	}
	return batch, wait, resume
}

// first is the topic whose record is next, and whether the reader must wait for another one that is
// behind first.
func (r *Reader) first() (first *queue, behind bool) {
	for _, q := range r.queues {
		switch {
		case q.empty():
			behind = behind || q.behind()
		case first == nil || q.entries[q.first].Arrival < first.entries[first.first].Arrival:
			first = q
		}
	}
	return first, behind && len(r.queues) > 1
}

// waitIsOver notes when a wait begins. After idleMax it ends the wait: the reader then ignores the
// offsets that the silent topics have left, until they have records.
func (r *Reader) waitIsOver(now time.Time) bool {
	if r.waiting.IsZero() {
		r.waiting = now
	}
	if now.Sub(r.waiting) < idleMax {
		return false
	}
	r.waiting = time.Time{}
	for _, q := range r.queues {
		if q.empty() && q.behind() {
			q.ignoredTo = q.end
			if r.GaveUp != nil {
				r.GaveUp(q.topic)
			}
		}
	}
	return true
}

// Lag is how many offsets of a topic are not taken yet, and the timestamp in ms of the first of
// them. If that one is not fetched, it is the timestamp of the record before it; zero if neither is
// known.
func (r *Reader) Lag(topic string) (offsets, oldest int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := r.queue(topic)
	if q == nil {
		return 0, 0
	}
	offsets = max(q.end-q.next, 0) + int64(len(q.entries)-q.first)
	if !q.empty() {
		return offsets, q.entries[q.first].Record.Timestamp.UnixMilli()
	}
	return offsets, q.last // a record that is not fetched yet is no older, as a rule
}

// ArrivalOf is the arrival time of a record, in ms.
func ArrivalOf(r *kgo.Record) int64 {
	timestamp := r.Timestamp.UnixMilli()
	for i := len(r.Headers) - 1; i >= 0; i-- {
		if r.Headers[i].Key == task.HeaderArrival {
			if t, ok := task.ParseArrival(r.Headers[i].Value, timestamp); ok {
				return t
			}
		}
	}
	return timestamp
}
