package engine

import (
	"chargestream/engine/task"
	"errors"
	"fmt"
	"os"
	"slices"
)

// empty has the rows of another layout deleted by the next commits, and all inputs read from the
// beginning. The local copy begins empty, so that a crash before the last of these commits finds
// the old tables.
func (p *ownedPartition) empty(layout int) error {
	p.i.layoutLogged.Do(func() { // once, not for each partition
		p.i.c.Log.Warn("tables of another version of the program are emptied and built again "+
			"from the inputs", "group", p.i.p.Group, "layout", layout, "layout_now", p.i.p.Layout)
	})
	p.oldRows = make(oldRows, len(p.i.p.Tables))
	p.emptying.Store(true)
	for table := range p.i.p.Tables {
		p.oldRows[table] = []string{}
		err := p.store.Each(table, func(key string, _ []byte) error {
			p.oldRows[table] = append(p.oldRows[table], key)
			return nil
		})
		if err != nil {
			return fmt.Errorf("list rows of another layout: %w", err)
		}
		if table > 0 {
			p.oldRows[table] = append(p.oldRows[table], progressKey)
		}
	}
	path := p.store.Path()
	if err := errors.Join(p.store.Close(), os.RemoveAll(path)); err != nil {
		return fmt.Errorf("remove store: %w", err)
	}
	p.hasProgress, p.progress = false, map[string]int64{}
	s, err := p.i.openOrRebuild(path, p.i.p.Table(), len(p.i.p.Tables))
	p.store = s
	return err
}

// isEmptied reports whether rows of another layout must be deleted before anything is folded.
func (p *ownedPartition) isEmptied() bool {
	p.i.foldMu.RLock()
	defer p.i.foldMu.RUnlock()
	return p.oldRows != nil
}

// oldRowsMax is how many rows of another layout one commit deletes.
const oldRowsMax = 20_000

// oldRows are the keys, by table, of rows of another layout that must still be deleted. Nothing is
// folded before that. The progress record with the new layout is written with the last of them, so
// a crash in between finds the old layout and the next owner continues.
type oldRows [][]string

// take adds tombstones to the rows of a commit, and reports whether they are the last.
func (e oldRows) take(rows [][]task.Row) (last bool) {
	room := oldRowsMax
	for table, keys := range e {
		n := min(room, len(keys))
		for _, key := range keys[:n] {
			rows[table] = append(rows[table], task.Row{Key: key})
		}
		e[table], room = keys[n:], room-n
	}
	return !slices.ContainsFunc(e, func(keys []string) bool { return len(keys) > 0 })
}
