package oracle

import "cmp"

// repeated reports whether the energy is that of the session before and more, as a station reports
// it that counts from plugging in.
func (s *story) repeated(v sheet) bool {
	before := s.justBefore(v)
	if before == nil || !v.energy.toldOnly || v.end.AtMs <= v.start.AtMs ||
		s.rules.flaw == flawRepeatBilled {
		return false
	}
	return repeats(*before.end.EnergyWh, before.end.AtMs-before.start.AtMs,
		v.energy.wh, v.end.AtMs-v.start.AtMs)
}

// repeats reports whether an energy is that of the session before and more: a quarter more than the
// power of the one before explains, while that power, a tenth and 100 Wh more explain what was
// added. Both sides of each comparison are multiplied by both times, so that nothing is rounded.
func repeats(beforeWh, beforeMs, wh, ms int64) bool {
	power := beforeWh * ms
	return wh >= beforeWh && wh*beforeMs*100 >= power*125 &&
		(wh-beforeWh-100)*beforeMs*100 <= power*110
}

// justBefore is the session on the connector that ended last, at most a minute before the start,
// and told 100 Wh or more; nil where there is none.
func (s *story) justBefore(v sheet) *neighbour {
	if s.isCopy(v) {
		return nil
	}
	all := s.neighbours(v)
	var last *neighbour
	for i := range all {
		o := &all[i]
		if o.end == nil || o.end.EnergyWh == nil || *o.end.EnergyWh < 100 ||
			cmp.Or(o.start.Connector, "1") != s.connectorOf(v) ||
			o.end.AtMs+graceMs > v.known.atMs || o.end.AtMs <= o.start.AtMs {
			continue
		}
		gapMs := v.start.AtMs - o.end.AtMs
		if gapMs < 0 || gapMs > minuteMs || s.copyOfAny(*o, all, v) {
			continue
		}
		if last == nil || cmp.Or(cmp.Compare(last.end.AtMs, o.end.AtMs),
			cmp.Compare(last.start.AtMs, o.start.AtMs), cmp.Compare(o.id, last.id)) < 0 {
			last = o
		}
	}
	return last
}

// copyOfAny reports whether another session, or this one, was told before under another id.
func (s *story) copyOfAny(o neighbour, all []neighbour, v sheet) bool {
	for _, third := range all {
		if s.rules.copyOf(o, third) {
			return true
		}
	}
	return len(v.known.starts) > 0 &&
		s.rules.copyOf(o, neighbour{id: s.facts.Session, start: v.known.starts[0]})
}
