package tables_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/apd/v3"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"chargestream"
	"chargestream/tables"
)

// settled is a session of an energy and a length of which nothing is in doubt.
func settled(energy chargestream.WattHours, length chargestream.Millis) *tables.Session {
	row := &tables.Session{}
	row.Merge(&tables.Session{StationID: "st", Settled: true, Verdict: tables.Verdict{Known: true},
		Starts: []tables.Start{{At: begin, Arrival: begin, ConnectorID: "1", UserID: "u"}},
		Ends:   []tables.End{{At: begin + length, Arrival: begin + length, Energy: &energy}}})
	return row
}

// tariffOf is a tariff of one version, in force long before any session.
func tariffOf(currency string,
	components ...chargestream.PriceComponent) *chargestream.TariffHistory {
	return &chargestream.TariffHistory{TariffID: "t", Versions: []chargestream.TariffVersion{{
		ValidFrom: begin - chargestream.Day, Tariff: chargestream.Tariff{Currency: currency,
			Elements: []chargestream.TariffElement{{PriceComponents: components}}}}}}
}

func priced(kind, price, vat string, step int64) chargestream.PriceComponent {
	return chargestream.PriceComponent{Type: kind, Price: json.Number(price),
		VAT: json.Number(vat), StepSize: step}
}

// bill is the invoice of a session that has one.
func bill(t testing.TB, s *tables.Session,
	tariff *chargestream.TariffHistory) chargestream.Invoice {
	t.Helper()
	v, ok := s.Invoice("s", tariff)
	if !ok {
		t.Fatalf("no invoice of %+v", s)
	}
	return v
}

// exactly computes with more digits than any amount has.
func exactly() *apd.Context {
	c := apd.BaseContext.WithPrecision(200)
	c.Rounding = apd.RoundHalfUp
	return c
}

func decimal(text string) *apd.Decimal {
	d, _, err := apd.NewFromString(text)
	if err != nil {
		panic(fmt.Errorf("%q: %w", text, err))
	}
	return d
}

// amount is a*b/c, rounded half away from zero to so many digits.
func amount(a, b, c *apd.Decimal, digits int) *apd.Decimal {
	var product, quotient, rounded apd.Decimal
	ctx := exactly()
	if _, err := ctx.Mul(&product, a, b); err != nil {
		panic(err)
	}
	if _, err := ctx.Quo(&quotient, &product, c); err != nil {
		panic(err)
	}
	if _, err := ctx.Quantize(&rounded, &quotient, int32(-digits)); err != nil {
		panic(err)
	}
	return &rounded
}

func add(a *apd.Decimal, text string) *apd.Decimal {
	var sum apd.Decimal
	if _, err := exactly().Add(&sum, a, decimal(text)); err != nil {
		panic(err)
	}
	return &sum
}

// drawComponents draws at most one price of each dimension, in any order.
func drawComponents(t *rapid.T) []chargestream.PriceComponent {
	var components []chargestream.PriceComponent
	for _, kind := range rapid.Permutation([]string{"ENERGY", "TIME", "FLAT"}).Draw(t, "order") {
		if rapid.IntRange(0, 3).Draw(t, kind+" is missing") == 0 {
			continue
		}
		components = append(components, priced(kind,
			rapid.StringMatching(`(0|[1-9][0-9]{0,3})(\.[0-9]{1,4})?`).Draw(t, "price"),
			rapid.StringMatching(`(0|[1-9][0-9]?)(\.[0-9]{1,2})?`).Draw(t, "VAT"),
			rapid.SampledFrom([]int64{0, 1, 60, 100, 300, 1000}).Draw(t, "step")))
	}
	return components
}

// steps is n rounded up to whole steps.
func steps(n, step int64) int64 {
	for step > 1 && n%step != 0 {
		n++
	}
	return n
}

// quantityOf is what a dimension bills, and the divisor that makes it the unit of the price.
func quantityOf(c *chargestream.PriceComponent, wh, s int64) (quantity, unit *apd.Decimal) {
	switch c.Type {
	case "ENERGY":
		return apd.New(steps(wh, c.StepSize), 0), apd.New(1000, 0)
	case "TIME":
		return apd.New(steps(s, c.StepSize), 0), apd.New(3600, 0)
	}
	return apd.New(1, 0), apd.New(1, 0)
}

// TestAmountsAgree holds random invoices against a decimal library: each line is rounded on its
// own, and the totals are the sums of the lines.
func TestAmountsAgree(t *testing.T) {
	digits := map[string]int{"EUR": 2, "JPY": 0, "KWD": 3}
	rapid.Check(t, func(t *rapid.T) {
		currency := rapid.SampledFrom([]string{"EUR", "JPY", "KWD"}).Draw(t, "currency")
		wh := rapid.Int64Range(0, 200_000).Draw(t, "energy")
		ms := rapid.Int64Range(0, 200_000_000).Draw(t, "length")
		components := drawComponents(t)
		v, ok := settled(chargestream.WattHours(wh), chargestream.Millis(ms)).Invoice("s",
			tariffOf(currency, components...))
		if !ok || v.Status != chargestream.StatusIssued || len(v.Lines) != len(components) {
			t.Fatalf("%v, %+v", ok, v)
		}
		var excl, vat apd.Decimal
		totals := [2]*apd.Decimal{&excl, &vat}
		for _, l := range v.Lines {
			i := slices.IndexFunc(components, func(c chargestream.PriceComponent) bool {
				return c.Type == l.Dimension
			})
			checkLine(t, &l, &components[i], wh, ms/1000, digits[currency])
			totals[0], totals[1] = add(totals[0], l.ExclVAT), add(totals[1], l.VAT)
		}
		incl := add(totals[0], totals[1].Text('f'))
		if totals[0].Cmp(decimal(v.TotalExclVAT)) != 0 || totals[1].Cmp(decimal(v.TotalVAT)) != 0 ||
			incl.Cmp(decimal(v.TotalInclVAT)) != 0 {
			t.Fatalf("the lines do not add up to the totals: %+v", v)
		}
		for _, text := range []string{v.TotalExclVAT, v.TotalVAT, v.TotalInclVAT} {
			if decimal(text).Exponent != int32(-digits[currency]) {
				t.Fatalf("%q is not written in the digits of %s", text, currency)
			}
		}
	})
}

func checkLine(t *rapid.T, l *chargestream.InvoiceLine, c *chargestream.PriceComponent,
	wh, s int64, digits int) {
	quantity, unit := quantityOf(c, wh, s)
	excl := amount(decimal(string(c.Price)), quantity, unit, digits)
	vat := amount(excl, decimal(string(c.VAT)), apd.New(100, 0), digits)
	incl := add(excl, vat.Text('f'))
	if excl.Text('f') != l.ExclVAT || vat.Text('f') != l.VAT || incl.Text('f') != l.InclVAT {
		t.Fatalf("%+v, want %s + %s = %s", l, excl, vat, incl)
	}
	if want := amount(quantity, apd.New(1, 0), unit, 6); want.Cmp(decimal(l.Quantity)) != 0 {
		t.Fatalf("quantity %s, want %s", l.Quantity, want)
	}
	if l.UnitPrice != string(c.Price) || l.VATPercent != string(c.VAT) {
		t.Fatalf("%+v does not tell the price of %+v", l, c)
	}
}

// TestCreditNoteCancels holds that a random invoice and its credit note add up to nothing.
func TestCreditNoteCancels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		wh := rapid.Int64Range(0, 200_000).Draw(t, "energy")
		v, _ := settled(chargestream.WattHours(wh), chargestream.Hour).Invoice("s",
			tariffOf("EUR", drawComponents(t)...))
		before := fmt.Sprintf("%+v", v)
		note := tables.CreditNote(v)
		zero := func(a, b string) {
			t.Helper()
			if sum := add(decimal(a), b); !sum.IsZero() || strings.HasPrefix(b, "-0") &&
				decimal(b).IsZero() {
				t.Fatalf("%s and %s", a, b)
			}
		}
		zero(v.TotalExclVAT, note.TotalExclVAT)
		zero(v.TotalVAT, note.TotalVAT)
		zero(v.TotalInclVAT, note.TotalInclVAT)
		for i := range v.Lines {
			zero(v.Lines[i].Quantity, note.Lines[i].Quantity)
			zero(v.Lines[i].ExclVAT, note.Lines[i].ExclVAT)
			zero(v.Lines[i].VAT, note.Lines[i].VAT)
			zero(v.Lines[i].InclVAT, note.Lines[i].InclVAT)
		}
		if note.Kind != chargestream.KindCreditNote || note.Credits != v.InvoiceID ||
			note.InvoiceID == v.InvoiceID || before != fmt.Sprintf("%+v", v) {
			t.Fatalf("%+v of %+v", note, v)
		}
	})
}

// TestUnsupportedTariffIsHeld holds that a tariff with anything that is not understood bills
// nothing, not even what is understood of it.
func TestUnsupportedTariffIsHeld(t *testing.T) {
	good := priced("FLAT", "1.00", "20", 1)
	whole := func(change func(*chargestream.Tariff)) *chargestream.TariffHistory {
		h := tariffOf("EUR", good)
		change(&h.Versions[0].Tariff)
		return h
	}
	for name, tariff := range map[string]*chargestream.TariffHistory{
		"minimum": whole(func(t *chargestream.Tariff) { t.MinPrice = []byte(`{"excl_vat":1}`) }),
		"maximum": whole(func(t *chargestream.Tariff) { t.MaxPrice = []byte(`{"excl_vat":9}`) }),
		"restrictions": whole(func(t *chargestream.Tariff) {
			t.Elements[0].Restrictions = []byte(`{"start_time":"09:00"}`)
		}),
		"parking":        tariffOf("EUR", good, priced("PARKING_TIME", "1", "20", 1)),
		"small letters":  tariffOf("EUR", good, priced("energy", "1", "20", 1)),
		"no VAT":         tariffOf("EUR", good, priced("ENERGY", "1", "", 1)),
		"no price":       tariffOf("EUR", good, priced("ENERGY", "", "20", 1)),
		"negative price": tariffOf("EUR", good, priced("ENERGY", "-0.10", "20", 1)),
		"negative VAT":   tariffOf("EUR", good, priced("ENERGY", "0.10", "-20", 1)),
		"fine price":     tariffOf("EUR", good, priced("ENERGY", "0.1234567", "20", 1)),
		"fine VAT":       tariffOf("EUR", good, priced("ENERGY", "0.12", "20.00001", 1)),
		"huge price":     tariffOf("EUR", good, priced("TIME", "9000000000000", "20", 1)),
		"not a price":    tariffOf("EUR", good, priced("ENERGY", "free", "20", 1)),
	} {
		t.Run(name, func(t *testing.T) {
			v := bill(t, settled(7_000_000, 1000*chargestream.Hour), tariff)
			if v.Status != chargestream.StatusHeld || len(v.Lines) != 0 ||
				v.TotalInclVAT != "0.00" ||
				!slices.Equal(v.HoldReasons, []chargestream.HoldReason{
					chargestream.HoldTariffUnsupported}) {
				t.Errorf("%+v", v)
			}
			if text, err := json.Marshal(v); err != nil || !strings.Contains(string(text),
				`"lines":[]`) {
				t.Errorf("%s, %v", text, err)
			}
		})
	}
	for _, empty := range []string{"null", "{}", " null ", ""} {
		tariff := whole(func(t *chargestream.Tariff) {
			t.MinPrice, t.Elements[0].Restrictions = []byte(empty), []byte(empty)
		})
		if v := bill(t, settled(1, 1), tariff); v.Status != chargestream.StatusIssued {
			t.Errorf("%q holds the bill: %+v", empty, v)
		}
	}
}

// TestFirstComponentCounts is OCPI's rule: of several components of a dimension the first one.
func TestFirstComponentCounts(t *testing.T) {
	tariff := tariffOf("EUR", priced("FLAT", "1.00", "20", 1), priced("FLAT", "9.00", "20", 1))
	v := &tariff.Versions[0].Tariff
	v.Elements = append(v.Elements, chargestream.TariffElement{
		PriceComponents: []chargestream.PriceComponent{priced("FLAT", "5.00", "20", 1),
			priced("ENERGY", "0.10", "20", 1)}})
	got := bill(t, settled(1000, 0), tariff)
	if len(got.Lines) != 2 || got.Lines[0].UnitPrice != "1.00" || got.TotalInclVAT != "1.32" {
		t.Errorf("%+v", got)
	}
}

func TestTariffAtPicksByEventTime(t *testing.T) {
	version := func(from chargestream.Millis, currency string) chargestream.TariffVersion {
		return chargestream.TariffVersion{ValidFrom: from,
			Tariff: chargestream.Tariff{Currency: currency}}
	}
	history := &chargestream.TariffHistory{Versions: []chargestream.TariffVersion{
		version(noon, "second"), version(begin, "first"), version(noon+5, "third"),
		version(noon+5, "third again")}}
	for _, c := range []struct {
		at   chargestream.Millis
		want string
	}{{begin - 1, ""}, {begin, "first"}, {noon - 1, "first"}, {noon, "second"}, {noon + 4,
		"second"},
		{noon + 5, "third again"}, {noon + chargestream.Day, "third again"}} {
		got := ""
		if v := tables.TariffAt(history, c.at); v != nil {
			got = v.Tariff.Currency
		}
		if got != c.want {
			t.Errorf("at %s: %q, want %q", c.at, got, c.want)
		}
	}
	if v := tables.TariffAt(nil, noon); v != nil {
		t.Errorf("%+v of no tariff", v)
	}
}

// TestTariffOfTheStart holds that a session is billed by the version at its start.
func TestTariffOfTheStart(t *testing.T) {
	tariff := tariffOf("EUR", priced("FLAT", "1.00", "20", 1))
	tariff.Versions = append(tariff.Versions, tariffOf("EUR", priced("FLAT", "2.00", "20",
		1)).Versions[0])
	tariff.Versions[1].ValidFrom = begin + 1
	v := bill(t, settled(0, chargestream.Hour), tariff)
	if v.TotalExclVAT != "1.00" || v.TariffValidFrom != begin-chargestream.Day ||
		v.TariffID != "t" {
		t.Errorf("%+v", v)
	}
	tariff.Versions[0].ValidFrom = begin + 1
	v = bill(t, settled(0, chargestream.Hour), tariff)
	if v.Status != chargestream.StatusHeld || v.TotalInclVAT != "0.00" ||
		!slices.Contains(v.HoldReasons, chargestream.HoldNoTariff) {
		t.Errorf("before the first version: %+v", v)
	}
}

// TestInvoiceIDIsItsContent holds that the same bill has the same id, and another bill another.
func TestInvoiceIDIsItsContent(t *testing.T) {
	tariff := tariffOf("EUR", priced("ENERGY", "0.45", "20", 1))
	one, same := bill(t, settled(7, 60_000), tariff), bill(t, settled(7, 60_000), tariff)
	if diff := cmp.Diff(one, same); diff != "" {
		t.Error(diff)
	}
	ids := map[string]bool{one.InvoiceID: true}
	for _, other := range []chargestream.Invoice{bill(t, settled(8, 60_000), tariff),
		bill(t, settled(7, 61_000), tariff), bill(t, settled(7, 60_000), nil)} {
		if ids[other.InvoiceID] || !strings.HasPrefix(other.InvoiceID, "s-") {
			t.Errorf("id %q again, or not of the session", other.InvoiceID)
		}
		ids[other.InvoiceID] = true
	}
}

// TestDoubtsHoldTheBill is each doubt about a session alone.
func TestDoubtsHoldTheBill(t *testing.T) {
	tariff := tariffOf("EUR", priced("ENERGY", "0.45", "20", 1))
	skewed := begin + chargestream.Hour - chargestream.SkewTolerance - 1
	for reason, change := range map[chargestream.HoldReason]func(*tables.Session){
		chargestream.HoldDuplicate: func(s *tables.Session) { s.Verdict.DuplicateOf.ID = "first" },
		chargestream.HoldNotEnded:  func(s *tables.Session) { s.Ends, s.Overdue = nil, true },
		chargestream.HoldNoEnergy:  func(s *tables.Session) { s.Ends[0].Energy = nil },
		chargestream.HoldEstimated: func(s *tables.Session) {
			s.Ends[0].Energy, s.Starts[0].Meter = nil, of[chargestream.WattHours](0)
			s.Quarters = []tables.Quarter{goldenQuarter()}
			s.Quarters[0].Min = 1000
		},
		chargestream.HoldNegativeEnergy: func(s *tables.Session) {
			s.Ends[0].Energy = of[chargestream.WattHours](-1)
		},
		chargestream.HoldNegativeDuration: func(s *tables.Session) { s.Ends[0].At = begin - 1 },
		chargestream.HoldMeterRegression: func(s *tables.Session) {
			s.Quarters = []tables.Quarter{goldenQuarter()}
		},
		chargestream.HoldClockSkew: func(s *tables.Session) { s.Ends[0].Arrival = skewed },
		chargestream.HoldConflict: func(s *tables.Session) {
			s.Ends = append(s.Ends, tables.End{At: begin, Arrival: begin + chargestream.Day})
		},
	} {
		row := settled(7000, chargestream.Hour)
		change(row)
		v := bill(t, row, tariff)
		if v.Status != chargestream.StatusHeld ||
			!slices.Equal(v.HoldReasons, []chargestream.HoldReason{reason}) {
			t.Errorf("%s: %s, %q", reason, v.Status, v.HoldReasons)
		}
	}
}

func TestBillable(t *testing.T) {
	for name, change := range map[string]func(*tables.Session){
		"not settled":       func(s *tables.Session) { s.Settled = false },
		"not asked":         func(s *tables.Session) { s.Verdict.Known = false },
		"no start":          func(s *tables.Session) { s.Starts = nil },
		"no end":            func(s *tables.Session) { s.Ends = nil },
		"overdue, no start": func(s *tables.Session) { s.Starts, s.Overdue = nil, true },
	} {
		row := settled(1, 1)
		change(row)
		if v, ok := row.Invoice("s", nil); ok || row.Billable() {
			t.Errorf("%s: %+v", name, v)
		}
	}
}
