//go:build linux

package main

import (
	"slices"
	"time"
)

// arrival is when the reader got an output, and who had folded it.
type arrival struct {
	at    time.Duration
	owner byte
}

// gapIn is the longest time without an arrival that begins in a window or reaches into it. Where
// nothing follows, it lasts to the end of the window.
func gapIn(list []arrival, from, to time.Duration) time.Duration {
	last := from
	var longest time.Duration
	for _, a := range list {
		if a.at <= from {
			last = a.at
			continue
		}
		longest = max(longest, a.at-last)
		last = a.at
		if a.at >= to {
			return longest
		}
	}
	return max(longest, to-last)
}

// gapSince is gapIn as if the partition had had an arrival just when the window began: what lay
// before it is not counted.
func gapSince(list []arrival, from, to time.Duration) time.Duration {
	later, _ := slices.BinarySearchFunc(list, from, byTime)
	return gapIn(list[later:], from, to)
}

func byTime(a arrival, at time.Duration) int { return int(a.at - at) }

// ownersIn are the owner before a window, and the one at its end; stayed tells that it was the
// same all the time.
func ownersIn(list []arrival, from, to time.Duration) (before, after byte, stayed bool) {
	stayed = true
	for _, a := range list {
		if a.at > to {
			break
		}
		if a.at <= from {
			before = a.owner
		}
		if a.at > from && a.owner != before {
			stayed = false
		}
		after = a.owner
	}
	return before, after, stayed
}

// spread is what one event did to the partitions of one kind.
type spread struct {
	Partitions  int
	Longest     time.Duration
	Median      time.Duration
	longestEach []time.Duration
}

func (s *spread) add(gap time.Duration) {
	s.longestEach = append(s.longestEach, gap)
	slices.Sort(s.longestEach)
	s.Partitions = len(s.longestEach)
	s.Longest = s.longestEach[s.Partitions-1]
	s.Median = s.longestEach[s.Partitions/2]
}
