// Package tables is the rows and how they fold: pure functions from a row and an event to the
// row moved, and what must be told.
//
// Every row is a join-semilattice: a merge is idempotent, commutative and associative. So any
// order of the same events, any duplicate and any split of the work gives the same bytes, and a
// replay from offset zero equals the live table. Every derived record (an invoice, a window, an
// anomaly) is a pure function of one row and of reference data picked by event time.
//
// The package refuses to know what a broker, a clock, a disk or a log is. Time comes in as an
// argument: event time and arrival time with every event, stream time with every firing.
package tables

import "cmp"

// least is how a register keeps the smaller of two values; the zero value is "unset".
func least[T cmp.Ordered](a, b T) T {
	var unset T
	if a == unset || (b != unset && b < a) {
		return b
	}
	return a
}

// insertSorted puts v into a list that is sorted by compare, or merges it into the element that
// compares equal.
func insertSorted[T any](list []T, v T, compare func(a, b *T) int, merge func(into, from *T)) []T {
	for i := len(list) - 1; i >= 0; i-- {
		switch c := compare(&list[i], &v); {
		case c == 0:
			merge(&list[i], &v)
			return list
		case c < 0:
			return insertAt(list, i+1, v)
		}
	}
	return insertAt(list, 0, v)
}

func insertAt[T any](list []T, i int, v T) []T {
	var zero T
	list = append(list, zero)
	copy(list[i+1:], list[i:])
	list[i] = v
	return list
}

// bound removes the last elements, in the order of prefer, of a list that is sorted in another one,
// until it holds no more than so many. Which ones are kept does not hang on the order in which they
// came.
func bound[T any](list []T, most int, prefer func(a, b *T) int) []T {
	for len(list) > most {
		worst := 0
		for i := range list {
			if prefer(&list[i], &list[worst]) > 0 {
				worst = i
			}
		}
		list = append(list[:worst], list[worst+1:]...)
	}
	return list
}

func compareOptional[T cmp.Ordered](a, b *T) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return cmp.Compare(*a, *b)
}
