package tables_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"chargestream"
	"chargestream/internal/tabletest"
	"chargestream/tables"
)

// startOf is a timely start on connector 1 at a minute.
func startOf(id chargestream.SessionID, at chargestream.Millis) tabletest.Arrived {
	return arrived(&chargestream.SessionStart{StationID: "st", SessionID: id, ConnectorID: "1",
		UserID: "u", Time: begin + at*minute}, begin+at*minute)
}

// endOf is a timely end at a minute.
func endOf(id chargestream.SessionID, at chargestream.Millis) tabletest.Arrived {
	return arrived(&chargestream.SessionEnd{StationID: "st", SessionID: id,
		Time: begin + at*minute}, begin+at*minute)
}

// billedRows are the rows of a session s, from minute 10 to 40, that was billed up to minute 50.
func billedRows(t failer) *tabletest.Rows {
	rows := rowsOf(t, statusAt(0, "Charging"), startOf("s", 10), sampleAt(15, "s", 0),
		endOf("s", 40))
	rows.Sessions["s"].BilledUpTo = begin + 50*minute
	return rows
}

// TestClaimsAreFew holds that of many different starts and ends the first four to arrive are
// kept, in any order in which the program reads them.
func TestClaimsAreFew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const claims, kept = 6, 4
		rows := tabletest.NewRows()
		for _, i := range rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 2, 0}).Draw(t, "order") {
			at := begin + chargestream.Millis(claims-i)*minute
			arrival := begin + chargestream.Millis(i)
			fold(t, rows, arrived(&chargestream.SessionStart{StationID: "st", SessionID: "s",
				ConnectorID: "1", Time: at}, arrival), arrived(&chargestream.SessionEnd{
				StationID: "st", SessionID: "s", Time: at}, arrival))
		}
		row := rows.Sessions["s"]
		if len(row.Starts) != kept || len(row.Ends) != kept {
			t.Fatalf("starts %+v, ends %+v", row.Starts, row.Ends)
		}
		for i := range kept {
			want := begin + chargestream.Millis(i)
			if row.Starts[i].Arrival != want || row.Ends[i].Arrival != want {
				t.Fatalf("starts %+v, ends %+v", row.Starts, row.Ends)
			}
		}
		first, last := begin+minute, begin+claims*minute
		if row.Low != first || row.LastStart != last || row.LastEnd != last {
			t.Fatalf("low %s, last start %s, last end %s", row.Low, row.LastStart, row.LastEnd)
		}
	})
}

func TestSameClaimKeepsItsEarliestArrival(t *testing.T) {
	rows := tabletest.NewRows()
	for _, arrival := range []chargestream.Millis{9, 3, 5} {
		start, end := startOf("s", 0), endOf("s", 5)
		start.Arrival, end.Arrival = begin+arrival, begin+5*minute+arrival
		fold(t, rows, start, end)
	}
	row := rows.Sessions["s"]
	if len(row.Starts) != 1 || row.Starts[0].Arrival != begin+3 {
		t.Errorf("starts %+v", row.Starts)
	}
	if len(row.Ends) != 1 || row.Ends[0].Arrival != begin+5*minute+3 {
		t.Errorf("ends %+v", row.Ends)
	}
}

// TestSameDecisionIsTheFirst holds that one id is one decision, and that of the first arrival.
func TestSameDecisionIsTheFirst(t *testing.T) {
	rows := tabletest.NewRows()
	for _, arrival := range []chargestream.Millis{9, 3, 5} {
		fold(t, rows, arrived(&chargestream.Decision{StationID: "st", SessionID: "s",
			DecisionID: "d", By: string(rune('0' + arrival))}, arrival))
	}
	list := rows.Sessions["s"].Decisions
	if len(list) != 1 || list[0].Arrival != 3 || list[0].By != "3" {
		t.Errorf("decisions %+v", list)
	}
}

// TestLateSamplesStayApart holds that the envelope of timely samples is not merged with those of
// late ones: a bill of a moment counts what was known at it.
func TestLateSamplesStayApart(t *testing.T) {
	var list []tabletest.Arrived
	for _, delay := range []chargestream.Millis{0, chargestream.Grace, chargestream.Grace + 1, hour,
		hour + 1} {
		list = append(list, sampleAt(1, "s", delay))
	}
	rows := rowsOf(t, list...)
	if err := rows.FireStation(begin + hour); err != nil {
		t.Fatal(err)
	}
	// A delay of an hour and a minute ends in the quarter hour after that of an hour.
	want := []chargestream.Millis{0, begin + quarter, begin + 5*quarter}
	for name, quarters := range map[string][]tables.Quarter{"session": rows.Sessions["s"].Quarters,
		"hour": rows.Hours[hourKey].Quarters} {
		var late []chargestream.Millis
		for _, q := range quarters {
			late = append(late, q.Late)
		}
		if !slices.Equal(late, want) {
			t.Errorf("%s: late quarters %v, want %v", name, late, want)
		}
	}
}

// tooMany are more events of each kind than the rows of one session and of one hour take.
func tooMany() []tabletest.Arrived {
	const n = 1000
	var list []tabletest.Arrived
	for i := range chargestream.Millis(n) {
		at, id := begin+i*quarter, fmt.Sprint(int64(i))
		list = append(list,
			arrived(&chargestream.MeterValue{StationID: "st", ConnectorID: "1", SessionID: "s",
				Time: at, Signed: "OCMF|" + id}, at),
			arrived(&chargestream.Decision{StationID: "st", SessionID: "s", DecisionID: id,
				By: "ada"}, begin+i%700),
			// Of the first hour: reports, sessions, and samples that arrive at many times.
			arrived(&chargestream.StatusReport{StationID: "st", ConnectorID: "2", Status: "free",
				Time: begin + i*1000}, begin+i*1000),
			arrived(&chargestream.SessionStart{StationID: "st", ConnectorID: "2", UserID: "u",
				SessionID: chargestream.SessionID(id), Time: begin + i*1000}, begin+i*1000),
			arrived(&chargestream.MeterValue{StationID: "st", ConnectorID: "2", Time: begin + i},
				begin+i*quarter))
	}
	return list
}

// TestBoundsKeepTheSame folds more than rows take, in two orders.
func TestBoundsKeepTheSame(t *testing.T) {
	const seed = 2
	list := tooMany()
	rows := rowsOf(t, list...)
	rand.New(rand.NewPCG(1, seed)).Shuffle(len(list), func(i, j int) {
		list[i], list[j] = list[j], list[i]
	})
	shuffled := rowsOf(t, list...)
	for _, r := range []*tabletest.Rows{rows, shuffled} {
		if err := r.FireStation(theEnd); err != nil {
			t.Fatal(err)
		}
	}
	if diff := rows.Diff(shuffled); diff != "" {
		t.Errorf("seed %d: %s", seed, diff)
	}
	h := rows.Hours[tabletest.Key("2", begin)]
	if len(h.Transitions) != tables.HourTransitionsMax ||
		len(h.Sessions) != tables.HourSessionsMax || len(h.Quarters) != tables.HourQuartersMax {
		t.Errorf("%d transitions, %d sessions, %d quarters", len(h.Transitions), len(h.Sessions),
			len(h.Quarters))
	}
	s := rows.Sessions["s"]
	if len(s.Quarters) != tables.SessionQuartersMax ||
		len(s.Decisions) != tables.SessionDecisionsMax ||
		len(s.Signed) != tables.SessionSignedMax {
		t.Errorf("%d quarters, %d decisions, %d signed", len(s.Quarters), len(s.Decisions),
			len(s.Signed))
	}
}

// TestFactsHaveNoMarks holds that Facts changes with every fact of a session, and with no mark.
func TestFactsHaveNoMarks(t *testing.T) {
	row := goldenSession()
	before := row.Facts()
	stored := row.Append(nil)
	row.Marks = tables.Marks{}
	if !bytes.Equal(before, row.Facts()) || !bytes.Equal(before, row.Append(nil)) {
		t.Error("the facts depend on marks")
	}
	if bytes.Equal(before, stored) {
		t.Error("the golden session has no marks")
	}
	row.LastEnd++
	if bytes.Equal(before, row.Facts()) {
		t.Error("the facts do not depend on a fact")
	}
}

// TestLongSessionIsBounded holds that a session of years is not spread over the hours of years, and
// that the hours around its end are among those that are left.
func TestLongSessionIsBounded(t *testing.T) {
	row := &tables.Session{Low: begin, LastStart: begin, LastEnd: begin + 1000*day}
	list := row.Windows()
	if most := int(chargestream.SessionSpanMax/hour) + 1; len(list) != most {
		t.Errorf("%d hours, want %d", len(list), most)
	}
	if list[0] != begin || list[len(list)-1] != begin+1000*day-hour {
		t.Errorf("from %s to %s", list[0], list[len(list)-1])
	}
}

// TestWindows is which hours a session touches.
func TestWindows(t *testing.T) {
	at := func(minutes chargestream.Millis) chargestream.Millis { return begin + minutes*minute }
	decided := func(start, end chargestream.Millis) []tables.Decision {
		return []tables.Decision{{Decision: chargestream.Decision{
			Correction: chargestream.Correction{StartTime: start, EndTime: end}}}}
	}
	for _, c := range []struct {
		name string
		row  tables.Session
		want []int
	}{
		{"nothing", tables.Session{}, nil},
		{"an end only", tables.Session{LastEnd: at(90)}, nil},
		{"a start only", tables.Session{Low: at(90), LastStart: at(90)}, []int{1}},
		{"to the end of an hour", tables.Session{Low: at(0), LastStart: at(0), LastEnd: at(120)},
			[]int{0, 1}},
		{"a ms more", tables.Session{Low: at(0), LastStart: at(0), LastEnd: at(120) + 1},
			[]int{0, 1, 2}},
		{"starts in two hours", tables.Session{Low: at(0), LastStart: at(120)}, []int{0, 1, 2}},
		{"an end before the start", tables.Session{Low: at(90), LastStart: at(90), LastEnd: at(5)},
			[]int{1}},
		{"a start that was decided", tables.Session{LastEnd: at(100),
			Decisions: decided(at(30), 0)}, []int{0, 1}},
		{"an end that was decided", tables.Session{Low: at(0), LastStart: at(0),
			Decisions: decided(0, at(61))}, []int{0, 1}},
	} {
		var got []int
		for _, start := range c.row.Windows() {
			got = append(got, int((start-begin)/hour))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: hours %v, want %v", c.name, got, c.want)
		}
	}
}

// TestPhase is how far a session has come.
func TestPhase(t *testing.T) {
	rows := rowsOf(t, startOf("s", 0))
	row := rows.Sessions["s"]
	check := func(want chargestream.SessionPhase) {
		t.Helper()
		if got := row.Phase(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	check(chargestream.PhaseActive)
	row.Documents = 1
	check(chargestream.PhaseOverdue)
	fold(t, rows, endOf("s", 40))
	check(chargestream.PhaseEnded)
	row.BilledUpTo = begin + 50*minute - 1
	check(chargestream.PhaseEnded)
	row.BilledUpTo = begin + 50*minute
	check(chargestream.PhaseSettled)
	row.Starts = nil
	check(chargestream.PhaseOrphan)
}

// TestLateFactsDisplaceNone holds that a row that is full keeps what is known first: what comes
// late, of whatever time, never takes the place of what was billed.
func TestLateFactsDisplaceNone(t *testing.T) {
	rows := tabletest.NewRows()
	report := func(at, arrival chargestream.Millis) tabletest.Arrived {
		return arrived(&chargestream.StatusReport{StationID: "st", ConnectorID: "1",
			Status: "free", Time: begin + at}, begin+arrival)
	}
	sample := func(at, arrival chargestream.Millis) tabletest.Arrived {
		return arrived(&chargestream.MeterValue{StationID: "st", ConnectorID: "1",
			Time: begin + at}, begin+arrival)
	}
	for i := range chargestream.Millis(tables.HourTransitionsMax) {
		fold(t, rows, report(minute+i, minute+i))
	}
	for i := range chargestream.Millis(tables.HourQuartersMax) {
		fold(t, rows, sample(3*quarter, (5+i)*quarter))
	}
	before := rows.Hours[hourKey].Append(nil)
	fold(t, rows, report(1, day), sample(1, day))
	if !bytes.Equal(before, rows.Hours[hourKey].Append(nil)) {
		t.Error("a late report or sample of an earlier time took the place of another")
	}
	fold(t, rows, report(1, 2), sample(1, 2))
	if err := rows.FireStation(begin + day); err != nil {
		t.Fatal(err)
	}
	h := rows.Hours[hourKey]
	if h.Transitions[0].At != begin+1 || h.Quarters[0].Late != 0 {
		t.Errorf("a timely report or sample was left out: %s", tabletest.ShowHour(h))
	}
}
