package kafkaread_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/internal/kafkaread"
	"chargestream/internal/kafkatest"
)

func connect(t *testing.T, b kafkatest.Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(b.Addrs()...))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func reader(t *testing.T, b kafkatest.Broker) *kafkaread.Reader {
	t.Helper()
	return &kafkaread.Reader{Client: connect(t, b, kafkaread.Options()...), Timeout: time.Minute}
}

// transact produces keys in a transaction.
func transact(t *testing.T, client *kgo.Client, topic string, end kgo.TransactionEndTry,
	keys ...string) {
	t.Helper()
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		r := &kgo.Record{Topic: topic, Key: []byte(key)}
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.EndTransaction(t.Context(), end); err != nil {
		t.Fatal(err)
	}
}

// TestEachEndsBehindMarkers: committed records are read, and aborted ones are not, where the last
// offsets are those of markers.
func TestEachEndsBehindMarkers(t *testing.T) {
	b := kafkatest.Start(t)
	kafkatest.MustTopics(t, b, kafkatest.Topic{Name: "numbers", Partitions: 2})
	writer := connect(t, b, kgo.TransactionalID("numbers"))
	transact(t, writer, "numbers", kgo.TryCommit, "1", "2", "3", "4", "5", "6", "7", "8")
	transact(t, writer, "numbers", kgo.TryAbort, "10", "11", "12", "13")
	r := reader(t, b)
	var keys []string
	end, err := r.Each(t.Context(), "numbers", nil, func(record *kgo.Record) error {
		keys = append(keys, string(record.Key))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(keys)
	if got := strings.Join(keys, " "); got != "1 2 3 4 5 6 7 8" {
		t.Errorf("read %s", got)
	}
	again := 0
	if _, err := r.Each(t.Context(), "numbers", end, func(*kgo.Record) error {
		again++
		return nil
	}); err != nil || again > 0 {
		t.Errorf("from the end on: %d records, %v", again, err)
	}
	end[0]--
	end[1] = 0
	at, _, err := r.Bounds(t.Context(), "numbers", end)
	if diff := cmp.Diff(end, at); diff != "" || err != nil {
		t.Errorf("bounds: %v (-want +got)\n%s", err, diff)
	}
}

// TestEachOfOnePart reads the records of one partition and no other.
func TestEachOfOnePart(t *testing.T) {
	b := kafkatest.Start(t)
	kafkatest.MustTopics(t, b, kafkatest.Topic{Name: "numbers", Partitions: 3})
	want := map[int32][]string{}
	for i := range 30 {
		key := strconv.Itoa(i)
		kafkatest.MustProduce(t, b, &kgo.Record{Topic: "numbers", Key: []byte(key)})
	}
	for _, r := range kafkatest.MustReadAll(t, b, "numbers", true) {
		want[r.Partition] = append(want[r.Partition], string(r.Key))
	}
	r := reader(t, b)
	for p := range int32(3) {
		r.Part = func(n int32) int32 {
			if n != 3 {
				t.Errorf("%d partitions", n)
			}
			return p
		}
		var got []string
		if _, err := r.Each(t.Context(), "numbers", nil, func(r *kgo.Record) error {
			got = append(got, string(r.Key))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want[p], got); diff != "" || len(got) == 0 {
			t.Errorf("partition %d (-want +got):\n%s", p, diff)
		}
	}
}

func TestEachReturnsTheErrorOfVisit(t *testing.T) {
	b := kafkatest.Start(t)
	kafkatest.MustTopics(t, b, kafkatest.Topic{Name: "numbers"})
	kafkatest.MustProduce(t, b, &kgo.Record{Topic: "numbers", Key: []byte("1")})
	enough := errors.New("enough")
	r := reader(t, b)
	if _, err := r.Each(t.Context(), "numbers", nil, func(*kgo.Record) error {
		return enough
	}); err != enough {
		t.Errorf("error %v", err)
	}
	_, err := r.Each(t.Context(), "unknown", nil, func(*kgo.Record) error { return nil })
	var failed *kafkaread.Error
	if !errors.As(err, &failed) || failed.What != "read the offsets of unknown" {
		t.Errorf("unknown topic: %v", err)
	}
}

// TestNewest: a record that is refused counts unless its key was written again.
func TestNewest(t *testing.T) {
	b := kafkatest.Start(t)
	kafkatest.MustTopics(t, b, kafkatest.Topic{Name: "rows", Partitions: 1})
	for _, word := range []string{"a=1", "b=x", "c=x", "c=2", "d="} {
		key, value, _ := strings.Cut(word, "=")
		record := &kgo.Record{Topic: "rows", Key: []byte(key)}
		if value != "" {
			record.Value = []byte(value)
		}
		kafkatest.MustProduce(t, b, record)
	}
	got := map[string]int{}
	refused, err := reader(t, b).Newest(t.Context(), "rows", func(r *kgo.Record) error {
		if r.Value == nil {
			return nil
		}
		n, err := strconv.Atoi(string(r.Value))
		if err != nil {
			return fmt.Errorf("%q is no number", r.Value)
		}
		got[string(r.Key)] = n
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{`0@1: "x" is no number`}, refused); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"a": 1, "c": 2}, got); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
}

func TestHeader(t *testing.T) {
	r := &kgo.Record{Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")},
		{Key: "a", Value: []byte("2")}}}
	if got := kafkaread.Header(r, "a") + kafkaread.Header(r, "b"); got != "2" {
		t.Errorf("header %q", got)
	}
}
