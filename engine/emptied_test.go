package engine

import (
	"fmt"
	"testing"

	"chargestream/engine/task"
)

// TestEmptied: rows of another layout are deleted a bounded number at a time, each once.
func TestEmptied(t *testing.T) {
	e, want := oldRows{nil, nil, nil}, 0
	for table, n := range []int{oldRowsMax / 2, 0, 2*oldRowsMax + 7} {
		for i := range n {
			e[table] = append(e[table], fmt.Sprint(table, "/", i))
		}
		want += n
	}
	deleted := map[string]bool{}
	for commit := 1; ; commit++ {
		rows := make([][]task.Row, len(e))
		last, n := e.take(rows), 0
		for table := range rows {
			for _, r := range rows[table] {
				if r.Bytes != nil || deleted[r.Key] {
					t.Fatalf("%q is written as %q, or twice", r.Key, r.Bytes)
				}
				deleted[r.Key] = true
				n++
			}
		}
		if n > oldRowsMax || (!last && n < oldRowsMax) {
			t.Fatalf("commit %d deletes %d rows", commit, n)
		}
		if last {
			break
		}
	}
	if len(deleted) != want {
		t.Errorf("%d rows are deleted, want %d", len(deleted), want)
	}
}

// TestEmptyingTakesCommits: as long as rows of another layout are left nothing is folded, the
// progress record is not written, and the local copy has nothing, so that a restart finds the rest.
func TestEmptyingTakesCommits(t *testing.T) {
	t.Parallel()
	p := echo("g")
	p.Layout = 1
	i := alone(t, p)
	x := i.activeByID[0]
	x.oldRows, x.progress = oldRows{nil}, map[string]int64{"words": 0}
	for n := range oldRowsMax + 1 {
		x.oldRows[0] = append(x.oldRows[0], fmt.Sprint("old", n))
	}
	mustDo(t, folded(t, x, word(0, "k", "1")))
	<-x.read.Woken()
	if len(i.hurried) != 1 || len(x.next) != 0 || x.task.Weight() != 0 {
		t.Errorf("%d commits are asked for, the input stands at %v", len(i.hurried), x.next)
	}
	for n, rows := range []int{oldRowsMax, 2} { // the last with the progress record
		iv := cut(t, i)
		// With the last of them the group's offsets are reset to those of the progress record.
		if got := len(iv.partitions[0].Rows[0]); got != rows || len(iv.offsets()) != n {
			t.Errorf("commit %d has %d rows and the offsets %v", n, got, iv.offsets())
		}
		last := iv.partitions[0].Rows[0][rows-1]
		want := map[int]string{1: "#layout 1\nwords 0\n"}[n]
		if string(last.Bytes) != want {
			t.Errorf("commit %d ends with %q of %q", n, last.Bytes, last.Key)
		}
		iv.partitions[0].offsets[0] = int64(10 * (n + 1))
		mustDo(t, i.keep(iv))
		expectOffset(t, x.store, 0, []int64{-1, 20}[n])
	}
	expectRows(t, x.store, 0, map[string]string{})
	select {
	case <-x.read.Woken():
	default:
		t.Error("the partition is not woken to fold")
	}
	mustDo(t, x.fold(roundless{ctx: t.Context()}))
	if x.next["words"] != 1 {
		t.Errorf("the input stands at %v", x.next)
	}
}
