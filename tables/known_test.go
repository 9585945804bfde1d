package tables_test

import (
	"testing"

	"chargestream"
	"chargestream/tables"
)

// TestKnown is from when a fact of minute 60 is known, by its arrival, and when what is missing
// beside it is missed (docs/decisions/0010, When a fact is known).
func TestKnown(t *testing.T) {
	const at = begin + hour
	for _, c := range []struct {
		arrival, late, known, orphan chargestream.Millis // after begin
	}{
		{hour, 0, 70 * minute, 70 * minute},
		{58 * minute, 0, 70 * minute, 70 * minute},
		{65 * minute, 0, 70 * minute, 75 * minute},
		{70 * minute, 0, 70 * minute, 80 * minute},
		{70*minute + 1, 75 * minute, 75 * minute, 80*minute + 1},
		{75 * minute, 75 * minute, 75 * minute, 85 * minute},
		{75*minute + 1, 90 * minute, 90 * minute, 85*minute + 1},
		{day, day, day, day + 10*minute},
	} {
		arrival := begin + c.arrival
		want := chargestream.Millis(0)
		if c.late != 0 {
			want = begin + c.late
		}
		if got := tables.LateMoment(at, arrival); got != want {
			t.Errorf("arrived at %s: late from %s, want %s", arrival, got, want)
		}
		if got := tables.KnownFrom(at, arrival); got != begin+c.known {
			t.Errorf("arrived at %s: known from %s, want %s", arrival, got, begin+c.known)
		}
		if got := tables.OrphanDue(at, arrival); got != begin+c.orphan {
			t.Errorf("arrived at %s: missed from %s, want %s", arrival, got, begin+c.orphan)
		}
	}
	for arrival, want := range map[chargestream.Millis]chargestream.Millis{0: day,
		day - 10*minute: day, day - 10*minute + 1: day + 1, 2 * day: 2*day + 10*minute} {
		if got := tables.OverdueAt(begin, begin+arrival); got != begin+want {
			t.Errorf("a start that arrived at %s: overdue at %s, want %s", begin+arrival, got,
				begin+want)
		}
	}
}

// TestClaimsOfOneRecord holds that a start that was reported with the end is known with it.
func TestClaimsOfOneRecord(t *testing.T) {
	row := rowsOf(t, recordOf("s", 0, 60)).Sessions["s"]
	if got := row.Starts[0].Known(); got != begin+70*minute {
		t.Errorf("the start is known from %s", got)
	}
	if got := row.Ends[0].Known(); got != begin+70*minute || row.Due() != got {
		t.Errorf("the end is known from %s, the session is due at %s", got, row.Due())
	}
	row = rowsOf(t, later(recordOf("s", 60, 0), 60)).Sessions["s"]
	if got := row.Ends[0].Known(); got != begin+70*minute {
		t.Errorf("an end before the start is known from %s", got)
	}
}

func TestSkewed(t *testing.T) {
	for ahead, want := range map[chargestream.Millis]bool{0: false, -hour: false,
		chargestream.SkewTolerance: false, chargestream.SkewTolerance + 1: true} {
		if got := tables.Skewed(begin+ahead, begin); got != want {
			t.Errorf("%d ms ahead: %v", ahead, got)
		}
	}
}
