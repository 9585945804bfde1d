//go:build integration

package hanging_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine/hanging"
	"chargestream/internal/kafkatest"
)

var shared kafkatest.Shared

func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }

// patience bounds whatever a test waits for.
const patience = 60 * time.Second

// stand is a topic with a hanging transaction on partition 1.
type stand struct {
	t       *testing.T
	ctx     context.Context
	b       kafkatest.Broker
	client  *kgo.Client
	hang    kafkatest.Hang
	offsets int32 // the group's partition of __consumer_offsets
}

func newStand(t *testing.T, h kafkatest.Hang) *stand {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	s := &stand{t: t, ctx: ctx, b: shared.Broker(t)}
	h.ID, h.Open, h.Key = h.Topic+"-a", 1, "k"
	s.hang = h
	kafkatest.MustTopics(t, s.b, kafkatest.Topic{Name: h.Topic})
	var err error
	if s.client, err = kgo.NewClient(kgo.SeedBrokers(s.b.Addrs()...)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.Close)
	if _, _, err := kafkatest.MakeHang(ctx, s.b.Addrs(), h); err != nil {
		t.Fatal(err)
	}
	if h.Group == "" {
		return s
	}
	meta, err := kadm.NewClient(s.client).ListTopicsWithInternal(ctx, "__consumer_offsets")
	if err != nil {
		t.Fatal(err)
	}
	s.offsets = hanging.OffsetsOf(h.Group, len(meta["__consumer_offsets"].Partitions))
	return s
}

// look looks at all partitions of the topic and at that of the group's offsets.
func (s *stand) look() []hanging.Found {
	s.t.Helper()
	at := kadm.TopicsSet{}
	at.Add(s.hang.Topic, 0, 1, 2, 3)
	if s.hang.Group != "" {
		at.Add("__consumer_offsets", s.offsets)
	}
	found, unseen, unclear := hanging.Look(s.ctx, s.client, at)
	if err := errors.Join(unseen, unclear); err != nil {
		s.t.Fatal(err)
	}
	return found
}

// standsAt is where readers of committed records stand on partition 1.
func (s *stand) standsAt() int64 {
	s.t.Helper()
	stable, err := kadm.NewClient(s.client).ListCommittedOffsets(s.ctx, s.hang.Topic)
	if err != nil {
		s.t.Fatal(err)
	}
	at, _ := stable.Lookup(s.hang.Topic, s.hang.Open)
	return at.Offset
}

// endAll ends all that hangs by the coordinator's outcome, which must be as wanted.
func (s *stand) endAll(want hanging.Action, partitions int) {
	s.t.Helper()
	found := s.look()
	if len(found) != partitions {
		s.t.Fatalf("found %+v, want %d partitions", found, partitions)
	}
	for n := range found {
		f := &found[n]
		if f.ID != s.hang.ID || f.Decision.Action != want {
			s.t.Fatalf("%+v, want %v of %s", f, want, s.hang.ID)
		}
		began := time.Now()
		if err := hanging.End(s.ctx, s.client, f); err != nil {
			s.t.Fatal(err)
		}
		s.t.Logf("%s/%d of %s: %v (%s), took %s", f.Topic, f.Partition, f.ID, f.Decision.Action,
			f.Decision.Reason, time.Since(began).Round(time.Millisecond))
	}
	if left := s.look(); len(left) != 0 {
		s.t.Errorf("%+v is still open", left)
	}
}

// committed is how many records readers of committed records see.
func (s *stand) committed() int {
	s.t.Helper()
	return len(kafkatest.MustReadAll(s.t, s.b, s.hang.Topic, true))
}

// TestHangingIsCommitted: readers stand still before it and see what was committed after it, and
// the group has its offset.
func TestHangingIsCommitted(t *testing.T) {
	s := newStand(t, kafkatest.Hang{Topic: "hanging-committed", Commit: true,
		Group: "hanging-committed", Offset: 17})
	if at := s.standsAt(); at != 0 {
		t.Fatalf("readers stand at %d: nothing hangs", at)
	}
	s.endAll(hanging.Commit, 2)
	if at, n := s.standsAt(), s.committed(); at != 2 || n != 2 {
		t.Errorf("readers stand at %d and see %d records, want 2 and 2", at, n)
	}
	offsets, err := kadm.NewClient(s.client).FetchOffsets(s.ctx, s.hang.Group)
	if err != nil {
		t.Fatal(err)
	}
	if o, _ := offsets.Lookup(s.hang.Topic, s.hang.Open); o.At != 17 {
		t.Errorf("the group's offset is %d, want 17", o.At)
	}
}

func TestHangingIsAborted(t *testing.T) {
	s := newStand(t, kafkatest.Hang{Topic: "hanging-aborted"})
	s.endAll(hanging.Abort, 1)
	if at, n := s.standsAt(), s.committed(); at != 2 || n != 0 {
		t.Errorf("readers stand at %d and see %d records, want 2 and none", at, n)
	}
}

// TestHangingThatWasNeverBegun: its producer cannot begin one with its id before the abort.
func TestHangingThatWasNeverBegun(t *testing.T) {
	s := newStand(t, kafkatest.Hang{Topic: "hanging-begun", Begun: true})
	s.endAll(hanging.FenceAbort, 1)
	if n := s.committed(); n != 0 {
		t.Errorf("readers see %d records, want none", n)
	}
}

// TestHangingOfAnIDThatMovedOn: the coordinator's log has the outcome that its state shows no more.
func TestHangingOfAnIDThatMovedOn(t *testing.T) {
	for name, commit := range map[string]bool{"committed": true, "aborted": false} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, kafkatest.Hang{Topic: "hanging-moved-" + name, Commit: commit})
			later, err := kgo.NewClient(kgo.SeedBrokers(s.b.Addrs()...),
				kgo.TransactionalID(s.hang.ID),
				kgo.RecordPartitioner(kgo.ManualPartitioner()))
			if err != nil {
				t.Fatal(err)
			}
			defer later.Close()
			if err := later.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			r := &kgo.Record{Topic: s.hang.Topic, Partition: 2, Key: []byte("later")}
			if err := later.ProduceSync(s.ctx, r).FirstErr(); err != nil {
				t.Fatal(err)
			}
			// The later one has the other outcome, which must not be taken for this one's.
			err = later.EndTransaction(s.ctx, kgo.TransactionEndTry(!commit))
			if err != nil {
				t.Fatal(err)
			}
			want := hanging.Abort
			if commit {
				want = hanging.Commit
			}
			s.endAll(want, 1)
			if n, want := s.committed(), map[bool]int{true: 2, false: 1}[commit]; n != want {
				t.Errorf("readers see %d records, want %d", n, want)
			}
		})
	}
}

// TestAliveIsLeftAlone: a transaction that its producer is about to commit is not one that hangs.
func TestAliveIsLeftAlone(t *testing.T) {
	s := newStand(t, kafkatest.Hang{Topic: "hanging-none"})
	s.endAll(hanging.Abort, 1)
	alive, err := kgo.NewClient(kgo.SeedBrokers(s.b.Addrs()...), kgo.TransactionalID("alive"),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Close()
	if err := alive.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	r := &kgo.Record{Topic: s.hang.Topic, Partition: 3, Key: []byte("alive")}
	if err := alive.ProduceSync(s.ctx, r).FirstErr(); err != nil {
		t.Fatal(err)
	}
	found := s.look()
	if len(found) != 1 || found[0].Decision.Action != hanging.Wait {
		t.Fatalf("found %+v, want one that is waited for", found)
	}
	if err := hanging.End(s.ctx, s.client, &found[0]); !errors.Is(err, hanging.ErrUndecided) {
		t.Errorf("End of one that is alive: %v, want %v", err, hanging.ErrUndecided)
	}
	if err := alive.EndTransaction(s.ctx, kgo.TryCommit); err != nil {
		t.Error(err)
	}
	if n := s.committed(); n != 1 {
		t.Errorf("readers see %d records, want 1", n)
	}
}
