package sim_test

import (
	"testing"

	"chargestream"
	"chargestream/internal/sim"
)

const mWsPerWh = 3_600_000

// checkCourse checks one finished session and gives the energy that its samples add up to.
func checkCourse(t *testing.T, c *course, every chargestream.Millis) chargestream.WattHours {
	t.Helper()
	id := c.start.SessionID
	if c.start.Time >= c.end.Time || c.arrived[0] > c.arrived[1] || len(c.arrived) != 2 {
		t.Fatalf("%s: start %v, end %v, arrivals %v", id, c.start.Time, c.end.Time, c.arrived)
	}
	time, register, flowed := c.start.Time, *c.start.Meter, int64(0)
	for _, m := range c.samples {
		gap := m.Time - time
		flowed += int64(*m.Power) * int64(gap)
		if gap > every || *m.Energy < register || *m.Power < 0 {
			t.Fatalf("%s: %+v, %d Wh after %d ms at %d Wh", id, m, *m.Energy, gap, register)
		}
		time, register = m.Time, *m.Energy
	}
	if time != c.end.Time || register != *c.end.Meter {
		t.Fatalf("%s: last sample %v %d Wh, end %v %d Wh",
			id, time, register, c.end.Time, *c.end.Meter)
	}
	// What an earlier session left below one Wh may carry this one over it.
	delta := *c.end.Meter - *c.start.Meter
	if sum := chargestream.WattHours(flowed / mWsPerWh); delta != sum && delta != sum+1 {
		t.Fatalf("%s: power adds up to %d Wh, the register to %d Wh", id, sum, delta)
	}
	return delta
}

func TestEnergyIsPowerIsRegister(t *testing.T) {
	for _, every := range []chargestream.Millis{
		30 * chargestream.Second, chargestream.Quarter, 7777} {
		w := sim.New(sim.Config{Seed: seed(t), MeterEvery: every, DepotConnectors: 62})
		courses := follow(until(w, chargestream.Day+chargestream.Hour))
		sums := map[outlet]chargestream.WattHours{}
		low, high := map[outlet]chargestream.WattHours{}, map[outlet]chargestream.WattHours{}
		finished := 0
		for _, c := range courses {
			if c.end == nil {
				continue
			}
			finished++
			at := outlet{c.start.StationID, c.start.ConnectorID}
			sums[at] += checkCourse(t, c, every)
			high[at] = max(high[at], *c.end.Meter)
			if first, ok := low[at]; !ok || *c.start.Meter < first {
				low[at] = *c.start.Meter
			}
		}
		for at, sum := range sums {
			if sum != high[at]-low[at] {
				t.Errorf("%v: sessions %d Wh, register %d Wh", at, sum, high[at]-low[at])
			}
		}
		t.Logf("every %d ms: %d sessions finished", every, finished)
		if finished < 150 {
			t.Errorf("only %d sessions", finished)
		}
	}
}

// follows is which status may come after which.
var follows = map[string][]string{
	"":            {"Available"},
	"Available":   {"Preparing"},
	"Preparing":   {"Charging", "SuspendedEV"},
	"Charging":    {"SuspendedEV", "Finishing"},
	"SuspendedEV": {"Finishing"},
	"Finishing":   {"Available", "Faulted", "Unavailable"},
	"Faulted":     {"Available"},
	"Unavailable": {"Available"},
}

func TestStatusFollowsSession(t *testing.T) {
	status, seen := map[outlet]string{}, map[string]int{}
	open := map[outlet]chargestream.SessionID{}
	user := map[chargestream.UserID]chargestream.SessionID{}
	w := sim.New(sim.Config{Seed: seed(t), CityStations: 200, MeterEvery: chargestream.Quarter})
	for _, r := range until(w, 5*chargestream.Day) {
		switch e := r.Event.(type) {
		case *chargestream.StatusReport:
			at := outlet{e.StationID, e.ConnectorID}
			found := false
			for _, word := range follows[status[at]] {
				found = found || word == e.Status
			}
			if !found || (e.ErrorCode != "") != (e.Status == "Faulted") {
				t.Fatalf("%+v after %q", e, status[at])
			}
			if charging := e.Status == "Charging"; charging && open[at] == "" {
				t.Fatalf("%v charges without a session", at)
			}
			status[at] = e.Status
			seen[e.Status]++
		case *chargestream.SessionStart:
			at := outlet{e.StationID, e.ConnectorID}
			if open[at] != "" || status[at] != "Preparing" {
				t.Fatalf("%+v while %s, session %q", e, status[at], open[at])
			}
			if other := user[e.UserID]; e.UserID[0] == 'f' && other != "" {
				t.Fatalf("card %s in %s and %s", e.UserID, e.SessionID, other)
			}
			open[at], user[e.UserID] = e.SessionID, e.SessionID
		case *chargestream.SessionEnd:
			at := outlet{e.StationID, e.ConnectorID}
			if open[at] != e.SessionID || e.Reason == "" {
				t.Fatalf("%+v while %q is open", e, open[at])
			}
			delete(open, at)
			delete(user, e.UserID)
		}
	}
	t.Log(seen)
	for word := range follows {
		if word != "" && seen[word] == 0 {
			t.Errorf("no connector was ever %s", word)
		}
	}
}

// A DC session tells its state of charge, which grows with the register; AC has none. No
// connector gives more than its power.
func TestPowerAndCharge(t *testing.T) {
	w := sim.New(sim.Config{Seed: seed(t)})
	rated, dc := map[outlet]chargestream.Watts{}, map[outlet]bool{}
	for _, s := range w.Stations() {
		for _, c := range s.Connectors {
			at := outlet{s.StationID, c.ConnectorID}
			rated[at], dc[at] = c.MaxPower, c.Type != "IEC_62196_T2"
		}
	}
	charge, samples := map[chargestream.SessionID]chargestream.Permille{}, 0
	for _, r := range until(w, chargestream.Day) {
		m, ok := r.Event.(*chargestream.MeterValue)
		if !ok {
			continue
		}
		at := outlet{m.StationID, m.ConnectorID}
		if *m.Power > rated[at] || (m.SoC != nil) != dc[at] {
			t.Fatalf("%v of %d W: %d W, state of charge %v", at, rated[at], *m.Power, m.SoC)
		}
		if m.SoC == nil {
			continue
		}
		samples++
		if *m.SoC < charge[m.SessionID] || *m.SoC > 1000 {
			t.Fatalf("%s: %d after %d", m.SessionID, *m.SoC, charge[m.SessionID])
		}
		charge[m.SessionID] = *m.SoC
	}
	if samples == 0 {
		t.Error("no DC sample")
	}
}
