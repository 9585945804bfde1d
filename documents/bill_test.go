package documents

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"testing"
	_ "time/tzdata" // the station's zone must not depend on the host

	"pgregory.net/rapid"

	"chargestream"
)

// item is what one line bills.
type item struct {
	dimension       string
	quantity, price string
	percent         string
	reservation     bool
}

// half rounds half up to a whole number of minor units.
func half(r *big.Rat) *big.Int {
	twice := new(big.Int).Mul(r.Num(), big.NewInt(2))
	twice.Add(twice, r.Denom())
	return twice.Div(twice, new(big.Int).Mul(r.Denom(), big.NewInt(2)))
}

func rat(text string) *big.Rat {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		panic("not a number: " + text)
	}
	return r
}

// apportion shares an amount out by weights, in whole units by largest remainder.
func apportion(amount *big.Int, weights []*big.Rat) []*big.Int {
	sum := new(big.Rat)
	for _, w := range weights {
		sum.Add(sum, w)
	}
	shares, rests := make([]*big.Int, len(weights)), make([]*big.Rat, len(weights))
	order := make([]int, len(weights))
	left := new(big.Int).Set(amount)
	for i, w := range weights {
		order[i], shares[i], rests[i] = i, new(big.Int), new(big.Rat)
		if sum.Sign() == 0 {
			continue
		}
		exact := new(big.Rat).Mul(new(big.Rat).SetInt(amount), w)
		exact.Quo(exact, sum)
		shares[i].Div(exact.Num(), exact.Denom())
		rests[i].Sub(exact, new(big.Rat).SetInt(shares[i]))
		left.Sub(left, shares[i])
	}
	slices.SortStableFunc(order, func(a, b int) int { return rests[b].Cmp(rests[a]) })
	for _, i := range order {
		if left.Sign() > 0 {
			shares[i].Add(shares[i], big.NewInt(1))
			left.Sub(left, big.NewInt(1))
		}
	}
	return shares
}

// bill fills in the lines, groups and totals as decision 9 says: each group's exact sum and the
// VAT of that are rounded once, and shared out to the lines.
func bill(v *chargestream.Invoice, items ...item) {
	digits, err := digitsOf(v.Currency)
	if err != nil {
		panic(err)
	}
	scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil))
	byRate := map[string][]int{}
	var rates []string
	for i, it := range items {
		if byRate[it.percent] == nil {
			rates = append(rates, it.percent)
		}
		byRate[it.percent] = append(byRate[it.percent], i)
	}
	slices.SortFunc(rates, compareRates)
	v.Lines = make([]chargestream.InvoiceLine, len(items))
	total := noMoney()
	for _, percent := range rates {
		sum := new(big.Rat)
		weights := make([]*big.Rat, 0, len(items))
		for _, i := range byRate[percent] {
			exact := new(big.Rat).Mul(rat(items[i].quantity), rat(items[i].price))
			weights = append(weights, exact)
			sum.Add(sum, exact)
		}
		sum.Mul(sum, scale)
		vat := new(big.Rat).Mul(sum, rat(cmp.Or(percent, "0")))
		m := money{excl: half(sum), vat: half(vat.Quo(vat, big.NewRat(100, 1)))}
		m.incl = new(big.Int).Add(m.excl, m.vat)
		total.add(m)
		v.VATGroups = append(v.VATGroups, chargestream.VATGroup{VATPercent: percent,
			ExclVAT: fixed(m.excl, digits), VAT: fixed(m.vat, digits),
			InclVAT: fixed(m.incl, digits)})
		excls := apportion(m.excl, weights)
		whole := make([]*big.Rat, len(excls))
		for i := range excls {
			whole[i] = new(big.Rat).SetInt(excls[i])
		}
		vats := apportion(m.vat, whole)
		for j, i := range byRate[percent] {
			v.Lines[i] = lineOf(items[i], excls[j], vats[j], digits)
		}
	}
	v.TotalExclVAT, v.TotalVAT = fixed(total.excl, digits), fixed(total.vat, digits)
	v.TotalInclVAT = fixed(total.incl, digits)
}

func lineOf(it item, excl, vat *big.Int, digits int) chargestream.InvoiceLine {
	words := map[string][2]string{"ENERGY": {"Energy", "kWh"}, "TIME": {"Charging time", "h"},
		"PARKING_TIME": {"Parking time", "h"}, "FLAT": {"Session fee", "session"},
		"MIN_PRICE": {"Minimum price", "session"}, "MAX_PRICE": {"Price limit", "session"}}
	l := chargestream.InvoiceLine{Dimension: it.dimension, Reservation: it.reservation,
		Description: words[it.dimension][0], Unit: words[it.dimension][1], Quantity: it.quantity,
		Measured: it.quantity, UnitPrice: it.price, VATPercent: it.percent,
		ExclVAT: fixed(excl, digits), VAT: fixed(vat, digits),
		InclVAT: fixed(new(big.Int).Add(excl, vat), digits)}
	if it.reservation {
		l.Description = "Reservation: " + l.Description
	}
	return l
}

// shift adds the line of a bound that brings one rate's group by an amount and its VAT further.
func shift(v *chargestream.Invoice, dimension, percent, excl, vat string) {
	digits, _ := digitsOf(v.Currency)
	e, _ := minor(excl, digits)
	t, _ := minor(vat, digits)
	l := lineOf(item{dimension: dimension, quantity: "1", price: excl, percent: percent}, e, t,
		digits)
	s := newSums(digits)
	if err := s.addInvoice(v); err != nil {
		panic(err)
	}
	v.Lines = append(v.Lines, l)
	s.add(percent, money{excl: e, vat: t, incl: new(big.Int).Add(e, t)})
	v.VATGroups = s.groups()
	v.TotalExclVAT, v.TotalVAT = fixed(s.total.excl, digits), fixed(s.total.vat, digits)
	v.TotalInclVAT = fixed(s.total.incl, digits)
}

// creditNote cancels an invoice as the invoices topic has it: amounts and quantities negated, the
// energy of the session as it was.
func creditNote(v chargestream.Invoice, at chargestream.Millis, day string) chargestream.Invoice {
	v.Credits, v.InvoiceID, v.Kind = v.InvoiceID, v.InvoiceID+"-credit", chargestream.KindCreditNote
	v.IssuedAt, v.BookingDate = at, day
	v.Lines, v.VATGroups = slices.Clone(v.Lines), slices.Clone(v.VATGroups)
	for i := range v.Lines {
		l := &v.Lines[i]
		l.Quantity, l.Measured = negated(l.Quantity), negated(l.Measured)
		l.ExclVAT, l.VAT, l.InclVAT = negated(l.ExclVAT), negated(l.VAT), negated(l.InclVAT)
	}
	for i := range v.VATGroups {
		g := &v.VATGroups[i]
		g.ExclVAT, g.VAT, g.InclVAT = negated(g.ExclVAT), negated(g.VAT), negated(g.InclVAT)
	}
	v.TotalExclVAT, v.TotalVAT = negated(v.TotalExclVAT), negated(v.TotalVAT)
	v.TotalInclVAT = negated(v.TotalInclVAT)
	return v
}

func drawItem(t *rapid.T, percents []string) item {
	it := item{dimension: rapid.SampledFrom([]string{"ENERGY", "TIME", "PARKING_TIME",
		"FLAT"}).Draw(t, "dimension"), quantity: "1",
		percent: rapid.SampledFrom(percents).Draw(t, "VAT")}
	it.price = trimmed(rapid.Int64Range(0, 5_000_000).Draw(t, "price"), 6)
	switch it.dimension {
	case "ENERGY":
		it.quantity = fixed(big.NewInt(rapid.Int64Range(0, 200_000).Draw(t, "Wh")), 3)
	case "TIME", "PARKING_TIME":
		it.quantity = fixed(big.NewInt(rapid.Int64Range(0, 50_000_000).Draw(t, "hours")), 6)
		it.reservation = rapid.Bool().Draw(t, "reservation")
	}
	return it
}

func trimmed(n int64, digits int) string { return rate(fixed(big.NewInt(n), digits)) }

// drawInvoice is any bill, issued or held.
func drawInvoice(t *rapid.T, id int, currency string) chargestream.Invoice {
	v := *plain(fmt.Sprintf("s-%d", id))
	v.Currency = currency
	v.UserID = chargestream.UserID(rapid.SampledFrom([]string{"ann", "ben"}).Draw(t, "user"))
	v.SiteID = chargestream.SiteID(rapid.SampledFrom([]string{"", "depot"}).Draw(t, "site"))
	v.Energy = chargestream.WattHours(rapid.Int64Range(0, 100_000).Draw(t, "energy"))
	v.BookingDate = rapid.SampledFrom([]string{"2026-02-28", "2026-03-01", "2026-03-31"}).
		Draw(t, "day")
	v.IssuedAt += chargestream.Millis(rapid.Int64Range(0, 1000).Draw(t, "issued"))
	if rapid.IntRange(0, 4).Draw(t, "held") == 0 {
		v.Status = chargestream.StatusHeld
		v.HoldReasons = []chargestream.HoldReason{chargestream.HoldOverPower}
	}
	percents := []string{"0", "5.5", "7", "19", "25"}
	items := make([]item, rapid.IntRange(1, 6).Draw(t, "lines"))
	for i := range items {
		items[i] = drawItem(t, percents)
	}
	bill(&v, items...)
	drawBound(t, &v)
	return v
}

// drawBound adds a bound to some bills, which takes a share of one group away or adds to it. It
// leaves currencies without decimals alone: one minor unit is more there than EN 16931 allows VAT
// to be off its rate, and rounding shares takes that.
func drawBound(t *rapid.T, v *chargestream.Invoice) {
	digits, _ := digitsOf(v.Currency)
	if digits == 0 {
		return
	}
	g := v.VATGroups[rapid.IntRange(0, len(v.VATGroups)-1).Draw(t, "group")]
	excl, _ := minor(g.ExclVAT, digits)
	share := big.NewInt(rapid.Int64Range(1, 100).Draw(t, "share"))
	part := func(text string) string {
		n, _ := minor(text, digits)
		return fixed(n.Mul(n, share).Div(n, big.NewInt(100)), digits)
	}
	switch rapid.IntRange(0, 3).Draw(t, "bound") {
	case 0:
		if excl.Sign() > 0 {
			shift(v, "MAX_PRICE", g.VATPercent, negated(part(g.ExclVAT)), negated(part(g.VAT)))
		}
	case 1:
		shift(v, "MIN_PRICE", g.VATPercent, part(g.ExclVAT), part(g.VAT))
	}
}

// plain is an invoice without lines.
func plain(session string) *chargestream.Invoice {
	start, stop := chargestream.WattHours(1_234_567), chargestream.WattHours(1_255_017)
	return &chargestream.Invoice{
		InvoiceID: session + "-4c044e54ea", SessionID: chargestream.SessionID(session),
		Revision: 1, Kind: chargestream.KindInvoice, Status: chargestream.StatusIssued,
		IssuedAt: 1_772_452_800_000, BookingDate: "2026-03-02", StationID: "DE*LSW*E0001",
		ConnectorID: "2", SiteID: "freiburg-1", TimeZone: "Europe/Berlin", UserID: "card-7",
		Currency: "EUR", StartTime: 1_772_445_600_000, EndTime: 1_772_449_200_000,
		DurationSeconds: 3600, Energy: 20_450, MeterStart: &start, MeterStop: &stop,
		TariffID: "city-ac", TariffValidFrom: 1_767_222_000_000, TotalExclVAT: "0.00",
		TotalVAT: "0.00", TotalInclVAT: "0.00"}
}

func seller() *Seller {
	return &Seller{Name: "Ladewerke Süd GmbH", Street: "Hauptstraße 1", City: "Freiburg",
		PostalCode: "79098", Country: "DE", VATID: "DE123456789", Email: "post@ladewerke.example"}
}

// TestFixtureRounding holds the fixtures' arithmetic against the examples of decision 9.
func TestFixtureRounding(t *testing.T) {
	v := plain("s-1")
	bill(v, item{dimension: "ENERGY", quantity: "20.5", price: "0.25", percent: "10"})
	if v.TotalExclVAT != "5.13" || v.TotalVAT != "0.51" || v.TotalInclVAT != "5.64" {
		t.Errorf("20.5 kWh at 0.25: %s + %s = %s", v.TotalExclVAT, v.TotalVAT, v.TotalInclVAT)
	}
	third := item{dimension: "FLAT", quantity: "1", price: "0.335", percent: "0"}
	v = plain("s-2")
	bill(v, third, third, third)
	got := v.Lines[0].ExclVAT + " " + v.Lines[1].ExclVAT + " " + v.Lines[2].ExclVAT
	if v.TotalExclVAT != "1.01" || got != "0.34 0.34 0.33" {
		t.Errorf("three times 0.335: %s as %s", v.TotalExclVAT, got)
	}
}
