package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/syndtr/goleveldb/leveldb"
	"github.com/twmb/franz-go/pkg/kgo"
)

// seedVariable sets the seed of the random tests of this package.
const seedVariable = "ENGINE_TEST_SEED"

// chance is a source of randomness whose seed is told.
func chance(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv(seedVariable); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", seedVariable, err)
		}
	}
	t.Logf("seed %d (set with %s)", seed, seedVariable)
	return rand.New(rand.NewPCG(seed, 1))
}

func mustDo(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustOpen(t testing.TB, path string) *store {
	t.Helper()
	s, err := openStore(path, "table", 0)
	mustDo(t, err)
	return s
}

// put is what a fold does: an empty row is a deleted one.
func put(s *store, key, row string) {
	if row == "" {
		s.set(key, nil)
		return
	}
	s.set(key, []byte(row))
}

// commit cuts the running unit of work and takes it as committed.
func commit(t testing.TB, s *store, offset int64) {
	t.Helper()
	s.cut()
	mustDo(t, s.committed(offset))
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

func rowsOf(t testing.TB, s *store) map[string]string {
	t.Helper()
	rows, last := map[string]string{}, ""
	mustDo(t, s.each(func(key string, row []byte) error {
		if key <= last && len(rows) > 0 {
			t.Errorf("%q comes after %q", key, last)
		}
		rows[key], last = string(row), key
		return nil
	}))
	return rows
}

func expectRows(t testing.TB, s *store, want map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, rowsOf(t, s)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// expectWeights holds what each layer says it weighs against its rows.
func expectWeights(t testing.TB, s *store) {
	t.Helper()
	s.mu.RLock()
	defer s.mu.RUnlock()
	for name, l := range map[string]*layer{"dirty": &s.dirty, "committing": &s.committing,
		"pending": &s.pending, "writing": &s.writing, "young": &s.young, "old": &s.old} {
		sum := 0
		for key, row := range l.rows {
			sum += len(key) + len(row) + rowOverhead
		}
		if sum != l.bytes {
			t.Errorf("%s says that it weighs %d, its rows are %d", name, l.bytes, sum)
		}
	}
}

// abandon closes a store as a crash does: what is not on disk is lost.
func abandon(t testing.TB, s *store) {
	t.Helper()
	s.writer.Wait()
	mustDo(t, s.db.Close())
}

// TestStoreLayers writes one key to each layer and looks at which one shows.
func TestStoreLayers(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, t.TempDir())
	expectOffset(t, s, -7)
	expectRow(t, s, "k", "")
	put(s, "k", "disk")
	put(s, "gone", "disk")
	commit(t, s, 1)
	mustDo(t, s.flush())
	steps := []struct {
		layer     string
		do        func()
		row, gone string
	}{
		{"disk", func() {}, "disk", "disk"},
		{"dirty", func() { put(s, "k", "1"); put(s, "gone", "") }, "1", ""},
		{"committing", func() { s.cut() }, "1", ""},
		{"dirty again", func() { put(s, "k", ""); put(s, "gone", "2") }, "", "2"},
		{"pending", func() { mustDo(t, s.committed(2)) }, "", "2"},
		{"committed", func() { commit(t, s, 3) }, "", "2"},
		{"written", func() { mustDo(t, s.flush()) }, "", "2"},
		{"empty unit of work", func() { commit(t, s, 4) }, "", "2"},
		{"forgotten", func() { put(s, "k", "x"); put(s, "gone", ""); s.forget() }, "", "2"},
		{"cut and forgotten", func() { put(s, "k", "x"); s.cut(); s.forget() }, "", "2"},
	}
	for _, step := range steps {
		step.do()
		t.Log(step.layer)
		expectRow(t, s, "k", step.row)
		expectRow(t, s, "gone", step.gone)
		expectWeights(t, s)
	}
	expectOffset(t, s, 4)
	mustDo(t, s.close())
}

// TestStoreCutGivesTheRowsOfTheUnit, deleted ones included, and no more than those.
func TestStoreCutGivesTheRowsOfTheUnit(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, t.TempDir())
	put(s, "before", "x")
	commit(t, s, 0)
	put(s, "a", "1")
	put(s, "a", "2")
	put(s, "before", "")
	if got := s.dirtyBytes(); got != 2*rowOverhead+len("a2before") {
		t.Errorf("the unit weighs %d", got)
	}
	got := s.cut()
	if diff := cmp.Diff(map[string][]byte{"a": []byte("2"), "before": nil}, got); diff != "" {
		t.Errorf("rows of the unit (-want +got):\n%s", diff)
	}
	if s.dirtyBytes() != 0 {
		t.Errorf("the next unit weighs %d", s.dirtyBytes())
	}
	mustDo(t, s.close())
}

// TestStoreForgetsWhatWasNotCommitted is the crash that stock goka counts double after.
func TestStoreForgetsWhatWasNotCommitted(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*store) error{
		"closed":  func(s *store) error { return s.close() },
		"crashed": func(s *store) error { return errors.Join(s.flush(), s.db.Close()) },
		"by goka": func(s *store) error { return errors.Join(owned{s}.Close(), s.close()) },
		"told it is done": func(s *store) error {
			return errors.Join(owned{s}.MarkRecovered(), s.close())
		},
	} {
		path := t.TempDir()
		s := mustOpen(t, path)
		put(s, "k", "committed")
		commit(t, s, 10)
		put(s, "k", "cut")
		put(s, "new", "cut")
		s.cut()
		put(s, "k", "running")
		mustDo(t, s.write(true))
		mustDo(t, end(s))
		s = mustOpen(t, path)
		expectRows(t, s, map[string]string{"k": "committed"})
		expectOffset(t, s, 10)
		mustDo(t, s.close())
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

// TestStoreOffset: a unit of work without changelog records leaves the offset where it is, and it
// never goes back.
func TestStoreOffset(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	s := mustOpen(t, path)
	for _, c := range []struct{ commit, want int64 }{{3, 3}, {-1, 3}, {8, 8}, {-1, 8}, {5, 8}} {
		commit(t, s, c.commit)
		expectOffset(t, s, c.want)
	}
	mustDo(t, s.SetOffset(7))
	expectOffset(t, s, 8)
	mustDo(t, s.close())
	s = mustOpen(t, path)
	expectOffset(t, s, 8)
	mustDo(t, s.close())
}

// snapshot copies the directory of a store that is in use. Copying takes a while, in which LevelDB
// may make files and remove others; what is copied then was never there at once.
func snapshot(t *testing.T, path, to string) {
	t.Helper()
	files := func() []string {
		found, err := filepath.Glob(filepath.Join(path, "*"))
		mustDo(t, err)
		return found
	}
	for {
		before := files()
		err := os.CopyFS(to, os.DirFS(path))
		if err == nil && slices.Equal(before, files()) {
			return
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		mustDo(t, os.RemoveAll(to))
	}
}

// TestStoreOffsetIsNeverAheadOfItsRows kills a store after each of its writes, by copying its
// directory while it writes, and opens the copy: row and offset are of the same commit.
func TestStoreOffsetIsNeverAheadOfItsRows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "store")
	s := mustOpen(t, path)
	for n := range int64(20) {
		put(s, "k", fmt.Sprint(n))
		commit(t, s, n)
		mustDo(t, s.write(true))
		killed := filepath.Join(dir, fmt.Sprint("killed-", n))
		snapshot(t, path, killed)
		c := mustOpen(t, killed)
		offset, err := c.GetOffset(-1)
		mustDo(t, err)
		if offset < n-1 {
			t.Errorf("commit %d: offset %d, though the commit before must be written", n, offset)
		}
		if offset >= 0 {
			expectRow(t, c, "k", fmt.Sprint(offset))
		}
		mustDo(t, c.close())
	}
	mustDo(t, s.close())
}

// TestStoreIterator lays the layers over each other, with deletions and the engine's own keys.
func TestStoreIterator(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, t.TempDir())
	for _, key := range []string{"a", "c", "e", "g"} {
		put(s, key, "disk")
	}
	commit(t, s, 1)
	mustDo(t, s.flush())
	put(s, "b", "pending")
	put(s, "c", "pending")
	put(s, "e", "")
	put(s, reserved+"x", "hidden")
	commit(t, s, 2)
	put(s, "b", "")
	put(s, "bb", "committing")
	s.cut()
	put(s, "d", "dirty")
	put(s, "g", "dirty")
	put(s, "h", "dirty")
	expectRows(t, s, map[string]string{"a": "disk", "bb": "committing", "c": "pending",
		"d": "dirty", "g": "dirty", "h": "dirty"})
	for _, c := range []struct{ start, limit, want string }{
		{"c", "h", "c d g"}, {"", "c", "a bb"}, {"bb", "bb", ""}, {"d", "", "d g h"},
	} {
		var limit []byte
		if c.limit != "" {
			limit = []byte(c.limit)
		}
		it, err := s.IteratorWithRange([]byte(c.start), limit)
		mustDo(t, err)
		var keys []string
		for it.Next() {
			keys = append(keys, string(it.Key()))
		}
		mustDo(t, it.Err())
		it.Release()
		if got := strings.Join(keys, " "); got != c.want {
			t.Errorf("range [%s, %s) has %q, want %q", c.start, c.limit, got, c.want)
		}
	}
	mustDo(t, s.committed(3))
	mustDo(t, s.close())
}

// TestStoreIteratorSeeks forward, over rows on disk and in memory.
func TestStoreIteratorSeeks(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, t.TempDir())
	put(s, "a", "disk")
	put(s, "e", "disk")
	commit(t, s, 1)
	mustDo(t, s.flush())
	put(s, "c", "dirty")
	put(s, "g", "dirty")
	for seek, want := range map[string]string{"b": "c", "c": "c", "d": "e", "f": "g", "h": ""} {
		it, err := s.Iterator()
		mustDo(t, err)
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
	mustDo(t, s.close())
}

// TestStoreIteratorIsASnapshot: what is written after it was made does not show.
func TestStoreIteratorIsASnapshot(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, t.TempDir())
	put(s, "a", "1")
	commit(t, s, 1)
	put(s, "b", "1")
	it, err := s.Iterator()
	mustDo(t, err)
	put(s, "a", "2")
	put(s, "b", "2")
	put(s, "c", "2")
	commit(t, s, 2)
	mustDo(t, s.flush())
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
	mustDo(t, s.close())
}

// TestStoreEachEndsWithAnError of its callback.
func TestStoreEachEndsWithAnError(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, t.TempDir())
	put(s, "a", "1")
	put(s, "b", "1")
	planted, calls := errors.New("planted"), 0
	err := s.each(func(string, []byte) error { calls++; return planted })
	if !errors.Is(err, planted) || calls != 1 {
		t.Errorf("error %v after %d calls", err, calls)
	}
	mustDo(t, s.close())
}

// changelog makes records of a changelog from "key=row", "key=" for a deletion, and "!" for a
// control record.
func changelog(offset int64, rows ...string) []*kgo.Record {
	var records []*kgo.Record
	for _, text := range rows {
		r := &kgo.Record{Topic: "table", Offset: offset, Key: []byte{0, 0, 0, 1}}
		offset++
		if text == "!" {
			r.Value = []byte("marker")
			r.Attrs = kgo.NewRecordAttrs(kgo.RecordAttrsOpts{Control: true})
		} else {
			key, row, _ := strings.Cut(text, "=")
			r.Key = []byte(key)
			if row != "" {
				r.Value = []byte(row)
			}
		}
		records = append(records, r)
	}
	return records
}

// TestStoreLoadsAChangelog: tombstones, control records and records without a key, of which only
// the offset counts; and what is kept is a copy.
func TestStoreLoadsAChangelog(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	s := mustOpen(t, path)
	records := changelog(5, "a=1", "b=1", "a=2", "b=", "=no key", "!")
	s.loadAll(records)
	for _, r := range records {
		for _, bytes := range [][]byte{r.Key, r.Value} {
			for n := range bytes {
				bytes[n] = '?'
			}
		}
	}
	expectRows(t, s, map[string]string{"a": "2"})
	expectOffset(t, s, 10)
	expectWeights(t, s)
	s.load("c", []byte("3"), 11)
	s.load("", nil, 12)
	mustDo(t, s.close())
	s = mustOpen(t, path)
	expectRows(t, s, map[string]string{"a": "2", "c": "3"})
	expectOffset(t, s, 12)
	mustDo(t, s.close())
}

// TestStoreOfALookup is written by goka, row by row: rows first, then their offset.
func TestStoreOfALookup(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	s := mustOpen(t, path)
	mustDo(t, s.Open())
	const n = 500
	for i := range n {
		mustDo(t, s.Set(fmt.Sprintf("k%06d", i), []byte("x")))
		mustDo(t, s.SetOffset(int64(i)))
	}
	mustDo(t, s.Delete("k000000"))
	mustDo(t, s.SetOffset(n))
	mustDo(t, s.MarkRecovered())
	abandon(t, s) // what goka was told to be recovered is on disk
	s = mustOpen(t, path)
	expectOffset(t, s, n)
	if rows := rowsOf(t, s); len(rows) != n-1 || rows["k000001"] != "x" {
		t.Errorf("%d rows", len(rows))
	}
	mustDo(t, s.Set("later", []byte("x")))
	mustDo(t, s.Close())
	s = mustOpen(t, path)
	expectRow(t, s, "later", "x")
	mustDo(t, s.Close())
}

// TestOwnedStoreOutlivesItsClose: goka closes a store at the end of each of its sessions.
func TestOwnedStoreOutlivesItsClose(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	s := mustOpen(t, path)
	put(s, "k", "last")
	mustDo(t, owned{s}.Close())
	expectRow(t, s, "k", "last")
	commit(t, s, 4)
	mustDo(t, s.close())
	if _, err := s.db.Get([]byte("k"), nil); !errors.Is(err, leveldb.ErrClosed) {
		t.Errorf("after close the store answers %v", err)
	}
	s = mustOpen(t, path)
	expectRow(t, s, "k", "last")
	expectOffset(t, s, 4)
	mustDo(t, s.close())
}

// TestStoreWritesSeldom: what is committed stays off the disk until it is old or much.
func TestStoreWritesSeldom(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, t.TempDir())
	onDisk := func(key string) bool {
		t.Helper()
		s.writer.Wait()
		has, err := s.db.Has([]byte(key), nil)
		mustDo(t, err)
		return has
	}
	put(s, "k", "1")
	commit(t, s, 1)
	if onDisk("k") {
		t.Error("a young unit of work is on disk")
	}
	s.mu.Lock()
	s.since = time.Now().Add(-writeEvery)
	s.mu.Unlock()
	put(s, "k", "2")
	commit(t, s, 2)
	if !onDisk("k") {
		t.Error("an old unit of work is not on disk")
	}
	row := make([]byte, 1<<20)
	weight := len(row) + len("big-00") + rowOverhead
	for n := range 1 + pendingBytesMax/weight {
		if onDisk("big-10") {
			t.Fatalf("%d rows of 1 MB are written already", n)
		}
		s.set(fmt.Sprint("big-", n+10), row)
		s.mu.Lock()
		s.since = time.Now()
		s.mu.Unlock()
		commit(t, s, int64(n)+3)
		expectWeights(t, s)
		if s.pending.bytes > pendingBytesMax+weight {
			t.Errorf("%d bytes are pending", s.pending.bytes)
		}
	}
	if !onDisk("big-10") {
		t.Error("more than pendingBytesMax is not on disk")
	}
	mustDo(t, s.close())
}

// TestStoreCacheGenerations: rows that fell out of both generations are read from disk, and an
// older one never shows instead of a newer. The cache is bounded.
func TestStoreCacheGenerations(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, t.TempDir())
	write := func(row string, offset int64) {
		t.Helper()
		put(s, "k", row)
		commit(t, s, offset)
		mustDo(t, s.flush())
	}
	write("first", 1)
	row := make([]byte, 256<<10)
	fills := 2*cacheBytes/len(row) + 4
	for n := range fills {
		s.mu.Lock()
		s.keep(fmt.Sprint("fill-", n), row)
		if s.young.bytes > cacheBytes+len(row)+100 || s.old.bytes > cacheBytes+len(row)+100 {
			t.Errorf("the generations hold %d and %d bytes", s.young.bytes, s.old.bytes)
		}
		s.mu.Unlock()
		if n == fills/2 {
			expectRow(t, s, "k", "first") // from the old generation
			write("second", 2)
			expectRow(t, s, "k", "second")
		}
	}
	expectWeights(t, s)
	expectRow(t, s, "k", "second")
	expectRow(t, s, "nobody", "")
	if row, known := s.peek("nobody"); row != nil || !known {
		t.Error("that a row is not there is not kept")
	}
	mustDo(t, s.close())
}

// TestStoreKeepsItsWriteError: what could not be written is told at every later use.
func TestStoreKeepsItsWriteError(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	s := mustOpen(t, path)
	put(s, "k", "good")
	commit(t, s, 1)
	mustDo(t, s.flush())
	mustDo(t, s.db.Close())
	put(s, "k", "bad")
	commit(t, s, 2)
	if err := s.flush(); !errors.Is(err, leveldb.ErrClosed) {
		t.Errorf("flush: %v", err)
	}
	expectRow(t, s, "k", "bad")
	s.cut()
	for name, err := range map[string]error{"flush": s.flush(), "write": s.write(false),
		"committed": s.committed(3), "close": s.close(), "set": s.Set("k", nil),
		"recovered": s.MarkRecovered()} {
		if !errors.Is(err, leveldb.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s = mustOpen(t, path)
	expectRow(t, s, "k", "good")
	expectOffset(t, s, 1)
	mustDo(t, s.close())
}

// TestStoreReadsDuringCommits is for the race detector, and shows that no reader ever sees a row
// go back.
func TestStoreReadsDuringCommits(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, t.TempDir())
	const keys, commits = 20, 100
	for k := range keys {
		put(s, fmt.Sprint(k), "1000")
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
			put(s, fmt.Sprint(k), fmt.Sprint(1001+n))
		}
		commit(t, s, int64(n))
		if n%3 == 0 {
			mustDo(t, s.write(true))
		}
	}
	close(stop)
	readers.Wait()
	mustDo(t, s.close())
}

// breakManifest makes a closed store unreadable.
func breakManifest(t *testing.T, path string) {
	t.Helper()
	manifests, err := filepath.Glob(filepath.Join(path, "MANIFEST-*"))
	mustDo(t, err)
	if len(manifests) == 0 {
		t.Fatal("no manifest to break")
	}
	for _, m := range manifests {
		mustDo(t, os.WriteFile(m, []byte("this is no manifest at all, and long"), 0o600))
	}
}

// TestCorruptStoreIsRebuilt: opening it is an error, which leaves it closed, and the instance
// throws it away. One whose offset is of another length is corrupt too.
func TestCorruptStoreIsRebuilt(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(path string){
		"manifest": func(path string) { breakManifest(t, path) },
		"offset": func(path string) {
			db, err := leveldb.OpenFile(path, nil)
			mustDo(t, err)
			mustDo(t, db.Put([]byte(offsetKey), []byte("123"), nil))
			mustDo(t, db.Close())
		},
	} {
		path := t.TempDir()
		s := mustOpen(t, path)
		put(s, "k", "v")
		commit(t, s, 1)
		mustDo(t, s.close())
		spoil(path)
		for range 2 {
			if _, err := openStore(path, "table", 0); err == nil || !corrupt(err) {
				t.Errorf("%s: error is %v", name, err)
			}
		}
		i := newInstance(&Processor{Group: "g"}, Config{Log: slog.New(slog.DiscardHandler)}, 1)
		s, err := i.openOrRebuild(path, "table", 0)
		mustDo(t, err)
		expectRows(t, s, map[string]string{})
		expectOffset(t, s, -7)
		mustDo(t, s.close())
	}
}
