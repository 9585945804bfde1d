package tables_test

import (
	"slices"
	"testing"

	"chargestream"
	"chargestream/tables"
)

// end adds another end of a session.
func addEnd(
	row *tables.Session,
	end tables.End,
) {
	row.Merge(&tables.Session{Ends: []tables.End{end}})
}

// TestDoubtsHoldTheBill is each doubt about a session alone, and what is no doubt.
func TestDoubtsHoldTheBill(t *testing.T) {
	const hour, tolerance = chargestream.Hour, chargestream.SkewTolerance
	second := func(change func(*tables.End)) func(*tables.Session) {
		return func(s *tables.Session) {
			end := s.Ends[0]
			end.Arrival++
			change(&end)
			addEnd(s, end)
		}
	}
	user := func(id chargestream.UserID) func(*tables.Session) {
		return func(s *tables.Session) { s.Starts[0].UserID = id }
	}
	overlap := func(from, to chargestream.Millis, copied bool) func(*tables.Session) {
		return func(s *tables.Session) {
			in := tables.Interval{From: begin + from, To: begin + to, StartArrival: begin + from,
				EndArrival: begin + to, Due: begin + to + chargestream.Grace}
			s.Merge(&tables.Session{Hours: []tables.SessionHour{{ConnectorID: "1", Start: begin,
				Answered: s.Heard, Overlaps: []tables.Overlap{{ID: "o", Interval: in,
					Copy: copied}}}}})
		}
	}
	for _, c := range []struct {
		name   string
		change func(*tables.Session)
		want   []chargestream.HoldReason
	}{
		{"none", func(*tables.Session) {}, nil},
		{"copy", func(s *tables.Session) {
			s.Verdict.DuplicateOf = tables.Origin{ID: "o",
				At: begin}
		},
			holds(chargestream.HoldDuplicate)},
		{"ends before it starts", func(s *tables.Session) { s.Ends[0].At = begin - 1 },
			holds(chargestream.HoldNegativeDuration)},
		{"clock ahead at the end",
			func(s *tables.Session) { s.Ends[0].Arrival = begin + hour - tolerance - 1 },
			holds(chargestream.HoldClockSkew)},
		{"clock ahead at the start", func(s *tables.Session) {
			s.Starts[0].Arrival -= tolerance +
				1
		},
			holds(chargestream.HoldClockSkew)},
		{"clock a little ahead", func(s *tables.Session) { s.Starts[0].Arrival -= tolerance }, nil},
		{"another start", func(s *tables.Session) {
			start := s.Starts[0]
			start.Arrival, start.UserID = start.Arrival+1, "v"
			s.Merge(&tables.Session{Starts: []tables.Start{start}})
		}, holds(chargestream.HoldConflict)},
		{"another reason of the end", second(func(e *tables.End) { e.Reason = "Local" }), nil},
		{"a minute later", second(func(e *tables.End) { e.At += chargestream.Minute }), nil},
		{"a minute earlier", second(func(e *tables.End) { e.At -= chargestream.Minute }), nil},
		{"more than a minute later", second(func(e *tables.End) {
			e.At += chargestream.Minute +
				1
		}),
			holds(chargestream.HoldConflict)},
		{"more than a minute earlier", second(func(e *tables.End) {
			e.At -= chargestream.Minute +
				1
		}),
			holds(chargestream.HoldConflict)},
		{"other energy", second(func(e *tables.End) { e.Energy = wh(1) }),
			holds(chargestream.HoldConflict)},
		{"other register", second(func(e *tables.End) { e.Meter = wh(1) }),
			holds(chargestream.HoldConflict)},
		{"a connector where none was named", second(func(e *tables.End) { e.ConnectorID = "1" }),
			nil},
		{"overlap", overlap(hour-1, 2*hour, false), holds(chargestream.HoldOverlap)},
		{"overlap with a copy", overlap(hour-1, 2*hour, true), nil},
		{"one behind the other", overlap(hour, 2*hour, false), nil},
		{"one before the other", overlap(-hour, 0, false), nil},
		{"nobody", user(""), holds(chargestream.HoldUnknownUser)},
		{"blank", user("  "), holds(chargestream.HoldUnknownUser)},
		{"unknown", user("Unknown"), holds(chargestream.HoldUnknownUser)},
		{"anonymous", user("ANONYMOUS"), holds(chargestream.HoldUnknownUser)},
		{"none, in words", user("none"), holds(chargestream.HoldUnknownUser)},
		{"null", user("null"), holds(chargestream.HoldUnknownUser)},
		{"n/a", user("N/A"), holds(chargestream.HoldUnknownUser)},
		{"zeros", user("00000000"), holds(chargestream.HoldUnknownUser)},
		{"zeros and a one", user("00000001"), nil},
		{"somebody of a strange name", user("nullable"), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			row := settled(700, hour) // what can be delivered in no time at all
			c.change(row)
			v := bill(t, row, rated())
			if !slices.Equal(v.HoldReasons, c.want) ||
				(v.Status == chargestream.StatusHeld) != (len(c.want) > 0) {
				t.Errorf("%s, %q, want %q", v.Status, v.HoldReasons, c.want)
			}
			checkDoubtAnomalies(t, row, c.want)
		})
	}
}

// checkDoubtAnomalies holds that each reason opens an anomaly of its name, and only one.
func checkDoubtAnomalies(t *testing.T, row *tables.Session, want []chargestream.HoldReason) {
	t.Helper()
	row.Told = row.Heard
	open := map[string]int{}
	for _, a := range row.Anomalies("s", historyOf(t, row, rated())) {
		open[a.AnomalyID]++
		if a.BillingHold != (a.ClosedAt == 0) || a.OpenedAt == 0 {
			t.Errorf("%+v", a)
		}
		if !a.BillingHold && a.Severity != chargestream.SeverityInfo {
			t.Errorf("%s is over, and a %s", a.AnomalyID, a.Severity)
		}
	}
	for _, reason := range want {
		if open[string(reason)+"/s"] != 1 {
			t.Errorf("%d anomalies of %s: %v", open[string(reason)+"/s"], reason, open)
		}
	}
}

// TestOverlapIsKnownWhenBothAreDue holds that a session that ran beside another is held from the
// later of the two dues on.
func TestOverlapIsKnownWhenBothAreDue(t *testing.T) {
	row := settled(7000, chargestream.Hour)
	end := begin + 3*chargestream.Hour
	row.Merge(&tables.Session{Hours: []tables.SessionHour{{ConnectorID: "1", Start: begin,
		Answered: row.Heard, Overlaps: []tables.Overlap{{ID: "o", Interval: tables.Interval{
			From: begin + 1, To: end, StartArrival: begin + 1, EndArrival: end,
			Due: end + chargestream.Grace}}}}}})
	list := historyOf(t, row, rated())
	if len(list) != 2 || len(list[0].HoldReasons) != 0 ||
		list[1].IssuedAt != end+chargestream.Grace ||
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
		{"VAT is not told", versionOf(yesterday, "EUR", component{Type: "ENERGY", Price: "1",
			Step: 1}),
			holds(chargestream.HoldVATUnknown), 1, "7.00"},
		{"VAT of nothing is not told", versionOf(yesterday, "EUR", free), nil, 1, "0.00"},
		{"local time, and no time zone", chargestream.TariffVersion{ValidFrom: yesterday,
			Tariff: []byte(night)}, holds(chargestream.HoldTariffUnsupported), 0, "0"},
		{"not in force yet", versionOf(begin+1, "EUR", free), holds(chargestream.HoldNoTariff), 0,
			"0.00"},
		{"in force from the start on", versionOf(begin, "EUR", free), nil, 1, "0.00"},
	} {
		book := newShelf()
		book.register(yesterday, &chargestream.StationInfo{StationID: "st", TariffID: "t"})
		book.publish(yesterday, "t", c.version)
		v := bill(t, settled(7000, chargestream.Hour), book)
		if !slices.Equal(v.HoldReasons, c.want) || len(v.Lines) != c.lines ||
			v.TotalExclVAT != c.total {
			t.Errorf("%s: %q, %s, %+v", c.name, v.HoldReasons, v.TotalExclVAT, v.Lines)
		}
	}
}

// TestCalibratedConnector holds that its bill waits for signed values of begin and end, that
// contradict nothing.
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
			row := settled(c.energy, chargestream.Hour)
			for i, text := range c.texts {
				at := begin + chargestream.Millis(i)*chargestream.Hour
				row.Merge(
					&tables.Session{Signed: []tables.Signed{{At: at, Arrival: at, Text: text}}},
				)
			}
			v := bill(t, row, book)
			if !slices.Equal(v.HoldReasons, c.want) {
				t.Errorf("%q, want %q", v.HoldReasons, c.want)
			}
			if !slices.Equal(v.SignedData, c.texts) {
				t.Errorf("signed data %q", v.SignedData)
			}
		})
	}
}
