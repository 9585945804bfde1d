package engine

import (
	"context"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/internal/kafkatest"
)

// brokerPatience bounds whatever a test of this package waits for.
const brokerPatience = 60 * time.Second

// lent is the broker that the tests outside of the package share.
var lent struct {
	broker func(testing.TB) kafkatest.Broker
	topics func(*testing.T, kafkatest.Broker, ...kafkatest.Topic)
}

// LendBroker gives the tests inside of the package the broker of those outside, and their way to
// make topics.
func LendBroker(broker func(testing.TB) kafkatest.Broker,
	topics func(*testing.T, kafkatest.Broker, ...kafkatest.Topic)) bool {
	lent.broker, lent.topics = broker, topics
	return true
}

// lentTopics makes topics on the lent broker.
func lentTopics(t *testing.T, topics ...kafkatest.Topic) kafkatest.Broker {
	t.Helper()
	b := lent.broker(t)
	lent.topics(t, b, topics...)
	return b
}

// patient is a context that ends after brokerPatience.
func patient(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), brokerPatience)
	t.Cleanup(cancel)
	return ctx
}

// mustClient makes a client that writes records to the partition that they name.
func mustClient(t *testing.T, b kafkatest.Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(b.Addrs()...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	mustDo(t, err)
	t.Cleanup(client.Close)
	return client
}

// openTransaction writes a record to each of some partitions in a transaction, and leaves it open.
func openTransaction(t *testing.T, b kafkatest.Broker, id, topic string,
	partitions ...int32) *kgo.Client {
	t.Helper()
	client := mustClient(t, b, kgo.TransactionalID(id))
	mustDo(t, client.BeginTransaction())
	for _, p := range partitions {
		r := &kgo.Record{Topic: topic, Partition: p, Key: []byte(id), Value: []byte("x")}
		mustDo(t, client.ProduceSync(patient(t), r).FirstErr())
	}
	return client
}

// committedKeys are the keys of a topic's records as readers of what is committed see them.
func committedKeys(t *testing.T, b kafkatest.Broker, topic string) []string {
	t.Helper()
	var keys []string
	for _, r := range kafkatest.MustReadAll(t, b, topic, true) {
		keys = append(keys, string(r.Key))
	}
	slices.Sort(keys)
	return keys
}

func expectFenced(t *testing.T, b kafkatest.Broker, topics []string, partitions []int32,
	own string, want ...string) {
	t.Helper()
	got, err := fence(patient(t), mustClient(t, b), topics, partitions, own)
	mustDo(t, err)
	slices.Sort(got)
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("fenced (-want +got):\n%s", diff)
	}
}

// TestFenceEndsWhatADeadOwnerLeftOpen: what it wrote is aborted at once, and it can commit nothing
// any more, should it be alive after all.
func TestFenceEndsWhatADeadOwnerLeftOpen(t *testing.T) {
	t.Parallel()
	const topic = "fence-dead"
	b := lentTopics(t, kafkatest.Topic{Name: topic})
	first := openTransaction(t, b, topic+"-first", topic, 0, 1)
	second := openTransaction(t, b, topic+"-second", topic, 2)
	expectFenced(t, b, []string{topic}, []int32{1, 2}, topic+"-own", topic+"-first",
		topic+"-second")
	began := time.Now()
	if keys := committedKeys(t, b, topic); len(keys) != 0 {
		t.Errorf("committed is %v", keys)
	}
	if took := time.Since(began); took > transactionTimeout/2 {
		t.Errorf("readers waited %v", took)
	}
	for name, client := range map[string]*kgo.Client{"first": first, "second": second} {
		if err := client.EndTransaction(patient(t), kgo.TryCommit); err == nil {
			t.Errorf("%s commits after it was fenced", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
	if keys := committedKeys(t, b, topic); len(keys) != 0 {
		t.Errorf("committed is %v", keys)
	}
	expectFenced(t, b, []string{topic}, []int32{0, 1, 2, 3}, topic+"-own") // none is left
}

// TestFenceLeavesOthersAlone: who works on other partitions or topics, and ourselves.
func TestFenceLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	const topic, other = "fence-alive", "fence-other"
	b := lentTopics(t, kafkatest.Topic{Name: topic}, kafkatest.Topic{Name: other})
	expectFenced(t, b, []string{topic}, []int32{0, 1, 2, 3}, "none")
	clients := map[string]*kgo.Client{
		topic + "-neighbour": openTransaction(t, b, topic+"-neighbour", topic, 2, 3),
		topic + "-elsewhere": openTransaction(t, b, topic+"-elsewhere", other, 0),
		topic + "-own":       openTransaction(t, b, topic+"-own", topic, 0),
	}
	expectFenced(t, b, []string{topic}, []int32{0, 1}, topic+"-own")
	for id, client := range clients {
		if err := client.EndTransaction(patient(t), kgo.TryCommit); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	want := []string{topic + "-neighbour", topic + "-neighbour", topic + "-own"}
	if diff := gocmp.Diff(want, committedKeys(t, b, topic)); diff != "" {
		t.Errorf("committed (-want +got):\n%s", diff)
	}
	// What is committed is not open.
	expectFenced(t, b, []string{topic}, []int32{0, 1, 2, 3}, "none")
}

// TestFenceLooksAtAllTables: a dead owner may have got no further than one of them, whichever.
func TestFenceLooksAtAllTables(t *testing.T) {
	t.Parallel()
	topics := []string{"fence-table-a", "fence-table-b", "fence-table-c"}
	b := lentTopics(t, kafkatest.Topic{Name: topics[0]}, kafkatest.Topic{Name: topics[1]},
		kafkatest.Topic{Name: topics[2]})
	var want []string
	dead := map[string]*kgo.Client{}
	for n, topic := range topics {
		dead[topic] = openTransaction(t, b, topic+"-dead", topic, int32(n%2))
		want = append(want, topic+"-dead")
	}
	neighbour := openTransaction(t, b, topics[1]+"-neighbour", topics[1], 3)
	expectFenced(t, b, topics, []int32{0, 1}, "none", want...)
	for topic, client := range dead {
		if err := client.EndTransaction(patient(t), kgo.TryCommit); err == nil {
			t.Errorf("%s: its writer commits after it was fenced", topic)
		}
	}
	mustDo(t, neighbour.EndTransaction(patient(t), kgo.TryCommit))
	for n, want := range [][]string{nil, {topics[1] + "-neighbour"}, nil} {
		if diff := gocmp.Diff(want, committedKeys(t, b, topics[n])); diff != "" {
			t.Errorf("committed in %s (-want +got):\n%s", topics[n], diff)
		}
	}
}

// TestFenceThatFails returns which request failed, and ends with its context.
func TestFenceThatFails(t *testing.T) {
	t.Parallel()
	const topic = "fence-none"
	b := lentTopics(t, kafkatest.Topic{Name: topic})
	client := mustClient(t, b)
	ids, err := fence(patient(t), client, []string{topic + "-not"}, []int32{0}, "own")
	if err == nil {
		t.Errorf("of a topic that is not there it fenced %v", ids)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := fence(ctx, client, []string{topic}, []int32{0}, "own"); err == nil {
		t.Error("it does not end with its context")
	}
}
