package task

import (
	"cmp"
	"container/heap"
)

// timerID names a timer: the row that it fires.
type timerID struct {
	table int
	key   string
}

// timers is the index of what is due: for each row the stream time at which it must be fired. It
// is derived from the rows and never stored. What was due earlier or later before is left in the
// heap and skipped when it comes up.
type timers struct {
	queue timerQueue
	at    map[timerID]int64 // when each row is due
}

type timer struct {
	due int64
	timerID
}

func newTimers() *timers { return &timers{at: map[timerID]int64{}} }

// set makes a row due; zero makes it never due.
func (t *timers) set(id timerID, due int64) {
	if due == 0 {
		delete(t.at, id)
		return
	}
	if t.at[id] == due {
		return
	}
	t.at[id] = due
	heap.Push(&t.queue, timer{due: due, timerID: id})
	if len(t.queue) > 2*len(t.at)+timersSlack {
		t.sweep()
	}
}

// timersSlack is how much may be in the heap that is not due any more, besides as much as is.
const timersSlack = 1024

// sweep rebuilds the heap from what is due.
func (t *timers) sweep() {
	t.queue = t.queue[:0]
	for id, due := range t.at {
		t.queue = append(t.queue, timer{due: due, timerID: id})
	}
	heap.Init(&t.queue)
}

// next takes the row that is due first, if that is at or before now. The order is total, so a
// replay fires in the same order.
func (t *timers) next(now int64) (timerID, bool) {
	for len(t.queue) > 0 && t.queue[0].due <= now {
		first := heap.Pop(&t.queue).(timer)
		if t.at[first.timerID] == first.due {
			delete(t.at, first.timerID)
			return first.timerID, true
		}
	}
	return timerID{}, false
}

// due reports whether any row is due at or before now.
func (t *timers) due(now int64) bool {
	for len(t.queue) > 0 && t.queue[0].due <= now {
		if first := &t.queue[0]; t.at[first.timerID] == first.due {
			return true
		}
		heap.Pop(&t.queue)
	}
	return false
}

type timerQueue []timer

func compareTimers(a, b *timer) int {
	return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.table, b.table),
		cmp.Compare(a.key, b.key))
}

func (q timerQueue) Len() int           { return len(q) }
func (q timerQueue) Less(i, j int) bool { return compareTimers(&q[i], &q[j]) < 0 }
func (q timerQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *timerQueue) Push(x any) { *q = append(*q, x.(timer)) }

// Pop implements heap.Interface.
func (q *timerQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = timer{}
	*q = old[:len(old)-1]
	return last
}
