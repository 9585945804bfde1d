package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
	"chargestream/internal/kafkatest"
)

// arrivals is a processor of two topics that notes in which order records are folded.
type arrivals struct {
	*engine.Processor
	mu   sync.Mutex
	seen map[int32][]string // topic@arrival by partition
	at   map[int32][]int64
}

func newArrivals(name string) *arrivals {
	a := &arrivals{seen: map[int32][]string{}, at: map[int32][]int64{}}
	a.Processor = &engine.Processor{Group: name, Inputs: []string{name + "-near", name + "-far"},
		Tables: []engine.Declared{numbers(name)},
		Fold: func(_ *engine.Context, m *engine.Message) error {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.at[m.Partition] = append(a.at[m.Partition], m.Arrival)
			a.seen[m.Partition] = append(a.seen[m.Partition],
				fmt.Sprintf("%s@%d", m.Topic[len(name)+1:], m.Arrival))
			return nil
		}}
	return a
}

func (a *arrivals) order() map[int32][]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	copied := map[int32][]string{}
	for p, seen := range a.seen {
		copied[p] = slices.Clone(seen)
	}
	return copied
}

// TestOneTopicFarBehind: one topic has a hundred times the records of the other over the same
// hour, and its records lie behind what the other has. Read from the beginning, after a pause, and
// again from nothing, records meet in the order in which they arrived.
func TestOneTopicFarBehind(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "behind"
	const hour, near, far = int64(3_600_000), 60, 6_000
	shared.mustTopics(t, b, kafkatest.Topic{Name: name + "-near"},
		kafkatest.Topic{Name: name + "-far"}, kafkatest.CompactedTopic(name+"-table"),
		kafkatest.CompactedTopic(name+"-again-table"))
	base := time.Now().Add(-2 * time.Hour) // older records would be deleted
	half := func(from, to int64) {
		var records []*kgo.Record
		for n, topic := range map[int]string{near: name + "-near", far: name + "-far"} {
			for at := from; at < to; at += hour / int64(n) {
				for p := range int32(kafkatest.DefaultPartitions) {
					records = append(records, &kgo.Record{Topic: topic, Partition: p,
						Key:       []byte(keyIn(p, kafkatest.DefaultPartitions)),
						Timestamp: base.Add(time.Duration(at) * time.Millisecond)})
				}
			}
		}
		kafkatest.MustProduce(t, b, records...)
	}
	live := newArrivals(name)
	c := quickConfig(b.Addrs(), t.TempDir(), engine.ExactlyOnce)
	c.Log = testLog(t)
	half(1, hour/2)
	runUntilCaughtUp(t, live.Processor, c)
	half(hour/2, hour)
	runUntilCaughtUp(t, live.Processor, c)
	again := newArrivals(name)
	grouped(name+"-again", again.Processor)
	c.StateDir = t.TempDir()
	runUntilCaughtUp(t, again.Processor, c)
	for p, at := range live.at {
		if len(at) < near+far-2 || !slices.IsSorted(at) {
			t.Errorf("partition %d: %d records, in order of arrival: %v", p, len(at),
				slices.IsSorted(at))
		}
		if !slices.Equal(live.seen[p], again.seen[p]) {
			t.Errorf("partition %d is read in another order the second time", p)
		}
	}
	if len(live.at) != kafkatest.DefaultPartitions {
		t.Errorf("%d partitions were read", len(live.at))
	}
}

// keyIn is a key that lies in a partition.
func keyIn(partition, partitions int32) string {
	for n := 0; ; n++ {
		if key := fmt.Sprint("k", n); engine.PartitionOf(key, partitions) == partition {
			return key
		}
	}
}

// TestOpenTransactionIsNotWaitedFor: uncommitted records are not part of a topic yet.
func TestOpenTransactionIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "open-input"
	shared.mustTopics(t, b, kafkatest.Topic{Name: name + "-near"},
		kafkatest.Topic{Name: name + "-far"}, kafkatest.CompactedTopic(name+"-table"))
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.TransactionalID(name))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	base := time.Now().Add(-time.Hour)
	put := func(topic string, at time.Duration) {
		r := &kgo.Record{Topic: name + topic, Key: []byte("k"), Timestamp: base.Add(at)}
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	put("-far", time.Second)
	a := newArrivals(name)
	c := quickConfig(b.Addrs(), t.TempDir(), engine.ExactlyOnce)
	c.Log = testLog(t)
	r := start(t, a.Processor, c)
	kafkatest.MustProduce(t, b, &kgo.Record{Topic: name + "-near", Key: []byte("k"),
		Timestamp: base.Add(2 * time.Second)})
	eventually(t, "the other topic is read", func() bool { return len(a.order()) == 1 })
	if err := client.EndTransaction(context.Background(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	p := engine.PartitionOf("k", kafkatest.DefaultPartitions)
	eventually(t, "what is committed is read", func() bool { return len(a.order()[p]) == 2 })
	r.stop(t)
	if got := a.order()[p]; !strings.HasPrefix(got[0], "near") {
		t.Errorf("read %v", got)
	}
}
