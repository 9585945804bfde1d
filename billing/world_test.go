package billing_test

import (
	"encoding/json"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"chargestream"
	"chargestream/internal/tabletest"
	"chargestream/tables"
)

// drawBook draws a tariff that is there from the start, or comes late, and is published anew.
func drawBook(t *rapid.T) *shelf {
	b := newShelf()
	known := func(label string) chargestream.Millis {
		if rapid.Bool().Draw(t, label+" is late") {
			return tabletest.DrawTime(t, 700, label)
		}
		return yesterday
	}
	b.register(known("registry"), &chargestream.StationInfo{StationID: "st", TariffID: "t",
		MaxPower: 22_000})
	energy, hourly := component{"ENERGY", "0.45", "20", 1}, component{"TIME", "1.20", "20", 60}
	parking := component{"PARKING_TIME", "6.00", "7", 300}
	arrivals := []chargestream.Millis{known("tariff"), known("second tariff")}
	slices.Sort(arrivals)
	b.publish(arrivals[0], "t", versionOf(yesterday, "EUR", energy, hourly, parking))
	b.publish(arrivals[1], "t", versionOf(yesterday, "EUR", energy, parking),
		versionOf(begin+2*hour, "EUR", hourly, parking))
	b.publish(known("other tariff"), "other", versionOf(yesterday, "JPY", energy, hourly))
	return b
}

func textOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain data
	}
	return string(text)
}

// isPrefix reports whether a list of invoices is the begin of another, byte for byte.
func isPrefix(list, of []chargestream.Invoice) bool {
	return len(list) <= len(of) && textOf(of[:len(list)]) == textOf(list) || len(list) == 0
}

// arriveAll lets a world arrive in its order, and everything be done that is due.
func arriveAll(t *rapid.T, p *pump, world []tabletest.Arrived) {
	for _, a := range world {
		if err := p.arrive(a.Event, a.Arrival); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Fire(theEnd); err != nil {
		t.Fatal(err)
	}
}

// readAnyhow lets a program read a world in any order: timers fire at any stream time, and rows are
// stored and read back, in between.
func readAnyhow(t *rapid.T, p *pump, world []tabletest.Arrived) {
	for _, a := range world {
		err := p.Fold(a.Event, a.Arrival)
		switch rapid.IntRange(0, 5).Draw(t, "then") {
		case 0:
			if err == nil {
				err = p.Reload()
			}
		case 1, 2:
			if err == nil {
				err = p.Fire(tabletest.DrawTime(t, 1500, "fire"))
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Fire(theEnd); err != nil {
		t.Fatal(err)
	}
}

// drawOrder draws an order in which a world is read, some of it twice.
func drawOrder(t *rapid.T, world []tabletest.Arrived) []tabletest.Arrived {
	again := world[:rapid.IntRange(0, len(world)).Draw(t, "duplicates")]
	return rapid.Permutation(slices.Concat(world, again)).Draw(t, "order")
}

// factsHistory is the list of a session's invoices by its facts alone: revisions are the places in
// the list.
func factsHistory(p *pump, id chargestream.SessionID) []chargestream.Invoice {
	s := p.billed(id)
	if s.Row == nil {
		s.Row = &tables.Session{}
	}
	facts := *s.Row
	facts.Marks = tables.Marks{}
	s.Row = &facts
	return must(s.History(theEnd))
}

// TestAnyOrderMakesTheSameFacts holds that a world that is read in any order, with duplicates and
// with bills that are made too early, makes the same rows as in the order of arrival, the shares of
// energy included, and the same list of invoices, byte for byte.
func TestAnyOrderMakesTheSameFacts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		book, world := drawBook(t), tabletest.DrawWorld(t)
		inOrder, shuffled := newPump(book), newPump(book)
		arriveAll(t, inOrder, world)
		readAnyhow(t, shuffled, drawOrder(t, world))
		if diff := inOrder.Diff(shuffled.Rows); diff != "" {
			t.Fatal(diff)
		}
		for _, id := range sorted(inOrder.Sessions) {
			want, got := factsHistory(inOrder, id), factsHistory(shuffled, id)
			if textOf(want) != textOf(got) {
				t.Fatalf("%s:\n%s\n%s\n%s", id, showBills(want), showBills(got),
					tabletest.ShowSession(inOrder.Sessions[id]))
			}
		}
	})
}

// ledger checks what is sent: one bill of a session is live at any time, each credit note cancels
// the one before to the cent, lines and VAT groups add up to the totals, and nothing is negative or
// issued without an end.
type ledger struct {
	live map[chargestream.SessionID]*chargestream.Invoice
	sent map[chargestream.SessionID][]chargestream.Invoice // without credit notes
}

func newLedger() *ledger {
	return &ledger{live: map[chargestream.SessionID]*chargestream.Invoice{},
		sent: map[chargestream.SessionID][]chargestream.Invoice{}}
}

func (l *ledger) take(t *rapid.T, v chargestream.Invoice) {
	checkAmounts(t, &v)
	last := l.live[v.SessionID]
	if v.Kind == chargestream.KindCreditNote {
		if last == nil || v.Credits != last.InvoiceID {
			t.Fatalf("%s credits %q, %+v is live", v.InvoiceID, v.Credits, last)
		}
		checkCancels(t, last, &v)
		delete(l.live, v.SessionID)
		return
	}
	if last != nil {
		t.Fatalf("%s comes beside %s", v.InvoiceID, last.InvoiceID)
	}
	l.live[v.SessionID] = &v
	l.sent[v.SessionID] = append(l.sent[v.SessionID], v)
	if v.Status == chargestream.StatusIssued && (v.StartTime == 0 || v.EndTime == 0 ||
		v.Currency == "" || len(v.HoldReasons) > 0) {
		t.Fatalf("issued: %+v", v)
	}
	if (v.Status == chargestream.StatusHeld) != (len(v.HoldReasons) > 0) ||
		len(v.Holds) != len(v.HoldReasons) || !slices.IsSorted(v.HoldReasons) ||
		len(slices.Compact(slices.Clone(v.HoldReasons))) != len(v.HoldReasons) {
		t.Fatalf("%s for %q", v.Status, v.HoldReasons)
	}
}

// check holds the live bills against the rows.
func (l *ledger) check(t *rapid.T, p *pump) {
	for id, row := range p.Sessions {
		list := must(p.billed(id).History(row.BilledUpTo))
		if len(list) == 0 && l.live[id] != nil || len(list) > 0 && (l.live[id] == nil ||
			l.live[id].InvoiceID != list[len(list)-1].InvoiceID) {
			t.Fatalf("%+v is live of\n%s", l.live[id], showBills(list))
		}
		if len(row.Starts) > 0 && len(list) == 0 {
			t.Fatalf("%s is never billed: %s", id, tabletest.ShowSession(row))
		}
		if row.Documents != len(list) {
			t.Fatalf("the row of %s counts %d documents of\n%s", id, row.Documents, showBills(list))
		}
	}
}

// TestDocumentsOfAWorldAddUp holds what is true of all that is sent, in whatever order it is read.
func TestDocumentsOfAWorldAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, l := newPump(drawBook(t)), newLedger()
		p.invoice = func(v chargestream.Invoice) { l.take(t, v) }
		world := tabletest.DrawWorld(t)
		if rapid.Bool().Draw(t, "in order") {
			t.Log(tabletest.ShowArrived(world))
			arriveAll(t, p, world)
		} else {
			order := drawOrder(t, world)
			t.Log(tabletest.ShowArrived(order))
			readAnyhow(t, p, order)
		}
		l.check(t, p)
	})
}

// TestWhatWasSentStands holds that a world that is read in the order of arrival never changes a
// document that was sent: the list of a session's documents only grows, and is what was sent.
func TestWhatWasSentStands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, l := newPump(drawBook(t)), newLedger()
		p.invoice = func(v chargestream.Invoice) { l.take(t, v) }
		p.restated = func(id chargestream.SessionID) {
			t.Fatalf("%s at %s was restated", id, clock(p.now))
		}
		world := tabletest.DrawWorld(t)
		check := func() {
			for id, row := range p.Sessions {
				list := must(p.billed(id).History(row.BilledUpTo))
				if len(list) != len(l.sent[id]) || !isPrefix(list, l.sent[id]) {
					t.Fatalf("%s at %s:\n%s\n%s\n%s\n%s", id, clock(p.now),
						showBills(l.sent[id]), showBills(list), tabletest.ShowSession(row),
						tabletest.ShowArrived(world))
				}
			}
		}
		for _, a := range world {
			if err := p.arrive(a.Event, a.Arrival); err != nil {
				t.Fatal(err)
			}
			check()
		}
		if err := p.Fire(theEnd); err != nil {
			t.Fatal(err)
		}
		check()
	})
}

// TestAnomaliesOfBills holds for random rows that each anomaly of a session has an id of its own
// and names what it is of.
func TestAnomaliesOfBills(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows, book := drawRows(t), drawBook(t)
		seen := map[string]bool{}
		for _, id := range sorted(rows.Sessions) {
			b, err := billedOf(rows, id, book).Bill(begin + day)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range b.Anomalies {
				if seen[a.AnomalyID] || a.AnomalyID == "" {
					t.Fatalf("id %q again", a.AnomalyID)
				}
				seen[a.AnomalyID] = true
				if a.OpenedAt == 0 || a.Kind == "" || a.Severity == "" || a.SessionID != id ||
					a.StationID != "st" {
					t.Fatalf("%+v", a)
				}
				if a.ClosedAt != 0 && a.ClosedAt < a.OpenedAt {
					t.Fatalf("closed before it was opened: %+v", a)
				}
			}
		}
	})
}
