package engine_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"chargestream/engine"
	"chargestream/internal/kafkatest"
)

// restarts counts what a processor logs of its restarts, and passes it on.
type restarts struct {
	slog.Handler
	n *atomic.Int64
}

// Handle implements slog.Handler.
func (r restarts) Handle(ctx context.Context, record slog.Record) error {
	if strings.Contains(record.Message, "is restarted") {
		r.n.Add(1)
	}
	return r.Handler.Handle(ctx, record)
}

// TestStoreThatCannotBeOpened: while the copy of one partition cannot be opened nothing is folded,
// and the copies of the others are let go; when what is in the way is gone it goes on.
func TestStoreThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "barred"
	topicsOf(t, b, name)
	words := func() {
		kafkatest.MustProduce(t, b, put(name+"-words", "a", "x"), put(name+"-words", "b", "x"),
			put(name+"-words", "c", "x"), put(name+"-words", "d", "x"))
	}
	words()
	p, n := counted(named(name, wordCount()))
	c := quickConfig(b.Addrs(), t.TempDir(), engine.ExactlyOnce)
	c.Log = testLog(t)
	runUntilCaughtUp(t, p, c)
	stores, err := filepath.Glob(filepath.Join(c.StateDir, name, name+"-table.*"))
	if err != nil || len(stores) != kafkatest.DefaultPartitions {
		t.Fatalf("stores are %v (%v)", stores, err)
	}
	if err := os.RemoveAll(stores[0]); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(stores[0], []byte("no directory"), 0o600); err != nil {
		t.Fatal(err)
	}
	words()
	var again atomic.Int64
	n.Store(0)
	c.Log = slog.New(restarts{testLog(t).Handler(), &again})
	r := start(t, p, c)
	eventually(t, "it tries again", func() bool { return again.Load() >= 1 })
	if n.Load() != 0 {
		t.Errorf("%d records were folded beside a store that is not open", n.Load())
	}
	if err := os.Remove(stores[0]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it folds", func() bool { return n.Load() >= 4 })
	r.stop(t)
	runUntilCaughtUp(t, p, c)
	expectExact(t, b, name, map[string]int{"a": 2, "b": 2, "c": 2, "d": 2})
}

// TestRunLeavesNoGoroutines, neither when it is stopped nor after an attempt that failed. It is not
// parallel, as it looks at all goroutines of the process.
func TestRunLeavesNoGoroutines(t *testing.T) {
	b, name := shared.Broker(t), "leaks"
	topicsOf(t, b, name)
	p := named(name, wordCount())
	fold, failed := p.Fold, false
	p.Fold = func(ctx *engine.Context, m *engine.Message) error {
		if !failed {
			failed = true
			return errors.New("planted")
		}
		return fold(ctx, m)
	}
	kafkatest.MustProduce(t, b, put(name+"-words", "k", "x"))
	// What the broker does for a connection ends when the client closes it, a little later, and so
	// does the pool of a store that was closed; one that was not has other goroutines too.
	before := []goleak.Option{goleak.IgnoreCurrent(),
		goleak.IgnoreAnyFunction("github.com/twmb/franz-go/pkg/kfake.(*clientConn).read"),
		goleak.IgnoreAnyFunction("github.com/twmb/franz-go/pkg/kfake.(*clientConn).write"),
		goleak.IgnoreAnyFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain")}
	c := quickConfig(b.Addrs(), t.TempDir(), engine.ExactlyOnce)
	c.Log = testLog(t)
	runUntilCaughtUp(t, p, c)
	if !failed {
		t.Fatal("nothing failed")
	}
	goleak.VerifyNone(t, before...)
}
