package oracle

import "slices"

// ruling is what the decisions up to a moment come to.
type ruling struct {
	named          []string // ids
	energy         *int64
	startMs, endMs int64 // zero where they are as told
	startBy, endBy int64 // the arrivals of the decisions that set them
	user           string
	tariff         string // of a correction; a reprice after it ends it
	repriceBy      int64  // the arrival of the decision
	cancelled      bool
	released       map[string]bool // that hold no longer, for as long as they do not go away
}

// decide takes a decision. A release looks at the reasons that hold right before it, with the
// decisions before it in place; where no document is due then, it releases nothing.
func (s *story) decide(d DecisionFact, known scene) {
	r := &s.decided
	if slices.Contains(r.named, d.ID) {
		return // the same id is the same decision
	}
	switch d.Action {
	case ActRelease:
		if v, due := s.sheet(known); due {
			s.release(d, v.reasons)
		}
	case ActCorrect:
		r.correct(d)
	case ActCancel:
		r.cancelled = true
	case ActReprice:
		r.cancelled, r.tariff, r.repriceBy = false, "", d.ArrivalMs
		s.seal = seal{}
	}
	r.named = append(r.named, d.ID)
}

func (s *story) release(d DecisionFact, reasons []string) {
	if s.decided.released == nil {
		s.decided.released = map[string]bool{}
	}
	for _, reason := range reasons {
		named := len(d.Holds) == 0 || slices.Contains(d.Holds, reason)
		if named && releasable(reason) {
			s.decided.released[reason] = true
		}
	}
}

// forget lets a released reason hold again once it went away.
func (s *story) forget(known scene) {
	if len(s.decided.released) == 0 || s.rules.flaw == flawReleaseForGood {
		return
	}
	v, _ := s.sheet(known)
	for reason := range s.decided.released {
		if !slices.Contains(v.reasons, reason) {
			delete(s.decided.released, reason)
		}
	}
}

func releasable(reason string) bool {
	return !slices.Contains([]string{HoldNotEnded, HoldNoStart, HoldNoEnergy, HoldNegativeEnergy,
		HoldNegativeDuration, HoldNoTariff, HoldTariffUnsupported, HoldUnknownUser,
		HoldCancelled}, reason)
}

// correct sets what the decision names; what earlier ones set stays.
func (r *ruling) correct(d DecisionFact) {
	r.cancelled = false
	if d.EnergyWh != nil {
		r.energy = d.EnergyWh
	}
	if d.StartMs != 0 {
		r.startMs, r.startBy = d.StartMs, d.ArrivalMs
	}
	if d.EndMs != 0 {
		r.endMs, r.endBy = d.EndMs, d.ArrivalMs
	}
	if d.User != "" {
		r.user = d.User
	}
	if d.Tariff != "" {
		r.tariff = d.Tariff
	}
}

// start is the start that counts, with its time corrected; what else it told stays. A decision
// about a session of which nothing was told sets nothing.
func (r *ruling) start(known scene) *StartFact {
	var s StartFact
	switch {
	case len(known.starts) > 0:
		s = known.starts[0]
	case r.startMs == 0 || len(known.ends) == 0:
		return nil
	default:
		s.ArrivalMs, s.Connector = r.startBy, known.ends[0].Connector
	}
	if r.startMs != 0 {
		s.AtMs = r.startMs
	}
	return &s
}

func (r *ruling) end(known scene) *EndFact {
	var e EndFact
	switch {
	case len(known.ends) > 0:
		e = known.ends[0]
	case r.endMs == 0 || len(known.starts) == 0:
		return nil
	default:
		e.ArrivalMs = r.endBy
	}
	if r.endMs != 0 {
		e.AtMs = r.endMs
	}
	return &e
}

// holding are those of the reasons that were not released.
func (r *ruling) holding(reasons []string) []string {
	var out []string
	for _, reason := range reasons {
		if !r.released[reason] {
			out = append(out, reason)
		}
	}
	return out
}
