//go:build integration

package kafkatest_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/internal/kafkatest"
)

// TestCluster writes a record after each thing that goes wrong with three nodes. The other ways to
// disturb them are used by the fault runs of internal/e2e.
func TestCluster(t *testing.T) {
	c, proxies := kafkatest.StartCluster(t, 3)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	kafkatest.MustTopics(t, c, kafkatest.Topic{Name: "t", Partitions: 1})
	var want []string
	began := time.Now()
	say := func(what string) {
		t.Logf("%5.1f s: %s", time.Since(began).Seconds(), what)
		began = time.Now()
	}
	put := func(value string) {
		t.Helper()
		kafkatest.MustProduce(t, c, record("t", "k", value))
		want = append(want, value)
		say("written: " + value)
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	leader := func() *kafkatest.Node {
		t.Helper()
		n, err := c.Leader(ctx, "t", 0)
		do(err)
		return n
	}
	put("all are up")

	first := leader()
	moved, err := c.MoveLeaders(ctx, "t", kafkatest.OffsetsTopic, kafkatest.TransactionsTopic)
	do(err)
	if moved != 9 || leader() == first {
		t.Errorf("%d leaders were moved, and t is led by node %d, as before", moved, first.ID())
	}
	put("leaders have moved")

	n := leader()
	do(n.Kill())
	put("the leader is killed")
	if leader() == n {
		t.Errorf("t is led by node %d, which is down", n.ID())
	}
	do(n.Start())
	do(c.Await(ctx))
	say("it is back")

	// A leader that is cut off takes no more: what a client of it writes is not in sync anywhere.
	n = leader()
	n.Isolate(true)
	if err := produceTo(ctx, n.Addr(), record("t", "k", "lost")); err == nil {
		t.Error("a node that is cut off from the others took a record")
	}
	rest := []string{}
	for _, o := range c.Nodes() {
		if o != n {
			rest = append(rest, o.Addr())
		}
	}
	do(kafkatest.Produce(ctx, rest, record("t", "k", "the leader is cut off")))
	want = append(want, "the leader is cut off")
	say("written: " + want[len(want)-1])
	n.Isolate(false)
	do(c.Await(ctx))
	say("it is back")

	do(kafkatest.Produce(ctx, proxies.Addrs(), record("t", "k", "by the proxies")))
	want = append(want, "by the proxies")
	if diff := cmp.Diff(want, values(kafkatest.MustReadAll(t, c, "t", true))); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// produceTo writes a record by way of one broker, and gives up soon.
func produceTo(ctx context.Context, addr string, r *kgo.Record) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.RecordDeliveryTimeout(2*time.Second),
		kgo.ProduceRequestTimeout(time.Second), kgo.DisableIdempotentWrite())
	if err != nil {
		return err
	}
	defer cl.Close()
	return cl.ProduceSync(ctx, r).FirstErr()
}
