package tables_test

import (
	"slices"
	"testing"

	"chargestream"
	"chargestream/tables"
)

// sent merges a part into a row and gives what must be sent then, each document as its kind, its
// revision and its total.
func sent(t *testing.T, row, part *tables.Session, book tables.Book) ([]string, tables.Billing) {
	t.Helper()
	before := must(tables.DecodeSession(row.Append(nil)))
	row.Merge(part)
	billing, err := row.Bill("s", book, before, noon)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for i := range billing.Documents {
		texts = append(texts, showBill(&billing.Documents[i]))
	}
	return texts, billing
}

// heard is a part that tells that all is known up to a moment, and that the window of the first
// hour has answered.
func heard(at chargestream.Millis) *tables.Session {
	return &tables.Session{Heard: at, Hours: []tables.SessionHour{{ConnectorID: "1", Start: begin,
		Answered: at}}}
}

func ended(at, arrival chargestream.Millis, energy int64) *tables.Session {
	return &tables.Session{Ends: []tables.End{{At: at, Arrival: arrival, Energy: wh(energy)}}}
}

func started(arrival chargestream.Millis) *tables.Session {
	return &tables.Session{StationID: "st", Starts: []tables.Start{{At: begin, Arrival: arrival,
		ConnectorID: "1", UserID: "u"}}}
}

func startedRow() *tables.Session {
	row := &tables.Session{}
	row.Merge(started(begin))
	return row
}

// TestBillSendsWhatIsNew walks through a session of half an hour: each document is sent once, when
// all up to its moment is known, and a credit note of the one before goes ahead of it.
func TestBillSendsWhatIsNew(t *testing.T) {
	book := bookOf("EUR", component{"ENERGY", "1.00", "0", 1})
	row, end := &tables.Session{}, begin+30*minute
	for _, step := range []struct {
		what string
		part *tables.Session
		want []string
	}{
		{"a start", started(begin), nil},
		{"its end", ended(end, end, 7000), nil},
		{"known, and the window has not answered", &tables.Session{Heard: end + 10*minute}, nil},
		{"the answer", heard(end + 10*minute), []string{
			"invoice s revision 1 of 00:40: 7.00 EUR, issued\n"}},
		{"again", heard(end + 10*minute), nil},
		{"another end", ended(end, end+hour, 9000), nil},
		{"known", heard(end + hour), []string{
			"credit_note s revision 1 of 01:30: -7.00 EUR, issued\n",
			"invoice s revision 2 of 01:30: 7.00 EUR, held conflicting_events\n"}},
		{"two decisions", &tables.Session{Decisions: []tables.Decision{
			{Arrival: begin + 3*hour, Decision: chargestream.Decision{DecisionID: "d1",
				Action: chargestream.ActionRelease}},
			{Arrival: begin + 4*hour, Decision: chargestream.Decision{DecisionID: "d2",
				Action: chargestream.ActionCancel}}}}, nil},
		{"both known", heard(begin + 4*hour), []string{
			"credit_note s revision 2 of 03:00: -7.00 EUR, held conflicting_events\n",
			"invoice s revision 3 of 03:00: 7.00 EUR, issued\n",
			"credit_note s revision 3 of 04:00: -7.00 EUR, issued\n",
			"invoice s revision 4 of 04:00: 0.00 EUR, held cancelled\n"}},
	} {
		if got, _ := sent(t, row, step.part, book); !slices.Equal(got, step.want) {
			t.Errorf("%s: %q, want %q", step.what, got, step.want)
		}
	}
}

// TestBillOfARewrittenList holds that a fact that is read behind its moment is corrected as any
// change: what was sent is credited, and the document that should stand there takes a revision
// of its own.
func TestBillOfARewrittenList(t *testing.T) {
	book := bookOf("EUR", component{"ENERGY", "1.00", "0", 1})
	row, end := startedRow(), begin+30*minute
	row.Merge(ended(end, end, 7000))
	row.Merge(ended(end, end+hour, 9000))
	if got, _ := sent(t, row, heard(end+hour), book); len(got) != 3 {
		t.Fatalf("%q", got)
	}
	got, _ := sent(t, row, ended(end, end-1, 5000), book)
	want := []string{"credit_note s revision 2 of 00:40: -7.00 EUR, held conflicting_events\n",
		"invoice s revision 3 of 00:40: 5.00 EUR, held conflicting_events\n"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got, _ := sent(t, row, ended(end, end-1, 5000), book); len(got) != 0 {
		t.Errorf("sent again: %q", got)
	}
	release := tables.Decision{Arrival: begin + 3*hour, Decision: chargestream.Decision{
		DecisionID: "d", Action: chargestream.ActionRelease}}
	row.Merge(&tables.Session{Decisions: []tables.Decision{release}})
	got, _ = sent(t, row, heard(begin+3*hour), book)
	want = []string{"credit_note s revision 3 of 03:00: -5.00 EUR, held conflicting_events\n",
		"invoice s revision 4 of 03:00: 5.00 EUR, issued\n"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestBillOfAShorterList holds that a bill whose reason turns out never to have been is replaced,
// though the list is only shorter than before.
func TestBillOfAShorterList(t *testing.T) {
	book := bookOf("EUR", component{"ENERGY", "1.00", "0", 1})
	row, end := startedRow(), begin+30*minute
	row.Merge(ended(end, end, 7000))
	other := tables.Interval{
		From:         begin + 20*minute,
		To:           end + hour,
		StartArrival: begin + 20*minute,
		EndArrival:   end + hour,
		Due:          end + hour + chargestream.Grace,
	}
	beside := func(copied bool) *tables.Session {
		part := heard(begin + 3*hour)
		part.Hours[0].Overlaps = []tables.Overlap{{ID: "o", Interval: other, Copy: copied}}
		return part
	}
	if got, _ := sent(t, row, beside(false), book); len(got) != 3 {
		t.Fatalf("%q", got)
	}
	got, billing := sent(t, row, beside(true), book)
	if len(got) != 2 || billing.Documents[0].Kind != chargestream.KindCreditNote ||
		billing.Documents[1].Status != chargestream.StatusIssued ||
		billing.Documents[1].Revision != 3 {
		t.Errorf("%q", got)
	}
	if n := len(billing.Anomalies); n != 1 || billing.Anomalies[0].ClosedAt == 0 ||
		billing.Anomalies[0].BillingHold {
		t.Errorf("anomalies %+v", billing.Anomalies)
	}
}

// TestGate is up to when documents can be made.
func TestGate(t *testing.T) {
	row, end := startedRow(), begin+90*minute
	answer := func(hours chargestream.Millis, at chargestream.Millis) {
		row.Merge(&tables.Session{Hours: []tables.SessionHour{{ConnectorID: "1",
			Start: begin + hours*hour, Answered: at}}})
	}
	check := func(what string, want chargestream.Millis) {
		t.Helper()
		if gate := row.Gate(); gate != want {
			t.Errorf("%s: gate %s, want %s", what, gate, want)
		}
	}
	check("nothing is heard", 0)
	row.Merge(&tables.Session{Heard: begin + 5*minute})
	check("a session without an end asks nobody", begin+5*minute)
	row.Merge(ended(end, end, 7000))
	row.Merge(&tables.Session{Heard: end + 10*minute})
	check("two windows must answer", 0)
	answer(0, end+10*minute)
	check("one has", 0)
	answer(1, end+5*minute)
	check("the other by what it knew", end+5*minute)
	answer(1, end+10*minute)
	check("both", end+10*minute)
	row.Told = end + 20*minute
	check("what was told stays told", end+20*minute)
}

// TestAsks is whom a session asks, and when.
func TestAsks(t *testing.T) {
	row, end := &tables.Session{}, begin+90*minute
	ask := func(what string, part *tables.Session, want int) {
		t.Helper()
		before := must(tables.DecodeSession(row.Append(nil)))
		row.Merge(part)
		asks := row.Asks("s", before)
		if len(asks) != want {
			t.Fatalf("%s: asks %+v", what, asks)
		}
		for i, a := range asks {
			key := tables.HourKey{StationID: "st", ConnectorID: "1",
				Start: begin + chargestream.Millis(i)*hour}
			if a.Check != "s" || a.Heard != row.Heard || a.Key != key ||
				len(a.Row.Stays) != 1 || a.Row.Stays[0].Heard != row.Heard {
				t.Errorf("%s: %+v", what, a)
			}
		}
	}
	ask("a start", started(begin), 0)
	ask("its end", ended(end, end, 7000), 0)
	ask("known", &tables.Session{Heard: end + 10*minute}, 2)
	ask("again", &tables.Session{Heard: end + 10*minute}, 0)
	ask("more is known", &tables.Session{Heard: end + 20*minute}, 2)
	ask("it was longer", ended(end+hour, end, 7000), 3)
}
