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
	exactExcl, _ = t.bound(exactExcl, exclOf, identity)
	exactIncl, _ = t.bound(exactIncl, inclOf, identity)
	out.ExactExcl, out.ExactIncl = exactText(exactExcl), exactText(exactIncl)
	out.ExactVAT = exactText(new(big.Rat).Sub(exactIncl, exactExcl))
	p.billRounded(out, t, digits, excl, incl)
}

// billRounded lays the bounds, rounded themselves, on the sums of the groups in minor units.
func (p pricing) billRounded(out *Price, t *priceTariff, digits int, excl, incl *big.Int) {
	minor := func(n *big.Rat) *big.Rat { return new(big.Rat).SetInt(p.round(n, digits)) }
	boundExcl, exclBy := t.bound(new(big.Rat).SetInt(excl), exclOf, minor)
	boundIncl, inclBy := t.bound(new(big.Rat).SetInt(incl), inclOf, minor)
	vat := new(big.Rat).Sub(boundIncl, boundExcl)
	out.Excl = decimalText(boundExcl.Num(), digits)
	out.Incl = decimalText(boundIncl.Num(), digits)
	out.VAT = decimalText(vat.Num(), digits)
	var by []string
	if exclBy != "" {
		by = append(by, exclBy+"_excl")
	}
	if inclBy != "" {
		by = append(by, inclBy+"_incl")
	}
	out.BoundApplied = strings.Join(by, "+")
}

func exclOf(b *priceBound) *priceNumber { return b.Excl }

func inclOf(b *priceBound) *priceNumber { return b.Incl }

func identity(n *big.Rat) *big.Rat { return n }

// bound raises an amount to min_price and then lowers it to max_price, on one side of VAT only.
// It also says which of the two changed it.
func (t *priceTariff) bound(
	amount *big.Rat, side func(*priceBound) *priceNumber, minor func(*big.Rat) *big.Rat,
) (*big.Rat, string) {
	by := ""
	if t.MinPrice != nil && side(t.MinPrice) != nil {
		if least := minor(&side(t.MinPrice).rat); amount.Cmp(least) < 0 {
			amount, by = least, "min"
		}
	}
	if t.MaxPrice != nil && side(t.MaxPrice) != nil {
		if most := minor(&side(t.MaxPrice).rat); amount.Cmp(most) > 0 {
			amount, by = most, "max"
		}
	}
	return amount, by
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
