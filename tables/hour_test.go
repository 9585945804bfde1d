package tables_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream"
	"chargestream/internal/tabletest"
	"chargestream/tables"
)

// firstHour is the first hour of connector 1 after some events.
func firstHour(t *testing.T, list ...tabletest.Arrived) *tables.Hour {
	t.Helper()
	row := rowsOf(t, list...).Hours[hourKey]
	if row == nil {
		t.Fatal("there is no such hour")
	}
	return row
}

func ids(list []tables.HourSession) []chargestream.SessionID {
	var names []chargestream.SessionID
	for i := range list {
		names = append(names, list[i].ID)
	}
	return names
}

// TestRan is which sessions of an hour took time.
func TestRan(t *testing.T) {
	names := func(list ...chargestream.SessionID) []chargestream.SessionID { return list }
	for _, c := range []struct {
		name  string
		facts []tabletest.Arrived
		want  []chargestream.SessionID
	}{
		{"by their begin", []tabletest.Arrived{recordOf("a", 39, 50), recordOf("b", 10, 40)},
			names("b", "a")},
		{"of the same begin the first to arrive", []tabletest.Arrived{
			later(recordOf("a", 10, 40), 45), recordOf("b", 10, 40)}, names("b")},
		{"and of the same arrival the first by id", []tabletest.Arrived{recordOf("b", 10, 40),
			recordOf("a", 10, 40)}, names("a")},
		{"none of no length", []tabletest.Arrived{recordOf("a", 10, 10), recordOf("b", 20, 19),
			recordOf("c", 30, 31)}, names("c")},
		{"none without an end", []tabletest.Arrived{startOf("a", 5), recordOf("b", 10, 20)},
			names("b")},
		{"one that began before", []tabletest.Arrived{recordOf("a", -20, 20)}, names("a")},
	} {
		row := firstHour(t, c.facts...)
		if got := ids(row.Ran()); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestOriginOf is the first delivery of a session, by its arrival.
func TestOriginOf(t *testing.T) {
	row := firstHour(t, later(startOf("a", 10), 12), later(startOf("b", 10), 11),
		startOf("c", 20), later(startOf("b", 20), 21))
	for _, c := range []struct {
		id   chargestream.SessionID
		at   chargestream.Millis
		want chargestream.SessionID // empty where it is this one
	}{{"a", 10, "b"}, {"b", 10, ""}, {"b", 20, "c"}, {"c", 20, ""}, {"d", 10, "b"}, {"a", 11, ""}} {
		origin, ok := row.OriginOf(c.id, begin+c.at*minute)
		if ok != (c.want != "") || ok && (origin.ID != c.want || origin.At != begin+c.at*minute) {
			t.Errorf("%s at %d: %+v, %v, want %q", c.id, c.at, origin, ok, c.want)
		}
	}
	if origin, _ := row.OriginOf("a", begin+10*minute); origin.Arrival != begin+11*minute {
		t.Errorf("arrived at %s", origin.Arrival)
	}
}

// TestMeets is which sessions share time.
func TestMeets(t *testing.T) {
	span := func(from, to chargestream.Millis) *tables.HourSession {
		return &tables.HourSession{From: begin + from, To: begin + to}
	}
	for _, c := range []struct {
		a, b *tables.HourSession
		want bool
	}{
		{span(10, 20), span(19, 30), true},
		{span(10, 20), span(20, 30), false},
		{span(10, 20), span(5, 10), false},
		{span(10, 20), span(12, 13), true},
		{span(10, 20), span(10, 20), true},
		{span(10, 20), &tables.HourSession{}, false},
	} {
		if c.a.Meets(c.b) != c.want || c.b.Meets(c.a) != c.want {
			t.Errorf("%+v and %+v, want %v", c.a, c.b, c.want)
		}
	}
}

// TestOverlaps is which sessions that share time an hour reports, each pair once, in the hour in
// which the second began.
func TestOverlaps(t *testing.T) {
	overlap := func(first, second chargestream.SessionID, from,
		to chargestream.Millis) chargestream.Anomaly {
		opened, closed := begin+from*minute, begin+to*minute
		return chargestream.Anomaly{AnomalyID: "overlapping_sessions/st/" + string(first) + "/" +
			string(second), Kind: chargestream.AnomalyOverlap,
			Severity: chargestream.SeverityWarning, StationID: "st", ConnectorID: "1",
			SessionID: second, OpenedAt: opened, ClosedAt: closed,
			Evidence: map[string]string{"other_session_id": string(first),
				"overlap_from": opened.String(), "overlap_to": closed.String()}}
	}
	for _, c := range []struct {
		name  string
		facts []tabletest.Arrived
		want  []chargestream.Anomaly
	}{
		{"one behind the other", []tabletest.Arrived{recordOf("a", 0, 10), recordOf("b", 10, 20)},
			nil},
		{"one over the other", []tabletest.Arrived{recordOf("a", 0, 11), recordOf("b", 10, 20)},
			[]chargestream.Anomaly{overlap("a", "b", 10, 11)}},
		{"two within one", []tabletest.Arrived{recordOf("a", 0, 30), recordOf("b", 10, 20),
			recordOf("c", 25, 40)},
			[]chargestream.Anomaly{overlap("a", "b", 10, 20), overlap("a", "c", 25, 30)}},
		{"the second began before the hour", []tabletest.Arrived{recordOf("a", -30, 30),
			recordOf("b", -10, 20)}, nil},
		{"a duplicate", []tabletest.Arrived{recordOf("a", 10, 20), recordOf("b", 10, 20)}, nil},
	} {
		if diff := cmp.Diff(c.want, firstHour(t, c.facts...).Overlaps(hourKey)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}
