package pricing

import "math"

// usualLines is how many lines, groups or shares a bill usually has at most: as many are computed
// with on the stack.
const usualLines = 16

// Price is what a session, a reservation or both cost. The error wraps ErrUsage; what it says is
// wrong with the usage holds for this tariff, and may not for another.
func (t *Tariff) Price(u *Usage) (*Bill, error) {
	periods, err := u.check(t)
	if err != nil {
		return nil, err
	}
	var few [usualLines]tally
	tallies := few[:min(len(t.keys), usualLines)]
	if len(t.keys) > usualLines {
		tallies = make([]tally, len(t.keys))
	}
	b := &Bill{Currency: t.currency, Digits: t.digits}
	if r := u.Reservation; r != nil {
		w := t.walk(tallies, reserved, r.Start, u.Location)
		if r.Expired {
			w.phase = expired
		}
		if err := w.all([]Period{{From: r.Start, To: r.End}}); err != nil {
			return nil, err
		}
		b.Estimated = w.estimated
	}
	if !u.expired() {
		w := t.walk(tallies, session, u.Start, u.Location)
		if err := w.all(periods); err != nil {
			return nil, err
		}
		b.Estimated = b.Estimated || w.estimated
	}
	if err := b.fill(t, tallies); err != nil {
		return nil, err
	}
	if !u.expired() {
		b.adjust(t)
	}
	return b, nil
}

// all counts all periods.
func (w *walk) all(periods []Period) error {
	for i := range periods {
		if err := w.period(&periods[i]); err != nil {
			return err
		}
	}
	if w.cuts == 0 {
		// Nothing was used and no time passed, but the fee is due.
		w.enter(&Period{})
		if err := w.count(&Period{}, &piece{from: w.start, to: w.start}, 0); err != nil {
			return err
		}
	}
	w.finish()
	return nil
}

// fill writes lines, groups and totals of what was counted.
func (b *Bill) fill(t *Tariff, tallies []tally) error {
	lines, rates := 0, 0
	for i := range tallies {
		tally, key := &tallies[i], &t.keys[i]
		if !tally.used {
			continue
		}
		lines++
		switch key.dimension {
		case Energy:
			tally.exact = product(key.price, tally.billed*partsPerEnergy)
		case Time, ParkingTime:
			tally.exact = product(key.price, tally.billed*partsPerTime)
		default:
			tally.exact = product(key.price, partsPerFlat)
		}
	}
	if lines > 0 {
		rates = len(t.rates)
	}
	b.Lines, b.Groups = make([]Line, 0, lines), make([]Group, 0, rates)
	for i := range tallies {
		if tally, key := &tallies[i], &t.keys[i]; tally.used {
			b.Lines = append(b.Lines, Line{Dimension: key.dimension,
				Reservation: key.reservation, Price: key.price, VAT: key.vat,
				Measured: tally.measured, Billed: tally.billed, Estimated: tally.estimated})
		}
	}
	var few [usualLines]share
	var exact, exactIncl wide
	for _, rate := range t.rates {
		sum, err := b.group(t, tallies, rate, few[:0])
		if err != nil {
			return err
		}
		exact = exact.plus(sum)
		exactIncl = exactIncl.plus(sum.times(rateUnits + int64(max(rate, 0))))
	}
	var err error
	if b.Exact.Excl, err = exact.round(parts/rateUnits, math.MaxInt64); err != nil {
		return err
	}
	if b.Exact.Incl, err = exactIncl.round(parts, math.MaxInt64); err != nil {
		return err
	}
	b.Exact.Tax = b.Exact.Incl - b.Exact.Excl
	if b.Total.Incl > AmountMax {
		return errAmount()
	}
	return nil
}

// group rounds what is billed at one rate, and shares it out to its lines. It returns the exact
// amount without VAT in parts. scratch is empty, and used up.
func (b *Bill) group(t *Tariff, tallies []tally, rate VAT, scratch []share) (wide, error) {
	minor := uint64(parts / pow10(t.digits))
	var sum wide
	var g Group
	line, floors := 0, int64(0)
	for i := range tallies {
		if !tallies[i].used {
			continue
		}
		if t.keys[i].vat == rate {
			floor, rest, err := tallies[i].exact.divide(minor)
			if err != nil {
				return wide{}, err
			}
			scratch = append(scratch, share{to: line, amount: floor, rest: rest})
			sum = sum.plus(tallies[i].exact)
			floors += floor
		}
		line++
	}
	if len(scratch) == 0 {
		return wide{}, nil
	}
	g.VAT = rate
	var err error
	if g.Excl, err = sum.round(minor, AmountMax); err != nil {
		return wide{}, err
	}
	tax := sum.times(int64(max(rate, 0)))
	if g.Tax, err = tax.round(minor*rateUnits, AmountMax); err != nil {
		return wide{}, err
	}
	g.Incl = g.Excl + g.Tax
	spread(scratch, g.Excl-floors)
	for i := range scratch {
		s := &scratch[i]
		b.Lines[s.to].Excl = s.amount
		s.weight, s.amount, s.rest = s.amount, 0, 0
	}
	apportion(scratch, g.Tax)
	for i := range scratch {
		l := &b.Lines[scratch[i].to]
		l.Tax = scratch[i].amount
		l.Incl = l.Excl + l.Tax
	}
	b.Groups = append(b.Groups, g)
	b.Total.add(g.Money)
	b.VATUnknown = b.VATUnknown || (rate == UnknownVAT && !sum.zero())
	return sum, nil
}
