package billing_test

import (
	"slices"
	"strings"
	"testing"

	"chargestream"
	"chargestream/internal/tabletest"
)

// held is a session whose bill is held, and the evidence of one reason as the bill shows it.
type held struct {
	reason chargestream.HoldReason
	facts  func(*charging)
	book   func() *shelf // nil: rated
	want   string        // JSON, in which an asterisk stands for any text
}

// unpriced is a book without a tariff for the station.
func unpriced() *shelf { return newShelf() }

// unnamedVAT is a book of a tariff that gives no VAT.
func unnamedVAT() *shelf { return bookOf("EUR", component{Type: "ENERGY", Price: "1", Step: 1}) }

// zoned is a book of a tariff by local time, at a station without a time zone.
func zoned() *shelf {
	b := newShelf()
	b.register(yesterday, &chargestream.StationInfo{StationID: "st", TariffID: "t"})
	b.publish(yesterday, "t", chargestream.TariffVersion{ValidFrom: yesterday, Tariff: []byte(
		`{"currency":"EUR","elements":[{"price_components":[{"type":"FLAT","price":1,"vat":10,` +
			`"step_size":1}],"restrictions":{"start_time":"22:00","end_time":"06:00"}}]}`)})
	return b
}

// calibrated is a book of a station of which the meter signs.
func calibrated() *shelf {
	b := rated()
	b.register(yesterday+2, &chargestream.StationInfo{StationID: "st", TariffID: "t",
		Connectors: []chargestream.ConnectorInfo{{ConnectorID: "1", Calibrated: true,
			MeterSerial: "m-1"}}})
	return b
}

// signed is a signed value of the session.
func signed(page, reason, value string) string {
	return `OCMF|{"FV":"1.0","PG":"` + page +
		`","MS":"m-1","RD":[{"TM":"2026-03-02T00:00:00,000+0000 S",` +
		`"TX":"` + reason + `","RV":` + value + `,"RI":"1-b:1.8.0","RU":"kWh",` +
		`"ST":"G"}]}|{"SD":"30"}`
}

// sign adds signed values, an hour apart.
func (c *charging) sign(texts ...string) {
	for i, text := range texts {
		at := begin + chargestream.Millis(i)*hour
		c.add(&chargestream.MeterValue{StationID: "st", ConnectorID: "1", SessionID: "s",
			Time: at, Signed: text}, at)
	}
}

func claimEvidence() []held {
	return []held{
		{chargestream.HoldClockSkew, func(s *charging) { s.endArrival -= 6 * minute }, nil,
			`{"ahead_ms":360000,"tolerance_ms":300000}`},
		{chargestream.HoldConflict, func(s *charging) {
			start := *s.start
			start.Time += minute
			s.add(&start, begin+minute)
		}, nil, `{"other_start_time":"2026-03-02T00:01:00Z","start_time":"2026-03-02T00:00:00Z"}`},
		{chargestream.HoldConflict, func(s *charging) {
			s.addEnd(begin+hour+2*minute, begin+hour+2*minute, wh(1))
		}, nil, `{"end_time":"2026-03-02T01:00:00Z","other_end_time":"2026-03-02T01:02:00Z"}`},
		{chargestream.HoldDuplicate, func(s *charging) { s.other("o", 0, hour, -hour-1) }, nil,
			`{"duplicate_of":"o","start_time":"2026-03-02T00:00:00Z"}`},
		{chargestream.HoldOverlap, func(s *charging) {
			s.other("p", 40*minute, 50*minute, 0)
			s.other("o", -20*minute, 5*minute, 0)
		}, nil, `{"other_session_id":"o","other_sessions":2,` +
			`"overlap_from":"2026-03-02T00:00:00Z","overlap_to":"2026-03-02T00:05:00Z"}`},
		{chargestream.HoldNotEnded, noEnd, nil, `{"start_time":"2026-03-02T00:00:00Z"}`},
		{chargestream.HoldNoStart, func(s *charging) { s.start = nil }, nil,
			`{"end_time":"2026-03-02T01:00:00Z"}`},
		{chargestream.HoldNegativeDuration, func(s *charging) { s.end.Time = begin - 1000 }, nil,
			`{"end_time":"2026-03-01T23:59:59Z","start_time":"2026-03-02T00:00:00Z"}`},
		{chargestream.HoldUnknownUser, func(s *charging) { s.start.UserID = "N/A" }, nil,
			`{"user_id":"N/A"}`},
		{chargestream.HoldCancelled, func(s *charging) { s.decided(begin+2*hour, cancel) }, nil,
			``},
	}
}

func energyEvidence() []held {
	return []held{
		{chargestream.HoldEstimated, estimated, nil,
			`{"first_sample_at":"2026-03-02T00:20:00Z","first_sample_wh":1100,` +
				`"last_sample_at":"2026-03-02T00:50:00Z","last_sample_wh":5000}`},
		{chargestream.HoldLifetimeRegister, func(s *charging) {
			s.start.Meter, s.end.Energy, s.end.Meter = wh(1000), wh(9000), wh(9000)
		}, nil, `{"meter_start_wh":1000,"meter_stop_wh":9000,"reported_energy_wh":9000}`},
		{chargestream.HoldEnergyMismatch, func(s *charging) {
			s.start.Meter, s.end.Energy, s.end.Meter = wh(1000), wh(0), wh(9000)
		}, nil, `{"measured_wh":8000,"meter_start_wh":1000,"meter_stop_wh":9000,` +
			`"reported_energy_wh":0}`},
		{chargestream.HoldRepeatedEnergy, func(s *charging) {
			s.record("o", -hour-2000, -2000, wh(5000))
			s.record("p", -30*minute-1000, -1000, wh(99))
			s.start.Meter, s.end.Energy, s.end.Meter = nil, wh(10_100), nil
		}, nil, `{"duration_s":3600,"energy_wh":10100,"previous_duration_s":3600,` +
			`"previous_energy_wh":5000,"previous_session_id":"o"}`},
		{chargestream.HoldMeterRegression, func(s *charging) {
			s.start.Meter, s.end.Energy, s.end.Meter = wh(1000), nil, wh(900)
			s.sampled(reading{10, 2000, -1}, reading{20, 150, -1})
		}, nil, `{"fell_at":"2026-03-02T00:20:00Z","fell_from_wh":2000,"fell_to_wh":150,` +
			`"first_sample_at":"2026-03-02T00:10:00Z","first_sample_wh":2000,` +
			`"last_sample_at":"2026-03-02T00:20:00Z","last_sample_wh":150,` +
			`"meter_start_wh":1000,"meter_stop_wh":900}`},
		// Of two falls the last one counts: here that at the end, as the other was made up for.
		{chargestream.HoldMeterRegression, func(s *charging) {
			s.start.Meter, s.end.Energy, s.end.Meter = wh(1000), nil, wh(2400)
			s.sampled(reading{10, 2000, -1}, reading{20, 150, -1}, reading{40, 2500, -1})
		}, nil, `{"fell_at":"2026-03-02T01:00:00Z","fell_from_wh":2500,"fell_to_wh":2400,` +
			`"first_sample_at":"2026-03-02T00:10:00Z","first_sample_wh":2000,` +
			`"last_sample_at":"2026-03-02T00:40:00Z","last_sample_wh":2500,` +
			`"meter_start_wh":1000,"meter_stop_wh":2400}`},
		{chargestream.HoldNegativeEnergy, func(s *charging) {
			s.start.Meter, s.end.Energy, s.end.Meter = wh(5000), nil, wh(1000)
		}, nil, `{"meter_start_wh":5000,"meter_stop_wh":1000}`},
		{chargestream.HoldNoEnergy, func(s *charging) {
			s.start.Meter, s.end.Energy = wh(1000), nil
		}, nil, `{"meter_start_wh":1000}`},
		{chargestream.HoldNoEnergy, func(s *charging) { s.end.Energy = nil }, nil, ``},
		{chargestream.HoldOverPower, func(s *charging) { s.end.Energy = wh(25_201) }, nil,
			`{"duration_s":3600,"energy_wh":25201,"limit_wh":25200,"rating_w":22000}`},
		{chargestream.HoldUnitMismatch, func(s *charging) {
			s.end.Energy = wh(1)
			s.sampled(powers(6000, 10, 11)...)
		}, nil, `{"duration_s":3600,"energy_wh":1,"peak_w":6000,"sampled_at_least_wh":200}`},
	}
}

func termsEvidence() []held {
	nothing := func(*charging) {}
	return []held{
		{chargestream.HoldNoTariff, nothing, unpriced,
			`{"missing":"station","registry_entry":"none"}`},
		{chargestream.HoldNoTariff, func(s *charging) {
			s.decided(begin+2*hour, correct(chargestream.Correction{TariffID: "u"}))
		}, nil, `{"missing":"tariff","tariff_id":"u"}`},
		{chargestream.HoldVATUnknown, nothing, unnamedVAT, `{"tariff_id":"t"}`},
		{chargestream.HoldTariffUnsupported, nothing, zoned, `{"error":"*","tariff_id":"t"}`},
		{chargestream.HoldSignedMissing, func(s *charging) {
			s.sign(signed("T1", "B", "1.000"))
		}, calibrated, `{"signed_begin":true,"signed_end":false}`},
		{chargestream.HoldSignedInvalid, func(s *charging) {
			s.sign(signed("T1", "B", "1.000"), signed("T3", "E", "8.000"))
		}, calibrated, `{"problems":["*"]}`},
		{chargestream.HoldSignedMismatch, func(s *charging) {
			s.sign(signed("T1", "B", "1.000"), signed("T2", "E", "9.000"))
		}, calibrated, `{"energy_wh":7000,"signed_energy_mwh":8000000}`},
		{chargestream.HoldSignedUnverified, func(s *charging) {
			s.sign(signed("T1", "B", "1.000"))
		}, calibrated, `{"connector_id":"1","public_key":"none"}`},
	}
}

// TestEvidence is what a held bill shows of each reason, and that docs/format/derived.md names each
// field beside its reason.
func TestEvidence(t *testing.T) {
	shown := map[chargestream.HoldReason]bool{chargestream.HoldCancelled: true}
	for _, c := range slices.Concat(claimEvidence(), energyEvidence(), termsEvidence()) {
		s, book := settled(7000, hour), rated
		c.facts(s)
		if c.book != nil {
			book = c.book
		}
		v := bill(t, s, book())
		i := slices.IndexFunc(v.Holds, func(h chargestream.Hold) bool {
			return h.Reason == c.reason
		})
		if i < 0 {
			t.Errorf("%s: held for %q", c.reason, v.HoldReasons)
			continue
		}
		shown[c.reason] = true
		got := ""
		if e := v.Holds[i].Evidence; e != nil {
			got = textOf(e)
		}
		before, after, any := strings.Cut(c.want, "*")
		if any && strings.HasPrefix(got, before) && strings.HasSuffix(got, after) {
			got = c.want
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.reason, got, c.want)
		}
		for name := range v.Holds[i].Evidence {
			if row := rowOf(t, string(c.reason)); !strings.Contains(row, "`"+name+"`") {
				t.Errorf("docs/format/derived.md does not name %s in the row of %s", name, c.reason)
			}
		}
	}
	for _, reason := range chargestream.HoldReasons() {
		if !shown[reason] {
			t.Errorf("no case of %s", reason)
		}
	}
}

// rowOf is the row of the table of reasons in derived.md.
func rowOf(t *testing.T, reason string) string {
	t.Helper()
	for line := range strings.Lines(tabletest.Page(t, "derived")) {
		if strings.HasPrefix(line, "| `"+reason+"` |") {
			return line
		}
	}
	t.Errorf("docs/format/derived.md has no row of %s", reason)
	return ""
}
