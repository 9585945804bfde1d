package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/util"

	"chargestream/engine/task"
)

// TestStoreWritesSeldom: what is committed stays off the disk until it is old or much.
func TestStoreWritesSeldom(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, t.TempDir())
	onDisk := func(key string) bool {
		t.Helper()
		s.writer.Wait()
		has, err := s.db.Has(diskKey(nil, 1, key), nil)
		mustDo(t, err)
		return has
	}
	commit(t, s, 1, 1, "k=1")
	if onDisk("k") {
		t.Error("a young commit is on disk")
	}
	s.mu.Lock()
	s.since = time.Now().Add(-writeEvery)
	s.mu.Unlock()
	commit(t, s, 1, 2, "k=2")
	if !onDisk("k") {
		t.Error("an old commit is not on disk")
	}
	row := make([]byte, 1<<20)
	weight := len(row) + len("big-00") + rowOverhead
	for n := range 1 + pendingBytesMax/weight {
		if onDisk("big-10") {
			t.Fatalf("%d rows of 1 MB are written already", n)
		}
		one := make([][]task.Row, tables)
		one[1] = []task.Row{{Key: fmt.Sprint("big-", n+10), Bytes: row}}
		mustDo(t, s.Commit(one, []int64{-1, int64(n) + 3, -1}))
		s.mu.Lock()
		s.since = time.Now()
		s.mu.Unlock()
		mustDo(t, s.Write())
		expectWeights(t, s)
		s.mu.Lock()
		if s.pending.bytes > pendingBytesMax+weight {
			t.Errorf("%d bytes are pending", s.pending.bytes)
		}
		s.mu.Unlock()
	}
	if !onDisk("big-10") {
		t.Error("more than pendingBytesMax is not on disk")
	}
	mustDo(t, s.Close())
}

// TestStoreKeepsItsWriteError: what could not be written is returned at every later use.
func TestStoreKeepsItsWriteError(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	s := mustOpen(t, path)
	commit(t, s, 1, 1, "k=good")
	mustDo(t, s.Flush())
	mustDo(t, s.db.Close())
	commit(t, s, 1, 2, "k=bad")
	if err := s.Flush(); !errors.Is(err, leveldb.ErrClosed) {
		t.Errorf("flush: %v", err)
	}
	expectRow(t, s, 1, "k", "bad")
	for name, err := range map[string]error{"flush": s.Flush(), "write": s.Write(),
		"commit": s.Commit([][]task.Row{nil, rows("k=3"), nil}, []int64{-1, 3, -1}),
		"close":  s.Close()} {
		if !errors.Is(err, leveldb.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s = mustOpen(t, path)
	expectRow(t, s, 1, "k", "good")
	expectOffsets(t, s, -1, 1, -1)
	mustDo(t, s.Close())
}

// TestStoreReadsDuringCommits is for the race detector, and shows that no reader ever sees a row
// go back.
func TestStoreReadsDuringCommits(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, t.TempDir())
	const keys, commits = 20, 100
	write := func(n int) {
		one := make([][]task.Row, tables)
		for k := range keys {
			one[k%tables] = append(one[k%tables], task.Row{Key: fmt.Sprint(k),
				Bytes: fmt.Append(nil, 1000+n)})
		}
		mustDo(t, s.Commit(one, []int64{int64(n), int64(n), int64(n)}))
	}
	write(0)
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
				row, err := s.Get(n%keys%tables, key)
				if err != nil || string(row) < last[key] || row == nil {
					t.Errorf("%s went from %s to %s (%v)", key, last[key], row, err)
					return
				}
				last[key] = string(row)
			}
		})
	}
	for n := range commits {
		write(n + 1)
		if n%3 == 0 {
			mustDo(t, s.write(true))
		}
	}
	close(stop)
	readers.Wait()
	mustDo(t, s.Close())
}

// TestCorruptStoreIsNotOpened: that is an error, which leaves it closed. One whose offset is of
// another length is corrupt too.
func TestCorruptStoreIsNotOpened(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(path string){
		"manifest": func(path string) {
			manifests, err := filepath.Glob(filepath.Join(path, "MANIFEST-*"))
			mustDo(t, err)
			if len(manifests) == 0 {
				t.Fatal("no manifest to break")
			}
			for _, m := range manifests {
				mustDo(t, os.WriteFile(m, []byte("this is no manifest at all, and long"), 0o600))
			}
		},
		"offset": func(path string) {
			db, err := leveldb.OpenFile(path, nil)
			mustDo(t, err)
			mustDo(t, db.Put(offsetKeyOf(2), []byte("123"), nil))
			mustDo(t, db.Close())
		},
	} {
		path := t.TempDir()
		s := mustOpen(t, path)
		commit(t, s, 0, 1, "k=v")
		mustDo(t, s.Close())
		spoil(path)
		for range 2 {
			if _, err := Open(path, tables); err == nil || !Corrupt(err) {
				t.Errorf("%s: error is %v", name, err)
			}
		}
	}
}

// rot makes a store whose table files are unreadable.
func rot(t *testing.T, path string) {
	t.Helper()
	s := mustOpen(t, path)
	var list []record
	for n := range 1000 {
		list = append(list, record{fmt.Appendf(nil, "key%04d", n),
			fmt.Appendf(nil, "row of key %d", n), int64(n)})
	}
	load(s, 1, list)
	mustDo(t, s.Flush())
	mustDo(t, s.db.CompactRange(util.Range{}))
	mustDo(t, s.Close())
	files, err := filepath.Glob(filepath.Join(path, "*.ldb"))
	mustDo(t, err)
	if len(files) == 0 {
		t.Fatal("nothing was written into a table file")
	}
	for _, file := range files {
		bytes, err := os.ReadFile(file)
		mustDo(t, err)
		for at := range min(len(bytes)/2, 4096) {
			bytes[at] ^= 0xff
		}
		mustDo(t, os.WriteFile(file, bytes, 0o600))
	}
}

// TestStoreThatRotsIsBuiltAnew: a block on disk that is unreadable shows only when it is read. The
// copy is reported and removed, so that the next attempt does not end of it again.
func TestStoreThatRotsIsBuiltAnew(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func(s *Store) error{
		"get": func(s *Store) error { _, err := s.Get(1, "key0001"); return err },
		"each": func(s *Store) error {
			return s.Each(1, func(string, []byte) error { return nil })
		},
	} {
		path := filepath.Join(t.TempDir(), "table.0")
		rot(t, path)
		s := mustOpen(t, path)
		reported := 0
		s.OnCorrupt = func(error) { reported++ }
		for range 2 {
			if err := read(s); err == nil || !Corrupt(err) {
				t.Errorf("%s: a rotten row is read (%v)", name, err)
			}
		}
		if reported != 1 {
			t.Errorf("%s: reported %d times", name, reported)
		}
		if err := s.Close(); err != nil && !Corrupt(err) {
			t.Error(err)
		}
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%s: the rotten copy is still there: %v", name, err)
		}
		s = mustOpen(t, path)
		expectOffsets(t, s, -1, -1, -1)
		mustDo(t, s.Close())
	}
}
