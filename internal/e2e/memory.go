package e2e

import (
	"fmt"

	"chargestream/engine"
	"chargestream/engine/task"
	"chargestream/ingest"
)

// commitEvery is how many records a Memory folds between two commits.
const commitEvery = 50

// Memory runs processors without a broker, by one goroutine, and keeps what a broker would: each
// record in the partition of its key, and each row in the changelog of its table.
type Memory struct {
	Log Log
	// RestartEvery is how many entries of a journal are put in before all tasks are made anew;
	// zero for never.
	RestartEvery int

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
	driver.CommitEvery = commitEvery
	driver.OnRecord = func(topic, key string, value []byte, headers []engine.Header) {
		m.put(Record{Topic: topic, Partition: engine.PartitionOf(key, partitions), Key: key,
			HasKey: true, Value: value, Headers: headers,
			Timestamp: engine.ArrivalOf(headers, 0)})
	}
	driver.OnRow = func(topic string, partition int32, row task.Row) {
		m.put(rowRecord(Place{topic, partition}, row))
	}
	return m, nil
}

func (m *Memory) put(r Record) {
	at := Place{r.Topic, r.Partition}
	r.Offset = int64(len(m.Log[at]))
	m.Log[at] = append(m.Log[at], r)
}

// Rows are the rows of a table, by its name.
func (m *Memory) Rows(table string) map[string][]byte { return m.driver.Rows(table) }

// Run takes reference data, then a journal, and moves time on to its end.
func (m *Memory) Run(j *Journal, reference []ingest.Record) error {
	for _, r := range reference {
		rec := Record{Topic: r.Topic, Partition: engine.PartitionOf(r.Key, m.partitions),
			Key: r.Key, HasKey: true, Value: r.Value, Timestamp: int64(r.Arrival)}
		if err := m.feed(rec); err != nil {
			return err
		}
	}
	if err := m.driver.Commit(); err != nil {
		return err
	}
	for i := range j.Entries {
		if m.RestartEvery > 0 && i%m.RestartEvery == m.RestartEvery-1 {
			if err := m.driver.Restart(); err != nil {
				return err
			}
		}
		rec := j.Entries[i].asRecord()
		rec.Timestamp = int64(j.Entries[i].Arrival)
		if err := m.feed(rec); err != nil {
			return err
		}
	}
	// What is sent to its own partition counts before time moves on.
	if err := m.driver.Commit(); err != nil {
		return err
	}
	return m.tick(int64(j.End))
}

// feed puts a record in and has it taken.
func (m *Memory) feed(r Record) error {
	m.put(r)
	err := m.driver.Feed(engine.Message{Topic: r.Topic, Partition: r.Partition, Key: r.Key,
		HasKey: r.Key != "", Value: r.Value, Headers: r.Headers, Arrival: r.Timestamp,
		Timestamp: r.Timestamp})
	if err != nil {
		return fmt.Errorf("%s %q: %w", r.Topic, r.Key, err)
	}
	return nil
}

// tick moves stream time on in all partitions, and commits.
func (m *Memory) tick(now int64) error {
	for _, p := range m.procs {
		if p.Clock == "" {
			continue
		}
		for partition := range m.partitions {
			err := m.feed(Record{Topic: p.Clock, Partition: partition, Timestamp: now})
			if err != nil {
				return err
			}
		}
	}
	return m.driver.Commit()
}
