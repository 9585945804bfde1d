package engine

import (
	"chargestream/engine/task"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// progressKey is the key of the changelog record that every commit writes: the layout of the tables
// and the positions of the inputs. So the table itself records which input it contains, and the
// group's offsets are compared with it. It also keeps a transaction from being empty: the client
// does not end one that has nothing but offsets.
const progressKey = task.ReservedPrefix + "progress"

// layoutLine begins the line of a progress record that has the layout of the tables. No topic can
// have that name.
const layoutLine = "#layout"

// progressOf encodes the layout of the tables and the positions of the inputs of a partition:
// topic, space, next offset, newline.
func progressOf(layout int, next map[string]int64) []byte {
	text := fmt.Appendf(nil, "%s %d\n", layoutLine, layout)
	for _, topic := range slices.Sorted(maps.Keys(next)) {
		text = fmt.Appendf(text, "%s %d\n", topic, next[topic])
	}
	return text
}

// parseProgress decodes what progressOf encoded.
func parseProgress(text []byte) (layout int, next map[string]int64, err error) {
	next = map[string]int64{}
	for line := range strings.Lines(string(text)) {
		topic, number, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		offset, err := strconv.ParseInt(number, 10, 64)
		if err == nil && topic == "" {
			err = errors.New("no topic")
		}
		if err != nil {
			return 0, nil, fmt.Errorf("progress record %q: %w", text, err)
		}
		if topic == layoutLine {
			layout = int(offset)
			continue
		}
		next[topic] = offset
	}
	return layout, next, nil
}
