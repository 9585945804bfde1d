package views_test

import (
	"errors"
	"strings"
	"testing"

	"chargestream"
	"chargestream/tables"
	"chargestream/views"
	"chargestream/web"

	"github.com/google/go-cmp/cmp"
)

// charged is a session of an hour whose station counted 12,345 Wh.
func charged(station chargestream.StationID, user chargestream.UserID) *tables.Session {
	row := &tables.Session{}
	row.Merge(&tables.Session{StationID: station, Heard: moment(90),
		Verdict: tables.Verdict{Known: true},
		Starts: []tables.Start{{Arrival: moment(0), At: moment(0), ConnectorID: "2",
			UserID: user}},
		Ends: []tables.End{{Arrival: moment(60), At: moment(60), Reason: "Local",
			Energy: ptr(chargestream.WattHours(12345))}}})
	return row
}

func TestSession(t *testing.T) {
	c := newCity()
	c.sessions.rows["s/1"] = charged("A", "u1").Append(nil)
	got, err := c.views.Session(t.Context(), "s/1")
	if err != nil {
		t.Fatal(err)
	}
	want := &chargestream.SessionState{SessionID: "s/1", StationID: "A", ConnectorID: "2",
		UserID: "u1", Phase: chargestream.PhaseSettled, StartTime: moment(0), EndTime: moment(60),
		Energy: ptr(chargestream.WattHours(12345)), EndReason: "Local"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("session (-want +got):\n%s", diff)
	}
	if _, err := c.views.Session(t.Context(), "s/2"); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("a session that nobody knows: %v", err)
	}
}

func TestCorruptSession(t *testing.T) {
	c := newCity()
	c.sessions.rows["s/1"] = append(charged("A", "u1").Append(nil), 0)
	for range 2 {
		_, err := c.views.Session(t.Context(), "s/1")
		if !errors.Is(err, views.ErrCorrupt) || !strings.Contains(err.Error(), `"s/1"`) {
			t.Errorf("session: %v", err)
		}
	}
	c.wantCorrupt(t, map[string]int{"sessions-table": 1}, "s/1")
}
