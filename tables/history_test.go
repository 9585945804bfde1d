package tables_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"chargestream"
	"chargestream/tables"
)

// settled is a session of an energy and a length of which nothing is in doubt, and that has heard
// all that there will be.
func settled(energy chargestream.WattHours, length chargestream.Millis) *tables.Session {
	row := &tables.Session{}
	end := begin + length
	row.Merge(&tables.Session{StationID: "st", Heard: begin + 30*chargestream.Day,
		Starts: []tables.Start{{At: begin, Arrival: begin, ConnectorID: "1", UserID: "u"}},
		Ends:   []tables.End{{At: end, Arrival: end, Energy: &energy}}})
	return row
}

// historyOf is the list of a session's invoices by all that it has heard.
func historyOf(t testing.TB, s *tables.Session, book tables.Book) []chargestream.Invoice {
	t.Helper()
	list, err := s.History("s", book, s.Heard)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// bill is the last invoice of a session that has one.
func bill(t testing.TB, s *tables.Session, book tables.Book) chargestream.Invoice {
	t.Helper()
	list := historyOf(t, s, book)
	if len(list) == 0 {
		t.Fatalf("no invoice of %+v", s)
	}
	return list[len(list)-1]
}

// history is a script of a session: what is done to the row of an hour's session, due at 01:10,
// and the bills that come of it.
type history struct {
	name string
	row  func(*tables.Session)
	want []string
}

func correct(c chargestream.Correction) chargestream.Decision {
	return chargestream.Decision{Action: chargestream.ActionCorrect, Correction: c}
}

func release(reasons ...chargestream.HoldReason) chargestream.Decision {
	return chargestream.Decision{Action: chargestream.ActionRelease, Holds: reasons}
}

var cancel = chargestream.Decision{Action: chargestream.ActionCancel}

// estimated leaves the energy of a session to its samples, 3900 Wh.
func estimated(s *tables.Session) {
	s.Ends[0].Energy = nil
	sampled(s, reading{20, 1100, -1}, reading{50, 5000, -1})
}

// noEnd takes the end of a session away.
func noEnd(s *tables.Session) { s.Ends = nil }

// TestHistories is what facts and decisions make of a bill, one after the other. The tariff is
// 0.10 a kWh and a fee of 1.00, without VAT.
func TestHistories(t *testing.T) {
	book := bookOf("EUR", component{"ENERGY", "0.10", "0", 1}, component{"FLAT", "1", "0", 1})
	for _, h := range slices.Concat(factHistories(), releaseHistories(), correctHistories()) {
		t.Run(h.name, func(t *testing.T) {
			row := settled(7000, hour)
			h.row(row)
			list := historyOf(t, row, book)
			if got := bills(list); !slices.Equal(got, h.want) {
				t.Errorf("%q, want %q", got, h.want)
			}
			for i, v := range list {
				if v.Revision != i+1 || v.Kind != chargestream.KindInvoice ||
					!strings.HasPrefix(v.InvoiceID, "s-") || v.SessionID != "s" {
					t.Errorf("%+v", v)
				}
				known := 0
				for j := range row.Decisions {
					if row.Decisions[j].Arrival <= v.IssuedAt {
						known++
					}
				}
				if len(v.Decisions) != known {
					t.Errorf("%d decisions are named, %d known", len(v.Decisions), known)
				}
			}
		})
	}
}

func factHistories() []history {
	return []history{
		{"nothing in doubt", func(*tables.Session) {}, []string{"01:10 1.70"}},
		{"overdue, then the end", func(s *tables.Session) {
			s.Ends[0].Arrival = begin + 25*hour + 7*minute
		}, []string{"1d00:00 held session_not_ended", "1d01:15 1.70"}},
		{"an orphan, then the start", func(s *tables.Session) {
			s.Starts[0].Arrival = begin + 3*hour + 1
		}, []string{"01:10 held stop_without_start unknown_user", "03:15 1.70"}},
		{"an end that differs", func(s *tables.Session) {
			addEnd(s, tables.End{At: begin + hour, Arrival: begin + 2*hour, Energy: wh(9000)})
		}, []string{"01:10 1.70", "02:00 held conflicting_events"}},
		{"a doubt that does not change the words is no document", func(s *tables.Session) {
			addEnd(s, tables.End{At: begin + hour, Arrival: begin + 2*hour, Energy: wh(9000)})
			addEnd(s, tables.End{At: begin + hour, Arrival: begin + 3*hour, Energy: wh(9001)})
		}, []string{"01:10 1.70", "02:00 held conflicting_events"}},
		{"a sample that comes late", func(s *tables.Session) {
			s.Ends[0].Energy, s.Starts[0].Meter = nil, wh(1000)
			m := &chargestream.MeterValue{Time: begin + 20*minute, Energy: wh(3000)}
			s.Merge(&tables.Session{Quarters: []tables.Quarter{
				tables.QuarterOf(m, begin+5*hour+1)}})
		}, []string{"01:10 held no_energy", "05:15 1.20"}},
	}
}

func releaseHistories() []history {
	all := func(s *tables.Session) {
		estimated(s)
		decided(s, begin+2*hour, release())
	}
	return []history{
		{"released", all, []string{"01:10 held estimated_energy", "02:00 1.39"}},
		{"released by name", func(s *tables.Session) {
			estimated(s)
			decided(s, begin+2*hour, release(chargestream.HoldEstimated))
		}, []string{"01:10 held estimated_energy", "02:00 1.39"}},
		{"another is named", func(s *tables.Session) {
			estimated(s)
			decided(s, begin+2*hour, release(chargestream.HoldOverlap))
		}, []string{"01:10 held estimated_energy", "02:00 held estimated_energy"}},
		{"one of two is named", func(s *tables.Session) {
			estimated(s)
			s.Verdict.DuplicateOf = tables.Origin{ID: "o", At: begin}
			decided(s, begin+2*hour, release(chargestream.HoldEstimated))
		}, []string{"01:10 held duplicate_session estimated_energy",
			"02:00 held duplicate_session"}},
		{"before it holds", func(s *tables.Session) {
			estimated(s)
			decided(s, begin+hour, release())
		}, []string{"01:10 held estimated_energy"}},
		{"what comes later holds again", func(s *tables.Session) {
			all(s)
			addEnd(s, tables.End{At: begin + hour, Arrival: begin + 3*hour, Meter: wh(1)})
		}, []string{"01:10 held estimated_energy", "02:00 1.39", "03:00 held conflicting_events"}},
		{"what comes again holds again", func(s *tables.Session) {
			all(s)
			decided(s, begin+3*hour, cancel)
			decided(s, begin+4*hour, chargestream.Decision{Action: chargestream.ActionReprice})
		}, []string{"01:10 held estimated_energy", "02:00 1.39", "03:00 held cancelled",
			"04:00 held estimated_energy"}},
		{"a released reason stays released", func(s *tables.Session) {
			all(s)
			decided(s, begin+3*hour, correct(chargestream.Correction{UserID: "v"}))
		}, []string{"01:10 held estimated_energy", "02:00 1.39", "03:00 1.39"}},
		{"what leaves an amount unknown is not released", func(s *tables.Session) {
			s.Ends[0].Energy, s.Starts[0].UserID = nil, ""
			decided(s, begin+2*hour, release())
		}, []string{"01:10 held no_energy unknown_user", "02:00 held no_energy unknown_user"}},
		{"cancelled is not released", func(s *tables.Session) {
			decided(s, begin+2*hour, cancel)
			decided(s, begin+3*hour, release())
		}, []string{"01:10 1.70", "02:00 held cancelled", "03:00 held cancelled"}},
	}
}

func correctHistories() []history {
	at := begin + 2*hour
	one := func(c chargestream.Correction, before func(*tables.Session)) func(*tables.Session) {
		return func(s *tables.Session) {
			before(s)
			decided(s, at, correct(c))
		}
	}
	nothing := func(*tables.Session) {}
	return []history{
		{"energy", one(chargestream.Correction{Energy: wh(5000)}, estimated),
			[]string{"01:10 held estimated_energy", "02:00 1.50"}},
		{"energy ends each doubt about it", one(chargestream.Correction{Energy: wh(5_000_000)},
			func(s *tables.Session) {
				s.Ends[0].Energy, s.Ends[0].Meter, s.Starts[0].Meter = nil, wh(1), wh(1000)
				sampled(s, reading{20, 5000, 7000})
			}), []string{"01:10 held meter_regression", "02:00 501.00"}},
		{"energy ends no other doubt", one(chargestream.Correction{Energy: wh(5000)},
			func(s *tables.Session) { s.Starts[0].UserID = "" }),
			[]string{"01:10 held unknown_user", "02:00 held unknown_user"}},
		{"user", one(chargestream.Correction{UserID: "v"},
			func(s *tables.Session) { s.Starts[0].UserID = "" }),
			[]string{"01:10 held unknown_user", "02:00 1.70"}},
		{"nobody in place of nobody", one(chargestream.Correction{UserID: "unknown"},
			func(s *tables.Session) { s.Starts[0].UserID = "" }),
			[]string{"01:10 held unknown_user", "02:00 held unknown_user"}},
		{"the end ends doubts about time", one(chargestream.Correction{EndTime: begin + hour},
			func(s *tables.Session) {
				addEnd(s, tables.End{At: begin + hour, Arrival: begin + hour + 1, Energy: wh(9000)})
			}), []string{"01:10 held conflicting_events", "02:00 1.70"}},
		{"an end where there is none, without energy",
			one(chargestream.Correction{EndTime: begin + hour}, noEnd),
			[]string{"02:00 held no_energy"}},
		{
			"an end where there is none, with energy",
			one(chargestream.Correction{EndTime: begin + hour,
				Energy: wh(5000)}, noEnd),
			[]string{"02:00 1.50"},
		},
		{"an end that is not over", one(chargestream.Correction{EndTime: begin + 3*hour,
			Energy: wh(5000)}, noEnd), []string{"03:10 1.50"}},
		{"a start where there is none", one(chargestream.Correction{StartTime: begin, UserID: "u"},
			func(s *tables.Session) { s.Starts = nil }),
			[]string{"01:10 held stop_without_start unknown_user", "02:00 1.70"}},
		{"a start where there is none, and nobody", one(chargestream.Correction{StartTime: begin},
			func(s *tables.Session) { s.Starts = nil }),
			[]string{"01:10 held stop_without_start unknown_user", "02:00 held unknown_user"}},
		{"the wrong way round", one(chargestream.Correction{StartTime: begin + 2*hour}, nothing),
			[]string{"01:10 1.70", "02:00 held negative_duration over_power"}},
		{"the last correction of a quantity counts", func(s *tables.Session) {
			decided(s, at, correct(chargestream.Correction{Energy: wh(5000), UserID: "v"}))
			decided(s, at+1, correct(chargestream.Correction{Energy: wh(6000)}))
		}, []string{"01:10 1.70", "02:00 1.50", "02:00:00.001 1.60"}},
		{"cancelled, and corrected", func(s *tables.Session) {
			decided(s, at, cancel)
			decided(s, at+hour, correct(chargestream.Correction{Energy: wh(6000)}))
		}, []string{"01:10 1.70", "02:00 held cancelled", "03:00 1.60"}},
		{"cancelled before it is due", func(s *tables.Session) {
			decided(s, begin+30*minute, cancel)
		}, []string{"01:10 held cancelled"}},
	}
}

// TestCorrectedQuantities holds that what was corrected is what the bill says.
func TestCorrectedQuantities(t *testing.T) {
	row := settled(7000, hour)
	decided(row, begin+2*hour, correct(chargestream.Correction{Energy: wh(5000),
		StartTime: begin + 10*minute, EndTime: begin + 40*minute, UserID: "v"}))
	v := bill(t, row, rated())
	if v.Energy != 5000 || v.StartTime != begin+10*minute || v.EndTime != begin+40*minute ||
		v.DurationSeconds != 1800 || v.UserID != "v" || v.Estimated ||
		v.Status != chargestream.StatusIssued || v.Decisions[0].By != "ada" {
		t.Errorf("%+v", v)
	}
}

// TestLateStatusChangesParking holds that a report which comes late is billed from the end of its
// quarter hour on.
func TestLateStatusChangesParking(t *testing.T) {
	row := settled(7000, hour)
	at := begin + 40*minute
	row.Merge(&tables.Session{Hours: []tables.SessionHour{{ConnectorID: "1", Start: begin,
		Answered: row.Heard, Transitions: []tables.Transition{{At: at, Arrival: begin + 3*hour + 1,
			State: chargestream.StateOccupied, Activity: chargestream.ActivityParked}}}}})
	list := historyOf(t, row, parked())
	if len(list) != 2 || list[0].ParkingSeconds != 0 || list[1].ParkingSeconds != 1200 ||
		list[1].IssuedAt != begin+3*hour+quarter {
		t.Errorf("%s", showBills(list))
	}
}

// TestHistoryOfLaterIsLonger holds for random rows that the list up to a moment is the begin of
// the list up to a later one, that it goes forward in time, and that no two documents, or two
// neighbours' words, are the same.
func TestHistoryOfLaterIsLonger(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		row, book := drawSession(t), drawBook(t)
		row.StationID = "st"
		at := drawTime(t, 3000, "up to")
		later := at + drawTime(t, 3000, "later") - begin
		list := must(row.History("s", book, later))
		if part := must(row.History("s", book, at)); !isPrefix(part, list) {
			t.Fatalf("%s\n%s", showBills(part), showBills(list))
		}
		ids := map[string]bool{}
		for i, v := range list {
			checkAmounts(t, &v)
			if ids[v.InvoiceID] || v.Revision != i+1+row.Shift || v.IssuedAt > later {
				t.Fatalf("%s", textOf(list))
			}
			ids[v.InvoiceID] = true
			if i == 0 {
				continue
			}
			before := list[i-1]
			if v.IssuedAt <= before.IssuedAt {
				t.Fatalf("%s", textOf(list))
			}
			before.Revision, before.IssuedAt, before.BookingDate = v.Revision, v.IssuedAt,
				v.BookingDate
			before.InvoiceID = v.InvoiceID
			if textOf(before) == textOf(v) {
				t.Fatalf("revision %d says nothing new: %s", v.Revision, textOf(list))
			}
		}
	})
}

// TestMergedPartsHaveOneHistory holds that any order, duplicates and splits of the parts of a row
// make the same list, byte for byte.
func TestMergedPartsHaveOneHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		book := drawBook(t)
		var parts []*tables.Session
		for range rapid.IntRange(1, 8).Draw(t, "parts") {
			parts = append(parts, drawSessionPart(t))
		}
		again := parts[:rapid.IntRange(0, len(parts)).Draw(t, "duplicates")]
		shuffled := rapid.Permutation(slices.Concat(parts, again)).Draw(t, "order")
		join := func(list []*tables.Session) *tables.Session {
			row := &tables.Session{StationID: "st"}
			for _, part := range list {
				row.Merge(must(tables.DecodeSession(part.Append(nil))))
			}
			return row
		}
		cut := rapid.IntRange(0, len(shuffled)).Draw(t, "cut")
		split := join(shuffled[:cut])
		split.Merge(join(shuffled[cut:]))
		want := textOf(must(join(parts).History("s", book, theEnd)))
		if got := textOf(must(split.History("s", book, theEnd))); got != want {
			t.Fatalf("%s\n%s", want, got)
		}
	})
}

// TestInvoiceIDIsItsContent holds that the same bill has the same id, and another bill another.
func TestInvoiceIDIsItsContent(t *testing.T) {
	book := rated()
	one, same := bill(t, settled(7, minute), book), bill(t, settled(7, minute), book)
	if textOf(one) != textOf(same) {
		t.Errorf("%s\n%s", textOf(one), textOf(same))
	}
	ids := map[string]bool{one.InvoiceID: true}
	for _, other := range []chargestream.Invoice{bill(t, settled(8, minute), book),
		bill(t, settled(7, minute+1000), book), bill(t, settled(7, minute), newShelf())} {
		if ids[other.InvoiceID] || !strings.HasPrefix(other.InvoiceID, "s-") ||
			len(other.InvoiceID) != len("s-")+10 {
			t.Errorf("id %q again, or not of the session", other.InvoiceID)
		}
		ids[other.InvoiceID] = true
	}
}

// TestBookErrorIsTold holds that reference data that cannot be read bills nothing.
func TestBookErrorIsTold(t *testing.T) {
	row := settled(7, minute)
	if list, err := row.History("s", brokenBook{rated()}, row.Heard); !errors.Is(err, errBroken) {
		t.Errorf("%v, %v", list, err)
	}
}

var errBroken = errors.New("broken")

// brokenBook is a book of which the tariffs cannot be read.
type brokenBook struct{ *shelf }

// Reference implements tables.Book.
func (b brokenBook) Reference(key string) (*tables.Reference, error) {
	if key == "t" {
		return nil, errBroken
	}
	return b.shelf.Reference(key)
}
