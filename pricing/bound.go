package pricing

import "slices"

// bound is a min_price or max_price in minor units.
type bound struct {
	set, hasIncl bool
	excl, incl   int64
}

// adjust keeps the bill within min_price and max_price, by lines of their own.
func (b *Bill) adjust(t *Tariff) {
	if t.min.set {
		b.shift(t, MinPrice, t.min.reach(b.Total, t.onlyRate(),
			func(total, least int64) int64 { return max(total, least) }))
	}
	if t.max.set {
		b.shift(t, MaxPrice, t.max.reach(b.Total, t.onlyRate(),
			func(total, most int64) int64 { return min(total, most) }))
	}
}

// onlyRate is the VAT rate of all components, unknown where they differ.
func (t *Tariff) onlyRate() VAT {
	if len(t.rates) == 1 {
		return t.rates[0]
	}
	return UnknownVAT
}

// reach is the total that a bound leaves of one: each amount is held against its own bound, as
// OCPI says. Where the bound tells no amount with VAT, that follows in proportion. Where both
// cannot hold at the rate, the one that bounds more counts, and the VAT is the rate's: an invoice
// with another VAT would be wrong.
func (d bound) reach(total Money, rate VAT, hold func(total, bound int64) int64) Money {
	excl, incl := hold(total.Excl, d.excl), total.Incl
	switch {
	case d.contradicts(rate):
		least := half(product(d.incl, rateUnits), rateUnits+int64(rate))
		if excl = hold(excl, least); excl == total.Excl {
			return total
		}
		incl = half(product(excl, rateUnits+int64(rate)), rateUnits)
	case d.hasIncl:
		incl = hold(total.Incl, d.incl)
	case excl == total.Excl:
	case total.Excl > 0:
		incl = half(product(excl, total.Incl), total.Excl)
	default:
		incl = half(product(excl, rateUnits+int64(max(rate, 0))), rateUnits)
	}
	incl = max(incl, excl)
	return Money{Excl: excl, Tax: incl - excl, Incl: incl}
}

// fits is the amount with VAT of the bound's amount without, at a rate.
func (d bound) fits(rate VAT) int64 {
	return half(product(d.excl, rateUnits+int64(rate)), rateUnits)
}

// contradicts reports whether both amounts of a bound cannot hold at a rate: they are more than a
// minor unit apart. Of several rates the mix decides.
func (d bound) contradicts(rate VAT) bool {
	if !d.set || !d.hasIncl || rate == UnknownVAT {
		return false
	}
	off := d.incl - d.fits(rate)
	return off > 1 || off < -1
}

// half is the quotient rounded half up, for quotients of the order of amounts.
func half(w wide, by int64) int64 {
	q, err := w.round(uint64(by), 1<<62)
	if err != nil {
		// It cannot be: both factors are bounded, and by is at least one.
		panic("divide amount: " + err.Error())
	}
	return q
}

// shift brings the total to another by one line for each VAT rate: what is without VAT in
// proportion to the groups' amounts, the VAT in proportion to theirs.
func (b *Bill) shift(t *Tariff, d Dimension, total Money) {
	excl, tax := total.Excl-b.Total.Excl, total.Tax-b.Total.Tax
	if excl == 0 && tax == 0 {
		return
	}
	only := -1 // the group that gets all, where nothing has cost anything yet
	if b.Total.Excl == 0 {
		only = b.groupOf(t.onlyRate())
	}
	var few [2][usualLines]share
	exclShares, taxShares := few[0][:0], few[1][:0]
	for i := range b.Groups {
		g := &b.Groups[i]
		weight, taxWeight := g.Excl, g.Tax
		if b.Total.Tax == 0 {
			taxWeight = weight
		}
		if only >= 0 {
			weight, taxWeight = 0, 0
		}
		if only == i {
			weight, taxWeight = 1, 1
		}
		exclShares = append(exclShares, share{to: i, weight: weight})
		taxShares = append(taxShares, share{to: i, weight: taxWeight})
	}
	apportion(exclShares, excl)
	apportion(taxShares, tax)
	for i := range b.Groups {
		g := &b.Groups[i]
		m := Money{Excl: exclShares[i].amount, Tax: taxShares[i].amount}
		if m == (Money{}) {
			continue
		}
		m.Incl = m.Excl + m.Tax
		g.add(m)
		b.Total.add(m)
		b.VATUnknown = b.VATUnknown || g.VAT == UnknownVAT
		b.Lines = append(b.Lines, Line{Dimension: d, VAT: g.VAT, Measured: 1, Billed: 1,
			Money: m, Estimated: b.Estimated})
	}
}

// groupOf is the place of the group of a rate, which is made if there is none.
func (b *Bill) groupOf(rate VAT) int {
	i, ok := slices.BinarySearchFunc(b.Groups, rate, func(g Group, rate VAT) int {
		return compareVAT(g.VAT, rate)
	})
	if !ok {
		b.Groups = slices.Insert(b.Groups, i, Group{VAT: rate})
	}
	return i
}
