package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
	"chargestream/internal/kafkatest"
)

// openView runs a view of a topic until the test ends.
func openView(t *testing.T, b kafkatest.Broker, topic string) *engine.View {
	t.Helper()
	v, err := engine.NewView(b.Addrs(), topic, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	runView(t, v)
	return v
}

// runView runs a view until the test ends.
func runView(t *testing.T, v *engine.View) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- v.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("view: %v", err)
		}
	})
}

func expectView(t *testing.T, v *engine.View, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	err := v.Each(func(key string, row []byte) error {
		if _, twice := got[key]; twice {
			t.Errorf("%s comes twice", key)
		}
		got[key] = string(row)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	for key, row := range want {
		if got, err := v.Get(key); err != nil || string(got) != row {
			t.Errorf("Get(%s) = %q, %v", key, got, err)
		}
	}
	if row, err := v.Get("absent"); err != nil || row != nil {
		t.Errorf("Get(absent) = %q, %v", row, err)
	}
}

// put is a record of a table, in its key's partition.
func put(topic, key, row string) *kgo.Record {
	r := &kgo.Record{Topic: topic, Key: []byte(key),
		Partition: engine.PartitionOf(key, kafkatest.DefaultPartitions)}
	if row != "" {
		r.Value = []byte(row)
	}
	return r
}

// ending is a way in which the log of a table may begin and end, with what it holds.
type ending struct {
	write func(t *testing.T, b kafkatest.Broker, topic string)
	want  map[string]string
}

// written is an ending of records as they are.
func written(want map[string]string, rows ...string) ending {
	return ending{func(t *testing.T, b kafkatest.Broker, topic string) {
		for _, row := range rows {
			key, value, _ := strings.Cut(row, "=")
			kafkatest.MustProduce(t, b, put(topic, key, value))
		}
	}, want}
}

// cutAt is an ending whose log begins at an offset of the partition of a.
func cutAt(offset int64, want map[string]string, rows ...string) ending {
	write := written(nil, rows...).write
	return ending{func(t *testing.T, b kafkatest.Broker, topic string) {
		write(t, b, topic)
		cut := kadm.Offsets{}
		cut.AddOffset(topic, put(topic, "a", "").Partition, offset, -1)
		deleteRecords(t, b, cut)
	}, want}
}

func endings() map[string]ending {
	type rows = map[string]string
	return map[string]ending{
		"empty":        written(rows{}),
		"rows":         written(rows{"a": "2", "b": "1"}, "a=1", "b=1", "a=2"),
		"tombstones":   written(rows{}, "a=1", "b=1", "a=", "b="),
		"engine's own": written(rows{"a": "1"}, "a=1", "\x00progress=x 1\n"),
		"head cut":     cutAt(2, rows{"a": "3"}, "a=1", "a=2", "a=3"),
		"all cut":      cutAt(2, rows{"b": "1"}, "a=1", "a=2", "b=1"),
		"committed last": {func(t *testing.T, b kafkatest.Broker, topic string) {
			transaction(t, b, kgo.TryCommit, put(topic, "a", "1"), put(topic, "b", "1"))
			transaction(t, b, kgo.TryCommit, put(topic, "a", "2"))
		}, rows{"a": "2", "b": "1"}},
		"aborted last": {func(t *testing.T, b kafkatest.Broker, topic string) {
			transaction(t, b, kgo.TryCommit, put(topic, "a", "1"))
			transaction(t, b, kgo.TryAbort, put(topic, "a", "2"), put(topic, "b", "2"))
		}, rows{"a": "1"}},
		"aborted only": {func(t *testing.T, b kafkatest.Broker, topic string) {
			transaction(t, b, kgo.TryAbort, put(topic, "a", "1"))
		}, rows{}},
	}
}

// TestViewOfEveryEnding: a view is ready whatever the log begins and ends with.
func TestViewOfEveryEnding(t *testing.T) {
	for name, c := range endings() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, topic := shared.Broker(t), topicOf(t)
			shared.mustTopics(t, b, cuttable(topic))
			c.write(t, b, topic)
			v := openView(t, b, topic)
			eventually(t, "view is ready", v.Ready)
			expectView(t, v, c.want)
			// It goes on from there.
			kafkatest.MustProduce(t, b, put(topic, "later", "x"))
			eventually(t, "a later row", func() bool {
				row, err := v.Get("later")
				return err == nil && row != nil
			})
		})
	}
}

// TestTableOfEveryEnding: a processor recovers its table from the same logs, and then folds.
func TestTableOfEveryEnding(t *testing.T) {
	for name, c := range endings() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, name := shared.Broker(t), topicOf(t)
			topicsOf(t, b, name)
			p := named(name, wordCount())
			shared.mustTopics(t, b, cuttable(p.Table()))
			c.write(t, b, p.Table())
			want := map[string]string{}
			for key, row := range c.want {
				want[key] = string(row[0] + 1) // one more
			}
			for _, key := range []string{"a", "b"} {
				kafkatest.MustProduce(t, b, put(name+"-words", key, "x"))
				if want[key] == "" {
					want[key] = "1"
				}
			}
			config := quickConfig(b.Addrs(), t.TempDir(), engine.ExactlyOnce)
			config.Log = testLog(t)
			runUntilCaughtUp(t, p, config)
			if diff := cmp.Diff(want, rowsIn(t, b, p)); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

// cuttable is a compacted topic whose head may be cut off: Kafka allows that for no others.
func cuttable(name string) kafkatest.Topic {
	return kafkatest.Topic{
		Name:   name,
		Config: map[string]string{"cleanup.policy": "compact,delete"},
	}
}

// topicOf makes a name for topics of the test's own.
func topicOf(t *testing.T) string {
	name := []byte(t.Name())
	for n, c := range name {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			name[n] = '-'
		}
	}
	return string(name)
}

// TestViewShowsCommittedOnly holds a transaction open before a view that is ready.
func TestViewShowsCommittedOnly(t *testing.T) {
	t.Parallel()
	b, topic := shared.Broker(t), "committed-only"
	shared.mustTopics(t, b, kafkatest.CompactedTopic(topic))
	kafkatest.MustProduce(t, b, put(topic, "a", "1"))
	v := openView(t, b, topic)
	eventually(t, "view is ready", v.Ready)
	// A row beside a, in its partition and in another, shows that the view has read on.
	home := put(topic, "a", "").Partition
	beside := func(same bool) string {
		for n := 0; ; n++ {
			key := fmt.Sprint("b", n)
			if same == (put(topic, key, "").Partition == home) {
				return key
			}
		}
	}
	same, other := beside(true), beside(false)
	readOn := func(key, row string) {
		t.Helper()
		kafkatest.MustProduce(t, b, put(topic, key, row))
		eventually(t, "view reads on", func() bool {
			got, err := v.Get(key)
			return err == nil && string(got) == row
		})
	}
	end := open(t, b, put(topic, "a", "2"))
	readOn(other, "open")
	expectView(t, v, map[string]string{"a": "1", other: "open"})
	end(kgo.TryAbort)
	readOn(same, "aborted")
	expectView(t, v, map[string]string{"a": "1", other: "open", same: "aborted"})
	end = open(t, b, put(topic, "a", "2"))
	readOn(other, "again")
	expectView(t, v, map[string]string{"a": "1", other: "again", same: "aborted"})
	end(kgo.TryCommit)
	eventually(t, "what is committed", func() bool {
		row, err := v.Get("a")
		return err == nil && string(row) == "2"
	})
	kafkatest.MustProduce(t, b, put(topic, "a", ""))
	eventually(t, "a is deleted", func() bool {
		row, err := v.Get("a")
		return err == nil && row == nil
	})
	expectView(t, v, map[string]string{other: "again", same: "aborted"})
}

// TestViewEachEndsWithAnError of its callback.
func TestViewEachEndsWithAnError(t *testing.T) {
	t.Parallel()
	b, topic := shared.Broker(t), "each"
	shared.mustTopics(t, b, kafkatest.CompactedTopic(topic))
	kafkatest.MustProduce(t, b, put(topic, "a", "1"), put(topic, "b", "1"))
	v := openView(t, b, topic)
	eventually(t, "view is ready", v.Ready)
	planted, calls := errors.New("planted"), 0
	err := v.Each(func(string, []byte) error { calls++; return planted })
	if !errors.Is(err, planted) || calls != 1 {
		t.Errorf("error %v after %d calls", err, calls)
	}
	if v.Topic() != topic {
		t.Errorf("topic is %s", v.Topic())
	}
}

// TestViewOutlivesTheBroker: after a restart of the broker it shows each row once, as it is then.
func TestViewOutlivesTheBroker(t *testing.T) {
	t.Parallel()
	b, topic := kafkatest.Start(t, kafkatest.Durable()), "outlives"
	shared.mustTopics(t, b, kafkatest.CompactedTopic(topic))
	kafkatest.MustProduce(t, b, put(topic, "a", "1"), put(topic, "b", "1"))
	v := openView(t, b, topic)
	eventually(t, "view is ready", v.Ready)
	if err := b.Restart(); err != nil {
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	kafkatest.MustProduce(t, b, put(topic, "a", "2"), put(topic, "b", ""), put(topic, "c", "1"))
	eventually(t, "what came after", func() bool {
		a, errA := v.Get("a")
		row, errB := v.Get("b")
		c, errC := v.Get("c")
		return errors.Join(errA, errB, errC) == nil && string(a) == "2" && row == nil &&
			string(c) == "1"
	})
	expectView(t, v, map[string]string{"a": "2", "c": "1"})
}
