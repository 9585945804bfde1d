package e2e

import (
	"fmt"

	"chargestream/ingest"
	"chargestream/internal/engine"
	"chargestream/topics"
)

// Memory runs processors without a broker, by one goroutine, and keeps what a broker would: each
// record in the partition of its key.
type Memory struct {
	Log Log

	driver     *engine.Driver
	procs      []*engine.Processor
	partitions int32
}

// NewMemory makes a Memory of processors.
func NewMemory(partitions int32, procs ...*engine.Processor) (*Memory, error) {
	driver, err := engine.NewDriver(partitions, procs...)
	if err != nil {
		return nil, err
	}
	m := &Memory{Log: Log{}, driver: driver, procs: procs, partitions: partitions}
	driver.OnRecord = func(topic, key string, value []byte, headers []engine.Header) {
		m.put(Record{Topic: topic, Partition: engine.PartitionOf(key, partitions), Key: key,
			HasKey: true, Value: value, Headers: headers,
			Timestamp: engine.ArrivalOf(headers, 0)})
	}
	return m, nil
}

func (m *Memory) put(r Record) {
	at := Place{r.Topic, r.Partition}
	r.Offset = int64(len(m.Log[at]))
	m.Log[at] = append(m.Log[at], r)
}

// Rows are the rows of a group's table.
func (m *Memory) Rows(group string) map[string][]byte { return m.driver.Rows(group) }

// Run takes reference data, then a journal, and moves time on to its end.
func (m *Memory) Run(j *Journal, reference []ingest.Record) error {
	for _, r := range reference {
		at := int64(r.Arrival)
		rec := Record{Topic: r.Topic, Partition: engine.PartitionOf(r.Key, m.partitions),
			Key: r.Key, HasKey: true, Value: r.Value, Timestamp: at}
		m.put(rec)
		err := m.driver.Feed(engine.Message{Topic: r.Topic, Partition: rec.Partition, Key: r.Key,
			HasKey: true, Value: r.Value, Arrival: at, Timestamp: at})
		if err != nil {
			return fmt.Errorf("%s %q: %w", r.Topic, r.Key, err)
		}
	}
	for i := range j.Entries {
		e := &j.Entries[i]
		rec := e.asRecord()
		rec.Timestamp = int64(e.Arrival)
		m.put(rec)
		if err := m.driver.Feed(e.message()); err != nil {
			return fmt.Errorf("%s %q: %w", e.Topic, e.Key, err)
		}
	}
	return m.driver.Tick(int64(j.End))
}

// PutTables adds the topics of the tables to the log, as compaction leaves them in the end.
func (m *Memory) PutTables() {
	for _, p := range m.procs {
		for key, row := range m.Rows(p.Group) {
			m.put(Record{Topic: topics.Table(p.Group), Key: key, HasKey: true, Value: row,
				Partition: engine.PartitionOf(key, m.partitions)})
		}
	}
}

// message is the entry as the Driver takes it.
func (e *Entry) message() engine.Message {
	return engine.Message{Topic: e.Topic, Partition: e.Partition, Key: e.Key, HasKey: e.Key != "",
		Value: e.Value, Headers: []engine.Header{ArrivalHeader(int64(e.Arrival))},
		Arrival: int64(e.Arrival), Timestamp: int64(e.Arrival)}
}
