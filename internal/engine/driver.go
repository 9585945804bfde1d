package engine

import (
	"fmt"
	"slices"
)

// Driver runs processors in memory, with no broker: for tests, for the check of a replay, and as
// the loop that is benchmarked. It is single-threaded and deterministic: records are taken in
// the order in which they are fed, and each one's consequences before the next.
type Driver struct {
	partitions int32
	procs      []*driverProc
	readers    map[string][]*driverProc
	lookups    map[string]map[string][]byte
	next       map[string][]int64 // next offset by topic and partition
	queue      []*Message
	// OnRecord is called for every record that is emitted; nil for nobody.
	OnRecord func(topic, key string, value []byte, headers []Header)
}

type driverProc struct {
	p     *Processor
	tasks []*task
	rows  []map[string][]byte
}

// NewDriver makes a driver of processors over topics of that many partitions.
func NewDriver(partitions int32, procs ...*Processor) (*Driver, error) {
	d := &Driver{partitions: partitions, readers: map[string][]*driverProc{},
		lookups: map[string]map[string][]byte{}, next: map[string][]int64{}}
	for _, p := range procs {
		if err := p.check(); err != nil {
			return nil, fmt.Errorf("processor %q: %w", p.Group, err)
		}
		dp := &driverProc{p: p}
		for i := range partitions {
			b := &driverBackend{d: d, table: p.Table(), rows: map[string][]byte{}}
			dp.rows = append(dp.rows, b.rows)
			dp.tasks = append(dp.tasks, newTask(p, i, partitions, b))
		}
		d.procs = append(d.procs, dp)
		for _, topic := range append(slices.Clone(p.Inputs), p.Clock) {
			if topic != "" {
				d.readers[topic] = append(d.readers[topic], dp)
			}
		}
		for _, topic := range p.Lookups {
			d.lookups[topic] = map[string][]byte{}
		}
	}
	return d, nil
}

// Feed takes one record and all of its consequences. A record of a looked-up topic changes that
// table, and so does a processor that keeps it; one with a negative partition is placed by its key.
func (d *Driver) Feed(m Message) error {
	d.push(&m)
	for len(d.queue) > 0 {
		m := d.queue[0]
		d.queue = d.queue[1:]
		for _, dp := range d.readers[m.Topic] {
			if err := dp.tasks[m.Partition].process(m); err != nil {
				return err
			}
		}
	}
	return nil
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

// keep changes a row of a table, if somebody looks that up; nil deletes it.
func (d *Driver) keep(topic, key string, row []byte) {
	switch table, ok := d.lookups[topic]; {
	case !ok || Reserved(key):
	case row == nil:
		delete(table, key)
	default:
		table[key] = row
	}
}

// Tick moves stream time on in every partition of every processor that has a clock.
func (d *Driver) Tick(now int64) error {
	for _, dp := range d.procs {
		for i := range d.partitions {
			if dp.p.Clock == "" {
				continue
			}
			err := d.Feed(Message{Topic: dp.p.Clock, Partition: i, Arrival: now, Timestamp: now})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// Rows are the rows of a group's table. The caller must not change them.
func (d *Driver) Rows(group string) map[string][]byte {
	all := map[string][]byte{}
	for _, dp := range d.procs {
		if dp.p.Group != group {
			continue
		}
		for _, rows := range dp.rows {
			for k, v := range rows {
				all[k] = v
			}
		}
	}
	return all
}

type driverBackend struct {
	d     *Driver
	table string
	rows  map[string][]byte
}

func (b *driverBackend) get(key string) ([]byte, error) { return b.rows[key], nil }

// set changes a row. Those who look the table up see it with the next record; on Kafka they do when
// the unit of work is committed.
func (b *driverBackend) set(key string, row []byte) {
	b.d.keep(b.table, key, row)
	if row == nil {
		delete(b.rows, key)
		return
	}
	b.rows[key] = row
}

func (b *driverBackend) emit(r *outRecord) {
	if b.d.OnRecord != nil {
		b.d.OnRecord(r.topic, r.key, r.value, r.headers)
	}
	arrival := ArrivalOf(r.headers, 0)
	b.d.push(&Message{Topic: r.topic, Partition: -1, Key: r.key, HasKey: r.hasKey, Value: r.value,
		Headers: r.headers, Arrival: arrival, Timestamp: arrival})
}

func (b *driverBackend) lookup(topic, key string) ([]byte, error) {
	return b.d.lookups[topic][key], nil
}
