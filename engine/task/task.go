package task

import (
	"fmt"
	"slices"
	"time"
)

// FireDelay is how much later than due a timer fires, in ms, so that races between topics that
// are read live do not show in what it does.
const FireDelay = int64(time.Second / time.Millisecond)

// Bounds of a task.
const (
	// cacheBytesMax is what each of the two generations of rows in memory may take, of all tables,
	// by estimate, unless SetCache says otherwise.
	cacheBytesMax = 12 << 20
	// repartitionedBytesMax bounds a record that is sent to its own partition: a broker takes a
	// record by its compressed size, so one can be larger than a producer may send. A larger one
	// is given to Fold, which must reject it.
	repartitionedBytesMax = 512 << 10
	// recordOverhead is what a record costs in memory beside its bytes.
	recordOverhead = 256
	// commitBytesMax is what a commit may hold, by estimate, when timers fire: what is due beyond
	// it fires after the next commit.
	commitBytesMax = 8 << 20
	// slabBytes is allocated at once for the bytes of rows.
	slabBytes = 64 << 10
)

// Backend is what a task needs of the world: rows as they were committed last or handed over by
// Cut, and the tables of others.
type Backend interface {
	// Get is the row of a key of a table, which is named by its place among Processor.Tables; nil
	// where there is none.
	Get(table int, key string) ([]byte, error)
	Lookup(topic, key string) ([]byte, error)
}

// Metrics is called for what a task does; any of it may be nil.
type Metrics struct {
	Repartitioned func(topic string)
	Fired         func()
	StreamTime    func(now int64)
}

// Task is the work of one partition. It is used by one goroutine at a time.
type Task struct {
	p          *Processor
	partition  int32
	partitions int32
	back       Backend
	metrics    Metrics

	now             int64 // stream time
	resumed         bool  // the record that is processed was taken before the last Cut
	caches          []*cache
	generationBytes int     // bounds the young rows of all caches
	touched         []touch // by what is being folded or fired
	timers          *timers
	// overdue is when rows were due that were changed later than that; see settle.
	overdue map[timerID]int64
	ctx     Context
	out     []Record
	newest  map[newestKey]int // place in out, for outputs of which the newest counts
	weight  int               // bytes of out and of changed rows
}

type touch struct {
	table int
	*entry
}

type newestKey struct{ topic, key string }

// New makes the task of a partition. The processor must have passed Check.
func New(p *Processor, partition, partitions int32, back Backend, m Metrics) *Task {
	t := &Task{p: p, partition: partition, partitions: partitions, back: back, metrics: m,
		generationBytes: cacheBytesMax,
		timers:          newTimers(), overdue: map[timerID]int64{}, newest: map[newestKey]int{}}
	for range p.Tables {
		t.caches = append(t.caches, newCache())
	}
	t.ctx.task = t
	return t
}

// Index makes a committed row known to the task, after its table was restored: to the timers and to
// the table's Restored.
func (t *Task) Index(table int, key string, row []byte) error {
	d := t.p.Tables[table]
	if !d.watched() {
		return nil
	}
	r, err := d.decode(key, row)
	if err != nil {
		return err
	}
	d.restored(&t.ctx, key, r)
	t.timers.set(timerID{table, key}, d.due(key, r))
	return nil
}

// SetCache sets how many bytes the rows in memory may take, by estimate, from the next Cut on.
func (t *Task) SetCache(bytes int) { t.generationBytes = bytes / 2 }

// age makes room for rows, in all tables at once. No row that is not encoded is in a cache.
func (t *Task) age() {
	young := 0
	for _, c := range t.caches {
		young += c.bytes
	}
	if young <= t.generationBytes {
		return
	}
	for _, c := range t.caches {
		c.age()
	}
}

// Weight is how many bytes the commit that is under way holds, by estimate.
func (t *Task) Weight() int { return t.weight }

// Process takes one record, and reports whether it is done with it. So many timers may be due
// before the record that a commit cannot hold what they do: then Process returns false, and must be
// called with the same record again after a Cut.
func (t *Task) Process(m *Message) (done bool, err error) {
	clock := m.Topic == t.p.Clock && t.p.Clock != ""
	if !clock && t.p.Address != nil {
		t.p.Address(m)
	}
	if !clock && m.HasKey && PartitionOf(m.Key, t.partitions) != t.partition &&
		len(m.Key)+len(m.Value) <= repartitionedBytesMax {
		t.repartition(m)
		return true, nil
	}
	if !t.resumed {
		t.take(m, clock)
	}
	done, err = t.fireDue()
	if t.resumed = !done; err != nil || clock || !done {
		return done, err
	}
	t.ctx.begin(m.Arrival)
	if err := t.p.Fold(&t.ctx, m); err != nil {
		return false, fmt.Errorf("fold %s/%d@%d: %w", m.Topic, m.Partition, m.Offset, err)
	}
	return true, t.settle(m.Arrival - FireDelay)
}

// take begins with a record: stream time moves on.
func (t *Task) take(m *Message, clock bool) {
	if t.p.Taking != nil {
		t.ctx.begin(m.Arrival)
		t.p.Taking(&t.ctx, m)
	}
	t.advance(m.Arrival)
	if clock {
		t.fireOverdue()
	}
}

// repartition sends a record that lies in another partition than its key's to its own. It is not
// folded here, where its key's rows do not belong.
func (t *Task) repartition(m *Message) {
	if t.p.Repartitioned != nil {
		t.p.Repartitioned(m)
	}
	if t.metrics.Repartitioned != nil {
		t.metrics.Repartitioned(m.Topic)
	}
	headers := slices.Clone(m.Headers)
	if _, ok := m.Header(HeaderArrival); !ok {
		headers = append(headers, ArrivalHeader(m.Arrival))
	}
	t.emit(&Record{Topic: m.Topic, Key: m.Key, HasKey: true, Value: m.Value, Headers: headers})
}

func (t *Task) emit(r *Record) {
	if t.isNewest(r.Topic) {
		k := newestKey{r.Topic, r.Key}
		if i, ok := t.newest[k]; ok {
			t.weight += len(r.Value) - len(t.out[i].Value)
			t.out[i] = *r
			return
		}
		t.newest[k] = len(t.out)
	}
	t.out = append(t.out, *r)
	t.weight += len(r.Key) + len(r.Value) + recordOverhead
}

func (t *Task) isNewest(topic string) bool {
	for i := range t.p.Outputs {
		if t.p.Outputs[i].Topic == topic {
			return t.p.Outputs[i].Newest
		}
	}
	return false
}

// entry is the row of a key, from the cache or the backend.
func (t *Task) entry(table int, key string) (*entry, error) {
	if table < 0 || table >= len(t.caches) || key == "" || Reserved(key) {
		return nil, fmt.Errorf("%w: no row of table %d can have the key %q", ErrDeclaration, table,
			key)
	}
	c := t.caches[table]
	if e := c.get(key); e != nil {
		return e, nil
	}
	raw, err := t.back.Get(table, key)
	if err != nil {
		return nil, fmt.Errorf("read row %q: %w", key, err)
	}
	e := &entry{key: key}
	if raw != nil {
		d := t.p.Tables[table]
		if e.row, err = d.decode(key, raw); err != nil {
			return nil, err
		}
		id := timerID{table, key}
		if e.due = t.timers.at[id]; e.due == 0 {
			e.due = t.overdue[id]
		}
	}
	e.weigh(len(raw))
	c.add(e)
	return e, nil
}

// touch notes that a row is about to be changed.
func (t *Task) touch(table int, e *entry) error {
	if t.ctx.flushing > table+1 || (t.ctx.flushing == table+1 && e.key != t.ctx.key) {
		return fmt.Errorf("%w: table %q is changed by a flush of table %q", ErrDeclaration,
			t.p.Tables[table].TableName(), t.p.Tables[t.ctx.flushing-1].TableName())
	}
	e.arrival = t.ctx.arrival
	if !e.changed {
		e.changed = true
		t.caches[table].changed = append(t.caches[table].changed, e)
		t.weight += e.bytes
	}
	if !e.touched {
		e.touched = true
		t.touched = append(t.touched, touch{table, e})
	}
	return nil
}

// advance moves stream time on.
func (t *Task) advance(arrival int64) {
	if arrival <= t.now {
		return
	}
	t.now = arrival
	if t.metrics.StreamTime != nil {
		t.metrics.StreamTime(t.now)
	}
}

// fireDue fires what is due by stream time, and what becomes due by that. It returns false where
// there is more than a commit can hold.
func (t *Task) fireDue() (done bool, err error) {
	now := t.now - FireDelay
	for t.weight < commitBytesMax {
		id, ok := t.timers.next(now)
		if !ok {
			return true, nil
		}
		if err := t.fire(id, now); err != nil {
			return false, err
		}
		t.index(false)
	}
	return !t.timers.due(now), nil
}

// fireOverdue has the rows that settle put off fire, in the order in which they are due.
func (t *Task) fireOverdue() {
	for id, due := range t.overdue {
		t.timers.set(id, due)
	}
	clear(t.overdue)
}

// fire fires a row at the stream time now.
func (t *Task) fire(id timerID, now int64) error {
	d := t.p.Tables[id.table]
	e, err := t.entry(id.table, id.key)
	if err != nil {
		return err
	}
	if e.due != 0 {
		t.timers.set(id, 0)
		e.due = 0
	}
	if e.row == nil {
		return nil
	}
	t.ctx.begin(now)
	if t.metrics.Fired != nil {
		t.metrics.Fired()
	}
	if t.p.Firing != nil {
		t.p.Firing(&t.ctx, d.TableName(), id.key, d.due(id.key, e.row))
	}
	changed := e.changed
	if err := t.touch(id.table, e); err != nil {
		return err
	}
	t.ctx.unchanged = false
	if err := d.fire(&t.ctx, id.key, e.row, now); err != nil {
		return fmt.Errorf("fire %s %q: %w", d.TableName(), id.key, err)
	}
	if t.ctx.unchanged && !changed {
		t.weight -= e.bytes
		t.caches[id.table].unchange(e)
	}
	if due := d.due(id.key, e.row); due != 0 && due <= now {
		return fmt.Errorf("timer of row %q of table %q: %w: due at %d after it was fired at %d",
			id.key, d.TableName(), ErrDeclaration, due, now)
	}
	return nil
}

// settle brings the timers in line with the rows that the record changed. What is due by the
// arrival time of the record itself, limit, is fired at once.
//
// Records that arrived long before the stream time are read when history is imported. What is due
// of their rows by stream time only is put off until the next clock record: the record that makes
// it undue is likely to be the next one, as an end follows its start.
func (t *Task) settle(limit int64) error {
	for {
		first := -1
		var when timer
		for i := range t.touched {
			c := &t.touched[i]
			due := t.p.Tables[c.table].due(c.key, c.row)
			if due == 0 || due > limit {
				continue
			}
			id := timer{due: due, timerID: timerID{c.table, c.key}}
			if first < 0 || compareTimers(&id, &when) < 0 {
				first, when = i, id
			}
		}
		if first < 0 {
			break
		}
		if err := t.fire(when.timerID, limit); err != nil {
			return err
		}
	}
	t.index(true)
	return nil
}

// index sets the timers of the touched rows. With putOff, those that are due by stream time wait
// for a clock record; without, they fire next.
func (t *Task) index(putOff bool) {
	for i := range t.touched {
		c := &t.touched[i]
		c.touched = false
		d := t.p.Tables[c.table]
		if !d.timed() {
			continue
		}
		id := timerID{c.table, c.key}
		delete(t.overdue, id) // also of a row that was forgotten since
		due := d.due(c.key, c.row)
		if due == c.due && (due == 0 || due > t.now-FireDelay) {
			continue
		}
		c.due = due
		if putOff && due != 0 && due <= t.now-FireDelay {
			t.timers.set(id, 0)
			t.overdue[id] = due
			continue
		}
		t.timers.set(id, due)
	}
	clear(t.touched)
	t.touched = t.touched[:0]
}

// Row is a row as it is committed: nil bytes for one that was deleted.
type Row struct {
	Key   string
	Bytes []byte
}

// Changes is what a task did between two commits: the rows of each table that changed, each once,
// and the records to send.
type Changes struct {
	Rows [][]Row // by table
	Out  []Record
}

// Cut ends what is to be committed together: rows are flushed and encoded. Nothing is folded
// meanwhile.
func (t *Task) Cut() (Changes, error) {
	t.ctx.begin(t.now)
	if t.p.Committing != nil {
		if err := t.p.Committing(&t.ctx); err != nil {
			return Changes{}, fmt.Errorf("committing: %w", err)
		}
	}
	for table, d := range t.p.Tables {
		if !d.flushed() {
			continue
		}
		if err := t.flush(table, d); err != nil {
			return Changes{}, fmt.Errorf("flush %s: %w", d.TableName(), err)
		}
	}
	t.index(true)
	u := Changes{Out: t.out, Rows: make([][]Row, len(t.caches))}
	var slab []byte
	for table, c := range t.caches {
		if len(c.changed) > 0 {
			u.Rows[table], slab = c.encode(t.p.Tables[table], slab)
		}
	}
	t.age() // of rows that are only read, too
	t.out, t.weight = nil, 0
	clear(t.newest)
	return u, nil
}

// flush calls the table's Flush for each row that changed.
func (t *Task) flush(table int, d Declared) error {
	t.ctx.flushing = table + 1
	defer func() { t.ctx.flushing = 0 }()
	c := t.caches[table]
	for i := 0; i < len(c.changed); i++ {
		e := c.changed[i]
		if e.row == nil {
			continue
		}
		t.ctx.begin(e.arrival)
		t.ctx.key = e.key
		if err := d.flush(&t.ctx, e.key, e.row); err != nil {
			return fmt.Errorf("row %q: %w", e.key, err)
		}
	}
	return nil
}
