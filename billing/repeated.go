package billing

import (
	"cmp"

	"chargestream"
	"chargestream/tables"
)

// A station that counts the energy from plugging in reports it again, and more, for each session
// while the cable stays (docs/decisions/0010, Energy).
const (
	repeatedMin chargestream.WattHours = roundingMax // of the session before
	// Above the power of the session before, the whole energy is repeatedPercent or more, and what
	// was added addedPercent at most.
	samePercent     = 100
	repeatedPercent = 125
	addedPercent    = 110
)

// findBefore finds the session that ended right before this one began.
func (b *biller) findBefore(k *known, own *tables.HourSession) error {
	if k.copied || own.From >= own.To {
		return nil
	}
	hour := own.From.Truncate(chargestream.Hour)
	for _, start := range []chargestream.Millis{hour - chargestream.Hour, hour} {
		if start < hour && own.From > hour+tables.FollowMax {
			continue
		}
		h, err := b.hour(k.start.ConnectorID, start)
		if err != nil {
			return err
		}
		if h == nil || len(h.Sessions) == 0 {
			continue
		}
		for _, o := range b.ranIn(h) {
			if o.ID == b.ID || o.Due > k.at || !own.Follows(&o) || o.EndEnergy == nil ||
				*o.EndEnergy < repeatedMin {
				continue
			}
			if k.before == nil || cmp.Or(cmp.Compare(k.before.To, o.To),
				cmp.Compare(k.before.From, o.From), cmp.Compare(o.ID, k.before.ID)) < 0 {
				k.before = &o
			}
		}
	}
	return nil
}

// repeated reports whether an energy is that of the session before and more: this session's time
// explains what was added, and not the whole.
func (k *known) repeated(e energy) bool {
	if k.before == nil || !e.unproven || k.end.At <= k.start.At || e.total < *k.before.EndEnergy {
		return false
	}
	// Both sides of each comparison are multiplied by both times, so that nothing is rounded.
	product := func(a chargestream.WattHours, b chargestream.Millis, times int64) int64 {
		return mulDiv(mulDiv(int64(a), times, 1), int64(b), 1)
	}
	earlier, length, before := *k.before.EndEnergy, k.end.At-k.start.At, k.before.To-k.before.From
	added := e.total - earlier - roundingMax
	return product(e.total, before, samePercent) >= product(earlier, length, repeatedPercent) &&
		product(added, before, samePercent) <= product(earlier, length, addedPercent)
}

// momentsBefore gives the moments from which sessions count that ended right before this one may
// have begun, in the hour before its own, each with the arrival of the start.
func (s *Session) momentsBefore(connector chargestream.ConnectorID,
	moment func(at, arrival chargestream.Millis)) error {
	look := func(from, arrival chargestream.Millis) error {
		hour := from.Truncate(chargestream.Hour)
		if from == 0 || from > hour+tables.FollowMax {
			return nil
		}
		h, err := s.hour(connector, hour-chargestream.Hour)
		if err != nil || h == nil {
			return err
		}
		own := tables.HourSession{From: from}
		for i := range h.Sessions {
			if o := &h.Sessions[i]; o.ID != s.ID && own.Follows(o) {
				moment(o.Due, arrival)
			}
		}
		return nil
	}
	for i := range s.Row.Starts {
		if err := look(s.Row.Starts[i].At, s.Row.Starts[i].Arrival); err != nil {
			return err
		}
	}
	for i := range s.Row.Decisions {
		d := &s.Row.Decisions[i]
		if err := look(d.Correction.StartTime, d.Arrival); err != nil {
			return err
		}
	}
	return nil
}
