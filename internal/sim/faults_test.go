package sim_test

import (
	"testing"

	"chargestream"
	"chargestream/internal/sim"
)

const always = chargestream.Permille(1000)

func world(t *testing.T, faults sim.Faults) []sim.Record {
	t.Helper()
	cfg := sim.Config{Seed: seed(t), Faults: faults}
	return until(sim.New(cfg), 2*chargestream.Day)
}

func TestDuplicate(t *testing.T) {
	times := map[chargestream.Event]int{}
	records := world(t, sim.Faults{Duplicate: always})
	horizon := records[len(records)-1].Arrival - 2*chargestream.Minute
	for _, r := range records {
		times[r.Event]++
	}
	for e, n := range times {
		_, beat := e.(*chargestream.Heartbeat)
		if beat && n != 1 || !beat && n != 2 && e.At() < horizon {
			t.Fatalf("%d times: %+v", n, e)
		}
	}
}

func TestDelayed(t *testing.T) {
	late, behind := 0, 0
	heard := map[chargestream.StationID]chargestream.Millis{}
	records := world(t, sim.Faults{Delayed: 20})
	for _, r := range records {
		at, id := r.Event.At(), r.Event.Station()
		if delay := r.Arrival - at; delay > 3*chargestream.Second {
			late++
			if delay < 46*chargestream.Second || delay > 51493*chargestream.Second {
				t.Fatalf("late by %d ms", delay)
			}
		}
		if at < heard[id] {
			behind++
		}
		heard[id] = max(heard[id], at)
	}
	t.Logf("%d of %d late, %d out of order", late, len(records), behind)
	if late < len(records)*10/1000 || late > len(records)*25/1000 || behind == 0 {
		t.Error("not the rate that was asked for")
	}
}

func TestMissingEnd(t *testing.T) {
	for _, r := range world(t, sim.Faults{MissingEnd: always}) {
		if e, ok := r.Event.(*chargestream.SessionEnd); ok {
			t.Fatalf("%+v", e)
		}
	}
}

func TestMeterRegression(t *testing.T) {
	finished := 0
	for id, c := range follow(world(t, sim.Faults{MeterRegression: always})) {
		if c.end == nil {
			continue
		}
		finished++
		back, register := 0, *c.start.Meter
		for _, m := range c.samples {
			if *m.Energy < register {
				back++
			}
			register = *m.Energy
		}
		if back != 1 || *c.end.Meter < *c.start.Meter {
			t.Fatalf("%s: %d times back, %d to %d Wh", id, back, *c.start.Meter, *c.end.Meter)
		}
	}
	if finished == 0 {
		t.Error("no session")
	}
}

func TestDuplicateSession(t *testing.T) {
	clean := follow(world(t, sim.Faults{}))
	again := follow(world(t, sim.Faults{DuplicateSession: always}))
	found := 0
	for id, c := range again {
		if clean[id] != nil {
			continue
		}
		first := again[id[:len(id)-len("-r")]]
		if first == nil || c.end == nil {
			continue // its end is beyond the two days
		}
		found++
		if c.start.Time != first.start.Time || *c.start.Meter != *first.start.Meter ||
			c.end.Time != first.end.Time || c.start.UserID != first.start.UserID {
			t.Fatalf("%+v is not %+v again", c, first)
		}
		if delay := c.arrived[0] - c.end.Time; delay < 2*chargestream.Minute ||
			delay > 6*chargestream.Hour {
			t.Fatalf("%s again after %d ms", id, delay)
		}
	}
	t.Logf("%d of %d sessions came again", found, len(clean))
	if found < len(clean)/2 {
		t.Error("too few")
	}
}

func TestOverlap(t *testing.T) {
	clean := follow(world(t, sim.Faults{}))
	byOutlet := map[outlet][]*course{}
	ghosts := 0
	all := follow(world(t, sim.Faults{Overlap: always}))
	for id, c := range all {
		if clean[id] != nil {
			at := outlet{c.start.StationID, c.start.ConnectorID}
			byOutlet[at] = append(byOutlet[at], c)
		}
	}
	for id, c := range all {
		if clean[id] != nil {
			continue
		}
		ghosts++
		within := 0
		for _, real := range byOutlet[outlet{c.start.StationID, c.start.ConnectorID}] {
			if real.start.Time < c.start.Time && c.start.UserID != real.start.UserID &&
				(real.end == nil || real.end.Time > c.start.Time) &&
				(real.end == nil || c.end == nil || real.end.Time == c.end.Time) {
				within++
			}
		}
		if within != 1 {
			t.Fatalf("%s lies within %d sessions", id, within)
		}
	}
	t.Logf("%d overlaps in %d sessions", ghosts, len(clean))
	if ghosts < len(clean)/2 {
		t.Error("too few")
	}
}

// Faults do not change what happens: the sessions are the same with and without them.
func TestFaultsLeaveTheWorldAlone(t *testing.T) {
	clean := follow(world(t, sim.Faults{}))
	shaken := follow(world(t, sim.DefaultFaults()))
	for id, c := range clean {
		if c.end == nil || shaken[id] == nil || shaken[id].start == nil {
			continue // open, or its start is still on the way
		}
		if *shaken[id].start.Meter != *c.start.Meter || shaken[id].start.Time != c.start.Time {
			t.Fatalf("%s: %+v became %+v", id, c.start, shaken[id].start)
		}
	}
}
