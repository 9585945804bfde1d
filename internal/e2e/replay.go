package e2e

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"chargestream/engine"
	"chargestream/engine/task"
)

// The order in which a partition's records are taken depends on when each was read: the engine
// waits for a topic that is behind for a bounded time, and commits at a fixed interval. The result
// of an order does not depend on anything else: a task is a function of its committed rows and the
// records that it takes. So a processor under test sends an account of what it took, fired and
// committed, and a Replay runs a task of its own by that account. The account must have every
// record of the inputs once and in turn. The result is what each partition of each output and of
// each changelog must hold, record by record, whatever the faults were.

// Log is what the partitions hold, as a reader of committed records sees it.
type Log map[Place][]Record

// Table is the last value of each key of a topic, without the engine's own records.
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
	// Findings are what is wrong with the account: records that were not taken, taken twice or out
	// of turn, rows that were fired too early or not at all, and work that was not committed.
	Findings []Finding
	// Emitted are the records of each partition of the outputs, one sequence for each partition of
	// the inputs.
	Emitted map[Place][][]Record
	// Changelogs are the records of each partition of the tables' topics, as Emitted.
	Changelogs map[Place][][]Record
	// Rows are the rows of each table, by its name.
	Rows map[string]map[string][]byte
	// Taken counts, for each input partition, the records that were taken.
	Taken map[Place]int
	Work

	p          *engine.Processor
	fires      func(ctx *engine.Context, table, key string, due int64)
	partitions int32
	log        Log
	lookups    map[string]map[string][]byte
}

// Work is how much the tasks of a processor did.
type Work struct{ Tasks, Commits, Fired int }

// NewReplay takes the records that a processor took, by the account in the log. An error means that
// the account cannot be read, or that a fold failed.
func NewReplay(p *engine.Processor, partitions int32, log Log) (*Replay, error) {
	r := &Replay{Emitted: map[Place][][]Record{}, Changelogs: map[Place][][]Record{},
		Rows: map[string]map[string][]byte{}, Taken: map[Place]int{}, partitions: partitions,
		log: log, lookups: map[string]map[string][]byte{}}
	// What an account adds to a commit counts for when a commit is full.
	r.p = Audited(p, partitions)
	r.fires = r.p.Firing
	if err := r.p.Check(); err != nil {
		return nil, err
	}
	for _, topic := range p.Lookups {
		r.lookups[topic] = log.Table(topic, partitions)
	}
	for _, t := range p.Tables {
		r.Rows[t.TableName()] = map[string][]byte{}
	}
	for partition := range partitions {
		if err := r.replay(partition); err != nil {
			return nil, fmt.Errorf("replay %s/%d: %w", p.Group, partition, err)
		}
	}
	return r, nil
}

// Home reports whether a record lies in the partition of its key. One without a key is at home
// everywhere.
func Home(r *Record, partitions int32) bool {
	return r.Key == "" || engine.PartitionOf(r.Key, partitions) == r.Partition
}

// replay follows the account of one partition.
func (r *Replay) replay(partition int32) error {
	w := &worker{Replay: r, partition: partition, inputs: map[string][]Record{},
		next: map[string]int{}, out: map[Place][]Record{}, rows: map[Place][]Record{}}
	for range r.p.Tables {
		w.committed = append(w.committed, map[string][]byte{})
	}
	for _, topic := range r.p.Topics() {
		for _, rec := range r.log[Place{topic, partition}] {
			if Home(&rec, r.partitions) { // else the engine sends it to its own partition
				w.inputs[topic] = append(w.inputs[topic], rec)
			}
		}
	}
	r.p.Firing = w.firing
	for _, entry := range r.log[Place{AuditTopic(r.p.Group), partition}] {
		if err := w.entry(string(entry.Value)); err != nil {
			return fmt.Errorf("account at offset %d: %w", entry.Offset, err)
		}
	}
	w.end()
	for _, topic := range slices.Sorted(maps.Keys(w.inputs)) {
		w.passedOver(w.inputs[topic][w.next[topic]:])
	}
	for at, list := range w.out {
		r.Emitted[at] = append(r.Emitted[at], list)
	}
	for at, list := range w.rows {
		r.Changelogs[at] = append(r.Changelogs[at], list)
	}
	for i, t := range r.p.Tables {
		maps.Copy(r.Rows[t.TableName()], w.committed[i])
	}
	return nil
}

// worker follows the account of a partition with tasks of its own, one after another.
type worker struct {
	*Replay
	partition int32
	inputs    map[string][]Record
	next      map[string]int // how far each input was taken
	committed []map[string][]byte
	task      *task.Task
	fired     []firing // by the task, and not yet named by the account
	open      int      // entries since the last commit
	unfolded  *taken   // a record before which timers fire, in several commits
	resume    bool     // the task goes on with unfolded, if there is no other one
	out, rows map[Place][]Record
}

// taken is a record that a task took.
type taken struct {
	message *engine.Message
	index   int // among those of its partition
}

// firing is a row that was fired, and when.
type firing struct {
	table, key string
	now        int64
}

var errAccount = errors.New("is no account of a task")

// entry follows one entry of the account.
func (w *worker) entry(text string) error {
	verb, rest, _ := strings.Cut(text, " ")
	if verb == verbBegin && rest == "" {
		return w.begin()
	}
	if w.task == nil {
		return fmt.Errorf("%q before the task began: %w", text, errAccount)
	}
	if w.resume {
		w.resume = false
		if err := w.process(w.unfolded); err != nil {
			return err
		}
	}
	name, rest, _ := strings.Cut(rest, " ")
	number, key, _ := strings.Cut(rest, " ")
	n, err := strconv.ParseInt(number, 10, 64)
	switch {
	case verb == verbCommit && name == "":
		return w.commit()
	case err == nil && verb == verbTake:
		return w.take(Place{name, w.partition}, n)
	case err == nil && verb == verbFire:
		w.fire(firing{name, key, n})
		return nil
	}
	return fmt.Errorf("%q %w", text, errAccount)
}

// begin makes a new task of the rows that are committed. It has no stream time and no rows that
// wait for a clock record, as neither is stored.
//
// A record that the task before had not folded when it ended is taken again.
func (w *worker) begin() error {
	w.end()
	if u := w.unfolded; u != nil {
		w.next[u.message.Topic] = u.index
		w.Taken[Place{u.message.Topic, w.partition}]--
		w.unfolded, w.resume = nil, false
	}
	w.Tasks++
	w.task = task.New(w.p, w.partition, w.partitions, w, task.Metrics{})
	for table, rows := range w.committed {
		for key, row := range rows {
			if err := w.task.Index(table, key, row); err != nil {
				return err
			}
		}
	}
	return nil
}

// end notes what a task did without a commit.
func (w *worker) end() {
	w.notFired()
	if w.open > 0 {
		w.find(Lost, Place{AuditTopic(w.p.Group), w.partition}, -1, "",
			fmt.Sprintf(": %d entries without a commit", w.open))
	}
	w.open = 0
}

// take takes the record at an offset, and notes where it was not the next one of its topic.
func (w *worker) take(at Place, offset int64) error {
	w.notFired()
	list, next := w.inputs[at.Topic], w.next[at.Topic]
	i, ok := slices.BinarySearchFunc(list, offset, func(rec Record, offset int64) int {
		return int(rec.Offset - offset)
	})
	if !ok {
		w.find(Foreign, at, offset, "", ": taken, and not there")
		return nil
	}
	if i < next {
		w.find(Doubled, at, offset, list[i].Key, ": taken again, or out of turn")
	} else {
		w.passedOver(list[next:i])
		w.next[at.Topic] = i + 1
	}
	rec := &list[i]
	w.Taken[at]++
	w.open++
	return w.process(&taken{index: i, message: &engine.Message{Topic: at.Topic,
		Partition: at.Partition, Offset: offset, Key: rec.Key, HasKey: rec.Key != "",
		Value: rec.Value, Headers: rec.Headers, Timestamp: rec.Timestamp,
		Arrival: engine.ArrivalOf(rec.Headers, rec.Timestamp)}})
}

// process has the task take a record, or go on with one after a commit.
func (w *worker) process(r *taken) error {
	done, err := w.task.Process(r.message)
	w.unfolded = nil
	if !done {
		w.unfolded = r
	}
	return err
}

// firing is called before the worker's task fires a row.
func (w *worker) firing(ctx *engine.Context, table, key string, due int64) {
	now := ctx.Arrival()
	if due == 0 || due > now {
		w.find(Early, w.tablePlace(table), -1, key, fmt.Sprintf(": due %d, now %d", due, now))
	}
	w.Fired++
	w.fired = append(w.fired, firing{table, key, now})
	w.fires(ctx, table, key, due)
}

// fire compares a firing of the account with those of the worker's task.
func (w *worker) fire(f firing) {
	w.open++
	i := slices.Index(w.fired, f)
	if i < 0 {
		w.find(Early, w.tablePlace(f.table), -1, f.key,
			fmt.Sprintf(": fired at %d, and was not due", f.now))
		return
	}
	rest := w.fired[i+1:]
	w.fired = w.fired[:i]
	w.notFired()
	w.fired = rest
}

// notFired notes rows that were due and that the account does not name.
func (w *worker) notFired() {
	for _, f := range w.fired {
		w.find(Lost, w.tablePlace(f.table), -1, f.key, fmt.Sprintf(": not fired at %d", f.now))
	}
	w.fired = nil
}

func (w *worker) tablePlace(table string) Place {
	return Place{table + task.TableSuffix, w.partition}
}

// commit commits what the task did since the last commit.
func (w *worker) commit() error {
	w.notFired()
	w.open = 0
	w.Commits++
	u, err := w.task.Cut()
	if err != nil {
		return err
	}
	for table, rows := range u.Rows {
		at := w.tablePlace(w.p.Tables[table].TableName())
		for _, row := range rows {
			w.rows[at] = append(w.rows[at], rowRecord(at, row))
			if row.Bytes == nil {
				delete(w.committed[table], row.Key)
			} else {
				w.committed[table][row.Key] = row.Bytes
			}
		}
	}
	for i := range u.Out {
		o := &u.Out[i]
		at := Place{o.Topic, engine.PartitionOf(o.Key, w.partitions)}
		w.out[at] = append(w.out[at], Record{Topic: o.Topic, Partition: at.Partition, Offset: -1,
			Key: o.Key, HasKey: o.HasKey, Value: o.Value, Headers: o.Headers})
	}
	w.resume = w.unfolded != nil
	return nil
}

// rowRecord is a row as the changelog must have it.
func rowRecord(at Place, row task.Row) Record {
	return Record{Topic: at.Topic, Partition: at.Partition, Offset: -1, Key: row.Key, HasKey: true,
		Value: row.Bytes}
}

// Get implements task.Backend.
func (w *worker) Get(table int, key string) ([]byte, error) { return w.committed[table][key], nil }

// Lookup implements task.Backend.
func (w *worker) Lookup(topic, key string) ([]byte, error) { return w.lookups[topic][key], nil }

// passedOver notes records that were never taken.
func (w *worker) passedOver(list []Record) {
	for i := range list {
		rec := &list[i]
		w.find(Lost, Place{rec.Topic, rec.Partition}, rec.Offset, rec.Key, ": not taken")
	}
}

func (r *Replay) find(kind Kind, at Place, offset int64, key, detail string) {
	r.Findings = append(r.Findings, Finding{Kind: kind, Place: at, Offset: offset, Key: key,
		Detail: " in group " + r.p.Group + detail})
}
