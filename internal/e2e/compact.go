package e2e

import "bytes"

// Remaining is what of the records of a compacted topic's partition must be there, given what is:
// the newest record of each key, unless it is a tombstone with nothing before it, and of the older
// ones those that the broker has not removed.
func Remaining(want, got []Record) []Record {
	byKey := map[string][]*Record{}
	for i := range got {
		byKey[got[i].Key] = append(byKey[got[i].Key], &got[i])
	}
	places := map[string][]int{}
	for i := range want {
		places[want[i].Key] = append(places[want[i].Key], i)
	}
	kept := make([]bool, len(want))
	for key, at := range places {
		keep(want, at, byKey[key], kept)
	}
	var remaining []Record
	for i := range want {
		if kept[i] {
			remaining = append(remaining, want[i])
		}
	}
	return remaining
}

// keep marks, of the records of one key, the newest and those that are there. Compaction removes
// older records first, so what is there is aligned with the newest ones.
func keep(want []Record, at []int, got []*Record, kept []bool) {
	newest := at[len(at)-1]
	kept[newest] = want[newest].Value != nil || len(got) > 0
	for len(at) > 0 && len(got) > 0 && sameValue(&want[at[len(at)-1]], got[len(got)-1]) {
		kept[at[len(at)-1]] = true
		at, got = at[:len(at)-1], got[:len(got)-1]
	}
	for _, g := range got {
		for i, place := range at {
			if sameValue(&want[place], g) {
				kept[place] = true
				at = at[i+1:]
				break
			}
		}
	}
}

func sameValue(a, b *Record) bool {
	return (a.Value == nil) == (b.Value == nil) && bytes.Equal(a.Value, b.Value)
}
