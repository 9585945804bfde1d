package billing_test

import (
	"slices"
	"testing"

	"chargestream"
	"chargestream/internal/tabletest"
)

// desk is a pump that keeps what is sent of the session s.
type desk struct {
	*pump
	documents []chargestream.Invoice
	anomalies []chargestream.Anomaly
}

func newDesk(book *shelf) *desk {
	d := &desk{pump: newPump(book)}
	d.invoice = func(v chargestream.Invoice) {
		if v.SessionID == "s" {
			d.documents = append(d.documents, v)
		}
	}
	d.anomaly = func(a chargestream.Anomaly) {
		if a.SessionID == "s" {
			d.anomalies = append(d.anomalies, a)
		}
	}
	return d
}

// sent gives the documents that were sent since it was called last, each in one line.
func (d *desk) sent() []string {
	var texts []string
	for i := range d.documents {
		texts = append(texts, showBill(&d.documents[i]))
	}
	d.documents = nil
	return texts
}

// fold folds events and gives what is sent at once.
func (d *desk) fold(t *testing.T, list ...tabletest.Arrived) []string {
	t.Helper()
	for _, a := range list {
		if err := d.Fold(a.Event, a.Arrival); err != nil {
			t.Fatal(err)
		}
	}
	return d.sent()
}

// fire moves stream time on and gives what is sent then.
func (d *desk) fire(t *testing.T, now chargestream.Millis) []string {
	t.Helper()
	if err := d.Fire(now); err != nil {
		t.Fatal(err)
	}
	return d.sent()
}

func ended(at, arrival chargestream.Millis, energy int64) tabletest.Arrived {
	return arrived(&chargestream.SessionEnd{StationID: "st", SessionID: "s", Time: at,
		Energy: wh(energy)}, arrival)
}

func started() tabletest.Arrived { return arrived(settled(0, 0).start, begin) }

// ran is a session of another id, or the same, as one record.
func ran(id chargestream.SessionID, from, to, arrival chargestream.Millis) tabletest.Arrived {
	return arrived(&chargestream.SessionRecord{
		Start: chargestream.SessionStart{StationID: "st", SessionID: id, ConnectorID: "1",
			UserID: "v", Time: begin + from},
		End: chargestream.SessionEnd{StationID: "st", SessionID: id, Time: begin + to,
			Energy: wh(1)}}, begin+arrival)
}

func decision(id string, at chargestream.Millis,
	action chargestream.DecisionAction) tabletest.Arrived {
	return arrived(&chargestream.Decision{StationID: "st", SessionID: "s", DecisionID: id,
		Time: begin + at, Action: action}, begin+at)
}

// perKWh is a book of a tariff of 1.00 a kWh.
func perKWh() *shelf { return bookOf("EUR", component{"ENERGY", "1.00", "0", 1}) }

// step is what happens to a session, or a move of stream time where nothing does, and what is sent
// then.
type step struct {
	what string
	list []tabletest.Arrived
	now  chargestream.Millis // after begin
	want []string
}

func walk(t *testing.T, d *desk, steps []step) {
	t.Helper()
	for _, s := range steps {
		got := d.fold(t, s.list...)
		if s.list == nil {
			got = d.fire(t, begin+s.now)
		}
		if !slices.Equal(got, s.want) {
			t.Errorf("%s: %q, want %q", s.what, got, s.want)
		}
	}
}

// TestBillSendsWhatIsNew walks through a session of half an hour: each document is sent once, when
// its moment has come, and a credit note of the one before goes ahead of it.
func TestBillSendsWhatIsNew(t *testing.T) {
	end := begin + 30*minute
	one := func(a ...tabletest.Arrived) []tabletest.Arrived { return a }
	walk(t, newDesk(perKWh()), []step{
		{"a start", one(started()), 0, nil},
		{"its end", one(ended(end, end, 7000)), 0, nil},
		{"a ms before it is due", nil, 40*minute - 1, nil},
		{"due", nil, 40 * minute, []string{
			"invoice s revision 1 of 00:40: 7.00 EUR, issued\n"}},
		{"again", nil, 41 * minute, nil},
		{"another end", one(ended(end, end+hour, 9000)), 0, nil},
		{"a ms before it is known", nil, 90*minute - 1, nil},
		{"known", nil, 90 * minute, []string{
			"credit_note s revision 1 of 01:30: -7.00 EUR, issued\n",
			"invoice s revision 2 of 01:30: 7.00 EUR, held conflicting_events\n"}},
		{"the same end again", one(ended(end, end+2*hour, 9000)), 0, nil},
		{"which changes nothing", nil, 150 * minute, nil},
		{"two decisions", one(decision("d1", 3*hour, chargestream.ActionRelease),
			decision("d2", 4*hour, chargestream.ActionCancel)), 0, nil},
		{"both known", nil, 4 * hour, []string{
			"credit_note s revision 2 of 03:00: -7.00 EUR, held conflicting_events\n",
			"invoice s revision 3 of 03:00: 7.00 EUR, issued\n",
			"credit_note s revision 3 of 04:00: -7.00 EUR, issued\n",
			"invoice s revision 4 of 04:00: 0.00 EUR, held cancelled\n"}},
	})
}

// TestBillOfARewrittenList holds that a fact that is read behind its moment is corrected as any
// change: what was sent is credited, and the document that should stand there takes a revision
// of its own.
func TestBillOfARewrittenList(t *testing.T) {
	d, end := newDesk(perKWh()), begin+30*minute
	d.fold(t, started(), ended(end, end, 7000), ended(end, end+hour, 9000))
	if got := d.fire(t, end+hour); len(got) != 3 {
		t.Fatalf("%q", got)
	}
	want := []string{"credit_note s revision 2 of 00:40: -7.00 EUR, held conflicting_events\n",
		"invoice s revision 3 of 00:40: 5.00 EUR, held conflicting_events\n"}
	if got := d.fold(t, ended(end, end-1, 5000)); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := d.fold(t, ended(end, end-1, 5000)); len(got) != 0 {
		t.Errorf("sent again: %q", got)
	}
	if got := d.fold(t, decision("d", 3*hour, chargestream.ActionRelease)); len(got) != 0 {
		t.Errorf("sent at once: %q", got)
	}
	want = []string{"credit_note s revision 3 of 03:00: -5.00 EUR, held conflicting_events\n",
		"invoice s revision 4 of 03:00: 5.00 EUR, issued\n"}
	if got := d.fire(t, begin+3*hour); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestBillOfAShorterList holds that a bill whose reason turns out never to have been is replaced,
// though the list is only shorter than before.
func TestBillOfAShorterList(t *testing.T) {
	d, end := newDesk(perKWh()), begin+30*minute
	d.fold(t, started(), ended(end, end, 7000), ran("o", 20*minute, 90*minute, 90*minute))
	if got := d.fire(t, begin+3*hour); len(got) != 3 {
		t.Fatalf("%q", got)
	}
	d.anomalies = nil
	// The other session is a duplicate of one that was delivered before, and that took no time.
	got := d.fold(t, ran("p", 20*minute, 20*minute, 80*minute))
	want := []string{"credit_note s revision 2 of 00:40: -7.00 EUR, held overlapping_sessions\n",
		"invoice s revision 3 of 00:40: 7.00 EUR, issued\n"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if n := len(d.anomalies); n != 1 || d.anomalies[0].ClosedAt == 0 || d.anomalies[0].BillingHold {
		t.Errorf("anomalies %+v", d.anomalies)
	}
}

// TestRestatedOrphan holds that the bill of an end without a start is replaced when a start is read
// that had arrived before.
func TestRestatedOrphan(t *testing.T) {
	d := newDesk(perKWh())
	d.fold(t, ended(begin+30*minute, begin+30*minute, 7000))
	if got := d.fire(t, begin+40*minute); len(got) != 1 {
		t.Fatalf("%q", got)
	}
	want := []string{
		"credit_note s revision 1 of 00:40: 0.00, held stop_without_start unknown_user\n",
		"invoice s revision 2 of 00:40: 7.00 EUR, issued\n"}
	if got := d.fold(t, started()); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestRestate is what is sent of a session from minute 10 to 40, billed at minute 50, for facts
// that had arrived by then and are read after: nothing where its bill stays as it is.
func TestRestate(t *testing.T) {
	status := func(at chargestream.Millis, word string,
		connector chargestream.ConnectorID) tabletest.Arrived {
		return arrived(&chargestream.StatusReport{StationID: "st", ConnectorID: connector,
			Status: word, Time: begin + at*minute}, begin+at*minute)
	}
	sample := func(at chargestream.Millis, id chargestream.SessionID) tabletest.Arrived {
		return arrived(&chargestream.MeterValue{StationID: "st", ConnectorID: "1", SessionID: id,
			Time: begin + at*minute, Power: of[chargestream.Watts](0)}, begin+at*minute)
	}
	for _, c := range []struct {
		name string
		fact tabletest.Arrived
		want int // documents
	}{
		{"a report that the vehicle parks", status(20, "SuspendedEV", "1"), 2},
		{"one that it charges", status(20, "Charging", "1"), 0},
		{"a report before it", status(5, "SuspendedEV", "1"), 0},
		{"a report after it", status(41, "SuspendedEV", "1"), 0},
		{"a report of another connector", status(20, "SuspendedEV", "2"), 0},
		{"a sample at rest", sample(20, "s"), 2},
		{"one that names no session", sample(20, ""), 2},
		{"one of another session", sample(20, "o"), 0},
		{"a session beside it", ran("o", 0, 20*minute, 30*minute), 2},
		{"a session beside it that is not due", ran("o", 0, 41*minute, 41*minute), 0},
		{"a session behind it", ran("o", 40*minute, 41*minute, 41*minute), 0},
		{"a session of the same start that came before", ran("o", 10*minute, 11*minute,
			11*minute), 2},
		{"the same end again", arrived(&chargestream.SessionEnd{StationID: "st", SessionID: "s",
			Time: begin + 40*minute, Energy: wh(7000)}, begin+45*minute), 0},
		{"a heartbeat", arrived(&chargestream.Heartbeat{StationID: "st", Time: begin},
			begin), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(parked())
			start := started()
			start.Event.(*chargestream.SessionStart).Time = begin + 10*minute
			start.Arrival = begin + 12*minute
			d.fold(t, start, ended(begin+40*minute, begin+40*minute, 7000))
			if got := d.fire(t, begin+50*minute); len(got) != 1 {
				t.Fatalf("%q", got)
			}
			got := d.fold(t, c.fact)
			if len(got) != c.want {
				t.Errorf("%q", got)
			}
			if again := d.fold(t, c.fact); len(again) != 0 {
				t.Errorf("sent again: %q", again)
			}
			notDue := c.name == "a session beside it that is not due"
			if later := d.fire(t, begin+55*minute); (len(later) == 2) != notDue {
				t.Errorf("sent later: %q", later)
			}
		})
	}
}

// TestMarks is what the row notes of the last document, for views, and that a session is billed by
// the reference data that there was, when its bill is restated.
func TestMarks(t *testing.T) {
	book := perKWh()
	d, end := newDesk(book), begin+30*minute
	d.fold(t, started(), ended(end, end, 7000), ran("o", 0, 10*minute, -1))
	if got := d.fire(t, end+10*minute); !slices.Equal(got, []string{
		"invoice s revision 1 of 00:40: 7.00 EUR, held duplicate_session\n"}) {
		t.Fatalf("%q", got)
	}
	m := &d.Sessions["s"].Marks
	if m.Documents != 1 || m.DuplicateOf != "o" || m.RevisionOffset != 0 ||
		!slices.Equal(m.Holds, holds(chargestream.HoldDuplicate)) ||
		m.BilledUpTo != end+10*minute || m.WakeAt != 0 {
		t.Errorf("%+v", m)
	}
	if len(m.References) != 2 || m.References[0].Revisions != 1 || m.References[1].Tariff != "t" ||
		m.References[1].Revisions != 1 {
		t.Errorf("%+v", m.References)
	}
	// A tariff that arrived long ago is read after the bill was sent: what is credited is what was
	// sent.
	book.publish(yesterday+1, "t", versionOf(yesterday, "EUR", component{"FLAT", "5", "0", 1}))
	want := []string{"credit_note s revision 1 of 00:40: -7.00 EUR, held duplicate_session\n",
		"invoice s revision 2 of 00:40: 5.00 EUR, held conflicting_events duplicate_session\n"}
	if got := d.fold(t, ended(end, end+1, 1)); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if m.Documents != 1 || m.RevisionOffset != 1 || m.References[1].Revisions != 2 {
		t.Errorf("%+v", m)
	}
}

// TestSilentSessionIsNotBilled holds that a session of which only samples or decisions came has no
// bill, and no timer.
func TestSilentSessionIsNotBilled(t *testing.T) {
	d := newDesk(perKWh())
	d.fold(t, arrived(&chargestream.MeterValue{StationID: "st", ConnectorID: "1", SessionID: "s",
		Time: begin, Energy: wh(7)}, begin), decision("d", hour, chargestream.ActionRelease))
	if got := d.fire(t, theEnd); len(got) != 0 || len(d.anomalies) != 0 {
		t.Errorf("%q, %+v", got, d.anomalies)
	}
	if due := d.Sessions["s"].NextDue(); due != 0 {
		t.Errorf("due at %s", due)
	}
}
