package task

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
)

// Table declares a table of a task: rows of type R by key. All tables of a processor are
// partitioned by the key of its inputs, so that a row lies in the partition of the record that
// made it, whatever its own key is. Each has a compacted changelog topic of its own; the rows of
// all of them change in one commit.
//
// A row is a Go value while it is in use: it is decoded when it is first touched, changed in
// place, and encoded once a commit.
type Table[R any] struct {
	// Name names the table; its changelog topic is Name + "-table".
	Name string
	// Decode reads what Append wrote.
	Decode func(key string, row []byte) (*R, error)
	// Append appends the bytes of a row to buf.
	Append func(buf []byte, row *R) []byte
	// Due is the stream time, in ms, at which a row must be fired; zero for never. Nil where no
	// row of the table has a timer.
	Due func(key string, row *R) int64
	// Fire does what is due of a row at the stream time now. The row counts as changed, unless it
	// says [Context.Unchanged]. After it, Due must be later than now.
	Fire func(ctx *Context, key string, row *R, now int64) error
	// Restored is called for each row that there is when a task begins, before its first record.
	// The row is not changed. Nil for nothing.
	Restored func(ctx *Context, key string, row *R)
	// Flush is called for each row that changed since the last commit, once, before it is encoded:
	// what is derived of the row is compared and emitted here. It may change rows of tables that
	// are declared after this one. Lookups are not possible. Nil for nothing.
	Flush func(ctx *Context, key string, row *R) error

	place atomic.Int32 // among the tables of the processor, from 1
}

// TableSuffix is what goka appends to the name of a table to name its topic.
const TableSuffix = "-table"

// Declared is a *Table of any type.
type Declared interface {
	// TableName is the name of the table.
	TableName() string
	// Topic is the changelog topic of the table.
	Topic() string

	declare(place int) error
	decode(key string, row []byte) (any, error)
	encode(buf []byte, row any) []byte
	due(key string, row any) int64
	fire(ctx *Context, key string, row any, now int64) error
	flush(ctx *Context, key string, row any) error
	restored(ctx *Context, key string, row any)
	timed() bool
	watched() bool
	flushed() bool
}

// Get is the row of a key, which must not be changed; nil where there is none.
func (t *Table[R]) Get(ctx *Context, key string) (*R, error) {
	e, err := ctx.task.entry(int(t.place.Load())-1, key)
	if err != nil || e.row == nil {
		return nil, err
	}
	return e.row.(*R), nil
}

// Edit is the row of a key, to be changed; it is made where there is none. Keys that are empty or
// begin with a zero byte are the engine's own and have no row.
func (t *Table[R]) Edit(ctx *Context, key string) (*R, error) {
	place := int(t.place.Load()) - 1
	e, err := ctx.task.entry(place, key)
	if err != nil {
		return nil, err
	}
	if err := ctx.task.touch(place, e); err != nil {
		return nil, err
	}
	if e.row == nil {
		e.row = new(R)
	}
	return e.row.(*R), nil
}

// Delete removes the row of a key.
func (t *Table[R]) Delete(ctx *Context, key string) error {
	place := int(t.place.Load()) - 1
	e, err := ctx.task.entry(place, key)
	if err != nil || e.row == nil {
		return err
	}
	if err := ctx.task.touch(place, e); err != nil {
		return err
	}
	e.row = nil
	return nil
}

// TableName implements Declared.
func (t *Table[R]) TableName() string { return t.Name }

// Topic implements Declared.
func (t *Table[R]) Topic() string { return t.Name + TableSuffix }

func (t *Table[R]) declare(place int) error {
	switch {
	case t.Name == "" || t.Decode == nil || t.Append == nil:
		return errors.New("a table needs a name, Decode and Append")
	case (t.Due == nil) != (t.Fire == nil):
		return fmt.Errorf("table %q: Due and Fire belong together", t.Name)
	case !t.place.CompareAndSwap(0, int32(place+1)) && t.place.Load() != int32(place+1):
		return fmt.Errorf("table %q is declared in two places", t.Name)
	}
	return nil
}

func (t *Table[R]) decode(key string, row []byte) (any, error) {
	r, err := t.Decode(key, row)
	if err != nil {
		return nil, fmt.Errorf("row %q of table %q: %w", key, t.Name, err)
	}
	return r, nil
}

func (t *Table[R]) encode(buf []byte, row any) []byte { return t.Append(buf, row.(*R)) }

func (t *Table[R]) due(key string, row any) int64 {
	if row == nil || t.Due == nil {
		return 0
	}
	return t.Due(key, row.(*R))
}

func (t *Table[R]) fire(ctx *Context, key string, row any, now int64) error {
	return t.Fire(ctx, key, row.(*R), now)
}

func (t *Table[R]) flush(ctx *Context, key string, row any) error {
	return t.Flush(ctx, key, row.(*R))
}

func (t *Table[R]) restored(ctx *Context, key string, row any) {
	if t.Restored != nil {
		t.Restored(ctx, key, row.(*R))
	}
}

func (t *Table[R]) timed() bool   { return t.Due != nil }
func (t *Table[R]) watched() bool { return t.Due != nil || t.Restored != nil }
func (t *Table[R]) flushed() bool { return t.Flush != nil }

// entry is a row in the cache.
type entry struct {
	key     string
	row     any   // a *R; nil: there is no such row
	due     int64 // as the timers know it
	arrival int64 // of what changed the row last, ms
	bytes   int   // what the entry takes in memory, by estimate
	changed bool  // since the last commit
	touched bool  // by the record that is being folded, or the timer that fires
}

// Estimates of what a row takes in memory: rowFactor times its encoded bytes, and rowOverhead. A
// row is small where it is encoded, with what is empty in a byte, and large as Go values.
const (
	rowFactor   = 6
	rowOverhead = 512
)

func (e *entry) weigh(encoded int) { e.bytes = rowFactor*encoded + len(e.key) + rowOverhead }

// cache holds the rows of a table that are in use, in two generations: when the young one is full
// at a commit, it becomes the old one, and what the old one held is forgotten.
type cache struct {
	young, old map[string]*entry
	bytes      int // of young
	changed    []*entry
}

func newCache() *cache { return &cache{young: map[string]*entry{}} }

func (c *cache) get(key string) *entry {
	if e := c.young[key]; e != nil {
		return e
	}
	e := c.old[key]
	if e != nil {
		c.add(e)
	}
	return e
}

func (c *cache) add(e *entry) {
	c.young[e.key] = e
	c.bytes += e.bytes
}

// unchange takes a row back from those that changed, of which it is one of the last.
func (c *cache) unchange(e *entry) {
	for i := len(c.changed) - 1; i >= 0; i-- {
		if c.changed[i] == e {
			c.changed = slices.Delete(c.changed, i, i+1)
			break
		}
	}
	e.changed = false
}

// encode gives the rows that changed since the last commit, as they are committed. Their bytes are
// appended to slab, and to new ones when that is full.
func (c *cache) encode(d Declared, slab []byte) ([]Row, []byte) {
	rows := make([]Row, len(c.changed))
	for i, e := range c.changed {
		rows[i].Key = e.key
		if e.row != nil {
			if cap(slab)-len(slab) < slabBytes/8 {
				slab = make([]byte, 0, slabBytes)
			}
			begin := len(slab)
			slab = d.encode(slab, e.row)
			rows[i].Bytes = slab[begin:len(slab):len(slab)]
		}
		c.bytes -= e.bytes
		e.weigh(len(rows[i].Bytes))
		c.bytes += e.bytes
		e.changed = false
	}
	clear(c.changed)
	c.changed = c.changed[:0]
	return rows, slab
}

// age makes the young generation the old one. No row that is not encoded may be in the cache.
func (c *cache) age() {
	c.old, c.young, c.bytes = c.young, make(map[string]*entry, len(c.young)/2), 0
}
