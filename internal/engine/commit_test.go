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

	"chargestream/internal/kafkatest"
)

// echo keeps the last value of each key, and tells it.
func echo(group string) *Processor {
	return &Processor{Group: group, Inputs: []string{"words"}, Outputs: []string{"out"},
		Fold: func(ctx Context, m *Message) error {
			ctx.SetRow(append([]byte(nil), m.Value...))
			ctx.Emit("out", ctx.Key(), append([]byte(nil), m.Value...))
			return nil
		}}
}

// sessionless is goka's context where a partition needs no more of it.
type sessionless struct {
	gokaContext
	ctx context.Context
}

// gokaContext is another name, as the interface has a method Context.
type gokaContext = goka.Context

// Context implements goka.Context.
func (s sessionless) Context() context.Context { return s.ctx }

// alone makes an instance that owns partitions 0 and 1 of some and is in no group.
func alone(t *testing.T, p *Processor) *instance {
	t.Helper()
	i := newInstance(p, Config{Instance: "one", Log: slog.New(slog.DiscardHandler)}, 1)
	client, err := kgo.NewClient(kgo.SeedBrokers("127.0.0.1:1")) // which nobody asks
	mustDo(t, err)
	t.Cleanup(client.Close)
	i.group = client
	for id := range int32(2) {
		s, err := openStore(t.TempDir(), p.Table(), id)
		mustDo(t, err)
		t.Cleanup(func() {
			if i.part(id) != nil { // else it is closed
				mustDo(t, s.close())
			}
		})
		i.parts[id] = i.newPart(id)
		mustDo(t, i.parts[id].begin(s))
		i.parts[id].task.partition = 0 // every key is at home
		for _, topic := range p.topics() {
			i.parts[id].read.start(topic, 0, 0)
		}
	}
	return i
}

// word is an input record that is fetched of a partition.
func word(offset int64, key, value string) *kgo.Record {
	return &kgo.Record{Topic: "words", Offset: offset, Key: []byte(key), Value: []byte(value),
		Timestamp: time.UnixMilli(1000 + offset)}
}

// folded has a partition fold records.
func folded(t *testing.T, p *part, records ...*kgo.Record) error {
	t.Helper()
	bytes, _ := p.read.feed("words", records, 0)
	p.i.queued.Add(bytes)
	return p.fold(sessionless{ctx: t.Context()})
}

// TestCutTakesWhatWasFolded: rows, outputs and offsets of all partitions, the progress among the
// rows; what is folded after it is of the next unit.
func TestCutTakesWhatWasFolded(t *testing.T) {
	t.Parallel()
	i := alone(t, echo("g"))
	if u := i.cut(); u != nil {
		t.Errorf("of nothing there is a unit: %+v", u)
	}
	mustDo(t, folded(t, i.parts[0], word(0, "a", "1"), word(1, "a", "2"), word(4, "b", "1")))
	wasCut := i.wasCut
	u := i.cut()
	select {
	case <-wasCut:
	default:
		t.Error("nobody is told of the cut")
	}
	mustDo(t, folded(t, i.parts[0], word(5, "a", "3")))
	if len(u.parts) != 1 || u.parts[0].p.id != 0 {
		t.Fatalf("the unit has %d partitions", len(u.parts))
	}
	want := map[string][]byte{"a": []byte("2"), "b": []byte("1"), progressKey: []byte("words 5\n")}
	if diff := gocmp.Diff(want, u.parts[0].rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if n := len(u.parts[0].out); n != 3 {
		t.Errorf("%d outputs, want 3", n)
	}
	if u.parts[0].oldest != 1000 {
		t.Errorf("the oldest record is of %d", u.parts[0].oldest)
	}
	offsets := map[string]map[int32]int64{"words": {0: 5}}
	if diff := gocmp.Diff(offsets, u.offsets()); diff != "" {
		t.Errorf("offsets (-want +got):\n%s", diff)
	}
	mustDo(t, i.keep(u))
	mustDo(t, folded(t, i.parts[1], word(8, "c", "1")))
	offsets = map[string]map[int32]int64{"words": {0: 6, 1: 9}}
	if diff := gocmp.Diff(offsets, i.cut().offsets()); diff != "" {
		t.Errorf("offsets of the next (-want +got):\n%s", diff)
	}
	expectWeights(t, i.parts[0].store)
}

// TestCutWaitsForFolds: a unit of work is not cut in the middle of a batch, and no other batch
// begins while it waits.
func TestCutWaitsForFolds(t *testing.T) {
	t.Parallel()
	p, begun, goOn := echo("g"), make(chan struct{}), make(chan struct{})
	fold := p.Fold
	p.Fold = func(ctx Context, m *Message) error {
		if m.Offset == 1 {
			close(begun)
			<-goOn
		}
		return fold(ctx, m)
	}
	i := alone(t, p)
	done, cut := make(chan error, 1), make(chan *unit, 1)
	go func() {
		done <- folded(t, i.parts[0], word(0, "a", "1"), word(1, "a", "2"), word(2, "a", "3"))
	}()
	<-begun
	go func() { cut <- i.cut() }()
	for i.gate.TryRLock() { // until the cut waits
		i.gate.RUnlock()
		<-time.After(time.Millisecond)
	}
	if len(cut) != 0 {
		t.Error("the unit was cut while a batch was folded")
	}
	close(goOn)
	mustDo(t, <-done)
	u := <-cut
	if got := u.offsets()["words"][0]; got != 3 {
		t.Errorf("the unit ends at %d, want 3", got)
	}
}

// TestNothingIsCommittedAfterAFailure: a fold fails within a batch. Whoever commits next must not
// take what was folded before it.
func TestNothingIsCommittedAfterAFailure(t *testing.T) {
	t.Parallel()
	p, planted := echo("g"), errors.New("planted")
	fold := p.Fold
	p.Fold = func(ctx Context, m *Message) error {
		if m.Offset == 1 {
			return planted
		}
		return fold(ctx, m)
	}
	i := alone(t, p)
	var ended error
	i.fatal = func(err error) { ended = err }
	i.parts[0].read.feed("words", []*kgo.Record{word(0, "a", "1"), word(1, "a", "2")}, 0)
	i.handle(handled{sessionless{ctx: t.Context()}}, nil)
	if !errors.Is(i.failed(), planted) || !errors.Is(ended, planted) {
		t.Errorf("the failure is %v, the attempt ends with %v", i.failed(), ended)
	}
	if next := i.parts[0].next["words"]; next > 1 {
		t.Errorf("the record that failed is passed over: next is %d", next)
	}
	if err := i.commit(t.Context()); !errors.Is(err, planted) {
		t.Errorf("commit: %v", err)
	}
	if n := i.parts[0].store.dirtyBytes(); n == 0 {
		t.Error("the unit was cut")
	}
}

// handled is a context of a call of partition 0.
type handled struct{ sessionless }

// Partition implements goka.Context.
func (handled) Partition() int32 { return 0 }

// TestCallOfAPartitionThatIsNotOurs ends the attempt.
func TestCallOfAPartitionThatIsNotOurs(t *testing.T) {
	t.Parallel()
	i := newInstance(echo("g"), Config{}, 1)
	i.handle(handled{sessionless{ctx: t.Context()}}, nil)
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

// TestClockRecords go to the partitions that are silent, with the next unit of work, and not again
// before they are silent again.
func TestClockRecords(t *testing.T) {
	t.Parallel()
	p := echo("g")
	p.Clock = "clock"
	i := alone(t, p)
	i.c.IdleAfter = time.Minute
	i.parts[1].lastRecord.Store(time.Now().Add(-2 * time.Minute).UnixMilli())
	i.moveClock()
	i.moveClock()
	u := i.cut()
	if u == nil || len(u.clocks) != 1 || u.clocks[0].Topic != "clock" ||
		u.clocks[0].Partition != 1 ||
		len(u.parts) != 0 {
		t.Fatalf("the unit is %+v", u)
	}
	if ms := arrivalOf(u.clocks[0]); time.Since(time.UnixMilli(ms)).Abs() > brokerPatience {
		t.Errorf("the clock tells %v", time.UnixMilli(ms))
	}
	if u := i.cut(); u != nil {
		t.Errorf("the clock comes again: %+v", u)
	}
	i.parts[0].lastClock = time.Now().Add(-2 * clockEvery) // busy, but for long without one
	i.moveClock()
	if u := i.cut(); u == nil || len(u.clocks) != 1 || u.clocks[0].Partition != 0 {
		t.Errorf("the unit is %+v", u)
	}
	i.c.IdleAfter = -1
	i.parts[1].lastRecord.Store(0)
	i.moveClock()
	if u := i.cut(); u != nil {
		t.Errorf("a clock that is switched off comes: %+v", u)
	}
}
