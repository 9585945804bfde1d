package store

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream/engine/task"
)

// keysOf are the keys that are left of an iterator, which is released.
func keysOf(t *testing.T, it *Iterator) string {
	t.Helper()
	var keys []string
	for it.Next() {
		keys = append(keys, string(it.Key()))
	}
	mustDo(t, it.Err())
	it.Release()
	return strings.Join(keys, " ")
}

// TestStoreIterator lays the layers over each other, with deletions and the engine's own keys.
func TestStoreIterator(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, t.TempDir())
	commit(t, s, 1, 1, "a=disk", "c=disk", "e=disk", "g=disk", task.ReservedPrefix+"y=hidden")
	commit(t, s, 0, 1, "a=of another", "z=of another")
	commit(t, s, 2, 1, "a=of another", "0=of another")
	mustDo(t, s.Flush())
	commit(t, s, 1, 2, "b=writing", "c=writing", "e=", task.ReservedPrefix+"x=hidden")
	s.writing, s.pending = s.pending, newLayer(tables)
	commit(t, s, 1, 3, "b=", "bb=pending", "d=pending", "g=pending", "h=pending")
	expectRows(t, s, 1, map[string]string{"a": "disk", "bb": "pending", "c": "writing",
		"d": "pending", "g": "pending", "h": "pending"})
	for _, c := range []struct{ start, limit, want string }{
		{"c", "h", "c d g"}, {"", "c", "a bb"}, {"bb", "bb", ""}, {"d", "", "d g h"},
	} {
		var limit []byte
		if c.limit != "" {
			limit = []byte(c.limit)
		}
		if got := keysOf(t, s.Rows(1, []byte(c.start), limit)); got != c.want {
			t.Errorf("range [%s, %s) has %q, want %q", c.start, c.limit, got, c.want)
		}
	}
	s.put(s.writing, []int64{1, 2, 1})
	mustDo(t, s.Close())
}

// TestStoreIteratorSeeks forward, over rows on disk and in memory.
func TestStoreIteratorSeeks(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, t.TempDir())
	commit(t, s, 1, 1, "a=disk", "e=disk")
	commit(t, s, 2, 1, "z=of another")
	mustDo(t, s.Flush())
	commit(t, s, 1, 2, "c=pending", "g=pending")
	for seek, want := range map[string]string{"b": "c", "c": "c", "d": "e", "f": "g", "h": ""} {
		it := s.Rows(1, nil, nil)
		if found := it.Seek([]byte(seek)); found != (want != "") {
			t.Errorf("Seek(%s) is %v", seek, found)
		}
		got := ""
		if it.Next() {
			got = string(it.Key())
		}
		if got != want {
			t.Errorf("after Seek(%s) comes %q, want %q", seek, got, want)
		}
		it.Release()
	}
	mustDo(t, s.Close())
}

// TestStoreIteratorIsASnapshot: what is written after it was made does not show.
func TestStoreIteratorIsASnapshot(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, t.TempDir())
	commit(t, s, 1, 1, "a=1")
	mustDo(t, s.Flush())
	commit(t, s, 1, 2, "b=1")
	it := s.Rows(1, nil, nil)
	commit(t, s, 1, 3, "a=2", "b=2", "c=2")
	mustDo(t, s.Flush())
	var got []string
	for it.Next() {
		row, err := it.Value()
		mustDo(t, err)
		got = append(got, string(it.Key())+string(row))
	}
	it.Release()
	if diff := cmp.Diff([]string{"a1", "b1"}, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	mustDo(t, s.Close())
}

// TestStoreEachEndsWithAnError of its callback.
func TestStoreEachEndsWithAnError(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, t.TempDir())
	commit(t, s, 1, 1, "a=1", "b=1")
	planted, calls := errors.New("planted"), 0
	err := s.Each(1, func(string, []byte) error { calls++; return planted })
	if !errors.Is(err, planted) || calls != 1 {
		t.Errorf("error %v after %d calls", err, calls)
	}
	mustDo(t, s.Close())
}

// TestOverlaid walks rows that are in memory only.
func TestOverlaid(t *testing.T) {
	t.Parallel()
	rows := map[string][]byte{"a": []byte("1"), "c": []byte("2"), "gone": nil}
	keys := []string{"a", "c", "gone"}
	if got := keysOf(t, Overlaid(rows, keys)); got != "a c" {
		t.Errorf("the keys are %q", got)
	}
	it := Overlaid(rows, keys)
	if !it.Seek([]byte("b")) {
		t.Error("nothing is found")
	}
	if got := keysOf(t, it); got != "c" {
		t.Errorf("after Seek(b) come %q", got)
	}
}
