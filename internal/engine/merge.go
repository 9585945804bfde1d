package engine

import (
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Bounds of what is fetched and not yet folded.
const (
	// idleMax bounds how long a topic that is behind, and whose records do not come, is waited for
	// (Kafka Streams calls it max.task.idle.ms).
	idleMax = 5 * time.Second
	// sourceBytesMax is what a topic of a partition may hold while others of it are waited for;
	// beyond it the topic is fetched no more until half of that is folded.
	sourceBytesMax = 8 << 20
	// recordOverhead is what a record costs in memory beside its bytes.
	recordOverhead = 256
	// batchMax is how many records are folded between two moments at which a unit of work can end.
	batchMax = 64
)

// entry is a record that was fetched, with its arrival time in ms.
type entry struct {
	record  *kgo.Record
	arrival int64
}

// source is one topic of a partition.
type source struct {
	topic  string
	queue  []entry
	first  int // of queue; what is before it was taken
	bytes  int
	next   int64 // offset after the last one fetched, control records included
	end    int64 // where the topic ended when last heard of
	gone   int64 // end up to which it is waited for no more
	skip   int64 // records before this offset are in the table already
	paused bool
	last   int64 // timestamp of the last record that was taken, ms
}

func (s *source) empty() bool { return s.first == len(s.queue) }

// behind tells whether there are records that were not fetched yet.
func (s *source) behind() bool { return s.next < s.end && s.gone < s.end }

// reader reads the topics of one partition as a single one: of the records that come next in each
// the one with the smallest arrival time goes first, and a topic that has records which were not
// fetched yet is waited for. So records meet in the order in which they arrived, whether they are
// read live, after a pause or from the beginning.
//
// The order in which topics are read ahead of each other decides what timers see, not what is in
// the rows: those do not depend on it.
type reader struct {
	mu      sync.Mutex
	sources []*source // in the order of the processor's inputs
	waiting time.Time // since when a topic that is behind is waited for; zero for none
	fed     chan struct{}
	gaveUp  func(topic string) // told when idleMax is hit; nil for nobody
}

func newReader(topics []string) *reader {
	r := &reader{fed: make(chan struct{}, 1)}
	for _, topic := range topics {
		r.sources = append(r.sources, &source{topic: topic})
	}
	return r
}

func (r *reader) source(topic string) *source {
	for _, s := range r.sources {
		if s.topic == topic {
			return s
		}
	}
	return nil
}

// start tells where a topic is read from and where it ends.
func (r *reader) start(topic string, next, end int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.source(topic); s != nil {
		s.next, s.end, s.skip = next, end, next
	}
}

// feed takes what was fetched, control records included: they tell how far a topic was read. It
// tells how many bytes it keeps, and whether the topic has so much now that it must not be fetched
// any more.
func (r *reader) feed(topic string, records []*kgo.Record, end int64) (bytes int64, full bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.source(topic)
	if s == nil {
		return 0, false
	}
	was := s.bytes
	if s.first > 0 {
		s.queue = append(s.queue[:0], s.queue[s.first:]...)
		s.first = 0
	}
	for _, record := range records {
		s.next = max(s.next, record.Offset+1)
		if record.Attrs.IsControl() || record.Offset < s.skip {
			continue
		}
		s.queue = append(s.queue, entry{record, arrivalOf(record)})
		s.bytes += weight(record)
		s.gone = 0 // it had records after all, and is worth waiting for again
	}
	s.end = max(s.end, end, s.next)
	select {
	case r.fed <- struct{}{}:
	default:
	}
	if full = !s.paused && s.bytes > sourceBytesMax; full {
		s.paused = true
	}
	return int64(s.bytes - was), full
}

func (r *reader) isPaused(topic string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.source(topic)
	return s != nil && s.paused
}

// drop forgets what is not taken, and tells how many bytes that were.
func (r *reader) drop() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	bytes := 0
	for _, s := range r.sources {
		bytes += s.bytes
		s.queue, s.first, s.bytes = nil, 0, 0
	}
	r.sources = nil
	return int64(bytes)
}

func weight(r *kgo.Record) int { return len(r.Key) + len(r.Value) + recordOverhead }

// take appends records in their order to batch, up to batchMax. It gives none, and how long that
// may last, while a topic is waited for; zero if nothing is there. resume names the topics that
// may be fetched again.
func (r *reader) take(batch []entry, now time.Time) (got []entry, wait time.Duration,
	resume []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(batch) < batchMax {
		first, behind := r.first()
		if first == nil {
			break
		}
		if behind && !r.patienceIsOver(now) {
			wait = max(idleMax-now.Sub(r.waiting), time.Millisecond)
			break
		}
		if !behind {
			r.waiting = time.Time{}
		}
		e := first.queue[first.first]
		first.last = e.record.Timestamp.UnixMilli()
		first.queue[first.first] = entry{}
		first.first++
		first.bytes -= weight(e.record)
		if first.paused && first.bytes < sourceBytesMax/2 {
			first.paused = false
			resume = append(resume, first.topic)
		}
		batch = append(batch, e)
	}
	return batch, wait, resume
}

// first is the topic whose record comes next, and whether another one that is behind must be
// waited for before.
func (r *reader) first() (first *source, behind bool) {
	for _, s := range r.sources {
		switch {
		case s.empty():
			behind = behind || s.behind()
		case first == nil || s.queue[s.first].arrival < first.queue[first.first].arrival:
			first = s
		}
	}
	return first, behind && len(r.sources) > 1
}

// patienceIsOver notes when waiting begins, and stops it for the topics that keep silent for
// idleMax: what they have left is taken to be no records.
func (r *reader) patienceIsOver(now time.Time) bool {
	if r.waiting.IsZero() {
		r.waiting = now
	}
	if now.Sub(r.waiting) < idleMax {
		return false
	}
	r.waiting = time.Time{}
	for _, s := range r.sources {
		if s.empty() && s.behind() {
			s.gone = s.end
			if r.gaveUp != nil {
				r.gaveUp(s.topic)
			}
		}
	}
	return true
}

// lag tells how many offsets of a topic are not taken yet, and the timestamp in ms of the first of
// them, or of the record before it where that is not fetched; zero where neither is known.
func (r *reader) lag(topic string) (offsets, oldest int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.source(topic)
	if s == nil {
		return 0, 0
	}
	offsets = max(s.end-s.next, 0) + int64(len(s.queue)-s.first)
	if !s.empty() {
		return offsets, s.queue[s.first].record.Timestamp.UnixMilli()
	}
	return offsets, s.last // what is not fetched yet is no older, as a rule
}

// arrivalOf is the arrival time of a record, in ms.
func arrivalOf(r *kgo.Record) int64 {
	timestamp := r.Timestamp.UnixMilli()
	for i := len(r.Headers) - 1; i >= 0; i-- {
		if r.Headers[i].Key == HeaderArrival {
			if t, ok := parseArrival(r.Headers[i].Value, timestamp); ok {
				return t
			}
		}
	}
	return timestamp
}

// parseArrival reads the header arrival-time of a record with a timestamp in ms.
func parseArrival(value []byte, timestamp int64) (int64, bool) {
	t, err := time.Parse(time.RFC3339Nano, string(value))
	if err != nil || !believable(t.UnixMilli(), timestamp) {
		return 0, false
	}
	return t.UnixMilli(), true
}
