package task

import (
	"fmt"
	"slices"
)

// Driver runs processors in memory, with no broker: for tests, for the check of a replay, and as
// the loop that is benchmarked. It is single-threaded and deterministic: records are taken in
// the order in which they are fed, and each one's consequences before the next.
type Driver struct {
	// CommitEvery is how many records are folded between two commits: 1 by default. Zero leaves
	// commits to the caller.
	CommitEvery int
	// OnRecord is called for every record that is sent; nil for nothing.
	OnRecord func(topic, key string, value []byte, headers []Header)
	// OnRow is called for every row that is committed, in the order in which a changelog has them;
	// nil for nothing.
	OnRow func(topic string, partition int32, row Row)

	partitions int32
	procs      []*driverProcessor
	readers    map[string][]*driverProcessor
	lookups    map[string]map[string][]byte
	next       map[string][]int64 // next offset by topic and partition
	queue      []*Message
	folded     int // since the last commit
}

type driverProcessor struct {
	p     *Processor
	tasks []*Task
	rows  [][]map[string][]byte // by partition and table
	dirty []bool                // by partition: something was folded since the last commit
}

// NewDriver makes a driver of processors over topics of that many partitions.
func NewDriver(partitions int32, procs ...*Processor) (*Driver, error) {
	d := &Driver{CommitEvery: 1, partitions: partitions, readers: map[string][]*driverProcessor{},
		lookups: map[string]map[string][]byte{}, next: map[string][]int64{}}
	for _, p := range procs {
		if err := p.Check(); err != nil {
			return nil, fmt.Errorf("processor %q: %w", p.Group, err)
		}
		dp := &driverProcessor{p: p, dirty: make([]bool, partitions)}
		for i := range partitions {
			b := &driverBackend{d: d}
			for range p.Tables {
				b.rows = append(b.rows, map[string][]byte{})
			}
			dp.rows = append(dp.rows, b.rows)
			dp.tasks = append(dp.tasks, New(p, i, partitions, b, Metrics{}))
		}
		d.procs = append(d.procs, dp)
		for _, topic := range p.Topics() {
			d.readers[topic] = append(d.readers[topic], dp)
		}
		for _, topic := range p.Lookups {
			d.lookups[topic] = map[string][]byte{}
		}
	}
	return d, nil
}

// Feed takes one record and all of its consequences. A record of a looked-up topic changes that
// table, and so does the commit of a processor that keeps it; one with a negative partition is
// placed by its key.
func (d *Driver) Feed(m Message) error {
	d.push(&m)
	if err := d.drain(); err != nil {
		return err
	}
	d.folded++
	if d.CommitEvery > 0 && d.folded >= d.CommitEvery {
		return d.Commit()
	}
	return nil
}

func (d *Driver) drain() error {
	for len(d.queue) > 0 {
		m := d.queue[0]
		d.queue = d.queue[1:]
		for _, dp := range d.readers[m.Topic] {
			dp.dirty[m.Partition] = true
			if err := d.process(dp, m); err != nil {
				return err
			}
		}
	}
	return nil
}

// process takes a record, with as many commits as it needs.
func (d *Driver) process(dp *driverProcessor, m *Message) error {
	for {
		done, err := dp.tasks[m.Partition].Process(m)
		if err != nil || done {
			return err
		}
		if err := d.commit(dp, int(m.Partition)); err != nil {
			return err
		}
	}
}

// Commit commits what was folded: rows are written and records are sent, until nothing is left.
func (d *Driver) Commit() error {
	d.folded = 0
	for again := true; again; {
		again = false
		for _, dp := range d.procs {
			for i, dirty := range dp.dirty {
				if !dirty {
					continue
				}
				dp.dirty[i], again = false, true
				if err := d.commit(dp, i); err != nil {
					return err
				}
			}
		}
		if err := d.drain(); err != nil {
			return err
		}
	}
	return nil
}

// Load puts a committed row into a table, as if it had been restored; Restart makes the tasks
// of it. A row that cannot be read is left out.
func (d *Driver) Load(table string, partition int32, key string, row []byte) error {
	for _, dp := range d.procs {
		i := slices.IndexFunc(dp.p.Tables, func(t Declared) bool { return t.TableName() == table })
		if i < 0 {
			continue
		}
		if _, err := dp.p.Tables[i].decode(key, row); err != nil {
			return err
		}
		dp.rows[partition][i][key] = row
		d.keep(dp.p.Tables[i].Topic(), key, row)
	}
	return nil
}

// Restart commits and makes every task again from its rows, as after a rebalance.
func (d *Driver) Restart() error {
	if err := d.Commit(); err != nil {
		return err
	}
	for _, dp := range d.procs {
		for i := range dp.tasks {
			b := &driverBackend{d: d, rows: dp.rows[i]}
			t := New(dp.p, int32(i), d.partitions, b, Metrics{})
			for table, rows := range dp.rows[i] {
				for key, row := range rows {
					if err := t.Index(table, key, row); err != nil {
						return err
					}
				}
			}
			dp.tasks[i] = t
		}
	}
	return nil
}

func (d *Driver) commit(dp *driverProcessor, partition int) error {
	u, err := dp.tasks[partition].Cut()
	if err != nil {
		return err
	}
	for table, changed := range u.Rows {
		rows := dp.rows[partition][table]
		for _, r := range changed {
			topic := dp.p.Tables[table].Topic()
			if d.OnRow != nil {
				d.OnRow(topic, int32(partition), r)
			}
			d.keep(topic, r.Key, r.Bytes)
			if r.Bytes == nil {
				delete(rows, r.Key)
			} else {
				rows[r.Key] = r.Bytes
			}
		}
	}
	for i := range u.Out {
		d.send(&u.Out[i])
	}
	return nil
}

func (d *Driver) send(r *Record) {
	if d.OnRecord != nil {
		d.OnRecord(r.Topic, r.Key, r.Value, r.Headers)
	}
	arrival := ArrivalOf(r.Headers, 0)
	d.push(&Message{Topic: r.Topic, Partition: -1, Key: r.Key, HasKey: r.HasKey, Value: r.Value,
		Headers: r.Headers, Arrival: arrival, Timestamp: arrival})
}

func (d *Driver) push(m *Message) {
	d.keep(m.Topic, m.Key, m.Value)
	if len(d.readers[m.Topic]) == 0 {
		return
	}
	if m.Partition < 0 {
		m.Partition = PartitionOf(m.Key, d.partitions)
	}
	if d.next[m.Topic] == nil {
		d.next[m.Topic] = make([]int64, d.partitions)
	}
	if m.Offset == 0 {
		m.Offset = d.next[m.Topic][m.Partition]
	}
	d.next[m.Topic][m.Partition] = m.Offset + 1
	d.queue = append(d.queue, m)
}

// keep changes a row of a table that is looked up; nil deletes it.
func (d *Driver) keep(topic, key string, row []byte) {
	switch table, ok := d.lookups[topic]; {
	case !ok || Reserved(key):
	case row == nil:
		delete(table, key)
	default:
		table[key] = row
	}
}

// Tick moves stream time on in every partition of every processor that has a clock, and commits.
func (d *Driver) Tick(now int64) error {
	for _, dp := range d.procs {
		if dp.p.Clock == "" {
			continue
		}
		for i := range d.partitions {
			err := d.Feed(Message{Topic: dp.p.Clock, Partition: i, Arrival: now, Timestamp: now})
			if err != nil {
				return err
			}
		}
	}
	return d.Commit()
}

// Rows are the committed rows of a table, by its name. The caller must not change them.
func (d *Driver) Rows(table string) map[string][]byte {
	all := map[string][]byte{}
	for _, dp := range d.procs {
		i := slices.IndexFunc(dp.p.Tables, func(t Declared) bool { return t.TableName() == table })
		if i < 0 {
			continue
		}
		for _, rows := range dp.rows {
			for k, v := range rows[i] {
				all[k] = v
			}
		}
	}
	return all
}

type driverBackend struct {
	d    *Driver
	rows []map[string][]byte
}

// Get implements Backend.
func (b *driverBackend) Get(
	table int,
	key string,
) ([]byte, error) {
	return b.rows[table][key], nil
}

// Lookup implements Backend.
func (b *driverBackend) Lookup(topic, key string) ([]byte, error) {
	return b.d.lookups[topic][key], nil
}
