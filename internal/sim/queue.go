package sim

import "chargestream"

// entry is an item with its place in time; order breaks ties first come, first served.
type entry[T any] struct {
	at    chargestream.Millis
	order uint64
	item  T
}

func (e *entry[T]) before(f *entry[T]) bool {
	return e.at < f.at || (e.at == f.at && e.order < f.order)
}

// queue is a binary heap by time. It is written out because container/heap allocates an
// interface for every item, which would be the largest cost of a record.
type queue[T any] struct {
	heap  []entry[T]
	order uint64
}

func (q *queue[T]) push(at chargestream.Millis, item T) {
	q.order++
	q.heap = append(q.heap, entry[T]{at: at, order: q.order, item: item})
	i := len(q.heap) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !q.heap[i].before(&q.heap[parent]) {
			return
		}
		q.heap[i], q.heap[parent] = q.heap[parent], q.heap[i]
		i = parent
	}
}

// pop takes the earliest entry; the caller has made sure that there is one.
func (q *queue[T]) pop() entry[T] {
	top, last := q.heap[0], len(q.heap)-1
	q.heap[0] = q.heap[last]
	q.heap[last] = entry[T]{} // lets go of what the item points to
	q.heap = q.heap[:last]
	q.sink()
	return top
}

func (q *queue[T]) sink() {
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(q.heap); child++ {
			if q.heap[child].before(&q.heap[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		q.heap[i], q.heap[least] = q.heap[least], q.heap[i]
		i = least
	}
}
