package kafkatest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/internal/kafkatest"
)

var shared kafkatest.Shared

func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }

func record(topic, key, value string) *kgo.Record {
	return &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte(value)}
}

func values(records []*kgo.Record) []string {
	var all []string
	for _, r := range records {
		all = append(all, string(r.Value))
	}
	return all
}

func client(t *testing.T, b kafkatest.Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(b.Addrs()...),
		kgo.MetadataMinAge(10*time.Millisecond))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// begin writes the values in a transaction to partition 0 and leaves it open.
func begin(t *testing.T, b kafkatest.Broker, topic string, values ...string) *kgo.Client {
	t.Helper()
	cl := client(t, b, kgo.TransactionalID(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		if err := cl.ProduceSync(t.Context(), record(topic, "k", v)).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	return cl
}

func end(t *testing.T, cl *kgo.Client, how kgo.TransactionEndTry) {
	t.Helper()
	if err := cl.EndTransaction(t.Context(), how); err != nil {
		t.Fatal(err)
	}
}

// awaitEnd waits for the high watermark of partition 0: a real broker answers the end of a
// transaction before it has written the marker.
func awaitEnd(t *testing.T, b kafkatest.Broker, topic string, want int64) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		got := kafkatest.MustEndOffsets(t, b, topic)[0]
		if got == want {
			return
		}
		if got > want || time.Now().After(deadline) {
			t.Fatalf("%s ends at %d, want %d", topic, got, want)
		}
	}
}

func TestReadAllPlain(t *testing.T) {
	b := shared.Broker(t)
	kafkatest.MustTopics(t, b, kafkatest.Topic{Name: "plain", Partitions: 3})
	if got := kafkatest.MustReadAll(t, b, "plain", true); len(got) != 0 {
		t.Fatalf("an empty topic holds %d records", len(got))
	}
	at := func(partition int32, value string) *kgo.Record {
		r := record("plain", "k", value)
		r.Partition = partition
		return r
	}
	// Partition 1 stays empty.
	err := kafkatest.ProduceAt(t.Context(), b.Addrs(),
		at(2, "c"), at(0, "a"), at(2, "d"), at(0, "b"))
	if err != nil {
		t.Fatal(err)
	}
	for _, committed := range []bool{false, true} {
		got := values(kafkatest.MustReadAll(t, b, "plain", committed))
		if diff := cmp.Diff([]string{"a", "b", "c", "d"}, got); diff != "" {
			t.Errorf("committed %v (-want +got):\n%s", committed, diff)
		}
	}
	want := map[int32]int64{0: 2, 1: 0, 2: 2}
	if diff := cmp.Diff(want, kafkatest.MustEndOffsets(t, b, "plain")); diff != "" {
		t.Errorf("end offsets (-want +got):\n%s", diff)
	}
}

func TestReadAllTransactions(t *testing.T) {
	b := shared.Broker(t)
	for _, tc := range []struct {
		name        string
		how         kgo.TransactionEndTry
		committed   []string
		uncommitted []string
	}{
		{"txn-commit", kgo.TryCommit, []string{"a", "b"}, []string{"a", "b"}},
		{"txn-abort", kgo.TryAbort, nil, []string{"a", "b"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			kafkatest.MustTopics(t, b, kafkatest.Topic{Name: tc.name, Partitions: 1})
			end(t, begin(t, b, tc.name, "a", "b"), tc.how)
			awaitEnd(t, b, tc.name, 3) // two records and a marker
			got := values(kafkatest.MustReadAll(t, b, tc.name, true))
			if diff := cmp.Diff(tc.committed, got); diff != "" {
				t.Errorf("committed (-want +got):\n%s", diff)
			}
			got = values(kafkatest.MustReadAll(t, b, tc.name, false))
			if diff := cmp.Diff(tc.uncommitted, got); diff != "" {
				t.Errorf("uncommitted (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadAllWaitsBehindAnOpenTransaction(t *testing.T) {
	b := shared.Broker(t)
	kafkatest.MustTopics(t, b, kafkatest.Topic{Name: "txn-open", Partitions: 1})
	open := begin(t, b, "txn-open", "a")
	if got := kafkatest.MustReadAll(t, b, "txn-open", false); len(got) != 1 {
		t.Fatalf("uncommitted: %d records, want 1", len(got))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err := kafkatest.ReadAll(ctx, b.Addrs(), "txn-open", true)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v while the transaction is open, want a deadline error", err)
	}
	end(t, open, kgo.TryCommit)
	got := values(kafkatest.MustReadAll(t, b, "txn-open", true))
	if diff := cmp.Diff([]string{"a"}, got); diff != "" {
		t.Errorf("after the commit (-want +got):\n%s", diff)
	}
}

func TestReadAllDeletedRecords(t *testing.T) {
	b := shared.Broker(t)
	kafkatest.MustTopics(t, b, kafkatest.Topic{Name: "cut", Partitions: 1})
	kafkatest.MustProduce(t, b, record("cut", "k", "a"), record("cut", "k", "b"))
	adm := kadm.NewClient(client(t, b))
	for upTo, want := range [][]string{{"a", "b"}, {"b"}, nil} {
		var offsets kadm.Offsets
		offsets.Add(kadm.Offset{Topic: "cut", Partition: 0, At: int64(upTo)})
		if _, err := adm.DeleteRecords(t.Context(), offsets); err != nil {
			t.Fatal(err)
		}
		got := values(kafkatest.MustReadAll(t, b, "cut", true))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("deleted up to %d (-want +got):\n%s", upTo, diff)
		}
	}
}

func TestReadAllCompacted(t *testing.T) {
	const rounds, keys = 20, 3
	b := shared.Broker(t)
	topic := kafkatest.CompactedTopic("thin")
	topic.Partitions = 1
	topic.Config["min.cleanable.dirty.ratio"] = "0.01"
	topic.Config["segment.ms"] = "100" // only what is older than the active segment is cleaned
	kafkatest.MustTopics(t, b, topic)
	want := make(map[string][]byte)
	deadline := time.Now().Add(30 * time.Second)
	written := 0
	for {
		for round := range rounds {
			for key := range keys {
				r := record("thin", fmt.Sprint("k", key), fmt.Sprint(written, round))
				kafkatest.MustProduce(t, b, r)
				want[string(r.Key)] = r.Value
				written++
			}
		}
		kafkatest.MustProduce(t, b, &kgo.Record{Topic: "thin", Key: []byte("k0")})
		delete(want, "k0")
		written++
		got := kafkatest.MustReadAll(t, b, "thin", true)
		if diff := cmp.Diff(want, kafkatest.Compacted(got)); diff != "" {
			t.Fatalf("table after %d records (-want +got):\n%s", written, diff)
		}
		if len(got) < written {
			t.Logf("%d of %d records are left", len(got), written)
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("nothing was compacted: %d records", len(got))
		}
	}
}

func TestCompacted(t *testing.T) {
	tombstone := func(key string) *kgo.Record { return &kgo.Record{Key: []byte(key)} }
	got := kafkatest.Compacted([]*kgo.Record{
		record("", "a", "1"), record("", "b", "1"), record("", "a", "2"),
		tombstone("b"), tombstone("c"), record("", "c", ""),
	})
	want := map[string][]byte{"a": []byte("2"), "c": {}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadAllUnknownTopic(t *testing.T) {
	b := shared.Broker(t)
	_, err := kafkatest.ReadAll(t.Context(), b.Addrs(), "nowhere", true)
	if err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Fatalf("got %v, want an error that names the topic", err)
	}
}
