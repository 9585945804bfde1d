package engine

import (
	"context"
	"reflect"
	"strconv"
	"time"

	"github.com/IBM/sarama"
)

// idleMax bounds how long a topic that is behind, and whose records do not come, is waited for
// (Kafka Streams calls it max.task.idle.ms).
const idleMax = 5 * time.Second

// lookEvery is how often a merger that waits looks whether what it waits for are control records,
// which are never handed out: each transaction that wrote to a topic leaves one.
const lookEvery = 100 * time.Millisecond

// merger reads the claims of one partition, one a topic, as a single one: of the records that
// come next in each topic the one with the smallest arrival time goes first. A topic that has
// records which were not fetched yet is waited for. So records meet in the order in which they
// arrived, whether they are read live, after a pause or from the beginning.
//
// The order in which claims read ahead of each other decides what timers see, not what is in the
// rows: those do not depend on it.
type merger struct {
	claims []sarama.ConsumerGroupClaim // in the order of the processor's inputs
	heads  []*sarama.ConsumerMessage
	next   []int64 // offset after the last record that was taken
	ends   []int64 // where each topic ended when the session began
	gone   []int64 // high watermark before which no more records came, as only markers follow
	closed []bool
	waited time.Duration
	// look tells whether a topic has nothing but control records from one offset to another; nil
	// where nobody knows.
	look   func(ctx context.Context, claim sarama.ConsumerGroupClaim, from, end int64) bool
	gaveUp func(topic string) // told when idleMax is hit; nil for nobody
}

func newMerger(claims []sarama.ConsumerGroupClaim, ends []int64) *merger {
	n := len(claims)
	m := &merger{claims: claims, heads: make([]*sarama.ConsumerMessage, n),
		next: make([]int64, n), ends: ends, gone: make([]int64, n), closed: make([]bool, n)}
	for i, c := range claims {
		m.next[i] = max(c.InitialOffset(), 0)
	}
	return m
}

// take gives the record that comes next; false when the session is over.
func (m *merger) take(ctx context.Context) (*sarama.ConsumerMessage, bool) {
	for {
		m.poll()
		first, waiting := -1, false
		for i := range m.heads {
			switch {
			case m.heads[i] == nil:
				waiting = waiting || m.behind(i)
			case first < 0 || m.heads[i].Timestamp.Before(m.heads[first].Timestamp):
				first = i
			}
		}
		if first >= 0 && (!waiting || len(m.claims) == 1) {
			head := m.heads[first]
			m.heads[first], m.next[first] = nil, head.Offset+1
			return head, true
		}
		if !m.wait(ctx, waiting) {
			return nil, false
		}
	}
}

// poll takes, without waiting, the next record of every topic that has none.
func (m *merger) poll() {
	for i := range m.heads {
		if m.heads[i] != nil || m.closed[i] {
			continue
		}
		select {
		case msg, ok := <-m.claims[i].Messages():
			m.put(i, msg, ok)
		default:
		}
	}
}

func (m *merger) put(i int, msg *sarama.ConsumerMessage, ok bool) {
	if !ok {
		m.closed[i] = true
		return
	}
	stampArrival(msg)
	m.heads[i], m.waited = msg, 0
	m.gone[i] = 0 // it had more than markers after all, and is worth waiting for again
}

// stampArrival makes the arrival time the timestamp of a message, where a header tells it. goka
// hands nothing else on than key, value, headers and timestamp, so the record's own timestamp
// goes with it as a header.
func stampArrival(msg *sarama.ConsumerMessage) {
	for i := len(msg.Headers) - 1; i >= 0; i-- {
		if h := msg.Headers[i]; h != nil && string(h.Key) == HeaderArrival {
			t, err := time.Parse(time.RFC3339Nano, string(h.Value))
			if err == nil && believable(t.UnixMilli(), msg.Timestamp.UnixMilli()) {
				own := strconv.AppendInt(nil, msg.Timestamp.UnixMilli(), 10)
				msg.Headers = append(msg.Headers,
					&sarama.RecordHeader{Key: []byte(timestampHeader), Value: own})
				msg.Timestamp = t
				return
			}
		}
	}
}

// timestampHeader carries a record's own timestamp, in ms, from the merger to the fold.
const timestampHeader = reserved + "timestamp"

// behind tells whether a topic has records that were not fetched yet.
func (m *merger) behind(i int) bool {
	end := max(m.ends[i], m.claims[i].HighWaterMarkOffset())
	return !m.closed[i] && m.next[i] < end && m.gone[i] < end
}

// wait sleeps until a topic without a record has one. When a topic that is behind keeps silent
// for idleMax, what it has left is taken to be no records.
func (m *merger) wait(ctx context.Context, waiting bool) bool {
	cases := []reflect.SelectCase{{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(ctx.Done())}}
	var topics []int
	for i := range m.heads {
		if m.heads[i] == nil && !m.closed[i] {
			cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv,
				Chan: reflect.ValueOf(m.claims[i].Messages())})
			topics = append(topics, i)
		}
	}
	if len(topics) == 0 {
		return false
	}
	if waiting {
		timer := time.NewTimer(m.patience())
		defer timer.Stop()
		cases = append(
			cases,
			reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(timer.C)},
		)
	}
	chosen, value, ok := reflect.Select(cases)
	switch {
	case chosen == 0:
		return false
	case chosen > len(topics):
		m.waited += m.patience()
		m.lookAhead(ctx)
		if m.waited >= idleMax {
			m.giveUp()
		}
		return true
	}
	msg, isMessage := value.Interface().(*sarama.ConsumerMessage)
	m.put(topics[chosen-1], msg, ok && isMessage)
	return true
}

// patience is how long is waited before anything else is done than waiting.
func (m *merger) patience() time.Duration {
	if m.look == nil {
		return idleMax
	}
	return lookEvery
}

// lookAhead finds the topics that have nothing left but control records.
func (m *merger) lookAhead(ctx context.Context) {
	if m.look == nil {
		return
	}
	for i := range m.heads {
		end := max(m.ends[i], m.claims[i].HighWaterMarkOffset())
		if m.heads[i] == nil && m.behind(i) && m.look(ctx, m.claims[i], m.next[i], end) {
			m.gone[i] = end
		}
	}
}

// giveUp stops waiting for the topics that have no record.
func (m *merger) giveUp() {
	m.waited = 0
	for i := range m.heads {
		if m.heads[i] != nil || !m.behind(i) {
			continue
		}
		m.gone[i] = max(m.ends[i], m.claims[i].HighWaterMarkOffset())
		if m.gaveUp != nil {
			m.gaveUp(m.claims[i].Topic())
		}
	}
}
