package engine

import (
	"strings"

	"chargestream/engine/task"
)

// RowKey is the key of a row that lies in the partition of an input's key: that key, escaped, and a
// rest that distinguishes the rows of the key. A view of such rows is a NewRowView.
func RowKey(key, rest string) string {
	return task.EscapeKey(key) + string(task.KeyPrefix) + rest
}

// ParseRowKey reads what RowKey wrote; false for a text that is no such key.
func ParseRowKey(row string) (key, rest string, ok bool) {
	prefix, rest, ok := strings.Cut(row, string(task.KeyPrefix))
	return task.UnescapeKey(prefix), rest, ok
}
