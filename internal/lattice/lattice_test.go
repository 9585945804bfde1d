package lattice_test

import (
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"chargestream/internal/lattice"
)

// pair is an element of a list that is sorted by key. Of two with the same key the larger value
// stays.
type pair struct{ key, value int }

func compareKeys(a, b *pair) int { return cmp.Compare(a.key, b.key) }

func keepLarger(into, from *pair) { into.value = max(into.value, from.value) }

// preferValue prefers small values, and of the same values small keys.
func preferValue(a, b *pair) int {
	return cmp.Or(cmp.Compare(a.value, b.value), cmp.Compare(a.key, b.key))
}

func drawPairs(t *rapid.T) []pair {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) pair {
		return pair{rapid.IntRange(0, 9).Draw(t, "key"), rapid.IntRange(0, 9).Draw(t, "value")}
	}), 0, 20).Draw(t, "pairs")
}

func insertAll(list []pair) []pair {
	var sorted []pair
	for _, p := range list {
		sorted = lattice.Insert(sorted, p, compareKeys, keepLarger)
	}
	return sorted
}

// TestLeast holds that the zero value is unset, and that the register is a semilattice.
func TestLeast(t *testing.T) {
	for _, c := range []struct{ a, b, want int }{{0, 0, 0}, {0, 3, 3}, {3, 0, 3}, {3, 5, 3},
		{5, 3, 3}, {-1, 3, -1}, {-1, 0, -1}} {
		if got := lattice.Least(c.a, c.b); got != c.want {
			t.Errorf("least of %d and %d: %d, want %d", c.a, c.b, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		draw := rapid.IntRange(-2, 3)
		a, b, c := draw.Draw(t, "a"), draw.Draw(t, "b"), draw.Draw(t, "c")
		if lattice.Least(a, b) != lattice.Least(b, a) || lattice.Least(a, a) != a ||
			lattice.Least(lattice.Least(a, b), c) != lattice.Least(a, lattice.Least(b, c)) {
			t.Fatal("no semilattice")
		}
	})
}

// TestInsertInAnyOrder holds that a list is sorted, has each key once with the merge of its values,
// and does not show the order in which its elements came.
func TestInsertInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := drawPairs(t)
		want := map[int]int{}
		for _, p := range list {
			if value, ok := want[p.key]; !ok || p.value > value {
				want[p.key] = p.value
			}
		}
		got := insertAll(rapid.Permutation(slices.Concat(list, list)).Draw(t, "order"))
		if len(got) != len(want) {
			t.Fatalf("%v, want %v", got, want)
		}
		for i, p := range got {
			if value, ok := want[p.key]; !ok || value != p.value || i > 0 && got[i-1].key >= p.key {
				t.Fatalf("%v, want %v", got, want)
			}
		}
	})
}

// TestInsertAt holds that the elements around the new one keep their places.
func TestInsertAt(t *testing.T) {
	for i := range 4 {
		list := make([]int, 0, 8) // with room, so that elements are moved in place
		list = append(list, 1, 2, 3)
		want := slices.Insert([]int{1, 2, 3}, i, 9)
		if got := lattice.InsertAt(list, i, 9); !slices.Equal(got, want) {
			t.Errorf("at %d: %v, want %v", i, got, want)
		}
	}
}

// TestBoundKeepsThePreferred holds that the elements that are preferred stay, in their order, and
// that it makes no difference whether a list is cut once or after each element, in any order.
func TestBoundKeepsThePreferred(t *testing.T) {
	const most = 4
	rapid.Check(t, func(t *rapid.T) {
		// The first of a key wins, so that an element that was cut off does not come back larger.
		var list []pair
		for _, p := range drawPairs(t) {
			if !slices.ContainsFunc(list, func(q pair) bool { return q.key == p.key }) {
				list = append(list, p)
			}
		}
		once := lattice.Bound(insertAll(list), most, preferValue)
		want := slices.Clone(list)
		slices.SortFunc(want, func(a, b pair) int { return preferValue(&a, &b) })
		want = want[:min(len(want), most)]
		slices.SortFunc(want, func(a, b pair) int { return compareKeys(&a, &b) })
		if !slices.Equal(once, want) {
			t.Fatalf("%v, want %v", once, want)
		}
		var each []pair
		for _, p := range rapid.Permutation(slices.Concat(list, list)).Draw(t, "order") {
			each = lattice.Insert(each, p, compareKeys, keepLarger)
			each = lattice.Bound(each, most, preferValue)
		}
		if !slices.Equal(each, once) {
			t.Fatalf("one by one %v, at once %v", each, once)
		}
	})
}

func TestCompareOptional(t *testing.T) {
	one, same, two := 1, 1, 2
	for _, c := range []struct {
		a, b *int
		want int
	}{{nil, nil, 0}, {nil, &one, -1}, {&one, nil, 1}, {&one, &same, 0}, {&one, &two, -1},
		{&two, &one, 1}} {
		if got := lattice.CompareOptional(c.a, c.b); got != c.want {
			t.Errorf("%v and %v: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
