package billing_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/apd/v3"
	"pgregory.net/rapid"

	"chargestream"
	"chargestream/billing"
)

// decimal reads decimal text with a library of its own, as an oracle of sums.
func decimal(text string) *apd.Decimal {
	d, _, err := apd.NewFromString(text)
	if err != nil {
		panic(fmt.Errorf("%q: %w", text, err))
	}
	return d
}

// sum adds decimal texts exactly.
func sum(texts ...string) *apd.Decimal {
	total := apd.New(0, 0)
	exactly := apd.BaseContext.WithPrecision(200)
	for _, text := range texts {
		if _, err := exactly.Add(total, total, decimal(text)); err != nil {
			panic(err)
		}
	}
	return total
}

// checkAmounts holds that the lines of an invoice, and its VAT groups, add up to its totals, and
// that all amounts are written in the digits of its currency.
func checkAmounts(t *rapid.T, v *chargestream.Invoice) {
	digits := map[string]int32{"JPY": 0, "KWD": 3}
	want, known := digits[v.Currency]
	if !known {
		want = 2
	}
	var lines, groups [3][]string
	for _, l := range v.Lines {
		lines = appendMoney(lines, l.ExclVAT, l.VAT, l.InclVAT)
	}
	for _, g := range v.VATGroups {
		groups = appendMoney(groups, g.ExclVAT, g.VAT, g.InclVAT)
	}
	for i, total := range []string{v.TotalExclVAT, v.TotalVAT, v.TotalInclVAT} {
		if sum(lines[i]...).Cmp(decimal(total)) != 0 || sum(groups[i]...).Cmp(decimal(total)) != 0 {
			t.Fatalf("lines %v, groups %v, total %s of %+v", lines[i], groups[i], total, v)
		}
		for _, text := range append(append(lines[i], groups[i]...), total) {
			if decimal(text).Exponent != -want {
				t.Fatalf("%q is not written in the digits of %q", text, v.Currency)
			}
			negative := decimal(text).Sign() < 0
			if v.Kind == chargestream.KindInvoice && negative && len(v.Lines) > 0 &&
				v.Lines[len(v.Lines)-1].Dimension != "MAX_PRICE" {
				t.Fatalf("a negative amount in %+v", v)
			}
		}
	}
	if sum(v.TotalExclVAT, v.TotalVAT).Cmp(decimal(v.TotalInclVAT)) != 0 {
		t.Fatalf("%s + %s = %s", v.TotalExclVAT, v.TotalVAT, v.TotalInclVAT)
	}
}

func appendMoney(lists [3][]string, excl, vat, incl string) [3][]string {
	return [3][]string{append(lists[0], excl), append(lists[1], vat), append(lists[2], incl)}
}

// checkCancels holds that an invoice and its credit note add up to nothing in every amount and
// quantity, and that the note is booked with its successor.
func checkCancels(t *rapid.T, v, note *chargestream.Invoice) {
	zero := func(a, b string) {
		t.Helper()
		if !sum(a, b).IsZero() || strings.HasPrefix(b, "-") && decimal(b).IsZero() {
			t.Fatalf("%s and %s in %+v and %+v", a, b, v, note)
		}
	}
	zero(v.TotalExclVAT, note.TotalExclVAT)
	zero(v.TotalVAT, note.TotalVAT)
	zero(v.TotalInclVAT, note.TotalInclVAT)
	if len(v.Lines) != len(note.Lines) || len(v.VATGroups) != len(note.VATGroups) {
		t.Fatalf("%+v does not cancel %+v", note, v)
	}
	for i := range v.Lines {
		a, b := &v.Lines[i], &note.Lines[i]
		zero(a.Quantity, b.Quantity)
		zero(a.Measured, b.Measured)
		zero(a.ExclVAT, b.ExclVAT)
		zero(a.VAT, b.VAT)
		zero(a.InclVAT, b.InclVAT)
		if a.UnitPrice != b.UnitPrice || a.VATPercent != b.VATPercent ||
			a.Dimension != b.Dimension {
			t.Fatalf("line %+v does not cancel %+v", b, a)
		}
	}
	for i := range v.VATGroups {
		a, b := &v.VATGroups[i], &note.VATGroups[i]
		zero(a.ExclVAT, b.ExclVAT)
		zero(a.VAT, b.VAT)
		zero(a.InclVAT, b.InclVAT)
	}
	if note.InvoiceID != v.InvoiceID+"-credit" || note.Kind != chargestream.KindCreditNote ||
		note.Revision != v.Revision || note.SessionID != v.SessionID ||
		note.Currency != v.Currency {
		t.Fatalf("%+v of %+v", note, v)
	}
}

// drawComponents draws at most one price of each dimension, in any order, and one at least.
func drawComponents(t *rapid.T) []component {
	components := []component{{"FLAT", "0.55", "20", 1}}
	kinds := []string{"ENERGY", "TIME", "PARKING_TIME"}
	for _, kind := range rapid.Permutation(kinds).Draw(t, "order") {
		if rapid.IntRange(0, 3).Draw(t, kind+" is missing") == 0 {
			continue
		}
		price := rapid.StringMatching(`(0|[1-9][0-9]{0,3})(\.[0-9]{1,4})?`).Draw(t, "price")
		vat := rapid.StringMatching(`(0|[1-9][0-9]?)(\.[0-9]{1,2})?`).Draw(t, "VAT")
		step := rapid.SampledFrom([]int64{0, 1, 60, 100, 300, 1000}).Draw(t, "step")
		components = append(components, component{Type: kind, Price: json.Number(price),
			VAT: json.Number(vat), Step: step})
	}
	return components
}

// TestAmountsAddUp holds random invoices in currencies of 0, 2 and 3 digits, and their credit
// notes, against a decimal library.
func TestAmountsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		currency := rapid.SampledFrom([]string{"EUR", "JPY", "KWD"}).Draw(t, "currency")
		wh := rapid.Int64Range(0, 200_000).Draw(t, "energy")
		ms := rapid.Int64Range(0, 80_000_000).Draw(t, "length")
		list := historyOf(t, settled(chargestream.WattHours(wh), chargestream.Millis(ms)),
			bookOf(currency, drawComponents(t)...))
		if len(list) != 1 || len(list[0].Lines) == 0 || list[0].Currency != currency {
			t.Fatalf("%+v", list)
		}
		v := list[0]
		checkAmounts(t, &v)
		before := textOf(v)
		next := chargestream.Invoice{IssuedAt: noon, BookingDate: "2026-03-02"}
		note := billing.CreditNote(v, next)
		checkAmounts(t, &note)
		checkCancels(t, &v, &note)
		if note.IssuedAt != noon || note.BookingDate != next.BookingDate || before != textOf(v) {
			t.Fatalf("%+v of %+v", note, v)
		}
	})
}

// TestMoreCostsMore holds that of a tariff without steps more energy, or more time, never costs
// less.
func TestMoreCostsMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		components := drawComponents(t)
		for i := range components {
			components[i].Step = 1
		}
		book := bookOf(rapid.SampledFrom([]string{"EUR", "JPY", "KWD"}).Draw(t, "currency"),
			components...)
		wh := rapid.Int64Range(0, 100_000).Draw(t, "energy")
		ms := rapid.Int64Range(0, 70_000_000).Draw(t, "length")
		cost := func(wh, ms int64) *apd.Decimal {
			list := historyOf(t, settled(chargestream.WattHours(wh), chargestream.Millis(ms)), book)
			return decimal(list[0].TotalInclVAT)
		}
		less := cost(wh, ms)
		if more := cost(wh+rapid.Int64Range(0, 9999).Draw(t, "more Wh"), ms); more.Cmp(less) < 0 {
			t.Fatalf("more energy: %s, less: %s", more, less)
		}
		later := ms + rapid.Int64Range(0, 9_999_999).Draw(t, "more ms")
		if more := cost(wh, later); more.Cmp(less) < 0 {
			t.Fatalf("more time: %s, less: %s", more, less)
		}
	})
}
