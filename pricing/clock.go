package pricing

import (
	"math"
	"time"

	"chargestream"
)

// localClock is the clock on the wall of a place. Between two changes of the clock its offset
// from UTC is constant, so only those are asked for.
type localClock struct {
	location    *time.Location
	offset      chargestream.Millis
	from, until chargestream.Millis // the offset is known for; until is zero before the first use
}

// at is the local day since 1970-01-01 and the time of that day.
func (c *localClock) at(m chargestream.Millis) (day int64, ofDay chargestream.Millis) {
	if m < c.from || m >= c.until {
		c.ask(m)
	}
	local := m + c.offset
	begin := local.Truncate(chargestream.Day)
	return int64(begin / chargestream.Day), local - begin
}

func (c *localClock) ask(m chargestream.Millis) {
	t := m.Time().In(c.location)
	_, offset := t.Zone()
	from, until := t.ZoneBounds()
	c.offset = chargestream.Millis(offset) * chargestream.Second
	c.from, c.until = math.MinInt64, math.MaxInt64
	if !from.IsZero() {
		c.from = chargestream.MillisOf(from)
	}
	if !until.IsZero() {
		c.until = chargestream.MillisOf(until)
	}
}

// next is the first moment after m at which the clock shows one of the times, or is put forward
// or back. The times are of the day, in order, and midnight is among them.
func (c *localClock) next(m chargestream.Millis, times []chargestream.Millis) chargestream.Millis {
	_, ofDay := c.at(m)
	next := chargestream.Day
	for _, t := range times {
		if t > ofDay {
			next = t
			break
		}
	}
	return min(m+next-ofDay, c.until)
}
