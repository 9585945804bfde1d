package hanging

import (
	"math"
	"unicode/utf16"
)

// OffsetsTopic is the topic of groups' offsets. A transaction that hangs there hides a group's
// offsets from its members.
const OffsetsTopic = "__consumer_offsets"

// OffsetsOf is the partition of the topic of groups' offsets that a group has, of so many.
func OffsetsOf(group string, partitions int) int32 {
	var hash int32 // Java's String.hashCode
	for _, unit := range utf16.Encode([]rune(group)) {
		hash = 31*hash + int32(unit)
	}
	if hash == math.MinInt32 {
		return 0
	}
	return max(hash, -hash) % int32(partitions)
}
