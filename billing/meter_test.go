package billing_test

import (
	"slices"
	"testing"

	"chargestream"
	"chargestream/billing"
)

// reading is a sample of a minute of a session.
type reading struct {
	minute chargestream.Millis
	wh     int64 // below zero for none
	w      int64 // below zero for none
}

// sampled adds timely samples that name the session.
func (c *charging) sampled(readings ...reading) { c.samples("s", readings) }

// unnamed adds timely samples of the connector that name no session.
func (c *charging) unnamed(readings ...reading) { c.samples("", readings) }

func (c *charging) samples(session chargestream.SessionID, readings []reading) {
	for _, r := range readings {
		at := begin + r.minute*minute
		m := &chargestream.MeterValue{StationID: "st", ConnectorID: "1", SessionID: session,
			Time: at}
		if r.wh >= 0 {
			m.Energy = wh(r.wh)
		}
		if r.w >= 0 {
			m.Power = of(chargestream.Watts(r.w))
		}
		c.add(m, at)
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

// energyRule is a case of how the energy of an hour's session is found.
type energyRule struct {
	name                 string
	start, reported, end *chargestream.WattHours
	readings             []reading
	want                 chargestream.WattHours
	estimated            bool
	holds                []chargestream.HoldReason
	glitch               bool
}

// energyRules are about registers and samples that count from the same point.
func energyRules() []energyRule {
	return []energyRule{
		{name: "what the end reports goes first", start: wh(1000), reported: wh(7840),
			end: wh(9000), want: 7840},
		{name: "and is doubted where the registers show more", start: wh(1000),
			reported: wh(7839), end: wh(9000), want: 7839,
			holds: holds(chargestream.HoldEnergyMismatch)},
		{name: "or less", start: wh(1000), reported: wh(8164), end: wh(9000), want: 8164,
			holds: holds(chargestream.HoldEnergyMismatch)},
		{name: "a hundred Wh are rounding", start: wh(1000), reported: wh(0), end: wh(1100)},
		{name: "a Wh more is not", start: wh(1000), reported: wh(0), end: wh(1101),
			holds: holds(chargestream.HoldEnergyMismatch)},
		{name: "samples show at least so much", reported: wh(3000), want: 3000,
			readings: []reading{{20, 1100, -1}, {50, 5000, -1}},
			holds:    holds(chargestream.HoldEnergyMismatch)},
		{name: "and may have missed the rest", reported: wh(8000), want: 8000,
			readings: []reading{{20, 1100, -1}, {50, 5000, -1}}},
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
		{name: "reported below nothing", reported: wh(-1),
			holds: holds(chargestream.HoldNegativeEnergy)},
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
		{name: "a fall for good, and the energy is reported", start: wh(1000), reported: wh(1800),
			end:      wh(900),
			readings: []reading{{10, 2000, -1}, {20, 150, -1}}, want: 1800,
			holds: holds(chargestream.HoldMeterRegression)},
		{name: "the last sample is above the end", start: wh(1000), end: wh(4990),
			readings: []reading{{50, 5000, -1}}, want: 4000, estimated: true,
			holds: holds(chargestream.HoldMeterRegression)},
	}
}

// baselineRules are about registers that count from another point, and about what can be delivered.
func baselineRules() []energyRule {
	return []energyRule{
		{name: "late baseline", start: wh(0), end: wh(504_000), want: 4000, estimated: true,
			readings: []reading{{1, 500_000, -1}, {50, 503_000, -1}},
			holds:    holds(chargestream.HoldLifetimeRegister)},
		{name: "what can be delivered by the first sample", start: wh(0), end: wh(4000), want: 4000,
			readings: []reading{{1, 1403, -1}}}, // 22 kW x 1.1 for a minute, and a kWh
		{name: "a Wh more", start: wh(0), end: wh(4000), want: 2596, estimated: true,
			readings: []reading{{1, 1404, -1}}, holds: holds(chargestream.HoldLifetimeRegister)},
		{name: "the register at the end is reported as the energy", start: wh(1000),
			reported: wh(9000), end: wh(9000), want: 8000, estimated: true,
			holds: holds(chargestream.HoldLifetimeRegister)},
		{name: "a register that began at zero is the energy", start: wh(0), reported: wh(9000),
			end: wh(9000), want: 9000},
		{name: "samples that count from the start", start: wh(1_000_000), end: wh(1_004_000),
			readings: []reading{{10, 500, -1}, {50, 3900, -1}}, want: 4000},
		{name: "as much as the station can deliver", reported: wh(25_200), want: 25_200},
		{name: "more than that", reported: wh(25_201), want: 25_201,
			holds: holds(chargestream.HoldOverPower)},
	}
}

// TestEnergyRules is how the energy of an hour's session is found, case by case
// (docs/decisions/0010, Energy).
func TestEnergyRules(t *testing.T) {
	for _, c := range slices.Concat(energyRules(), baselineRules()) {
		t.Run(c.name, func(t *testing.T) {
			s := settled(0, hour)
			s.start.Meter, s.end.Energy, s.end.Meter = c.start, c.reported, c.end
			s.sampled(c.readings...)
			v := bill(t, s, rated())
			if v.Energy != c.want || v.Estimated != c.estimated ||
				!slices.Equal(v.HoldReasons, c.holds) {
				t.Errorf("%d Wh, estimated %v, %q; want %d Wh, %v, %q", v.Energy, v.Estimated,
					v.HoldReasons, c.want, c.estimated, c.holds)
			}
			if lines := len(v.Lines); (lines == 0) != slices.Contains(c.holds,
				chargestream.HoldNoEnergy) {
				t.Errorf("%d lines", lines)
			}
			glitches := slices.ContainsFunc(anomaliesOf(t, s, rated()),
				func(a chargestream.Anomaly) bool {
					return a.Kind == chargestream.AnomalyMeterGlitch && !a.BillingHold &&
						a.Severity == chargestream.SeverityInfo
				})
			if glitches != c.glitch {
				t.Errorf("a glitch is reported: %v", glitches)
			}
		})
	}
}

// TestRatingOfTheConnector holds that the connector's rating goes before the station's, and that
// of its type counts where neither is known.
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
		"nothing": {&chargestream.StationInfo{}, 551_000},
		"type": {&chargestream.StationInfo{Connectors: []chargestream.ConnectorInfo{
			{ConnectorID: "1", Type: "IEC_62196_T2"}}}, 48_300},
		"rating of the station before the type": {&chargestream.StationInfo{MaxPower: 22_000,
			Connectors: []chargestream.ConnectorInfo{{ConnectorID: "1", Type: "MCS"}}}, 25_200},
	} {
		c.info.StationID, c.info.TariffID = "st", "t"
		book := rated()
		book.register(yesterday+2, c.info)
		for more := range chargestream.WattHours(2) {
			v := bill(t, settled(c.most+more, hour), book)
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
		{"kWh sent as Wh", 11, minutely(11_000, 60), true},
		{"a hundredth", 110, minutely(11_000, 60), false},
		{"less than a hundredth", 109, minutely(11_000, 60), true},
		{"the smallest power counts", 12, append(minutely(1200, 59), reading{59, -1, 11_000}),
			false},
		{"of each quarter hour for itself", 30, append(minutely(1200, 45), reading{46, -1, 11_000},
			reading{47, -1, 11_000}, reading{48, -1, 11_000}, reading{49, -1, 11_000},
			reading{50, -1, 11_000}, reading{51, -1, 11_000}, reading{52, -1, 11_000},
			reading{53, -1, 11_000}, reading{54, -1, 11_000}, reading{55, -1, 11_000},
			reading{56, -1, 11_000}, reading{57, -1, 11_000}), true},
		{"less than 100 Wh show nothing", 0, minutely(5900, 1), false},
		{"100 Wh show something", 0, minutely(6000, 1), true},
		{"rest shows nothing", 0, minutely(99, 60), false},
		{"Wh sent as kWh", 10_001, minutely(100, 60), true},
		{"a hundred times the largest power", 10_000, minutely(100, 60), false},
		{"no charging power", 10_001, minutely(99, 60), false},
	} {
		s := settled(c.energy, hour)
		s.sampled(c.readings...)
		v := bill(t, s, rated())
		if held := slices.Equal(v.HoldReasons,
			holds(chargestream.HoldUnitMismatch)); held != c.held {
			t.Errorf("%s: %q", c.name, v.HoldReasons)
		}
	}
}

// TestOtherSamplesOfTheConnector holds that what the connector measured before the session began,
// or after it had ended, does not count for it.
func TestOtherSamplesOfTheConnector(t *testing.T) {
	s := settled(0, hour)
	for _, m := range []chargestream.Millis{-3, -2, -1, 61, 62, 63} {
		s.unnamed(reading{m, 90_000, 20_000})
	}
	v := bill(t, s, rated())
	if v.Status != chargestream.StatusIssued || v.Energy != 0 {
		t.Errorf("%d Wh, %q", v.Energy, v.HoldReasons)
	}
}

// TestSamplesOfNoSession holds that samples that name no session count by connector and time.
func TestSamplesOfNoSession(t *testing.T) {
	for connector, want := range map[chargestream.ConnectorID]chargestream.WattHours{"1": 3000,
		"2": 0} {
		s, at := unmeasured(hour), begin+40*minute
		s.add(&chargestream.MeterValue{StationID: "st", ConnectorID: connector, Time: at,
			Energy: wh(4000)}, at)
		if v := bill(t, s, rated()); v.Energy != want {
			t.Errorf("connector %s: %d Wh", connector, v.Energy)
		}
	}
}

// TestCurveOfRelativeRegisters holds that samples which count from the start spread the energy as
// those of the meter's life do.
func TestCurveOfRelativeRegisters(t *testing.T) {
	for _, base := range []int64{0, 1_000_000} {
		s := settled(0, 2*hour)
		s.end.Energy = nil
		s.start.Meter, s.end.Meter = wh(1_000_000), wh(1_004_000)
		s.sampled(reading{30, base + 2000, -1}, reading{59, base + 3000, -1})
		var shares []chargestream.WattHours
		billing.Shares(s.session(t, rated()).Row,
			func(_ chargestream.Millis, share chargestream.WattHours) {
				shares = append(shares, share)
			})
		// From minute 59 to 120 the last 1000 Wh; a minute of them in the first hour.
		if !slices.Equal(shares, []chargestream.WattHours{3016, 984}) {
			t.Errorf("base %d: shares %v", base, shares)
		}
	}
}

// TestSampleOfTheQuarterOfTheEnd holds that the last sample of a session counts, whatever the
// connector measures after it in the same quarter hour.
func TestSampleOfTheQuarterOfTheEnd(t *testing.T) {
	s := unmeasured(50 * minute)
	s.sampled(reading{46, 5000, -1}, reading{49, 6000, -1})
	s.unnamed(reading{46, 5000, -1}, reading{49, 6000, -1}, reading{52, 6000, -1})
	if v := bill(t, s, rated()); v.Energy != 5000 {
		t.Errorf("%d Wh", v.Energy)
	}
}

// TestSampleAtTheEnd holds that the sample that is taken with the end counts.
func TestSampleAtTheEnd(t *testing.T) {
	for _, length := range []chargestream.Millis{hour, hour - 1} {
		s, at := unmeasured(length), begin+length
		s.add(&chargestream.MeterValue{StationID: "st", ConnectorID: "1", SessionID: "s",
			Time: at, Energy: wh(6000)}, at)
		if v := bill(t, s, rated()); v.Energy != 5000 {
			t.Errorf("%d Wh", v.Energy)
		}
	}
}

// TestPowerBeforeTheStart holds that the power of the session before, in the quarter hour in
// which this one began, does not count for it: neither that there was much, nor that there was
// little.
func TestPowerBeforeTheStart(t *testing.T) {
	for energy, power := range map[chargestream.WattHours]int64{0: 11_000, 5000: 100} {
		s := settled(energy, 30*minute)
		s.start.Time, s.startArrival = begin+8*minute, begin+8*minute
		for m := range chargestream.Millis(7) {
			s.unnamed(reading{m, -1, power})
		}
		if v := bill(t, s, rated()); v.Status != chargestream.StatusIssued {
			t.Errorf("%d Wh, %d W before: %q", energy, power, v.HoldReasons)
		}
		s.unnamed(reading{20, -1, power}) // the same power within it does count
		if v := bill(t, s, rated()); !slices.Equal(v.HoldReasons,
			holds(chargestream.HoldUnitMismatch)) {
			t.Errorf("%d Wh, %d W within: %q", energy, power, v.HoldReasons)
		}
	}
}

// TestReadingInTheMinuteOfTheStart holds that a reading before the start, in the same minute, does
// not hide the one behind it.
func TestReadingInTheMinuteOfTheStart(t *testing.T) {
	s := settled(0, 30*minute)
	start := begin + 30*chargestream.Second
	s.start.Time, s.startArrival = start, start
	s.end.Energy, s.end.Meter = nil, wh(5000)
	for _, second := range []chargestream.Millis{20, 40} {
		at := begin + second*chargestream.Second
		s.add(&chargestream.MeterValue{StationID: "st", ConnectorID: "1", Time: at,
			Energy: wh(1000)}, at)
	}
	if v := bill(t, s, rated()); v.Energy != 4000 || !v.Estimated {
		t.Errorf("%d Wh, estimated %v", v.Energy, v.Estimated)
	}
}
