package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"chargestream/internal/engine"
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
// compaction moves the begin of the log, which Kafka's does not, and who reads there begins anew.
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

// untilTold waits until there are as many outputs as were sent, and lets more come if they do.
func untilTold(t *testing.T, b kafkatest.Broker, name string, sent map[string]int) {
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
// The table tells what it was made of, and that counts: nothing is counted twice or passed over,
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
				untilTold(t, b, name, sent)
				r.stop(t)
				expectExact(t, b, name, sent)
				told := metric(t, registry, "offset_mismatches_total")
				if want := map[bool]float64{true: kafkatest.DefaultPartitions}[c.mismatch]; told !=
					want {
					t.Errorf("%v mismatches were told, want %v", told, want)
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

// membersOf are the ids of a group's members by instance, once it is stable.
func membersOf(t *testing.T, admin *kadm.Client, group string) map[string]string {
	t.Helper()
	members := map[string]string{}
	eventually(t, "the group is stable", func() bool {
		groups, err := admin.DescribeGroups(t.Context(), group)
		if err != nil {
			t.Fatal(err)
		}
		clear(members)
		for _, m := range groups[group].Members {
			if m.InstanceID != nil {
				members[*m.InstanceID] = m.MemberID
			}
		}
		return groups[group].State == "Stable"
	})
	return members
}

// generationOf finds the generation of a group, which no description tells: a heartbeat of a member
// is accepted in that one only.
func generationOf(t *testing.T, b kafkatest.Broker, group string) (generation int32) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	eventually(t, "a heartbeat is accepted", func() bool {
		for instance, id := range membersOf(t, kadm.NewClient(client), group) {
			q := kmsg.NewPtrHeartbeatRequest()
			q.Group, q.MemberID, q.InstanceID = group, id, &instance
			for q.Generation = range int32(100) {
				answer, err := q.RequestWith(t.Context(), client)
				if err != nil {
					t.Fatal(err)
				}
				if answer.ErrorCode == 0 {
					generation = q.Generation
					return true
				}
				err = kerr.ErrorForCode(answer.ErrorCode)
				if !errors.Is(err, kerr.IllegalGeneration) {
					t.Logf("heartbeat of %s: %v", instance, err)
					break
				}
			}
		}
		return false
	})
	return generation
}

// TestStaticMemberComesBack: an instance that stays in the group when it stops is back before
// anybody notices: no partition moves and the group does not agree anew.
func TestStaticMemberComesBack(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "static"
	plainTopics(t, b, name)
	sent := map[string]int{}
	ca, cb := configOf(t, b, "a"), configOf(t, b, "b")
	ca.SessionTimeout, cb.SessionTimeout = 20*time.Second, 20*time.Second
	ca.StayOnStop = true
	pa, _ := counted(named(name, wordCount()))
	pb, nb := counted(named(name, wordCount()))
	first := start(t, pa, ca)
	second := start(t, pb, cb)
	shares := map[string]int{"a": 2, "b": 2}
	untilShared(t, b, name, shares)
	generation := generationOf(t, b, name)
	for range 2 {
		first.stop(t)
		folded := nb.Load()
		someWords(t, b, name, 3, sent)
		eventually(t, "the other folds its own", func() bool { return nb.Load() > folded })
		first = start(t, pa, ca)
		untilTold(t, b, name, sent)
		untilShared(t, b, name, shares)
		// The fake compares what members own, and agrees anew for that; Kafka does not.
		if now := generationOf(t, b, name); now != generation && b.Real() {
			t.Errorf("generation is %d, was %d", now, generation)
		}
	}
	second.stop(t)
	first.stop(t)
	expectExact(t, b, name, sent)
}

// untilShared waits until each instance has so many partitions, all of them together.
func untilShared(t *testing.T, b kafkatest.Broker, group string, want map[string]int) {
	t.Helper()
	var got map[string]int
	withAdmin(t, b, func(admin *kadm.Client) error {
		limit := time.After(patience)
		for {
			groups, err := admin.DescribeGroups(t.Context(), group)
			if err != nil {
				return err
			}
			got = map[string]int{}
			for _, m := range groups[group].Members {
				instance := "?"
				if m.InstanceID != nil {
					instance = *m.InstanceID
				}
				if c, ok := m.Assigned.AsConsumer(); ok {
					for _, topic := range c.Topics {
						got[instance] += len(topic.Partitions)
					}
				}
			}
			if groups[group].State == "Stable" && maps.Equal(want, got) {
				return nil
			}
			select {
			case <-limit:
				return fmt.Errorf("the group is %s and shares %v, want %v", groups[group].State,
					got, want)
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
}

// TestCleanStopMovesPartitionsAtOnce: whoever stops in good order has committed what it folded, and
// leaves. The others do not wait until the session has timed out, at whatever moment it stops.
func TestCleanStopMovesPartitionsAtOnce(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "leaves"
	plainTopics(t, b, name)
	pa, na := counted(named(name, wordCount()))
	pb, nb := counted(named(name, wordCount()))
	ca, cb := configOf(t, b, "a"), configOf(t, b, "b")
	ca.SessionTimeout, cb.SessionTimeout = 30*time.Second, 30*time.Second
	ca.CommitInterval = time.Millisecond // so that a commit is under way at most moments
	water := startPour(t, b, name+"-words")
	second := start(t, pb, cb)
	for round := range 4 {
		first := start(t, pa, ca)
		before := na.Load()
		eventually(t, "a folds", func() bool { return na.Load() > before+100 })
		first.stop(t)
		began := time.Now()
		untilShared(t, b, name, map[string]int{"b": kafkatest.DefaultPartitions})
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("round %d: the partitions moved after %v", round, took)
		}
	}
	sent := water.end(t)
	untilTold(t, b, name, sent)
	second.stop(t)
	expectExact(t, b, name, sent)
	if got, want := na.Load()+nb.Load(), int64(total(sent)); got != want {
		t.Errorf(
			"%d records were folded, %d were sent: a clean stop costs folding again",
			got,
			want,
		)
	}
}

func total(sent map[string]int) int {
	n := 0
	for _, sent := range sent {
		n += sent
	}
	return n
}

// TestPartitionsThatStayAreFoldedOn: two instances work while a third joins and leaves. No attempt
// ends for it, nothing is folded twice, and each record is told once.
func TestPartitionsThatStayAreFoldedOn(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "stay"
	plainTopics(t, b, name)
	water := startPour(t, b, name+"-words")
	var again atomic.Int64
	var folded []*atomic.Int64
	run := func(instance string) *running {
		p, n := counted(named(name, wordCount()))
		c := configOf(t, b, instance)
		c.Log = slog.New(restarts{testLog(t).Handler(), &again})
		folded = append(folded, n)
		return start(t, p, c)
	}
	grow := func() {
		t.Helper()
		for _, n := range folded {
			before := n.Load()
			eventually(t, "every instance folds", func() bool { return n.Load() > before+50 })
		}
	}
	first, second := run("a"), run("b")
	grow()
	for range 2 {
		third := run("c")
		grow()
		third.stop(t)
		folded = slices.Delete(folded, 2, 3)
		grow()
	}
	sent := water.end(t)
	untilTold(t, b, name, sent)
	first.stop(t)
	second.stop(t)
	expectExact(t, b, name, sent)
	if n := again.Load(); n != 0 {
		t.Errorf("%d attempts ended for who came and went", n)
	}
}

// TestStandby: the copies of what others own are followed, so that a takeover restores nearly
// nothing.
func TestStandby(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "standby"
	plainTopics(t, b, name)
	sent := map[string]int{}
	var records []*kgo.Record
	for n := range 2000 {
		key := fmt.Sprint("row-", n)
		sent[key]++
		records = append(records, put(name+"-words", key, "x"))
	}
	kafkatest.MustProduce(t, b, records...)
	ca, cb := configOf(t, b, "a"), configOf(t, b, "b")
	registry := prometheus.NewRegistry()
	cb.Standby, cb.Metrics = true, engine.NewMetrics(registry)
	first := start(t, named(name, wordCount()), ca)
	untilTold(t, b, name, sent)
	second := start(t, named(name, wordCount()), cb)
	untilShared(t, b, name, map[string]int{"a": 2, "b": 2})
	someWords(t, b, name, 50, sent) // b follows what a folds
	untilTold(t, b, name, sent)
	before := metric(t, registry, "table_restored_records_total")
	if before < 1000 {
		t.Errorf("%v changelog offsets were read before", before)
	}
	first.stop(t)
	untilShared(t, b, name, map[string]int{"b": 4})
	someWords(t, b, name, 1, sent)
	untilTold(t, b, name, sent)
	if after := metric(t, registry, "table_restored_records_total"); after-before > 300 {
		t.Errorf("the takeover read %v changelog offsets", after-before)
	}
	second.stop(t)
	expectExact(t, b, name, sent)
}

// TestPausedPartitionComesBack: a partition is revoked while it has so much before it that it is
// fetched no more. When it is this instance's again it is read on.
func TestPausedPartitionComesBack(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "paused"
	plainTopics(t, b, name)
	pa, _ := counted(named(name, wordCount()))
	gate := make(chan struct{})
	fold := pa.Fold
	pa.Fold = func(ctx engine.Context, m *engine.Message) error {
		select {
		case <-gate:
		case <-time.After(patience):
		}
		return fold(ctx, m)
	}
	sent, large := map[string]int{}, make([]byte, 16<<10)
	pourLarge := func(n int) {
		var records []*kgo.Record
		for range n {
			for _, key := range homes() {
				sent[key]++
				r := put(name+"-words", key, "x")
				r.Value = large
				records = append(records, r)
			}
		}
		kafkatest.MustProduce(t, b, records...)
	}
	pourLarge(800) // 13 MB to each partition, of which 8 MB may wait, taken in batches of 1 MB
	ca, cb := configOf(t, b, "a"), configOf(t, b, "b")
	ca.SessionTimeout, cb.SessionTimeout = 10*time.Second, 10*time.Second
	registry := prometheus.NewRegistry()
	ca.Metrics = engine.NewMetrics(registry)
	first := start(t, pa, ca)
	eventually(t, "every partition is paused", func() bool {
		return metric(t, registry, "fetch_pauses_total") >= kafkatest.DefaultPartitions
	})
	second := start(t, named(name, wordCount()), cb)
	withAdmin(t, b, func(admin *kadm.Client) error {
		eventually(t, "b is a member", func() bool {
			return len(membersOf(t, admin, name)) == 2
		})
		return nil
	})
	<-time.After(time.Second) // a must be asked for what it gives up before it folds on
	close(gate)
	untilShared(t, b, name, map[string]int{"a": 2, "b": 2})
	second.stop(t)
	untilShared(t, b, name, map[string]int{"a": 4})
	pourLarge(1)
	untilTold(t, b, name, sent)
	first.stop(t)
	expectExact(t, b, name, sent)
}

// TestRestoreIsTold: OnRestore is told of progress that never goes back, and of the end, once for
// each restore that has something to read.
func TestRestoreIsTold(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "told"
	plainTopics(t, b, name)
	sent := map[string]int{}
	someWords(t, b, name, 30, sent)
	p, c := named(name, wordCount()), configOf(t, b, "one")
	runUntilCaughtUp(t, p, c)
	c.StateDir = t.TempDir()
	var told []engine.Restore
	c.OnRestore = func(r engine.Restore) { told = append(told, r) }
	someWords(t, b, name, 1, sent) // for whom it has to restore
	runUntilCaughtUp(t, p, c)
	var last engine.Restore
	done := 0
	for _, r := range told {
		if r.Rows < last.Rows || r.Elapsed < last.Elapsed || r.Group != name ||
			r.Total != told[0].Total || last.Done {
			t.Errorf("after %+v came %+v", last, r)
		}
		if last = r; r.Done {
			done++
		}
	}
	if done != 1 || last.Rows < last.Total || last.Total == 0 ||
		last.Partitions != kafkatest.DefaultPartitions {
		t.Errorf("told done %d times, at last %+v", done, last)
	}
	told = nil
	someWords(t, b, name, 1, sent)
	runUntilCaughtUp(t, p, c)
	for _, r := range told {
		if r.Total > 20 {
			t.Errorf("with its disk it restored %+v", r)
		}
	}
	expectExact(t, b, name, sent)
}

// TestFoldThatFailsIsFoldedAgain: a fold fails after records of other partitions were folded in the
// same unit of work. That unit is not committed, and each of its records is folded again.
func TestFoldThatFailsIsFoldedAgain(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "again"
	plainTopics(t, b, name)
	p, c := named(name, wordCount()), configOf(t, b, "one")
	c.CommitInterval = time.Hour // only the end of an attempt commits
	fold, tries := p.Fold, atomic.Int64{}
	failing := make(chan struct{})
	p.Fold = func(ctx engine.Context, m *engine.Message) error {
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
		t.Errorf("%d counts were told of a unit that failed", n)
	}
	eventually(t, "it is tried again", func() bool { return tries.Load() >= 2 })
	r.stop(t) // commits
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
