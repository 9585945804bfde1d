package replay

import (
	"context"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
	"chargestream/topics"
)

// rebuild feeds everything that is in the topics through the processors. Tariffs count by their own
// arrival times, whenever they are read, so they come first. All else is merged by arrival: the
// documents of a session depend on what was known at each moment.
func (r *run) rebuild(ctx context.Context) error {
	first, merged := inputs(r.procs)
	for _, name := range first {
		at, _, err := r.bounds(ctx, name)
		if err != nil {
			return err
		}
		_, err = r.reader.Each(ctx, name, at, func(record *kgo.Record) error {
			return r.feed(messageOf(record))
		})
		if err != nil {
			return err
		}
	}
	if err := r.driver.Commit(); err != nil {
		return err
	}
	m, from := newMerge(r.limit), map[string]map[int32]kgo.Offset{}
	for order, name := range merged {
		at, end, err := r.bounds(ctx, name)
		if err != nil {
			return err
		}
		from[name] = map[int32]kgo.Offset{}
		for partition := range end {
			if m.add(name, partition, order, at[partition], end[partition]) {
				from[name][partition] = kgo.NewOffset().At(at[partition])
			}
		}
	}
	r.reader.Client.AddConsumePartitions(from)
	defer r.reader.Client.PurgeTopicsFromConsuming(merged...)
	if err := r.readMerged(ctx, m); err != nil {
		return err
	}
	return r.moveOn(r.driver)
}

// bounds is where a topic begins and where it ends. It notes how many records lie before the first
// that is kept.
func (r *run) bounds(ctx context.Context, name string) (at, end map[int32]int64, err error) {
	if at, end, err = r.reader.Bounds(ctx, name, nil); err != nil {
		return nil, nil, err
	}
	if len(end) != int(r.partitions) {
		return nil, nil, &PartitionsError{name, len(end), int(r.partitions)}
	}
	late := int64(0)
	for partition, offset := range at {
		late += offset
		if offset > 0 {
			r.cut.begins(name, partition)
		}
	}
	if late > 0 && !strings.HasSuffix(name, topics.ClockSuffix) {
		r.report.BeginLate[name] = late
	}
	return at, end, nil
}

// readMerged feeds all that a merge has sources for.
func (r *run) readMerged(ctx context.Context, m *merge) error {
	client := r.reader.Client
	for {
		for {
			message, source := m.take()
			if source == nil {
				break
			}
			if err := r.feed(message); err != nil {
				return err
			}
			if m.mayResume(source) {
				client.ResumeFetchPartitions(source.place())
			}
		}
		if m.done() {
			return nil
		}
		fetches, err := r.reader.Poll(ctx, "the inputs")
		if err != nil {
			return err
		}
		fetches.EachPartition(func(f kgo.FetchTopicPartition) {
			if source, stop := m.feed(f.Topic, f.Partition, f.Records); stop {
				client.PauseFetchPartitions(source.place())
			}
		})
	}
}

// feed gives a record to the processors, by the key that they fold it by. One that does not lie in
// the partition of that key was repartitioned by the live processors: its copy is folded in its
// place.
func (r *run) feed(m engine.Message) error {
	r.report.Records[m.Topic]++
	r.cut.note(&m)
	for _, p := range r.procs {
		if p.Address != nil {
			p.Address(&m)
		}
	}
	if m.HasKey && engine.PartitionOf(m.Key, r.partitions) != m.Partition {
		return nil
	}
	r.now[m.Partition] = max(r.now[m.Partition], m.Arrival)
	return r.driver.Feed(m)
}

// moveOn fires what is due by the time that the records have come to, of the rows as they are
// committed. A row may be due by it and wait for the next clock record: which ones do depends on
// the order of reading, and on when a task began.
func (r *run) moveOn(driver *engine.Driver) error {
	if err := driver.Restart(); err != nil {
		return err
	}
	for _, p := range r.procs {
		for partition, now := range r.now {
			if p.Clock == "" || now == 0 {
				continue
			}
			err := driver.Feed(engine.Message{Topic: p.Clock, Partition: int32(partition),
				Arrival: now, Timestamp: now})
			if err != nil {
				return err
			}
		}
	}
	return driver.Commit()
}

func messageOf(r *kgo.Record) engine.Message {
	m := engine.Message{
		Topic:     r.Topic,
		Partition: r.Partition,
		Offset:    r.Offset,
		Key:       string(r.Key),
		HasKey:    len(r.Key) > 0,
		Value:     r.Value,
		Timestamp: r.Timestamp.UnixMilli(),
		Headers:   engine.HeadersOf(r),
	}
	m.Arrival = engine.ArrivalOf(m.Headers, m.Timestamp)
	return m
}
