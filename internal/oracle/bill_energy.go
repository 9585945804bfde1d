package oracle

import (
	"cmp"
	"math/big"
	"slices"
)

// sampledW is the power from which a sample says that the vehicle charges.
const sampledW = 100

// energyFinding is what is known of a session's energy.
type energyFinding struct {
	known     bool
	wh        int64
	estimated bool
	glitch    bool     // the register fell and came back
	unsure    bool     // the sum of what the register rose by
	toldOnly  bool     // nothing but the end shows it
	reasons   []string // to doubt it
	baseWh    *int64   // what samples show where nothing is delivered
}

// own are the samples of the session from its start to its end, both inclusive: those that name it,
// and those on its connector that name none.
func (s *story) own(v sheet) []SampleFact {
	var all []SampleFact
	for _, m := range v.known.samples {
		within := v.start.AtMs <= m.AtMs && m.AtMs <= v.end.AtMs
		if (within || s.rules.flaw == flawAllSamples) && s.names(m, v) {
			all = append(all, m)
		}
	}
	return all
}

func (s *story) names(m SampleFact, v sheet) bool {
	if !slices.Contains([]string{"", "0", "-1"}, m.Session) {
		return m.Session == s.facts.Session
	}
	return s.rules.flaw != flawUnnamedLost && cmp.Or(m.Connector, "1") == s.connectorOf(v)
}

// findEnergy judges the energy of a sheet with start and end. A corrected energy ends all doubt
// about it; the registers are still looked at, for what was delivered by when.
func (s *story) findEnergy(v sheet) energyFinding {
	f := s.measure(v, s.courseOf(v))
	if s.decided.energy != nil {
		return energyFinding{known: true, wh: *s.decided.energy, glitch: f.glitch, baseWh: f.baseWh}
	}
	if !f.known {
		f.reasons = append(f.reasons, HoldNoEnergy)
		return f
	}
	if s.overPower(v, f.wh, v.end.AtMs-v.start.AtMs) {
		f.reasons = append(f.reasons, HoldOverPower)
	}
	if unitMismatch(f.wh, v.end.AtMs-v.start.AtMs, s.ranged(v)) {
		f.reasons = append(f.reasons, HoldUnitMismatch)
	}
	return f
}

// overPower reports whether so much energy is more than rating x time x 1.1 + 1 kWh.
func (s *story) overPower(v sheet, wh, lengthMs int64) bool {
	limit := big.NewRat(v.terms.ratingW(s.connectorOf(v)), hourMs)
	limit.Mul(limit, big.NewRat(max(0, lengthMs)*11, 10)).Add(limit, big.NewRat(1000, 1))
	return big.NewRat(wh, 1).Cmp(limit) > 0
}

// measure finds the energy in the order of the rules. Where the energy is told, a begin that is no
// register holds nothing, and what shows behind it is what the line of the energy delivered begins
// with. An energy told that is the register at the end, with a register at the start above 0 or
// none at all, is not believed: the registers tell it then. Samples that count from the start of
// the session say nothing of the register.
func (s *story) measure(v sheet, c course) energyFinding {
	counted := c.start != nil && countFromStart(*c.start, c.between)
	if counted {
		c.between = nil
	}
	lost := s.noRegister(v, c)
	told := v.end.EnergyWh
	lifetime := told != nil && v.end.MeterWh != nil && *told == *v.end.MeterWh &&
		(c.start != nil && *c.start > 0 || lost > 0)
	believed := told != nil && !lifetime
	var readings []int64
	for _, r := range c.all(v)[lost:] {
		readings = append(readings, r.wh)
	}
	f := energyFinding{baseWh: number64(0)}
	if len(readings) > 0 && !counted {
		f.baseWh = &readings[0]
	}
	fell, persists := falls(readings)
	f.glitch = fell && !persists
	persists = persists && s.rules.flaw != flawLastLessFirst
	exact := lost == 0 && c.start != nil && c.end != nil
	if believed && (s.rules.flaw != flawRegisterFirst || !exact) {
		f.known, f.wh, f.toldOnly = true, *told, len(readings) < 2
		if persists {
			f.reasons = append(f.reasons, HoldMeterRegression)
		} else if len(readings) > 1 && contradicts(*told, readings[len(readings)-1]-readings[0],
			exact) {
			f.reasons = append(f.reasons, HoldEnergyMismatch)
		}
		return f
	}
	if lost > 0 || lifetime {
		f.reasons = append(f.reasons, HoldLifetimeRegister)
	}
	if len(readings) < 2 {
		return f // one reading tells no difference
	}
	f.known = true
	f.sum(readings, persists && len(c.between) == 0 && lost == 0, persists)
	f.estimated = f.estimated || !exact || lifetime
	if c.start == nil && c.end == nil && lost == 0 {
		f.reasons = append(f.reasons, HoldEstimated)
	}
	return f
}

// contradicts reports whether an energy told is not that of the registers: by more than 100 Wh of
// rounding, and more than 2 % of loss. Registers of which one is that of a sample show at least so
// much.
func contradicts(told, measured int64, exact bool) bool {
	allowed := max(100, max(told, measured)*2/100)
	return measured-told > allowed || exact && told-measured > allowed
}

// countFromStart reports whether all samples are below the register at the start: those of a
// station that counts the energy of each session from nothing, where its register has the meter's
// life.
func countFromStart(startWh int64, samples []register) bool {
	return startWh > 0 && len(samples) > 0 && !slices.ContainsFunc(samples, func(m register) bool {
		return m.wh >= startWh
	})
}

// sum is last less first, or what the register rose by in all where it fell for good.
func (f *energyFinding) sum(readings []int64, negative, persists bool) {
	switch {
	case negative:
		f.reasons = append(f.reasons, HoldNegativeEnergy)
	case persists:
		for i := 1; i < len(readings); i++ {
			f.wh += max(0, readings[i]-readings[i-1])
		}
		f.estimated, f.unsure = true, true
		f.reasons = append(f.reasons, HoldMeterRegression)
	default:
		f.wh = readings[len(readings)-1] - readings[0]
	}
}

// falls reports whether a register fell, and whether its last reading is still below the largest.
func falls(readings []int64) (fell, persists bool) {
	for i := 1; i < len(readings); i++ {
		fell = fell || readings[i] < readings[i-1]
	}
	return fell, fell && readings[len(readings)-1] < slices.Max(readings)
}

// ranged are the samples of which the power counts in a range. Of the quarter hours in which the
// session began or ended these are none where a minute that is not wholly within it has a sample,
// be that known already or about to be.
func (s *story) ranged(v sheet) []SampleFact {
	spoilt := map[int64]bool{}
	for _, m := range s.facts.Samples {
		known := s.rules.sampleKnown(m) <= v.known.atMs || m.timely()
		if known && m.PowerW != nil && s.names(m, v) && !v.hasMinute(m.AtMs/minuteMs) {
			spoilt[m.AtMs/quarterMs] = true
		}
	}
	return slices.DeleteFunc(s.own(v), func(m SampleFact) bool {
		return spoilt[m.AtMs/quarterMs]
	})
}

// hasMinute reports whether a minute lies wholly within the session.
func (v sheet) hasMinute(minute int64) bool {
	return v.start.AtMs <= minute*minuteMs && (minute+1)*minuteMs <= v.end.AtMs
}

// unitMismatch compares energy with the samples of 100 W or more: with the least that they show,
// and with the most that they allow.
func unitMismatch(wh, lengthMs int64, samples []SampleFact) bool {
	least := map[int64]int64{}            // the smallest power of each quarter hour
	minutes := map[int64]map[int64]bool{} // those of it with a sample
	var most int64
	for _, m := range samples {
		if m.PowerW == nil || *m.PowerW < sampledW {
			continue
		}
		quarter := m.AtMs / quarterMs
		if minutes[quarter] == nil {
			minutes[quarter], least[quarter] = map[int64]bool{}, *m.PowerW
		}
		minutes[quarter][m.AtMs/minuteMs] = true
		least[quarter] = min(least[quarter], *m.PowerW)
		most = max(most, *m.PowerW)
	}
	const minutesOfHour, factor = 60, 100
	var wattMinutes int64
	for quarter, w := range least {
		wattMinutes += w * int64(len(minutes[quarter]))
	}
	if wattMinutes >= 100*minutesOfHour && wh*factor*minutesOfHour < wattMinutes {
		return true
	}
	allowed := new(big.Rat).Mul(big.NewRat(most*factor, 1), big.NewRat(max(0, lengthMs), hourMs))
	return most > 0 && big.NewRat(wh, 1).Cmp(allowed) > 0
}

// reading is the energy delivered by a moment.
type reading struct {
	atMs int64
	wh   *big.Rat
}

// delivered are the known readings from start to end: nothing at the start, the first and last
// register of each quarter hour that is over by the end, all at the end; none is below the one
// before or above all. Readings at the start or before it say nothing.
func (s *story) delivered(v sheet) []reading {
	whole := func(wh int64) *big.Rat { return big.NewRat(wh, 1) }
	points := []reading{{v.start.AtMs, whole(0)}}
	samples := slices.DeleteFunc(s.courseOf(v).between, func(m register) bool {
		return m.atMs < v.start.AtMs || m.atMs > v.end.AtMs
	})
	var reached int64
	for i, m := range samples {
		quarter := m.atMs / quarterMs
		first := i == 0 || samples[i-1].atMs/quarterMs != quarter
		last := i == len(samples)-1 || samples[i+1].atMs/quarterMs != quarter
		over := (quarter+1)*quarterMs <= v.end.AtMs
		if !over || !first && !last || m.atMs <= v.start.AtMs || m.atMs >= v.end.AtMs {
			continue
		}
		wh := m.wh - *v.energy.baseWh
		if s.rules.flaw == flawNoClamp {
			wh = min(max(wh, 0), max(v.energy.wh, 0))
		} else {
			wh = min(max(wh, reached), v.energy.wh)
		}
		reached = wh
		points = append(points, reading{m.atMs, whole(wh)})
	}
	return append(points, reading{v.end.AtMs, whole(v.energy.wh)})
}

// deliveredBy is the straight line between the readings around a moment.
func deliveredBy(points []reading, atMs int64) *big.Rat {
	for i := 1; i < len(points); i++ {
		a, b := points[i-1], points[i]
		if atMs > b.atMs || a.atMs == b.atMs {
			continue
		}
		share := new(big.Rat).Sub(b.wh, a.wh)
		share.Mul(share, big.NewRat(atMs-a.atMs, b.atMs-a.atMs))
		return share.Add(share, a.wh)
	}
	return points[len(points)-1].wh
}
