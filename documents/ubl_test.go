package documents

import (
	"bytes"
	"errors"
	"io"
	"math/big"
	"slices"
	"strings"
	"testing"

	"chargestream"
)

// TestUBLRefused wants an error that says why, and not one byte.
func TestUBLRefused(t *testing.T) {
	tests := []struct {
		name   string
		change func(v *chargestream.Invoice, s *Seller)
		want   string
	}{
		{"held", func(v *chargestream.Invoice, _ *Seller) {
			v.Status = chargestream.StatusHeld
		}, "held"},
		{"kind", func(v *chargestream.Invoice, _ *Seller) { v.Kind = "quote" }, "kind"},
		{"no currency", func(v *chargestream.Invoice, _ *Seller) { v.Currency = "" }, "currency"},
		{"no such currency", func(v *chargestream.Invoice, _ *Seller) {
			v.Currency = "EURO"
		}, "ISO 4217"},
		{"three decimals", func(v *chargestream.Invoice, _ *Seller) {
			v.Currency = "KWD"
		}, "KWD has 3 decimals"},
		{"no user", func(v *chargestream.Invoice, _ *Seller) { v.UserID = " " }, "buyer"},
		{"no lines", func(v *chargestream.Invoice, _ *Seller) {
			*v = *plain("s-1")
		}, "no lines"},
		{"VAT unknown", func(v *chargestream.Invoice, _ *Seller) {
			v.Lines[0].VATPercent, v.VATGroups[0].VATPercent = "", ""
		}, "VAT rate"},
		{"VAT off", func(v *chargestream.Invoice, _ *Seller) {
			shift(v, "MIN_PRICE", "19", "0.00", "1.00")
		}, "too far off"},
		{"VAT at no rate", func(v *chargestream.Invoice, _ *Seller) {
			shift(v, "MIN_PRICE", "0", "0.00", "0.01")
		}, "too far off"},
		{"line", func(v *chargestream.Invoice, _ *Seller) {
			v.Lines[0].ExclVAT, v.Lines[0].InclVAT = "9.21", "10.96"
		}, "add up to their group"},
		{"rate of a line", func(v *chargestream.Invoice, _ *Seller) {
			v.Lines = append(v.Lines, v.Lines[0])
			v.Lines[1].VATPercent = "7"
		}, "not among the groups"},
		{"total", func(v *chargestream.Invoice, _ *Seller) {
			v.TotalVAT, v.TotalInclVAT = "1.76", "10.96"
		}, "add up"},
		{"price", func(v *chargestream.Invoice, _ *Seller) {
			v.Lines[0].UnitPrice = "-1"
		}, "price"},
		{"quantity", func(v *chargestream.Invoice, _ *Seller) {
			v.Lines[0].Quantity = "a lot"
		}, "quantity"},
		{"seller", func(_ *chargestream.Invoice, s *Seller) { s.Name = "" }, "no name"},
		{"country", func(_ *chargestream.Invoice, s *Seller) { s.Country = "de" }, "country"},
		{"VAT id", func(_ *chargestream.Invoice, s *Seller) { s.VATID = "12345" }, "VAT id"},
	}
	for _, test := range tests {
		v, s := billed(item{dimension: "ENERGY", quantity: "20.450", price: "0.45",
			percent: "19"}), seller()
		test.change(v, s)
		var b bytes.Buffer
		err := UBL(&b, v, s)
		if !errors.Is(err, ErrDocument) || !strings.Contains(err.Error(), test.want) ||
			b.Len() > 0 {
			t.Errorf("%s: %v, and %d bytes", test.name, err, b.Len())
		}
	}
	if err := UBL(io.Discard, billed(), nil); !errors.Is(err, ErrDocument) {
		t.Errorf("without a seller: %v", err)
	}
}

// TestUBLNear holds how far VAT may be off the rate against the rule of EN 16931.
func TestUBLNear(t *testing.T) {
	tests := []struct {
		currency, percent string
		excl, vat         int64
		want              bool
	}{
		{"EUR", "10", 505, 50, true}, // decision 9: the VAT of the exact sum
		{"EUR", "19", 10000, 1999, true},
		{"EUR", "19", 10000, 2000, false},
		{"EUR", "19", 10000, 1801, true},
		{"EUR", "19", 10000, 1800, false},
		{"EUR", "19", -10000, -1900, true},
		{"EUR", "0", 10000, 0, true},
		{"EUR", "0.0", 10000, 1, false},
		{"JPY", "8", 1234, 99, true},
		{"JPY", "8", 1234, 100, false},
	}
	for _, test := range tests {
		digits, _ := digitsOf(test.currency)
		b := ublWriter{digits: digits}
		m := money{excl: big.NewInt(test.excl), vat: big.NewInt(test.vat)}
		if got := b.near(test.percent, m); got != test.want {
			t.Errorf("%s: %d of %d at %s %%: %v", test.currency, test.vat, test.excl,
				test.percent, got)
		}
	}
}

// TestUBLSpoiled changes each amount of the examples by one minor unit: none may pass.
func TestUBLSpoiled(t *testing.T) {
	for _, e := range examples() {
		if !issued(e.v) {
			continue
		}
		digits, _ := digitsOf(e.v.Currency)
		up := func(text *string) {
			n, err := minor(*text, digits)
			if err != nil {
				t.Fatal(err)
			}
			*text = fixed(n.Add(n, big.NewInt(1)), digits)
		}
		for i := range 3 + 3*len(e.v.VATGroups) + 3*len(e.v.Lines) {
			v := *e.v
			v.Lines, v.VATGroups = slices.Clone(v.Lines), slices.Clone(v.VATGroups)
			amounts := []*string{&v.TotalExclVAT, &v.TotalVAT, &v.TotalInclVAT}
			for j := range v.VATGroups {
				g := &v.VATGroups[j]
				amounts = append(amounts, &g.ExclVAT, &g.VAT, &g.InclVAT)
			}
			for j := range v.Lines {
				l := &v.Lines[j]
				amounts = append(amounts, &l.ExclVAT, &l.VAT, &l.InclVAT)
			}
			up(amounts[i])
			if err := UBL(io.Discard, &v, seller()); !errors.Is(err, ErrDocument) {
				t.Errorf("%s: amount %d is a minor unit off, and nothing is said: %v", e.name, i,
					err)
			}
		}
	}
}
