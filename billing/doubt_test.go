package billing_test

import (
	"slices"
	"testing"

	"chargestream"
)

// doubt is a session with a doubt, or with none, and the reasons that hold its bill.
type doubt struct {
	name   string
	change func(*charging)
	want   []chargestream.HoldReason
}

// other is a session of another id on the connector, in seconds after begin.
func (c *charging) other(id chargestream.SessionID, from, to, delay chargestream.Millis) {
	c.add(otherRecord(id, from, to, nil), begin+to+delay)
}

// record adds another session of which the end reports an energy.
func (c *charging) record(id chargestream.SessionID, from, to chargestream.Millis,
	energy *chargestream.WattHours) {
	c.add(otherRecord(id, from, to, energy), begin+to)
}

func otherRecord(id chargestream.SessionID, from, to chargestream.Millis,
	energy *chargestream.WattHours) *chargestream.SessionRecord {
	return &chargestream.SessionRecord{
		Start: chargestream.SessionStart{StationID: "st", SessionID: id, ConnectorID: "1",
			UserID: "v", Time: begin + from},
		End: chargestream.SessionEnd{StationID: "st", SessionID: id, Time: begin + to,
			Energy: energy}}
}

func timeDoubts() []doubt {
	const tolerance = chargestream.SkewTolerance
	return []doubt{
		{"none", func(*charging) {}, nil},
		{"duplicate", func(s *charging) { s.other("o", 0, hour, -hour-1) },
			holds(chargestream.HoldDuplicate)},
		{"the first of two", func(s *charging) { s.other("o", 0, hour, 1) }, nil},
		{"ends before it starts", func(s *charging) { s.end.Time = begin - 1 },
			holds(chargestream.HoldNegativeDuration)},
		{"clock ahead at the end",
			func(s *charging) { s.endArrival = begin + hour - tolerance - 1 },
			holds(chargestream.HoldClockSkew)},
		{"clock ahead at the start",
			func(s *charging) { s.startArrival -= tolerance + 1 },
			holds(chargestream.HoldClockSkew)},
		{"clock a little ahead", func(s *charging) { s.startArrival -= tolerance }, nil},
		{"overlap", func(s *charging) { s.other("o", hour-1, 2*hour, 0) },
			holds(chargestream.HoldOverlap)},
		{"overlap with a duplicate", func(s *charging) {
			s.other("o", hour-1, 2*hour, 0)
			s.other("p", hour-1, hour-1, 0) // which was delivered before it, and took no time
		}, nil},
		{"one behind the other", func(s *charging) { s.other("o", hour, 2*hour, 0) }, nil},
		{"one before the other", func(s *charging) { s.other("o", -hour, 0, 0) }, nil},
	}
}

func claimDoubts() []doubt {
	second := func(change func(*chargestream.SessionEnd)) func(*charging) {
		return func(s *charging) {
			end := *s.end
			change(&end)
			s.add(&end, s.endArrival+1)
		}
	}
	return []doubt{
		{"another start", func(s *charging) {
			start := *s.start
			start.UserID = "v"
			s.add(&start, begin+1)
		}, holds(chargestream.HoldConflict)},
		{"another reason of the end",
			second(func(e *chargestream.SessionEnd) { e.Reason = "Local" }), nil},
		{"a minute later", second(func(e *chargestream.SessionEnd) { e.Time += minute }), nil},
		{"a minute earlier", second(func(e *chargestream.SessionEnd) { e.Time -= minute }), nil},
		{"more than a minute later",
			second(func(e *chargestream.SessionEnd) { e.Time += minute + 1 }),
			holds(chargestream.HoldConflict)},
		{"more than a minute earlier",
			second(func(e *chargestream.SessionEnd) { e.Time -= minute + 1 }),
			holds(chargestream.HoldConflict)},
		{"other energy", second(func(e *chargestream.SessionEnd) { e.Energy = wh(1) }),
			holds(chargestream.HoldConflict)},
		{"other register", second(func(e *chargestream.SessionEnd) { e.Meter = wh(1) }),
			holds(chargestream.HoldConflict)},
		{"a connector where none was named",
			second(func(e *chargestream.SessionEnd) { e.ConnectorID = "1" }), nil},
	}
}

func userDoubts() []doubt {
	user := func(id chargestream.UserID) func(*charging) {
		return func(s *charging) { s.start.UserID = id }
	}
	return []doubt{
		{"no user", user(""), holds(chargestream.HoldUnknownUser)},
		{"blank", user("  "), holds(chargestream.HoldUnknownUser)},
		{"unknown", user("Unknown"), holds(chargestream.HoldUnknownUser)},
		{"anonymous", user("ANONYMOUS"), holds(chargestream.HoldUnknownUser)},
		{"none, in words", user("none"), holds(chargestream.HoldUnknownUser)},
		{"null", user("null"), holds(chargestream.HoldUnknownUser)},
		{"n/a", user("N/A"), holds(chargestream.HoldUnknownUser)},
		{"zeros", user("00000000"), holds(chargestream.HoldUnknownUser)},
		{"zeros and a one", user("00000001"), nil},
		{"a user of a strange name", user("nullable"), nil},
	}
}

// TestDoubtsHoldTheBill is each doubt about a session alone, and what is no doubt.
func TestDoubtsHoldTheBill(t *testing.T) {
	for _, c := range slices.Concat(timeDoubts(), claimDoubts(), userDoubts()) {
		t.Run(c.name, func(t *testing.T) {
			s := settled(700, hour) // what can be delivered in no time at all
			c.change(s)
			v := bill(t, s, rated())
			if !slices.Equal(v.HoldReasons, c.want) ||
				(v.Status == chargestream.StatusHeld) != (len(c.want) > 0) {
				t.Errorf("%s, %q, want %q", v.Status, v.HoldReasons, c.want)
			}
			var holds []chargestream.HoldReason
			for _, h := range v.Holds {
				holds = append(holds, h.Reason)
			}
			if !slices.Equal(holds, v.HoldReasons) {
				t.Errorf("holds of %q, reasons %q", holds, v.HoldReasons)
			}
			checkDoubtAnomalies(t, s, c.want)
		})
	}
}

// checkDoubtAnomalies holds that each reason opens an anomaly of its name, and only one.
func checkDoubtAnomalies(t *testing.T, s *charging, want []chargestream.HoldReason) {
	t.Helper()
	open := map[string]int{}
	for _, a := range anomaliesOf(t, s, rated()) {
		open[a.AnomalyID]++
		if a.BillingHold != (a.ClosedAt == 0) || a.OpenedAt == 0 || a.StationID != "st" ||
			a.SessionID != "s" {
			t.Errorf("%+v", a)
		}
		if !a.BillingHold && a.Severity != chargestream.SeverityInfo {
			t.Errorf("%s is over, and a %s", a.AnomalyID, a.Severity)
		}
	}
	for _, reason := range want {
		if id := string(reason) + "/st/s"; open[id] != 1 {
			t.Errorf("%d anomalies of %s: %v", open[id], reason, open)
		}
	}
}

// TestOverlapIsKnownWhenBothAreDue holds that a session that ran beside another is held from the
// later of the two dues on.
func TestOverlapIsKnownWhenBothAreDue(t *testing.T) {
	s := settled(7000, hour)
	s.other("o", 1, 3*hour, 0)
	list := historyOf(t, s, rated())
	if len(list) != 2 || len(list[0].HoldReasons) != 0 ||
		list[1].IssuedAt != begin+3*hour+chargestream.Grace ||
		!slices.Equal(list[1].HoldReasons, holds(chargestream.HoldOverlap)) {
		t.Errorf("%s", showBills(list))
	}
}

// TestTariffDoubts is what a tariff can leave unknown.
func TestTariffDoubts(t *testing.T) {
	free := component{Type: "ENERGY", Price: "0", Step: 1}
	flat := `{"type":"FLAT","price":1,"vat":10,"step_size":1}`
	night := `{"currency":"JPY","elements":[{"price_components":[` + flat + `],` +
		`"restrictions":{"start_time":"22:00","end_time":"06:00"}}]}`
	for _, c := range []struct {
		name    string
		version chargestream.TariffVersion
		want    []chargestream.HoldReason
		lines   int
		total   string
	}{
		{"VAT is not given", versionOf(yesterday, "EUR", component{Type: "ENERGY", Price: "1",
			Step: 1}),
			holds(chargestream.HoldVATUnknown), 1, "7.00"},
		{"VAT of nothing is not given", versionOf(yesterday, "EUR", free), nil, 1, "0.00"},
		{"local time, and no time zone", chargestream.TariffVersion{ValidFrom: yesterday,
			Tariff: []byte(night)}, holds(chargestream.HoldTariffUnsupported), 0, "0"},
		{"not in force yet", versionOf(begin+1, "EUR", free), holds(chargestream.HoldNoTariff), 0,
			"0.00"},
		{"in force from the start on", versionOf(begin, "EUR", free), nil, 1, "0.00"},
	} {
		book := newShelf()
		book.register(yesterday, &chargestream.StationInfo{StationID: "st", TariffID: "t"})
		book.publish(yesterday, "t", c.version)
		v := bill(t, settled(7000, hour), book)
		if !slices.Equal(v.HoldReasons, c.want) || len(v.Lines) != c.lines ||
			v.TotalExclVAT != c.total {
			t.Errorf("%s: %q, %s, %+v", c.name, v.HoldReasons, v.TotalExclVAT, v.Lines)
		}
	}
}

// TestCalibratedConnector holds that its bill waits for signed values of begin and end, that
// contradict nothing. The registry has no key here, so whatever is signed is not verified either.
func TestCalibratedConnector(t *testing.T) {
	text := func(page, reason, value, status string) string {
		return `OCMF|{"FV":"1.0","PG":"` + page +
			`","MS":"m-1","RD":[{"TM":"2026-03-02T00:00:00,000+0000 S",` +
			`"TX":"` + reason + `","RV":` + value + `,"RI":"1-b:1.8.0","RU":"kWh","ST":"` + status +
			`"}]}|{"SD":"30"}`
	}
	first, last := text("T1", "B", "1.000", "G"), text("T2", "E", "8.000", "G")
	calibrated := &chargestream.StationInfo{StationID: "st", TariffID: "t",
		Connectors: []chargestream.ConnectorInfo{{ConnectorID: "1", Calibrated: true,
			MeterSerial: "m-1"}}}
	plain := &chargestream.StationInfo{StationID: "st", TariffID: "t"}
	for _, c := range []struct {
		name   string
		info   *chargestream.StationInfo
		energy chargestream.WattHours
		texts  []string
		want   []chargestream.HoldReason
	}{
		{"nothing is signed", calibrated, 7000, nil, holds(chargestream.HoldSignedMissing)},
		{"nothing need be signed", plain, 7000, nil, nil},
		{"the begin only", calibrated, 7000, []string{first},
			holds(chargestream.HoldSignedMissing)},
		{"the begin only, where nothing need be", plain, 7000, []string{first}, nil},
		{"both", calibrated, 7000, []string{first, last}, nil},
		{"both, two Wh apart", calibrated, 7002, []string{first, last}, nil},
		{"both, three Wh apart", calibrated, 7003, []string{first, last},
			holds(chargestream.HoldSignedMismatch)},
		{"both, three Wh apart below", calibrated, 6997, []string{first, last},
			holds(chargestream.HoldSignedMismatch)},
		{"not readable", calibrated, 7000, []string{"OCMF|?|?"},
			holds(chargestream.HoldSignedInvalid, chargestream.HoldSignedMissing)},
		{"not readable, where nothing need be", plain, 7000, []string{"OCMF|?|?"}, nil},
		{"a page is missing", calibrated, 7000, []string{first, text("T3", "E", "8.000", "G")},
			holds(chargestream.HoldSignedInvalid)},
		{"a bad status", calibrated, 7000, []string{first, text("T2", "E", "8.000", "T")},
			holds(chargestream.HoldSignedInvalid, chargestream.HoldSignedMissing)},
	} {
		t.Run(c.name, func(t *testing.T) {
			book := rated()
			book.register(yesterday+2, c.info)
			s := settled(c.energy, hour)
			for i, text := range c.texts {
				at := begin + chargestream.Millis(i)*hour
				s.add(&chargestream.MeterValue{StationID: "st", ConnectorID: "1", SessionID: "s",
					Time: at, Signed: text}, at)
			}
			v := bill(t, s, book)
			if c.info == calibrated && len(c.texts) > 0 {
				c.want = append(c.want, chargestream.HoldSignedUnverified)
			}
			if !slices.Equal(v.HoldReasons, c.want) {
				t.Errorf("%q, want %q", v.HoldReasons, c.want)
			}
			if !slices.Equal(v.SignedData, c.texts) {
				t.Errorf("signed data %q", v.SignedData)
			}
		})
	}
}
