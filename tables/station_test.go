package tables_test

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"chargestream"
	"chargestream/tables"
)

// folded is a station's row and what it handed on, merged as the other tables would.
type folded struct {
	row      *tables.Station
	sessions map[chargestream.SessionID]*tables.Session
	hours    map[tables.HourKey]*tables.Hour
}

func foldAll(list []arrived, end chargestream.Millis) *folded {
	f := &folded{row: &tables.Station{}, sessions: map[chargestream.SessionID]*tables.Session{},
		hours: map[tables.HourKey]*tables.Hour{}}
	var out tables.StationEffects
	for _, a := range list {
		f.row.Fold(a.event, a.arrival, &out)
	}
	for due := f.row.Due(); due != 0 && due <= end; due = f.row.Due() {
		f.row.Fire(due, &out)
	}
	for i := range out.Sessions {
		p := &out.Sessions[i]
		if f.sessions[p.ID] == nil {
			f.sessions[p.ID] = &tables.Session{}
		}
		f.sessions[p.ID].Merge(&p.Row)
	}
	for i := range out.Hours {
		p := &out.Hours[i]
		if f.hours[p.Key] == nil {
			f.hours[p.Key] = &tables.Hour{}
		}
		f.hours[p.Key].Merge(&p.Row)
	}
	return f
}

// differ tells where two stations, or what they handed on, differ; empty where they do not.
func (f *folded) differ(o *folded) string {
	if !bytes.Equal(f.row.Append(nil), o.row.Append(nil)) {
		return fmt.Sprintf("rows:\n%+v\n%+v", f.row, o.row)
	}
	if a, b := sorted(f.sessions), sorted(o.sessions); !slices.Equal(a, b) {
		return fmt.Sprintf("sessions %v, %v", a, b)
	}
	for id, s := range f.sessions {
		if !bytes.Equal(s.Append(nil), o.sessions[id].Append(nil)) {
			return fmt.Sprintf("session %s:\n%+v\n%+v", id, s, o.sessions[id])
		}
	}
	for key, h := range f.hours {
		if p := o.hours[key]; p == nil || !bytes.Equal(h.Append(nil), p.Append(nil)) {
			return fmt.Sprintf("hour %s:\n%+v\n%+v", key, h, p)
		}
	}
	if len(f.hours) != len(o.hours) {
		return fmt.Sprintf("%d hours, %d hours", len(f.hours), len(o.hours))
	}
	return ""
}

func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// TestStationFoldsInAnyOrder holds that the row, and what it hands on in the end, is the same for
// any order of the events and any duplicates of them.
func TestStationFoldsInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := drawEvents(t)
		again := list[:rapid.IntRange(0, len(list)).Draw(t, "duplicates")]
		shuffled := rapid.Permutation(slices.Concat(list, again)).Draw(t, "order")
		end := begin + 20*chargestream.Day
		if diff := foldAll(list, end).differ(foldAll(shuffled, end)); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestFireMovesDue holds that after a firing the row is due later, or never: or it would be fired
// for ever.
func TestFireMovesDue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		row := &tables.Station{}
		var out tables.StationEffects
		for _, a := range drawEvents(t) {
			row.Fold(a.event, a.arrival, &out)
		}
		for row.Due() != 0 {
			now := row.Due() + chargestream.Millis(rapid.IntRange(0, 90_000_000).Draw(t, "later"))
			row.Fire(now, &out)
			if due := row.Due(); due != 0 && due <= now {
				t.Fatalf("fired at %s, due at %s: %+v", now, due, row.Pending)
			}
		}
		if len(row.Pending) != 0 {
			t.Fatalf("pending for ever: %+v", row.Pending)
		}
	})
}

// TestOldStatusNeverOverwrites holds that the newest status is told, however the reports come.
func TestOldStatusNeverOverwrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		row := &tables.Station{}
		var out tables.StationEffects
		newest := map[chargestream.ConnectorID]chargestream.Millis{}
		for _, a := range drawEvents(t) {
			row.Fold(a.event, a.arrival, &out)
			if e, ok := a.event.(*chargestream.StatusReport); ok {
				newest[e.ConnectorID] = max(newest[e.ConnectorID], e.Time)
			}
		}
		for i := range row.Connectors {
			c := &row.Connectors[i]
			if at, ok := newest[c.ID]; ok && c.Statuses[0].At != at {
				t.Fatalf("connector %s tells the status of %s, not of %s", c.ID, c.Statuses[0].At,
					at)
			}
		}
	})
}

// TestStationIsBounded feeds more than a row takes.
func TestStationIsBounded(t *testing.T) {
	row := &tables.Station{}
	var out tables.StationEffects
	for i := range chargestream.Millis(100) {
		connector := chargestream.ConnectorID(fmt.Sprint(int64(i)))
		if full := row.Full(connector); full != (i >= tables.StationConnectorsMax) {
			t.Fatalf("connector %d: full is %v", i, full)
		}
		if !row.Full(connector) {
			row.Fold(&chargestream.StatusReport{StationID: "st", ConnectorID: connector,
				Time: begin + i, Status: "free"}, begin+i, &out)
		}
	}
	if row.Full("0") || row.Full("") {
		t.Error("a connector that is there, or none, does not fit")
	}
	for i := range chargestream.Millis(2 * tables.StationPendingMax) {
		row.Fold(&chargestream.SessionStart{StationID: "st", ConnectorID: "1", UserID: "u",
			SessionID: chargestream.SessionID(fmt.Sprint(int64(i))), Time: begin + i}, begin+i,
			&out)
	}
	row.Fire(begin+chargestream.Minute, &out)
	if len(row.Pending) != tables.StationPendingMax {
		t.Errorf("%d pending", len(row.Pending))
	}
	for day := range chargestream.Millis(20) {
		arrival := begin + day*chargestream.Day
		row.Fold(&chargestream.Heartbeat{StationID: "st",
			Time: arrival + 6*chargestream.Minute}, arrival, &out)
	}
	if n := len(row.Skews); n != 8 || row.Skews[n-1].Day != begin+19*chargestream.Day {
		t.Errorf("skews %+v", row.Skews)
	}
}
