package engine_test

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"chargestream/engine"
	"chargestream/internal/kafkatest"
)

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

// generationOf finds the generation of a group, which no description has: a heartbeat of a member
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
// the group notices: no partition moves and there is no rebalance.
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
		untilSent(t, b, name, sent)
		untilShared(t, b, name, shares)
		// The fake compares what members own, and rebalances for that; Kafka does not.
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

// TestCleanStopMovesPartitionsAtOnce: an instance that stops cleanly has committed what it folded,
// and leaves. The others do not wait until the session has timed out, at whatever moment it stops.
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
	untilSent(t, b, name, sent)
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
// ends for it, nothing is folded twice, and each record is counted once.
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
	untilSent(t, b, name, sent)
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
	untilSent(t, b, name, sent)
	second := start(t, named(name, wordCount()), cb)
	untilShared(t, b, name, map[string]int{"a": 2, "b": 2})
	someWords(t, b, name, 50, sent) // b follows what a folds
	untilSent(t, b, name, sent)
	before := metric(t, registry, "table_restored_records_total")
	if before < 1000 {
		t.Errorf("%v changelog offsets were read before", before)
	}
	first.stop(t)
	untilShared(t, b, name, map[string]int{"b": 4})
	someWords(t, b, name, 1, sent)
	untilSent(t, b, name, sent)
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
	goOn := make(chan struct{})
	fold := pa.Fold
	pa.Fold = func(ctx *engine.Context, m *engine.Message) error {
		select {
		case <-goOn:
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
	close(goOn)
	untilShared(t, b, name, map[string]int{"a": 2, "b": 2})
	second.stop(t)
	untilShared(t, b, name, map[string]int{"a": 4})
	pourLarge(1)
	untilSent(t, b, name, sent)
	first.stop(t)
	expectExact(t, b, name, sent)
}
