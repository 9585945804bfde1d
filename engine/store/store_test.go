package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/syndtr/goleveldb/leveldb"

	"chargestream/engine/task"
)

// tables is how many tables a store has in most tests.
const tables = 3

func mustDo(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustOpen(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(path, tables)
	mustDo(t, err)
	return s
}

// rows makes rows of "key=row", and "key=" for one that is deleted.
func rows(texts ...string) []task.Row {
	list := make([]task.Row, len(texts))
	for n, text := range texts {
		key, row, _ := strings.Cut(text, "=")
		list[n].Key = key
		if row != "" {
			list[n].Bytes = []byte(row)
		}
	}
	return list
}

// commit takes rows of one table as committed, up to an offset of its changelog.
func commit(t testing.TB, s *Store, table int, offset int64, texts ...string) {
	t.Helper()
	all, offsets := make([][]task.Row, tables), []int64{-1, -1, -1}
	all[table], offsets[table] = rows(texts...), offset
	mustDo(t, s.Commit(all, offsets))
}

func expectRow(t testing.TB, s *Store, table int, key, want string) {
	t.Helper()
	row, err := s.Get(table, key)
	mustDo(t, err)
	if string(row) != want || (row == nil) != (want == "") {
		t.Errorf("%s of table %d is %q, want %q", key, table, row, want)
	}
}

func expectOffsets(t testing.TB, s *Store, want ...int64) {
	t.Helper()
	for table, offset := range want {
		if got := s.Offset(table); got != offset {
			t.Errorf("offset of table %d is %d, want %d", table, got, offset)
		}
	}
}

func rowsOf(t testing.TB, s *Store, table int) map[string]string {
	t.Helper()
	rows, last := map[string]string{}, ""
	mustDo(t, s.Each(table, func(key string, row []byte) error {
		if key <= last && len(rows) > 0 {
			t.Errorf("%q comes after %q", key, last)
		}
		rows[key], last = string(row), key
		return nil
	}))
	return rows
}

func expectRows(t testing.TB, s *Store, table int, want map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, rowsOf(t, s, table)); diff != "" {
		t.Errorf("rows of table %d (-want +got):\n%s", table, diff)
	}
}

// expectWeights compares the weight of each layer with its rows.
func expectWeights(t testing.TB, s *Store) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, l := range map[string]*layer{"pending": &s.pending, "writing": &s.writing} {
		bytes, count := 0, 0
		for _, rows := range l.rows {
			count += len(rows)
			for key, row := range rows {
				bytes += len(key) + len(row) + rowOverhead
			}
		}
		if bytes != l.bytes || count != l.count {
			t.Errorf("%s reports %d rows of %d bytes, and has %d of %d", name, l.count,
				l.bytes, count, bytes)
		}
	}
}

// abandon closes a store as a crash does: what is not on disk is lost.
func abandon(t testing.TB, s *Store) {
	t.Helper()
	s.writer.Wait()
	mustDo(t, s.db.Close())
}

// TestStoreLayers writes one key to each layer and looks at which one shows.
func TestStoreLayers(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, t.TempDir())
	expectOffsets(t, s, -1, -1, -1)
	expectRow(t, s, 1, "k", "")
	commit(t, s, 1, 1, "k=disk", "gone=disk")
	mustDo(t, s.Flush())
	write := func() { // as write does, but for the disk
		s.writing, s.pending = s.pending, newLayer(tables)
	}
	steps := []struct {
		layer     string
		do        func()
		row, gone string
	}{
		{"disk", func() {}, "disk", "disk"},
		{"pending", func() { commit(t, s, 1, 2, "k=1", "gone=") }, "1", ""},
		{"writing", write, "1", ""},
		{"pending over writing", func() { commit(t, s, 1, 3, "k=", "gone=2") }, "", "2"},
		{"written", func() { s.put(s.writing, []int64{-1, 2, -1}) }, "", "2"},
		{"pending again", func() { commit(t, s, 1, 4, "k=3") }, "3", "2"},
		{"flushed", func() { mustDo(t, s.Flush()) }, "3", "2"},
		{"empty commit", func() { commit(t, s, 1, 5) }, "3", "2"},
	}
	for _, step := range steps {
		step.do()
		t.Log(step.layer)
		expectRow(t, s, 1, "k", step.row)
		expectRow(t, s, 1, "gone", step.gone)
		expectWeights(t, s)
	}
	expectOffsets(t, s, -1, 5, -1)
	mustDo(t, s.Close())
}

// TestTablesDoNotMix: the same keys are in all tables, with rows of their own; those at the end of
// the order of bytes too.
func TestTablesDoNotMix(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	s := mustOpen(t, path)
	keys := []string{"a", "\x01a", "\x02", "\xff", "\xff\xff\xff"}
	for round := range 2 { // on disk, and in memory over it
		all, offsets := make([][]task.Row, tables), make([]int64, tables)
		for table := range tables {
			offsets[table] = int64(10*round + table)
			for n, key := range keys {
				if n%2 == round || round == 0 {
					all[table] = append(all[table], task.Row{Key: key,
						Bytes: fmt.Appendf(nil, "%d %d", table, round)})
				}
			}
		}
		mustDo(t, s.Commit(all, offsets))
		if round == 0 {
			mustDo(t, s.Flush())
		}
	}
	commit(t, s, 1, -1, "a=", "\xff=")
	for range 2 { // as it is, and opened again
		for table := range tables {
			first, last := fmt.Sprint(table, " 0"), fmt.Sprint(table, " 1")
			want := map[string]string{"a": first, "\x01a": last, "\x02": first, "\xff": last,
				"\xff\xff\xff": first}
			if table == 1 {
				delete(want, "a")
				delete(want, "\xff")
			}
			expectRows(t, s, table, want)
			for _, key := range keys {
				expectRow(t, s, table, key, want[key])
			}
		}
		expectOffsets(t, s, 10, 11, 12)
		mustDo(t, s.Close())
		s = mustOpen(t, path)
	}
	mustDo(t, s.Close())
}

// TestStoreForgetsWhatIsNotOnDisk is a crash: rows and offsets of all tables are of one commit.
func TestStoreForgetsWhatIsNotOnDisk(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end    func(s *Store) error
		row    string
		offset int64
	}{
		"closed": {func(s *Store) error { return s.Close() }, "second", 20},
		"flushed": {func(s *Store) error { return errors.Join(s.Flush(), s.db.Close()) },
			"second", 20},
		"crashed": {func(s *Store) error { return s.db.Close() }, "first", 10},
	} {
		path := t.TempDir()
		s := mustOpen(t, path)
		one := func(row string, offset int64) {
			mustDo(t, s.Commit([][]task.Row{rows("k=" + row), rows("k=" + row), nil},
				[]int64{offset, offset, -1}))
		}
		one("first", 10)
		mustDo(t, s.Flush())
		one("second", 20)
		mustDo(t, c.end(s))
		s = mustOpen(t, path)
		for table := range 2 {
			expectRows(t, s, table, map[string]string{"k": c.row})
		}
		expectOffsets(t, s, c.offset, c.offset, -1)
		mustDo(t, s.Close())
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

// TestStoreOffset: a commit without changelog records of a table leaves its offset where it
// is, and it never goes back.
func TestStoreOffset(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	s := mustOpen(t, path)
	for _, c := range []struct{ commit, want int64 }{{3, 3}, {-1, 3}, {8, 8}, {-1, 8}, {5, 8}} {
		commit(t, s, 2, c.commit)
		expectOffsets(t, s, -1, -1, c.want)
	}
	s.Load(2, 1, func(int) ([]byte, []byte, int64) { return nil, nil, 7 })
	expectOffsets(t, s, -1, -1, 8)
	s.Load(0, 1, func(int) ([]byte, []byte, int64) { return nil, nil, 7 })
	mustDo(t, s.Close())
	s = mustOpen(t, path)
	expectOffsets(t, s, 7, -1, 8)
	mustDo(t, s.Close())
}

// snapshot copies the directory of a store that is in use. Copying takes a while, in which LevelDB
// may make files, write to some and remove others; what is copied then was never there at once.
func snapshot(t *testing.T, path, to string) {
	t.Helper()
	files := func() []string {
		found, err := filepath.Glob(filepath.Join(path, "*"))
		mustDo(t, err)
		for n, name := range found {
			if info, err := os.Stat(name); err == nil {
				found[n] = fmt.Sprint(name, info.Size(), info.ModTime())
			}
		}
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
// directory while it writes, and opens the copy: rows and offsets of all tables are of the same
// commit.
func TestStoreOffsetIsNeverAheadOfItsRows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "store")
	s := mustOpen(t, path)
	for n := range int64(20) {
		row := fmt.Sprint("k=", n)
		mustDo(t, s.Commit([][]task.Row{rows(row), nil, rows(row)}, []int64{n, -1, n}))
		mustDo(t, s.write(true))
		killed := filepath.Join(dir, fmt.Sprint("killed-", n))
		snapshot(t, path, killed)
		c := mustOpen(t, killed)
		offset := c.Offset(0)
		if offset < n-1 {
			t.Errorf("commit %d: offset %d, though the commit before must be written", n, offset)
		}
		expectOffsets(t, c, offset, -1, offset)
		if offset >= 0 {
			expectRow(t, c, 0, "k", fmt.Sprint(offset))
			expectRow(t, c, 2, "k", fmt.Sprint(offset))
		}
		mustDo(t, c.Close())
	}
	mustDo(t, s.Close())
}

// record is a record of a changelog.
type record struct {
	key, value []byte
	offset     int64
}

// changelog makes records of a changelog from "key=row", "key=" for a deletion, and "!" for a
// record of which only the offset counts.
func changelog(offset int64, texts ...string) []record {
	var records []record
	for _, text := range texts {
		r := record{offset: offset}
		offset++
		if key, row, _ := strings.Cut(text, "="); text != "!" {
			r.key = []byte(key)
			if row != "" {
				r.value = []byte(row)
			}
		}
		records = append(records, r)
	}
	return records
}

func load(s *Store, table int, records []record) {
	s.Load(table, len(records), func(n int) (key, value []byte, offset int64) {
		return records[n].key, records[n].value, records[n].offset
	})
}

// TestStoreLoadsAChangelog: tombstones and records without a key, of which only the offset counts;
// and what is kept is a copy.
func TestStoreLoadsAChangelog(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	s := mustOpen(t, path)
	records := changelog(5, "a=1", "b=1", "a=2", "b=", "=no key", "!")
	load(s, 1, records)
	for _, r := range records {
		for _, bytes := range [][]byte{r.key, r.value} {
			for n := range bytes {
				bytes[n] = '?'
			}
		}
	}
	expectRows(t, s, 1, map[string]string{"a": "2"})
	expectOffsets(t, s, -1, 10, -1)
	expectWeights(t, s)
	load(s, 1, changelog(11, "c=3", "!"))
	load(s, 0, changelog(3, "a=of another table"))
	mustDo(t, s.Close())
	s = mustOpen(t, path)
	expectRows(t, s, 1, map[string]string{"a": "2", "c": "3"})
	expectRows(t, s, 0, map[string]string{"a": "of another table"})
	expectOffsets(t, s, 3, 12, -1)
	mustDo(t, s.Close())
}

// TestClosedStoreIsClosed: its directory is free for another.
func TestClosedStoreIsClosed(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	s := mustOpen(t, path)
	if s.Path() != path {
		t.Errorf("its path is %s, want %s", s.Path(), path)
	}
	commit(t, s, 0, 4, "k=last")
	mustDo(t, s.Close())
	if _, err := s.db.Get([]byte("k"), nil); !errors.Is(err, leveldb.ErrClosed) {
		t.Errorf("after close the store answers %v", err)
	}
	s = mustOpen(t, path)
	expectRow(t, s, 0, "k", "last")
	mustDo(t, s.Close())
}

// TestEmptyRow: a row without bytes is there, in memory and on disk, and comes with the others.
func TestEmptyRow(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	s := mustOpen(t, path)
	mustDo(t, s.Commit([][]task.Row{{{Key: "k", Bytes: []byte{}}, {Key: "gone"}}, nil, nil},
		[]int64{1, -1, -1}))
	s.Load(1, 1, func(int) ([]byte, []byte, int64) { return []byte("k"), []byte{}, 1 })
	for range 2 {
		for table := range 2 {
			if row, err := s.Get(table, "k"); err != nil || row == nil || len(row) != 0 {
				t.Errorf("the row of table %d is %v (%v)", table, row, err)
			}
			expectRows(t, s, table, map[string]string{"k": ""})
		}
		expectRow(t, s, 0, "gone", "")
		mustDo(t, s.Close())
		s = mustOpen(t, path)
	}
	mustDo(t, s.Close())
}
