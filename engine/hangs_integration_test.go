//go:build integration

package engine_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
	"chargestream/engine/hanging"
	"chargestream/internal/kafkatest"
)

// hangAt leaves a transaction open.
func hangAt(t *testing.T, b kafkatest.Broker, h kafkatest.Hang) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, _, err := kafkatest.MakeHang(ctx, b.Addrs(), h); err != nil {
		t.Fatal(err)
	}
}

// openFor are the transactions that are open on the topics of a processor.
func openFor(t *testing.T, b kafkatest.Broker, p *engine.Processor) []hanging.Found {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	found, err := engine.OpenTransactions(ctx, client, p)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// startWatch runs a watch until the test is over.
func startWatch(t *testing.T, c engine.Config, p *engine.Processor) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- engine.NewWatch(c, []*engine.Processor{p}).Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("watch: %v", err)
		}
	})
}

// TestWatchEndsWhatHangs: on the table, on an input and on the group's offsets. An instance that
// starts behind them restores and folds everything, and what was aborted stays aborted.
func TestWatchEndsWhatHangs(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "watch-hangs"
	topicsOf(t, b, name)
	p := named(name, wordCount())
	hangAt(t, b, kafkatest.Hang{ID: name + "-dead", Topic: name + "-table", Ended: 0, Open: 1,
		Key: "aborted"})
	hangAt(t, b, kafkatest.Hang{ID: name + "-gone", Topic: name + "-words", Ended: 2, Open: 3,
		Key: "aborted", Group: name, Offset: 5})
	water := startPour(t, b, name+"-words")
	eventually(t, "three partitions are open", func() bool { return len(openFor(t, b, p)) == 3 })
	c := configOf(t, b, "one")
	startWatch(t, c, p)
	counting, folded := counted(p)
	r := start(t, counting, c)
	eventually(t, "it folds", func() bool { return folded.Load() > 100 })
	sent := water.end(t)
	r.stop(t)
	runUntilCaughtUp(t, counting, c)
	expectExact(t, b, name, sent)
	if found := openFor(t, b, p); len(found) != 0 {
		t.Errorf("still open: %+v", found)
	}
}

// TestInstanceEndsWhatHangsOfItsOwn, before its first transaction: that would else commit what was
// aborted, as the broker takes both for one.
func TestInstanceEndsWhatHangsOfItsOwn(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "own-hangs"
	topicsOf(t, b, name)
	for partition := range int32(kafkatest.DefaultPartitions) {
		hangAt(t, b, kafkatest.Hang{ID: name + "-one", Topic: name + "-counts",
			Ended: (partition + 1) % kafkatest.DefaultPartitions, Open: partition,
			Key: "aborted"})
	}
	p, c, sent := named(name, wordCount()), configOf(t, b, "one"), map[string]int{}
	numberedWords(t, b, name, 50, sent)
	runUntilCaughtUp(t, p, c)
	expectExact(t, b, name, sent)
}

// TestWatchLeavesOthersAlone: a transaction of another application is logged and stays.
func TestWatchLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "watch-others"
	topicsOf(t, b, name)
	p := named(name, wordCount())
	hangAt(t, b, kafkatest.Hang{ID: "another-application", Topic: name + "-words", Ended: 0,
		Open: 1, Key: "aborted"})
	c := configOf(t, b, "one")
	var told atomic.Int64
	c.Log = slog.New(levelCounter{c.Log.Handler(), slog.LevelError, &told})
	startWatch(t, c, p)
	eventually(t, "it is logged", func() bool { return told.Load() > 0 })
	found := openFor(t, b, p)
	if len(found) != 1 || found[0].ID != "another-application" ||
		found[0].Decision.Action != hanging.Abort {
		t.Fatalf("open is %+v, want that of another application", found)
	}
	withAdmin(t, b, func(admin *kadm.Client) error {
		stable, err := admin.ListCommittedOffsets(t.Context(), name+"-words")
		if at, _ := stable.Lookup(name+"-words", 1); at.Offset != 0 {
			t.Errorf("readers stand at %d: it was ended", at.Offset)
		}
		return err
	})
}

// levelCounter counts what is logged at a level.
type levelCounter struct {
	slog.Handler
	level slog.Level
	n     *atomic.Int64
}

// Handle implements slog.Handler.
func (h levelCounter) Handle(ctx context.Context, r slog.Record) error {
	if r.Level == h.level {
		h.n.Add(1)
	}
	return h.Handler.Handle(ctx, r)
}
