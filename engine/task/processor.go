package task

import (
	"errors"
	"fmt"
	"slices"
)

// Processor declares one consumer group: what it reads, the tables that it keeps and what it
// writes.
type Processor struct {
	// Group is the consumer group.
	Group string
	// Inputs are the topics that are folded. They have the same number of partitions, and a key
	// lies in the same partition of each.
	Inputs []string
	// Clock is the topic of records that only move stream time on; empty for none. Without it
	// stream time stands still in an idle partition.
	Clock string
	// Tables are what is kept: one at least. The first has the group's name, as it is the one that
	// goka knows.
	Tables []Declared
	// Layout is the version of the tables as a whole. Tables that were written under another one
	// are emptied and built again from the inputs.
	Layout int
	// Lookups are compacted topics of which every instance holds a full copy. The table of another
	// processor is one by the name of its topic: a commit of the other shows a moment later.
	Lookups []string
	// Sources names, for a table of another processor among Lookups, the topics that the other
	// folds into it. Nothing is folded here before the copy has what those had at the start.
	Sources map[string][]string
	// Outputs are the topics that may be emitted to.
	Outputs []Output
	// Address sets the key by which a record is folded, where that is not the one that it came
	// with: a record without a key may name it in its value, and one key may have several
	// spellings. Nil for nothing. The record is then led to the partition of that key.
	Address func(m *Message)
	// Fold takes one record. An error ends the processor: what is only wrong with the record must
	// be emitted as a dead letter instead.
	Fold func(ctx *Context, m *Message) error
	// Taking is called for each record before the task takes it, clock records included. It and
	// Firing let an audit write down what a task did, in order; both may emit. Nil for nothing.
	Taking func(ctx *Context, m *Message)
	// Firing is called before a row is fired, at the stream time Context.Arrival, with the moment
	// at which the row is due. Nil for nothing.
	Firing func(ctx *Context, table, key string, due int64)
	// Committing is called at each commit before the rows are flushed; nil for nothing.
	Committing func(ctx *Context) error
	// Repartitioned is called for each record that lies in another partition than its key's; the
	// engine then sends it to its own. Nil for nothing.
	Repartitioned func(m *Message)
}

// Output declares a topic that is emitted to.
type Output struct {
	Topic string
	// Newest: of the records of a key only the newest of a commit is sent, as readers of a
	// compacted topic ask for no more.
	Newest bool
}

// ErrDeclaration is wrapped by errors of a Processor that cannot work as declared.
var ErrDeclaration = errors.New("processor declared wrongly")

// Table is the changelog topic of the first table, which is goka's.
func (p *Processor) Table() string { return p.Tables[0].Topic() }

// TableTopics are the changelog topics of all tables.
func (p *Processor) TableTopics() []string {
	names := make([]string, len(p.Tables))
	for i, t := range p.Tables {
		names[i] = t.Topic()
	}
	return names
}

// Topics are all that the processor folds, in the order in which equal arrival times are taken.
func (p *Processor) Topics() []string {
	if p.Clock == "" {
		return p.Inputs
	}
	return append(slices.Clone(p.Inputs), p.Clock)
}

// OutputTopics are the topics that are emitted to.
func (p *Processor) OutputTopics() []string {
	names := make([]string, len(p.Outputs))
	for i, o := range p.Outputs {
		names[i] = o.Topic
	}
	return names
}

// Check returns an error that wraps ErrDeclaration where the processor cannot work as declared.
func (p *Processor) Check() error {
	if p.Group == "" || len(p.Inputs) == 0 || p.Fold == nil || len(p.Tables) == 0 {
		return errors.Join(ErrDeclaration, errors.New("group, inputs, tables and fold are needed"))
	}
	if name := p.Tables[0].TableName(); name != p.Group {
		return errors.Join(ErrDeclaration,
			fmt.Errorf("the first table is %q, not %q as the group", name, p.Group))
	}
	for i, t := range p.Tables {
		if err := t.declare(i); err != nil {
			return errors.Join(ErrDeclaration, err)
		}
		if slices.Contains(p.TableTopics()[:i], t.Topic()) {
			return errors.Join(ErrDeclaration, fmt.Errorf("two tables are %q", t.TableName()))
		}
	}
	for table, topics := range p.Sources {
		if !slices.Contains(p.Lookups, table) || len(topics) == 0 {
			return errors.Join(ErrDeclaration,
				fmt.Errorf("sources of %q, which is no lookup, or has none", table))
		}
	}
	return nil
}
