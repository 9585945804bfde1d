package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/syndtr/goleveldb/leveldb/util"
)

// TestStoreThatRotsIsBuiltAnew: a block on disk that is unreadable shows only when it is read. The
// copy is told of and thrown away, so that the next attempt does not end of it again.
func TestStoreThatRotsIsBuiltAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table.0")
	s, err := openStore(path, "table", 0)
	mustDo(t, err)
	for n := range 1000 {
		s.load(fmt.Sprintf("key%04d", n), fmt.Appendf(nil, "row of key %d", n), int64(n))
	}
	mustDo(t, s.flush())
	mustDo(t, s.db.CompactRange(util.Range{}))
	mustDo(t, s.close())
	tables, err := filepath.Glob(filepath.Join(path, "*.ldb"))
	mustDo(t, err)
	if len(tables) == 0 {
		t.Fatal("nothing was written into a table file")
	}
	for _, file := range tables {
		bytes, err := os.ReadFile(file)
		mustDo(t, err)
		for at := range min(len(bytes)/2, 4096) {
			bytes[at] ^= 0xff
		}
		mustDo(t, os.WriteFile(file, bytes, 0o600))
	}
	told := 0
	s, err = openStore(path, "table", 0)
	mustDo(t, err)
	s.onCorrupt = func(error) { told++ }
	for range 2 {
		if row, err := s.get("key0001"); err == nil || !corrupt(err) {
			t.Errorf("a rotten row is read as %q, %v", row, err)
		}
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
	if err := s.close(); err != nil && !corrupt(err) {
		t.Error(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the rotten copy is still there: %v", err)
	}
	s, err = openStore(path, "table", 0)
	mustDo(t, err)
	if s.offset >= 0 {
		t.Errorf("the new copy goes on at %d", s.offset)
	}
	mustDo(t, s.close())
}
