package views_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"chargestream"
	"chargestream/engine"
	"chargestream/tables"
	"chargestream/views"
	"chargestream/web"

	"github.com/google/go-cmp/cmp"
)

// charged is a session of an hour that its station measured at 12,345 Wh.
func charged(start chargestream.Millis, user chargestream.UserID) *tables.Session {
	end := start + chargestream.Hour
	return &tables.Session{Low: start, LastStart: start, LastEnd: end,
		Starts: []tables.Start{{Arrival: start, At: start, ReportedAt: start, ConnectorID: "2",
			UserID: user}},
		Ends: []tables.End{{Arrival: end, At: end, ReportedAt: end, Reason: "Local",
			Energy: ptr(chargestream.WattHours(12345))}},
		Marks: tables.Marks{BilledUpTo: end + chargestream.Hour}}
}

// charge writes a session.
func (c *city) charge(
	station chargestream.StationID, id chargestream.SessionID, row *tables.Session,
) {
	c.sessions.set(engine.RowKey(string(station), string(id)), row.Append(nil))
}

func TestSession(t *testing.T) {
	c := newCity()
	c.charge("A/1", "s/1", charged(moment(0), "u1"))
	c.charge("A", "s/1x", charged(moment(0), "u2"))
	c.charge("A", "s", charged(moment(0), "u2"))
	want := &chargestream.SessionState{SessionID: "s/1", StationID: "A/1", ConnectorID: "2",
		UserID: "u1", Phase: chargestream.PhaseSettled, StartTime: moment(0), EndTime: moment(60),
		Energy: ptr(chargestream.WattHours(12345)), EndReason: "Local"}
	for _, station := range []chargestream.StationID{"", "A/1"} {
		got, err := c.views.Session(t.Context(), "s/1", station)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("session at %q (-want +got):\n%s", station, diff)
		}
	}
	for _, missing := range [][2]string{{"s/2", ""}, {"s/", ""}, {"", ""}, {"s/1", "A"},
		{"1/s/1", "A"}} {
		id, at := chargestream.SessionID(missing[0]), chargestream.StationID(missing[1])
		if _, err := c.views.Session(t.Context(), id, at); !errors.Is(err, web.ErrNotFound) {
			t.Errorf("session %q at %q is not there: %v", id, at, err)
		}
	}
}

// TestSessionAtSeveralStations: the same id at two stations is two sessions.
func TestSessionAtSeveralStations(t *testing.T) {
	c := newCity()
	c.charge("C", "s/1", charged(moment(30), "u3"))
	c.charge("A", "s/1", charged(moment(0), "u1"))
	c.charge("B/1", "s/1", charged(moment(60), "u2"))
	c.charge("orphan", "s/1", &tables.Session{Ends: charged(moment(90), "").Ends})
	c.charge("A", "s/10", charged(moment(90), "u1"))
	check := func(at, user string, also ...chargestream.StationID) {
		t.Helper()
		got, err := c.views.Session(t.Context(), "s/1", chargestream.StationID(at))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(also, got.AlsoAtStations); string(got.UserID) != user || diff != "" {
			t.Errorf("at %q: the session of %s at %s, also at (-want +got):\n%s", at, got.UserID,
				got.StationID, diff)
		}
	}
	shared := func(want int64) {
		t.Helper()
		if got := c.views.SharedSessionIDs(); got != want {
			t.Errorf("%d ids at several stations, want %d", got, want)
		}
	}
	shared(1)
	check("", "u2", "A", "C", "orphan")
	check("C", "u3")
	c.charge("A", "s/1", charged(moment(120), "u4"))
	check("", "u4", "B/1", "C", "orphan")
	c.sessions.set("A/s/1", nil)
	c.sessions.set("orphan/s/1", nil)
	check("", "u2", "C")
	shared(1)
	c.sessions.set("B%2F1/s/1", nil)
	c.sessions.set("B%2F1/s/1", nil)
	check("", "u3")
	shared(0)
	if _, err := c.views.Session(t.Context(), "s/1", "A"); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("a session that was deleted: %v", err)
	}
}

// TestSessionAtManyStations: an answer names a bounded number of stations.
func TestSessionAtManyStations(t *testing.T) {
	const stations = 300
	c := newCity()
	for i := range stations {
		id := chargestream.StationID(fmt.Sprintf("%03d", i))
		c.charge(id, "1", charged(moment(i), "u1"))
	}
	got, err := c.views.Session(t.Context(), "1", "")
	if err != nil {
		t.Fatal(err)
	}
	if got.StationID != "299" || len(got.AlsoAtStations) != 100 ||
		got.AlsoAtStations[99] != "099" {
		t.Errorf("the session at %s, also at %q", got.StationID, got.AlsoAtStations)
	}
}

func TestCorruptSession(t *testing.T) {
	c := newCity()
	c.sessions.set("A/s/1", append(charged(moment(60), "u1").Append(nil), 0))
	c.sessions.set("s1", charged(moment(0), "u1").Append(nil)) // a key of an earlier layout
	for range 2 {
		for _, at := range []chargestream.StationID{"", "A"} {
			_, err := c.views.Session(t.Context(), "s/1", at)
			if !errors.Is(err, views.ErrCorrupt) || !strings.Contains(err.Error(), `"A/s/1"`) {
				t.Errorf("session at %q: %v", at, err)
			}
		}
	}
	// Another station's session can be read: it is the answer, which names both.
	c.charge("B", "s/1", charged(moment(0), "u2"))
	got, err := c.views.Session(t.Context(), "s/1", "")
	if err != nil || got.StationID != "B" ||
		!cmp.Equal(got.AlsoAtStations, []chargestream.StationID{"A"}) {
		t.Errorf("session %+v, %v", got, err)
	}
	c.wantCorrupt(t, map[string]int{"sessions-table": 1}, "A/s/1")
}
