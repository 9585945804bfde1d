package main

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/internal/kafkaread"
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

// readError gives an error of reading its exit code and its hint.
func (a *app) readError(err error) error {
	var failed *kafkaread.Error
	if errors.As(err, &failed) {
		return a.kafkaError(failed.What, failed.Err)
	}
	return err
}
