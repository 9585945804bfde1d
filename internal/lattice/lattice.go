// Package lattice is what rows that merge are made of: registers, and lists that are sorted and
// bounded so that the order in which their elements came does not show.
package lattice

import "cmp"

// Least is how a register keeps the smaller of two values; the zero value is "unset".
func Least[T cmp.Ordered](a, b T) T {
	var unset T
	if a == unset || (b != unset && b < a) {
		return b
	}
	return a
}

// Insert adds v to a list that is sorted by compare, or merges it into the element that compares
// equal.
func Insert[T any](list []T, v T, compare func(a, b *T) int, merge func(into, from *T)) []T {
	for i := len(list) - 1; i >= 0; i-- {
		switch c := compare(&list[i], &v); {
		case c == 0:
			merge(&list[i], &v)
			return list
		case c < 0:
			return InsertAt(list, i+1, v)
		}
	}
	return InsertAt(list, 0, v)
}

// InsertAt puts v at a place of a list.
func InsertAt[T any](list []T, i int, v T) []T {
	var zero T
	list = append(list, zero)
	copy(list[i+1:], list[i:])
	list[i] = v
	return list
}

// Bound removes the last elements, in the order of prefer, of a list that is sorted in another
// one, until it holds no more than so many. Which ones are kept does not depend on the order in
// which they came.
func Bound[T any](list []T, most int, prefer func(a, b *T) int) []T {
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

// CompareOptional compares values that may be missing: what is missing goes first.
func CompareOptional[T cmp.Ordered](a, b *T) int {
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
