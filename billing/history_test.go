package billing_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"chargestream"
	"chargestream/internal/tabletest"
	"chargestream/pricing"
	"chargestream/tables"
)

// history is a script of a session: what happens to an hour's session, due at 01:10, and the bills
// that come of it.
type history struct {
	name  string
	facts func(*charging)
	want  []string
}

func correct(c chargestream.Correction) chargestream.Decision {
	return chargestream.Decision{Action: chargestream.ActionCorrect, Correction: c}
}

func release(reasons ...chargestream.HoldReason) chargestream.Decision {
	return chargestream.Decision{Action: chargestream.ActionRelease, Holds: reasons}
}

var cancel = chargestream.Decision{Action: chargestream.ActionCancel}

// estimated leaves the energy of a session to its samples, 3900 Wh.
func estimated(s *charging) {
	s.end.Energy = nil
	s.sampled(reading{20, 1100, -1}, reading{50, 5000, -1})
}

// noEnd takes the end of a session away.
func noEnd(s *charging) { s.end = nil }

// TestHistories is what facts and decisions make of a bill, one after the other. The tariff is
// 0.10 a kWh and a fee of 1.00, without VAT.
func TestHistories(t *testing.T) {
	book := bookOf("EUR", component{"ENERGY", "0.10", "0", 1}, component{"FLAT", "1", "0", 1})
	for _, h := range slices.Concat(factHistories(), releaseHistories(), correctHistories()) {
		t.Run(h.name, func(t *testing.T) {
			s := settled(7000, hour)
			h.facts(s)
			list := historyOf(t, s, book)
			if got := bills(list); !slices.Equal(got, h.want) {
				t.Errorf("%q, want %q", got, h.want)
			}
			for i, v := range list {
				if v.Revision != i+1 || v.Kind != chargestream.KindInvoice ||
					!strings.HasPrefix(v.InvoiceID, "s-") || v.SessionID != "s" {
					t.Errorf("%+v", v)
				}
				known := 0
				for _, a := range s.others {
					if _, ok := a.Event.(*chargestream.Decision); ok && a.Arrival <= v.IssuedAt {
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
		{"nothing in doubt", func(*charging) {}, []string{"01:10 1.70"}},
		{"overdue, then the end", func(s *charging) {
			s.endArrival = begin + 25*hour + 7*minute
		}, []string{"1d00:00 held session_not_ended", "1d01:15 1.70"}},
		{"an orphan, then the start", func(s *charging) {
			s.startArrival = begin + 3*hour + 1
		}, []string{"01:10 held stop_without_start unknown_user", "03:15 1.70"}},
		{"an end that differs", func(s *charging) {
			s.addEnd(begin+hour, begin+2*hour, wh(9000))
		}, []string{"01:10 1.70", "02:00 held conflicting_events"}},
		{"a doubt that does not change the words is no document", func(s *charging) {
			s.addEnd(begin+hour, begin+2*hour, wh(9000))
			s.addEnd(begin+hour, begin+3*hour, wh(9001))
		}, []string{"01:10 1.70", "02:00 held conflicting_events"}},
		{"a sample that comes late", func(s *charging) {
			s.end.Energy, s.start.Meter = nil, wh(1000)
			s.add(&chargestream.MeterValue{StationID: "st", ConnectorID: "1", SessionID: "s",
				Time: begin + 20*minute, Energy: wh(3000)}, begin+5*hour+1)
		}, []string{"01:10 held no_energy", "05:15 1.20"}},
	}
}

func releaseHistories() []history {
	all := func(s *charging) {
		estimated(s)
		s.decided(begin+2*hour, release())
	}
	return []history{
		{"released", all, []string{"01:10 held estimated_energy", "02:00 1.39"}},
		{"released by name", func(s *charging) {
			estimated(s)
			s.decided(begin+2*hour, release(chargestream.HoldEstimated))
		}, []string{"01:10 held estimated_energy", "02:00 1.39"}},
		{"another is named", func(s *charging) {
			estimated(s)
			s.decided(begin+2*hour, release(chargestream.HoldOverlap))
		}, []string{"01:10 held estimated_energy", "02:00 held estimated_energy"}},
		{"one of two is named", func(s *charging) {
			estimated(s)
			s.other("o", 0, hour, -hour-1)
			s.decided(begin+2*hour, release(chargestream.HoldEstimated))
		}, []string{"01:10 held duplicate_session estimated_energy",
			"02:00 held duplicate_session"}},
		{"before it holds", func(s *charging) {
			estimated(s)
			s.decided(begin+hour, release())
		}, []string{"01:10 held estimated_energy"}},
		{"what comes later holds again", func(s *charging) {
			all(s)
			s.addEnd(begin+hour, begin+3*hour, wh(1))
		}, []string{"01:10 held estimated_energy", "02:00 1.39", "03:00 held conflicting_events"}},
		{"what comes again holds again", func(s *charging) {
			all(s)
			s.decided(begin+3*hour, cancel)
			s.decided(begin+4*hour, chargestream.Decision{Action: chargestream.ActionReprice})
		}, []string{"01:10 held estimated_energy", "02:00 1.39", "03:00 held cancelled",
			"04:00 held estimated_energy"}},
		{"a released reason stays released", func(s *charging) {
			all(s)
			s.decided(begin+3*hour, correct(chargestream.Correction{UserID: "v"}))
		}, []string{"01:10 held estimated_energy", "02:00 1.39", "03:00 1.39"}},
		{"what leaves an amount unknown is not released", func(s *charging) {
			s.end.Energy, s.start.UserID = nil, ""
			s.decided(begin+2*hour, release())
		}, []string{"01:10 held no_energy unknown_user", "02:00 held no_energy unknown_user"}},
		{"cancelled is not released", func(s *charging) {
			s.decided(begin+2*hour, cancel)
			s.decided(begin+3*hour, release())
		}, []string{"01:10 1.70", "02:00 held cancelled", "03:00 held cancelled"}},
	}
}

func correctHistories() []history {
	at := begin + 2*hour
	one := func(c chargestream.Correction, before func(*charging)) func(*charging) {
		return func(s *charging) {
			before(s)
			s.decided(at, correct(c))
		}
	}
	nothing := func(*charging) {}
	return []history{
		{"energy", one(chargestream.Correction{Energy: wh(5000)}, estimated),
			[]string{"01:10 held estimated_energy", "02:00 1.50"}},
		{"energy ends each doubt about it", one(chargestream.Correction{Energy: wh(5_000_000)},
			func(s *charging) {
				s.end.Energy, s.end.Meter, s.start.Meter = nil, wh(1), wh(1000)
				s.sampled(reading{20, 5000, 7000})
			}), []string{"01:10 held meter_regression", "02:00 501.00"}},
		{"energy ends no other doubt", one(chargestream.Correction{Energy: wh(5000)},
			func(s *charging) { s.start.UserID = "" }),
			[]string{"01:10 held unknown_user", "02:00 held unknown_user"}},
		{"user", one(chargestream.Correction{UserID: "v"},
			func(s *charging) { s.start.UserID = "" }),
			[]string{"01:10 held unknown_user", "02:00 1.70"}},
		{"no user in place of no user", one(chargestream.Correction{UserID: "unknown"},
			func(s *charging) { s.start.UserID = "" }),
			[]string{"01:10 held unknown_user", "02:00 held unknown_user"}},
		{"the end ends doubts about time", one(chargestream.Correction{EndTime: begin + hour},
			func(s *charging) {
				s.addEnd(begin+hour, begin+hour+1, wh(9000))
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
			func(s *charging) { s.start = nil }),
			[]string{"01:10 held stop_without_start unknown_user", "02:00 1.70"}},
		{"a start where there is none, and no user", one(chargestream.Correction{StartTime: begin},
			func(s *charging) { s.start = nil }),
			[]string{"01:10 held stop_without_start unknown_user", "02:00 held unknown_user"}},
		{"the wrong way round", one(chargestream.Correction{StartTime: begin + 2*hour}, nothing),
			[]string{"01:10 1.70", "02:00 held negative_duration over_power"}},
		{"the last correction of a quantity counts", func(s *charging) {
			s.decided(at, correct(chargestream.Correction{Energy: wh(5000), UserID: "v"}))
			s.decided(at+1, correct(chargestream.Correction{Energy: wh(6000)}))
		}, []string{"01:10 1.70", "02:00 1.50", "02:00:00.001 1.60"}},
		{"cancelled, and corrected", func(s *charging) {
			s.decided(at, cancel)
			s.decided(at+hour, correct(chargestream.Correction{Energy: wh(6000)}))
		}, []string{"01:10 1.70", "02:00 held cancelled", "03:00 1.60"}},
		{"cancelled before it is due", func(s *charging) {
			s.decided(begin+30*minute, cancel)
		}, []string{"01:10 held cancelled"}},
	}
}

// TestCorrectedQuantities holds that what was corrected is what the bill says.
func TestCorrectedQuantities(t *testing.T) {
	s := settled(7000, hour)
	s.decided(begin+2*hour, correct(chargestream.Correction{Energy: wh(5000),
		StartTime: begin + 10*minute, EndTime: begin + 40*minute, UserID: "v"}))
	v := bill(t, s, rated())
	if v.Energy != 5000 || v.StartTime != begin+10*minute || v.EndTime != begin+40*minute ||
		v.DurationSeconds != 1800 || v.UserID != "v" || v.Estimated ||
		v.Status != chargestream.StatusIssued || v.Decisions[0].By != "ada" {
		t.Errorf("%+v", v)
	}
}

// TestLateStatusChangesParking holds that a report which comes late is billed from the end of its
// quarter hour on.
func TestLateStatusChangesParking(t *testing.T) {
	s := settled(7000, hour)
	s.add(&chargestream.StatusReport{StationID: "st", ConnectorID: "1", Status: "SuspendedEV",
		Time: begin + 40*minute}, begin+3*hour+1)
	list := historyOf(t, s, parked())
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
		book, rows := drawBook(t), drawRows(t)
		at := tabletest.DrawTime(t, 3000, "up to")
		later := at + tabletest.DrawTime(t, 3000, "later") - begin
		for _, id := range sorted(rows.Sessions) {
			s := billedOf(rows, id, book)
			s.Row.RevisionOffset = rapid.IntRange(0, 3).Draw(t, "revision offset")
			list := must(s.History(later))
			if part := must(s.History(at)); !isPrefix(part, list) {
				t.Fatalf("%s\n%s", showBills(part), showBills(list))
			}
			checkList(t, list, s.Row.RevisionOffset, later)
		}
	})
}

func checkList(t *rapid.T, list []chargestream.Invoice, offset int, upTo chargestream.Millis) {
	ids := map[string]bool{}
	for i, v := range list {
		checkAmounts(t, &v)
		if ids[v.InvoiceID] || v.Revision != i+1+offset || v.IssuedAt > upTo {
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
		before.Holds, v.Holds = nil, nil // evidence alone makes no document
		if textOf(before) == textOf(v) {
			t.Fatalf("revision %d says nothing new: %s", v.Revision, textOf(list))
		}
	}
}

// drawRows draws the rows of random events: of a world, or of claims that contradict each other.
func drawRows(t *rapid.T) *tabletest.Rows {
	rows, list := tabletest.NewRows(), tabletest.DrawWorld
	if rapid.Bool().Draw(t, "crowd") {
		list = tabletest.DrawCrowd
	}
	for _, a := range list(t) {
		if err := rows.Fold(a.Event, a.Arrival); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.FireStation(theEnd); err != nil {
		t.Fatal(err)
	}
	return rows
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

var errBroken = errors.New("broken")

// brokenBook is a book of which a part cannot be read.
type brokenBook struct {
	*shelf
	broken string
}

// Registry implements billing.Book.
func (b brokenBook) Registry(id chargestream.StationID) (*tables.Registry, error) {
	if b.broken == "registry" {
		return nil, errBroken
	}
	return b.shelf.Registry(id)
}

// Tariff implements billing.Book.
func (b brokenBook) Tariff(id chargestream.TariffID) (*tables.Tariff, error) {
	if b.broken == "tariff" {
		return nil, errBroken
	}
	return b.shelf.Tariff(id)
}

// Parse implements billing.Book.
func (b brokenBook) Parse(raw []byte) (*pricing.Tariff, error) {
	if b.broken == "text" {
		return nil, errBroken
	}
	return b.shelf.Parse(raw)
}

// TestErrorsBillNothing holds that reference data and hours that cannot be read bill nothing.
func TestErrorsBillNothing(t *testing.T) {
	for _, broken := range []string{"registry", "tariff", "text", "hours"} {
		s := settled(7, minute).session(t, brokenBook{rated(), broken})
		if broken == "hours" {
			s.Hours = func(chargestream.ConnectorID, chargestream.Millis) (*tables.Hour, error) {
				return nil, errBroken
			}
		}
		if list, err := s.History(theEnd); !errors.Is(err, errBroken) {
			t.Errorf("%s: %v, %v", broken, list, err)
		}
		if b, err := s.Bill(theEnd); !errors.Is(err, errBroken) || len(b.Documents) > 0 {
			t.Errorf("%s: %v, %v", broken, b, err)
		}
	}
}
