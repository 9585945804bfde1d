package engine

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine/broker"
	"chargestream/engine/task"
)

// sendOutputs sends what was emitted. The flush reports errors.
func (i *instance) sendOutputs(ctx context.Context, iv *interval) {
	note := func(r *kgo.Record, err error) {
		if err != nil {
			i.note(&broker.ProduceError{Topic: r.Topic, Partition: r.Partition, Err: err})
		}
	}
	for _, w := range iv.partitions {
		records := make([]kgo.Record, len(w.Out))
		for n := range w.Out {
			fillRecord(&records[n], &w.Out[n])
			i.producer.Produce(ctx, &records[n], note)
			i.c.Metrics.produced(records[n].Topic)
		}
	}
	for _, r := range iv.clocks {
		i.producer.Produce(ctx, r, note)
	}
}

// fillRecord makes the client's record of an emitted one.
func fillRecord(r *kgo.Record, from *task.Record) {
	r.Topic, r.Value = from.Topic, from.Value
	if from.HasKey {
		r.Key = []byte(from.Key)
	}
	r.Headers = make([]kgo.RecordHeader, len(from.Headers))
	for n, h := range from.Headers {
		r.Headers[n] = kgo.RecordHeader{Key: h.Key, Value: h.Value}
	}
}

// sendChangelog sends the changed rows of the tables from one up to another, each row once, however
// often it changed.
func (i *instance) sendChangelog(ctx context.Context, iv *interval, from, to int) {
	for _, w := range iv.partitions {
		for table := from; table < to; table++ {
			i.sendRows(ctx, w, table)
		}
	}
}

func (i *instance) sendRows(ctx context.Context, w *work, table int) {
	note := func(r *kgo.Record, err error) {
		if err != nil {
			i.note(&broker.ProduceError{Topic: r.Topic, Partition: r.Partition, Err: err})
			return
		}
		w.mu.Lock()
		w.offsets[table] = max(w.offsets[table], r.Offset)
		w.mu.Unlock()
	}
	rows, topic := w.Rows[table], i.p.Tables[table].Topic()
	bytes := 0
	for n := range rows {
		bytes += len(rows[n].Key)
	}
	records, keys := make([]kgo.Record, len(rows)), make([]byte, 0, bytes)
	for n := range rows {
		begin := len(keys)
		keys = append(keys, rows[n].Key...)
		records[n] = kgo.Record{
			Topic:     topic,
			Partition: w.p.id,
			Key:       keys[begin:len(keys):len(keys)],
			Value:     rows[n].Bytes,
		}
		i.producer.Produce(ctx, &records[n], note)
	}
}
