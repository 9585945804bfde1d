package replay

import (
	"cmp"
	"container/heap"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
)

// Bounds of what is read ahead.
const (
	// mergeBytesMax is what a partition of a topic may hold while others are waited for. Beyond it
	// the partition is fetched no more until half of that is taken, so it holds that much and what
	// one fetch brings.
	mergeBytesMax = 1 << 20
	// mergeRecordBytes is what a record costs in memory beside its key and value.
	mergeRecordBytes = 256
)

// merge makes one stream of many partitions of topics: of the records that come next in each, the
// one with the smallest arrival time goes first, of equal ones that of the first topic. A partition
// that has not been read to its end is waited for. So the records of each partition of a processor
// come in the order in which its reader takes them (engine/order) if it has to wait for
// nothing, and the partitions keep in step.
type merge struct {
	sources map[string]map[int32]*mergeSource
	ready   mergeHeap
	waiting int // sources that have nothing, and are not at their end
	limit   int // mergeBytesMax
}

// mergeSource is one partition of a topic.
type mergeSource struct {
	topic     string
	partition int32
	order     int // of the topic
	queue     []engine.Message
	first     int // of queue; what is before it was taken
	bytes     int
	next, end int64 // offset after the last record that was fetched, and where the source ends
	paused    bool
}

func newMerge(limit int) *merge {
	return &merge{sources: map[string]map[int32]*mergeSource{}, limit: limit}
}

// add has the records of a partition merged from offset next up to end, and reports whether there
// can be any. Topics with a smaller order go first at equal arrival times.
func (m *merge) add(topic string, partition int32, order int, next, end int64) bool {
	if next >= end {
		return false
	}
	if m.sources[topic] == nil {
		m.sources[topic] = map[int32]*mergeSource{}
	}
	m.sources[topic][partition] = &mergeSource{topic: topic, partition: partition, order: order,
		next: next, end: end}
	m.waiting++
	return true
}

// feed takes what was fetched of a source, control records included: they show how far it was read.
// It reports whether the source must not be fetched any more, for now or, at its end, for good.
func (m *merge) feed(topic string, partition int32, records []*kgo.Record) (s *mergeSource,
	stop bool) {
	if s = m.sources[topic][partition]; s == nil || s.next >= s.end {
		return s, false
	}
	empty := s.empty()
	if s.first > 0 {
		n := copy(s.queue, s.queue[s.first:])
		clear(s.queue[n:])
		s.queue, s.first = s.queue[:n], 0
	}
	for _, r := range records {
		if r.Offset >= s.next && r.Offset < s.end && !r.Attrs.IsControl() {
			s.queue = append(s.queue, messageOf(r))
			s.bytes += mergeWeight(&s.queue[len(s.queue)-1])
		}
		s.next = max(s.next, r.Offset+1)
	}
	switch ended := s.next >= s.end; {
	case empty && !s.empty():
		m.waiting--
		heap.Push(&m.ready, s)
	case empty && ended:
		m.waiting--
	}
	full := s.bytes > m.limit
	stop = !s.paused && (full || s.next >= s.end)
	s.paused = s.paused || stop
	return s, stop
}

// take is the record that comes next, and its source; nil for none, where one is waited for or
// nothing is left.
func (m *merge) take() (engine.Message, *mergeSource) {
	if m.waiting > 0 || len(m.ready) == 0 {
		return engine.Message{}, nil
	}
	s := m.ready[0]
	message := s.queue[s.first]
	s.queue[s.first] = engine.Message{}
	s.first++
	s.bytes -= mergeWeight(&message)
	switch {
	case !s.empty():
		heap.Fix(&m.ready, 0)
	default:
		heap.Pop(&m.ready)
		if s.next < s.end {
			m.waiting++
		}
	}
	return message, s
}

// mayResume reports whether a source that was full has room again, and is to be fetched.
func (m *merge) mayResume(s *mergeSource) bool {
	again := s.paused && s.next < s.end && s.bytes <= m.limit/2
	s.paused = s.paused && !again
	return again
}

// done reports whether all was taken.
func (m *merge) done() bool { return m.waiting == 0 && len(m.ready) == 0 }

func (s *mergeSource) empty() bool { return s.first == len(s.queue) }

// place is the source as the client names it.
func (s *mergeSource) place() map[string][]int32 {
	return map[string][]int32{s.topic: {s.partition}}
}

func mergeWeight(m *engine.Message) int { return len(m.Key) + len(m.Value) + mergeRecordBytes }

// mergeHeap has the source whose record comes next first.
type mergeHeap []*mergeSource

// Len implements heap.Interface.
func (h mergeHeap) Len() int { return len(h) }

// Less implements heap.Interface.
func (h mergeHeap) Less(i, j int) bool {
	a, b := h[i], h[j]
	return cmp.Or(cmp.Compare(a.queue[a.first].Arrival, b.queue[b.first].Arrival),
		cmp.Compare(a.order, b.order), cmp.Compare(a.partition, b.partition)) < 0
}

// Swap implements heap.Interface.
func (h mergeHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *mergeHeap) Push(x any) { *h = append(*h, x.(*mergeSource)) }

// Pop implements heap.Interface.
func (h *mergeHeap) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return s
}
