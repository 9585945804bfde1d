package task_test

import (
	"testing"

	"chargestream/engine/task"
)

// TestArrivalFarAhead: a header from a clock that is years ahead must not move stream time there.
func TestArrivalFarAhead(t *testing.T) {
	const now = 1_790_000_000_000
	header := func(text string) []task.Header {
		return []task.Header{{Key: task.HeaderArrival, Value: []byte(text)}}
	}
	for text, want := range map[string]int64{
		"2099-01-01T00:00:00Z":        now,               // far ahead
		"2026-09-22T00:00:00Z":        1_790_035_200_000, // ten hours ahead
		"2017-04-01T00:00:00.5+02:00": 1_490_997_600_500, // history
		"yesterday":                   now,
	} {
		if got := task.ArrivalOf(header(text), now); got != want {
			t.Errorf("%s: arrival %d, want %d", text, got, want)
		}
	}
	if got := task.ArrivalOf(header("2099-01-01T00:00:00Z"), 0); got == 0 {
		t.Error("a record without a timestamp has no other time than its header")
	}
}
