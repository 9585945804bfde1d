package tables_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"chargestream"
	"chargestream/tables"
)

func TestAnomalyChanges(t *testing.T) {
	open := chargestream.Anomaly{AnomalyID: "a", Kind: chargestream.AnomalyConflict,
		OpenedAt:    begin,
		BillingHold: true, Evidence: map[string]string{"start_time": "10:00"}}
	with := func(change func(*chargestream.Anomaly)) chargestream.Anomaly {
		a := open
		change(&a)
		return a
	}
	other := with(func(a *chargestream.Anomaly) { a.AnomalyID = "b" })
	closed := with(func(a *chargestream.Anomaly) { a.ClosedAt = begin + 7 })
	withdrawn := with(func(a *chargestream.Anomaly) {
		a.ClosedAt, a.BillingHold = noon, false
		a.Evidence = map[string]string{"start_time": "10:00", tables.EvidenceWithdrawn: "true"}
	})
	told := with(func(a *chargestream.Anomaly) {
		a.Evidence = map[string]string{"start_time": "9:00"}
	})
	skew := with(func(a *chargestream.Anomaly) {
		a.Kind, a.ClosedAt = chargestream.AnomalyClockSkew, begin+7
	})
	list := func(a ...chargestream.Anomaly) []chargestream.Anomaly { return a }
	for _, c := range []struct {
		name        string
		before, now []chargestream.Anomaly
		want        []chargestream.Anomaly
	}{
		{"none", nil, nil, nil},
		{"opens", nil, list(open), list(open)},
		{"stays", list(open), list(open), nil},
		{"order is no change", list(open, other), list(other, open), nil},
		{"closes", list(open), list(closed), list(closed)},
		{"tells something else", list(open), list(told), list(told)},
		{"one of two opens", list(open), list(open, other), list(other)},
		{"withdrawn", list(open), nil, list(withdrawn)},
		{"day of skew is forgotten", list(skew), nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := tables.AnomalyChanges(c.before, c.now, noon)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if len(c.before) > 0 && c.before[0].Evidence[tables.EvidenceWithdrawn] != "" {
				t.Error("the evidence of what was before has changed")
			}
		})
	}
	early := tables.AnomalyChanges(list(open), nil, begin-1)
	if len(early) != 1 || early[0].ClosedAt != begin {
		t.Errorf("closed before it was opened: %+v", early)
	}
}

// TestAnomaliesAreTold holds for random rows that each anomaly has an id of its own and says
// what it is of.
func TestAnomaliesAreTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hour, session := drawHour(t), drawSession(t)
		session.StationID = "st"
		history := must(
			session.History(
				"s",
				bookOf("EUR", component{"FLAT", "1", "20", 1}),
				begin+chargestream.Day,
			),
		)
		list := append(hour.Overlaps(hourKey), session.Anomalies("s", history)...)
		seen := map[string]bool{}
		for _, a := range list {
			if seen[a.AnomalyID] || a.AnomalyID == "" {
				t.Fatalf("id %q again", a.AnomalyID)
			}
			seen[a.AnomalyID] = true
			if a.OpenedAt == 0 || a.Kind == "" || a.Severity == "" || a.SessionID == "" {
				t.Fatalf("%+v", a)
			}
			if a.ClosedAt != 0 && a.ClosedAt < a.OpenedAt {
				t.Fatalf("closed before it was opened: %+v", a)
			}
		}
	})
}

func TestSkewClosesWithTheDay(t *testing.T) {
	row := &tables.Station{}
	var out tables.StationEffects
	row.Fold(&chargestream.Heartbeat{StationID: "st", Time: noon + 6*chargestream.Minute}, noon,
		&out)
	row.Fold(&chargestream.Heartbeat{StationID: "st", Time: noon + 9*chargestream.Minute}, noon+1,
		&out)
	want := []chargestream.Anomaly{{AnomalyID: "clock_skew/st/2026-03-02",
		Kind: chargestream.AnomalyClockSkew, Severity: chargestream.SeverityWarning,
		StationID: "st",
		OpenedAt:  noon, BillingHold: true, Evidence: map[string]string{"ahead_ms": "539999"}}}
	if diff := cmp.Diff(want, row.Anomalies()); diff != "" {
		t.Error(diff)
	}
	next := begin + chargestream.Day
	row.Fold(&chargestream.Heartbeat{StationID: "st", Time: next}, next, &out)
	want[0].ClosedAt = next
	if diff := cmp.Diff(want, row.Anomalies()); diff != "" {
		t.Error(diff)
	}
}
