package e2e

import (
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strconv"
	"strings"

	"chargestream/internal/engine"
	"chargestream/topics"
)

// The order in which a partition's records are folded hangs on when each was read: a topic that is
// not there yet is not waited for for ever, and rows fire when the first record after a restart
// comes. What comes of an order does not: a fold is a function of a row and a record. So a
// processor under test writes down, in the same unit of work and with one more output, what it
// folded and fired; and a Replay takes that order, asks whether it has every record once and in
// turn, and folds it anew. The result is the exact sequence of what each partition must have
// written, whatever the faults were.

// AuditTopic is where an Audited processor writes down what it did.
func AuditTopic(group string) string { return group + "-audit" }

// Audited is a processor that also writes down, for each fold and each firing, what it was of.
func Audited(p *engine.Processor, partitions int32) *engine.Processor {
	audited := *p
	topic, keys := AuditTopic(p.Group), keysOf(partitions)
	audited.Outputs = append(slices.Clone(p.Outputs), topic)
	audited.Fold = func(ctx engine.Context, m *engine.Message) error {
		ctx.Emit(topic, keys[m.Partition], fmt.Appendf(nil, "fold %s %d", m.Topic, m.Offset))
		return p.Fold(ctx, m)
	}
	if p.Fire != nil {
		audited.Fire = func(ctx engine.Context, now int64) error {
			ctx.Emit(topic, keys[engine.PartitionOf(ctx.Key(), partitions)],
				fmt.Appendf(nil, "fire %s %d", ctx.Key(), now))
			return p.Fire(ctx, now)
		}
	}
	return &audited
}

// keysOf gives a key for each partition that lies there.
func keysOf(partitions int32) []string {
	keys := make([]string, partitions)
	for i := 0; slices.Contains(keys, ""); i++ {
		key := strconv.Itoa(i)
		keys[engine.PartitionOf(key, partitions)] = key
	}
	return keys
}

// Log is what the partitions hold, as a reader of committed records sees it.
type Log map[Place][]Record

// Table is the last value of each key of a topic, without what the engine keeps for itself there.
func (l Log) Table(topic string, partitions int32) map[string][]byte {
	rows := map[string][]byte{}
	for p := range partitions {
		for _, r := range l[Place{topic, p}] {
			switch {
			case engine.Reserved(r.Key):
			case r.Value == nil:
				delete(rows, r.Key)
			default:
				rows[r.Key] = r.Value
			}
		}
	}
	return rows
}

// Replay is what a processor must have done, by its own account of the order.
type Replay struct {
	// Findings are what is wrong with the account: records that were not folded, or folded twice,
	// or out of turn, and rows that were fired too early.
	Findings []Finding
	// Emitted are the records of each partition, one sequence for each partition of the inputs.
	Emitted map[Place][][]Record
	// Rows are the rows of the table.
	Rows map[string][]byte
	// Folded counts, for each input partition, the folds.
	Folded map[Place]int

	grown map[string][]uint64 // by key, a hash of each value that its row had
	seed  maphash.Seed

	p          *engine.Processor
	partitions int32
	log        Log
	lookups    map[string]map[string][]byte
}

// NewReplay folds what the log says that a processor folded. An error means that the account
// cannot be read, or that a fold failed.
func NewReplay(p *engine.Processor, partitions int32, log Log) (*Replay, error) {
	r := &Replay{Emitted: map[Place][][]Record{}, Rows: map[string][]byte{},
		Folded: map[Place]int{}, p: p, partitions: partitions, log: log,
		lookups: map[string]map[string][]byte{}, grown: map[string][]uint64{},
		seed: maphash.MakeSeed()}
	for _, topic := range p.Lookups {
		r.lookups[topic] = log.Table(topic, partitions)
	}
	for partition := range partitions {
		if err := r.replay(partition); err != nil {
			return nil, fmt.Errorf("replay %s/%d: %w", p.Group, partition, err)
		}
	}
	return r, nil
}

// Home tells whether a record lies in the partition of its key. One without a key is at home
// everywhere.
func Home(r *Record, partitions int32) bool {
	return r.Key == "" || engine.PartitionOf(r.Key, partitions) == r.Partition
}

// replay takes the account of one partition.
func (r *Replay) replay(partition int32) error {
	t := &turn{inputs: map[string][]Record{}, next: map[string]int{}}
	for _, topic := range r.p.Inputs {
		for _, rec := range r.log[Place{topic, partition}] {
			if Home(&rec, r.partitions) { // else it must be led home and not be folded
				t.inputs[topic] = append(t.inputs[topic], rec)
			}
		}
	}
	c := &replayContext{r: r, out: map[Place][]Record{}}
	for _, entry := range r.log[Place{AuditTopic(r.p.Group), partition}] {
		if err := r.entry(c, t, partition, string(entry.Value)); err != nil {
			return fmt.Errorf("account at offset %d: %w", entry.Offset, err)
		}
	}
	for _, topic := range slices.Sorted(maps.Keys(t.inputs)) {
		r.passedOver(t.inputs[topic][t.next[topic]:])
	}
	for at, list := range c.out {
		r.Emitted[at] = append(r.Emitted[at], list)
	}
	return nil
}

// turn is how far the inputs of a partition were taken.
type turn struct {
	inputs map[string][]Record
	next   map[string]int
}

var errAccount = errors.New("is no account of a fold or a firing")

// entry takes one entry of the account: "fold TOPIC OFFSET" or "fire KEY NOW".
func (r *Replay) entry(c *replayContext, t *turn, partition int32, text string) error {
	verb, rest, _ := strings.Cut(text, " ")
	blank := strings.LastIndexByte(rest, ' ')
	if blank < 0 {
		return fmt.Errorf("%q %w", text, errAccount)
	}
	name := rest[:blank]
	number, err := strconv.ParseInt(rest[blank+1:], 10, 64)
	switch {
	case err == nil && verb == "fold":
		return r.fold(c, t, Place{name, partition}, number)
	case err == nil && verb == "fire":
		return r.fire(c, name, number, partition)
	}
	return fmt.Errorf("%q %w", text, errAccount)
}

// fold folds the record at an offset, and notes where it was not the next one of its topic.
func (r *Replay) fold(c *replayContext, t *turn, at Place, offset int64) error {
	list, next := t.inputs[at.Topic], t.next[at.Topic]
	i, ok := slices.BinarySearchFunc(list, offset, func(rec Record, offset int64) int {
		return int(rec.Offset - offset)
	})
	if !ok {
		r.find(Foreign, at, offset, "", ": folded, and not there")
		return nil
	}
	if i < next {
		r.find(Doubled, at, offset, list[i].Key, ": folded again, or out of turn")
	} else {
		r.passedOver(list[next:i])
		t.next[at.Topic] = i + 1
	}
	rec := &list[i]
	m := &engine.Message{Topic: at.Topic, Partition: at.Partition, Offset: offset, Key: rec.Key,
		HasKey: rec.Key != "", Value: rec.Value, Headers: rec.Headers,
		Arrival: engine.ArrivalOf(rec.Headers, rec.Timestamp), Timestamp: rec.Timestamp}
	r.Folded[at]++
	c.key, c.arrival = rec.Key, m.Arrival
	return r.p.Fold(c, m)
}

// fire fires a row, and notes where it was not due.
func (r *Replay) fire(c *replayContext, key string, now int64, partition int32) error {
	at, row := Place{r.p.Table(), partition}, r.Rows[key]
	if row == nil {
		r.find(Early, at, -1, key, ": fired, and there is no row")
		return nil
	}
	due, err := r.p.Due(key, row)
	if err != nil {
		return err
	}
	if due == 0 || due > now {
		r.find(Early, at, -1, key, fmt.Sprintf(": due %d, now %d", due, now))
	}
	c.key, c.arrival = key, now
	return r.p.Fire(c, now)
}

// Changelog holds each record of the table's topic that compaction has left against the rows as
// they grew: what is there is some of the values that the row had, in the order in which it had
// them. So a value that was never committed shows, and one that an owner of before wrote late.
func (r *Replay) Changelog() []Finding {
	var findings []Finding
	table := topics.Table(r.p.Group)
	next := map[string]int{}
	for p := range r.partitions {
		at := Place{table, p}
		for _, rec := range r.log[at] {
			if engine.Reserved(rec.Key) {
				continue
			}
			values, from := r.grown[rec.Key], next[rec.Key]
			hash := maphash.Bytes(r.seed, rec.Value)
			i := slices.Index(values[from:], hash)
			if i >= 0 {
				next[rec.Key] = from + i // a row may be written again as it is
				continue
			}
			kind := Altered
			if slices.Contains(values, hash) {
				kind = Reordered
			}
			findings = append(findings, Finding{Kind: kind, Place: at, Offset: rec.Offset,
				Key: rec.Key, Detail: ": no value that the row had then"})
		}
	}
	return findings
}

// passedOver notes records that were never folded.
func (r *Replay) passedOver(list []Record) {
	for i := range list {
		rec := &list[i]
		r.find(Lost, Place{rec.Topic, rec.Partition}, rec.Offset, rec.Key, ": not folded")
	}
}

func (r *Replay) find(kind Kind, at Place, offset int64, key, detail string) {
	r.Findings = append(r.Findings, Finding{Kind: kind, Place: at, Offset: offset, Key: key,
		Detail: " in group " + r.p.Group + detail})
}

// replayContext is the Context of one partition's folds.
type replayContext struct {
	r       *Replay
	key     string
	arrival int64
	out     map[Place][]Record
}

// Key implements engine.Context.
func (c *replayContext) Key() string { return c.key }

// Row implements engine.Context.
func (c *replayContext) Row() ([]byte, error) { return c.r.Rows[c.key], nil }

// SetRow implements engine.Context.
func (c *replayContext) SetRow(row []byte) {
	c.r.grown[c.key] = append(c.r.grown[c.key], maphash.Bytes(c.r.seed, row))
	if row == nil {
		delete(c.r.Rows, c.key)
		return
	}
	c.r.Rows[c.key] = row
}

// SetDue implements engine.Context.
func (c *replayContext) SetDue(int64) {}

// Emit implements engine.Context.
func (c *replayContext) Emit(topic, key string, value []byte, headers ...engine.Header) {
	at := Place{topic, engine.PartitionOf(key, c.r.partitions)}
	c.out[at] = append(c.out[at], Record{Topic: topic, Partition: at.Partition, Offset: -1,
		Key: key, HasKey: true, Value: value, Headers: append(headers, ArrivalHeader(c.arrival))})
}

// Lookup implements engine.Context.
func (c *replayContext) Lookup(topic, key string) ([]byte, error) {
	return c.r.lookups[topic][key], nil
}

// Arrival implements engine.Context.
func (c *replayContext) Arrival() int64 { return c.arrival }
