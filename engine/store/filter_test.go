package store

import (
	"fmt"
	"testing"
)

// TestFilter never denies a key that was added, in any table and however much it has grown, and
// seldom takes a key for one that was added.
func TestFilter(t *testing.T) {
	f := newFilter()
	const keys = 5 * filterFirstKeys
	for n := range keys {
		f.add(n%3, fmt.Sprint("key ", n))
	}
	if len(f.layers) < 2 {
		t.Fatal("the filter has not grown")
	}
	wrong := 0
	for n := range keys {
		if !f.has(f.hash(n%3, fmt.Sprint("key ", n))) {
			t.Fatalf("key %d was added and is denied", n)
		}
		if f.has(f.hash((n+1)%3, fmt.Sprint("key ", n))) {
			wrong++
		}
	}
	if wrong > keys/20 {
		t.Errorf("%d of %d keys are taken for others", wrong, keys)
	}
}

func BenchmarkFilter(b *testing.B) {
	f := newFilter()
	for n := range 100_000 {
		f.add(0, fmt.Sprint(n))
	}
	b.ReportAllocs()
	for b.Loop() {
		if f.has(f.hash(1, "DEPOT01-00001/DEPOT01-00001-0-123456")) && f.has(f.hash(1, "")) {
			b.Fatal("cannot be")
		}
	}
}
