package task_test

import (
	"errors"
	"fmt"
	"testing"

	"chargestream/engine/task"
)

// TestFlushIsCalledOnceForEachRowThatChanged since the last commit, whatever it was changed by: a
// fold, a timer or the flush of a table before. Rows that are gone, or were only read, are none.
func TestFlushIsCalledOnceForEachRowThatChanged(t *testing.T) {
	var order []string
	a, b, c := plain("a"), plain("b"), plain("c")
	a.Due = func(_ string, row *string) int64 {
		if *row == "timer" {
			return 100
		}
		return 0
	}
	a.Fire = func(ctx *task.Context, key string, row *string, _ int64) error {
		*row = "fired"
		return set(c, key, "fired")(ctx)
	}
	a.Flush = func(ctx *task.Context, key string, row *string) error {
		order = append(order, fmt.Sprintf("a %s=%s @%d", key, *row, ctx.Arrival()))
		ctx.Emit("out", key, []byte(*row))
		return all(set(b, "of "+key, *row), set(b, "of all", key))(ctx)
	}
	b.Flush = func(ctx *task.Context, key string, row *string) error {
		order = append(order, fmt.Sprintf("b %s=%s @%d", key, *row, ctx.Arrival()))
		if *row == "x" { // it may change its own row
			return set(b, key, "flushed")(ctx)
		}
		return nil
	}
	s := alone(t, nil, a, b, c)
	s.fold(t, 1, all(set(a, "gone", "1"), set(a, "read", "1"), set(a, "due", "timer")))
	s.commit(t)
	order = nil
	s.fold(t, 2, all(set(a, "k", "1"), set(a, "gone", ""), set(a, "short", "1")))
	s.fold(t, 9, all(set(a, "k", "2"), set(b, "own", "x"), set(c, "k", "1"), set(a, "short", ""),
		func(ctx *task.Context) error { _, err := a.Get(ctx, "read"); return err }))
	s.fold(t, 8, set(a, "l", "1"))
	s.clock(t, 5_000)
	u := s.commit(t)
	expect(t, "flushed", order, "a k=2 @9", "a l=1 @8", "a due=fired @4000", "b own=x @9",
		"b of k=2 @9", "b of all=due @4000", "b of l=1 @8", "b of due=fired @4000")
	expect(t, "rows", rowsOf(u), "0 k=2", "0 gone=deleted", "0 short=deleted", "0 l=1",
		"0 due=fired", "1 own=flushed", "1 of k=2", "1 of all=due", "1 of l=1", "1 of due=fired",
		"2 k=1", "2 due=fired")
	expect(t, "records", outOf(u), "out k=2 @9", "out l=1 @8", "out due=fired @4000")
	order = nil
	s.commit(t)
	expect(t, "flushed of nothing", order)
	s.fold(t, 10_000, set(a, "k", "3"))
	s.commit(t)
	expect(t, "flushed by the next commit", order, "a k=3 @10000", "b of k=3 @10000",
		"b of all=k @10000")
}

// TestFlushThatReachesBack: a flush may change rows of later tables and its own, and no others:
// they have been flushed by then. What it must not do ends the commit.
func TestFlushThatReachesBack(t *testing.T) {
	a, b, c := plain("a"), plain("b"), plain("c")
	lookup := func(ctx *task.Context) error { _, err := ctx.Lookup("topic", "k"); return err }
	read := func(table *task.Table[string]) func(ctx *task.Context) error {
		return func(ctx *task.Context) error { _, err := table.Get(ctx, "k"); return err }
	}
	planted := errors.New("planted")
	for name, x := range map[string]struct {
		do   func(ctx *task.Context) error
		want error
	}{
		"changes an earlier table":       {set(a, "other", "1"), task.ErrDeclaration},
		"deletes in an earlier table":    {set(a, "k", ""), task.ErrDeclaration},
		"changes another row of its own": {set(b, "other", "1"), task.ErrDeclaration},
		"deletes another row of its own": {set(b, "there", ""), task.ErrDeclaration},
		"looks something up":             {lookup, task.ErrDeclaration},
		"fails": {func(*task.Context) error { return planted },
			planted},
		"changes its own row":               {set(b, "k", "2"), nil},
		"deletes its own row":               {set(b, "k", ""), nil},
		"changes a later table":             {set(c, "k", "1"), nil},
		"deletes in a later table":          {set(c, "k", ""), nil},
		"reads an earlier table":            {read(a), nil},
		"reads its own table":               {read(b), nil},
		"deletes what is not there, before": {set(a, "absent", ""), nil},
	} {
		b.Flush = func(ctx *task.Context, key string, _ *string) error {
			if key != "k" {
				return nil
			}
			return x.do(ctx)
		}
		s := alone(t, nil, a, b, c)
		s.fold(t, 1, all(set(a, "k", "1"), set(b, "there", "1"), set(b, "k", "1"), lookup))
		u, err := s.Cut()
		if !errors.Is(err, x.want) {
			t.Errorf("a flush that %s: error is %v, want %v", name, err, x.want)
		}
		if err == nil {
			s.back.keep(u)
			s.fold(t, 2, all(set(a, "other", "1"), lookup)) // it is over
			b.Flush = nil
			s.commit(t)
		}
	}
}

// TestFlushOfALaterTableMayNotReachBack to the rows that had it changed.
func TestFlushOfALaterTableMayNotReachBack(t *testing.T) {
	a, b := plain("a"), plain("b")
	a.Flush = func(ctx *task.Context, key string, _ *string) error { return set(b, key, "1")(ctx) }
	b.Flush = func(ctx *task.Context, key string, _ *string) error { return set(a, key, "2")(ctx) }
	s := alone(t, nil, a, b)
	s.fold(t, 1, set(a, "k", "1"))
	if _, err := s.Cut(); !errors.Is(err, task.ErrDeclaration) {
		t.Errorf("error is %v, want ErrDeclaration", err)
	}
}

// TestTimerOfAFlushedRow: what a flush makes due in a later table is fired.
func TestTimerOfAFlushedRow(t *testing.T) {
	a, b := plain("a"), plain("b")
	a.Flush = func(ctx *task.Context, key string, _ *string) error {
		return set(b, key, "waits")(ctx)
	}
	b.Due = func(_ string, row *string) int64 {
		if *row == "waits" {
			return 10_000
		}
		return 0
	}
	b.Fire = func(ctx *task.Context, key string, row *string, _ int64) error {
		*row = "done"
		ctx.Emit("out", key, []byte("done"))
		return nil
	}
	s := alone(t, nil, a, b)
	s.fold(t, 1, set(a, "k", "1"))
	s.commit(t)
	s.clock(t, 10_000+task.FireDelay-1)
	expect(t, "records before", outOf(s.commit(t)))
	s.clock(t, 10_000+task.FireDelay)
	expect(t, "records", outOf(s.commit(t)), "out k=done @10000")
	// A row that is overdue when it is flushed waits for the next clock record.
	s.fold(t, 50_000, set(a, "l", "1"))
	s.commit(t)
	s.fold(t, 50_001, set(a, "m", "1"))
	expect(t, "records before the clock", outOf(s.commit(t)))
	s.clock(t, 50_001)
	expect(t, "records", outOf(s.commit(t)), "out l=done @49001", "out m=done @49001")
}

// TestFireThatChangesNothing writes nothing, and fires again; a row that was changed before, or by
// another firing, is written.
func TestFireThatChangesNothing(t *testing.T) {
	a, b := plain("a"), plain("b")
	fired, due := 0, int64(100)
	a.Due = func(string, *string) int64 { return due }
	a.Fire = func(ctx *task.Context, key string, row *string, now int64) error {
		fired, due = fired+1, now+1000
		if key == "other" {
			return set(b, key, "fired")(ctx)
		}
		ctx.Unchanged()
		return nil
	}
	s := alone(t, nil, a, b)
	s.fold(t, 1, set(a, "k", "1"))
	s.commit(t)
	for n := range 3 {
		s.clock(t, int64(n+1)*10_000)
		expect(t, "rows", rowsOf(s.commit(t)))
	}
	if fired != 3 {
		t.Errorf("fired %d times", fired)
	}
	s.fold(t, 30_500, set(a, "k", "2"))
	s.clock(t, 60_000)
	expect(t, "rows", rowsOf(s.commit(t)), "0 k=2")
}
