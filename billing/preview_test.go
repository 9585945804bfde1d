package billing_test

import (
	"reflect"
	"testing"

	"chargestream"
	"chargestream/billing"
	"chargestream/internal/tabletest"
	"chargestream/tables"
)

// TestPreview: what a decision would bill is what it bills once it is folded, and what is
// implausible of it is told. An hour on a connector of 22 kW, 0.10 EUR a kWh and 1 EUR each.
func TestPreview(t *testing.T) {
	const at = begin + 3*hour
	for _, c := range []struct {
		name        string
		set         chargestream.Correction
		after       string
		implausible []chargestream.HoldReason
	}{
		{"less energy", chargestream.Correction{Energy: wh(6000)}, "1.60", holds()},
		{"more than the connector gives", chargestream.Correction{Energy: wh(70_000)}, "8.00",
			holds(chargestream.HoldOverPower)},
		{"a shorter time", chargestream.Correction{EndTime: begin + 6*minute}, "1.70",
			holds(chargestream.HoldOverPower)},
		{"another user", chargestream.Correction{UserID: "v"}, "1.70", holds()},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := settled(7000, hour)
			session := s.session(t, rated())
			before := session.Row.Append(nil)
			d := chargestream.Decision{StationID: "st", SessionID: "s", DecisionID: "d", By: "Ada",
				Reason: "seen", Time: at, Action: chargestream.ActionCorrect, Correction: c.set}
			p, err := session.Preview(&d, at)
			if err != nil || p.Before == nil || p.After == nil {
				t.Fatalf("%+v, %v", p, err)
			}
			if p.Before.TotalExclVAT != "1.70" || p.After.TotalExclVAT != c.after {
				t.Errorf("%s becomes %s, want 1.70 and %s", p.Before.TotalExclVAT,
					p.After.TotalExclVAT, c.after)
			}
			var doubts []chargestream.HoldReason
			for _, h := range p.Doubts {
				doubts = append(doubts, h.Reason)
			}
			if !reflect.DeepEqual(doubts, c.implausible) {
				t.Errorf("doubts %v, want %v", doubts, c.implausible)
			}
			if string(session.Row.Append(nil)) != string(before) {
				t.Error("the row was changed")
			}
			s.add(&d, at)
			if v := bill(t, s, rated()); v.InvoiceID != p.After.InvoiceID {
				t.Errorf("the decision makes %+v, the preview was %+v", v, p.After)
			}
		})
	}
}

// TestPreviewOfNothing: a session of which there is no document has no preview.
func TestPreviewOfNothing(t *testing.T) {
	s := &billing.Session{ID: "s", Station: "st", Row: &tables.Session{}, Book: rated()}
	p, err := s.Preview(&chargestream.Decision{Action: chargestream.ActionCancel}, begin)
	if err != nil || p.Before != nil || p.After != nil || p.Doubts != nil {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestPreviewCountsTheOpenQuarter: the newest samples are in the station's row only. The end of a
// session that did not end is set behind them.
func TestPreviewCountsTheOpenQuarter(t *testing.T) {
	rows := tabletest.NewRows()
	fold := func(e chargestream.Event) {
		t.Helper()
		if err := rows.Fold(e, e.At()); err != nil {
			t.Fatal(err)
		}
	}
	fold(&chargestream.SessionStart{StationID: "st", SessionID: "s", ConnectorID: "1", UserID: "u",
		Time: begin, Meter: wh(1000)})
	for _, r := range []tables.Reading{{At: begin + 10*minute, Energy: 2000},
		{At: begin + 50*minute, Energy: 6000}} {
		fold(&chargestream.MeterValue{StationID: "st", SessionID: "s", ConnectorID: "1", Time: r.At,
			Energy: &r.Energy})
	}
	d := chargestream.Decision{StationID: "st", SessionID: "s", DecisionID: "d", By: "Ada",
		Reason: "seen", Time: begin + hour, Action: chargestream.ActionCorrect,
		Correction: chargestream.Correction{EndTime: begin + 55*minute}}
	s := billedOf(rows, "s", rated())
	p, err := s.Preview(&d, begin+2*hour)
	if err != nil || p.After == nil || p.After.Energy != 5000 {
		t.Fatalf("%+v, %v", p.After, err)
	}
	if n := len(rows.Sessions["s"].Quarters); n != 1 {
		t.Errorf("%d quarters: nothing is open, or the row was changed", n)
	}
}
