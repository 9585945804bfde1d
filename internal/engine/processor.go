package engine

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// FireDelay is how much later than due a timer fires, so that races between topics that are
// read live do not show in what it does.
const FireDelay = int64(time.Second / time.Millisecond)

// HeaderArrival is the header that carries a record's arrival time, RFC 3339.
const HeaderArrival = "arrival-time"

// Processor declares one consumer group: what it reads, the table that it keeps and what it
// writes.
type Processor struct {
	// Group is the consumer group; its table's topic is Group + "-table".
	Group string
	// Inputs are the topics that are folded. They have the same number of partitions, and a key
	// lies in the same partition of each.
	Inputs []string
	// Clock is the topic of records that only move stream time on; empty for none. Without it
	// an idle partition stands still.
	Clock string
	// Lookups are compacted topics of which every instance holds a full copy. The table of another
	// processor is one by the name of its topic: what is committed of it is seen, a moment later.
	Lookups []string
	// Sources tells, for a table of another processor among Lookups, the topics that the other
	// folds into it. Nothing is folded here before the copy has what those had when it began.
	Sources map[string][]string
	// Outputs are the topics that Fold and Fire may emit to.
	Outputs []string
	// Fold takes one record. An error ends the processor: what is only wrong with the record
	// must be emitted as a dead letter instead.
	Fold func(ctx Context, m *Message) error
	// Due is the stream time, in ms, at which a row must be fired; zero for never. Nil where the
	// processor has no timers.
	Due func(key string, row []byte) (int64, error)
	// Fire does what is due of a row at the stream time now. After it, Due must be later.
	Fire func(ctx Context, now int64) error
	// Misplaced is called for each record that lies in another partition than its key's; the
	// engine then leads it home. Nil for nothing.
	Misplaced func(m *Message)
}

// Table is the topic of the processor's table.
func (p *Processor) Table() string { return p.Group + "-table" }

// topics are all that the processor folds, in the order in which equal arrival times are taken.
func (p *Processor) topics() []string {
	if p.Clock == "" {
		return p.Inputs
	}
	return append(slices.Clone(p.Inputs), p.Clock)
}

// Message is one input record. Its bytes belong to the engine and are valid during Fold only.
type Message struct {
	Topic     string
	Partition int32
	Offset    int64
	Key       string
	HasKey    bool
	Value     []byte // nil for a tombstone
	Headers   []Header
	Arrival   int64 // ms: the header arrival-time, else the record's timestamp
	Timestamp int64 // ms: the record's own
}

// Header is one header of a record.
type Header struct {
	Key   string
	Value []byte
}

// Header is the value of the last header of a name.
func (m *Message) Header(name string) ([]byte, bool) {
	for i := len(m.Headers) - 1; i >= 0; i-- {
		if m.Headers[i].Key == name {
			return m.Headers[i].Value, true
		}
	}
	return nil, false
}

// Context is what a Fold or a Fire works on: the row of one key, and the way out.
type Context interface {
	// Key is the key of the row.
	Key() string
	// Row is the row of Key; nil where there is none. It must not be changed.
	Row() ([]byte, error)
	// SetRow replaces the row; nil deletes it. The engine keeps the slice. Keys that are empty or
	// begin with a zero byte cannot have a row: the latter are the engine's own.
	SetRow(row []byte)
	// SetDue tells when the row that was just set is due, to spare the engine a call of Due.
	SetDue(due int64)
	// Emit sends a record. The engine keeps the value; a nil value is a tombstone. The arrival
	// time of what is being folded is added as a header.
	Emit(topic, key string, value []byte, headers ...Header)
	// Lookup is the value of a key of one of the processor's Lookups; nil where there is none.
	Lookup(topic, key string) ([]byte, error)
	// Arrival is the arrival time of what is being folded, or the stream time of a Fire, in ms.
	Arrival() int64
}

// ErrDeclaration is wrapped by errors of a Processor that cannot work as declared.
var ErrDeclaration = errors.New("processor declared wrongly")

func (p *Processor) check() error {
	switch {
	case p.Group == "" || len(p.Inputs) == 0 || p.Fold == nil:
		return errors.Join(ErrDeclaration, errors.New("group, inputs and fold are needed"))
	case (p.Due == nil) != (p.Fire == nil):
		return errors.Join(ErrDeclaration, errors.New("due and fire belong together"))
	}
	return p.checkSources()
}

// Reserved tells whether a key of a table's topic is the engine's own and no row: what a reader of
// the topic passes over.
func Reserved(key string) bool { return strings.HasPrefix(key, reserved) }
