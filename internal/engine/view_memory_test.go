package engine

import (
	"fmt"
	"testing"
)

// noError ends the test with an error.
func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestEachWhileRowsChange: what is there all the time is told once, whatever is written and deleted
// by who is told; what is deleted is told no more.
func TestEachWhileRowsChange(t *testing.T) {
	const rows = 3*eachChunk + 1
	m := newMemory()
	s := m.partition(0)
	key := func(n int) string { return fmt.Sprintf("%04d", n) }
	for n := range rows {
		noError(t, s.Set(key(n), []byte("old")))
	}
	told, calls := map[string]int{}, 0
	noError(t, m.each(func(k string, row []byte) error {
		told[k]++
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
		if told[key(n)] > 1 || n%2 == 1 && told[key(n)] != 1 {
			t.Errorf("%s was told %d times", key(n), told[key(n)])
		}
	}
	// The rows of the first portion were copied out before they were deleted.
	if told["later"] != 0 || len(told) > rows/2+eachChunk {
		t.Errorf("%d rows were told, the new one %d times", len(told), told["later"])
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
