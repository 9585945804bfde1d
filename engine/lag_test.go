package engine_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
	"chargestream/internal/kafkatest"
)

func expectLag(t *testing.T, b kafkatest.Broker, p *engine.Processor, want int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if lag, err := engine.Lag(ctx, b.Addrs(), p); err != nil || lag != want {
		t.Errorf("lag is %d (%v), want %d", lag, err, want)
	}
}

// transaction writes records as one transaction, and commits or aborts it.
func transaction(
	t *testing.T,
	b kafkatest.Broker,
	how kgo.TransactionEndTry,
	records ...*kgo.Record,
) {
	t.Helper()
	open(t, b, records...)(how)
}

// open writes records in a transaction and gives the way to end it.
func open(t *testing.T, b kafkatest.Broker, records ...*kgo.Record) func(kgo.TransactionEndTry) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.TransactionalID(t.Name()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	return func(how kgo.TransactionEndTry) {
		t.Helper()
		defer cancel()
		defer client.Close()
		if err := client.EndTransaction(ctx, how); err != nil {
			t.Fatal(err)
		}
	}
}

func commitAt(t *testing.T, b kafkatest.Broker, group, topic string, partition int32, at int64) {
	t.Helper()
	withAdmin(t, b, func(admin *kadm.Client) error {
		offsets := kadm.Offsets{}
		offsets.AddOffset(topic, partition, at, -1)
		return admin.CommitAllOffsets(t.Context(), group, offsets)
	})
}

// TestLag counts by hand: records count, markers behind the last of them do not.
func TestLag(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "lag"
	topic := name + "-words"
	topicsOf(t, b, name)
	p := named(name, wordCount())
	record := func(partition int32) *kgo.Record {
		return &kgo.Record{Topic: topic, Partition: partition, Key: []byte("k"), Value: []byte("x")}
	}
	expectLag(t, b, p, 0) // an unknown group, and nothing to read
	for range 3 {
		transaction(t, b, kgo.TryCommit, record(0), record(0), record(1))
	}
	// Partition 0 is d d m d d m d d m, partition 1 d m d m d m.
	expectLag(t, b, p, 9)
	for _, c := range []struct {
		partition int32
		at, want  int64
	}{
		{0, 1, 8}, {0, 5, 5}, {0, 7, 4}, {0, 8, 3}, // only a marker left in partition 0
		{1, 3, 1}, {1, 5, 0}, // only a marker left in both
		{0, 9, 0}, {1, 6, 0},
	} {
		commitAt(t, b, name, topic, c.partition, c.at)
		expectLag(t, b, p, c.want)
	}
	transaction(t, b, kgo.TryCommit, record(2))
	expectLag(t, b, p, 1)
}

// TestLagAfterTruncation: what was cut away cannot be read, so it is no lag. Of one
// partition a record is left, of the other none.
func TestLagAfterTruncation(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "lag-cut"
	topicsOf(t, b, name)
	topic := name + "-words"
	for range 5 {
		for partition := range int32(2) {
			r := &kgo.Record{Topic: topic, Partition: partition, Value: []byte("x")}
			if err := kafkatest.ProduceAt(t.Context(), b.Addrs(), r); err != nil {
				t.Fatal(err)
			}
		}
	}
	p := named(name, wordCount())
	expectLag(t, b, p, 10)
	cut := kadm.Offsets{}
	cut.AddOffset(topic, 0, 4, -1)
	cut.AddOffset(topic, 1, 5, -1)
	deleteRecords(t, b, cut)
	expectLag(t, b, p, 1)
}

func deleteRecords(t *testing.T, b kafkatest.Broker, before kadm.Offsets) {
	t.Helper()
	withAdmin(t, b, func(admin *kadm.Client) error {
		answer, err := admin.DeleteRecords(t.Context(), before)
		return errors.Join(err, answer.Error())
	})
}

// TestQuiet: it ends when all is folded, and not before.
func TestQuiet(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "quiet"
	topicsOf(t, b, name)
	p := named(name, wordCount())
	kafkatest.MustProduce(t, b, put(name+"-words", "k", "x"))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := engine.Quiet(ctx, b.Addrs(), 20*time.Millisecond, p); !errors.Is(
		err,
		context.DeadlineExceeded,
	) {
		t.Errorf("with a record left, Quiet ends with %v", err)
	}
	c := quickConfig(b.Addrs(), t.TempDir(), engine.ExactlyOnce)
	c.Log = testLog(t)
	r := start(t, p, c)
	ctx, cancel = context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := engine.Quiet(ctx, b.Addrs(), 20*time.Millisecond, p); err != nil {
		t.Error(err)
	}
	expectExact(t, b, name, map[string]int{"k": 1})
	r.stop(t)
}
