package engine_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
	"chargestream/internal/kafkatest"
)

var _ = engine.LendBroker(shared.Broker, shared.mustTopics)

// configOf is of an instance with a disk of its own.
func configOf(t *testing.T, b kafkatest.Broker, instance string) engine.Config {
	t.Helper()
	c := quickConfig(b.Addrs(), filepath.Join(t.TempDir(), instance), engine.ExactlyOnce)
	c.Instance, c.Log = instance, testLog(t)
	return c
}

// plainTopics are the topics of a processor, with a table that is not compacted: the fake's
// compaction moves the begin of the log, which Kafka's does not, and a reader there begins at the
// start.
func plainTopics(t *testing.T, b kafkatest.Broker, name string) {
	t.Helper()
	shared.mustTopics(t, b, kafkatest.Topic{Name: name + "-words"},
		kafkatest.Topic{Name: name + "-counts"}, kafkatest.Topic{Name: name + "-table"})
}

// homes are keys, one of each partition.
func homes() []string {
	keys := make([]string, kafkatest.DefaultPartitions)
	for n := 0; slices.Contains(keys, ""); n++ {
		key := fmt.Sprint("k", n)
		keys[put("", key, "").Partition] = key
	}
	return keys
}

// someWords writes n records to each partition.
func someWords(t *testing.T, b kafkatest.Broker, name string, n int, sent map[string]int) {
	t.Helper()
	var records []*kgo.Record
	for range n {
		for _, key := range homes() {
			sent[key]++
			records = append(records, put(name+"-words", key, "x"))
		}
	}
	kafkatest.MustProduce(t, b, records...)
}

// untilSent waits until there are as many outputs as were sent, and lets more come if they do.
func untilSent(t *testing.T, b kafkatest.Broker, name string, sent map[string]int) {
	t.Helper()
	total := 0
	for _, n := range sent {
		total += n
	}
	eventually(t, "all is counted", func() bool {
		return len(kafkatest.MustReadAll(t, b, name+"-counts", true)) >= total
	})
}

// metric adds up the values of a counter or gauge, or the observations of a histogram.
func metric(t *testing.T, r *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != "stream_"+name {
			continue
		}
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() +
				float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

// TestGroupOffsetsAreHeldAgainstTheTable: the group's offsets are changed behind the engine's back.
// The progress record counts: nothing is counted twice or passed over,
// whether the disk is kept or lost.
func TestGroupOffsetsAreHeldAgainstTheTable(t *testing.T) {
	for name, c := range map[string]struct {
		mismatch bool
		change   func(t *testing.T, admin *kadm.Client, p *engine.Processor) error
	}{
		"reset-to-zero": {true, func(t *testing.T, admin *kadm.Client, p *engine.Processor) error {
			return commitEverywhere(t, admin, p, 0)
		}},
		"set-ahead": {true, func(t *testing.T, admin *kadm.Client, p *engine.Processor) error {
			return commitEverywhere(t, admin, p, 1_000_000)
		}},
		"group-deleted": {false, func(t *testing.T, admin *kadm.Client, p *engine.Processor) error {
			_, err := admin.DeleteGroup(t.Context(), p.Group)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, name := shared.Broker(t), "offsets-"+name
			topicsOf(t, b, name)
			sent := map[string]int{}
			someWords(t, b, name, 10, sent)
			p := named(name, wordCount())
			config := configOf(t, b, "one")
			runUntilCaughtUp(t, p, config)
			for _, diskLost := range []bool{false, true} {
				if diskLost {
					config.StateDir = t.TempDir()
				}
				withAdmin(t, b, func(admin *kadm.Client) error { return c.change(t, admin, p) })
				someWords(t, b, name, 10, sent)
				registry := prometheus.NewRegistry()
				config.Metrics = engine.NewMetrics(registry)
				r := start(t, p, config)
				untilSent(t, b, name, sent)
				r.stop(t)
				expectExact(t, b, name, sent)
				mismatches := metric(t, registry, "offset_mismatches_total")
				want := map[bool]float64{true: kafkatest.DefaultPartitions}[c.mismatch]
				if mismatches != want {
					t.Errorf("%v mismatches were counted, want %v", mismatches, want)
				}
			}
			expectOffsetsAreProgress(t, b, p)
		})
	}
}

func commitEverywhere(t *testing.T, admin *kadm.Client, p *engine.Processor, at int64) error {
	t.Helper()
	offsets := kadm.Offsets{}
	for n := range int32(kafkatest.DefaultPartitions) {
		offsets.AddOffset(p.Inputs[0], n, at, -1)
	}
	return admin.CommitAllOffsets(t.Context(), p.Group, offsets)
}

// TestOffsetsBehindTheLog: records were deleted before they were folded. What is left is folded.
func TestOffsetsBehindTheLog(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "behind-the-log"
	topicsOf(t, b, name)
	p, config := named(name, wordCount()), configOf(t, b, "one")
	words, home := name+"-words", put(name, "k", "").Partition
	for range 3 {
		kafkatest.MustProduce(t, b, put(words, "k", "x"))
	}
	runUntilCaughtUp(t, p, config)
	for range 5 {
		kafkatest.MustProduce(t, b, put(words, "k", "x"))
	}
	before := kadm.Offsets{}
	before.AddOffset(words, home, 6, -1)
	deleteRecords(t, b, before)
	runUntilCaughtUp(t, p, config)
	expectExact(t, b, name, map[string]int{"k": 5}) // 3, and offsets 6 and 7
	expectOffsetsAreProgress(t, b, p)
}

// TestExpelledMemberFoldsNothingTwice: while records flow an admin takes the instance out of the
// group, again and again. What it had not committed is folded again, from what was.
func TestExpelledMemberFoldsNothingTwice(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "expelled"
	plainTopics(t, b, name)
	p, n := counted(named(name, wordCount()))
	config := configOf(t, b, "one")
	water := startPour(t, b, name+"-words")
	r := start(t, p, config)
	for range 3 {
		before := n.Load()
		eventually(t, "it folds", func() bool { return n.Load() > before+200 })
		withAdmin(t, b, func(admin *kadm.Client) error {
			was := membersOf(t, admin, name)[config.Instance]
			left, err := admin.LeaveGroup(t.Context(),
				kadm.LeaveGroup(name).InstanceIDs(config.Instance))
			eventually(t, "it is a member again", func() bool {
				is := membersOf(t, admin, name)[config.Instance]
				return is != "" && is != was
			})
			return errors.Join(err, left.Error())
		})
	}
	before := n.Load()
	eventually(t, "it folds on", func() bool { return n.Load() > before+200 })
	sent := water.end(t)
	r.stop(t)
	runUntilCaughtUp(t, p, config)
	expectExact(t, b, name, sent)
	expectOffsetsAreProgress(t, b, p)
}

// TestRestoreIsReported: OnRestore is called with progress that never goes back, and with the end,
// once for each restore that has something to read.
func TestRestoreIsReported(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "reported"
	plainTopics(t, b, name)
	sent := map[string]int{}
	someWords(t, b, name, 30, sent)
	p, c := named(name, wordCount()), configOf(t, b, "one")
	runUntilCaughtUp(t, p, c)
	c.StateDir = t.TempDir()
	var reports []engine.Restore
	c.OnRestore = func(r engine.Restore) { reports = append(reports, r) }
	someWords(t, b, name, 1, sent) // for whom it has to restore
	runUntilCaughtUp(t, p, c)
	var last engine.Restore
	done := 0
	for _, r := range reports {
		if r.Rows < last.Rows || r.Elapsed < last.Elapsed || r.Group != name ||
			r.Total != reports[0].Total || last.Done {
			t.Errorf("after %+v came %+v", last, r)
		}
		if last = r; r.Done {
			done++
		}
	}
	if done != 1 || last.Rows < last.Total || last.Total == 0 ||
		last.Partitions != kafkatest.DefaultPartitions {
		t.Errorf("reported done %d times, at last %+v", done, last)
	}
	reports = nil
	someWords(t, b, name, 1, sent)
	runUntilCaughtUp(t, p, c)
	for _, r := range reports {
		if r.Total > 20 {
			t.Errorf("with its disk it restored %+v", r)
		}
	}
	expectExact(t, b, name, sent)
}

// TestFoldThatFailsIsFoldedAgain: a fold fails after records of other partitions were folded in the
// same commit interval. That interval is not committed, and each of its records is folded again.
func TestFoldThatFailsIsFoldedAgain(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "again"
	plainTopics(t, b, name)
	p, c := named(name, wordCount()), configOf(t, b, "one")
	c.CommitInterval = time.Hour // only the end of an attempt commits
	fold, tries := p.Fold, atomic.Int64{}
	failing := make(chan struct{})
	p.Fold = func(ctx *engine.Context, m *engine.Message) error {
		n, err := strconv.Atoi(string(m.Value))
		if err != nil || n == 0 {
			return errors.Join(err, fold(ctx, m))
		}
		if tries.Add(1) == 1 {
			defer close(failing)
			return errors.New("planted")
		}
		return fold(ctx, m)
	}
	kafkatest.MustProduce(t, b, put(name+"-words", "a", "0"), put(name+"-words", "b", "0"),
		put(name+"-words", "c", "0"), put(name+"-words", "d", "0"))
	r := start(t, p, c)
	kafkatest.MustProduce(t, b, put(name+"-words", "a", "1"))
	<-failing
	if n := len(kafkatest.MustReadAll(t, b, name+"-counts", true)); n != 0 {
		t.Errorf("%d counts were emitted by an interval that failed", n)
	}
	eventually(t, "it is tried again", func() bool { return tries.Load() >= 2 })
	r.stop(t)                                // commits what is folded by then
	c.CommitInterval = 50 * time.Millisecond // what was being folded is folded once more
	runUntilCaughtUp(t, p, c)
	expectExact(t, b, name, map[string]int{"a": 2, "b": 1, "c": 1, "d": 1})
	if diff := cmp.Diff(map[string]string{"a": "2", "b": "1", "c": "1", "d": "1"},
		rowsIn(t, b, p)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// TestRunEndsWithItsContext, also where no broker answers.
func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	c := quickConfig([]string{"127.0.0.1:1"}, t.TempDir(), engine.ExactlyOnce)
	c.Log = testLog(t)
	go func() { done <- engine.Run(ctx, wordCount(), c) }()
	<-time.After(50 * time.Millisecond)
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("error is %v", err)
		}
	case <-time.After(patience):
		t.Fatal("still runs")
	}
}
