package engine

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lovoo/goka"
)

// TestCommitWaitsForFolds: a unit of work is not cut while a record that was handed over is being
// folded, unless the session ends, which Cleanup commits.
func TestCommitWaitsForFolds(t *testing.T) {
	for name, release := range map[string]func(i *instance){
		"folded": func(i *instance) {
			i.claimed[1].done.Add(1)
			i.mu.Lock()
			i.folded.Broadcast()
			i.mu.Unlock()
		},
		"session over": func(i *instance) {
			i.mu.Lock()
			i.closing = true
			i.folded.Broadcast()
			i.mu.Unlock()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := newInstance(&Processor{Group: "g"}, Config{}, 2)
				i.claimed = map[int32]*claimed{0: {}, 1: {}}
				i.claimed[0].delivered.Add(3)
				i.claimed[0].done.Add(3)
				i.claimed[1].delivered.Add(2)
				i.claimed[1].done.Add(1)
				done := make(chan error, 1)
				go func() { done <- i.commitRunning() }()
				synctest.Wait()
				if len(done) != 0 {
					t.Fatal("commit did not wait for the record that is being folded")
				}
				if i.gate.TryRLock() {
					t.Error("records are handed over while a commit waits")
				}
				release(i)
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestProgress writes what expectOffsetsAreProgress reads.
func TestProgress(t *testing.T) {
	i := newInstance(&Processor{Group: "g"}, Config{}, 2)
	i.claimed = map[int32]*claimed{0: {next: map[string]int64{}}, 1: {next: map[string]int64{}}}
	i.mark("words", 0, 7)
	i.mark("words", 1, 3)
	i.mark("words", 1, 4)
	i.mark("words", 9, 1) // a partition that is not ours any more
	offsets := i.takeOffsets()
	want := map[string]map[int32]int64{"words": {0: 7, 1: 4}}
	if diff := cmp.Diff(want, offsets); diff != "" {
		t.Errorf("offsets (-want +got):\n%s", diff)
	}
	if got := string(progressOf(offsets, 1)); got != "words 4\n" {
		t.Errorf("progress of partition 1 is %q", got)
	}
	if got := progressOf(offsets, 5); got != nil {
		t.Errorf("progress of a partition without records is %q", got)
	}
	if again := i.takeOffsets(); len(again) != 0 {
		t.Errorf("offsets are taken twice: %v", again)
	}
}

// endedContext is goka's context of a record whose session ended while it was folded: Fail returns,
// and goka marks the record.
type endedContext struct {
	gokaContext
}

// gokaContext is another name, as the interface has a method Context.
type gokaContext = goka.Context

func (endedContext) Topic() goka.Stream    { return "words" }
func (endedContext) Partition() int32      { return 0 }
func (endedContext) Offset() int64         { return 5 }
func (endedContext) Key() string           { return "k" }
func (endedContext) Timestamp() time.Time  { return time.UnixMilli(1) }
func (endedContext) Headers() goka.Headers { return nil }
func (endedContext) Fail(error)            {}

// TestRecordThatFailedIsNotCommitted: a commit that waited for a fold which then failed must not
// take its record as folded.
func TestRecordThatFailedIsNotCommitted(t *testing.T) {
	planted := errors.New("planted")
	p := &Processor{Group: "g", Inputs: []string{"words"},
		Fold: func(Context, *Message) error { return planted }}
	s := mustOpen(t, t.TempDir(), true)
	i := newInstance(p, Config{}, 1)
	i.claimed = map[int32]*claimed{0: {next: map[string]int64{}}}
	for _, stores := range []map[storeKey]*store{{}, {{p.Table(), 0}: s}} {
		i.failure.Store(nil)
		i.stores = stores
		ctx, cancel := context.WithCancelCause(t.Context())
		i.fatal = cancel
		i.handle(endedContext{}, []byte("x"))
		if ctx.Err() == nil {
			t.Errorf("with %d stores: the attempt goes on", len(stores))
		}
		if i.failed() == nil {
			t.Errorf("with %d stores: nothing keeps a commit from passing the record over",
				len(stores))
		}
		cancel(nil)
		if len(stores) == 1 && !errors.Is(i.failed(), planted) {
			t.Errorf("the failure is %v", i.failed())
		}
	}
	mustDo(t, s.release())
}
