package tables_test

import (
	"slices"
	"testing"

	"chargestream"
	"chargestream/tables"
)

// stayed is a window's part of a session from one minute of the window to another, told at once.
func stayed(id chargestream.SessionID, from, to chargestream.Millis) *tables.Hour {
	start, end := begin+from*minute, begin+to*minute
	return &tables.Hour{Stays: []tables.Stay{{ID: id, Begins: []tables.Begin{{At: start,
		Arrival: start}}, Interval: tables.Interval{From: start, To: end, StartArrival: start,
		EndArrival: end, Due: end + chargestream.Grace}}}}
}

// asking is a part in which a session asks, having heard all up to a minute.
func asking(id chargestream.SessionID, heard chargestream.Millis) *tables.HourPart {
	at := begin + heard*minute
	return &tables.HourPart{Key: hourKey, Check: id, Heard: at,
		Row: tables.Hour{Stays: []tables.Stay{{ID: id, Heard: at}}}}
}

// windowOf merges parts.
func windowOf(parts ...*tables.Hour) *tables.Hour {
	row := &tables.Hour{}
	for _, part := range parts {
		row.Merge(part)
	}
	return row
}

// reportAt is a part with a report, and a sample of the connector, of a minute.
func reportAt(at chargestream.Millis) *tables.Hour {
	moment := begin + at*minute
	sample := &chargestream.MeterValue{Time: moment, Power: of[chargestream.Watts](7000)}
	return &tables.Hour{Loads: []tables.Quarter{tables.QuarterOf(sample, moment)},
		Transitions: []tables.Transition{{At: moment, Arrival: moment,
			State: chargestream.StateOccupied}}}
}

// TestAnswer is what a window tells a session that asks.
func TestAnswer(t *testing.T) {
	row := windowOf(stayed("a", 10, 40), stayed("b", 39, 50), stayed("c", 40, 45),
		stayed("d", 10, 20), reportAt(9), reportAt(10), reportAt(39), reportAt(40), reportAt(55))
	answer := row.Answer(asking("a", 50))
	if answer.ID != "a" || len(answer.Row.Hours) != 1 || !answer.Row.Verdict.Known ||
		answer.Row.Verdict.DuplicateOf.ID != "" {
		t.Fatalf("%+v", answer)
	}
	h := answer.Row.Hours[0]
	if h.ConnectorID != "1" || h.Start != begin || h.Answered != begin+50*minute {
		t.Errorf("%+v", h)
	}
	var reports, loads []chargestream.Millis
	for _, tr := range h.Transitions {
		reports = append(reports, (tr.At-begin)/minute)
	}
	for _, q := range h.Loads {
		loads = append(loads, (q.Start-begin)/minute)
	}
	if !slices.Equal(reports, []chargestream.Millis{10, 39}) ||
		!slices.Equal(loads, []chargestream.Millis{0, 30}) {
		t.Errorf("reports %v, quarter hours %v", reports, loads)
	}
	// d began at the same moment: of the two the first by id is the session.
	if len(h.Overlaps) != 1 || h.Overlaps[0].ID != "b" {
		t.Errorf("overlaps %+v", h.Overlaps)
	}
	if v := row.Answer(asking("d", 50)).Row.Verdict; v.DuplicateOf.ID != "a" || v.Self != "d" {
		t.Errorf("d: %+v", v)
	}
}

// TestAnswerOfTheWholeWindow holds that a session of which a decision set a time is told all.
func TestAnswerOfTheWholeWindow(t *testing.T) {
	row := windowOf(stayed("a", 10, 40), reportAt(5), reportAt(20), reportAt(55))
	row.Merge(&tables.Hour{Stays: []tables.Stay{{ID: "a", Whole: true}}})
	if n := len(row.Answer(asking("a", 50)).Row.Hours[0].Transitions); n != 3 {
		t.Errorf("%d reports", n)
	}
	if n := len(row.Answer(asking("nobody knows it", 50)).Row.Hours[0].Transitions); n != 3 {
		t.Errorf("%d reports of a session without an interval", n)
	}
}

// ids are those of parts.
func ids(parts []tables.SessionPart) []chargestream.SessionID {
	var list []chargestream.SessionID
	for i := range parts {
		list = append(list, parts[i].ID)
	}
	return list
}

// TestNotices is to whom a window tells that more is known.
func TestNotices(t *testing.T) {
	list := func(ids ...chargestream.SessionID) []chargestream.SessionID { return ids }
	late := &tables.HourPart{Key: hourKey, Row: tables.Hour{Heard: begin + 75*minute}}
	row := windowOf(stayed("a", 0, 20), stayed("b", 30, 59), stayed("c", 50, 70), &late.Row)
	got := row.Notices(late)
	if !slices.Equal(ids(got), list("a", "b")) || got[0].Row.Heard != begin+75*minute {
		t.Errorf("late: %+v", got) // c is due at 01:20, and asks by itself
	}
	if got := row.Notices(&tables.HourPart{Key: hourKey}); got != nil {
		t.Errorf("of nothing: %+v", got)
	}
	asks := asking("c", 80)
	row = windowOf(stayed("a", 0, 20), stayed("b", 30, 59), stayed("c", 50, 70), &asks.Row)
	got = row.Notices(asks)
	if !slices.Equal(ids(got), list("b")) || got[0].Row.Heard != begin+80*minute {
		t.Errorf("c asks: %+v", got) // b ran beside it, and is due
	}
	knows := asking("b", 80)
	row.Merge(&knows.Row)
	if got := row.Notices(knows); len(got) != 0 {
		t.Errorf("all have heard: %+v", got)
	}
}

// TestRestated is whom a window tells that its answer is another one.
func TestRestated(t *testing.T) {
	asked := asking("a", 50)
	before := windowOf(stayed("a", 10, 40), stayed("b", 0, 10), &asked.Row)
	for _, c := range []struct {
		name string
		part *tables.Hour
		want int
	}{
		{"nothing new", reportAt(50), 0},
		{"a report within it", reportAt(20), 1},
		{"a session beside it", stayed("c", 39, 50), 1},
		{"a session behind it", stayed("c", 40, 50), 0},
		{"what changes nothing", stayed("b", 0, 10), 0},
	} {
		row := windowOf(before, c.part)
		got := row.Restated(hourKey, before)
		if len(got) != c.want {
			t.Errorf("%s: %+v", c.name, got)
		}
		for _, p := range got {
			if p.ID != "a" || p.Row.Heard != 0 || p.Row.Hours[0].Answered != begin+50*minute {
				t.Errorf("%s: %+v", c.name, p)
			}
		}
	}
	silent := windowOf(stayed("a", 10, 40))
	if got := windowOf(silent, reportAt(20)).Restated(hourKey, silent); got != nil {
		t.Errorf("nobody asked: %+v", got)
	}
}

// TestRestatedOverlapIsGone holds that a session which turns out not to have run beside another is
// told as that, so that the row which knew it learns better.
func TestRestatedOverlapIsGone(t *testing.T) {
	asked := asking("a", 70)
	before := windowOf(stayed("a", 10, 40), stayed("b", 30, 50), &asked.Row)
	row := &tables.Session{}
	answer := before.Answer(asked)
	row.Merge(&answer.Row)
	earlier := stayed("b", 0, 5)
	earlier.Stays[0].Interval.StartArrival = begin
	after := windowOf(before, earlier)
	for _, p := range after.Restated(hourKey, before) {
		row.Merge(&p.Row)
	}
	if o := row.Hours[0].Overlaps; len(o) != 1 || o[0].Interval.To != begin+5*minute {
		t.Errorf("%+v", o)
	}
}

// TestRestatedOverlapIsACopy holds that a session beside another that turns out to be a copy is
// told as that.
func TestRestatedOverlapIsACopy(t *testing.T) {
	asked := asking("a", 70)
	before := windowOf(stayed("a", 10, 40), stayed("c", 30, 50), &asked.Row)
	first := stayed("b", 30, 50)
	first.Stays[0].Begins[0].Arrival--
	first.Stays[0].Interval.StartArrival--
	got := windowOf(before, first).Restated(hourKey, before)
	if len(got) != 1 || len(got[0].Row.Hours[0].Overlaps) != 2 {
		t.Fatalf("%+v", got)
	}
	for _, o := range got[0].Row.Hours[0].Overlaps {
		if o.Copy != (o.ID == "c") {
			t.Errorf("%+v", o)
		}
	}
}
