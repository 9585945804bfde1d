package engine_test

import (
	"testing"

	"chargestream/internal/engine"
)

// TestArrivalFarAhead: a header from a clock that is years ahead must not move stream time there.
func TestArrivalFarAhead(t *testing.T) {
	const now = 1_790_000_000_000
	header := func(text string) []engine.Header {
		return []engine.Header{{Key: engine.HeaderArrival, Value: []byte(text)}}
	}
	for text, want := range map[string]int64{
		"2099-01-01T00:00:00Z":        now,               // far ahead
		"2026-09-22T00:00:00Z":        1_790_035_200_000, // ten hours ahead
		"2017-04-01T00:00:00.5+02:00": 1_490_997_600_500, // history
		"yesterday":                   now,
	} {
		if got := engine.ArrivalOf(header(text), now); got != want {
			t.Errorf("%s: arrival %d, want %d", text, got, want)
		}
	}
	if got := engine.ArrivalOf(header("2099-01-01T00:00:00Z"), 0); got == 0 {
		t.Error("a record without a timestamp has no other time than its header")
	}
}
