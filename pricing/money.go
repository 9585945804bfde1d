package pricing

import (
	"fmt"
	"math"
	"math/bits"
)

// AmountMax bounds every amount, in minor units: ten billion euros.
const AmountMax = 1_000_000_000_000

// The parts of the currency's unit in which amounts are summed up before they are rounded. Prices
// have 10^-6, energy 10^-6 kWh and time 1/3600000 h; 18e12 is the least number that all divide.
const (
	parts          = 18_000_000_000_000
	partsPerEnergy = 18         // of 10^-6 of the unit, times 10^-6 kWh
	partsPerTime   = 5          // of 10^-6 of the unit, times a ms, which is 1/3600000 h
	partsPerFlat   = 18_000_000 // of 10^-6 of the unit
	rateUnits      = 1_000_000  // of a VAT rate in a whole
)

// wide is an unsigned number of 128 bits. No sum of what one bill may hold exceeds it: a price is
// below 2^40, a quantity in parts below 2^56, a rate below 2^21, and there are fewer than 2^8
// lines.
type wide struct{ high, low uint64 }

// product is a*b for a, b >= 0.
func product(a, b int64) wide {
	high, low := bits.Mul64(uint64(a), uint64(b))
	return wide{high, low}
}

func (w wide) plus(o wide) wide {
	low, carry := bits.Add64(w.low, o.low, 0)
	return wide{w.high + o.high + carry, low}
}

func (w wide) times(n int64) wide {
	high, low := bits.Mul64(w.low, uint64(n))
	return wide{high + w.high*uint64(n), low}
}

func (w wide) zero() bool { return w == wide{} }

// divide is the quotient, rounded down, and the rest.
func (w wide) divide(by uint64) (quotient int64, rest uint64, err error) {
	if w.high >= by {
		return 0, 0, errAmount()
	}
	q, rest := bits.Div64(w.high, w.low, by)
	if q > math.MaxInt64 {
		return 0, 0, errAmount()
	}
	return int64(q), rest, nil
}

// round is the quotient rounded half up, which is how money is rounded.
func (w wide) round(by uint64, most int64) (int64, error) {
	q, _, err := w.plus(wide{0, by / 2}).divide(by)
	if err == nil && q > most {
		err = errAmount()
	}
	return q, err
}

func errAmount() error { return fmt.Errorf("%w: an amount is out of range", ErrUsage) }

// share is what somebody gets of an amount.
type share struct {
	to     int // whose it is
	weight int64
	amount int64
	rest   uint64 // what rounding down has taken
}

// spread gives one each to those of whom rounding down has taken most, the first of equals.
func spread(shares []share, left int64) {
	for ; left > 0; left-- {
		most := 0
		for i := range shares {
			if shares[i].rest > shares[most].rest {
				most = i
			}
		}
		shares[most].amount++
		shares[most].rest = 0
	}
}

// apportion shares out an amount, which may be negative, by weights that are none, in whole units
// by largest remainder. Without any weight the first gets all.
func apportion(shares []share, amount int64) {
	if len(shares) == 0 || amount == 0 {
		return
	}
	var weights int64
	for i := range shares {
		weights += shares[i].weight
	}
	if weights == 0 {
		shares[0].amount = amount
		return
	}
	left := max(amount, -amount)
	size := left
	for i := range shares {
		s := &shares[i]
		high, low := bits.Mul64(uint64(size), uint64(s.weight))
		// No overflow: a weight is at most the sum of weights.
		quotient, rest := bits.Div64(high, low, uint64(weights))
		s.amount, s.rest = int64(quotient), rest
		left -= s.amount
	}
	spread(shares, left)
	if amount < 0 {
		for i := range shares {
			shares[i].amount = -shares[i].amount
		}
	}
}

// mulDiv is a*b/c, rounded down, for 0 <= b <= c or 0 <= a <= c, and c > 0.
func mulDiv(a, b, c int64) int64 {
	high, low := bits.Mul64(uint64(a), uint64(b))
	quotient, _ := bits.Div64(high, low, uint64(c))
	return int64(quotient)
}

// clampedMulDiv is a*b/c, rounded down, for a, b >= 0 and c > 0, at most the largest number.
func clampedMulDiv(a, b, c int64) int64 {
	high, low := bits.Mul64(uint64(a), uint64(b))
	if high >= uint64(c) {
		return math.MaxInt64
	}
	quotient, _ := bits.Div64(high, low, uint64(c))
	return int64(min(quotient, math.MaxInt64))
}
