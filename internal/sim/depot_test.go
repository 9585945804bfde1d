package sim_test

import (
	"slices"
	"testing"

	"chargestream"
	"chargestream/internal/sim"
)

// busiest is the largest number of times within a span that may begin anywhere.
func busiest(times []chargestream.Millis, span chargestream.Millis) int {
	most, first := 0, 0
	for i, at := range times {
		for times[first] <= at-span {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// plugIns gives the times at which cars plugged in, by the day in winter time, over this many days.
func plugIns(cfg sim.Config, days int) map[chargestream.Millis][]chargestream.Millis {
	cfg.CityStations, cfg.MeterEvery, cfg.HeartbeatEvery = -1, chargestream.Hour, chargestream.Day
	byDay := map[chargestream.Millis][]chargestream.Millis{}
	for _, r := range until(sim.New(cfg), chargestream.Millis(days)*chargestream.Day) {
		if s, ok := r.Event.(*chargestream.StatusReport); ok && s.Status == "Preparing" {
			day := (s.Time + chargestream.Hour).Truncate(chargestream.Day)
			byDay[day] = append(byDay[day], s.Time)
		}
	}
	return byDay
}

// median is the middle of the values, which it sorts.
func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// The bands are some three times the standard error of a median of 60 days, which is 1.7 points.
func TestPeakHourShare(t *testing.T) {
	for _, connectors := range []int{31, 310} {
		byDay := plugIns(sim.Config{Seed: seed(t), DepotConnectors: connectors}, 84)
		var hours, halves []float64
		cars := 0
		for _, times := range byDay {
			if len(times) < 20 { // the source leaves such days out
				continue
			}
			n := float64(len(times))
			cars += len(times)
			hours = append(hours, float64(busiest(times, chargestream.Hour))/n)
			halves = append(halves, float64(busiest(times, chargestream.Hour/2))/n)
		}
		if len(hours) < 55 || len(hours) > 60 {
			t.Fatalf("%d weekdays of 60", len(hours))
		}
		hour, half := median(hours), median(halves)
		p90 := hours[len(hours)*9/10]
		t.Logf("%d connectors, %d weekdays, %.2f cars a connector and day: busiest hour %.1f %% "+
			"(source 39.5 %%, band 34 to 45), p90 day %.1f %% (source 50), busiest 30 minutes "+
			"%.1f %% (source 25.8, band 21 to 31)", connectors, len(hours),
			float64(cars)/float64(len(hours)*connectors), hour*100, p90*100, half*100)
		if hour < 0.34 || hour > 0.45 || half < 0.21 || half > 0.31 || p90 < 0.43 || p90 > 0.58 {
			t.Error("outside its band")
		}
	}
}

func TestNoCarAtWeekends(t *testing.T) {
	for day := range plugIns(sim.Config{Seed: seed(t)}, 26) {
		if weekday := day.Time().Weekday(); weekday == 0 || weekday == 6 {
			t.Errorf("cars on %v, a %v", day, weekday)
		}
	}
}

func TestBurst(t *testing.T) {
	const connectors, span = 200, 10 * chargestream.Minute
	cfg := sim.Config{Seed: seed(t), DepotConnectors: connectors, Span: span}
	records := sim.Burst(cfg)
	plugged, started, samples := map[outlet]bool{}, 0, 0
	for _, r := range records {
		switch e := r.Event.(type) {
		case *chargestream.StatusReport:
			if e.Status == "Preparing" {
				plugged[outlet{e.StationID, e.ConnectorID}] = true
				if e.Time > sim.DefaultStart+chargestream.Minute {
					t.Errorf("plugged in at %v", e.Time)
				}
			}
		case *chargestream.SessionStart:
			started++
		case *chargestream.SessionEnd:
			t.Errorf("ended: %+v", e)
		case *chargestream.MeterValue:
			samples++
			if e.Context == "Sample.Periodic" && *e.Power < 10_000 {
				t.Errorf("%d W", *e.Power)
			}
		}
		if r.Arrival > sim.DefaultStart+span {
			t.Errorf("arrival %v", r.Arrival)
		}
	}
	t.Logf("%d records, %d samples", len(records), samples)
	if len(plugged) != connectors || started != connectors || samples < connectors*18 {
		t.Errorf("%d plugged in, %d started, %d samples", len(plugged), started, samples)
	}
	if digest(t, records) != digest(t, sim.Burst(cfg)) {
		t.Error("the same seed gave other records")
	}
}
