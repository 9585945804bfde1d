package tables_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"chargestream"
	"chargestream/internal/tabletest"
	"chargestream/tables"
)

// TestAnyOrderMakesTheSameRows holds that the rows are the same for any order of the events, any
// duplicates of them, any moments at which timers fire, and any places at which rows are stored and
// read back.
func TestAnyOrderMakesTheSameRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := drawEvents(t)
		again := list[:rapid.IntRange(0, len(list)).Draw(t, "duplicates")]
		want := rowsOf(t, list...)
		if err := want.FireStation(theEnd); err != nil {
			t.Fatal(err)
		}
		order := rapid.Permutation(slices.Concat(list, again)).Draw(t, "order")
		if diff := want.Diff(foldAnyhow(t, order)); diff != "" {
			t.Fatalf("%s\n%s\n%s", diff, tabletest.ShowArrived(list), tabletest.ShowArrived(order))
		}
	})
}

// TestDecisionsInAnyOrder holds the same for decisions that are sent again with other content, at
// the same moment too.
func TestDecisionsInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := []tabletest.Arrived{arrived(&chargestream.SessionStart{StationID: "st",
			SessionID: "s", ConnectorID: "1", UserID: "u", Time: begin + hour}, begin+hour)}
		for range rapid.IntRange(0, 5).Draw(t, "decisions") {
			arrival := begin + chargestream.Millis(rapid.IntRange(0, 1).Draw(t, "arrival"))
			list = append(list, arrived(tabletest.DrawDecision(t, begin, "s"), arrival))
		}
		want := rowsOf(t, list...)
		got := foldAnyhow(t, rapid.Permutation(slices.Concat(list, list)).Draw(t, "order"))
		if err := want.FireStation(theEnd); err != nil {
			t.Fatal(err)
		}
		if diff := want.Diff(got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestFireMovesDue holds that a station that was fired is due later, or never: or it would be fired
// for ever.
func TestFireMovesDue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rowsOf(t, drawEvents(t)...)
		for rows.Station.Due() != 0 {
			now := rows.Station.Due() +
				chargestream.Millis(rapid.IntRange(0, 90_000_000).Draw(t, "later"))
			if err := rows.Station.Fire(rows, now); err != nil {
				t.Fatal(err)
			}
			if due := rows.Station.Due(); due != 0 && due <= now {
				t.Fatalf("fired at %s, due at %s:\n%s", now, due,
					tabletest.ShowStation(rows.Station))
			}
		}
	})
}

// TestOldStatusNeverOverwrites holds that the row shows the newest status, in any order of the
// reports.
func TestOldStatusNeverOverwrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := drawEvents(t)
		newest := map[chargestream.ConnectorID]chargestream.Millis{}
		for _, a := range list {
			if e, ok := a.Event.(*chargestream.StatusReport); ok {
				newest[e.ConnectorID] = max(newest[e.ConnectorID], e.Time)
			}
		}
		rows := rowsOf(t, list...)
		for i := range rows.Station.Connectors {
			c := &rows.Station.Connectors[i]
			if at, ok := newest[c.ID]; ok && c.Statuses[0].At != at {
				t.Fatalf("connector %s shows the status of %s, not of %s", c.ID, c.Statuses[0].At,
					at)
			}
		}
	})
}

// TestStationIsBounded feeds more than a row takes.
func TestStationIsBounded(t *testing.T) {
	rows := tabletest.NewRows()
	for i := range chargestream.Millis(100) {
		connector := chargestream.ConnectorID(fmt.Sprint(int64(i)))
		if full := rows.Station.Full(connector); full != (i >= tables.StationConnectorsMax) {
			t.Fatalf("connector %d: full is %v", i, full)
		}
		if !rows.Station.Full(connector) {
			fold(t, rows, arrived(&chargestream.StatusReport{StationID: "st",
				ConnectorID: connector, Time: begin + i, Status: "free"}, begin+i))
		}
	}
	if rows.Station.Full("0") || rows.Station.Full("") {
		t.Error("a connector that is there, or none, does not fit")
	}
	for i := range chargestream.Millis(20) {
		fold(t, rows, arrived(&chargestream.StatusReport{StationID: "st", ConnectorID: "0",
			Time: begin + hour + i, Status: "free"}, begin+hour+i))
	}
	if list := rows.Station.Connectors[0].Statuses; len(list) != 4 ||
		list[0].At != begin+hour+19 {
		t.Errorf("statuses %+v", list)
	}
	for i := range chargestream.Millis(20) {
		arrival := begin + i*day
		fold(t, rows, arrived(&chargestream.Heartbeat{StationID: "st", Time: arrival + 6*minute},
			arrival))
	}
	if n := len(rows.Station.Skews); n != 8 || rows.Station.Skews[n-1].Day != begin+19*day {
		t.Errorf("skews %+v", rows.Station.Skews)
	}
}

// TestDecisionIsNotOfTheStation holds that a decision changes its session only: it does not show
// that the station is alive, or that its clock is right.
func TestDecisionIsNotOfTheStation(t *testing.T) {
	rows := rowsOf(t, arrived(&chargestream.Decision{StationID: "st", SessionID: "s",
		DecisionID: "d", Time: begin + hour, By: "ada", Action: chargestream.ActionCancel}, begin))
	if s := rows.Station; s.LastSeen != 0 || len(s.Skews) != 0 || len(s.Connectors) != 0 ||
		len(rows.Hours) != 0 {
		t.Errorf("%+v, %d hours", s, len(rows.Hours))
	}
	if len(rows.Sessions) != 1 || len(rows.Sessions["s"].Decisions) != 1 {
		t.Fatalf("%+v", rows.Sessions)
	}
	d := rows.Sessions["s"].Decisions[0]
	if d.Arrival != begin || d.DecisionID != "d" || d.By != "ada" || d.SessionID != "" ||
		d.StationID != "" {
		t.Errorf("%+v", d)
	}
}

// TestHeartbeatChangesNoOtherRow holds that a heartbeat within an hour changes the station's row
// only.
func TestHeartbeatChangesNoOtherRow(t *testing.T) {
	rows := rowsOf(t, statusAt(0, "free"), sampleAt(1, "", 0))
	hours := len(rows.Hours)
	before := rows.Hours[hourKey].Append(nil)
	fold(t, rows, arrived(&chargestream.Heartbeat{StationID: "st", Time: begin + 10*minute},
		begin+10*minute))
	if len(rows.Hours) != hours || !slices.Equal(before, rows.Hours[hourKey].Append(nil)) ||
		len(rows.Sessions) != 0 {
		t.Errorf("hours %v, sessions %v", rows.Hours, rows.Sessions)
	}
	if rows.Station.LastSeen != begin+10*minute {
		t.Errorf("last seen %s", rows.Station.LastSeen)
	}
}

// statusAt is a timely report of connector 1 at a minute.
func statusAt(at chargestream.Millis, word string) tabletest.Arrived {
	return arrived(&chargestream.StatusReport{StationID: "st", ConnectorID: "1", Status: word,
		Time: begin + at*minute}, begin+at*minute)
}

// sampleAt is a sample of connector 1 at a minute that arrives some time later.
func sampleAt(at chargestream.Millis, session chargestream.SessionID,
	delay chargestream.Millis) tabletest.Arrived {
	return arrived(&chargestream.MeterValue{StationID: "st", ConnectorID: "1", SessionID: session,
		Time: begin + at*minute, Energy: of[chargestream.WattHours](7)}, begin+at*minute+delay)
}

// brokenRows are rows of which some cannot be read.
type brokenRows struct {
	*tabletest.Rows
	broken string
}

var errBroken = errors.New("broken")

func (r *brokenRows) failed(what string) error {
	if r.broken == what {
		return errBroken
	}
	return nil
}

// Peek implements tables.Rows.
func (r *brokenRows) Peek(id chargestream.SessionID) (*tables.Session, error) {
	if err := r.failed("peek"); err != nil {
		return nil, err
	}
	return r.Rows.Peek(id)
}

// Session implements tables.Rows.
func (r *brokenRows) Session(id chargestream.SessionID) (*tables.Session, error) {
	if err := r.failed("session"); err != nil {
		return nil, err
	}
	return r.Rows.Session(id)
}

// Hour implements tables.Rows.
func (r *brokenRows) Hour(connector chargestream.ConnectorID, start chargestream.Millis) (
	*tables.Hour, error) {
	if err := r.failed("hour"); err != nil {
		return nil, err
	}
	return r.Rows.Hour(connector, start)
}

// TestFoldReturnsTheErrorOfItsRows holds it for each kind of event and of row that it needs.
func TestFoldReturnsTheErrorOfItsRows(t *testing.T) {
	start, end := startOf("t", 10), endOf("t", 50)
	for _, c := range []struct {
		name   string
		event  tabletest.Arrived
		broken []string
	}{
		{"status", statusAt(20, "free"), []string{"hour", "peek", "session"}},
		{"sample that is flushed", sampleAt(3, "s", 0), []string{"hour", "session"}},
		{"late sample of no session", sampleAt(3, "", hour),
			[]string{"hour", "peek", "session"}},
		{"start", start, []string{"hour", "session", "peek"}},
		{"end", end, []string{"session"}},
		{"record", arrived(&chargestream.SessionRecord{
			Start: *start.Event.(*chargestream.SessionStart),
			End:   *end.Event.(*chargestream.SessionEnd)}, end.Arrival),
			[]string{"hour", "session", "peek"}},
		{"decision", arrived(&chargestream.Decision{StationID: "st", SessionID: "s",
			DecisionID: "d", Correction: chargestream.Correction{EndTime: begin + hour}}, begin),
			[]string{"hour", "session"}},
		{"heartbeat of a later hour", arrived(&chargestream.Heartbeat{StationID: "st",
			Time: begin + 2*hour}, begin+2*hour), []string{"hour"}},
	} {
		for _, what := range []string{"hour", "session", "peek"} {
			rows := &brokenRows{Rows: billedRows(t), broken: what}
			err := rows.Station.Fold(rows, c.event.Event, c.event.Arrival)
			if want := slices.Contains(c.broken, what); errors.Is(err, errBroken) != want {
				t.Errorf("%s, %s broken: error %v", c.name, what, err)
			}
		}
	}
	rows := &brokenRows{Rows: rowsOf(t, sampleAt(3, "s", 0)), broken: "hour"}
	if err := rows.Station.Fire(rows, begin+hour); !errors.Is(err, errBroken) {
		t.Errorf("fire: error %v", err)
	}
}

// TestFoldOfASampleAllocatesNothing holds the cost of the most frequent event: a decoded, timely
// sample of the open quarter hour.
func TestFoldOfASampleAllocatesNothing(t *testing.T) {
	rows := rowsOf(t, statusAt(0, "Charging"), startOf("s", 0), sampleAt(1, "s", 0))
	m := &chargestream.MeterValue{StationID: "st", ConnectorID: "1", SessionID: "s",
		Time: begin + 2*minute, Energy: of[chargestream.WattHours](8),
		Power: of[chargestream.Watts](7000), Current: of[chargestream.Milliamps](16_000),
		SoC: of[chargestream.Permille](500)}
	allocations := testing.AllocsPerRun(1000, func() {
		m.Time += 100
		*m.Energy++
		if err := rows.Fold(m, m.Time+50); err != nil {
			t.Fatal(err)
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
	if last := rows.Station.Connectors[0].Open.Last; last.At != m.Time || last.Energy != *m.Energy {
		t.Errorf("the open quarter ends with %+v", last)
	}
}

// TestAddAllocatesNothing holds it of a sample in its envelope.
func TestAddAllocatesNothing(t *testing.T) {
	m := &chargestream.MeterValue{Time: begin, Energy: of[chargestream.WattHours](8),
		Power: of[chargestream.Watts](7000), Current: of[chargestream.Milliamps](16_000)}
	q := envelope(m)
	allocations := testing.AllocsPerRun(1000, func() {
		m.Time += 100
		*m.Energy++
		q.Add(m)
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
	if q.Last.At != m.Time {
		t.Errorf("the quarter ends with %+v", q.Last)
	}
}
