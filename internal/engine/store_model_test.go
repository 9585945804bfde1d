package engine

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// model is a store as plain maps.
type model struct {
	committed map[string]string
	cut       map[string]string // changes of the unit that is committed; "" for deleted
	running   map[string]string
	history   map[int64]map[string]string // what was committed, by offset
	offset    int64
}

func lay(rows, over map[string]string) {
	for key, row := range over {
		if rows[key] = row; row == "" {
			delete(rows, key)
		}
	}
}

func (m *model) rows() map[string]string {
	rows := maps.Clone(m.committed)
	lay(rows, m.cut)
	lay(rows, m.running)
	return rows
}

// move notes a change of what is committed.
func (m *model) move(offset int64) {
	m.offset = offset
	m.history[offset] = maps.Clone(m.committed)
}

// crash has the model go back to what a disk with an offset may hold.
func (m *model) crash(t *testing.T, s *store) {
	t.Helper()
	offset, err := s.GetOffset(-1)
	mustDo(t, err)
	was, ok := m.history[offset]
	if !ok {
		t.Fatalf("the disk has offset %d, which was never committed", offset)
	}
	m.committed, m.offset = maps.Clone(was), offset
	m.cut, m.running = map[string]string{}, map[string]string{}
}

func (m *model) expect(t *testing.T, s *store, keys []string) {
	t.Helper()
	want := m.rows()
	expectRows(t, s, want)
	for _, key := range keys {
		if row, err := s.get(key); err != nil || string(row) != want[key] {
			t.Fatalf("%s is %q (%v), want %q", key, row, err, want[key])
		}
	}
	if got, err := s.GetOffset(-1); err != nil || got != m.offset {
		t.Fatalf("offset is %d (%v), want %d", got, err, m.offset)
	}
	expectWeights(t, s)
	if t.Failed() {
		t.FailNow()
	}
}

// walk is a random walk of a store beside its model.
type walk struct {
	t     *testing.T
	r     *rand.Rand
	dir   string
	path  string
	s     *store
	m     *model
	keys  []string
	stage int // of directories
}

func (w *walk) change() (key, row string) {
	return w.keys[w.r.IntN(len(w.keys))], []string{"", "1", "22", "a longer row"}[w.r.IntN(4)]
}

func (w *walk) next() int64 { return w.m.offset + 1 + w.r.Int64N(3) }

// steps are what may be done to a store, each with how often.
func (w *walk) steps() []func() {
	often := func(n int, f func()) []func() { return slices.Repeat([]func(){f}, n) }
	return slices.Concat(often(30, w.set), often(8, w.commit), often(4, w.cut), often(4, w.load),
		often(1, w.forget), often(3, func() { mustDo(w.t, w.s.write(w.r.IntN(2) == 0)) }),
		often(2, func() { mustDo(w.t, w.s.flush()) }), often(2, w.age), often(1, w.reopen),
		often(1, w.kill))
}

func (w *walk) set() {
	key, row := w.change()
	w.m.running[key] = row
	put(w.s, key, row)
}

// cut begins a unit of work; the one before is committed by then.
func (w *walk) cut() {
	if len(w.m.cut) > 0 {
		w.commit()
		return
	}
	w.s.cut()
	w.m.cut, w.m.running = w.m.running, map[string]string{}
}

func (w *walk) commit() {
	if len(w.m.cut) == 0 {
		w.cut()
	}
	lay(w.m.committed, w.m.cut)
	w.m.cut = map[string]string{}
	w.m.move(w.next())
	mustDo(w.t, w.s.committed(w.m.offset))
}

// load is only done where no unit of work runs, as to a copy that is followed.
func (w *walk) load() {
	w.forget()
	first := w.next()
	if w.r.IntN(2) == 0 {
		key, row := w.change()
		lay(w.m.committed, map[string]string{key: row})
		w.m.move(first)
		var bytes []byte
		if row != "" {
			bytes = []byte(row)
		}
		w.s.load(key, bytes, first)
		return
	}
	var rows []string
	for range 1 + w.r.IntN(5) {
		key, row := w.change()
		lay(w.m.committed, map[string]string{key: row})
		rows = append(rows, key+"="+row)
	}
	if w.r.IntN(2) == 0 {
		rows = append(rows, "!")
	}
	w.s.loadAll(changelog(first, rows...))
	w.m.move(first + int64(len(rows)) - 1)
}

func (w *walk) forget() {
	w.s.forget()
	w.m.cut, w.m.running = map[string]string{}, map[string]string{}
}

// age makes what is pending old enough to be written.
func (w *walk) age() {
	w.s.mu.Lock()
	w.s.since = time.Time{}
	w.s.mu.Unlock()
}

// reopen closes the store in good order, or without what is not on disk.
func (w *walk) reopen() {
	if w.r.IntN(2) == 0 {
		mustDo(w.t, w.s.close())
		w.s = mustOpen(w.t, w.path)
		w.m.cut, w.m.running = map[string]string{}, map[string]string{}
		return
	}
	abandon(w.t, w.s)
	w.s = mustOpen(w.t, w.path)
	w.m.crash(w.t, w.s)
}

// kill copies the directory, with a write perhaps under way, and goes on with the copy.
func (w *walk) kill() {
	w.stage++
	killed := filepath.Join(w.dir, fmt.Sprint("stage-", w.stage))
	snapshot(w.t, w.path, killed)
	abandon(w.t, w.s)
	mustDo(w.t, os.RemoveAll(w.path))
	w.path = killed
	w.s = mustOpen(w.t, w.path)
	w.m.crash(w.t, w.s)
}

// TestStoreAgainstModel does random things to a store and to plain maps. What a crash leaves on
// disk is what was committed at some offset, which is the one that lies beside it.
func TestStoreAgainstModel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := &walk{t: t, r: chance(t), dir: dir, path: filepath.Join(dir, "stage-0"),
		keys: []string{"a", "b", "c", "d", "e", "f", "a key that is longer"},
		m: &model{committed: map[string]string{}, cut: map[string]string{},
			running: map[string]string{}, history: map[int64]map[string]string{-1: {}},
			offset: -1}}
	w.s = mustOpen(t, w.path)
	steps := w.steps()
	for range 2500 {
		steps[w.r.IntN(len(steps))]()
		w.m.expect(t, w.s, w.keys)
	}
	mustDo(t, w.s.close())
}
