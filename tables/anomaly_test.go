package tables_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"chargestream"
	"chargestream/internal/tabletest"
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
	changed := with(func(a *chargestream.Anomaly) {
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
		{"shows something else", list(open), list(changed), list(changed)},
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

// TestOverlapsAreComplete holds for random hours that each anomaly has an id of its own and names
// what it is of.
func TestOverlapsAreComplete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seen := map[string]bool{}
		for _, a := range drawHour(t).Overlaps(hourKey) {
			if seen[a.AnomalyID] || a.AnomalyID == "" {
				t.Fatalf("id %q again", a.AnomalyID)
			}
			seen[a.AnomalyID] = true
			if a.OpenedAt == 0 || a.Kind == "" || a.Severity == "" || a.SessionID == "" {
				t.Fatalf("%+v", a)
			}
			if a.ClosedAt < a.OpenedAt {
				t.Fatalf("closed before it was opened: %+v", a)
			}
		}
	})
}

func TestSkewClosesWithTheDay(t *testing.T) {
	beat := func(at, arrival chargestream.Millis) tabletest.Arrived {
		return arrived(&chargestream.Heartbeat{StationID: "st", Time: at}, arrival)
	}
	rows := rowsOf(t, beat(noon+6*minute, noon), beat(noon+9*minute, noon+1))
	want := []chargestream.Anomaly{{AnomalyID: "clock_skew/st/2026-03-02",
		Kind: chargestream.AnomalyClockSkew, Severity: chargestream.SeverityWarning,
		StationID: "st",
		OpenedAt:  noon, BillingHold: true, Evidence: map[string]string{"ahead_ms": "539999"}}}
	if diff := cmp.Diff(want, rows.Station.Anomalies()); diff != "" {
		t.Error(diff)
	}
	next := begin + day
	fold(t, rows, beat(next, next))
	want[0].ClosedAt = next
	if diff := cmp.Diff(want, rows.Station.Anomalies()); diff != "" {
		t.Error(diff)
	}
}
