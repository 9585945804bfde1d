package kafkatest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/internal/kafkatest"
)

// The hashes are those of Kafka's own UtilsTest.testMurmur2.
func TestProducePlacesLikeKafka(t *testing.T) {
	const partitions = 7
	hashes := map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
		"a-little-bit-longer-string": -1486304829, "abc": 479470107,
	}
	b := shared.Broker(t)
	kafkatest.MustTopics(t, b, kafkatest.Topic{Name: "placed", Partitions: partitions})
	for key := range hashes {
		kafkatest.MustProduce(t, b, record("placed", key, ""))
	}
	got := kafkatest.MustReadAll(t, b, "placed", true)
	if len(got) != len(hashes) {
		t.Fatalf("%d records, want %d", len(got), len(hashes))
	}
	for _, r := range got {
		if want := (hashes[string(r.Key)] & 0x7fffffff) % partitions; r.Partition != want {
			t.Errorf("key %s lies in partition %d, want %d", r.Key, r.Partition, want)
		}
	}
}

func commit(t *testing.T, b kafkatest.Broker, group, topic string, at int64) {
	t.Helper()
	var offsets kadm.Offsets
	offsets.Add(kadm.Offset{Topic: topic, Partition: 0, At: at, LeaderEpoch: -1})
	resp, err := kadm.NewClient(client(t, b)).CommitOffsets(t.Context(), group, offsets)
	if err = errors.Join(err, resp.Error()); err != nil {
		t.Fatal(err)
	}
}

func TestGroupLag(t *testing.T) {
	b := shared.Broker(t)
	kafkatest.MustTopics(t, b, kafkatest.Topic{Name: "lagging", Partitions: 2})
	r := record("lagging", "k", "a")
	second := record("lagging", "k", "b")
	if err := kafkatest.ProduceAt(t.Context(), b.Addrs(), r, second); err != nil {
		t.Fatal(err)
	}
	want := []kafkatest.Lag{
		{Topic: "lagging", Partition: 0, Committed: -1, End: 2, Behind: 2},
		{Topic: "lagging", Partition: 1, Committed: -1, End: 0, Behind: 0},
	}
	got := kafkatest.MustGroupLag(t, b, "lag-group", "lagging")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("nothing committed (-want +got):\n%s", diff)
	}
	commit(t, b, "lag-group", "lagging", 1)
	want[0].Committed, want[0].Behind = 1, 1
	// Without a topic: those with commits.
	if diff := cmp.Diff(want, kafkatest.MustGroupLag(t, b, "lag-group")); diff != "" {
		t.Errorf("one committed (-want +got):\n%s", diff)
	}
}

func TestAwaitGroup(t *testing.T) {
	b := shared.Broker(t)
	kafkatest.MustTopics(t, b, kafkatest.Topic{Name: "awaited", Partitions: 1})
	end(t, begin(t, b, "awaited", "a", "b"), kgo.TryCommit)
	awaitEnd(t, b, "awaited", 3)

	commit(t, b, "await-group", "awaited", 1)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err := kafkatest.AwaitGroup(ctx, b.Addrs(), "await-group", "awaited")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v with a record unread, want a deadline error", err)
	}

	// The marker at offset 2 remains and is no record.
	commit(t, b, "await-group", "awaited", 2)
	kafkatest.MustAwaitGroup(t, b, "await-group", "awaited")
	if lag := kafkatest.MustGroupLag(t, b, "await-group"); lag[0].Behind != 1 {
		t.Errorf("lag %+v, want 1 behind", lag[0])
	}
}

func TestFreshTopics(t *testing.T) {
	b := shared.Broker(t)
	kafkatest.MustTopics(t, b, kafkatest.Topic{Name: "fresh"}, kafkatest.Topic{Name: "kept"})
	kafkatest.MustProduce(t, b, record("fresh", "k", "a"), record("kept", "k", "a"))
	commit(t, b, "fresh-group", "fresh", 1)
	commit(t, b, "kept-group", "kept", 1)

	kafkatest.MustTopics(t, b, kafkatest.Topic{Name: "fresh", Partitions: 2})
	got := kafkatest.MustEndOffsets(t, b, "fresh")
	if !cmp.Equal(got, map[int32]int64{0: 0, 1: 0}) {
		t.Errorf("end offsets %v, want two empty partitions", got)
	}
	if got := kafkatest.MustReadAll(t, b, "kept", true); len(got) != 1 {
		t.Errorf("the other topic holds %d records, want 1", len(got))
	}
	groups, err := kadm.NewClient(client(t, b)).ListGroups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := groups["fresh-group"]; ok {
		t.Error("the group of the fresh topic is still there")
	}
	if _, ok := groups["kept-group"]; !ok {
		t.Error("the group of the other topic is gone")
	}
}
