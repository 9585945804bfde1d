package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// expectStorage compares what goka sees of a range of a store.
func expectStorage(t *testing.T, s gokaStore, start, limit []byte, want ...string) {
	t.Helper()
	it, err := s.IteratorWithRange(start, limit)
	mustDo(t, err)
	defer it.Release()
	var got []string
	for it.Next() {
		row, err := it.Value()
		mustDo(t, err)
		got = append(got, fmt.Sprintf("%s=%s", it.Key(), row))
	}
	mustDo(t, it.Err())
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("rows from %q to %q (-want +got):\n%s", start, limit, diff)
	}
}

func expectHas(t *testing.T, s gokaStore, key, want string) {
	t.Helper()
	row, err := s.Get(key)
	mustDo(t, err)
	if has, err := s.Has(key); err != nil || has != (want != "") || string(row) != want {
		t.Errorf("%s is %q, Has(%s) = %v, %v", key, row, key, has, err)
	}
}

// copyOfDisk is what a crash would leave of a store that is in use and does not write.
func copyOfDisk(t *testing.T, path string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	mustDo(t, os.CopyFS(to, os.DirFS(path)))
	return to
}

// TestStoreOfALookup is written by goka, row by row: rows first, then their offset.
func TestStoreOfALookup(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	s := mustOpen(t, path, 1)
	g := gokaStore{s}
	mustDo(t, g.Open())
	if offset, err := g.GetOffset(-7); err != nil || offset != -7 {
		t.Errorf("offset is %d (%v)", offset, err)
	}
	const n = 500
	for i := range n {
		mustDo(t, g.Set(fmt.Sprintf("k%06d", i), []byte("x")))
		mustDo(t, g.SetOffset(int64(i)))
	}
	mustDo(t, g.Delete("k000000"))
	mustDo(t, g.SetOffset(n))
	expectHas(t, g, "k000000", "")
	expectHas(t, g, "k000001", "x")
	expectStorage(t, g, []byte("k000000"), []byte("k000003"), "k000001=x", "k000002=x")
	mustDo(t, g.MarkRecovered())
	// What goka marked as recovered is on disk, and what came after it is not yet.
	mustDo(t, g.Set("later", []byte("x")))
	killed := copyOfDisk(t, path)
	mustDo(t, s.Close())
	for path, later := range map[string]string{killed: "", path: "x"} {
		g := gokaStore{mustOpen(t, path, 1)}
		if offset, err := g.GetOffset(-7); err != nil || offset != n {
			t.Errorf("offset is %d (%v), want %d", offset, err, n)
		}
		it, err := g.Iterator()
		mustDo(t, err)
		rows := 0
		for it.Next() {
			rows++
		}
		it.Release()
		if rows != n-1+len(later) {
			t.Errorf("%d rows", rows)
		}
		expectHas(t, g, "later", later)
		mustDo(t, g.s.Close())
	}
}

// TestGokaSeesTheFirstTable of a store of several, and writes no other.
func TestGokaSeesTheFirstTable(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, t.TempDir(), 2)
	load := func(table int, key, row string, offset int64) {
		s.Load(table, 1, func(int) ([]byte, []byte, int64) {
			return []byte(key), []byte(row), offset
		})
	}
	load(0, "a", "first", 3)
	load(1, "a", "second", 8)
	load(1, "b", "second", 9)
	g := gokaStore{s}
	if offset, err := g.GetOffset(-7); err != nil || offset != 3 {
		t.Errorf("offset is %d (%v), want 3", offset, err)
	}
	expectStorage(t, g, nil, nil, "a=first")
	expectHas(t, g, "a", "first")
	expectHas(t, g, "b", "")
	mustDo(t, s.Close())
}

// TestOwnedStoreOutlivesItsClose: goka closes a store at the end of each round.
func TestOwnedStoreOutlivesItsClose(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	s := mustOpen(t, path, 1)
	commit(t, s, 3, "k=last")
	mustDo(t, ownedStore{gokaStore{s}}.MarkRecovered())
	mustDo(t, ownedStore{gokaStore{s}}.Close())
	expectRow(t, s, 0, "k", "last")
	commit(t, s, 4, "l=later")
	mustDo(t, s.Close())
	s = mustOpen(t, path, 1)
	expectRows(t, s, 0, map[string]string{"k": "last", "l": "later"})
	expectOffset(t, s, 0, 4)
	mustDo(t, s.Close())
}
