package oracle

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"chargestream/internal/seeded"
)

const (
	billCases      = 150 // random sessions of each property
	billCasesReach = 600 // of those that want each oddity, always the same
)

// billSeeds are the seeds of one run, of which the first is printed.
func billSeeds(t *testing.T) []uint64 {
	t.Helper()
	first := seeded.Seed(t)
	seeds := make([]uint64, billCases)
	for i := range seeds {
		seeds[i] = first + uint64(i)
	}
	return seeds
}

// mixed are the same facts in another order, some of them twice: again at the same moment, or
// later, as a repeat that says the same.
func mixed(f Facts, rng *rand.Rand) Facts {
	session := func(atMs, arrivalMs int64) bool { return believed(atMs, arrivalMs, sessionsKept) }
	starts := func(all []StartFact) []StartFact {
		return mixedFacts(rng, all, func(s *StartFact) (*int64, bool) {
			return &s.ArrivalMs, session(s.at(), s.ArrivalMs)
		})
	}
	ends := func(all []EndFact) []EndFact {
		return mixedFacts(rng, all, func(e *EndFact) (*int64, bool) {
			return &e.ArrivalMs, session(e.at(), e.ArrivalMs)
		})
	}
	f.Starts, f.Ends = starts(f.Starts), ends(f.Ends)
	f.Samples = mixedFacts(rng, f.Samples, func(m *SampleFact) (*int64, bool) {
		return &m.ArrivalMs, session(m.AtMs, m.ArrivalMs)
	})
	f.Statuses = mixedFacts(rng, f.Statuses, func(s *StatusFact) (*int64, bool) {
		return &s.ArrivalMs, session(s.AtMs, s.ArrivalMs)
	})
	f.Decisions = mixedFacts(rng, f.Decisions, func(d *DecisionFact) (*int64, bool) {
		return &d.ArrivalMs, true
	})
	f.Others = slices.Clone(f.Others)
	for i, o := range f.Others {
		f.Others[i].Starts, f.Others[i].Ends = starts(o.Starts), ends(o.Ends)
	}
	f.Registry, f.Tariffs = slices.Clone(f.Registry), slices.Clone(f.Tariffs)
	rng.Shuffle(len(f.Registry), func(i, j int) {
		f.Registry[i], f.Registry[j] = f.Registry[j], f.Registry[i]
	})
	rng.Shuffle(len(f.Tariffs), func(i, j int) {
		f.Tariffs[i], f.Tariffs[j] = f.Tariffs[j], f.Tariffs[i]
	})
	return f
}

// mixedFacts gets from arrival where the arrival is kept, and whether the fact may be told again
// later: of one that arrived too soon to be a fact, that would be the first to count.
func mixedFacts[T any](rng *rand.Rand, facts []T, arrival func(*T) (*int64, bool)) []T {
	var out []T
	for _, fact := range facts {
		out = append(out, fact)
		for chance(rng, 30) {
			again := fact
			if ms, ok := arrival(&again); ok {
				*ms += int64(rng.IntN(2)) * rng.Int64N(20*hourMs)
			}
			out = append(out, again)
		}
	}
	rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func TestHistoryInAnyOrder(t *testing.T) {
	for _, seed := range billSeeds(t) {
		f := RandomFacts(seed)
		documents, alarms := Story(f)
		rng := rand.New(rand.NewPCG(seed, 2))
		again, rung := Story(mixed(f, rng))
		for _, d := range slices.Concat(DiffDocuments(documents, again), DiffAlarms(alarms, rung)) {
			t.Errorf("seed %d: %s", seed, d)
		}
	}
}

// TestHistoryGrows: what was sent by a moment is the begin of what is sent by a later one.
func TestHistoryGrows(t *testing.T) {
	for _, seed := range billSeeds(t) {
		f := RandomFacts(seed)
		whole := History(f)
		for _, d := range whole {
			f.UntilMs = d.IssuedAtMs
			n := len(History(f))
			for _, diff := range DiffDocuments(whole[:n], History(f)) {
				t.Errorf("seed %d, by %d: %s", seed, d.IssuedAtMs, diff)
			}
			f.UntilMs--
			if before := len(History(f)); before >= n || whole[before].IssuedAtMs != d.IssuedAtMs {
				t.Errorf("seed %d: %d documents before %d, %d at it", seed, before, d.IssuedAtMs, n)
			}
		}
	}
}

// TestHistoryHolds checks what is true of every list.
func TestHistoryHolds(t *testing.T) {
	for _, seed := range billSeeds(t) {
		documents, alarms := Story(RandomFacts(seed))
		if err := checkHistory(documents); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		if err := checkAlarms(documents, alarms); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

func checkHistory(documents []Document) error {
	live, sum := map[int]bool{}, map[string]int64{}
	for i, d := range documents {
		if err := checkDocument(d); err != nil {
			return fmt.Errorf("document %d: %w", i, err)
		}
		sum["excl"], sum["vat"] = sum["excl"]+d.Excl, sum["vat"]+d.VAT
		sum["incl"] += d.Incl
		if !d.Credit {
			live[i] = true
			continue
		}
		if !live[d.Credits] {
			return fmt.Errorf("document %d credits what is not live", i)
		}
		delete(live, d.Credits)
		if i+1 == len(documents) || documents[i+1].Credit ||
			documents[i+1].IssuedAtMs != d.IssuedAtMs ||
			documents[i+1].Revision != d.Revision+1 {
			return fmt.Errorf("document %d: no next revision follows", i)
		}
	}
	if len(documents) == 0 {
		return nil
	}
	last := documents[len(documents)-1]
	if len(live) != 1 || !live[len(documents)-1] {
		return fmt.Errorf("live are %v of %d", live, len(documents))
	}
	for name, want := range map[string]int64{
		"excl": last.Excl, "vat": last.VAT, "incl": last.Incl,
	} {
		if sum[name] != want {
			return fmt.Errorf("%s adds up to %d, the live one has %d", name, sum[name], want)
		}
	}
	return nil
}

// checkDocument checks that a document adds up and is nowhere of the wrong sign.
func checkDocument(d Document) error {
	sign := int64(1)
	if d.Credit {
		sign = -1
	}
	var excl, vat, incl int64
	byRate := map[string]int64{}
	for _, l := range d.Lines {
		excl, vat, incl = excl+l.Excl, vat+l.VAT, incl+l.Incl
		byRate[l.VATPercent] += l.Incl
		if sign*l.Excl < 0 || sign*l.VAT < 0 || sign*l.Quantity < sign*l.Measured ||
			sign*l.Measured < 0 {
			return fmt.Errorf("line %+v", l)
		}
	}
	for _, g := range d.Groups {
		if g.Excl+g.VAT != g.Incl || byRate[g.VATPercent] != g.Incl {
			return fmt.Errorf("group %+v has lines of %d", g, byRate[g.VATPercent])
		}
	}
	if !d.Bounded && (excl != d.Excl || vat != d.VAT || incl != d.Incl) {
		return fmt.Errorf("lines of %d, %d and %d: %+v", excl, vat, incl, d)
	}
	switch {
	case d.Excl+d.VAT != d.Incl:
		return fmt.Errorf("%d and %d are not %d", d.Excl, d.VAT, d.Incl)
	case sign*d.Excl < 0 || sign*d.VAT < 0 || d.EnergyWh < 0 || d.ParkingS < 0:
		return fmt.Errorf("wrong sign: %+v", d)
	case d.ParkingS != 0 && d.ParkingS > d.DurationS:
		return fmt.Errorf("parks %d of %d s", d.ParkingS, d.DurationS)
	case !d.Held && len(d.Lines) == 0 && d.EnergyWh+d.ParkingS != 0:
		return fmt.Errorf("issued without lines: %+v", d)
	case d.Held != (len(d.Reasons) > 0) || !slices.IsSorted(d.Reasons):
		return fmt.Errorf("held %v for %v", d.Held, d.Reasons)
	}
	return nil
}

// checkAlarms checks that at each document the open anomalies that hold are its reasons.
func checkAlarms(documents []Document, alarms []Alarm) error {
	for i, d := range documents {
		if d.Credit {
			continue
		}
		var open []string
		for _, a := range alarms {
			if a.OpenedMs <= d.IssuedAtMs && (a.ClosedMs == 0 || a.ClosedMs > d.IssuedAtMs) &&
				a.Kind != KindMeterGlitch && (a.Hold || slices.Contains(d.Reasons, a.Kind)) {
				open = append(open, a.Kind)
			}
		}
		slices.Sort(open)
		for _, r := range d.Reasons {
			if r != HoldCancelled && !slices.Contains(open, r) {
				return fmt.Errorf("document %d: open are %v, want %v", i, open, d.Reasons)
			}
		}
	}
	return nil
}

// TestMoreEnergyCostsMore: by a tariff without bounds in energy, the price never falls with it.
func TestMoreEnergyCostsMore(t *testing.T) {
	var before int64
	for wh := int64(0); wh <= 20_000; wh += 37 {
		f := plainFacts()
		f.Ends[0].EnergyWh = number64(wh)
		f.Statuses = []StatusFact{report("12:40", "SuspendedEV")}
		documents := History(f)
		d := documents[len(documents)-1]
		if d.Incl < before {
			t.Fatalf("%d Wh cost %d, less cost %d", wh, d.Incl, before)
		}
		if exact := wh * 30 * 120; (d.Incl-240)*100_000-exact > 100_000 ||
			(d.Incl-240)*100_000-exact < -100_000 {
			t.Fatalf("%d Wh cost %d", wh, d.Incl)
		}
		before = d.Incl
	}
}

// TestParkingByTicks counts the parked seconds by asking at each of them.
func TestParkingByTicks(t *testing.T) {
	parked := 0
	for _, seed := range billSeeds(t) {
		s := billRules().begin(RandomFacts(seed))
		v, due := s.sheet(s.rules.sceneAt(s.facts, 1<<50))
		if !due || v.start == nil || v.end == nil {
			continue
		}
		reports, minutes := s.reports(v), s.minutes(v)
		var n int64
		for ms := v.start.AtMs; ms < v.end.AtMs; ms += secondMs {
			if s.parks(v, ms, reports, minutes) {
				n++
			}
		}
		if d := s.document(v); d.ParkingS != n {
			t.Errorf("seed %d: parks %d s, ticked %d", seed, d.ParkingS, n)
		} else if n > 0 {
			parked++
		}
	}
	if parked < billCases/10 {
		t.Errorf("only %d sessions park", parked)
	}
}

// TestRandomFactsReach: every reason comes up, and every way in which a bill changes.
func TestRandomFactsReach(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(billCasesReach) {
		f := RandomFacts(seed)
		documents, alarms := Story(f)
		for _, d := range documents {
			if d.Credit {
				continue
			}
			for _, r := range d.Reasons {
				seen[r]++
			}
			if !d.Held {
				seen["issued"]++
			}
			seen[fmt.Sprint("revision ", min(d.Revision, 4))]++
			if d.Bounded {
				seen["bounded"]++
			}
			if d.ParkingS > 0 && !d.Held {
				seen["parking issued"]++
			}
			if len(d.Groups) > 1 {
				seen["two rates"]++
			}
		}
		for _, a := range alarms {
			if !a.Hold {
				seen["info: "+a.Kind]++
			}
			if a.ClosedMs != 0 {
				seen["closed"]++
			}
		}
	}
	for _, name := range []string{HoldClockSkew, HoldConflict, HoldDuplicate, HoldEstimated,
		HoldLifetimeRegister, HoldMeterRegression, HoldNegativeEnergy, HoldOverPower,
		HoldUnitMismatch, HoldNegativeDuration, HoldNoEnergy, HoldNoTariff, HoldTariffUnsupported,
		HoldVATUnknown, HoldOverlap, HoldNotEnded, HoldNoStart, HoldUnknownUser, HoldSignedMissing,
		HoldSignedInvalid, HoldSignedMismatch, HoldSignedUnverified, HoldEnergyMismatch,
		HoldRepeatedEnergy, HoldCancelled, "issued", "revision 2", "revision 3", "revision 4",
		"bounded", "parking issued", "two rates", "info: " + KindMeterGlitch,
		"info: " + HoldConflict, "closed"} {
		if seen[name] == 0 {
			t.Errorf("%s never comes up", name)
		}
	}
	t.Log(seen)
}

// TestRandomFactsRepeat: a seed gives the same facts, and another one others.
func TestRandomFactsRepeat(t *testing.T) {
	text := func(seed uint64) string {
		b, err := json.Marshal(RandomFacts(seed))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for seed := range uint64(20) {
		if text(seed) != text(seed) || text(seed) == text(seed+1) {
			t.Errorf("seed %d", seed)
		}
	}
}

// TestStepsAreFineEnough prices by the second what is priced in larger steps.
func TestStepsAreFineEnough(t *testing.T) {
	for seed := range uint64(40) {
		s := billRules().begin(RandomFacts(seed))
		v, due := s.sheet(s.rules.sceneAt(s.facts, 1<<50))
		if !due || v.start == nil || v.end == nil {
			continue
		}
		p, ok := s.priceUnheld(v)
		if !ok || v.end.AtMs == v.start.AtMs {
			continue
		}
		tariff := v.terms.tariff
		got, err := PriceUsage(tariff.JSON, s.usage(v), digitsOf(s.read(tariff).Currency))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if minorOf(got.Excl) != p.excl || minorOf(got.Incl) != p.incl {
			t.Errorf("seed %d: %s and %s by the second, want %d and %d", seed, got.Excl, got.Incl,
				p.excl, p.incl)
		}
	}
}
