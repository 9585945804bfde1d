package store

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"chargestream/engine/task"
	"chargestream/internal/seeded"
)

// state is what is committed: rows and offset by table.
type state struct {
	rows    []map[string]string
	offsets []int64
}

func newState() state {
	s := state{offsets: slices.Repeat([]int64{-1}, tables)}
	for range tables {
		s.rows = append(s.rows, map[string]string{})
	}
	return s
}

func (s *state) clone() state {
	c := state{offsets: slices.Clone(s.offsets)}
	for _, rows := range s.rows {
		c.rows = append(c.rows, maps.Clone(rows))
	}
	return c
}

// put changes a row; an empty one is deleted.
func (s *state) put(table int, key, row string) {
	if s.rows[table][key] = row; row == "" {
		delete(s.rows[table], key)
	}
}

// model is a store as plain maps.
type model struct {
	state
	history map[string]state // what was committed, by offsets
}

// note notes a change of what is committed.
func (m *model) note() { m.history[fmt.Sprint(m.offsets)] = m.clone() }

// crash has the model go back to what a disk with its offsets may hold.
func (m *model) crash(t *testing.T, s *Store) {
	t.Helper()
	var offsets []int64
	for table := range tables {
		offsets = append(offsets, s.Offset(table))
	}
	was, ok := m.history[fmt.Sprint(offsets)]
	if !ok {
		t.Fatalf("the disk has offsets %d, which were never committed together", offsets)
	}
	m.state = was.clone()
}

func (m *model) expect(t *testing.T, s *Store, keys []string) {
	t.Helper()
	for table, want := range m.rows {
		for _, key := range keys { // those of a store just opened before its keys are listed
			expectRow(t, s, table, key, want[key])
		}
		expectRows(t, s, table, want)
	}
	expectOffsets(t, s, m.offsets...)
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
	s     *Store
	m     *model
	keys  []string
	stage int // of directories
}

func (w *walk) change() (key, row string) {
	return w.keys[w.r.IntN(len(w.keys))], []string{"", "1", "22", "a longer row"}[w.r.IntN(4)]
}

func (w *walk) next(table int) int64 { return w.m.offsets[table] + 1 + w.r.Int64N(3) }

// steps are what may be done to a store, each with how often.
func (w *walk) steps() []func() {
	often := func(n int, f func()) []func() { return slices.Repeat([]func(){f}, n) }
	return slices.Concat(often(20, w.commit), often(6, w.load),
		often(3, func() { mustDo(w.t, w.s.write(w.r.IntN(2) == 0)) }),
		often(2, func() { mustDo(w.t, w.s.Flush()) }), often(2, w.age), often(1, w.reopen),
		often(1, w.kill), often(2, w.resize))
}

// commit is a commit that changes some tables, or none.
func (w *walk) commit() {
	all, offsets := make([][]task.Row, tables), slices.Repeat([]int64{-1}, tables)
	for table := range tables {
		if w.r.IntN(2) == 0 {
			continue
		}
		offsets[table] = w.next(table)
		w.m.offsets[table] = offsets[table]
		for range w.r.IntN(4) {
			key, row := w.change()
			w.m.put(table, key, row)
			all[table] = append(all[table], rows(key+"="+row)...)
		}
	}
	w.m.note()
	mustDo(w.t, w.s.Commit(all, offsets))
}

// load is what is read of one table's changelog.
func (w *walk) load() {
	table := w.r.IntN(tables)
	var texts []string
	for range 1 + w.r.IntN(5) {
		key, row := w.change()
		w.m.put(table, key, row)
		texts = append(texts, key+"="+row)
	}
	if w.r.IntN(2) == 0 {
		texts = append(texts, "!")
	}
	first := w.next(table)
	w.m.offsets[table] = first + int64(len(texts)) - 1
	w.m.note()
	load(w.s, table, changelog(first, texts...))
}

// resize gives the cache room for none, a few or all of the rows.
func (w *walk) resize() { w.s.SetCache([]int{0, 200, 1 << 20}[w.r.IntN(3)]) }

// age makes what is pending old enough to be written.
func (w *walk) age() {
	w.s.mu.Lock()
	w.s.since = time.Time{}
	w.s.mu.Unlock()
}

// reopen closes the store in good order, or without what is not on disk.
func (w *walk) reopen() {
	if w.r.IntN(2) == 0 {
		mustDo(w.t, w.s.Close())
		w.s = mustOpen(w.t, w.path)
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
// disk is what was committed at some moment, of all tables, with the offsets of that moment.
func TestStoreAgainstModel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := &walk{t: t, r: seeded.Rand(t), dir: dir, path: filepath.Join(dir, "stage-0"),
		keys: []string{"a", "b", "c", "d", "e", "f", "a key that is longer"},
		m:    &model{state: newState(), history: map[string]state{}}}
	w.m.note()
	w.s = mustOpen(t, w.path)
	steps := w.steps()
	for range 2500 {
		steps[w.r.IntN(len(steps))]()
		w.m.expect(t, w.s, w.keys)
	}
	mustDo(t, w.s.Close())
}
