//go:build integration

package hanging_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine/hanging"
	"chargestream/internal/kafkatest"
)

// TestHangsWithoutALeader is a cause of hanging transactions in Kafka 4.3 (KAFKA-20734): a
// transaction is ended while a partition of it has no leader. Its coordinator takes that partition
// for a deleted one, leaves its marker out, and tells the producer that the transaction is
// committed. When this test fails because nothing hangs, Kafka has mended that, and the advice in
// docs/operations.md can go.
func TestHangsWithoutALeader(t *testing.T) {
	c, _ := kafkatest.StartCluster(t, 3)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Addrs()...),
		kgo.MetadataMinAge(100*time.Millisecond))
	do(err)
	defer client.Close()
	admin, topic, one := kadm.NewClient(client), "alone", "1"
	_, err = admin.CreateTopic(ctx, 1, 1, map[string]*string{"min.insync.replicas": &one}, topic)
	do(err)
	do(c.Await(ctx))
	leader, err := c.Leader(ctx, topic, 0)
	do(err)
	id := ""
	for n := 0; id == ""; n++ {
		try := fmt.Sprint("leaderless-", n)
		coordinator, err := c.TransactionCoordinator(ctx, try)
		do(err)
		if coordinator != leader {
			id = try
		}
	}
	producer, err := kgo.NewClient(kgo.SeedBrokers(c.Addrs()...), kgo.TransactionalID(id))
	do(err)
	defer producer.Close()
	do(producer.BeginTransaction())
	record := &kgo.Record{Topic: topic, Value: []byte("committed")}
	do(producer.ProduceSync(ctx, record).FirstErr())
	do(leader.Kill())
	for led := true; led; <-time.After(100 * time.Millisecond) {
		do(ctx.Err())
		meta, err := admin.Metadata(ctx, topic)
		do(err)
		led = meta.Topics[topic].Partitions[0].Leader >= 0
	}
	do(producer.EndTransaction(ctx, kgo.TryCommit))
	do(leader.Start())
	do(c.Await(ctx))

	at := kadm.TopicsSet{}
	at.Add(topic, 0)
	found, unseen, unclear := hanging.Look(ctx, client, at)
	do(errors.Join(unseen, unclear))
	if len(found) != 1 || found[0].Decision.Action != hanging.Commit || found[0].ID != id {
		t.Fatalf("found %+v, want that the transaction of %s hangs and was committed", found, id)
	}
	t.Logf("%+v", found[0])
	stable, err := admin.ListCommittedOffsets(ctx, topic)
	do(err)
	if s, ok := stable.Lookup(topic, 0); !ok || s.Offset != 0 {
		t.Errorf("readers of committed records come to %+v, want them to stand at 0", s)
	}
	do(hanging.End(ctx, client, &found[0]))
	if n := len(kafkatest.MustReadAll(t, c, topic, true)); n != 1 {
		t.Errorf("%d committed records are read after it was ended, want one", n)
	}
}
