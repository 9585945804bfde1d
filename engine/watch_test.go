package engine_test

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
	"chargestream/engine/stall"
	"chargestream/internal/kafkatest"
)

// lookEvery is how far apart the looks of these tests are, for the watch.
const lookEvery = 5 * time.Second

// watched is a watch whose clock a test moves.
type watched struct {
	t      *testing.T
	w      *engine.Watch
	client *kgo.Client
	now    atomic.Int64 // ns
}

func watchOf(t *testing.T, b kafkatest.Broker, w *engine.Watch) *watched {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	of := &watched{t: t, w: w, client: client}
	of.now.Store(time.Now().UnixNano())
	w.SetClock(func() time.Time { return time.Unix(0, of.now.Load()) })
	return of
}

// watchedCount is a word count, not started yet, on the shared broker, and its watch.
func watchedCount(t *testing.T, name string) (kafkatest.Broker, *engine.Processor, engine.Config,
	*watched) {
	t.Helper()
	b := shared.Broker(t)
	topicsOf(t, b, name)
	p, c := named(name, wordCount()), configOf(t, b, "one")
	c.Watch = engine.NewWatch(c, []*engine.Processor{p})
	return b, p, c, watchOf(t, b, c.Watch)
}

// looks looks so often, and returns what stands still then.
func (w *watched) looks(n int) []stall.Stall {
	w.t.Helper()
	for range n {
		w.w.LookOnce(w.t.Context(), w.client)
		w.now.Add(int64(lookEvery))
	}
	return w.w.Stalls()
}

// expect looks for 30 s by the watch's clock, after which a kind must stand still for a class of
// reason that has the word in its text.
func (w *watched) expect(what stall.What, class, word string) {
	w.t.Helper()
	all := w.looks(6)
	for _, s := range all {
		if s.What == what && s.Reason.Class == class && strings.Contains(s.Reason.Detail, word) {
			return
		}
	}
	w.t.Fatalf("stands still is %+v, want %s for %s with %q", all, what, class, word)
}

// expectNone looks for a minute, after which nothing must stand still.
func (w *watched) expectNone(when string) {
	w.t.Helper()
	if all := w.looks(12); len(all) > 0 {
		w.t.Errorf("%s: stands still is %+v, want nothing", when, all)
	}
}

// untilCommitted waits until a processor has committed all that there is.
func untilCommitted(t *testing.T, b kafkatest.Broker, p *engine.Processor) {
	t.Helper()
	eventually(t, "all is committed", func() bool {
		lag, err := engine.Lag(t.Context(), b.Addrs(), p)
		return err == nil && lag == 0
	})
}

// TestWatchOfWhatMoves: a processor that has folded everything, and a view of its table, do not
// stand still, although control records are behind the last record.
func TestWatchOfWhatMoves(t *testing.T) {
	t.Parallel()
	name := "watch-moves"
	b, p, c, w := watchedCount(t, name)
	v := openView(t, b, name+"-table")
	views := watchOf(t, b, engine.NewViewWatch(c, nil, []*engine.View{v}))
	sent := map[string]int{}
	numberedWords(t, b, name, 20, sent)
	counting, folded := counted(p)
	r := start(t, counting, c)
	total := 0
	for _, n := range sent {
		total += n
	}
	eventually(t, "all is folded", func() bool { return folded.Load() == int64(total) })
	untilCommitted(t, b, p)
	eventually(t, "the view has all", func() bool { return v.Ready() && v.Behind() == 0 })
	w.expectNone("all is read")
	views.expectNone("all is viewed")
	r.stop(t)
}

// TestWatchOfAnOpenTransaction: input, stable offset and view stand behind another application's
// transaction until it is committed.
func TestWatchOfAnOpenTransaction(t *testing.T) {
	t.Parallel()
	name := "watch-open"
	b, p, c, w := watchedCount(t, name)
	v := openView(t, b, name+"-words")
	views := watchOf(t, b, engine.NewViewWatch(c, nil, []*engine.View{v}))
	counting, folded := counted(p)
	r := start(t, counting, c)
	kafkatest.MustProduce(t, b, put(name+"-words", "a", "x"))
	eventually(t, "it folds", func() bool { return folded.Load() == 1 })
	end := open(t, b, put(name+"-words", "a", "y"))
	for _, what := range []stall.What{stall.Input, stall.Stable} {
		w.expect(what, stall.OpenOngoing, "it is ongoing")
	}
	views.expect(stall.View, stall.OpenOngoing, "it is ongoing")
	end(kgo.TryCommit)
	eventually(t, "it folds on", func() bool { return folded.Load() == 2 })
	untilCommitted(t, b, p)
	w.expectNone("it was committed")
	r.stop(t)
}

// TestWatchOfALookup: the group that keeps the looked-up table does not run.
func TestWatchOfALookup(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "watch-lookup"
	translationTopics(t, b, name)
	_, p := translation(name)
	c := configOf(t, b, "one")
	c.Watch = engine.NewWatch(c, []*engine.Processor{p})
	w := watchOf(t, b, c.Watch)
	kafkatest.MustProduce(t, b, put(name+"-entries", "a", "x"))
	r := start(t, p, c)
	eventually(t, "it is said", func() bool {
		return slices.ContainsFunc(w.looks(6), func(s stall.Stall) bool {
			return s.What == stall.Group && s.Group == name &&
				s.Reason.Class == stall.WaitsForTable &&
				strings.Contains(s.Reason.Detail, name+"-maker-table")
		})
	})
	r.stop(t)
}

// hangAtAWord has the fold of the word "hang" not end until leave is closed; entered is closed when
// it began.
func hangAtAWord(p *engine.Processor) (entered, leave chan struct{}) {
	fold := p.Fold
	entered, leave = make(chan struct{}), make(chan struct{})
	p.Fold = func(ctx *engine.Context, m *engine.Message) error {
		if string(m.Value) == "hang" {
			close(entered)
			<-leave
		}
		return fold(ctx, m)
	}
	return entered, leave
}

// TestWatchOfAFoldThatHangs: nothing is committed while a fold does not end.
func TestWatchOfAFoldThatHangs(t *testing.T) {
	t.Parallel()
	name := "watch-fold"
	b, p, c, w := watchedCount(t, name)
	entered, leave := hangAtAWord(p)
	kafkatest.MustProduce(t, b, put(name+"-words", "a", "x"))
	r := start(t, p, c)
	eventually(t, "it folds", func() bool { return recordsIn(t, b, name+"-counts") > 0 })
	w.looks(1)
	kafkatest.MustProduce(t, b, put(name+"-words", "a", "hang"))
	<-entered
	w.expect(stall.Commit, stall.CommitSlow, "has not ended")
	close(leave)
	untilCommitted(t, b, p)
	w.expectNone("the fold ended")
	r.stop(t)
}

// TestWatchOfAnInputThatGrows: the processor ends, as it does when the group notices, but soon.
func TestWatchOfAnInputThatGrows(t *testing.T) {
	t.Parallel()
	name := "watch-grows"
	b, p, c, w := watchedCount(t, name)
	r := start(t, p, c)
	kafkatest.MustProduce(t, b, put(name+"-words", "a", "x"))
	untilCommitted(t, b, p)
	w.expectNone("the topics are as they were")
	withAdmin(t, b, func(admin *kadm.Client) error {
		added, err := admin.CreatePartitions(t.Context(), 1, name+"-words")
		return errors.Join(err, added.Error())
	})
	eventually(t, "it ends", func() bool {
		w.looks(1)
		select {
		case err := <-r.done:
			if !errors.Is(err, engine.ErrTopics) {
				t.Errorf("it ended with %v, want that the topics are wrong", err)
			}
			return true
		default:
			return false
		}
	})
}

// TestWatchOfAttemptsThatFail: the reason is that of the attempts.
func TestWatchOfAttemptsThatFail(t *testing.T) {
	t.Parallel()
	name := "watch-fails"
	b, p, c, w := watchedCount(t, name)
	failed := make(chan struct{})
	p.Fold = func(*engine.Context, *engine.Message) error {
		failed <- struct{}{}
		return errors.New("never")
	}
	kafkatest.MustProduce(t, b, put(name+"-words", "a", "x"))
	r := start(t, p, c)
	<-failed
	for range 5 { // one look for each attempt
		<-failed
		w.looks(1)
	}
	if !slices.ContainsFunc(w.w.Stalls(), func(s stall.Stall) bool {
		return s.What == stall.Group && s.Reason.Class == "unknown" &&
			strings.Contains(s.Reason.Detail, "again and again")
	}) {
		t.Errorf("stands still is %+v, want the group for its attempts", w.w.Stalls())
	}
	go func() {
		for range failed { // the last attempts may fold once more
		}
	}()
	r.stop(t)
	close(failed)
}

// TestWatchOfABrokerThatIsAway: it is said although nothing can be asked.
func TestWatchOfABrokerThatIsAway(t *testing.T) {
	t.Parallel()
	b, name := kafkatest.StartFake(t, kafkatest.Durable()), "watch-away"
	kafkatest.MustTopics(t, b, kafkatest.Topic{Name: name + "-words"},
		kafkatest.Topic{Name: name + "-counts"}, kafkatest.CompactedTopic(name+"-table"))
	c := engine.Config{Brokers: b.Addrs(), Log: testLog(t)}
	w := watchOf(t, b, engine.NewViewWatch(c, nil, []*engine.View{openView(t, b,
		name+"-table")}))
	w.expectNone("the broker is up")
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	all := w.looks(6)
	if len(all) != 1 || all[0].What != stall.Brokers || all[0].Reason.Class != "network" {
		t.Errorf("stands still is %+v, want the brokers for network", all)
	}
	if err := b.Restart(); err != nil {
		t.Fatal(err)
	}
	w.expectNone("the broker is back")
}
