package store

import (
	"fmt"
	"strings"
	"testing"

	"chargestream/internal/seeded"
)

// cached is a row cache with a plain map of what it took last.
type cached struct {
	*rowCache
	rows map[string]string
}

func (c *cached) take(hash uint64, table int, key, row string, there bool) {
	var bytes []byte
	if there {
		bytes = append(make([]byte, 0, 1), row...)
	}
	c.put(hash, table, key, bytes)
	c.rows[fmt.Sprint(table, key)] = fmt.Sprint(row, there)
}

// TestRowCacheNeverLies puts rows at random, of few hashes so that keys collide: what it knows of a
// key is what it took last.
func TestRowCacheNeverLies(t *testing.T) {
	r := seeded.Rand(t)
	c := &cached{newRowCache(), map[string]string{}}
	c.bytesMax = 1000
	known := 0
	for range 20_000 {
		n, table := r.IntN(30), r.IntN(2)
		key, hash := fmt.Sprint("key ", n), uint64(n%20)+uint64(table)<<32
		switch r.IntN(9) {
		case 0, 1, 2:
			row := strings.Repeat(fmt.Sprint(r.IntN(1000)), r.IntN(20))
			c.take(hash, table, key, row, r.IntN(4) > 0 || row != "")
		case 3:
			c.take(hash, table, key, strings.Repeat("x", cachedRowMax), true)
		}
		row, ok := c.get(hash, table, key)
		if !ok {
			continue
		}
		known++
		if got := fmt.Sprint(string(row), row != nil); got != c.rows[fmt.Sprint(table, key)] {
			t.Fatalf("%q is %s, and was %s", key, got, c.rows[fmt.Sprint(table, key)])
		}
	}
	if known < 5000 {
		t.Errorf("%d of 20000 were known", known)
	}
}

// TestRowCacheIsBounded: however many rows it takes, it holds those that were in use last, in no
// more than its room and a chunk of each generation.
func TestRowCacheIsBounded(t *testing.T) {
	c := newRowCache()
	c.bytesMax = 4 * chunkBytes
	row := make([]byte, 100)
	for n := range 200_000 {
		c.put(uint64(n), 0, fmt.Sprint(n), row)
		if held, ok := c.get(0, 0, "0"); !ok || len(held) != len(row) {
			t.Fatalf("a row that is read each time is gone after %d others", n)
		}
	}
	if n := len(c.young.chunks) + len(c.old.chunks); n > 2*5 || n < 5 {
		t.Errorf("%d chunks", n)
	}
	if _, ok := c.get(200_000-1, 0, fmt.Sprint(200_000-1)); !ok {
		t.Error("the newest row is gone")
	}
	if _, ok := c.get(2, 0, "2"); ok {
		t.Error("the oldest row is there")
	}
}
