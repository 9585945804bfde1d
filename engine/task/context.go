package task

import "fmt"

// Context is what a Fold, a Fire or a Flush works with: the way to rows, by the tables, and out.
type Context struct {
	task     *Task
	arrival  int64
	header   Header
	flushing int    // the table whose rows are flushed, from 1; zero for none
	key      string // of the row that is flushed
	// unchanged: the row that is fired is as it was.
	unchanged bool
}

// Arrival is the arrival time, in ms, of what is being folded; in a Fire the stream time that it
// fires at; in a Flush the arrival time of what changed the row last.
func (c *Context) Arrival() int64 { return c.arrival }

// StreamTime is the largest arrival time that the partition has seen, in ms.
func (c *Context) StreamTime() int64 { return c.task.now }

// Partition is the partition of the task.
func (c *Context) Partition() int32 { return c.task.partition }

// Unchanged says in a Fire that its row is as it was: it is neither flushed nor written for that.
// Its timer is set anew all the same.
func (c *Context) Unchanged() { c.unchanged = true }

// Emit sends a record with the next commit. The engine keeps the value; nil is a tombstone. The
// arrival time is added as a header.
func (c *Context) Emit(topic, key string, value []byte, headers ...Header) {
	if c.header.Value == nil {
		c.header = ArrivalHeader(c.arrival)
	}
	c.task.emit(&Record{Topic: topic, Key: key, HasKey: true, Value: value,
		Headers: append(headers[:len(headers):len(headers)], c.header)})
}

// Lookup is the value of a key of one of the processor's Lookups; nil where there is none.
func (c *Context) Lookup(topic, key string) ([]byte, error) {
	if Reserved(key) {
		return nil, nil // a copy of another processor's table has its progress
	}
	if c.flushing != 0 {
		return nil, fmt.Errorf("%w: lookup of %q in a flush", ErrDeclaration, topic)
	}
	return c.task.back.Lookup(topic, key)
}

func (c *Context) begin(arrival int64) {
	if arrival != c.arrival {
		c.arrival, c.header = arrival, Header{}
	}
}
