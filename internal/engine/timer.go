package engine

import "container/heap"

// timers is the index of what is due: for each key the time at which its row must be fired. It
// is derived from the rows and never stored. What was due earlier or later before is left in
// the heap and passed over when it comes up.
type timers struct {
	queue timerQueue
	due   map[string]int64
}

type timer struct {
	due int64
	key string
}

func newTimers() *timers { return &timers{due: map[string]int64{}} }

// set makes a key due; zero makes it never due.
func (t *timers) set(key string, due int64) {
	if t.due[key] == due {
		return
	}
	if due == 0 {
		delete(t.due, key)
		return
	}
	t.due[key] = due
	heap.Push(&t.queue, timer{due: due, key: key})
	if len(t.queue) > 2*len(t.due)+timersSlack {
		t.sweep()
	}
}

// timersSlack is how much may be in the heap that is not due any more, besides as much as is.
const timersSlack = 1024

// sweep makes the heap anew of what is due.
func (t *timers) sweep() {
	t.queue = t.queue[:0]
	for key, due := range t.due {
		t.queue = append(t.queue, timer{due: due, key: key})
	}
	heap.Init(&t.queue)
}

// next takes the key that is due first, if that is at or before now. The order is total, so a
// replay fires in the same order.
func (t *timers) next(now int64) (string, bool) {
	for len(t.queue) > 0 && t.queue[0].due <= now {
		first := heap.Pop(&t.queue).(timer)
		if t.due[first.key] == first.due {
			delete(t.due, first.key)
			return first.key, true
		}
	}
	return "", false
}

type timerQueue []timer

func (q timerQueue) Len() int { return len(q) }
func (q timerQueue) Less(i, j int) bool {
	return q[i].due < q[j].due || (q[i].due == q[j].due && q[i].key < q[j].key)
}
func (q timerQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *timerQueue) Push(x any) { *q = append(*q, x.(timer)) }

// Pop implements heap.Interface.
func (q *timerQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}
