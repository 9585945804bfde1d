package oracle

import (
	"math/big"
	"slices"
	"time"
)

// ledger says how much of each component was used: milliseconds of time, mWh of energy, one FLAT.
// Quantities are fractions, since the third of a second's energy is no decimal.
type ledger struct {
	used map[*priceComponent]*big.Rat
	last map[string]*priceComponent // by dimension
}

func newLedger() *ledger {
	return &ledger{
		used: map[*priceComponent]*big.Rat{}, last: map[string]*priceComponent{},
	}
}

// add notes a quantity; nothing is noted where the dimension is free or the quantity is zero.
func (l *ledger) add(c *priceComponent, quantity *big.Rat) {
	if c == nil || quantity.Sign() == 0 {
		return
	}
	if l.used[c] == nil {
		l.used[c] = new(big.Rat)
	}
	l.used[c].Add(l.used[c], quantity)
	l.last[c.Type] = c
}

// addFlat notes the first FLAT that is met and none after it.
func (l *ledger) addFlat(c *priceComponent) {
	if l.last[dimFlat] == nil {
		l.add(c, big.NewRat(1, 1))
	}
}

func (l *ledger) total(dimension string) *big.Rat {
	sum := new(big.Rat)
	for c, quantity := range l.used {
		if c.Type == dimension {
			sum.Add(sum, quantity)
		}
	}
	return sum
}

// walkReservation asks at every second of the reservation. Only FLAT and TIME cost there.
func (t *priceTariff) walkReservation(u Usage, l *ledger) {
	ask := func(dimension string, at int64) *priceComponent {
		m := moment{local: localTime(u, at), milliWh: new(big.Rat)}
		if u.Reservation.Expired {
			m.reservation = reservationExpired
			if c := t.active(dimension, m); c != nil {
				return c
			}
		}
		m.reservation = reservationTaken
		return t.active(dimension, m)
	}
	r := u.Reservation
	l.addFlat(ask(dimFlat, r.StartMs))
	for at := r.StartMs; at < r.EndMs; {
		next := min(nextSecond(at, 0), r.EndMs)
		l.addFlat(ask(dimFlat, at))
		l.add(ask(dimTime, at), big.NewRat(next-at, 1))
		at = next
	}
}

// walkSession asks at every second of the session.
func (t *priceTariff) walkSession(u Usage, l *ledger) { t.walkSteps(u, l, secondMs) }

// walkSteps asks at every step of the clock and of the session.
func (t *priceTariff) walkSteps(u Usage, l *ledger, step int64) {
	if u.StartMs == u.EndMs {
		m := moment{local: localTime(u, u.StartMs), milliWh: new(big.Rat)}
		l.addFlat(t.active(dimFlat, m))
		return
	}
	before := new(big.Rat) // mWh of the periods before
	for _, p := range u.Periods {
		for at := p.FromMs; at < p.ToMs; {
			next := min(nextStep(at, 0, step), nextStep(at, u.StartMs, step), p.ToMs)
			t.walkSecond(u, p, at, next, before, l)
			at = next
		}
		before.Add(before, p.energy())
	}
}

// walkSecond asks once for each part of a second or less, in which nothing but the energy so far
// can pass a bound of a restriction.
func (t *priceTariff) walkSecond(
	u Usage, p UsagePeriod, at, next int64, before *big.Rat, l *ledger,
) {
	m := moment{
		local: localTime(u, at), elapsedMs: at - u.StartMs,
		powerW: p.PowerW, currentMa: p.CurrentMa,
	}
	dimension := dimTime
	if p.Parking {
		dimension = dimParking
	}
	length := big.NewRat(next-at, 1)
	energies := t.cutEnergy(p.energyAt(at, before), p.energyAt(next, before))
	flow := new(big.Rat).Sub(energies[len(energies)-1], energies[0])
	for i, from := range energies[:len(energies)-1] {
		part := new(big.Rat).Sub(energies[i+1], from)
		stretch := new(big.Rat).Set(length)
		if flow.Sign() > 0 {
			stretch.Mul(stretch, new(big.Rat).Quo(part, flow))
		}
		m.milliWh = from
		l.addFlat(t.active(dimFlat, m))
		l.add(t.active(dimension, m), stretch)
		l.add(t.active(dimEnergy, m), part)
	}
}

// energyAt is the session's energy in mWh at a moment of the period.
func (p *UsagePeriod) energyAt(at int64, before *big.Rat) *big.Rat {
	share := big.NewRat(at-p.FromMs, p.ToMs-p.FromMs)
	share.Mul(share, p.energy())
	return share.Add(share, before)
}

// cutEnergy is from, the bounds of energy that lie between from and to in order, and to.
func (t *priceTariff) cutEnergy(from, to *big.Rat) []*big.Rat {
	cuts := []*big.Rat{from}
	for i := range t.Elements {
		for _, n := range []*priceNumber{t.Elements[i].limits.MinKWh, t.Elements[i].limits.MaxKWh} {
			if n == nil {
				continue
			}
			at := scaled(n, 1_000_000)
			if at.Cmp(from) > 0 && at.Cmp(to) < 0 {
				cuts = append(cuts, at)
			}
		}
	}
	cuts = append(cuts, to)
	slices.SortFunc(cuts, func(a, b *big.Rat) int { return a.Cmp(b) })
	return cuts
}

func localTime(u Usage, at int64) time.Time { return time.UnixMilli(at).In(u.Zone) }

// nextSecond is the next whole second after a point in time, counted from origin.
func nextSecond(at, origin int64) int64 { return nextStep(at, origin, secondMs) }

func nextStep(at, origin, step int64) int64 {
	into := (at - origin) % step
	if into < 0 {
		into += step
	}
	return at - into + step
}
