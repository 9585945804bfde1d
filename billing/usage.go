package billing

import (
	"cmp"
	"slices"

	"chargestream"
	"chargestream/pricing"
	"chargestream/tables"
)

// usage is what a session is billed for.
type usage struct {
	pricing.Usage
	parking chargestream.Millis
}

// usage cuts the session where its parking begins and ends, and at the readings of its register.
func (k *known) usage(e energy) *usage {
	u := &usage{Usage: pricing.Usage{Start: k.start.At, End: k.end.At}}
	c := k.meter.curveOf(e)
	spans := k.spans()
	cuts := []chargestream.Millis{u.Start, u.End}
	for _, p := range c.points {
		cuts = append(cuts, p.At)
	}
	for _, span := range spans {
		cuts = append(cuts, span.from)
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	if len(cuts) == 1 {
		u.Periods = []pricing.Period{{From: u.Start, To: u.End, Energy: int64(e.total) * milli,
			Estimated: e.estimated}}
		return u
	}
	for i := 0; i+1 < len(cuts) && len(u.Periods) < pricing.PeriodsMax; i++ {
		p := pricing.Period{From: cuts[i], To: cuts[i+1], Estimated: e.estimated,
			Energy: c.at(cuts[i+1]) - c.at(cuts[i]), Parking: parkedAt(spans, cuts[i])}
		k.meter.ranges(&p)
		if p.Parking {
			u.parking += p.To - p.From
		}
		u.Periods = append(u.Periods, p)
	}
	return u
}

// ranges tells the power and current of a period, where samples told them.
func (m *meter) ranges(p *pricing.Period) {
	i, ok := slices.BinarySearchFunc(
		m.samples,
		p.From.Truncate(chargestream.Quarter),
		func(q tables.Quarter, start chargestream.Millis) int {
			return cmp.Compare(q.Start, start)
		},
	)
	if !ok {
		return
	}
	q := &m.samples[i]
	mean := mulDiv(p.Energy, int64(chargestream.Hour), int64(p.To-p.From)*milli) // W
	if q.Low > 0 && !p.Parking {
		mean = min(max(mean, int64(q.Low)), int64(q.Peak))
		p.Power = pricing.Range{Min: int64(q.Low), Mean: mean, Max: int64(q.Peak), Known: true}
	}
	if q.CurrentLow > 0 && !p.Parking {
		p.Current = pricing.Range{Min: int64(q.CurrentLow), Max: int64(q.CurrentPeak),
			Mean: int64(q.CurrentLow+q.CurrentPeak) / 2, Known: true}
	}
	if p.Parking {
		p.Power, p.Current = pricing.Exactly(0), pricing.Exactly(0)
	}
}

// span is a part of a session, from a moment to the next span, in which the vehicle parks or
// does not.
type span struct {
	from   chargestream.Millis
	parked bool
}

func parkedAt(spans []span, at chargestream.Millis) bool {
	parked := false
	for _, s := range spans {
		if s.from > at {
			break
		}
		parked = s.parked
	}
	return parked
}

// spans joins the status with the power (docs/decisions/0010, Time and parking). The word
// decides where it tells; the power where it does not, and where it shows that energy flowed.
func (k *known) spans() []span {
	power := k.power()
	var list []span
	add := func(from chargestream.Millis, parked bool) {
		if n := len(list); n == 0 && parked || n > 0 && list[n-1].parked != parked {
			list = append(list, span{from: from, parked: parked})
		}
	}
	reports := k.reports()
	for i := range reports {
		from, to := reports[i].At, min(k.end.At, k.start.At+chargestream.SessionSpanMax)
		if i+1 < len(reports) {
			to = reports[i+1].At
		}
		for at := from; at < to; {
			minute := at.Truncate(chargestream.Minute)
			next := min(minute+chargestream.Minute, to)
			whole := at == minute && next == minute+chargestream.Minute
			add(at, parks(&reports[i], power.at(minute), whole))
			at = next
		}
	}
	return list
}

// reports are the status reports within the session, each where it holds from, after one that
// tells nothing.
func (k *known) reports() []tables.Transition {
	list := []tables.Transition{{At: k.start.At, State: chargestream.StateOccupied}}
	for _, t := range k.transitions {
		if last := &list[len(list)-1]; t.At == last.At {
			*last = t // of reports of the same moment the one of the higher rank counts
		} else {
			list = append(list, t)
		}
	}
	return list
}

// parks reports whether the vehicle parks in a minute, or a part of one.
func parks(report *tables.Transition, power minutePower, whole bool) bool {
	if whole && power.charging {
		return false
	}
	switch {
	case report.Activity == chargestream.ActivityParked:
		return true
	case report.Activity != chargestream.ActivityUnknown ||
		report.State > chargestream.StateOccupied:
		return false
	}
	return power.silent
}

// minutePower is what the meter says of a minute: charging if there was a sample of that minute
// with tables.ChargingPowerMin or more; silent if the last samples, not longer than
// tables.SampleHold ago, had less.
type minutePower struct{ charging, silent bool }

// powerMinutes is the power of a session minute by minute.
type powerMinutes struct {
	first   chargestream.Millis // a whole minute
	minutes []minutePower
}

func (p *powerMinutes) at(minute chargestream.Millis) minutePower {
	i := int((minute - p.first) / chargestream.Minute)
	if i < 0 || i >= len(p.minutes) {
		return minutePower{}
	}
	return p.minutes[i]
}

// power is the power of each minute from start to end.
func (k *known) power() *powerMinutes {
	p := &powerMinutes{first: k.start.At.Truncate(chargestream.Minute)}
	n := int(
		(min(k.end.At, k.start.At+chargestream.SessionSpanMax)-p.first)/chargestream.Minute,
	) + 1
	if len(k.meter.samples) == 0 || n <= 0 {
		return p
	}
	p.minutes = make([]minutePower, n)
	sampled := make([]bool, n)
	for i := range k.meter.samples {
		q := &k.meter.samples[i]
		for m := range chargestream.Millis(15) {
			at := int((q.Start + m*chargestream.Minute - p.first) / chargestream.Minute)
			if at >= 0 && at < n && q.Sampled>>m&1 != 0 {
				charging := q.Charging>>m&1 != 0
				sampled[at], p.minutes[at] = true, minutePower{
					charging: charging,
					silent:   !charging,
				}
			}
		}
	}
	last, age := false, tables.SampleHold
	for i := range p.minutes {
		if sampled[i] {
			last, age = p.minutes[i].silent, 0
		} else if age++; age <= tables.SampleHold {
			p.minutes[i].silent = last
		}
	}
	return p
}
