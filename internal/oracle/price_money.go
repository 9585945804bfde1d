package oracle

import (
	"math/big"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// stepLedger rounds the sums of energy and of time up to their step_size. What is added goes to
// the last component.
func (p pricing) stepLedger(l *ledger) {
	step := func(dimension string) {
		last := l.last[dimension]
		if last == nil {
			return
		}
		const milli = 1000 // ms of a second, mWh of a Wh
		size := big.NewRat(*last.StepSize, 1)
		size.Mul(size, big.NewRat(milli, 1))
		total := l.total(dimension)
		more := new(big.Rat).Sub(p.step(total, size), total)
		l.used[last].Add(l.used[last], more)
	}
	step(dimEnergy)
	p.stepTime(step, l.last[dimParking] != nil)
}

// stepTimeOnce rounds parking where there was any, else charging, never both.
func stepTimeOnce(step func(dimension string), parked bool) {
	if parked {
		step(dimParking)
	} else {
		step(dimTime)
	}
}

// stepUp is the smallest multiple of step that is not below total.
func stepUp(total, step *big.Rat) *big.Rat {
	n := new(big.Rat).Quo(total, step)
	steps := new(big.Int).Add(n.Num(), n.Denom())
	steps.Sub(steps, big.NewInt(1))
	steps.Div(steps, n.Denom())
	return new(big.Rat).Mul(new(big.Rat).SetInt(steps), step)
}

func vatOf(excl, percent *big.Rat) *big.Rat {
	v := new(big.Rat).Mul(excl, percent)
	return v.Quo(v, big.NewRat(100, 1))
}

// cost is the exact amount of a component.
func (c *priceComponent) cost(quantity *big.Rat) *big.Rat {
	perUnit := map[string]int64{
		dimEnergy:  1_000_000, // mWh of a kWh
		dimTime:    hourMs,
		dimParking: hourMs,
		dimFlat:    1,
	}[c.Type]
	amount := new(big.Rat).Mul(quantity, &c.Price.rat)
	return amount.Quo(amount, big.NewRat(perUnit, 1))
}

// bill sums the ledgers by VAT group and fills in the money of out.
func (p pricing) bill(out *Price, t *priceTariff, digits int, ledgers ...*ledger) {
	groups, percents := map[string]*big.Rat{}, map[string]*big.Rat{}
	for _, l := range ledgers {
		for c, quantity := range l.used {
			g := c.vatGroup()
			if groups[g] == nil {
				groups[g], percents[g] = new(big.Rat), new(big.Rat)
			}
			groups[g].Add(groups[g], c.cost(quantity))
			if c.VAT != nil {
				percents[g].Set(&c.VAT.rat)
			}
		}
	}
	exactExcl, exactIncl := new(big.Rat), new(big.Rat)
	excl, incl := new(big.Int), new(big.Int)
	for g, exact := range groups {
		vat := p.vat(exact, percents[g])
		exactExcl.Add(exactExcl, exact)
		exactIncl.Add(exactIncl, exact).Add(exactIncl, vat)
		excl.Add(excl, p.round(exact, digits))
		incl.Add(incl, p.round(exact, digits)).Add(incl, p.round(vat, digits))
	}
	exactExcl, exactIncl, _ = t.bound(exactExcl, exactIncl, digits, identity, identity)
	out.ExactExcl, out.ExactIncl = exactText(exactExcl), exactText(exactIncl)
	out.ExactVAT = exactText(new(big.Rat).Sub(exactIncl, exactExcl))
	p.billRounded(out, t, digits, excl, incl)
}

// billRounded lays the bounds, rounded themselves, on the sums of the groups in minor units.
func (p pricing) billRounded(out *Price, t *priceTariff, digits int, excl, incl *big.Int) {
	minor := func(n *big.Rat) *big.Rat { return new(big.Rat).SetInt(p.round(n, digits)) }
	boundExcl, boundIncl, by := t.bound(new(big.Rat).SetInt(excl), new(big.Rat).SetInt(incl),
		digits, minor, func(n *big.Rat) *big.Rat { return new(big.Rat).SetInt64(wholeHalfUp(n)) })
	vat := new(big.Rat).Sub(boundIncl, boundExcl)
	out.Excl = decimalText(boundExcl.Num(), digits)
	out.Incl = decimalText(boundIncl.Num(), digits)
	out.VAT = decimalText(vat.Num(), digits)
	var names []string
	for i, side := range []string{"_excl", "_incl"} {
		if by[i] != "" {
			names = append(names, by[i]+side)
		}
	}
	out.BoundApplied = strings.Join(names, "+")
}

func identity(n *big.Rat) *big.Rat { return n }

// bound raises amounts to min_price and then lowers them to max_price, each side of VAT by its own
// amount. It also says which of the two changed each side. Where the two amounts of a bound do not
// fit the tariff's only rate, the one that bounds more counts, with the VAT of the rate. Amounts of
// the tariff are brought to the unit of those by minor, and what is computed of them by whole.
func (t *priceTariff) bound(excl, incl *big.Rat, digits int,
	minor, whole func(*big.Rat) *big.Rat) (boundExcl, boundIncl *big.Rat, by [2]string) {
	for i, b := range []*priceBound{t.MinPrice, t.MaxPrice} {
		if b == nil {
			continue
		}
		name, beyond := [2]string{"min", "max"}[i], [2]int{-1, 1}[i]
		reach := func(amount *big.Rat, limit *priceNumber, side int) *big.Rat {
			if limit == nil || amount.Cmp(minor(&limit.rat)) != beyond {
				return amount
			}
			by[side] = name
			return minor(&limit.rat)
		}
		factor := t.contradicted(b, digits)
		if factor == nil {
			excl, incl = reach(excl, b.Excl, 0), reach(incl, b.Incl, 1)
			continue
		}
		limit := minor(&b.Excl.rat)
		if other := minor(new(big.Rat).Quo(&b.Incl.rat, factor)); limit.Cmp(other) == beyond {
			limit = other
		}
		if excl.Cmp(limit) == beyond {
			excl, by = limit, [2]string{name, name}
			incl = whole(new(big.Rat).Mul(limit, factor))
		}
	}
	return excl, incl, by
}

// contradicted is what the tariff's only rate makes of 1, where the amounts of a bound do not fit
// it by more than a minor unit; else nil.
func (t *priceTariff) contradicted(b *priceBound, digits int) *big.Rat {
	var rate *big.Rat
	for _, e := range t.Elements {
		for _, c := range e.Components {
			if c.VAT == nil || rate != nil && rate.Cmp(&c.VAT.rat) != 0 {
				return nil
			}
			rate = &c.VAT.rat
		}
	}
	if rate == nil || b.Excl == nil || b.Incl == nil {
		return nil
	}
	factor := new(big.Rat).Add(big.NewRat(1, 1), new(big.Rat).Quo(rate, big.NewRat(100, 1)))
	fits := roundMinor(new(big.Rat).Mul(&b.Excl.rat, factor), digits)
	if off := fits.Sub(fits, roundMinor(&b.Incl.rat, digits)); off.CmpAbs(big.NewInt(1)) <= 0 {
		return nil
	}
	return factor
}

// roundMinor counts an amount in minor units, rounded half up, away from zero.
func roundMinor(x *big.Rat, digits int) *big.Int {
	minor := new(big.Rat).Mul(x, new(big.Rat).SetInt(tenTo(digits)))
	twice := new(big.Int).Abs(minor.Num())
	twice.Lsh(twice, 1).Add(twice, minor.Denom())
	n := twice.Div(twice, new(big.Int).Lsh(minor.Denom(), 1))
	if x.Sign() < 0 {
		n.Neg(n)
	}
	return n
}

func tenTo(digits int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil)
}

func decimalText(minor *big.Int, digits int) string {
	return apd.NewWithBigInt(new(apd.BigInt).SetMathBigInt(minor), -int32(digits)).Text('f')
}

// exactText is a decimal without trailing zeros where one ends, else a fraction.
func exactText(x *big.Rat) string {
	digits, exact := x.FloatPrec()
	if !exact {
		return x.RatString()
	}
	return x.FloatString(digits)
}

func seconds(ms *big.Rat) *big.Rat { return new(big.Rat).Quo(ms, big.NewRat(secondMs, 1)) }

func wholeHalfUp(x *big.Rat) int64 { return roundMinor(x, 0).Int64() }
