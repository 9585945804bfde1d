package oracle

import (
	"cmp"
	"slices"
	"strings"
)

// judge finds the reasons to hold a sheet, were nothing released. Each is judged by itself, so
// that a clerk sees all that is to be corrected at once. With a start or an end alone nothing is
// said about energy and price.
func (s *story) judge(v *sheet) {
	conflict, slight := s.conflict(*v)
	v.conflicted = slight
	if s.decided.cancelled {
		v.reasons = []string{HoldCancelled}
		return
	}
	is := map[string]bool{
		HoldNotEnded:    v.end == nil,
		HoldNoStart:     v.start == nil,
		HoldUnknownUser: s.decided.user == "" && unknownUser(s.userOf(*v)),
		HoldClockSkew:   s.skewed(*v),
		HoldDuplicate:   s.isCopy(*v),
		HoldConflict:    conflict,
	}
	if v.start != nil && v.end != nil {
		s.judgeEnded(*v, is)
	}
	for reason, holds := range is {
		if holds {
			v.reasons = append(v.reasons, reason)
		}
	}
	slices.Sort(v.reasons)
}

func (s *story) judgeEnded(v sheet, is map[string]bool) {
	is[HoldNegativeDuration] = v.end.AtMs < v.start.AtMs
	is[HoldOverlap] = s.overlapped(v)
	is[HoldRepeatedEnergy] = s.repeated(v)
	for _, reason := range v.energy.reasons {
		is[reason] = true
	}
	switch {
	case v.terms.tariff == nil:
		is[HoldNoTariff] = true
	case !v.energy.known || v.end.AtMs < v.start.AtMs: // nothing is priced
	case !s.supported(v):
		is[HoldTariffUnsupported] = true
	default:
		if p, ok := s.priceUnheld(v); ok {
			is[HoldVATUnknown] = p.vatUnknown
		}
	}
	for _, reason := range s.signedReasons(v) {
		is[reason] = true
	}
}

// unknownUser looks at an identifier, so blanks around it say nothing.
func unknownUser(user string) bool {
	user = strings.TrimSpace(user)
	return strings.Trim(user, "0") == "" || slices.Contains(
		[]string{"unknown", "anonymous", "none", "null", "n/a"}, strings.ToLower(user))
}

// skewed looks at all starts and ends that are known. Where one is corrected they are not the
// station's any more; the others stay in doubt.
func (s *story) skewed(v sheet) bool {
	if s.rules.flaw == flawSkewIgnored {
		return false
	}
	start := slices.ContainsFunc(v.known.starts, func(c StartFact) bool {
		return c.AtMs-c.ArrivalMs > skewMs
	})
	end := slices.ContainsFunc(v.known.ends, func(c EndFact) bool {
		return c.AtMs-c.ArrivalMs > skewMs
	})
	return start && s.decided.startMs == 0 || end && s.decided.endMs == 0
}

// conflict reports whether the known starts or ends contradict the first, and whether it is only
// that ends differ by too little to hold the bill. A corrected start ends the doubt about starts, a
// corrected end that about ends. An end without a connector contradicts none.
func (s *story) conflict(v sheet) (holds, slight bool) {
	holds = s.decided.startMs == 0 && len(v.known.starts) > 1
	slight = len(v.known.starts) < 2 && len(v.known.ends) > 1
	for _, end := range v.known.ends {
		if contradict(v.known.ends[0], end) {
			holds, slight = holds || s.decided.endMs == 0, false
		}
	}
	return holds, slight
}

func contradict(a, b EndFact) bool {
	apart := a.AtMs - b.AtMs
	return compareNumbers(a.EnergyWh, b.EnergyWh) != 0 ||
		compareNumbers(a.MeterWh, b.MeterWh) != 0 ||
		max(apart, -apart) > minuteMs ||
		a.Connector != "" && b.Connector != "" && a.Connector != b.Connector
}

// neighbour is a session as the connector's windows see it: as told, without corrections.
type neighbour struct {
	id    string
	start StartFact
	end   *EndFact
}

func (s *story) neighbours(v sheet) []neighbour {
	var all []neighbour
	for _, o := range v.known.others {
		if len(o.Starts) == 0 {
			continue
		}
		n := neighbour{id: o.ID, start: o.Starts[0]}
		if len(o.Ends) > 0 {
			n.end = &o.Ends[0]
		}
		all = append(all, n)
	}
	return all
}

// copyOf reports whether a was told before under b's id: by the arrival of the starts, then by id.
func (b billing) copyOf(a, other neighbour) bool {
	same := a.id != other.id && a.start.AtMs == other.start.AtMs &&
		cmp.Or(a.start.Connector, "1") == cmp.Or(other.start.Connector, "1")
	return same && (b.flaw == flawCopyBothHeld ||
		cmp.Or(cmp.Compare(other.start.ArrivalMs, a.start.ArrivalMs),
			cmp.Compare(other.id, a.id)) < 0)
}

// isCopy looks at the start as it was told: a correction of it does not make two sessions of one.
func (s *story) isCopy(v sheet) bool {
	if len(v.known.starts) == 0 {
		return false
	}
	own := neighbour{id: s.facts.Session, start: v.known.starts[0]}
	return slices.ContainsFunc(s.neighbours(v), func(o neighbour) bool {
		return s.rules.copyOf(own, o)
	})
}

// overlapped reports whether another session that is due shares time on the connector. One that has
// no end takes no known time. The own times are those of the bill, corrections included.
func (s *story) overlapped(v sheet) bool {
	if s.isCopy(v) {
		return false
	}
	all := s.neighbours(v)
	own := neighbour{id: s.facts.Session, start: *v.start}
	if len(v.known.starts) > 0 {
		own.start = v.known.starts[0]
	}
	for _, o := range all {
		if o.end == nil || cmp.Or(o.start.Connector, "1") != s.connectorOf(v) ||
			o.end.AtMs+graceMs > v.known.atMs {
			continue
		}
		copied := slices.ContainsFunc(append(all, own), func(third neighbour) bool {
			return s.rules.copyOf(o, third)
		})
		from, to := max(v.start.AtMs, o.start.AtMs), min(v.end.AtMs, o.end.AtMs)
		if (!copied || s.rules.flaw == flawOverlapCopies) && from < to {
			return true
		}
	}
	return false
}
