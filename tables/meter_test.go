package tables_test

import (
	"slices"
	"testing"

	"chargestream"
	"chargestream/tables"
)

// reading is a sample of a minute of a session.
type reading struct {
	minute chargestream.Millis
	wh     int64 // below zero for none
	w      int64 // below zero for none
}

// sampled adds timely samples that name the session.
func sampled(row *tables.Session, readings ...reading) {
	for _, r := range readings {
		at := begin + r.minute*chargestream.Minute
		m := &chargestream.MeterValue{Time: at, SessionID: "s"}
		if r.wh >= 0 {
			m.Energy = of(chargestream.WattHours(r.wh))
		}
		if r.w >= 0 {
			m.Power = of(chargestream.Watts(r.w))
		}
		row.Merge(&tables.Session{Quarters: []tables.Quarter{tables.QuarterOf(m, at)}})
	}
}

// rated is a book of a tariff by energy, at a station of 22 kW.
func rated() *shelf {
	b := bookOf("EUR", component{"ENERGY", "0.10", "20", 1}, component{"FLAT", "1", "20", 1})
	b.register(yesterday+1, &chargestream.StationInfo{StationID: "st", TariffID: "t",
		MaxPower: 22_000})
	return b
}

func holds(list ...chargestream.HoldReason) []chargestream.HoldReason { return list }

func wh(n int64) *chargestream.WattHours { return of(chargestream.WattHours(n)) }

// TestEnergyRules is how the energy of an hour's session is told, case by case
// (docs/decisions/0010, Energy).
func TestEnergyRules(t *testing.T) {
	for _, c := range []struct {
		name             string
		start, told, end *chargestream.WattHours
		readings         []reading
		want             chargestream.WattHours
		estimated        bool
		holds            []chargestream.HoldReason
		glitch           bool
	}{
		{name: "what the end told goes first", start: wh(1000), told: wh(7), end: wh(9000),
			want: 7},
		{name: "registers", start: wh(1000), end: wh(9000), want: 8000},
		{name: "the last sample in place of the end", start: wh(1000),
			readings: []reading{{20, 1100, -1}, {50, 5000, -1}}, want: 4000, estimated: true},
		{name: "the first sample in place of the start", end: wh(9000),
			readings: []reading{{20, 1100, -1}, {50, 5000, -1}}, want: 7900, estimated: true},
		{name: "samples only", readings: []reading{{20, 1100, -1}, {50, 5000, -1}}, want: 3900,
			estimated: true, holds: holds(chargestream.HoldEstimated)},
		{name: "a sample after the end is not used", start: wh(1000),
			readings: []reading{{44, 5000, -1}, {59, 6000, -1}, {61, 9000, -1}, {80, 9900, -1}},
			want:     5000, estimated: true},
		{name: "nothing", holds: holds(chargestream.HoldNoEnergy)},
		{name: "one register is nothing", start: wh(1000), holds: holds(chargestream.HoldNoEnergy)},
		{name: "told below nothing", told: wh(-1), holds: holds(chargestream.HoldNegativeEnergy)},
		{name: "the end below the start", start: wh(5000), end: wh(1000),
			holds: holds(chargestream.HoldNegativeEnergy)},
		{name: "a fall that is made up for", start: wh(1000), end: wh(5000), want: 4000,
			glitch:   true,
			readings: []reading{{10, 2000, -1}, {20, 150, -1}, {50, 4000, -1}}},
		{name: "a fall within a quarter hour", start: wh(1000), end: wh(5000), want: 4000,
			glitch:   true,
			readings: []reading{{16, 2000, -1}, {17, 150, -1}, {18, 2500, -1}}},
		{name: "a fall for good", start: wh(1000), end: wh(900), want: 1750, estimated: true,
			readings: []reading{{10, 2000, -1}, {20, 150, -1}},
			holds:    holds(chargestream.HoldMeterRegression)},
		{name: "a fall for good, without a register at the end", start: wh(1000), want: 1350,
			readings: []reading{{10, 2000, -1}, {20, 150, -1}, {40, 500, -1}}, estimated: true,
			holds: holds(chargestream.HoldMeterRegression)},
		{name: "a fall for good, and the energy is told", start: wh(1000), told: wh(1800),
			end:      wh(900),
			readings: []reading{{10, 2000, -1}, {20, 150, -1}}, want: 1800,
			holds: holds(chargestream.HoldMeterRegression)},
		{name: "the last sample is above the end", start: wh(1000), end: wh(4990),
			readings: []reading{{50, 5000, -1}}, want: 4000, estimated: true,
			holds: holds(chargestream.HoldMeterRegression)},
		{name: "late baseline", start: wh(0), end: wh(504_000), want: 4000, estimated: true,
			readings: []reading{{1, 500_000, -1}, {50, 503_000, -1}},
			holds:    holds(chargestream.HoldLifetimeRegister)},
		{name: "what can be delivered by the first sample", start: wh(0), end: wh(4000), want: 4000,
			readings: []reading{{1, 1403, -1}}}, // 22 kW x 1.1 for a minute, and a kWh
		{name: "a Wh more", start: wh(0), end: wh(4000), want: 2596, estimated: true,
			readings: []reading{{1, 1404, -1}}, holds: holds(chargestream.HoldLifetimeRegister)},
		{name: "the register at the end is told as the energy", start: wh(1000), told: wh(9000),
			end: wh(9000), want: 8000, estimated: true,
			holds: holds(chargestream.HoldLifetimeRegister)},
		{name: "a register that began at zero is the energy", start: wh(0), told: wh(9000),
			end: wh(9000), want: 9000},
		{name: "samples that count from the start", start: wh(1_000_000), end: wh(1_004_000),
			readings: []reading{{10, 500, -1}, {50, 3900, -1}}, want: 4000},
		{name: "as much as the station can deliver", told: wh(25_200), want: 25_200},
		{name: "more than that", told: wh(25_201), want: 25_201,
			holds: holds(chargestream.HoldOverPower)},
	} {
		t.Run(c.name, func(t *testing.T) {
			row := settled(0, chargestream.Hour)
			row.Starts[0].Meter, row.Ends[0].Energy, row.Ends[0].Meter = c.start, c.told, c.end
			sampled(row, c.readings...)
			v := bill(t, row, rated())
			if v.Energy != c.want || v.Estimated != c.estimated ||
				!slices.Equal(v.HoldReasons, c.holds) {
				t.Errorf("%d Wh, estimated %v, %q; want %d Wh, %v, %q", v.Energy, v.Estimated,
					v.HoldReasons, c.want, c.estimated, c.holds)
			}
			if lines := len(v.Lines); (lines == 0) != slices.Contains(c.holds,
				chargestream.HoldNoEnergy) {
				t.Errorf("%d lines", lines)
			}
			row.Told = row.Heard
			glitches := slices.ContainsFunc(row.Anomalies("s", historyOf(t, row, rated())),
				func(a chargestream.Anomaly) bool {
					return a.Kind == chargestream.AnomalyMeterGlitch && !a.BillingHold &&
						a.Severity == chargestream.SeverityInfo
				})
			if glitches != c.glitch {
				t.Errorf("a glitch is told: %v", glitches)
			}
		})
	}
}

// TestRatingOfTheConnector holds that the connector's rating goes before the station's, and that
// 1 MW is believed where nothing is known.
func TestRatingOfTheConnector(t *testing.T) {
	for name, c := range map[string]struct {
		info *chargestream.StationInfo
		most chargestream.WattHours
	}{
		"connector": {&chargestream.StationInfo{MaxPower: 22_000,
			Connectors: []chargestream.ConnectorInfo{
				{ConnectorID: "2", MaxPower: 1}, {ConnectorID: "1", MaxPower: 3_700}}}, 5070},
		"other connector": {&chargestream.StationInfo{MaxPower: 22_000,
			Connectors: []chargestream.ConnectorInfo{{ConnectorID: "2", MaxPower: 1}}}, 25_200},
		"nothing": {&chargestream.StationInfo{}, 1_101_000},
	} {
		c.info.StationID, c.info.TariffID = "st", "t"
		book := rated()
		book.register(yesterday+2, c.info)
		for more := range chargestream.WattHours(2) {
			v := bill(t, settled(c.most+more, chargestream.Hour), book)
			if held := v.Status == chargestream.StatusHeld; held != (more > 0) {
				t.Errorf("%s: %d Wh: %q", name, v.Energy, v.HoldReasons)
			}
		}
	}
}

// TestUnitOfTheRegister holds that a factor of a hundred between register and power is doubted,
// and less is not.
func TestUnitOfTheRegister(t *testing.T) {
	minutely := func(w int64, minutes chargestream.Millis) []reading {
		var list []reading
		for m := range minutes {
			list = append(list, reading{m, -1, w})
		}
		return list
	}
	for _, c := range []struct {
		name     string
		energy   chargestream.WattHours
		readings []reading
		held     bool
	}{
		{"kWh told as Wh", 11, minutely(11_000, 60), true},
		{"a hundredth", 110, minutely(11_000, 60), false},
		{"less than a hundredth", 109, minutely(11_000, 60), true},
		{"the smallest power counts", 12, append(minutely(1200, 59), reading{59, -1, 11_000}),
			false},
		{"of each quarter hour for itself", 30, append(minutely(1200, 45), reading{46, -1, 11_000},
			reading{47, -1, 11_000}, reading{48, -1, 11_000}, reading{49, -1, 11_000},
			reading{50, -1, 11_000}, reading{51, -1, 11_000}, reading{52, -1, 11_000},
			reading{53, -1, 11_000}, reading{54, -1, 11_000}, reading{55, -1, 11_000},
			reading{56, -1, 11_000}, reading{57, -1, 11_000}), true},
		{"less than 100 Wh tell nothing", 0, minutely(5900, 1), false},
		{"100 Wh tell something", 0, minutely(6000, 1), true},
		{"rest tells nothing", 0, minutely(99, 60), false},
		{"Wh told as kWh", 10_001, minutely(100, 60), true},
		{"a hundred times the largest power", 10_000, minutely(100, 60), false},
		{"no charging power", 10_001, minutely(99, 60), false},
	} {
		row := settled(c.energy, chargestream.Hour)
		sampled(row, c.readings...)
		v := bill(t, row, rated())
		if held := slices.Equal(v.HoldReasons,
			holds(chargestream.HoldUnitMismatch)); held != c.held {
			t.Errorf("%s: %q", c.name, v.HoldReasons)
		}
	}
}

// TestOtherSamplesOfTheConnector holds that what the connector measured before the session began,
// or after it had ended, is none of its business.
func TestOtherSamplesOfTheConnector(t *testing.T) {
	row := settled(0, chargestream.Hour)
	var loads []tables.Quarter
	for _, minute := range []chargestream.Millis{-3, -2, -1, 61, 62, 63} {
		m := &chargestream.MeterValue{Time: begin + minute*chargestream.Minute,
			Energy: wh(90_000), Power: of[chargestream.Watts](20_000)}
		loads = append(loads, tables.QuarterOf(m, m.Time))
	}
	row.Merge(&tables.Session{Hours: []tables.SessionHour{{ConnectorID: "1", Start: begin,
		Answered: row.Heard, Loads: loads}}})
	v := bill(t, row, rated())
	if v.Status != chargestream.StatusIssued || v.Energy != 0 {
		t.Errorf("%d Wh, %q", v.Energy, v.HoldReasons)
	}
}

// TestSamplesOfNoSession holds that samples that name no session count by connector and time.
func TestSamplesOfNoSession(t *testing.T) {
	for connector, want := range map[chargestream.ConnectorID]chargestream.WattHours{"1": 3000,
		"2": 0} {
		row := settled(0, chargestream.Hour)
		row.Ends[0].Energy, row.Starts[0].Meter = nil, wh(1000)
		m := &chargestream.MeterValue{Time: begin + 40*chargestream.Minute, Energy: wh(4000)}
		row.Merge(&tables.Session{Hours: []tables.SessionHour{{ConnectorID: connector, Start: begin,
			Answered: row.Heard, Loads: []tables.Quarter{tables.QuarterOf(m, m.Time)}}}})
		if v := bill(t, row, rated()); v.Energy != want {
			t.Errorf("connector %s: %d Wh", connector, v.Energy)
		}
	}
}

// TestCurveOfRelativeRegisters holds that samples which count from the start spread the energy as
// those of the meter's life do.
func TestCurveOfRelativeRegisters(t *testing.T) {
	for _, base := range []int64{0, 1_000_000} {
		row := settled(0, 2*chargestream.Hour)
		row.Ends[0].Energy = nil
		row.Starts[0].Meter, row.Ends[0].Meter = wh(1_000_000), wh(1_004_000)
		sampled(row, reading{30, base + 2000, -1}, reading{59, base + 3000, -1})
		var shares []chargestream.WattHours
		for _, p := range row.Intervals("s") {
			shares = append(shares, p.Row.Stays[0].Interval.Energy)
		}
		// From minute 59 to 120 the last 1000 Wh; a minute of them in the first hour.
		if !slices.Equal(shares, []chargestream.WattHours{3016, 984}) {
			t.Errorf("base %d: shares %v", base, shares)
		}
	}
}

// connectorSampled adds samples of the connector that name no session, or another.
func connectorSampled(row *tables.Session, readings ...reading) {
	for _, r := range readings {
		m := &chargestream.MeterValue{Time: begin + r.minute*chargestream.Minute}
		if r.wh >= 0 {
			m.Energy = wh(r.wh)
		}
		if r.w >= 0 {
			m.Power = of(chargestream.Watts(r.w))
		}
		row.Merge(&tables.Session{Hours: []tables.SessionHour{{ConnectorID: "1",
			Start: m.Time.Truncate(chargestream.Hour), Answered: row.Heard,
			Loads: []tables.Quarter{tables.QuarterOf(m, m.Time)}}}})
	}
}

// TestSampleOfTheQuarterOfTheEnd holds that the last sample of a session counts, whatever the
// connector measures after it in the same quarter hour.
func TestSampleOfTheQuarterOfTheEnd(t *testing.T) {
	row := settled(0, 50*chargestream.Minute)
	row.Ends[0].Energy, row.Starts[0].Meter = nil, wh(1000)
	sampled(row, reading{46, 5000, -1}, reading{49, 6000, -1})
	connectorSampled(row, reading{46, 5000, -1}, reading{49, 6000, -1}, reading{52, 6000, -1})
	if v := bill(t, row, rated()); v.Energy != 5000 {
		t.Errorf("%d Wh", v.Energy)
	}
}

// TestPowerBeforeTheStart holds that the power of the session before, in the quarter hour in
// which this one began, says nothing of it.
func TestPowerBeforeTheStart(t *testing.T) {
	row := settled(0, 30*chargestream.Minute)
	row.Starts[0].At, row.Starts[0].Arrival = begin+8*chargestream.Minute,
		begin+8*chargestream.Minute
	for m := range chargestream.Millis(7) {
		connectorSampled(row, reading{m, -1, 11_000})
	}
	if v := bill(t, row, rated()); v.Status != chargestream.StatusIssued {
		t.Errorf("%q", v.HoldReasons)
	}
}

// TestReadingInTheMinuteOfTheStart holds that a reading before the start, in the same minute, does
// not hide the one behind it.
func TestReadingInTheMinuteOfTheStart(t *testing.T) {
	row := settled(0, 30*minute)
	start := begin + 30*chargestream.Second
	row.Starts[0].At, row.Starts[0].Arrival, row.Low = start, start, start
	row.Ends[0].Energy, row.Ends[0].Meter = nil, wh(5000)
	for _, second := range []chargestream.Millis{20, 40} {
		m := &chargestream.MeterValue{Time: begin + second*chargestream.Second, Energy: wh(1000)}
		q := tables.QuarterOf(m, m.Time)
		row.Merge(&tables.Session{Hours: []tables.SessionHour{{ConnectorID: "1", Start: begin,
			Answered: row.Heard, Loads: []tables.Quarter{q}}}})
	}
	if v := bill(t, row, rated()); v.Energy != 4000 || !v.Estimated {
		t.Errorf("%d Wh, estimated %v", v.Energy, v.Estimated)
	}
}
