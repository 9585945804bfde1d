package documents

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/bojanz/currency"

	"chargestream"
)

// digitsWithoutCurrency is how many decimals the zeros of a bill without a currency have.
const digitsWithoutCurrency = 2

// digitsOf is how many decimals a currency has.
func digitsOf(code string) (int, error) {
	if code == "" {
		return digitsWithoutCurrency, nil
	}
	digits, ok := currency.GetDigits(code)
	if !ok {
		return 0, fmt.Errorf("currency %q is not of ISO 4217", code)
	}
	return int(digits), nil
}

// decimal reports whether a text is a decimal number: digits, at most one point between some, and
// at most a minus before.
func decimal(text string) bool {
	whole, fraction, point := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	other := func(r rune) bool { return r < '0' || r > '9' }
	return whole != "" && strings.IndexFunc(whole, other) < 0 &&
		(!point || fraction != "" && strings.IndexFunc(fraction, other) < 0)
}

// minor reads decimal text as a whole number of 10^-digits; an empty text is zero.
func minor(text string, digits int) (*big.Int, error) {
	if text == "" {
		return new(big.Int), nil
	}
	if !decimal(text) {
		return nil, fmt.Errorf("amount %q is no decimal number", text)
	}
	whole, fraction, _ := strings.Cut(text, ".")
	if len(fraction) > digits {
		if strings.Trim(fraction[digits:], "0") != "" {
			return nil, fmt.Errorf("amount %q has more than %d decimals", text, digits)
		}
		fraction = fraction[:digits]
	}
	fraction += strings.Repeat("0", digits-len(fraction))
	n, _ := new(big.Int).SetString(whole+fraction, 10)
	return n, nil
}

// fixed writes a number of 10^-digits as decimal text.
func fixed(n *big.Int, digits int) string {
	text := new(big.Int).Abs(n).String()
	if missing := digits + 1 - len(text); missing > 0 {
		text = strings.Repeat("0", missing) + text
	}
	if digits > 0 {
		text = text[:len(text)-digits] + "." + text[len(text)-digits:]
	}
	if n.Sign() < 0 {
		return "-" + text
	}
	return text
}

// negated changes the sign of decimal text; zero and a text that is no number stay as they are.
func negated(text string) string {
	if rest, ok := strings.CutPrefix(text, "-"); ok {
		return rest
	}
	if strings.Trim(text, "0.") == "" || !decimal(text) {
		return text
	}
	return "-" + text
}

// rate is a VAT percentage without zeros at its end, so that equal rates are equal texts.
func rate(percent string) string {
	if !strings.Contains(percent, ".") {
		return percent
	}
	return strings.TrimSuffix(strings.TrimRight(percent, "0"), ".")
}

// money is an amount without VAT, its VAT and both, in minor units.
type money struct{ excl, vat, incl *big.Int }

func noMoney() money { return money{new(big.Int), new(big.Int), new(big.Int)} }

// readMoney reads three amounts and holds them against each other.
func readMoney(excl, vat, incl string, digits int) (m money, err error) {
	for _, p := range []struct {
		to   **big.Int
		text string
	}{{&m.excl, excl}, {&m.vat, vat}, {&m.incl, incl}} {
		if *p.to, err = minor(p.text, digits); err != nil {
			return m, err
		}
	}
	if new(big.Int).Add(m.excl, m.vat).Cmp(m.incl) != 0 {
		return m, fmt.Errorf("%s and VAT of %s are not %s", excl, vat, incl)
	}
	return m, nil
}

func (m money) add(o money) {
	m.excl.Add(m.excl, o.excl)
	m.vat.Add(m.vat, o.vat)
	m.incl.Add(m.incl, o.incl)
}

func (m money) equal(o money) bool {
	return m.excl.Cmp(o.excl) == 0 && m.vat.Cmp(o.vat) == 0 && m.incl.Cmp(o.incl) == 0
}

// sums are amounts by VAT rate and in total.
type sums struct {
	digits int
	byRate map[string]money
	total  money
}

func newSums(digits int) *sums {
	return &sums{digits: digits, byRate: map[string]money{}, total: noMoney()}
}

func (s *sums) add(percent string, m money) {
	percent = rate(percent)
	if _, ok := s.byRate[percent]; !ok {
		s.byRate[percent] = noMoney()
	}
	s.byRate[percent].add(m)
	s.total.add(m)
}

// addInvoice adds a bill by its VAT groups, and holds these against its totals: a document whose
// own amounts do not add up must not be part of a sum.
func (s *sums) addInvoice(v *chargestream.Invoice) error {
	of := newSums(s.digits)
	for _, g := range groups(v) {
		m, err := readMoney(g.ExclVAT, g.VAT, g.InclVAT, s.digits)
		if err != nil {
			return refuse(v, "VAT of %s %%: %w", g.VATPercent, err)
		}
		of.add(g.VATPercent, m)
	}
	total, err := readMoney(v.TotalExclVAT, v.TotalVAT, v.TotalInclVAT, s.digits)
	if err != nil {
		return refuse(v, "total: %w", err)
	}
	if !of.total.equal(total) {
		return refuse(v, "the VAT groups add up to %s, the total is %s",
			fixed(of.total.incl, s.digits), v.TotalInclVAT)
	}
	for percent, m := range of.byRate {
		s.add(percent, m)
	}
	return nil
}

// groups are a bill's amounts by VAT rate; of a bill that does not have them, its lines.
func groups(v *chargestream.Invoice) []chargestream.VATGroup {
	if len(v.VATGroups) > 0 {
		return v.VATGroups
	}
	list := make([]chargestream.VATGroup, 0, len(v.Lines))
	for i := range v.Lines {
		l := &v.Lines[i]
		list = append(list, chargestream.VATGroup{VATPercent: l.VATPercent, ExclVAT: l.ExclVAT,
			VAT: l.VAT, InclVAT: l.InclVAT})
	}
	return list
}

// groups are the sums by rate, ascending, an unknown rate last.
func (s *sums) groups() []chargestream.VATGroup {
	list := make([]chargestream.VATGroup, 0, len(s.byRate))
	for percent, m := range s.byRate {
		list = append(list, chargestream.VATGroup{VATPercent: percent,
			ExclVAT: fixed(m.excl, s.digits), VAT: fixed(m.vat, s.digits),
			InclVAT: fixed(m.incl, s.digits)})
	}
	slices.SortFunc(list, func(a, b chargestream.VATGroup) int {
		return compareRates(a.VATPercent, b.VATPercent)
	})
	return list
}

// compareRates orders percentages as numbers; what is no number comes last.
func compareRates(a, b string) int {
	x, okX := new(big.Rat).SetString(a)
	y, okY := new(big.Rat).SetString(b)
	switch {
	case okX && okY:
		return x.Cmp(y)
	case okX:
		return -1
	case okY:
		return 1
	}
	return strings.Compare(a, b)
}
