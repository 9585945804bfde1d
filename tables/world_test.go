package tables_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"chargestream"
	"chargestream/tables"
)

// drawWorld draws what happens at a station in a few hours: sessions as they should be, some of
// them told late, twice, or in part, and anything at all between them.
func drawWorld(t *rapid.T) []arrived {
	list := slices.DeleteFunc(drawEvents(t), func(a arrived) bool {
		if d, ok := a.event.(*chargestream.Decision); ok {
			d.Correction.StartTime, d.Correction.EndTime = 0, 0
		}
		start, ok := a.event.(*chargestream.SessionStart)
		if ok {
			// No two sessions begin at the same moment by chance: those are copies.
			start.Time = start.Time.Truncate(10) + chargestream.Millis(start.SessionID[1]-'0')
		}
		return ok && start.Time > a.arrival+chargestream.SkewTolerance
	})
	for i := range rapid.IntRange(1, 3).Draw(t, "sessions") {
		list = append(list, drawCharging(t, chargestream.SessionID(fmt.Sprint("c", i)))...)
	}
	slices.SortStableFunc(list, func(a, b arrived) int { return cmp.Compare(a.arrival, b.arrival) })
	return list
}

// drawCharging draws the events of a session that charges at a steady power.
func drawCharging(t *rapid.T, id chargestream.SessionID) []arrived {
	connector, start := drawConnector(t), drawTime(t, 300, "plugged in")
	length := chargestream.Millis(rapid.Int64Range(1, 150).Draw(t, "minutes")) * chargestream.Minute
	power := chargestream.Watts(rapid.SampledFrom([]int64{50, 3700, 11000}).Draw(t, "power"))
	register := chargestream.WattHours(rapid.SampledFrom([]int64{0, 1000}).Draw(t, "register"))
	told := rapid.IntRange(0, 31).Draw(t, "what is told")
	when := func(at chargestream.Millis) chargestream.WattHours {
		return register + chargestream.WattHours(
			int64(power)*int64(at-start)/int64(chargestream.Hour),
		)
	}
	var list []arrived
	add := func(e chargestream.Event) {
		list = append(list, arrived{event: e, arrival: drawArrival(t, e.At())})
	}
	start = start.Truncate(10) + 5 + chargestream.Millis(id[1]-'0')
	begin := &chargestream.SessionStart{StationID: "st", ConnectorID: connector, SessionID: id,
		UserID: "u", Time: start}
	end := &chargestream.SessionEnd{StationID: "st", SessionID: id, Time: start + length}
	if told&1 == 0 {
		begin.Meter, end.Meter = of(when(start)), of(when(start+length))
	}
	if told&2 == 0 {
		end.ConnectorID = connector
	}
	if told&3 != 0 {
		add(begin)
	}
	if told&12 != 0 {
		add(end)
	}
	for at := start; at < start+length+chargestream.Quarter; at += 7 * chargestream.Minute {
		m := &chargestream.MeterValue{StationID: "st", ConnectorID: connector, Time: at,
			Energy: of(when(min(at, start+length))), Power: &power}
		if told&16 == 0 {
			m.SessionID = id
		}
		add(m)
	}
	for range rapid.IntRange(0, 3).Draw(t, "reports") {
		at := start + chargestream.Millis(rapid.Int64Range(0, int64(length)).Draw(t, "reported"))
		add(&chargestream.StatusReport{StationID: "st", ConnectorID: connector, Time: at,
			Status: rapid.SampledFrom([]string{"Charging", "SuspendedEV", "SuspendedEVSE",
				"Occupied",
				"Faulted"}).
				Draw(t, "word"),
		})
	}
	return list
}

// theEnd is when nothing is waited for any more, whatever a world had.
const theEnd = begin + 5*chargestream.Day

// drawBook draws a tariff that is there from the start, or comes late, and is published anew.
func drawBook(t *rapid.T) *shelf {
	b := newShelf()
	known := func(label string) chargestream.Millis {
		if rapid.Bool().Draw(t, label+" is late") {
			return drawTime(t, 700, label)
		}
		return yesterday
	}
	b.register(known("registry"), &chargestream.StationInfo{StationID: "st", TariffID: "t",
		MaxPower: 22_000})
	energy, hour := component{"ENERGY", "0.45", "20", 1}, component{"TIME", "1.20", "20", 60}
	parking := component{"PARKING_TIME", "6.00", "7", 300}
	arrivals := []chargestream.Millis{known("tariff"), known("second tariff")}
	slices.Sort(arrivals)
	b.publish(arrivals[0], "t", versionOf(yesterday, "EUR", energy, hour, parking))
	b.publish(arrivals[1], "t", versionOf(yesterday, "EUR", energy, parking),
		versionOf(begin+2*chargestream.Hour, "EUR", hour, parking))
	b.publish(known("other tariff"), "other", versionOf(yesterday, "JPY", energy, hour))
	return b
}

func textOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain data
	}
	return string(text)
}

func showBills(list []chargestream.Invoice) string {
	text := ""
	for i := range list {
		text += showInvoice(&list[i])
	}
	return text
}

// isPrefix tells whether a list of invoices is the begin of another, byte for byte.
func isPrefix(list, of []chargestream.Invoice) bool {
	return len(list) <= len(of) && textOf(of[:len(list)]) == textOf(list) || len(list) == 0
}

// TestAnyOrderMakesTheSameHistory holds that a world that is read in any order, with duplicates,
// makes the same list of invoices as in the order of arrival, byte for byte.
func TestAnyOrderMakesTheSameHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		book, world := drawBook(t), drawWorld(t)
		inOrder, shuffled := newPump(book), newPump(book)
		for _, a := range world {
			inOrder.arrive(a.event, a.arrival)
		}
		again := world[:rapid.IntRange(0, len(world)).Draw(t, "duplicates")]
		for _, a := range rapid.Permutation(slices.Concat(world, again)).Draw(t, "order") {
			shuffled.now = a.arrival
			shuffled.fold(a.event)
		}
		inOrder.fire(theEnd)
		shuffled.fire(theEnd)
		for _, id := range slices.Concat(sorted(inOrder.sessions), sorted(shuffled.sessions)) {
			// A session of which only samples are known, and not even those handed on, has no row.
			row, other := orEmptySession(
				inOrder.sessions[id],
			), orEmptySession(
				shuffled.sessions[id],
			)
			want, got := factsHistory(row, id, book), factsHistory(other, id, book)
			if textOf(want) != textOf(got) {
				t.Fatalf(
					"%s:\n%s\n%s\n%s\n%s",
					id,
					showBills(want),
					showSession(row),
					showBills(got),
					showSession(other),
				)
			}
		}
	})
}

func orEmptySession(row *tables.Session) *tables.Session {
	if row == nil {
		return &tables.Session{}
	}
	return row
}

// factsHistory is the list of a session's invoices by its facts alone: revisions are the places in
// the list.
func factsHistory(row *tables.Session, id chargestream.SessionID,
	book tables.Book) []chargestream.Invoice {
	facts := must(tables.DecodeSession(row.Append(nil)))
	facts.Shift = 0
	return must(facts.History(id, book, theEnd))
}

// TestDocumentsOfAWorldAddUp holds what is true of all that is sent: one bill of a session is live
// at any time, each credit note cancels the one before to the cent, lines and VAT groups add up to
// the totals, and nothing is negative or issued without an end.
func TestDocumentsOfAWorldAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPump(drawBook(t))
		live := map[chargestream.SessionID]*chargestream.Invoice{}
		p.invoice = func(v chargestream.Invoice) {
			checkAmounts(t, &v)
			last := live[v.SessionID]
			if v.Kind == chargestream.KindCreditNote {
				if last == nil || v.Credits != last.InvoiceID {
					t.Fatalf("%s credits %q, %+v is live", v.InvoiceID, v.Credits, last)
				}
				checkCancels(t, last, &v)
				delete(live, v.SessionID)
				return
			}
			if last != nil {
				t.Fatalf("%s comes beside %s", v.InvoiceID, last.InvoiceID)
			}
			live[v.SessionID] = &v
			if v.Status == chargestream.StatusIssued && (v.StartTime == 0 || v.EndTime == 0 ||
				v.Currency == "" || len(v.HoldReasons) > 0) {
				t.Fatalf("issued: %+v", v)
			}
			if (v.Status == chargestream.StatusHeld) != (len(v.HoldReasons) > 0) ||
				!slices.IsSorted(v.HoldReasons) ||
				len(slices.Compact(slices.Clone(v.HoldReasons))) != len(v.HoldReasons) {
				t.Fatalf("%s for %q", v.Status, v.HoldReasons)
			}
		}
		for _, a := range drawWorld(t) {
			p.arrive(a.event, a.arrival)
		}
		p.fire(theEnd)
		for id, row := range p.sessions {
			list := must(row.History(id, p.book, row.Told))
			if len(list) == 0 && live[id] != nil || len(list) > 0 && (live[id] == nil ||
				live[id].InvoiceID != list[len(list)-1].InvoiceID) {
				t.Fatalf("%+v is live of\n%s", live[id], showBills(list))
			}
			if len(row.Starts) > 0 && len(list) == 0 {
				t.Fatalf("%s is never billed: %s", id, showSession(row))
			}
		}
	})
}
