package tables_test

import (
	"testing"

	"pgregory.net/rapid"

	"chargestream"
	"chargestream/tables"
)

// TestPartsAddUpToTheWindow holds it for random rows.
func TestPartsAddUpToTheWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		row := drawHour(t)
		before := row.Append(nil)
		u := row.Utilization(hourKey)
		sum := u.Available + u.Reserved + u.Occupied + u.Unavailable + u.Faulted + u.Unknown
		if sum != 3600 {
			t.Fatalf("%d s in %+v of %+v", sum, u, row)
		}
		if min(u.Available, u.Reserved, u.Charging, u.Unavailable, u.Faulted, u.Unknown) < 0 {
			t.Fatalf("a negative part in %+v of %+v", u, row)
		}
		if u.Occupied < u.Charging {
			t.Fatalf("charging more than occupied in %+v of %+v", u, row)
		}
		if u.WindowEnd-u.WindowStart != chargestream.Hour || u.Revision < 1 ||
			u.Final != row.Closed {
			t.Fatalf("%+v", u)
		}
		if u != row.Utilization(hourKey) || string(before) != string(row.Append(nil)) {
			t.Fatal("the row has changed by being read")
		}
	})
}

// seconds are the parts of a window, in the order of the states.
type seconds struct{ unknown, available, reserved, occupied, charging, unavailable, faulted int64 }

func secondsOf(u chargestream.Utilization) seconds {
	return seconds{u.Unknown, u.Available, u.Reserved, u.Occupied, u.Charging, u.Unavailable,
		u.Faulted}
}

// TestSecondsOfAWindow is what single reports, sessions and samples make of a window.
func TestSecondsOfAWindow(t *testing.T) {
	at := func(m chargestream.Millis) chargestream.Millis { return begin + m*minute }
	turn := func(m chargestream.Millis, state chargestream.State,
		activity chargestream.Activity) tables.Transition {
		return tables.Transition{At: at(m), Arrival: at(m), State: state,
			Activity: activity}
	}
	free := turn(-30, chargestream.StateAvailable, 0)
	charging := turn(10, chargestream.StateOccupied, chargestream.ActivityCharging)
	idle := turn(30, chargestream.StateOccupied, chargestream.ActivityIdle)
	ran := func(from, to chargestream.Millis) []tables.HourSession {
		return []tables.HourSession{{ID: "s", From: at(from), To: at(to)}}
	}
	for _, c := range []struct {
		name string
		row  tables.Hour
		want seconds
	}{
		{"nothing", tables.Hour{}, seconds{unknown: 3600}},
		{"from before, and to the end", tables.Hour{Opening: free, CoversEnd: true},
			seconds{available: 3600}},
		{"from before, and not seen again", tables.Hour{Opening: free}, seconds{unknown: 3600}},
		{"from before, and seen until a report",
			tables.Hour{Opening: free, Transitions: []tables.Transition{idle}},
			seconds{available: 1800, unknown: 1800}},
		{"from before, and seen until a sample",
			tables.Hour{Opening: free,
				Quarters: []tables.Quarter{{Start: at(15), Sampled: 1 << 5}}},
			seconds{available: 1200, unknown: 2400}},
		{"reports", tables.Hour{Opening: free, CoversEnd: true,
			Transitions: []tables.Transition{charging, idle}},
			seconds{available: 600, occupied: 3000, charging: 1200}},
		{"the meter goes before the status", tables.Hour{CoversEnd: true,
			Transitions: []tables.Transition{charging, idle},
			Quarters:    []tables.Quarter{{Start: at(15), Sampled: 0x7fff, Charging: 0x0fff}}},
			seconds{unknown: 600, occupied: 3000, charging: 300 + 12*60}},
		{"a sample counts for a quarter hour", tables.Hour{CoversEnd: true,
			Transitions: []tables.Transition{turn(0, chargestream.StateOccupied, 0)},
			Quarters:    []tables.Quarter{{Start: at(15), Sampled: 1, Charging: 1}}},
			seconds{occupied: 3600, charging: 900}},
		{"a session where no status is", tables.Hour{Sessions: ran(-5, 20)},
			seconds{occupied: 1200, unknown: 2400}},
		{"a session goes before free", tables.Hour{Opening: free, CoversEnd: true,
			Sessions: ran(20, 90)}, seconds{available: 1200, occupied: 2400}},
		{"a session does not hide a fault", tables.Hour{CoversEnd: true, Sessions: ran(0, 60),
			Opening: turn(-1, chargestream.StateFaulted, 0)}, seconds{faulted: 3600}},
		{"a session of no length", tables.Hour{Opening: free, CoversEnd: true, Sessions: ran(5, 5)},
			seconds{available: 3600}},
		{"out of service, then reserved", tables.Hour{CoversEnd: true,
			Transitions: []tables.Transition{turn(0, chargestream.StateUnavailable, 0),
				turn(45, chargestream.StateReserved, 0)}},
			seconds{unavailable: 2700, reserved: 900}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := secondsOf(c.row.Utilization(hourKey)); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

// TestRevisionCountsLateArrivals holds that each late arrival is a revision of its own, up to a
// bound.
func TestRevisionCountsLateArrivals(t *testing.T) {
	row := tables.Hour{Opening: tables.Transition{At: begin - 1,
		State: chargestream.StateAvailable}}
	closing := hourKey.End() + chargestream.Grace
	for late := range chargestream.Millis(20) {
		if got, want := row.Utilization(hourKey).Revision, int(min(1+late, 9)); got != want {
			t.Errorf("revision %d after %d late reports, want %d", got, late, want)
		}
		row.Transitions = append(row.Transitions, tables.Transition{At: begin + late,
			Arrival: closing + 1 + late, State: chargestream.StateFaulted})
	}
	onTime := tables.Hour{Transitions: []tables.Transition{{At: begin, Arrival: closing, State: 1}}}
	if got := onTime.Utilization(hourKey).Revision; got != 1 {
		t.Errorf("revision %d of a report within the grace", got)
	}
}

func TestHourIsDueUntilItIsClosed(t *testing.T) {
	row := &tables.Hour{}
	if due := row.Due(hourKey); due != hourKey.End()+chargestream.Grace {
		t.Errorf("due at %s", due)
	}
	row.Closed = true
	if due := row.Due(hourKey); due != 0 {
		t.Errorf("closed, and due at %s", due)
	}
}
