package oracle

import (
	"fmt"
	"math/big"
	"strings"
)

// decimalMax is how many characters a decimal of a tariff may have.
const decimalMax = 9

// Tariff is the one price list of every station. Prices are without VAT. The zero Tariff has no
// currency and charges nothing; NewTariff makes the others.
type Tariff struct {
	currency string
	perKWh   big.Rat
	perHour  big.Rat
	percent  big.Rat
	kWhText  string
	hourText string
	vatText  string
}

// NewTariff reads the prices of a kWh and of an hour and the VAT percent as plain decimals, such
// as "0.45"; a sign, an exponent, more than nine characters or a VAT above 100 is an error.
func NewTariff(currency, perKWh, perHour, vatPercent string) (Tariff, error) {
	t := Tariff{currency: currency}
	for _, part := range []struct {
		name string
		text string
		rat  *big.Rat
		kept *string
	}{
		{"price of a kWh", perKWh, &t.perKWh, &t.kWhText},
		{"price of an hour", perHour, &t.perHour, &t.hourText},
		{"VAT percent", vatPercent, &t.percent, &t.vatText},
	} {
		text, err := Decimal(part.text)
		if err != nil {
			return Tariff{}, fmt.Errorf("%s: %w", part.name, err)
		}
		if _, ok := part.rat.SetString(text); !ok {
			return Tariff{}, fmt.Errorf("%s: %q is not a number", part.name, text)
		}
		*part.kept = text
	}
	if t.percent.Cmp(big.NewRat(100, 1)) > 0 {
		return Tariff{}, fmt.Errorf("VAT percent: %s is above 100", t.vatText)
	}
	return t, nil
}

// Decimal is the shortest spelling of a plain decimal without a sign: "020.00" is "20". Line
// holds prices so, whatever spelling the invoice uses.
func Decimal(text string) (string, error) {
	whole, frac, dotted := strings.Cut(text, ".")
	for _, c := range whole + frac {
		if c < '0' || c > '9' {
			return "", fmt.Errorf("%q is not a plain decimal", text)
		}
	}
	if whole == "" || (dotted && frac == "") || len(text) > decimalMax {
		return "", fmt.Errorf("%q is not a plain decimal", text)
	}
	whole, frac = strings.TrimLeft(whole, "0"), strings.TrimRight(frac, "0")
	if whole == "" {
		whole = "0"
	}
	if frac == "" {
		return whole, nil
	}
	return whole + "." + frac, nil
}

// Cents reads money that is written with exactly two decimals, such as "-6.84".
func Cents(text string) (int64, error) {
	digits, negative := strings.CutPrefix(text, "-")
	whole, frac, _ := strings.Cut(digits, ".")
	if len(frac) != 2 {
		return 0, fmt.Errorf("%q has not two decimals", text)
	}
	n, err := number("money", whole+frac, 1<<62)
	if err != nil {
		return 0, err
	}
	if whole == "" || digits[0] == '+' {
		return 0, fmt.Errorf("%q is not plain money", text)
	}
	if negative {
		n = -n
	}
	return n, nil
}

// roundHalfUp rounds to an integer; a half goes away from zero.
func roundHalfUp(r *big.Rat) int64 {
	twice := new(big.Int).Mul(new(big.Int).Abs(r.Num()), big.NewInt(2))
	n := new(big.Int).Add(twice, r.Denom())
	n.Quo(n, new(big.Int).Mul(r.Denom(), big.NewInt(2)))
	return n.Int64() * int64(r.Sign())
}

// line prices quantity, in kWh or hours; shown is the same in Wh or seconds. The amounts come with
// those of the other lines; until then exact is what it costs, in cents.
func (t *Tariff) line(
	dimension string, quantity, price *big.Rat, priceText string, shown int64,
) (l Line, exact *big.Rat) {
	exact = new(big.Rat).Mul(price, quantity)
	exact.Mul(exact, big.NewRat(100, 1))
	return Line{Dimension: dimension, Quantity: shown, UnitPrice: priceText,
		VATPercent: t.vatText}, exact
}

// lines are ENERGY and TIME; none for a session without an end or without energy, and none for
// one that ends before it starts. What has no quantity has no line.
func (t *Tariff) lines(r Row) []Line {
	if !r.HasEnd || !r.HasEnergy || r.EndMs < r.StartMs {
		return nil
	}
	var lines []Line
	var exact []*big.Rat
	if r.EnergyWh > 0 {
		kWh := big.NewRat(r.EnergyWh, 1000)
		l, cents := t.line("ENERGY", kWh, &t.perKWh, t.kWhText, r.EnergyWh)
		lines, exact = append(lines, l), append(exact, cents)
	}
	if length := r.EndMs - r.StartMs; length > 0 {
		hours := big.NewRat(length, hourMs)
		l, cents := t.line("TIME", hours, &t.perHour, t.hourText, wholeSeconds(length))
		lines, exact = append(lines, l), append(exact, cents)
	}
	shareCents(lines, exact, &t.percent)
	return lines
}

// shareCents gives lines of one VAT rate their amounts: the exact sum and its exact VAT are each
// rounded once, and shared out by largest remainder, the VAT in proportion to what is rounded.
func shareCents(lines []Line, exact []*big.Rat, percent *big.Rat) {
	sum := new(big.Rat)
	for _, cents := range exact {
		sum.Add(sum, cents)
	}
	vat := new(big.Rat).Mul(sum, percent)
	vat.Quo(vat, big.NewRat(100, 1))
	excl := largestRemainder(roundHalfUp(sum), exact)
	weights := make([]*big.Rat, len(excl))
	for i, cents := range excl {
		weights[i] = big.NewRat(cents, 1)
	}
	vats := largestRemainder(roundHalfUp(vat), inProportion(roundHalfUp(vat), weights))
	for i := range lines {
		l := &lines[i]
		l.ExclCents, l.VATCents, l.InclCents = excl[i], vats[i], excl[i]+vats[i]
	}
}
