package engine

import (
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"chargestream/engine/store"
	"chargestream/engine/task"
)

func mustDo(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// plain is a table of text.
func plain(name string) *Table[string] {
	return &Table[string]{Name: name,
		Decode: func(_ string, row []byte) (*string, error) {
			text := string(row)
			return &text, nil
		},
		Append: func(buf []byte, row *string) []byte { return append(buf, *row...) }}
}

// set puts a text as a row; an empty one deletes it.
func set(ctx *Context, table *Table[string], key, text string) error {
	if text == "" {
		return table.Delete(ctx, key)
	}
	row, err := table.Edit(ctx, key)
	if err == nil {
		*row = text
	}
	return err
}

// mustOpen opens the store of a partition with so many tables.
func mustOpen(t testing.TB, path string, tables int) *store.Store {
	t.Helper()
	s, err := store.Open(path, tables)
	mustDo(t, err)
	return s
}

// rowsFrom makes rows of "key=row", and "key=" for one that is deleted.
func rowsFrom(texts ...string) []task.Row {
	rows := make([]task.Row, len(texts))
	for n, text := range texts {
		key, row, _ := strings.Cut(text, "=")
		rows[n].Key = key
		if row != "" {
			rows[n].Bytes = []byte(row)
		}
	}
	return rows
}

// commit takes rows of the only table as committed, up to an offset of its changelog.
func commit(t testing.TB, s *store.Store, offset int64, texts ...string) {
	t.Helper()
	mustDo(t, s.Commit([][]task.Row{rowsFrom(texts...)}, []int64{offset}))
}

func expectRow(t testing.TB, s *store.Store, table int, key, want string) {
	t.Helper()
	row, err := s.Get(table, key)
	mustDo(t, err)
	if string(row) != want {
		t.Errorf("%s of table %d is %q, want %q", key, table, row, want)
	}
}

func expectOffset(t testing.TB, s *store.Store, table int, want int64) {
	t.Helper()
	if got := s.Offset(table); got != want {
		t.Errorf("offset of table %d is %d, want %d", table, got, want)
	}
}

func expectRows(t testing.TB, s *store.Store, table int, want map[string]string) {
	t.Helper()
	rows := map[string]string{}
	mustDo(t, s.Each(table, func(key string, row []byte) error {
		rows[key] = string(row)
		return nil
	}))
	if diff := gocmp.Diff(want, rows); diff != "" {
		t.Errorf("rows of table %d (-want +got):\n%s", table, diff)
	}
}
