package oracle

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	minuteMs  = 60 * secondMs
	quarterMs = 15 * minuteMs

	sessionsKept = 400 * dayMs
	samplesKept  = 30 * dayMs
	statusesKept = 7 * dayMs
)

// billing are the rules of a session's bill; flaw names the one that a test breaks.
type billing struct{ flaw string }

func billRules() billing { return billing{} }

// Flaws that the tests plant.
const (
	flawLateIgnored    = "a fact that came late is ignored"
	flawLateAtOnce     = "a fact that came late is known at once"
	flawLastArrival    = "equal facts keep their last arrival"
	flawLastCounts     = "the last of different facts counts"
	flawLineRounding   = "every line is rounded by itself"
	flawVATOfRounded   = "the VAT is that of the rounded amount"
	flawNeverSealed    = "later tariffs change the bill"
	flawFirstTariff    = "the first version counts"
	flawWordOnly       = "a status word is believed whatever the meter says"
	flawNoCarry        = "a minute without samples does not park"
	flawEVSEParks      = "SuspendedEVSE parks"
	flawRegisterFirst  = "registers go before the energy that is told"
	flawLastLessFirst  = "a register that fell is subtracted all the same"
	flawNoClamp        = "readings are not brought into their range"
	flawAllSamples     = "samples after the end count"
	flawCopyBothHeld   = "both of two copies are held"
	flawOverlapCopies  = "a copy overlaps, too"
	flawReleaseForGood = "a reason that was released never holds again"
	flawNoNegation     = "a credit note has the amounts of the bill"
	flawSkewIgnored    = "clocks may be ahead"
	flawUTC            = "the clock of the charger is universal time"
	flawContext        = "readings of the begin and the end are like all others"
	flawReferenceLost  = "reference data that comes late waits for the next fact"
	flawCaseTold       = "a user in another case is another user"
	flawRepeatBilled   = "energy that repeats that of the session before is billed"
	flawUnnamedLost    = "samples that name no session are lost"
)

// knownFrom is the moment from which a fact is known.
func (b billing) knownFrom(atMs, arrivalMs int64) int64 {
	if arrivalMs <= atMs+graceMs {
		return atMs + graceMs
	}
	switch b.flaw {
	case flawLateAtOnce:
		return arrivalMs
	case flawLateIgnored:
		return 1 << 60
	}
	return ceilTo(arrivalMs, quarterMs)
}

// sampleKnown is the moment from which a sample is known. A reading of the begin or the end has a
// minute less of grace, so that one from behind the end is known with the end.
func (b billing) sampleKnown(m SampleFact) int64 {
	if !m.timely() {
		return b.knownFrom(m.AtMs, max(m.ArrivalMs, m.AtMs+graceMs+1)) // late in any case
	}
	return m.AtMs + m.graceMs()
}

func (m SampleFact) timely() bool { return m.ArrivalMs <= m.AtMs+m.graceMs() }

func (m SampleFact) graceMs() int64 {
	edge := strings.EqualFold(m.Context, "Transaction.Begin") ||
		strings.EqualFold(m.Context, "Transaction.End")
	if edge && m.RegisterWh != nil {
		return graceMs - minuteMs
	}
	return graceMs
}

// ceilTo is ms, or the next multiple of span after it.
func ceilTo(ms, span int64) int64 {
	if rest := ms % span; rest != 0 {
		return ms - rest + span
	}
	return ms
}

// believed reports whether a fact is no dead letter. The year 1970 counts whole as no time.
func believed(atMs, arrivalMs, keptMs int64) bool {
	return time.UnixMilli(atMs).UTC().Year() > 1970 &&
		arrivalMs-atMs <= keptMs && atMs-arrivalMs <= dayMs
}

// at is the event time of the fact as a whole: a record is one fact, so that its start does not
// become late by waiting for its end.
func (s StartFact) at() int64 { return cmp.Or(s.RecordMs, s.AtMs) }

func (e EndFact) at() int64 { return cmp.Or(e.RecordMs, e.AtMs) }

// contentOf is all that a fact tells, as a text.
func contentOf(fact any) string {
	text, err := json.Marshal(fact)
	if err != nil {
		panic(fmt.Sprintf("content: %v", err)) // plain fields only
	}
	return string(text)
}

// distinct are the facts that are no dead letters, each once with its earliest arrival, the first
// to arrive first and the smaller content of equals.
func distinct[T any](
	b billing, all []T, arrival func(*T) *int64, ok func(T) bool,
) []T {
	type told struct {
		fact    T
		content string
	}
	index := map[string]int{}
	var kept []told
	for _, fact := range all {
		if !ok(fact) {
			continue
		}
		bare := fact
		*arrival(&bare) = 0
		content := contentOf(bare)
		i, found := index[content]
		if !found {
			index[content] = len(kept)
			kept = append(kept, told{fact, content})
			continue
		}
		own, other := arrival(&kept[i].fact), *arrival(&fact)
		if b.flaw == flawLastArrival {
			*own = max(*own, other)
		} else {
			*own = min(*own, other)
		}
	}
	slices.SortFunc(kept, func(x, y told) int {
		return cmp.Or(cmp.Compare(*arrival(&x.fact), *arrival(&y.fact)),
			cmp.Compare(x.content, y.content))
	})
	if b.flaw == flawLastCounts {
		slices.Reverse(kept)
	}
	facts := make([]T, 0, len(kept))
	for _, k := range kept {
		facts = append(facts, k.fact)
	}
	return facts
}

// distinctStarts takes users that are written in another case for one, who is called as the first
// start to arrive has it. A dead letter names nobody.
func (b billing) distinctStarts(all []StartFact) []StartFact {
	all = slices.DeleteFunc(slices.Clone(all), func(s StartFact) bool {
		return !believed(s.at(), s.ArrivalMs, sessionsKept)
	})
	slices.SortStableFunc(all, func(x, y StartFact) int {
		return cmp.Or(cmp.Compare(x.ArrivalMs, y.ArrivalMs), cmp.Compare(x.User, y.User))
	})
	names := map[string]string{}
	for i := range all {
		if b.flaw == flawCaseTold {
			all[i].User = strings.TrimSpace(all[i].User)
			continue
		}
		user := strings.ToLower(strings.TrimSpace(all[i].User))
		bare := all[i]
		bare.User, bare.ArrivalMs = user, 0
		content := contentOf(bare)
		if _, ok := names[content]; !ok {
			names[content] = strings.TrimSpace(all[i].User)
		}
		all[i].User = names[content]
	}
	return distinct(b, all, func(s *StartFact) *int64 { return &s.ArrivalMs },
		func(StartFact) bool { return true })
}

func (b billing) distinctEnds(all []EndFact) []EndFact {
	return distinct(b, all, func(e *EndFact) *int64 { return &e.ArrivalMs },
		func(e EndFact) bool { return believed(e.at(), e.ArrivalMs, sessionsKept) })
}

// accepted are the facts that became facts at all, in the order in which they count.
func (b billing) accepted(f Facts) Facts {
	f.Starts, f.Ends = b.distinctStarts(f.Starts), b.distinctEnds(f.Ends)
	f.Samples = distinct(b, f.Samples, func(s *SampleFact) *int64 { return &s.ArrivalMs },
		func(s SampleFact) bool { return believed(s.AtMs, s.ArrivalMs, samplesKept) })
	slices.SortStableFunc(f.Samples, func(x, y SampleFact) int {
		return cmp.Or(cmp.Compare(x.AtMs, y.AtMs), compareNumbers(x.RegisterWh, y.RegisterWh))
	})
	f.Statuses = distinct(b, f.Statuses, func(s *StatusFact) *int64 { return &s.ArrivalMs },
		func(s StatusFact) bool { return believed(s.AtMs, s.ArrivalMs, statusesKept) })
	slices.SortStableFunc(f.Statuses, func(x, y StatusFact) int {
		return cmp.Compare(x.AtMs, y.AtMs)
	})
	others := make([]OtherSession, 0, len(f.Others))
	for _, o := range f.Others {
		o.Starts, o.Ends = b.distinctStarts(o.Starts), b.distinctEnds(o.Ends)
		others = append(others, o)
	}
	f.Others = others
	f.Decisions = distinct(
		billRules(),
		f.Decisions,
		func(d *DecisionFact) *int64 { return &d.ArrivalMs },
		func(DecisionFact) bool { return true },
	)
	slices.SortStableFunc(f.Decisions, func(x, y DecisionFact) int {
		return cmp.Or(cmp.Compare(x.ArrivalMs, y.ArrivalMs), cmp.Compare(x.ID, y.ID))
	})
	f.Registry, f.Tariffs = slices.Clone(f.Registry), slices.Clone(f.Tariffs)
	slices.SortStableFunc(f.Registry, func(x, y RegistryFact) int {
		return cmp.Compare(x.ArrivalMs, y.ArrivalMs)
	})
	slices.SortStableFunc(f.Tariffs, func(x, y TariffFact) int {
		return cmp.Compare(x.ArrivalMs, y.ArrivalMs)
	})
	return f
}

func compareNumbers(x, y *int64) int {
	if x == nil || y == nil {
		return cmp.Compare(btoi(x != nil), btoi(y != nil))
	}
	return cmp.Compare(*x, *y)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// scene is what is known at a moment. Starts and ends are in the order in which they count,
// samples and status reports by time.
type scene struct {
	atMs     int64
	starts   []StartFact
	ends     []EndFact
	samples  []SampleFact
	statuses []StatusFact
	others   []OtherSession
	// startArrived and endArrived tell that one came, known or not: it is waited for.
	startArrived, endArrived bool
}

func (b billing) sceneAt(f Facts, atMs int64) scene {
	s := scene{atMs: atMs, starts: b.knownStarts(f.Starts, atMs), ends: b.knownEnds(f.Ends, atMs)}
	s.startArrived = slices.ContainsFunc(f.Starts, func(c StartFact) bool {
		return c.ArrivalMs <= atMs
	})
	s.endArrived = slices.ContainsFunc(f.Ends, func(c EndFact) bool { return c.ArrivalMs <= atMs })
	for _, v := range f.Samples {
		if b.sampleKnown(v) <= atMs {
			s.samples = append(s.samples, v)
		}
	}
	for _, v := range f.Statuses {
		if b.knownFrom(v.AtMs, v.ArrivalMs) <= atMs {
			s.statuses = append(s.statuses, v)
		}
	}
	for _, o := range f.Others {
		s.others = append(s.others, OtherSession{ID: o.ID,
			Starts: b.knownStarts(o.Starts, atMs), Ends: b.knownEnds(o.Ends, atMs)})
	}
	return s
}

func (b billing) knownStarts(all []StartFact, atMs int64) []StartFact {
	var known []StartFact
	for _, s := range all {
		if b.knownFrom(s.at(), s.ArrivalMs) <= atMs {
			known = append(known, s)
		}
	}
	return known
}

func (b billing) knownEnds(all []EndFact, atMs int64) []EndFact {
	var known []EndFact
	for _, e := range all {
		if b.knownFrom(e.at(), e.ArrivalMs) <= atMs {
			known = append(known, e)
		}
	}
	return known
}

// moments are all at which a document may change, in order. That a session is overdue, or an end
// without its start, is one only where what is missed has not arrived by then.
func (b billing) moments(f Facts) []int64 {
	var all []int64
	for _, s := range f.Starts {
		all = append(all, b.knownFrom(s.at(), s.ArrivalMs))
		overdue := max(s.AtMs+dayMs, s.ArrivalMs+graceMs)
		if !slices.ContainsFunc(f.Ends, func(e EndFact) bool { return e.ArrivalMs <= overdue }) {
			all = append(all, overdue)
		}
	}
	for _, e := range f.Ends {
		all = append(all, b.knownFrom(e.at(), e.ArrivalMs), e.AtMs+graceMs)
		orphan := max(e.AtMs, e.ArrivalMs) + graceMs
		if !slices.ContainsFunc(f.Starts, func(s StartFact) bool { return s.ArrivalMs <= orphan }) {
			all = append(all, orphan)
		}
	}
	for _, d := range f.Decisions {
		all = append(all, d.ArrivalMs)
		if d.StartMs != 0 {
			all = append(all, d.StartMs+dayMs)
		}
		if d.EndMs != 0 {
			all = append(all, d.EndMs+graceMs)
		}
	}
	all = append(all, b.surroundings(f)...)
	slices.Sort(all)
	all = slices.Compact(all)
	return slices.DeleteFunc(all, func(ms int64) bool {
		return ms >= 1<<60 || f.UntilMs != 0 && ms > f.UntilMs
	})
}

// surroundings are the moments of samples, reports and other sessions: such as come once an end is
// known.
func (b billing) surroundings(f Facts) []int64 {
	ended := int64(1 << 60)
	for _, e := range f.Ends {
		ended = min(ended, b.knownFrom(e.at(), e.ArrivalMs))
	}
	for _, d := range f.Decisions {
		if d.EndMs != 0 {
			ended = min(ended, d.ArrivalMs)
		}
	}
	var all []int64
	for _, s := range f.Samples {
		all = append(all, b.sampleKnown(s))
	}
	for _, s := range f.Statuses {
		all = append(all, b.knownFrom(s.AtMs, s.ArrivalMs))
	}
	for _, o := range f.Others {
		for _, s := range o.Starts {
			all = append(all, b.knownFrom(s.at(), s.ArrivalMs))
		}
		for _, e := range o.Ends {
			all = append(all, b.knownFrom(e.at(), e.ArrivalMs), e.AtMs+graceMs)
		}
	}
	return slices.DeleteFunc(all, func(ms int64) bool { return ms <= ended })
}
