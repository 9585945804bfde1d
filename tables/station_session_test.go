package tables_test

import (
	"bytes"
	"slices"
	"testing"

	"chargestream"
	"chargestream/internal/tabletest"
	"chargestream/tables"
)

// later is an event that arrives at another minute.
func later(a tabletest.Arrived, at chargestream.Millis) tabletest.Arrived {
	a.Arrival = begin + at*minute
	return a
}

// recordOf is a session on connector 1 from one minute to another, as one record.
func recordOf(id chargestream.SessionID, from, to chargestream.Millis) tabletest.Arrived {
	return arrived(&chargestream.SessionRecord{
		Start: *startOf(id, from).Event.(*chargestream.SessionStart),
		End:   *endOf(id, to).Event.(*chargestream.SessionEnd)}, begin+to*minute)
}

// decisionAt is a decision about the session s at a minute.
func decisionAt(at chargestream.Millis, c chargestream.Correction) tabletest.Arrived {
	return arrived(&chargestream.Decision{StationID: "st", SessionID: "s", DecisionID: "d",
		Action: chargestream.ActionCorrect, Time: begin + at*minute, Correction: c},
		begin+at*minute)
}

// elsewhere is an event of connector 2.
func elsewhere(a tabletest.Arrived) tabletest.Arrived {
	switch e := a.Event.(type) {
	case *chargestream.StatusReport:
		e.ConnectorID = "2"
	case *chargestream.MeterValue:
		e.ConnectorID = "2"
	case *chargestream.SessionRecord:
		e.Start.ConnectorID = "2"
	}
	return a
}

// TestFactsWakeBilledSessions is when a session that ran from minute 10 to 40, and that was billed
// up to minute 50, is billed next after another fact. A fact from which nothing of its bill can
// change does not wake it.
func TestFactsWakeBilledSessions(t *testing.T) {
	for _, c := range []struct {
		name string
		fact tabletest.Arrived
		want chargestream.Millis // minute; 0 for never
	}{
		{"a report that comes late", later(statusAt(20, "free"), 70), 75},
		{"a report at its end", later(statusAt(40, "free"), 70), 75},
		{"a report after its end", later(statusAt(41, "free"), 70), 0},
		{"a timely report that is read late", later(statusAt(20, "free"), 29), 0},
		{"a report of another connector", elsewhere(later(statusAt(20, "free"), 70)), 0},
		{"a late sample of no session", later(sampleAt(20, "", 0), 70), 75},
		{"one in the quarter hour of its start", later(sampleAt(9, "", 0), 70), 75},
		{"one of another connector", elsewhere(later(sampleAt(20, "", 0), 70)), 0},
		{"one after the quarter hour of its end", later(sampleAt(45, "", 0), 70), 0},
		{"a timely sample that is read late", sampleAt(20, "", minute), 0},
		{"a late sample of the session", later(sampleAt(20, "s", 0), 70), 75},
		{"a late sample of another session", later(sampleAt(20, "o", 0), 70), 0},
		{"another end", later(endOf("s", 39), 100), 105},
		{"another start", later(startOf("s", 11), 100), 105},
		{"a decision", decisionAt(100, chargestream.Correction{UserID: "v"}), 100},
		{"a session beside it", recordOf("o", 30, 60), 70},
		{"a session beside it that was due before", recordOf("o", 5, 30), 0},
		{"a session beside it that comes late", later(recordOf("o", 5, 30), 70), 75},
		{"a session behind it", recordOf("o", 40, 60), 0},
		{"a session beside it, elsewhere", elsewhere(recordOf("o", 30, 60)), 0},
		{"a session of the same start", later(recordOf("o", 10, 11), 100), 105},
		{"a start of the same moment", later(startOf("o", 10), 100), 105},
		{"a heartbeat", arrived(&chargestream.Heartbeat{StationID: "st", Time: begin + hour},
			begin+hour), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows := billedRows(t)
			if due := rows.Sessions["s"].NextDue(); due != 0 {
				t.Fatalf("due at %s before the fact", due)
			}
			fold(t, rows, c.fact)
			want := chargestream.Millis(0)
			if c.want != 0 {
				want = begin + c.want*minute
			}
			if due := rows.Sessions["s"].NextDue(); due != want {
				t.Errorf("due at %s, want %s", tabletest.Clock(due), tabletest.Clock(want))
			}
		})
	}
}

// TestDecidedTimeConcernsItsHours holds that a session whose time was decided is woken by whatever
// comes late in the hours that it touches.
func TestDecidedTimeConcernsItsHours(t *testing.T) {
	rows := billedRows(t)
	fold(t, rows, decisionAt(100, chargestream.Correction{EndTime: begin + 80*minute}))
	rows.Sessions["s"].BilledUpTo = begin + 200*minute
	fold(t, rows, later(statusAt(70, "free"), 250))
	if due := rows.Sessions["s"].NextDue(); due != begin+255*minute {
		t.Errorf("due at %s", tabletest.Clock(due))
	}
}

// TestUnbilledSessionsAreNotWoken holds that what comes late changes no row of a session that was
// not billed: its bill will be made with it.
func TestUnbilledSessionsAreNotWoken(t *testing.T) {
	rows := billedRows(t)
	rows.Sessions["s"].BilledUpTo = 0
	fold(t, rows, later(statusAt(20, "free"), 70), recordOf("o", 30, 60))
	if at := rows.Sessions["s"].WakeAt; at != 0 {
		t.Errorf("wakes at %s", at)
	}
}

// TestNextDue is when a session is billed next, by its own claims and decisions, and by how far its
// bill has come.
func TestNextDue(t *testing.T) {
	start, end := startOf("s", 0), endOf("s", 60)
	for _, c := range []struct {
		name  string
		facts []tabletest.Arrived
		marks tables.Marks
		want  chargestream.Millis // minute; 0 for never
	}{
		{"nothing", nil, tables.Marks{}, 0},
		{"samples", []tabletest.Arrived{later(sampleAt(1, "s", 0), 90)}, tables.Marks{}, 0},
		{"no end", []tabletest.Arrived{start}, tables.Marks{}, 24 * 60},
		{"no end, a late start", []tabletest.Arrived{later(start, 24*60)}, tables.Marks{},
			24*60 + 10},
		{"both", []tabletest.Arrived{start, end}, tables.Marks{}, 70},
		{"both, billed", []tabletest.Arrived{start, end},
			tables.Marks{BilledUpTo: begin + 70*minute}, 0},
		{"both, woken", []tabletest.Arrived{start, end},
			tables.Marks{BilledUpTo: begin + 70*minute, WakeAt: begin + 90*minute}, 90},
		{"a late end", []tabletest.Arrived{start, later(end, 91)}, tables.Marks{}, 105},
		{"no start", []tabletest.Arrived{end}, tables.Marks{}, 70},
		{"no start, billed", []tabletest.Arrived{end},
			tables.Marks{BilledUpTo: begin + 70*minute}, 0},
		{"a decision", []tabletest.Arrived{start, end,
			decisionAt(200, chargestream.Correction{UserID: "v"})},
			tables.Marks{BilledUpTo: begin + 70*minute}, 200},
		{"an end that was decided", []tabletest.Arrived{start,
			decisionAt(20, chargestream.Correction{EndTime: begin + 30*minute})},
			tables.Marks{}, 40},
		{"an end that was decided after it was over", []tabletest.Arrived{start,
			decisionAt(90, chargestream.Correction{EndTime: begin + 30*minute})},
			tables.Marks{}, 90},
		{"a start that was decided", []tabletest.Arrived{
			decisionAt(20, chargestream.Correction{StartTime: begin + 30*minute})},
			tables.Marks{}, 24*60 + 30},
		{"another end that comes late", []tabletest.Arrived{start, end, later(endOf("s", 61), 91)},
			tables.Marks{BilledUpTo: begin + 70*minute}, 105},
	} {
		rows := rowsOf(t, c.facts...)
		row := must(rows.Session("s"))
		row.Marks = c.marks
		want := chargestream.Millis(0)
		if c.want != 0 {
			want = begin + c.want*minute
		}
		if due := row.NextDue(); due != want {
			t.Errorf("%s: due at %s, want %s", c.name, tabletest.Clock(due), tabletest.Clock(want))
		}
	}
}

// TestSessionInItsHours is what the hours of a session hold of it.
func TestSessionInItsHours(t *testing.T) {
	rows := rowsOf(t, startOf("s", 50), endOf("s", 70))
	first, second := rows.Hours[hourKey], rows.Hours[tabletest.Key("1", begin+hour)]
	if len(first.Sessions) != 1 || len(second.Sessions) != 1 {
		t.Fatalf("%+v, %+v", first, second)
	}
	for _, s := range []*tables.HourSession{&first.Sessions[0], &second.Sessions[0]} {
		if s.ID != "s" || s.From != begin+50*minute || s.To != begin+70*minute ||
			s.StartArrival != s.From || s.EndArrival != s.To || s.Due != begin+80*minute ||
			s.Decided || s.Energy != 0 {
			t.Errorf("%+v", s)
		}
	}
	if n, m := len(first.Sessions[0].Starts), len(second.Sessions[0].Starts); n != 1 || m != 0 {
		t.Errorf("%d starts in the first hour, %d in the second", n, m)
	}
	first.SetEnergy("s", 7)
	fold(t, rows, later(endOf("s", 71), 75))
	if energy, ok := first.Energy("s"); !ok || energy != 7 {
		t.Errorf("another claim took the share of the energy: %d, %v", energy, ok)
	}
	if _, ok := first.Energy("o"); ok {
		t.Error("a session that is not there has a share")
	}
}

// TestWrongConnector holds that the hours of a connector that turned out to be the wrong one no
// longer hold when the session was, and no share of its energy.
func TestWrongConnector(t *testing.T) {
	rows := rowsOf(t, startOf("s", 5), endOf("s", 15))
	rows.Hours[hourKey].SetEnergy("s", 7)
	right := startOf("s", 5)
	right.Event.(*chargestream.SessionStart).ConnectorID = "2"
	right.Arrival--
	fold(t, rows, right)
	wrong, is := rows.Hours[hourKey].Sessions[0], rows.Hours[tabletest.Key("2", begin)].Sessions[0]
	if wrong.From != 0 || wrong.To != 0 || wrong.Energy != 0 || len(wrong.Starts) != 1 {
		t.Errorf("connector 1: %+v", wrong)
	}
	if is.From != begin+5*minute || is.To != begin+15*minute || is.StartArrival != right.Arrival {
		t.Errorf("connector 2: %+v", is)
	}
}

// TestOpenQuarters is which open quarters a bill counts, and that the copies that it is made of are
// what the rows are once the quarters are over.
func TestOpenQuarters(t *testing.T) {
	for _, c := range []struct {
		name          string
		sample        tabletest.Arrived
		session, hour bool // the session's row and that of hour 1 at its connector are copies
	}{
		{"of the session", sampleAt(46, "s", 0), true, true},
		{"of its connector", sampleAt(46, "", 0), false, true},
		{"of another session at its connector", sampleAt(46, "o", 0), false, true},
		{"of the session, elsewhere", elsewhere(sampleAt(46, "s", 0)), true, false},
		{"elsewhere", elsewhere(sampleAt(46, "", 0)), false, false},
	} {
		rows := rowsOf(t, startOf("s", 10), c.sample)
		before := rowsOf(t, startOf("s", 10), c.sample)
		row, h := rows.Sessions["s"], rows.Hours[hourKey]
		open := rows.Station.OpenQuarters("s", row)
		gotRow, gotHour := row.With("s", open), h.With(hourKey.ConnectorID, hourKey.Start, open)
		if gotRow != row != c.session || gotHour != h != c.hour {
			t.Errorf("%s: copies %v and %v", c.name, gotRow != row, gotHour != h)
		}
		if diff := rows.Diff(before); diff != "" {
			t.Errorf("%s: rows have changed: %s", c.name, diff)
		}
		if err := rows.FireStation(theEnd); err != nil {
			t.Fatal(err)
		}
		if c.session && !bytes.Equal(gotRow.Append(nil), rows.Sessions["s"].Append(nil)) {
			t.Errorf("%s: session\n%s, later\n%s", c.name, tabletest.ShowSession(gotRow),
				tabletest.ShowSession(rows.Sessions["s"]))
		}
		if c.hour && !slices.Equal(gotHour.Quarters, rows.Hours[hourKey].Quarters) {
			t.Errorf("%s: hour\n%s, later\n%s", c.name, tabletest.ShowHour(gotHour),
				tabletest.ShowHour(rows.Hours[hourKey]))
		}
	}
}

// TestOpenQuartersOfNoHour: the samples are the first of an hour that has no row.
func TestOpenQuartersOfNoHour(t *testing.T) {
	rows := rowsOf(t, startOf("s", 10), sampleAt(76, "s", 0))
	open := rows.Station.OpenQuarters("s", rows.Sessions["s"])
	next := hourKey.Start + chargestream.Hour
	var none *tables.Hour
	if h := none.With(hourKey.ConnectorID, next, open); h == nil || len(h.Quarters) != 1 {
		t.Errorf("hour %+v", h)
	}
	if h := none.With(hourKey.ConnectorID, hourKey.Start, open); h != nil {
		t.Errorf("hour before %+v", h)
	}
}
