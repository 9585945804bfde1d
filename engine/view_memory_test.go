package engine

import (
	"fmt"
	"slices"
	"testing"
)

// noError ends the test with an error.
func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestEachWhileRowsChange: Each passes a row that stays exactly once, whatever its function writes
// and deletes, and no row that is deleted.
func TestEachWhileRowsChange(t *testing.T) {
	const rows = 3*eachChunk + 1
	m := newMemory()
	s := m.partition(0)
	key := func(n int) string { return fmt.Sprintf("%04d", n) }
	for n := range rows {
		noError(t, s.Set(key(n), []byte("old")))
	}
	counts, calls := map[string]int{}, 0
	noError(t, m.each(func(k string, row []byte) error {
		counts[k]++
		if calls++; calls == 1 { // every second of the others goes, the rest changes
			for n := range rows {
				switch {
				case key(n) == k:
				case n%2 == 0:
					noError(t, s.Delete(key(n)))
				default:
					noError(t, s.Set(key(n), []byte("new")))
				}
			}
			noError(t, s.Set("later", []byte("new")))
		}
		if calls > eachChunk && string(row) != "new" {
			t.Errorf("%s has the value %q, which was replaced before", k, row)
		}
		return nil
	}))
	for n := range rows {
		if counts[key(n)] > 1 || n%2 == 1 && counts[key(n)] != 1 {
			t.Errorf("%s came %d times", key(n), counts[key(n)])
		}
	}
	// The rows of the first portion were copied out before they were deleted.
	if counts["later"] != 0 || len(counts) > rows/2+eachChunk {
		t.Errorf("%d rows came, the new one %d times", len(counts), counts["later"])
	}
}

// TestRowsAreCopied: a row does not keep, or change with, the batch that it came in.
func TestRowsAreCopied(t *testing.T) {
	s := newMemory().partition(0)
	batch := []byte("row and more")
	noError(t, s.Set("a", batch[:3]))
	copy(batch, "xxx")
	row, err := s.Get("a")
	noError(t, err)
	if string(row) != "row" || cap(row) > 16 {
		t.Errorf("row is %q with room for %d bytes", row, cap(row))
	}
	noError(t, s.Set("empty", []byte{}))
	if has, err := s.Has("empty"); err != nil || !has {
		t.Errorf("an empty row is not there: %v", err)
	}
}

// TestOnChange: the function gets every change before it shows, with what the row was. To delete a
// row that is not there is no change.
func TestOnChange(t *testing.T) {
	m := newMemory()
	s := m.partition(0)
	var calls []string
	m.onChange = func(key string, old, row []byte) {
		calls = append(calls, fmt.Sprintf("%s %q %q", key, old, row))
		if shown := s.rows[key]; string(shown) != string(old) {
			t.Errorf("%s shows %q before it has changed from %q", key, shown, old)
		}
	}
	noError(t, s.Delete("a"))
	noError(t, s.Set("a", []byte("1")))
	noError(t, m.partition(1).Set("b", []byte{}))
	noError(t, s.Set("a", []byte("2")))
	noError(t, s.Delete("a"))
	want := []string{`a "" "1"`, `b "" ""`, `a "1" "2"`, `a "2" ""`}
	if !slices.Equal(calls, want) {
		t.Errorf("changes %q, want %q", calls, want)
	}
}
