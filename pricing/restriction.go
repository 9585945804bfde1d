package pricing

import (
	"errors"
	"math"

	"chargestream"
)

// errNoCurrent is what Price returns, within ErrUsage, where a restriction asks for a current that
// the period does not tell: it cannot be told from energy without the voltage and the phases.
var errNoCurrent = errors.New("the tariff asks for the current, which is not known")

// span is a half open range: from min on, until max.
type span struct{ min, max int64 }

func everything() span { return span{math.MinInt64, math.MaxInt64} }

func (s span) open() bool       { return s == everything() }
func (s span) has(n int64) bool { return s.min <= n && n < s.max }

// holds reports whether the mean lies in the span, and whether all between the extremes agrees.
func (s span) holds(r *Range) (ok, sure bool) {
	if s.has(r.Mean) {
		return true, s.has(r.Min) && s.has(r.Max)
	}
	return false, r.Max < s.min || r.Min >= s.max
}

// restriction is an OCPI TariffRestrictions: all that is said must hold.
type restriction struct {
	free             bool // nothing is said but for whom
	hasTime          bool
	timeFrom, timeTo chargestream.Millis // of the day; timeTo < timeFrom wraps
	days             span                // since 1970-01-01, local
	weekdays         uint8               // a bit for each, Sunday is the lowest; zero for all
	duration         span                // ms
	energy           span                // mWh
	power            span                // mW
	current          span                // uA, all phases together
	reservation      phase
}

func unrestricted() restriction {
	return restriction{days: everything(), duration: everything(), energy: everything(),
		power: everything(), current: everything()}
}

// seal notes whether there is anything to ask.
func (r *restriction) seal() {
	r.free = !r.asksLocal() && r.duration.open() && r.energy.open() && r.power.open() &&
		r.current.open()
}

func (r *restriction) asksLocal() bool { return r.hasTime || r.weekdays != 0 || !r.days.open() }

// moment is all that a restriction can ask for, at the begin of a piece.
type moment struct {
	day          int64               // since 1970-01-01, local
	time         chargestream.Millis // of the day, local
	duration     chargestream.Millis // since the begin
	energy       int64               // mWh since the begin
	power        Range               // mW
	current      Range               // uA
	powerGuessed bool
}

// match reports whether the restriction holds, and whether that had to be guessed.
func (r *restriction) match(m *moment) (ok, guessed bool, err error) {
	if r.free {
		return true, false, nil
	}
	if !r.duration.has(int64(m.duration)) || !r.energy.has(m.energy) || !r.matchLocal(m) {
		return false, false, nil
	}
	ok = true
	if !r.power.open() {
		holds, sure := r.power.holds(&m.power)
		ok, guessed = holds, !sure || m.powerGuessed
	}
	if r.current.open() || (!ok && !guessed) {
		return ok, guessed, nil
	}
	if !m.current.Known {
		return false, false, errNoCurrent
	}
	holds, sure := r.current.holds(&m.current)
	if !holds && sure {
		return false, false, nil
	}
	return ok && holds, guessed || !sure, nil
}

func (r *restriction) matchLocal(m *moment) bool {
	if r.weekdays != 0 && r.weekdays&(1<<weekday(m.day)) == 0 {
		return false
	}
	if !r.days.has(m.day) {
		return false
	}
	switch {
	case !r.hasTime:
		return true
	case r.timeFrom < r.timeTo:
		return r.timeFrom <= m.time && m.time < r.timeTo
	}
	return m.time >= r.timeFrom || m.time < r.timeTo
}

// weekday is that of a day since 1970-01-01, which was a Thursday; Sunday is 0.
func weekday(day int64) uint {
	w := (day + 4) % 7
	if w < 0 {
		w += 7
	}
	return uint(w)
}
