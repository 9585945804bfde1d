package billing_test

import (
	"encoding/json"
	"slices"
	"testing"

	"chargestream"
)

// priced is a version of a tariff that has a fee only.
func priced(from chargestream.Millis, fee string) chargestream.TariffVersion {
	return versionOf(from, "EUR", component{"FLAT", json.Number(fee), "0", 1})
}

// bills are the moments and totals of a list of invoices.
func bills(list []chargestream.Invoice) []string {
	var texts []string
	for i := range list {
		v := &list[i]
		total := v.TotalExclVAT
		if v.Status == chargestream.StatusHeld {
			total = "held"
			for _, reason := range v.HoldReasons {
				total += " " + string(reason)
			}
		}
		texts = append(texts, clock(v.IssuedAt)+" "+total)
	}
	return texts
}

// decided adds a decision.
func (c *charging) decided(at chargestream.Millis, d chargestream.Decision) {
	if d.DecisionID == "" {
		d.DecisionID = clock(at)
	}
	d.StationID, d.SessionID, d.Time, d.By, d.Reason = "st", "s", at, "ada", "seen"
	c.add(&d, at)
}

// termsCase is a case of by which tariff a session of an hour, due at 01:10, is billed.
type termsCase struct {
	name  string
	book  func(*shelf)
	facts func(*charging)
	want  []string
}

// due is when the session of a termsCase is due.
const due = begin + hour + chargestream.Grace

func info(tariff chargestream.TariffID) *chargestream.StationInfo {
	return &chargestream.StationInfo{StationID: "st", TariffID: tariff}
}

func tariffCases() []termsCase {
	return []termsCase{
		{"nothing is known", func(*shelf) {}, nil, []string{"01:10 held no_tariff"}},
		{"of the versions the latest in force at the start", func(b *shelf) {
			b.register(yesterday, info("t"))
			b.publish(yesterday, "t", priced(begin, "2"), priced(begin+1, "3"),
				priced(yesterday, "1"))
		}, nil, []string{"01:10 2.00"}},
		{"a record takes effect two minutes after its arrival", func(b *shelf) {
			b.register(yesterday, info("t"))
			b.publish(yesterday, "t", priced(yesterday, "1"))
			b.publish(due-chargestream.TariffDelay, "t", priced(yesterday, "2"))
		}, nil, []string{"01:10 2.00"}},
		{"a ms too late", func(b *shelf) {
			b.register(yesterday, info("t"))
			b.publish(yesterday, "t", priced(yesterday, "1"))
			b.publish(due-chargestream.TariffDelay+1, "t", priced(yesterday, "2"))
		}, nil, []string{"01:10 1.00"}},
		{"a tariff that comes late is found at the end of the quarter hour", func(b *shelf) {
			b.register(yesterday, info("t"))
			b.publish(due+hour, "t", priced(yesterday, "2"))
		}, func(s *charging) {
			s.decided(due+3*hour, chargestream.Decision{Action: chargestream.ActionRelease})
		}, []string{"01:10 held no_tariff", "02:15 2.00", "04:10 2.00"}},
		{"once found they are sealed", func(b *shelf) {
			b.register(yesterday, info("t"))
			b.publish(due+hour, "t", priced(yesterday, "2"))
			b.publish(due+4*hour, "t", priced(yesterday, "3"))
		}, func(s *charging) {
			s.decided(due+3*hour, chargestream.Decision{Action: chargestream.ActionRelease})
		}, []string{"01:10 held no_tariff", "02:15 2.00", "04:10 2.00"}},
		{"a tariff that is in force later only", func(b *shelf) {
			b.register(yesterday, info("t"))
			b.publish(yesterday, "t", priced(begin+1, "2"))
			b.publish(due+hour, "t", priced(begin, "3"))
		}, func(s *charging) {
			s.decided(due+3*hour, chargestream.Decision{Action: chargestream.ActionRelease})
		}, []string{"01:10 held no_tariff", "02:15 3.00", "04:10 3.00"}},
		{"a tariff that is withdrawn before the next moment", func(b *shelf) {
			b.register(yesterday, info("t"))
			b.publish(due+hour, "t", priced(yesterday, "2"))
			b.publish(due+hour+minute, "t")
		}, nil, []string{"01:10 held no_tariff"}},
	}
}

func registryCases() []termsCase {
	return []termsCase{
		{"the last entry of the registry by the start", func(b *shelf) {
			b.register(yesterday, info("u"))
			b.register(begin, info("t"))
			b.register(begin+1, info("u"))
			b.publish(yesterday, "t", priced(yesterday, "1"))
			b.publish(yesterday, "u", priced(yesterday, "2"))
		}, nil, []string{"01:10 1.00"}},
		{"the first after it, where there was none", func(b *shelf) {
			b.register(due+hour, info("t"))
			b.register(due+hour+1, info("u"))
			b.publish(yesterday, "t", priced(yesterday, "1"))
			b.publish(yesterday, "u", priced(yesterday, "2"))
		}, func(s *charging) {
			s.decided(due+3*hour, chargestream.Decision{Action: chargestream.ActionRelease})
		}, []string{"01:10 held no_tariff", "02:15 1.00", "04:10 1.00"}},
		{"the registry first, the tariff later", func(b *shelf) {
			b.register(due+hour, info("t"))
			b.publish(due+2*hour, "t", priced(yesterday, "1"))
		}, func(s *charging) {
			s.decided(due+3*hour, chargestream.Decision{Action: chargestream.ActionRelease})
		}, []string{"01:10 held no_tariff", "03:15 1.00", "04:10 1.00"}},
		{"an entry that comes late counts from its arrival on", func(b *shelf) {
			b.register(due, info("t"))
			b.publish(yesterday, "t", priced(yesterday, "1"))
		}, nil, []string{"01:10 1.00"}},
		{"a ms too late for the first bill", func(b *shelf) {
			b.register(due+1, info("t"))
			b.publish(yesterday, "t", priced(yesterday, "1"))
		}, nil, []string{"01:10 held no_tariff", "01:15 1.00"}},
		{"an entry without a tariff", func(b *shelf) {
			b.register(yesterday, info(""))
			b.publish(yesterday, "t", priced(yesterday, "1"))
		}, nil, []string{"01:10 held no_tariff"}},
		{"an entry without a tariff, that is mended", func(b *shelf) {
			b.register(yesterday, info(""))
			b.register(due+hour, info("u"))
			b.register(due+2*hour, info("t"))
			b.publish(yesterday, "t", priced(yesterday, "1"))
			b.publish(yesterday, "u", priced(begin+1, "2"))
		}, nil, []string{"01:10 held no_tariff", "03:15 1.00"}},
		{"history that is read later", func(b *shelf) {
			b.register(due+9*hour, info("u"))
			b.publish(due+9*hour, "t", priced(yesterday, "2"))
			b.register(yesterday, info("t"))
			b.publish(yesterday, "t", priced(yesterday, "1"))
			b.publish(yesterday, "u", priced(yesterday, "3"))
		}, nil, []string{"01:10 1.00"}},
	}
}

func decidedCases() []termsCase {
	return []termsCase{
		{"a new price needs a decision", func(b *shelf) {
			b.register(yesterday, info("t"))
			b.publish(yesterday, "t", priced(yesterday, "1"))
			b.publish(due+hour, "t", priced(yesterday, "2"))
		}, nil, []string{"01:10 1.00"}},
		{"the decision takes what is in effect at it", func(b *shelf) {
			b.register(yesterday, info("t"))
			b.register(due+hour, info("u"))
			b.register(due+hour+1, info("t"))
			b.publish(yesterday, "t", priced(yesterday, "1"))
			b.publish(yesterday, "u", priced(yesterday, "2"))
			b.publish(due+hour-chargestream.TariffDelay, "u", priced(yesterday, "3"))
			b.publish(due+hour-chargestream.TariffDelay+1, "u", priced(yesterday, "4"))
		}, func(s *charging) {
			s.decided(due+hour, chargestream.Decision{Action: chargestream.ActionReprice})
		}, []string{"01:10 1.00", "02:10 3.00"}},
		{"and seals again", func(b *shelf) {
			b.register(yesterday, info("t"))
			b.publish(yesterday, "t", priced(yesterday, "1"))
			b.publish(due+hour-chargestream.TariffDelay, "t", priced(yesterday, "2"))
			b.publish(due+2*hour, "t", priced(yesterday, "3"))
		}, func(s *charging) {
			s.decided(due+hour, chargestream.Decision{Action: chargestream.ActionReprice})
			s.decided(due+3*hour, chargestream.Decision{Action: chargestream.ActionRelease})
		}, []string{"01:10 1.00", "02:10 2.00", "04:10 2.00"}},
		{"another tariff by decision", func(b *shelf) {
			b.register(yesterday, info("t"))
			b.publish(yesterday, "t", priced(yesterday, "1"))
			b.publish(due+hour-chargestream.TariffDelay, "u", priced(yesterday, "2"))
			b.publish(due+hour-chargestream.TariffDelay+1, "u", priced(yesterday, "3"))
		}, func(s *charging) {
			s.decided(due+hour, chargestream.Decision{Action: chargestream.ActionCorrect,
				Correction: chargestream.Correction{TariffID: "u"}})
		}, []string{"01:10 1.00", "02:10 2.00"}},
		{"another tariff by decision, that does not exist", func(b *shelf) {
			b.register(yesterday, info("t"))
			b.publish(yesterday, "t", priced(yesterday, "1"))
		}, func(s *charging) {
			s.decided(due+hour, chargestream.Decision{Action: chargestream.ActionCorrect,
				Correction: chargestream.Correction{TariffID: "u"}})
		}, []string{"01:10 1.00", "02:10 held no_tariff"}},
		{"a tariff where the registry has none", func(b *shelf) {
			b.publish(yesterday, "u", priced(yesterday, "2"))
		}, func(s *charging) {
			s.decided(due+hour, chargestream.Decision{Action: chargestream.ActionCorrect,
				Correction: chargestream.Correction{TariffID: "u"}})
		}, []string{"01:10 held no_tariff", "02:10 2.00"}},
	}
}

// TestTerms holds the cases.
func TestTerms(t *testing.T) {
	for _, c := range slices.Concat(tariffCases(), registryCases(), decidedCases()) {
		t.Run(c.name, func(t *testing.T) {
			book, s := newShelf(), settled(7000, hour)
			c.book(book)
			if c.facts != nil {
				c.facts(s)
			}
			list := historyOf(t, s, book)
			if got := bills(list); !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// TestTermsAreOnTheBill holds that a bill names its tariff, site and zone, and is booked in that
// zone.
func TestTermsAreOnTheBill(t *testing.T) {
	book := bookOf("EUR", component{"FLAT", "1", "20", 1})
	book.register(yesterday+1, &chargestream.StationInfo{StationID: "st", TariffID: "t",
		SiteID: "lyon-1", TimeZone: "Asia/Tokyo"})
	s := settled(7000, 15*hour) // due at 15:10 UTC, when it is 00:10 in Tokyo
	v := bill(t, s, book)
	if v.TariffID != "t" || v.TariffValidFrom != yesterday || v.SiteID != "lyon-1" ||
		v.TimeZone != "Asia/Tokyo" || v.BookingDate != "2026-03-03" {
		t.Errorf("%+v", v)
	}
	book.register(yesterday+2, &chargestream.StationInfo{StationID: "st", TariffID: "t",
		TimeZone: "Atlantis/Capital"})
	if v := bill(t, s, book); v.BookingDate != "2026-03-02" ||
		v.Status != chargestream.StatusIssued {
		t.Errorf("%+v", v)
	}
}

// TestNotEndedAsksNoTariff holds that what may come to be billed differently is not sealed.
func TestNotEndedAsksNoTariff(t *testing.T) {
	s := settled(7000, hour)
	s.endArrival = begin + 2*day
	book := newShelf()
	book.register(yesterday, &chargestream.StationInfo{StationID: "st", TariffID: "t"})
	book.publish(yesterday, "t", priced(yesterday, "1"))
	book.publish(begin+day+hour, "t", priced(yesterday, "2"))
	list := historyOf(t, s, book)
	want := []string{"1d00:00 held session_not_ended", "2d00:00 2.00"}
	if got := bills(list); !slices.Equal(got, want) || list[0].TariffID != "" ||
		list[0].Currency != "" {
		t.Errorf("%q, %+v", got, list)
	}
}

// TestRowsWithLaterReferenceData holds that a row is the same byte for byte, and what was sent is
// known, where a tariff has a version already that arrives after all is billed: a replay has all
// tariffs from the start.
func TestRowsWithLaterReferenceData(t *testing.T) {
	billed := func(later bool) ([]byte, []chargestream.Invoice) {
		book, s := newShelf(), settled(7000, hour)
		book.register(yesterday, info("t"))
		book.publish(yesterday, "t", priced(yesterday, "1"))
		if later {
			book.publish(due+hour, "t", priced(yesterday, "1"), priced(due+hour, "2"))
			book.publish(due+2*hour, "t", priced(yesterday, "3"))
		}
		session := s.session(t, book)
		bill, err := session.Bill(due)
		if err != nil {
			t.Fatal(err)
		}
		again, err := session.Bill(due + 3*hour)
		if err != nil || len(again.Documents) > 0 {
			t.Fatal(again.Documents, err)
		}
		return session.Row.Append(nil), bill.Documents
	}
	row, documents := billed(false)
	other, same := billed(true)
	if !slices.Equal(row, other) || len(documents) != 1 || len(same) != 1 ||
		documents[0].InvoiceID != same[0].InvoiceID {
		t.Errorf("rows %x and %x, documents %+v and %+v", row, other, documents, same)
	}
}
