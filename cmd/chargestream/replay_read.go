package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/internal/engine"
	"chargestream/topics"
)

// rebuild feeds everything that is in the topics through the processors. Reference data counts by
// its own arrival times, whenever it is read, so it comes first. All else is merged by arrival:
// what was sent of a session hangs on what was known at each moment.
func (r *replay) rebuild(ctx context.Context) error {
	reference, merged := replayInputs(r.procs)
	for _, name := range reference {
		at, _, err := r.bounds(ctx, name)
		if err != nil {
			return err
		}
		_, err = r.eachRecord(ctx, r.client, name, at, func(record *kgo.Record) error {
			return r.feed(messageOf(record))
		})
		if err != nil {
			return err
		}
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
	r.client.AddConsumePartitions(from)
	defer r.client.PurgeTopicsFromConsuming(merged...)
	return r.readMerged(ctx, m)
}

// bounds is where a topic begins and where it ends. It notes how many records lie before the first
// that is kept.
func (r *replay) bounds(ctx context.Context, name string) (at, end map[int32]int64, err error) {
	if at, end, err = r.recordBounds(ctx, r.client, name, nil); err != nil {
		return nil, nil, err
	}
	if len(end) != int(r.partitions) {
		return nil, nil, &exitError{code: exitInvalid,
			what: fmt.Sprintf("topic %s has %d partitions, not %d as %s", name, len(end),
				r.partitions, topics.StationStatus),
			hint: "\"chargestream topics check\" tells which topics differ"}
	}
	late := int64(0)
	for _, offset := range at {
		late += offset
	}
	if late > 0 && !strings.HasSuffix(name, topics.ClockSuffix) {
		r.report.BeginLate[name] = late
	}
	return at, end, nil
}

// readMerged feeds all that a merge has sources for.
func (r *replay) readMerged(ctx context.Context, m *merge) error {
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
				r.client.ResumeFetchPartitions(source.place())
			}
		}
		if m.done() {
			return nil
		}
		fetches, err := r.poll(ctx, r.client, "the inputs")
		if err != nil {
			return err
		}
		fetches.EachPartition(func(f kgo.FetchTopicPartition) {
			if source, stop := m.feed(f.Topic, f.Partition, f.Records); stop {
				r.client.PauseFetchPartitions(source.place())
			}
		})
	}
}

// feed gives a record to the processors.
func (r *replay) feed(m engine.Message) error {
	r.report.Records[m.Topic]++
	if m.HasKey && engine.PartitionOf(m.Key, r.partitions) != m.Partition {
		// It does not lie in the partition of its key. It was led there, and is met in that place,
		// as the processors met it.
		return nil
	}
	return r.driver.Feed(m)
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
	}
	for _, h := range r.Headers {
		m.Headers = append(m.Headers, engine.Header{Key: h.Key, Value: h.Value})
	}
	m.Arrival = engine.ArrivalOf(m.Headers, m.Timestamp)
	return m
}
