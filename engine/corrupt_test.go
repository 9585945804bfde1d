package engine

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/syndtr/goleveldb/leveldb"
)

// TestCorruptStoreIsRebuilt: a local copy that cannot be opened, or of which an offset is of
// another length, is logged and removed.
func TestCorruptStoreIsRebuilt(t *testing.T) {
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
			mustDo(t, db.Put([]byte("\x00offset0"), []byte("123"), nil))
			mustDo(t, db.Close())
		},
	} {
		path, log := filepath.Join(t.TempDir(), "table.0"), &logged{}
		s := mustOpen(t, path, 1)
		commit(t, s, 1, "k=v")
		mustDo(t, s.Close())
		i := newInstance(&Processor{Group: "g"},
			Config{Log: slog.New(slog.NewTextHandler(log, nil))}, 1)
		s, err := i.openOrRebuild(path, "table", 1)
		mustDo(t, err)
		expectRows(t, s, 0, map[string]string{"k": "v"})
		mustDo(t, s.Close())
		if log.has("corrupt") {
			t.Errorf("%s: warned before anything was amiss", name)
		}
		spoil(path)
		s, err = i.openOrRebuild(path, "table", 1)
		mustDo(t, err)
		expectRows(t, s, 0, map[string]string{})
		expectOffset(t, s, 0, -1)
		mustDo(t, s.Close())
		if !log.has("corrupt and is rebuilt") {
			t.Errorf("%s: did not warn", name)
		}
	}
}
