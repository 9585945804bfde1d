package oracle

import (
	"math/big"
	"slices"
	"time"
)

// moment is all that a restriction may ask for.
type moment struct {
	local       time.Time // on the charger's clock
	milliWh     *big.Rat  // used by the session so far
	elapsedMs   int64     // since the session's start
	powerW      *int64
	currentMa   *int64
	reservation string // the kind that an element must have, "" in a session
}

// active is the component of a dimension at a moment: of the first element that has one and whose
// restrictions all match. It is nil when the dimension is free.
func (t *priceTariff) active(dimension string, m moment) *priceComponent {
	for i := range t.Elements {
		c := t.Elements[i].component(dimension)
		if c != nil && t.Elements[i].limits.match(m) {
			return c
		}
	}
	return nil
}

func (e *priceElement) component(dimension string) *priceComponent {
	for _, c := range e.Components {
		if c.Type == dimension {
			return c
		}
	}
	return nil
}

func (l *priceLimits) match(m moment) bool {
	return l.matchReservation(m) && l.matchCalendar(m) && l.matchFlow(m) &&
		(l.MinDuration == nil || m.elapsedMs >= *l.MinDuration*secondMs) &&
		(l.MaxDuration == nil || m.elapsedMs < *l.MaxDuration*secondMs)
}

func (l *priceLimits) matchReservation(m moment) bool {
	if l.Reservation == nil {
		return m.reservation == ""
	}
	return m.reservation == *l.Reservation
}

func (l *priceLimits) matchCalendar(m moment) bool {
	if l.StartDate != nil && m.local.Format(dayForm) < *l.StartDate {
		return false
	}
	if l.EndDate != nil && m.local.Format(dayForm) >= *l.EndDate {
		return false
	}
	weekday := weekdays()[m.local.Weekday()]
	if len(l.DayOfWeek) > 0 && !slices.Contains(l.DayOfWeek, weekday) {
		return false
	}
	return l.matchTimeOfDay(m.local.Hour()*60 + m.local.Minute())
}

func (l *priceLimits) matchTimeOfDay(minute int) bool {
	const endOfDay = 24 * 60
	start, end := 0, endOfDay
	if l.StartTime != nil {
		start = minuteOfDay(*l.StartTime)
	}
	if l.EndTime != nil {
		end = minuteOfDay(*l.EndTime)
	}
	if end == 0 {
		end = endOfDay
	}
	if end < start {
		return minute >= start || minute < end
	}
	return start <= minute && minute < end
}

func (l *priceLimits) matchFlow(m moment) bool {
	const milli, kilo = 1000, 1000
	return atLeast(l.MinKWh, m.milliWh, milli*kilo) && below(l.MaxKWh, m.milliWh, milli*kilo) &&
		atLeast(l.MinCurrent, known(m.currentMa), milli) &&
		below(l.MaxCurrent, known(m.currentMa), milli) &&
		atLeast(l.MinPower, known(m.powerW), kilo) && below(l.MaxPower, known(m.powerW), kilo)
}

// atLeast compares a value with a bound that counts in a unit so many times larger.
func atLeast(bound *priceNumber, value *big.Rat, factor int64) bool {
	return bound == nil || value != nil && value.Cmp(scaled(bound, factor)) >= 0
}

func below(bound *priceNumber, value *big.Rat, factor int64) bool {
	return bound == nil || value != nil && value.Cmp(scaled(bound, factor)) < 0
}

func scaled(n *priceNumber, factor int64) *big.Rat {
	return new(big.Rat).Mul(&n.rat, new(big.Rat).SetInt64(factor))
}

// known is nil for a value that nobody measured.
func known(v *int64) *big.Rat {
	if v == nil {
		return nil
	}
	return new(big.Rat).SetInt64(*v)
}
