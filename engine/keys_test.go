package engine_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
	"chargestream/internal/kafkatest"
)

func TestLagPassesOverAbortedRecords(t *testing.T) {
	b, name := shared.Broker(t), "lag-aborted"
	topicsOf(t, b, name)
	p := named(name, wordCount())
	transaction(t, b, kgo.TryAbort, put(name+"-words", "k", "x"))
	expectLag(t, b, p, 0)
}

// TestReservedKeyIsSentToItsPartitionOnce: a key that is like the engine's own is no row, and a key
// of a record like others.
func TestReservedKeyIsSentToItsPartitionOnce(t *testing.T) {
	b, name := shared.Broker(t), "reserved"
	topicsOf(t, b, name)
	key := "\x00k"
	for n := 0; engine.PartitionOf(key, 4) == 0; n++ {
		key = fmt.Sprint("\x00k", n)
	}
	r := put(name+"-words", key, "x")
	r.Partition = 0
	if err := kafkatest.ProduceAt(t.Context(), b.Addrs(), r); err != nil {
		t.Fatal(err)
	}
	p := named(name, wordCount())
	var sent, folded atomic.Int64
	p.Repartitioned = func(*engine.Message) { sent.Add(1) }
	p.Fold = func(_ *engine.Context, m *engine.Message) error {
		folded.Add(1)
		if m.Key != key || m.Partition != engine.PartitionOf(key, 4) {
			t.Errorf("%q is folded in partition %d", m.Key, m.Partition)
		}
		return nil
	}
	c := quickConfig(b.Addrs(), t.TempDir(), engine.ExactlyOnce)
	c.Log = testLog(t)
	run := start(t, p, c)
	eventually(t, "folded", func() bool { return folded.Load() > 0 || sent.Load() > 20 })
	run.stop(t)
	if n := sent.Load(); n != 1 || folded.Load() != 1 {
		t.Errorf("sent %d times, folded %d times", n, folded.Load())
	}
}

// TestRecordsWithoutKeyAreFoldedWhereTheyLie, by rows that have a key.
func TestRecordsWithoutKeyAreFoldedWhereTheyLie(t *testing.T) {
	b, name := shared.Broker(t), "keyless"
	topicsOf(t, b, name)
	for p := range int32(4) {
		for range 3 {
			r := &kgo.Record{Topic: name + "-words", Partition: p, Value: []byte("x")}
			if err := kafkatest.ProduceAt(t.Context(), b.Addrs(), r); err != nil {
				t.Fatal(err)
			}
		}
	}
	p, table := named(name, wordCount()), numbers(name)
	p.Tables[0] = table
	p.Fold = func(ctx *engine.Context, m *engine.Message) error {
		if m.HasKey || m.Key != "" {
			t.Errorf("a record without a key has %q", m.Key)
		}
		n, err := table.Edit(ctx, "none")
		if err == nil {
			*n++
		}
		return err
	}
	c := quickConfig(b.Addrs(), t.TempDir(), engine.ExactlyOnce)
	c.Log = testLog(t)
	runUntilCaughtUp(t, p, c)
	got := map[int32]string{}
	for _, r := range kafkatest.MustReadAll(t, b, p.Table(), true) {
		if string(r.Key) == "none" {
			got[r.Partition] = string(r.Value)
		}
	}
	if diff := cmp.Diff(map[int32]string{0: "3", 1: "3", 2: "3", 3: "3"}, got); diff != "" {
		t.Errorf("counts by partition (-want +got):\n%s", diff)
	}
}

// TestRowWithoutKeyEndsRun: no reader could find it again.
func TestRowWithoutKeyEndsRun(t *testing.T) {
	b, name := shared.Broker(t), "rowless"
	topicsOf(t, b, name)
	r := &kgo.Record{Topic: name + "-words", Value: []byte("x")}
	if err := kafkatest.ProduceAt(t.Context(), b.Addrs(), r); err != nil {
		t.Fatal(err)
	}
	c := quickConfig(b.Addrs(), t.TempDir(), engine.ExactlyOnce)
	c.Log = testLog(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := engine.Run(ctx, named(name, wordCount()), c); !errors.Is(err, engine.ErrDeclaration) {
		t.Errorf("error is %v, want ErrDeclaration", err)
	}
}
