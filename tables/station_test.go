package tables_test

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
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
		facts(&p.Row)
		if len(p.Row.Append(nil)) == len((&tables.Hour{}).Append(nil)) && !p.Row.Through {
			continue // it has nothing but a span
		}
		if f.hours[p.Key] == nil {
			f.hours[p.Key] = &tables.Hour{}
		}
		f.hours[p.Key].Merge(&p.Row)
	}
	return f
}

// facts takes from a window what hangs on the order of reading: see tables.Facts.
func facts(row *tables.Hour) {
	for i := range row.Stays {
		row.Stays[i].Span = tables.Interval{}
	}
	row.Stays = slices.DeleteFunc(row.Stays, func(s tables.Stay) bool {
		return len(s.Begins) == 0 && s.Interval.From == 0
	})
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

// foldLate folds two late facts of a session, and one of a window, that are known at two moments.
func foldLate(row *tables.Station, out *tables.StationEffects) {
	for _, late := range []chargestream.Millis{5 * hour, 4*hour + 1, 4*hour + quarter} {
		row.Fold(&chargestream.SessionEnd{StationID: "st", SessionID: "s", ConnectorID: "1",
			Time: begin + hour}, begin+late, out)
	}
	row.Fold(&chargestream.StatusReport{StationID: "st", ConnectorID: "1", Status: "free",
		Time: begin + hour + minute}, begin+4*hour+2, out)
	row.Fold(&chargestream.MeterValue{StationID: "st", ConnectorID: "2", Time: begin + 2*hour},
		begin+4*hour+3, out)
	row.Fold(&chargestream.MeterValue{StationID: "st", ConnectorID: "2", Time: begin + 2*hour,
		SessionID: "t"}, begin+4*hour+3, out)
	row.Fold(&chargestream.Decision{StationID: "st", SessionID: "d", DecisionID: "x",
		Time: begin}, begin+4*hour+4, out)
}

// TestLateFactsTick holds that each late fact, and each decision, is told when it is known: to its
// session, or to its window where it names none.
func TestLateFactsTick(t *testing.T) {
	row := &tables.Station{}
	var out tables.StationEffects
	foldLate(row, &out)
	raster := begin + 4*hour + quarter
	want := []tables.Tick{{At: begin + 4*hour + 4, ID: "d"},
		{At: raster, ConnectorID: "1", Hour: begin + hour},
		{At: raster, ConnectorID: "2", Hour: begin + 2*hour},
		{At: raster, ID: "s"}, {At: raster, ID: "t"}, {At: begin + 5*hour, ID: "s"}}
	if diff := gocmp.Diff(want, row.Ticks); diff != "" {
		t.Error(diff)
	}
	out = tables.StationEffects{}
	row.Fire(raster, &out)
	heard := map[string]chargestream.Millis{}
	for _, p := range out.Sessions {
		if p.Row.Heard != 0 {
			heard[string(p.ID)] = max(heard[string(p.ID)], p.Row.Heard)
		}
	}
	for _, p := range out.Hours {
		if p.Row.Heard != 0 {
			heard[string(p.Key.ConnectorID)] = p.Row.Heard
		}
	}
	told := map[string]chargestream.Millis{"d": begin + 4*hour + 4, "s": raster, "t": raster,
		"1": raster, "2": raster}
	if diff := gocmp.Diff(told, heard); diff != "" {
		t.Error(diff)
	}
	if len(row.Ticks) != 1 || row.Ticks[0].At != begin+5*hour {
		t.Errorf("ticks %+v", row.Ticks)
	}
}

// TestTimelyFactsDoNotTick holds that what comes within the grace makes no tick.
func TestTimelyFactsDoNotTick(t *testing.T) {
	row := &tables.Station{}
	var out tables.StationEffects
	for _, e := range []chargestream.Event{
		&chargestream.SessionStart{StationID: "st", SessionID: "s", ConnectorID: "1", Time: begin},
		&chargestream.SessionEnd{StationID: "st", SessionID: "s", ConnectorID: "1", Time: begin},
		&chargestream.StatusReport{StationID: "st", ConnectorID: "1", Status: "free", Time: begin},
		&chargestream.MeterValue{StationID: "st", ConnectorID: "1", Time: begin},
		&chargestream.Heartbeat{StationID: "st", Time: begin - hour}} {
		row.Fold(e, begin+chargestream.Grace, &out)
	}
	if len(row.Ticks) != 0 {
		t.Errorf("ticks %+v", row.Ticks)
	}
}

// TestDecisionIsNoWordOfTheStation holds that a decision goes to its session, and says nothing of
// whether the station is alive or its clock right.
func TestDecisionIsNoWordOfTheStation(t *testing.T) {
	row := &tables.Station{}
	var out tables.StationEffects
	row.Fold(&chargestream.Decision{StationID: "st", SessionID: "s", DecisionID: "d",
		Time: begin + hour, By: "ada", Action: chargestream.ActionCancel}, begin, &out)
	if row.LastSeen != 0 || len(row.Skews) != 0 || row.ID != "st" || len(out.Hours) != 0 {
		t.Errorf("%+v", row)
	}
	if len(out.Sessions) != 1 || out.Sessions[0].ID != "s" ||
		len(out.Sessions[0].Row.Decisions) != 1 {
		t.Fatalf("%+v", out.Sessions)
	}
	d := out.Sessions[0].Row.Decisions[0]
	if d.Arrival != begin || d.DecisionID != "d" || d.By != "ada" || d.SessionID != "" {
		t.Errorf("%+v", d)
	}
}

// TestTicksAreBounded holds that a station that tells of too much at once is told before its time,
// and forgets nothing.
func TestTicksAreBounded(t *testing.T) {
	const n = 2 * tables.StationTicksMax
	row := &tables.Station{}
	var out tables.StationEffects
	for i := range chargestream.Millis(n) {
		row.Fold(&chargestream.Decision{StationID: "st", DecisionID: "d", Time: begin,
			SessionID: chargestream.SessionID(fmt.Sprint(int64(i)))}, begin+hour+i, &out)
	}
	if !row.Crowded() {
		t.Error("not crowded")
	}
	out = tables.StationEffects{}
	row.Fire(begin, &out)
	if row.Crowded() || len(row.Ticks)+len(out.Sessions) != n {
		t.Errorf("%d ticks are left, %d were told", len(row.Ticks), len(out.Sessions))
	}
}
