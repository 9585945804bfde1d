package pricing

import (
	"fmt"
	"math"
	"time"

	"chargestream"
)

// tally is what one line of the bill has counted.
type tally struct {
	measured, billed int64 // mWh, ms or 1
	used, estimated  bool
	exact            wide // amount without VAT, in parts
}

// walk goes through a session, or a reservation, piece by piece.
type walk struct {
	t       *Tariff
	tallies []tally
	phase   phase
	start   chargestream.Millis
	clock   localClock
	moment  moment

	energy    int64                 // mWh before the period that is being cut
	durations []chargestream.Millis // still ahead
	amounts   []int64               // still ahead
	cuts      int
	flat      bool // has been counted
	last      [dimensions]*component

	// before is the piece before in the same period: its energy's, its time's.
	before    [2]counted
	estimated bool
}

// piece is a part of a period at whose begin all restrictions are asked.
type piece struct {
	from, to chargestream.Millis
	energy   int64
	byEnergy bool // an amount of energy was reached at its begin
}

func (t *Tariff) walk(tallies []tally, p phase, start chargestream.Millis,
	location *time.Location) walk {
	return walk{t: t, tallies: tallies, phase: p, start: start,
		clock: localClock{location: location}, durations: t.durations, amounts: t.amounts}
}

// period counts one period, cut wherever a restriction may change.
func (w *walk) period(p *Period) error {
	w.enter(p)
	now := piece{from: p.From}
	done := int64(0) // mWh of the period
	for now.from < p.To || done < p.Energy {
		now.to = w.nextTime(now.from, p.To)
		reached := p.Energy
		if now.to < p.To {
			reached = mulDiv(p.Energy, int64(now.to-p.From), int64(p.To-p.From))
		}
		amount := w.nextAmount(w.energy+done) - w.energy
		byEnergy := amount <= reached
		if byEnergy {
			reached = amount
			at := p.From + chargestream.Millis(
				mulDiv(int64(p.To-p.From), amount, p.Energy))
			now.to = min(max(at, now.from), now.to)
		}
		now.energy = max(reached-done, 0)
		if err := w.count(p, &now, done); err != nil {
			return err
		}
		done = max(done, reached)
		now = piece{from: now.to, byEnergy: byEnergy}
		if w.cuts++; w.cuts > CutsMax {
			return fmt.Errorf("%w: more than %d changes of price", ErrUsage, CutsMax)
		}
	}
	w.energy += p.Energy
	return nil
}

// enter prepares what is the same for all pieces of a period.
func (w *walk) enter(p *Period) {
	w.before = [2]counted{}
	m := &w.moment
	m.power, m.powerGuessed = p.Power.times(1000), false
	m.current = p.Current.times(1000)
	if p.Energy == 0 {
		// Without energy there is neither.
		if !m.power.Known {
			m.power = Exactly(0)
		}
		if !m.current.Known {
			m.current = Exactly(0)
		}
	}
	if !m.power.Known {
		mean := int64(math.MaxInt64) // of energy in no time
		if p.To > p.From {
			mean = clampedMulDiv(p.Energy, int64(chargestream.Hour), int64(p.To-p.From))
		}
		m.power, m.powerGuessed = Exactly(mean), true
	}
}

// nextTime is the first moment after at at which a time of day, a midnight, a change of the
// clock or a duration may change the price; to at the latest.
func (w *walk) nextTime(at, to chargestream.Millis) chargestream.Millis {
	if w.t.local {
		to = min(to, w.clock.next(at, w.t.times))
	}
	for len(w.durations) > 0 && w.start+w.durations[0] <= at {
		w.durations = w.durations[1:]
	}
	if len(w.durations) > 0 {
		to = min(to, w.start+w.durations[0])
	}
	return to
}

// nextAmount is the first amount of energy after the delivered one that may change the price.
func (w *walk) nextAmount(delivered int64) int64 {
	for len(w.amounts) > 0 && w.amounts[0] <= delivered {
		w.amounts = w.amounts[1:]
	}
	if len(w.amounts) == 0 {
		return math.MaxInt64
	}
	return w.amounts[0]
}

// count lets the active components count a piece.
func (w *walk) count(p *Period, now *piece, done int64) error {
	m := &w.moment
	m.duration, m.energy = now.from-w.start, w.energy+done
	if w.t.local {
		m.day, m.time = w.clock.at(now.from)
	}
	if err := w.flatFee(); err != nil {
		return err
	}
	long := p.To-p.From > GuessMax
	if now.energy > 0 {
		// A cut in time had to guess the energy before it.
		err := w.countOne(Energy, now.energy, p.Estimated, long && !now.byEnergy)
		if err != nil {
			return err
		}
	}
	if now.to == now.from {
		return nil
	}
	dimension := Time
	if p.Parking {
		dimension = ParkingTime
	}
	// A cut at an amount of energy had to guess the time.
	return w.countOne(dimension, int64(now.to-now.from), p.Estimated, long && now.byEnergy)
}

// counted is by what a piece was counted.
type counted struct {
	known bool
	line  int // noLine where the dimension was free
	step  int64
}

const noLine = -1

// countOne counts a quantity by the component that is active. guessedCut tells that where this
// piece begins had to be guessed: that matters if the piece before was counted otherwise.
func (w *walk) countOne(d Dimension, quantity int64, estimated, guessedCut bool) error {
	c, guessed, err := w.active(d)
	if err != nil {
		return err
	}
	before := &w.before[0]
	if d != Energy {
		before = &w.before[1]
	}
	by := counted{known: true, line: noLine}
	if c != nil {
		by.line, by.step = c.line, c.step
	}
	if guessedCut && before.known && *before != by {
		guessed = true
		w.guess(before.line)
	}
	*before = by
	if guessed {
		w.guess(by.line)
	}
	if c == nil {
		return nil
	}
	if estimated {
		w.guess(c.line)
	}
	w.add(c, quantity)
	w.last[d] = c
	return nil
}

// guess marks a line as estimated, and what is free as well: it might have been paid.
func (w *walk) guess(line int) {
	w.estimated = true
	if line != noLine {
		w.tallies[line].estimated = true
	}
}

func (w *walk) add(c *component, quantity int64) {
	tally := &w.tallies[c.line]
	tally.used = true
	tally.measured += quantity
	tally.billed += quantity
}

// active is the component that counts a dimension at the moment: that of the first element that
// matches. It is nil where the dimension is free.
func (w *walk) active(d Dimension) (c *component, guessed bool, err error) {
	rules := w.t.rules[w.phase][d]
	for i := range rules {
		ok, unsure, err := rules[i].when.match(&w.moment)
		if err != nil {
			return nil, false, fmt.Errorf("%w: %w", ErrUsage, err)
		}
		guessed = guessed || unsure
		if ok {
			return rules[i].pays, guessed, nil
		}
	}
	return nil, guessed, nil
}

// flatFee counts the fee, once: that of the first moment at which there is one.
func (w *walk) flatFee() error {
	if w.flat {
		return nil
	}
	c, guessed, err := w.active(Flat)
	if c == nil || err != nil {
		return err
	}
	w.flat = true
	w.add(c, 1)
	if guessed {
		w.guess(c.line)
	}
	return nil
}

// finish applies step_size: to the energy, and to the parking if any was paid, else to the
// charging.
func (w *walk) finish() {
	w.roundUp(Energy)
	if w.last[ParkingTime] != nil {
		w.roundUp(ParkingTime)
	} else {
		w.roundUp(Time)
	}
}

// roundUp rounds the whole of a dimension up to steps of the component that counted it last,
// which bills what is added. An exact multiple stays.
func (w *walk) roundUp(d Dimension) {
	last := w.last[d]
	if last == nil || last.step == 0 {
		return
	}
	total := int64(0)
	for i := range w.tallies {
		if key := &w.t.keys[i]; key.dimension == d && key.reservation == (w.phase != session) {
			total += w.tallies[i].measured
		}
	}
	if rest := total % last.step; rest != 0 {
		w.tallies[last.line].billed += last.step - rest
	}
}
