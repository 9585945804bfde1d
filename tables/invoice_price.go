package tables

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"

	"github.com/bojanz/currency"

	"chargestream"
	"chargestream/codecs"
)

// priceDigits is how many decimals a price may have: OCPI numbers have four.
const priceDigits = 6

// vatDigits is how many decimals a VAT percentage may have.
const vatDigits = 4

// quantities are what a session is billed for.
type quantities struct {
	ended   bool
	metered bool
	energy  chargestream.WattHours
	seconds int64
}

// price writes the lines and the totals of an invoice. Each line is rounded half away from zero
// to the currency's minor unit, its VAT is taken of the rounded amount and rounded likewise, and
// the totals are the sums of the lines: so they add up exactly, on every invoice.
func price(v *chargestream.Invoice, t *chargestream.Tariff, q quantities) error {
	digits, err := minorDigits(t.Currency)
	if err == nil {
		err = understood(t)
	}
	if q.energy > amountMax || q.seconds > amountMax {
		err = fmt.Errorf("%w: quantity out of range", errTariff)
	}
	var excl, vat int64
	for _, dimension := range dimensions {
		c := component(t, dimension)
		if err != nil || c == nil || !q.ended || (dimension == "ENERGY" && !q.metered) {
			continue
		}
		var line chargestream.InvoiceLine
		var lineExcl, lineVAT int64
		if line, lineExcl, lineVAT, err = priceLine(c, q, digits); err == nil {
			v.Lines = append(v.Lines, line)
			excl, vat = excl+lineExcl, vat+lineVAT
		}
	}
	if err != nil {
		v.Lines, excl, vat = v.Lines[:0], 0, 0
	}
	v.TotalExclVAT = codecs.FormatScaled(excl, digits)
	v.TotalVAT = codecs.FormatScaled(vat, digits)
	v.TotalInclVAT = codecs.FormatScaled(excl+vat, digits)
	return err
}

// amountMax bounds quantities, steps and amounts in their smallest units, so that nothing that is
// computed with them overflows: a terawatt-hour, thirty thousand years, ten billion euros.
const amountMax = 1_000_000_000_000

// minorDigits is how many digits the minor unit of a currency has; that of no currency is two, as
// an invoice without a tariff shows zeros.
func minorDigits(code string) (int, error) {
	if code == "" {
		return 2, nil
	}
	d, ok := currency.GetDigits(code)
	if !ok {
		return 2, fmt.Errorf("%w: currency %q", errTariff, code)
	}
	return int(d), nil
}

func priceLine(c *chargestream.PriceComponent, q quantities, digits int) (
	line chargestream.InvoiceLine, excl, vat int64, err error) {
	unit, err := exact(string(c.Price), priceDigits)
	if err != nil {
		return line, 0, 0, fmt.Errorf("%w: price: %w", errTariff, err)
	}
	if c.VAT == "" {
		return line, 0, 0, fmt.Errorf("%w: no VAT, which is not the same as 0 %%", errTariff)
	}
	if c.StepSize < 0 || c.StepSize > amountMax {
		return line, 0, 0, fmt.Errorf("%w: step_size %d", errTariff, c.StepSize)
	}
	percent, err := exact(string(c.VAT), vatDigits)
	if err != nil {
		return line, 0, 0, fmt.Errorf("%w: VAT: %w", errTariff, err)
	}
	line = chargestream.InvoiceLine{Dimension: c.Type, UnitPrice: string(c.Price),
		VATPercent: string(c.VAT)}
	minor := pow10(priceDigits - digits)
	switch c.Type {
	case "ENERGY":
		wh := stepUp(int64(q.energy), c.StepSize)
		line.Description, line.Unit = "Energy", "kWh"
		line.Quantity = codecs.FormatScaled(wh, 3)
		excl, err = mulDivRound(unit, wh, 1000*minor)
	case "TIME":
		seconds := stepUp(q.seconds, c.StepSize)
		line.Description, line.Unit = "Time plugged in", "h"
		line.Quantity = hours(seconds)
		excl, err = mulDivRound(unit, seconds, 3600*minor)
	default:
		line.Description, line.Unit, line.Quantity = "Session fee", "session", "1"
		excl, err = mulDivRound(unit, 1, minor)
	}
	if err != nil {
		return line, 0, 0, err
	}
	if vat, err = mulDivRound(excl, percent, 100*pow10(vatDigits)); err != nil {
		return line, 0, 0, err
	}
	if excl > amountMax || vat > amountMax {
		return line, 0, 0, fmt.Errorf("%w: amount out of range", errTariff)
	}
	line.ExclVAT = codecs.FormatScaled(excl, digits)
	line.VAT = codecs.FormatScaled(vat, digits)
	line.InclVAT = codecs.FormatScaled(excl+vat, digits)
	return line, excl, vat, nil
}

// exact reads a decimal that must not have more digits than are computed with.
func exact(text string, digits int) (int64, error) {
	n, err := codecs.ParseScaled(text, digits)
	if err != nil {
		return 0, err
	}
	told, ok := new(big.Rat).SetString(text)
	if !ok || n < 0 || told.Cmp(big.NewRat(n, pow10(digits))) != 0 {
		return 0, fmt.Errorf("%q is negative or has more than %d decimals", text, digits)
	}
	return n, nil
}

// stepUp rounds the total of a session up to whole steps (OCPI 2.2.1, step_size); an exact
// multiple stays.
func stepUp(n, step int64) int64 {
	if step <= 1 {
		return n
	}
	return (n + step - 1) / step * step
}

// hours writes seconds as hours with six decimals.
func hours(seconds int64) string {
	micro, err := mulDivRound(seconds, 1_000_000, 3600)
	if err != nil {
		return "0"
	}
	return codecs.FormatScaled(micro, 6)
}

func pow10(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}

// mulDivRound is a*b/c for a, b >= 0 and c > 0, rounded half away from zero, computed in 128 bits.
func mulDivRound(a, b, c int64) (int64, error) {
	high, low := bits.Mul64(uint64(a), uint64(b))
	low, carry := bits.Add64(low, uint64(c)/2, 0)
	high += carry
	if high >= uint64(c) {
		return 0, fmt.Errorf("%w: amount out of range", errTariff)
	}
	quotient, _ := bits.Div64(high, low, uint64(c))
	if quotient > math.MaxInt64 {
		return 0, fmt.Errorf("%w: amount out of range", errTariff)
	}
	return int64(quotient), nil
}
