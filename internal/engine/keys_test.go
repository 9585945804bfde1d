package engine_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/internal/engine"
	"chargestream/internal/kafkatest"
)

func TestLagPassesOverAbortedRecords(t *testing.T) {
	b, name := shared.Broker(t), "lag-aborted"
	topicsOf(t, b, name)
	p := named(name, wordCount())
	transaction(t, b, kgo.TryAbort, put(name+"-words", "k", "x"))
	expectLag(t, b, p, 0)
}

func TestReservedKeyIsLedHomeOnce(t *testing.T) {
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
	var misplaced, folded atomic.Int64
	fold := p.Fold
	p.Misplaced = func(*engine.Message) { misplaced.Add(1) }
	p.Fold = func(ctx engine.Context, m *engine.Message) error {
		folded.Add(1)
		return fold(ctx, m)
	}
	c := quickConfig(b.Addrs(), t.TempDir(), engine.ExactlyOnce)
	c.Log = testLog(t)
	run := start(t, p, c)
	eventually(t, "led home", func() bool { return folded.Load() > 0 || misplaced.Load() > 20 })
	run.stop(t)
	if n := misplaced.Load(); n != 1 || folded.Load() != 1 {
		t.Errorf("misplaced %d times, folded %d times", n, folded.Load())
	}
}

func TestRowsWithoutKeyStayInTheirPartition(t *testing.T) {
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
	p := named(name, wordCount())
	c := quickConfig(b.Addrs(), t.TempDir(), engine.ExactlyOnce)
	c.Log = testLog(t)
	runUntilCaughtUp(t, p, c)
	var got []int32
	for _, r := range kafkatest.MustReadAll(t, b, p.Table(), true) {
		if string(r.Key) == "" {
			got = append(got, r.Partition)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff([]int32{0, 1, 2, 3}, slices.Compact(got)); diff != "" {
		t.Errorf("changelog records of the empty key by partition:\n%s", diff)
	}
}
