package oracle

import (
	"cmp"
	"slices"
	"strings"
)

// carriedMinutes is for how long a minute's answer holds for minutes without power samples.
const carriedMinutes = 15

// parking are the spans in which the vehicle parks, in order. What a status or a sample says
// changes at whole minutes and at reports only, so each piece between two of those is judged once.
func (s *story) parking(v sheet) []span {
	from, to := v.start.AtMs, v.end.AtMs
	if to <= from {
		return nil
	}
	reports := s.reports(v)
	minutes := s.minutes(v)
	cuts := []int64{from, to}
	for ms := from - from%minuteMs + minuteMs; ms < to; ms += minuteMs {
		cuts = append(cuts, ms)
	}
	for _, r := range reports {
		cuts = append(cuts, r.AtMs)
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	var spans []span
	for i := 1; i < len(cuts); i++ {
		if !s.parks(v, cuts[i-1], reports, minutes) {
			continue
		}
		if n := len(spans); n > 0 && spans[n-1].to == cuts[i-1] {
			spans[n-1].to = cuts[i]
		} else {
			spans = append(spans, span{cuts[i-1], cuts[i]})
		}
	}
	return spans
}

// reports are those of the session's connector from its start on, before its end.
func (s *story) reports(v sheet) []StatusFact {
	return slices.DeleteFunc(slices.Clone(v.known.statuses), func(r StatusFact) bool {
		return cmp.Or(r.Connector, "1") != s.connectorOf(v) || r.AtMs < v.start.AtMs ||
			r.AtMs >= v.end.AtMs
	})
}

// minutes are those wholly within the session that have power samples, and whether all samples of a
// minute are below 100 W.
func (s *story) minutes(v sheet) map[int64]bool {
	idle := map[int64]bool{}
	for _, m := range s.own(v) {
		minute := m.AtMs / minuteMs
		if m.PowerW == nil || !v.hasMinute(minute) {
			continue
		}
		before, seen := idle[minute]
		idle[minute] = *m.PowerW < sampledW && (before || !seen)
	}
	return idle
}

// parks judges the moment at ms. A word of no standard, and one that says that no vehicle is
// there, does not tell; the samples do. The samples go before the word in a minute that is whole:
// within the session, and of one word.
func (s *story) parks(v sheet, ms int64, reports []StatusFact, idle map[int64]bool) bool {
	minute := ms / minuteMs
	begin, end := minute*minuteMs, (minute+1)*minuteMs
	word, whole := "", v.hasMinute(minute)
	for _, r := range reports {
		if r.AtMs <= ms {
			word = strings.ToLower(r.Word)
		}
		whole = whole && (r.AtMs <= begin || end <= r.AtMs)
	}
	quiet, sampled := idle[minute]
	if whole && sampled && !quiet && s.rules.flaw != flawWordOnly {
		return false
	}
	switch word {
	case "suspendedev", "finishing":
		return true
	case "suspendedevse":
		return s.rules.flaw == flawEVSEParks
	case "charging", "preparing", "evconnected", "faulted", "unavailable":
		return false
	}
	for back := int64(0); back <= carriedMinutes; back++ {
		if quiet, sampled := idle[minute-back]; sampled {
			return quiet
		}
		if s.rules.flaw == flawNoCarry {
			break
		}
	}
	return false
}

func lengthOf(spans []span) int64 {
	var ms int64
	for _, p := range spans {
		ms += p.to - p.from
	}
	return ms
}
