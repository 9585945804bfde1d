package main

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
	"chargestream/internal/kafkaread"
	"chargestream/topics"
)

// readingClient is a client that can read the records of committed transactions to the end of the
// topics, which the cluster must have.
func (a *app) readingClient(ctx context.Context, names ...string) (*kgo.Client, error) {
	client, err := a.kafkaClient(ctx, kafkaread.Options()...)
	if err != nil {
		return nil, err
	}
	if err := a.needTopics(ctx, client, names...); err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}

// reader reads with a client that readingClient made.
func (a *app) reader(client *kgo.Client) *kafkaread.Reader {
	return &kafkaread.Reader{Client: client, Timeout: a.timeout}
}

// eachRecord visits the records of a topic: see kafkaread.Reader.Each.
func (a *app) eachRecord(ctx context.Context, client *kgo.Client, topic string,
	from map[int32]int64, visit func(*kgo.Record) error) (map[int32]int64, error) {
	end, err := a.reader(client).Each(ctx, topic, from, visit)
	return end, a.readError(err)
}

// eachOf is eachRecord of the one partition in which the records of a station, or of another key,
// lie; of all partitions where none is named.
func (a *app) eachOf(ctx context.Context, client *kgo.Client, topic, station string,
	visit func(*kgo.Record) error) error {
	reader := a.reader(client)
	if station != "" {
		reader.Part = func(n int32) int32 { return engine.PartitionOf(station, n) }
	}
	_, err := reader.Each(ctx, topic, nil, visit)
	return a.readError(err)
}

// newestRows are the newest rows of a table by key, a deleted one empty: those that keep takes, in
// the partition of a station, or in all where none is named.
func (a *app) newestRows(ctx context.Context, client *kgo.Client, table, station string,
	keep func(key string) bool) (map[string][]byte, error) {
	rows := map[string][]byte{}
	err := a.eachOf(ctx, client, topics.Table(table), station, func(r *kgo.Record) error {
		if key := string(r.Key); !engine.Reserved(key) && keep(key) {
			rows[key] = r.Value
		}
		return nil
	})
	return rows, err
}

// allKeys is for newestRows.
func allKeys(string) bool { return true }

// readError gives an error of reading its exit code and its hint.
func (a *app) readError(err error) error {
	var failed *kafkaread.Error
	if errors.As(err, &failed) {
		return a.kafkaError(failed.What, failed.Err)
	}
	return err
}
