package engine

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/syndtr/goleveldb/leveldb"
	"pgregory.net/rapid"
)

func mustOpen(t testing.TB, path string, owned bool) *store {
	t.Helper()
	s, err := openStore(path, "table", 0, owned)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustDo(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write is what a fold does.
func write(s *store, key, row string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if row == "" {
		s.dirty[key] = nil
		return
	}
	s.dirty[key] = []byte(row)
}

func expectRow(t testing.TB, s *store, key, want string) {
	t.Helper()
	row, err := s.Get(key)
	mustDo(t, err)
	if string(row) != want {
		t.Errorf("%s is %q, want %q", key, row, want)
	}
	if has, err := s.Has(key); err != nil || has != (want != "") {
		t.Errorf("Has(%s) = %v, %v", key, has, err)
	}
}

func expectOffset(t testing.TB, s *store, want int64) {
	t.Helper()
	if got, err := s.GetOffset(-7); err != nil || got != want {
		t.Errorf("offset is %d (%v), want %d", got, err, want)
	}
}

func rowsOf(t testing.TB, s *store) []string {
	t.Helper()
	var rows []string
	mustDo(t, s.each(func(key string, row []byte) error {
		rows = append(rows, key+"="+string(row))
		return nil
	}))
	return rows
}

// TestStoreLayers writes one key to each layer and looks at which one shows.
func TestStoreLayers(t *testing.T) {
	s := mustOpen(t, t.TempDir(), true)
	expectOffset(t, s, -7)
	expectRow(t, s, "k", "")
	write(s, "k", "disk")
	write(s, "gone", "disk")
	mustDo(t, s.commit(1))
	s.writing.Wait()
	write(s, "k", "frozen")
	write(s, "gone", "")
	expectRow(t, s, "k", "frozen") // dirty
	mustDo(t, s.commit(2))
	expectRow(t, s, "k", "frozen")
	expectRow(t, s, "gone", "")
	write(s, "k", "dirty")
	write(s, "gone", "again")
	expectRow(t, s, "k", "dirty")
	expectRow(t, s, "gone", "again")
	write(s, "k", "")
	expectRow(t, s, "k", "")
	mustDo(t, s.commit(3))
	mustDo(t, s.commit(4)) // an empty unit of work
	expectRow(t, s, "k", "")
	expectRow(t, s, "gone", "again")
	mustDo(t, s.release())
}

// TestStoreForgetsWhatWasNotCommitted is the crash that stock goka counts double after.
func TestStoreForgetsWhatWasNotCommitted(t *testing.T) {
	path := t.TempDir()
	s := mustOpen(t, path, true)
	mustDo(t, s.MarkRecovered())
	write(s, "k", "committed")
	mustDo(t, s.commit(10))
	for n := range 2 * recoverBatch { // more than recovery would write at once
		mustDo(t, s.Set(fmt.Sprintf("new-%d", n), []byte("x")))
	}
	write(s, "k", "uncommitted")
	mustDo(t, s.Close())
	mustDo(t, s.release())

	s = mustOpen(t, path, true)
	expectRow(t, s, "k", "committed")
	expectOffset(t, s, 10)
	if diff := cmp.Diff([]string{"k=committed"}, rowsOf(t, s)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	mustDo(t, s.release())
}

// TestStoreValuesAndOffsetTogether reads the journal of the store: each commit is one batch with
// its offset, so no crash can part them.
func TestStoreValuesAndOffsetTogether(t *testing.T) {
	s := mustOpen(t, t.TempDir(), true)
	write(s, "a", "1")
	write(s, "b", "")
	mustDo(t, s.commit(5))
	s.mu.Lock()
	batch := s.batch(s.frozen)
	s.mu.Unlock()
	var seen seenKeys
	mustDo(t, batch.Replay(&seen))
	slices.Sort(seen)
	if diff := cmp.Diff(seenKeys{"del b", "put " + offsetKey, "put a"}, seen); diff != "" {
		t.Errorf("batch (-want +got):\n%s", diff)
	}
	mustDo(t, s.release())
}

type seenKeys []string

func (s *seenKeys) Put(key, _ []byte) { *s = append(*s, "put "+string(key)) }
func (s *seenKeys) Delete(key []byte) { *s = append(*s, "del "+string(key)) }

// TestStoreOffset: a unit of work without changelog records leaves the offset where it is.
func TestStoreOffset(t *testing.T) {
	path := t.TempDir()
	s := mustOpen(t, path, true)
	for _, c := range []struct{ commit, want int64 }{{3, 3}, {-1, 3}, {8, 8}, {-1, 8}} {
		mustDo(t, s.commit(c.commit))
		expectOffset(t, s, c.want)
	}
	mustDo(t, s.release())
	s = mustOpen(t, path, true)
	expectOffset(t, s, 8)
	mustDo(t, s.release())
}

// TestStoreOffsetIsNeverAheadOfItsRows kills a store after each of its commits, by copying its
// directory, and opens the copy: row and offset are of the same commit.
func TestStoreOffsetIsNeverAheadOfItsRows(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "store")
	s := mustOpen(t, path, true)
	for n := range int64(20) {
		write(s, "k", fmt.Sprint(n))
		mustDo(t, s.commit(n))
		killed := filepath.Join(dir, fmt.Sprint("killed-", n))
		mustDo(t, os.CopyFS(killed, os.DirFS(path)))
		c := mustOpen(t, killed, true)
		offset, err := c.GetOffset(-1)
		mustDo(t, err)
		if offset < n-1 {
			t.Errorf("commit %d: offset %d, though the commit before must be written", n, offset)
		}
		if offset >= 0 {
			expectRow(t, c, "k", fmt.Sprint(offset))
		}
		mustDo(t, c.release())
	}
	mustDo(t, s.release())
}

// TestStoreIterator lays three layers over each other, with deletions and the engine's own keys.
func TestStoreIterator(t *testing.T) {
	s := mustOpen(t, t.TempDir(), true)
	for _, key := range []string{"a", "c", "e", "g"} {
		write(s, key, "disk")
	}
	mustDo(t, s.commit(1))
	s.writing.Wait()
	write(s, "b", "frozen")
	write(s, "c", "frozen")
	write(s, "e", "")
	write(s, reserved+"x", "hidden")
	mustDo(t, s.commit(2))
	write(s, "b", "")
	write(s, "d", "dirty")
	write(s, "g", "dirty")
	write(s, "h", "dirty")
	want := []string{"a=disk", "c=frozen", "d=dirty", "g=dirty", "h=dirty"}
	if diff := cmp.Diff(want, rowsOf(t, s)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	it, err := s.IteratorWithRange([]byte("c"), []byte("h"))
	mustDo(t, err)
	var keys []string
	for it.Next() {
		keys = append(keys, string(it.Key()))
	}
	mustDo(t, it.Err())
	it.Release()
	if got := strings.Join(keys, ""); got != "cdg" {
		t.Errorf("range [c, h) has %q, want cdg", got)
	}
	mustDo(t, s.release())
}

// TestStoreIteratorIsASnapshot: what is written after it was made does not show.
func TestStoreIteratorIsASnapshot(t *testing.T) {
	s := mustOpen(t, t.TempDir(), true)
	write(s, "a", "1")
	mustDo(t, s.commit(1))
	write(s, "b", "1")
	it, err := s.Iterator()
	mustDo(t, err)
	write(s, "a", "2")
	write(s, "b", "2")
	write(s, "c", "2")
	mustDo(t, s.commit(2))
	s.writing.Wait()
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
	mustDo(t, s.release())
}

// TestStoreRecoversInBatches: what goka sets while it rebuilds reaches the disk in batches, each
// with an offset that does not tell of more than what is in it.
func TestStoreRecoversInBatches(t *testing.T) {
	for _, owned := range []bool{true, false} {
		path := t.TempDir()
		s := mustOpen(t, path, owned)
		const n = 2*recoverBatch + 10
		for i := range n {
			if i == recoverBatch+1 {
				if len(s.dirty) > 2 {
					t.Errorf("owned %v: %d rows wait in memory", owned, len(s.dirty))
				}
				offset, err := s.db.Get([]byte(offsetKey), nil)
				mustDo(t, err)
				if at := int64(offset[6])<<8 | int64(offset[7]); at >= recoverBatch {
					t.Errorf("owned %v: offset %d is ahead of what is written", owned, at)
				}
			}
			mustDo(t, s.Set(fmt.Sprintf("k%06d", i), []byte("x")))
			mustDo(t, s.SetOffset(int64(i)))
		}
		mustDo(t, s.Delete("k000000"))
		mustDo(t, s.SetOffset(n))
		mustDo(t, s.MarkRecovered())
		if owned {
			mustDo(t, s.release())
		} else {
			mustDo(t, s.Close())
		}
		s = mustOpen(t, path, owned)
		expectOffset(t, s, n)
		if rows := rowsOf(t, s); len(rows) != n-1 || rows[0] != "k000001=x" {
			t.Errorf("owned %v: %d rows, first %s", owned, len(rows), rows[0])
		}
		mustDo(t, s.release())
	}
}

// TestOwnedStoreOutlivesItsClose: goka closes a store before the last commit of a session.
func TestOwnedStoreOutlivesItsClose(t *testing.T) {
	path := t.TempDir()
	s := mustOpen(t, path, true)
	write(s, "k", "last")
	mustDo(t, s.Close())
	expectRow(t, s, "k", "last")
	mustDo(t, s.commit(4))
	mustDo(t, s.release())
	if _, err := s.db.Get([]byte("k"), nil); !errors.Is(err, leveldb.ErrClosed) {
		t.Errorf("after release the store answers %v", err)
	}
	s = mustOpen(t, path, false)
	expectRow(t, s, "k", "last")
	expectOffset(t, s, 4)
	mustDo(t, s.Set("later", []byte("x")))
	mustDo(t, s.Close()) // not owned: Close writes and closes
	s = mustOpen(t, path, true)
	expectRow(t, s, "later", "x")
	mustDo(t, s.release())
}

// TestStoreReadsDuringCommits is for the race detector, and shows that no reader ever sees a row
// go back. The cache is left out of it by reading keys that are in a layer in memory.
func TestStoreReadsDuringCommits(t *testing.T) {
	s := mustOpen(t, t.TempDir(), true)
	const keys, commits = 20, 200
	for k := range keys {
		write(s, fmt.Sprint(k), "1000")
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			last := map[string]string{}
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				key := fmt.Sprint(n % keys)
				row, err := s.Get(key)
				if err != nil || string(row) < last[key] {
					t.Errorf("%s went from %s to %s (%v)", key, last[key], row, err)
					return
				}
				last[key] = string(row)
			}
		})
	}
	for n := range commits {
		for k := range keys {
			write(s, fmt.Sprint(k), fmt.Sprint(1001+n))
		}
		mustDo(t, s.commit(int64(n)))
	}
	close(stop)
	readers.Wait()
	mustDo(t, s.release())
}

// TestStoreCacheGenerations: rows that fell out of both generations are read from disk, and an
// older one never shows instead of a newer.
func TestStoreCacheGenerations(t *testing.T) {
	s := mustOpen(t, t.TempDir(), true)
	write(s, "k", "first")
	mustDo(t, s.commit(1))
	mustDo(t, s.commit(2)) // k is in the cache
	for n := range 2*cacheRows + 1 {
		s.keep(fmt.Sprint("fill-", n), nil)
		if n == cacheRows {
			expectRow(t, s, "k", "first") // from the old generation
			write(s, "k", "second")
			mustDo(t, s.commit(3))
			mustDo(t, s.commit(4))
			expectRow(t, s, "k", "second")
		}
	}
	if len(s.young)+len(s.old) > 2*cacheRows {
		t.Errorf("cache holds %d rows", len(s.young)+len(s.old))
	}
	expectRow(t, s, "k", "second")
	mustDo(t, s.release())
}

func TestCorruptStoreIsAnError(t *testing.T) {
	path := t.TempDir()
	s := mustOpen(t, path, true)
	write(s, "k", "v")
	mustDo(t, s.commit(1))
	mustDo(t, s.release())
	manifests, err := filepath.Glob(filepath.Join(path, "MANIFEST-*"))
	mustDo(t, err)
	if len(manifests) == 0 {
		t.Fatal("no manifest to break")
	}
	for _, m := range manifests {
		mustDo(t, os.WriteFile(m, []byte("this is no manifest at all, and long"), 0o600))
	}
	if _, err := openStore(path, "table", 0, true); err == nil {
		t.Error("a store with a broken manifest was opened")
	}
}

// TestStoreWithBrokenOffsetIsAnError also shows that the store is closed again.
func TestStoreWithBrokenOffsetIsAnError(t *testing.T) {
	path := t.TempDir()
	db, err := leveldb.OpenFile(path, nil)
	mustDo(t, err)
	mustDo(t, db.Put([]byte(offsetKey), []byte("123"), nil))
	mustDo(t, db.Close())
	for range 2 {
		if _, err := openStore(path, "table", 0, true); err == nil ||
			!strings.Contains(err.Error(), "3 bytes") {
			t.Errorf("error is %v", err)
		}
	}
}

// TestStoreAgainstModel runs random operations on a store and on two maps: what is written, and
// what is committed.
func TestStoreAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		path, err := os.MkdirTemp(t.TempDir(), "model-")
		mustDo(t, err)
		s := mustOpen(t, path, true)
		running, committed, offset := map[string]string{}, map[string]string{}, int64(-7)
		key := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"})
		rt.Repeat(map[string]func(*rapid.T){
			"write": func(rt *rapid.T) {
				k, v := key.Draw(
					rt,
					"key",
				), rapid.SampledFrom([]string{"", "1", "2"}).
					Draw(rt, "row")
				write(s, k, v)
				running[k] = v
				if v == "" {
					delete(running, k)
				}
			},
			"commit": func(*rapid.T) {
				offset = max(offset, 0) + 1
				mustDo(t, s.commit(offset))
				committed = maps.Clone(running)
			},
			"crash": func(rt *rapid.T) {
				if rapid.IntRange(0, 5).Draw(rt, "luck") != 0 {
					rt.Skip() // opening a store costs more than all else
				}
				mustDo(t, s.release())
				s = mustOpen(t, path, true)
				running = maps.Clone(committed)
			},
			"": func(rt *rapid.T) {
				var want []string
				for _, k := range slices.Sorted(maps.Keys(running)) {
					want = append(want, k+"="+running[k])
				}
				if diff := cmp.Diff(want, rowsOf(t, s)); diff != "" {
					rt.Fatalf("rows (-want +got):\n%s", diff)
				}
				for _, k := range []string{"a", "b", "c", "d", "e"} {
					if row, err := s.Get(k); err != nil || string(row) != running[k] {
						rt.Fatalf("%s is %q (%v), want %q", k, row, err, running[k])
					}
				}
				if got, err := s.GetOffset(-7); err != nil || got != offset {
					rt.Fatalf("offset is %d (%v), want %d", got, err, offset)
				}
			},
		})
		mustDo(t, s.release())
	})
}
