package views_test

import (
	"testing"

	"chargestream"
	"chargestream/web"

	"github.com/google/go-cmp/cmp"
)

// watch writes anomalies of two stations, one of them closed.
func (c *city) watch(t *testing.T) []chargestream.Anomaly {
	t.Helper()
	all := []chargestream.Anomaly{
		{AnomalyID: "clock_skew/A/2026-01-31", Kind: chargestream.AnomalyClockSkew,
			Severity: chargestream.SeverityWarning, StationID: "A", OpenedAt: moment(0),
			ClosedAt: moment(60), Evidence: map[string]string{"ahead_ms": "300001"}},
		{AnomalyID: "clock_skew/B/2026-01-31", Kind: chargestream.AnomalyClockSkew,
			Severity: chargestream.SeverityWarning, StationID: "B", OpenedAt: moment(0),
			BillingHold: true},
		{AnomalyID: "session_not_ended/s/1", Kind: chargestream.AnomalyNotEnded,
			Severity: chargestream.SeverityInfo, StationID: "A", SessionID: "s/1",
			OpenedAt: moment(0)},
	}
	for _, a := range all {
		put(t, c.anomalies, a.AnomalyID, a)
	}
	return all
}

func TestAnomaliesFilter(t *testing.T) {
	c := newCity()
	all := c.watch(t)
	for what, test := range map[string]struct {
		filter web.AnomalyFilter
		want   []chargestream.Anomaly
	}{
		"all":     {web.AnomalyFilter{}, all},
		"open":    {web.AnomalyFilter{Open: true}, all[1:]},
		"kind":    {web.AnomalyFilter{Kind: chargestream.AnomalyClockSkew}, all[:2]},
		"station": {web.AnomalyFilter{StationID: "B"}, all[1:2]},
		"none": {web.AnomalyFilter{StationID: "B", Kind: chargestream.AnomalyNotEnded},
			[]chargestream.Anomaly{}},
	} {
		test.filter.Page = everything()
		got, err := c.views.Anomalies(t.Context(), test.filter)
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

func TestCorruptAnomalies(t *testing.T) {
	c := newCity()
	all := c.watch(t)
	c.anomalies.set("broken", []byte(`{"anomaly_id":"broken","opened_at":"noon"}`))
	got, err := c.views.Anomalies(t.Context(), web.AnomalyFilter{Page: everything()})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all, got); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	c.wantCorrupt(t, map[string]int{"anomalies": 1}, "broken")
}
