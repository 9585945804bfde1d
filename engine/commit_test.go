package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/lovoo/goka"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine/order"
	"chargestream/engine/task"
	"chargestream/internal/kafkatest"
)

// echo keeps the last value of each key, and emits it.
func echo(group string) *Processor {
	table := plain(group)
	return &Processor{Group: group, Inputs: []string{"words"}, Tables: []Declared{table},
		Outputs: []Output{{Topic: "out"}},
		Fold: func(ctx *Context, m *Message) error {
			ctx.Emit("out", m.Key, append([]byte(nil), m.Value...))
			return set(ctx, table, m.Key, string(m.Value))
		}}
}

// roundless is goka's context where a partition needs no more of it.
type roundless struct {
	gokaContext
	ctx context.Context
}

// gokaContext is another name, as the interface has a method Context.
type gokaContext = goka.Context

// Context implements goka.Context.
func (s roundless) Context() context.Context { return s.ctx }

// alone makes an instance that owns partitions 0 and 1 of some and is in no group.
func alone(t *testing.T, p *Processor) *instance {
	t.Helper()
	mustDo(t, p.Check())
	i := newInstance(p, Config{Instance: "one", Log: slog.New(slog.DiscardHandler)}, 1)
	client, err := kgo.NewClient(kgo.SeedBrokers("127.0.0.1:1")) // never called
	mustDo(t, err)
	t.Cleanup(client.Close)
	i.group = client
	for id := range int32(2) {
		s := mustOpen(t, t.TempDir(), len(p.Tables))
		x := i.newPartition(id)
		t.Cleanup(func() {
			if i.activePartition(id) != nil { // else it is closed
				mustDo(t, x.store.Close())
			}
		})
		mustDo(t, x.begin(s))
		x.task = task.New(p, 0, 1, &liveBackend{x}, task.Metrics{}) // every key is of its partition
		for _, topic := range p.Topics() {
			x.read.Start(topic, 0, 0)
		}
		i.activeByID[id] = x
	}
	return i
}

// word is an input record that is fetched of a partition.
func word(offset int64, key, value string) *kgo.Record {
	return &kgo.Record{Topic: "words", Offset: offset, Key: []byte(key), Value: []byte(value),
		Timestamp: time.UnixMilli(1000 + offset)}
}

// folded has a partition fold records.
func folded(t *testing.T, p *ownedPartition, records ...*kgo.Record) error {
	t.Helper()
	bytes, _ := p.read.Feed("words", records, 0)
	p.i.queued.Add(bytes)
	return p.fold(roundless{ctx: t.Context()})
}

// cut ends a commit interval.
func cut(t *testing.T, i *instance) *interval {
	t.Helper()
	iv, err := i.cut()
	mustDo(t, err)
	return iv
}

// TestCutTakesWhatWasFolded: rows, outputs and offsets of all partitions, the progress among the
// rows of the first table; what is folded after it is in the next interval.
func TestCutTakesWhatWasFolded(t *testing.T) {
	t.Parallel()
	p, other := echo("g"), plain("other")
	p.Tables, p.Layout = append(p.Tables, other), 3
	fold := p.Fold
	p.Fold = func(ctx *Context, m *Message) error {
		return errors.Join(fold(ctx, m), set(ctx, other, "last", m.Key))
	}
	i := alone(t, p)
	if iv := cut(t, i); iv != nil {
		t.Errorf("of nothing there is an interval: %+v", iv)
	}
	mustDo(t, folded(t, i.activeByID[0], word(0, "a", "1"), word(1, "a", "2"), word(4, "b", "1")))
	wasCut := i.wasCut
	iv := cut(t, i)
	select {
	case <-wasCut:
	default:
		t.Error("the cut is not announced")
	}
	mustDo(t, folded(t, i.activeByID[0], word(5, "a", "3")))
	if len(iv.partitions) != 1 || iv.partitions[0].p.id != 0 {
		t.Fatalf("the interval has %d partitions", len(iv.partitions))
	}
	want := [][]task.Row{rowsFrom("a=2", "b=1", progressKey+"=#layout 3\nwords 5\n"),
		rowsFrom("last=b")}
	if diff := gocmp.Diff(want, iv.partitions[0].Rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if n := len(iv.partitions[0].Out); n != 3 {
		t.Errorf("%d outputs, want 3", n)
	}
	if iv.partitions[0].oldest != 1000 {
		t.Errorf("the oldest record is of %d", iv.partitions[0].oldest)
	}
	offsets := map[string]map[int32]int64{"words": {0: 5}}
	if diff := gocmp.Diff(offsets, iv.offsets()); diff != "" {
		t.Errorf("offsets (-want +got):\n%s", diff)
	}
	mustDo(t, i.keep(iv))
	mustDo(t, folded(t, i.activeByID[1], word(8, "c", "1")))
	offsets = map[string]map[int32]int64{"words": {0: 6, 1: 9}}
	if diff := gocmp.Diff(offsets, cut(t, i).offsets()); diff != "" {
		t.Errorf("offsets of the next (-want +got):\n%s", diff)
	}
}

// TestStoreForgetsWhatWasNotCommitted is the crash that stock goka counts double after: neither
// what is folded nor what is cut gets to the disk before it is committed.
func TestStoreForgetsWhatWasNotCommitted(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(x *ownedPartition) error{
		"closed": func(x *ownedPartition) error { return x.store.Close() },
		"by goka": func(x *ownedPartition) error {
			return ownedStore{gokaStore{x.store}}.Close()
		},
		"marked as recovered": func(x *ownedPartition) error {
			return ownedStore{gokaStore{x.store}}.MarkRecovered()
		},
	} {
		i := alone(t, echo("g"))
		x := i.activeByID[0]
		mustDo(t, folded(t, x, word(0, "k", "committed")))
		iv := cut(t, i)
		iv.partitions[0].offsets[0] = 10
		mustDo(t, i.keep(iv))
		mustDo(t, folded(t, x, word(1, "k", "cut"), word(2, "new", "cut")))
		cut(t, i)
		mustDo(t, folded(t, x, word(3, "k", "running")))
		mustDo(t, i.writeStores())
		mustDo(t, x.store.Flush())
		mustDo(t, end(x))
		if name != "closed" {
			mustDo(t, x.store.Close())
		}
		x.store = mustOpen(t, x.store.Path(), 1)
		expectRows(t, x.store, 0, map[string]string{"k": "committed"})
		expectOffset(t, x.store, 0, 10)
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

// TestCutWaitsForFolds: a commit interval is not cut in the middle of a batch, and no other batch
// begins while it waits.
func TestCutWaitsForFolds(t *testing.T) {
	t.Parallel()
	p, begun, goOn := echo("g"), make(chan struct{}), make(chan struct{})
	fold := p.Fold
	p.Fold = func(ctx *Context, m *Message) error {
		if m.Offset == 1 {
			close(begun)
			<-goOn
		}
		return fold(ctx, m)
	}
	i := alone(t, p)
	done, cut := make(chan error, 1), make(chan *interval, 1)
	go func() {
		done <- folded(t, i.activeByID[0], word(0, "a", "1"), word(1, "a", "2"), word(2, "a", "3"))
	}()
	<-begun
	go func() {
		iv, err := i.cut()
		if err != nil {
			t.Error(err)
		}
		cut <- iv
	}()
	for i.foldMu.TryRLock() { // until the cut waits
		i.foldMu.RUnlock()
		<-time.After(time.Millisecond)
	}
	if len(cut) != 0 {
		t.Error("the interval was cut while a batch was folded")
	}
	close(goOn)
	mustDo(t, <-done)
	iv := <-cut
	if got := iv.offsets()["words"][0]; got != 3 {
		t.Errorf("the interval ends at %d, want 3", got)
	}
}

// TestNothingIsCommittedAfterAFailure: a fold fails within a batch. The next commit must not
// include what was folded before it.
func TestNothingIsCommittedAfterAFailure(t *testing.T) {
	t.Parallel()
	p, planted := echo("g"), errors.New("planted")
	fold := p.Fold
	p.Fold = func(ctx *Context, m *Message) error {
		if m.Offset == 1 {
			return planted
		}
		return fold(ctx, m)
	}
	i := alone(t, p)
	var ended error
	i.fatal = func(err error) { ended = err }
	i.activeByID[0].read.Feed("words", []*kgo.Record{word(0, "a", "1"), word(1, "a", "2")}, 0)
	i.handle(handled{roundless{ctx: t.Context()}}, nil)
	if !errors.Is(i.failed(), planted) || !errors.Is(ended, planted) {
		t.Errorf("the failure is %v, the attempt ends with %v", i.failed(), ended)
	}
	if next := i.activeByID[0].next["words"]; next > 1 {
		t.Errorf("the record that failed is passed over: next is %d", next)
	}
	if err := i.commit(t.Context()); !errors.Is(err, planted) {
		t.Errorf("commit: %v", err)
	}
	if n := i.activeByID[0].task.Weight(); n == 0 {
		t.Error("the interval was cut")
	}
}

// handled is a context of a call of partition 0.
type handled struct{ roundless }

// Partition implements goka.Context.
func (handled) Partition() int32 { return 0 }

// TestCallOfAPartitionThatIsNotOurs ends the attempt.
func TestCallOfAPartitionThatIsNotOurs(t *testing.T) {
	t.Parallel()
	i := newInstance(echo("g"), Config{}, 1)
	i.handle(handled{roundless{ctx: t.Context()}}, nil)
	if i.failed() == nil {
		t.Error("the attempt goes on")
	}
}

// TestCommitOffsetsTriesAgain after what passes, and after nothing else.
func TestCommitOffsetsTriesAgain(t *testing.T) {
	t.Parallel()
	i := newInstance(echo("g"), Config{}, 1)
	i.group = mustClient(t, kafkatest.StartFake(t)) // in no group: no member, as none is known
	offsets := map[string]map[int32]int64{"words": {0: 7}}
	for _, c := range []struct {
		err   error
		again bool
	}{
		{kerr.RebalanceInProgress, true}, {kerr.IllegalGeneration, true},
		{kerr.ConcurrentTransactions, true}, {kerr.CoordinatorLoadInProgress, true},
		{fmt.Errorf("words/0: %w", kerr.NotCoordinator), true},
		{kerr.UnknownMemberID, false}, {kerr.FencedInstanceID, false},
		{kerr.TransactionAbortable, false}, {kerr.InvalidProducerEpoch, false},
		{errors.New("planted"), false},
	} {
		calls := 0
		err := i.commitOffsets(t.Context(), offsets, func(_ context.Context, _ membership,
			got map[string]map[int32]int64) error {
			if diff := gocmp.Diff(offsets, got); diff != "" {
				t.Errorf("offsets (-want +got):\n%s", diff)
			}
			if calls++; calls < 3 {
				return c.err
			}
			return nil
		})
		if c.again && (err != nil || calls != 3) {
			t.Errorf("%v: %d calls, then %v", c.err, calls, err)
		}
		if !c.again && (!errors.Is(err, c.err) || calls != 1) {
			t.Errorf("%v: %d calls, then %v", c.err, calls, err)
		}
	}
}

// TestCommitOffsetsOfAnotherMember: who comes back under another id was expelled, and sends
// nothing.
func TestCommitOffsetsOfAnotherMember(t *testing.T) {
	t.Parallel()
	i := newInstance(echo("g"), Config{}, 1)
	i.group = mustClient(t, kafkatest.StartFake(t))
	was := "another"
	i.memberID.Store(&was)
	err := i.commitOffsets(t.Context(), map[string]map[int32]int64{"words": {0: 7}},
		func(context.Context, membership, map[string]map[int32]int64) error {
			t.Error("offsets were sent")
			return nil
		})
	if !errors.Is(err, errExpelled) {
		t.Errorf("error is %v, want errExpelled", err)
	}
}

// TestCommitOffsetsEndsWithItsContext while the coordinator is not there.
func TestCommitOffsetsEndsWithItsContext(t *testing.T) {
	t.Parallel()
	i := newInstance(echo("g"), Config{}, 1)
	i.group = mustClient(t, kafkatest.StartFake(t))
	ctx, cancel := context.WithCancel(t.Context())
	err := i.commitOffsets(ctx, map[string]map[int32]int64{"words": {0: 7}},
		func(context.Context, membership, map[string]map[int32]int64) error {
			cancel()
			return kerr.NotCoordinator
		})
	if !errors.Is(err, context.Canceled) || !errors.Is(err, kerr.NotCoordinator) {
		t.Errorf("error is %v", err)
	}
}

// TestClockRecords go to the partitions that are silent, with the next commit, and not again
// before they are silent again.
func TestClockRecords(t *testing.T) {
	t.Parallel()
	p := echo("g")
	p.Clock = "clock"
	i := alone(t, p)
	i.c.IdleAfter = time.Minute
	i.activeByID[1].lastRecord.Store(time.Now().Add(-2 * time.Minute).UnixMilli())
	i.moveClock()
	i.moveClock()
	iv := cut(t, i)
	if iv == nil || len(iv.clocks) != 1 || iv.clocks[0].Topic != "clock" ||
		iv.clocks[0].Partition != 1 ||
		len(iv.partitions) != 0 {
		t.Fatalf("the interval is %+v", iv)
	}
	if ms := order.ArrivalOf(iv.clocks[0]); time.Since(time.UnixMilli(ms)).Abs() > brokerPatience {
		t.Errorf("the clock record is of %v", time.UnixMilli(ms))
	}
	if iv := cut(t, i); iv != nil {
		t.Errorf("the clock comes again: %+v", iv)
	}
	i.activeByID[0].lastClock = time.Now().Add(-2 * clockEvery) // busy, but for long without one
	i.moveClock()
	if iv := cut(t, i); iv == nil || len(iv.clocks) != 1 || iv.clocks[0].Partition != 0 {
		t.Errorf("the interval is %+v", iv)
	}
	i.c.IdleAfter = -1
	i.activeByID[1].lastRecord.Store(0)
	i.moveClock()
	if iv := cut(t, i); iv != nil {
		t.Errorf("a clock that is switched off comes: %+v", iv)
	}
}
