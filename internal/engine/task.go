package engine

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// backend is what a task needs of the world: rows by key, a way out and the tables of others.
type backend interface {
	get(key string) ([]byte, error)
	set(key string, row []byte)
	emit(r *outRecord)
	lookup(topic, key string) ([]byte, error)
}

// outRecord is a record on its way out.
type outRecord struct {
	topic, key string
	hasKey     bool
	value      []byte
	headers    []Header
}

// task is the work of one partition: it takes records one at a time and is deterministic. The
// same records in the same order give the same rows and the same emissions, whichever backend
// is behind it.
type task struct {
	p          *Processor
	partition  int32
	partitions int32
	back       backend
	now        int64 // stream time
	timers     *timers
	overdue    map[string]struct{} // rows that were due when they were written; see settle
	ctx        taskContext
	metrics    taskMetrics
}

// taskMetrics is told what a task does; any of it may be nil.
type taskMetrics struct {
	misplaced func(topic string)
	fired     func()
	time      func(now int64)
}

func newTask(p *Processor, partition, partitions int32, back backend) *task {
	t := &task{p: p, partition: partition, partitions: partitions, back: back, timers: newTimers(),
		overdue: map[string]struct{}{}}
	t.ctx.task = t
	return t
}

// load makes a row known to the timers, after recovery.
func (t *task) load(key string, row []byte) error {
	if t.p.Due == nil {
		return nil
	}
	due, err := t.p.Due(key, row)
	if err != nil {
		return fmt.Errorf("timer of row %q: %w", key, err)
	}
	t.timers.set(key, due)
	return nil
}

// process takes one record.
func (t *task) process(m *Message) error {
	if m.Topic == t.p.Clock && t.p.Clock != "" {
		if err := t.advance(m.Arrival); err != nil {
			return err
		}
		return t.fireOverdue()
	}
	if m.HasKey && PartitionOf(m.Key, t.partitions) != t.partition &&
		len(m.Key)+len(m.Value) <= leadHomeMax {
		t.leadHome(m)
		return nil
	}
	if err := t.advance(m.Arrival); err != nil {
		return err
	}
	t.ctx.begin(m.Key, m.Arrival)
	if err := t.p.Fold(&t.ctx, m); err != nil {
		return fmt.Errorf("fold %s/%d@%d: %w", m.Topic, m.Partition, m.Offset, err)
	}
	return t.settle()
}

// leadHomeMax bounds what is led home: a broker takes a record by its compressed size, so one can
// be larger than a producer may send. A larger one is given to Fold, which must refuse it.
const leadHomeMax = 512 << 10

// leadHome sends a record that lies in another partition than its key's to its own. It is not
// folded here, where its key's row does not belong.
func (t *task) leadHome(m *Message) {
	if t.p.Misplaced != nil {
		t.p.Misplaced(m)
	}
	if t.metrics.misplaced != nil {
		t.metrics.misplaced(m.Topic)
	}
	headers := m.Headers
	if _, ok := m.Header(HeaderArrival); !ok {
		headers = append(headers[:len(headers):len(headers)], arrivalHeader(m.Arrival))
	}
	t.back.emit(
		&outRecord{topic: m.Topic, key: m.Key, hasKey: true, value: m.Value, headers: headers},
	)
}

// advance moves stream time on and fires what is due before then.
func (t *task) advance(arrival int64) error {
	if arrival <= t.now {
		return nil
	}
	t.now = arrival
	if t.metrics.time != nil {
		t.metrics.time(t.now)
	}
	for {
		key, ok := t.timers.next(t.now - FireDelay)
		if !ok {
			return nil
		}
		if err := t.fire(key, t.now-FireDelay); err != nil {
			return err
		}
	}
}

// fireOverdue fires, at a clock record, the rows that settle put off.
func (t *task) fireOverdue() error {
	keys := slices.Sorted(maps.Keys(t.overdue))
	clear(t.overdue)
	for _, key := range keys {
		if err := t.fire(key, t.now-FireDelay); err != nil {
			return err
		}
	}
	return nil
}

func (t *task) fire(key string, now int64) error {
	t.ctx.begin(key, now)
	if t.metrics.fired != nil {
		t.metrics.fired()
	}
	if err := t.p.Fire(&t.ctx, now); err != nil {
		return fmt.Errorf("fire %q: %w", key, err)
	}
	return t.index(now)
}

// settle brings the timers in line with the row that was just folded. What is due by the arrival
// time of the record itself is fired at once.
//
// Records that arrived long before the stream time are read when somebody brings in history. What
// is due of their rows by stream time is put off until the next clock record: the record that
// makes it undue is likely to be the next one, as a session's end follows its start.
func (t *task) settle() error {
	if t.p.Due == nil || !t.ctx.wrote {
		return nil
	}
	due, err := t.due()
	if err != nil {
		return err
	}
	if now := t.ctx.arrival - FireDelay; due != 0 && due <= now {
		return t.fire(t.ctx.key, now)
	}
	return t.index(0)
}

// index notes when a row, which was fired up to fired, is due next.
func (t *task) index(fired int64) error {
	key := t.ctx.key
	due, err := t.due()
	if err != nil {
		return err
	}
	delete(t.overdue, key)
	switch {
	case due == 0:
		t.timers.set(key, 0)
	case due <= fired:
		return fmt.Errorf("timer of row %q: %w: due after it was fired", key, ErrDeclaration)
	case due <= t.now-FireDelay:
		t.timers.set(key, 0)
		t.overdue[key] = struct{}{}
	default:
		t.timers.set(key, due)
	}
	return nil
}

// due is when the row that was just folded or fired is due.
func (t *task) due() (int64, error) {
	if t.ctx.dueKnown {
		return t.ctx.due, nil
	}
	row, err := t.ctx.Row()
	if err != nil || row == nil {
		return 0, err
	}
	due, err := t.p.Due(t.ctx.key, row)
	if err != nil {
		return 0, fmt.Errorf("timer of row %q: %w", t.ctx.key, err)
	}
	return due, nil
}

// taskContext is the Context of one fold; there is one a task, used again and again.
type taskContext struct {
	task    *task
	key     string
	arrival int64
	row     []byte
	known   bool // row was read or written
	wrote   bool
	header  Header

	due      int64
	dueKnown bool
}

func (c *taskContext) begin(key string, arrival int64) {
	if arrival != c.arrival || c.header.Value == nil {
		c.header = arrivalHeader(arrival)
	}
	c.key, c.arrival, c.row, c.known, c.wrote, c.dueKnown = key, arrival, nil, false, false, false
}

// Key implements Context.
func (c *taskContext) Key() string { return c.key }

// Arrival implements Context.
func (c *taskContext) Arrival() int64 { return c.arrival }

// Row implements Context.
func (c *taskContext) Row() ([]byte, error) {
	if !c.known {
		row, err := c.task.back.get(c.key)
		if err != nil {
			return nil, fmt.Errorf("read row %q: %w", c.key, err)
		}
		c.row, c.known = row, true
	}
	return c.row, nil
}

// SetRow implements Context.
func (c *taskContext) SetRow(row []byte) {
	c.row, c.known, c.wrote, c.dueKnown = row, true, true, false
	c.task.back.set(c.key, row)
}

// SetDue implements Context.
func (c *taskContext) SetDue(due int64) { c.due, c.dueKnown = due, true }

// Emit implements Context.
func (c *taskContext) Emit(topic, key string, value []byte, headers ...Header) {
	c.task.back.emit(&outRecord{topic: topic, key: key, hasKey: true, value: value,
		headers: append(headers, c.header)})
}

// Lookup implements Context.
func (c *taskContext) Lookup(topic, key string) ([]byte, error) {
	if Reserved(key) {
		return nil, nil // a copy of another processor's table has its progress
	}
	return c.task.back.lookup(topic, key)
}

func arrivalHeader(ms int64) Header {
	return Header{Key: HeaderArrival,
		Value: []byte(time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.999Z07:00"))}
}

// arrivalAheadMax is how far, in ms, the header arrival-time may lie after the record's own
// timestamp to be believed. One header from a clock that is years ahead would else move stream
// time there, and all that is due until then would be done.
const arrivalAheadMax = 24 * 60 * 60 * 1000

// ArrivalOf is the arrival time of a record in ms: its header's, where that is RFC 3339 and not
// far ahead, else its timestamp. A timestamp of zero is none.
func ArrivalOf(headers []Header, timestamp int64) int64 {
	for i := len(headers) - 1; i >= 0; i-- {
		if headers[i].Key == HeaderArrival {
			if t, ok := parseArrival(headers[i].Value, timestamp); ok {
				return t
			}
		}
	}
	return timestamp
}

// believable tells whether an arrival time may belong to a record with a timestamp, in ms; one
// that is not above zero is none.
func believable(arrival, timestamp int64) bool {
	return timestamp <= 0 || arrival <= timestamp+arrivalAheadMax
}
