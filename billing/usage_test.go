package billing_test

import (
	"testing"

	"chargestream"
)

// reported adds a timely status report of a second of the session.
func (c *charging) reported(seconds chargestream.Millis, word string) {
	at := begin + seconds*chargestream.Second
	c.add(&chargestream.StatusReport{StationID: "st", ConnectorID: "1", Time: at, Status: word}, at)
}

// parked is a book of a tariff by time.
func parked() *shelf {
	return bookOf("EUR", component{"TIME", "1", "20", 1}, component{"PARKING_TIME", "10", "20", 1})
}

// status is a report of a second of a session.
type status struct {
	at   chargestream.Millis
	word string
}

// powers are samples of the same power at some minutes.
func powers(w int64, minutes ...chargestream.Millis) []reading {
	var list []reading
	for _, m := range minutes {
		list = append(list, reading{m, -1, w})
	}
	return list
}

// TestParking is how long the vehicle parks in an hour, case by case (docs/decisions/0010, Time
// and parking).
func TestParking(t *testing.T) {
	for _, c := range []struct {
		name     string
		statuses []status
		readings []reading
		want     int64 // s
	}{
		{"nothing is known", nil, nil, 0},
		{"the vehicle asks for nothing", []status{{600, "SuspendedEV"}}, nil, 3000},
		{"finishing", []status{{600, "Finishing"}}, nil, 3000},
		{"from the second of the report on", []status{{601, "SuspendedEV"}}, nil, 2999},
		{"until the next report", []status{{600, "SuspendedEV"}, {1200, "Charging"}}, nil, 600},
		{"the station does not give", []status{{600, "SuspendedEVSE"}}, nil, 0},
		{"before and after", []status{{0, "Preparing"}, {600, "EVConnected"}}, nil, 0},
		{"broken", []status{{600, "SuspendedEV"}, {1200, "Faulted"}}, nil, 600},
		{"out of service", []status{{600, "SuspendedEV"}, {1200, "Unavailable"}}, nil, 600},
		{"broken, and no power", []status{{0, "Faulted"}}, powers(0, 10, 20), 0},
		{"out of service, and no power", []status{{0, "Unavailable"}}, powers(0, 10, 20), 0},
		{"a report from before the start", []status{{-60, "SuspendedEV"}}, nil, 0},
		{"a report of the end", []status{{3600, "SuspendedEV"}}, nil, 0},
		{"of reports of one moment the higher rank", []status{{600, "SuspendedEV"}, {600,
			"Faulted"}},
			nil, 0},
		{"energy flows, whatever the word", []status{{600, "SuspendedEV"}}, powers(100, 20, 21),
			2880},
		{"not in a part of a minute", []status{{630, "SuspendedEV"}}, powers(100, 10), 2970},
		{"rest is not against the word", []status{{600, "Charging"}}, powers(99, 20, 30, 40), 0},
		{"rest with a station that does not give", []status{{0, "SuspendedEVSE"}}, powers(0, 20),
			0},
		{"the word does not say, the power does", []status{{0, "Occupied"}}, powers(99, 10), 960},
		{"nothing is reported, the power shows it", nil, powers(99, 10), 960},
		{"100 W is charging", nil, powers(100, 10), 0},
		{"rest, then charging", nil, append(powers(0, 10), reading{12, -1, 7000}), 120},
		{"of the samples of a minute the largest", nil, append(powers(0, 10), reading{10, -1,
			7000}), 0},
		{"charging, then rest", nil, append(powers(7000, 10), reading{12, -1, 0}), 960},
		{"a sample counts for a quarter hour behind its minute", nil, powers(0, 10, 40), 1920},
		{"and meets the next", nil, powers(0, 10, 25), 1860},
		{"to the end", nil, powers(0, 50), 600},
		{"free, says the station", []status{{600, "Available"}}, powers(0, 20), 960},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := settled(0, hour)
			for _, report := range c.statuses {
				s.reported(report.at, report.word)
			}
			s.sampled(c.readings...)
			v := bill(t, s, parked())
			if v.ParkingSeconds != c.want || v.DurationSeconds != 3600 {
				t.Errorf("%d of %d s, want %d s", v.ParkingSeconds, v.DurationSeconds, c.want)
			}
			billed := map[string]string{}
			for _, l := range v.Lines {
				billed[l.Dimension] = l.Measured
			}
			if c.want == 3000 &&
				(billed["TIME"] != "0.166667" || billed["PARKING_TIME"] != "0.833333") {
				t.Errorf("billed %v", billed)
			}
		})
	}
}

// TestReportsOfOtherConnectors holds that they do not count for a session.
func TestReportsOfOtherConnectors(t *testing.T) {
	s, at := settled(0, hour), begin+minute
	s.add(&chargestream.StatusReport{StationID: "st", ConnectorID: "2", Time: at,
		Status: "SuspendedEV"}, at)
	if v := bill(t, s, parked()); v.ParkingSeconds != 0 {
		t.Errorf("%d s", v.ParkingSeconds)
	}
}

// TestParkingAcrossHours holds that a report holds until the next, in whatever window that is.
func TestParkingAcrossHours(t *testing.T) {
	s := settled(0, 3*hour)
	s.reported(1800, "SuspendedEV")
	s.reported(7200, "Charging")
	if v := bill(t, s, parked()); v.ParkingSeconds != 5400 {
		t.Errorf("%d s", v.ParkingSeconds)
	}
}

// TestParkingCostsNoEnergy holds that the energy is billed whole, however the session is cut.
func TestParkingCostsNoEnergy(t *testing.T) {
	s := settled(1001, hour)
	s.sampled(reading{7, 3, -1}, reading{11, 20, -1})
	for i := range chargestream.Millis(60) {
		s.reported(i*59+1, []string{"SuspendedEV", "Charging"}[i%2])
	}
	v := bill(t, s, bookOf("EUR", component{"ENERGY", "1", "20", 1},
		component{"PARKING_TIME", "1", "20", 1}))
	if v.Lines[0].Dimension != "ENERGY" || v.Lines[0].Measured != "1.001" {
		t.Errorf("%+v", v.Lines)
	}
}
