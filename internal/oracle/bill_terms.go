package oracle

import (
	"encoding/json"
	"fmt"
	"time"
)

// terms are the registry entry and the tariff that a document goes by; nil where there is none.
type terms struct {
	entry  *RegistryFact
	id     string
	tariff *TariffVersion
}

// seal is the moment by which reference data must be in effect, zero before it is known, and the
// tariff that a decision had chosen then.
type seal struct {
	atMs   int64
	chosen string
}

// termsAt are the terms with what is in effect: at the seal, else now. What is sealed is the
// knowledge of reference data; the version is chosen by the start that counts now. Without a start
// or an end only the entry is looked at, for the place and its clock: without a start by the end.
func (s *story) termsAt(v sheet) terms {
	if v.start == nil {
		return terms{entry: s.lookup(v.end.AtMs, v.known.atMs).entry}
	}
	atMs := v.known.atMs
	if s.sealed() && s.rules.flaw != flawNeverSealed {
		atMs = s.seal.atMs
	}
	if v.end == nil {
		return terms{entry: s.fromRegistry(v.start.AtMs, atMs).entry}
	}
	return s.lookup(v.start.AtMs, atMs)
}

// sealAt seals the terms of a document with start and end if some version is in force. A reprice
// that found none leaves them open, and later records count.
func (s *story) sealAt(v sheet) {
	if !s.sealed() && v.start != nil && v.end != nil &&
		s.lookup(v.start.AtMs, v.known.atMs).tariff != nil {
		s.seal = seal{v.known.atMs, s.decided.tariff}
	}
}

// sealed reports whether the terms are, by the tariff that is chosen now.
func (s *story) sealed() bool { return s.seal.atMs != 0 && s.seal.chosen == s.decided.tariff }

// lookup is fromRegistry, with a corrected tariff in place of the registry's: of the records in
// effect at the first document after the decision that finds a version.
func (s *story) lookup(startMs, atMs int64) terms {
	t := s.fromRegistry(startMs, atMs)
	if s.decided.tariff == "" {
		if t.tariff == nil {
			t = s.laterEntry(t, startMs, atMs)
		}
		return t
	}
	t.id = s.decided.tariff
	t.tariff = s.version(t.id, startMs, tariffsInEffect(atMs))
	return t
}

// laterEntry is the first entry that arrived behind the start, or the decision to reprice, and
// whose tariff was in force at the start; the terms as they are where there is none.
func (s *story) laterEntry(t terms, startMs, atMs int64) terms {
	for i := range s.facts.Registry {
		e := &s.facts.Registry[i]
		if e.ArrivalMs <= max(startMs, s.decided.repriceBy) || e.ArrivalMs > atMs {
			continue
		}
		replaced := i+1 < len(s.facts.Registry) &&
			s.facts.Registry[i+1].ArrivalMs == e.ArrivalMs
		if v := s.version(e.Tariff, startMs, tariffsInEffect(atMs)); v != nil && !replaced {
			return terms{entry: e, id: e.Tariff, tariff: v}
		}
	}
	return t
}

// nextReference is the first moment after one at which reference data takes effect for a session
// that waits for it: the end of the quarter hour in which it counts; zero for none.
func (s *story) nextReference(afterMs int64) int64 {
	next := int64(0)
	for _, e := range s.facts.Registry {
		if at := ceilTo(e.ArrivalMs, quarterMs); at > afterMs && (next == 0 || at < next) {
			next = at
		}
	}
	for _, t := range s.facts.Tariffs {
		at := ceilTo(t.ArrivalMs+tariffDelayMs, quarterMs)
		if at > afterMs && (next == 0 || at < next) {
			next = at
		}
	}
	return next
}

// fromRegistry looks a start up in what is in effect at a moment: the last entry that arrived by
// the start, else the first after it; after a reprice the last that was in effect at the decision.
// If what was in effect then has a version in force, nothing else is looked at; where an entry only
// comes later, the records of the decision still go first.
func (s *story) fromRegistry(startMs, atMs int64) terms {
	by := s.decided.repriceBy
	if by != 0 {
		if t := s.pick(startMs, by, by); t.tariff != nil {
			return t
		}
		t := s.pick(startMs, by, atMs)
		if v := s.version(t.id, startMs, tariffsInEffect(by)); v != nil {
			t.tariff = v
		}
		return t
	}
	return s.pick(startMs, startMs, atMs)
}

// tariffDelayMs is how long after its arrival a tariff counts. An entry of the registry counts at
// once.
const tariffDelayMs = 2 * minuteMs

// tariffsInEffect tells which records of tariffs count at a moment, by their arrivals.
func tariffsInEffect(atMs int64) func(int64) bool {
	return func(arrivalMs int64) bool { return arrivalMs+tariffDelayMs <= atMs }
}

func (s *story) pick(startMs, lastByMs, atMs int64) terms {
	var t terms
	for i := range s.facts.Registry {
		e := &s.facts.Registry[i]
		if e.ArrivalMs <= atMs && (t.entry == nil || e.ArrivalMs <= lastByMs) {
			t.entry = e
		}
	}
	if t.entry == nil {
		return t
	}
	t.id = t.entry.Tariff
	t.tariff = s.version(t.id, startMs, tariffsInEffect(atMs))
	return t
}

// version is the one in force at the start of the last record in effect; of versions of the same
// valid_from the last in the record.
func (s *story) version(id string, startMs int64, inEffect func(int64) bool) *TariffVersion {
	var record *TariffFact
	for i := range s.facts.Tariffs {
		if t := &s.facts.Tariffs[i]; t.ID == id && inEffect(t.ArrivalMs) {
			record = t
		}
	}
	if record == nil {
		return nil
	}
	var found *TariffVersion
	for i := range record.Versions {
		v := &record.Versions[i]
		if v.ValidFromMs > startMs {
			continue
		}
		first := s.rules.flaw == flawFirstTariff
		if found == nil || !first && v.ValidFromMs >= found.ValidFromMs {
			found = v
		}
	}
	return found
}

// ratingW is what the connector can deliver: by the entry, else by its type, else 500 kW.
func (t terms) ratingW(connector string) int64 {
	unknown := int64(500_000)
	if t.entry == nil {
		return unknown
	}
	switch t.entry.ConnectorType[connector] {
	case "IEC_62196_T2":
		unknown = 43_000
	case "CHADEMO":
		unknown = 100_000
	}
	if w := t.entry.ConnectorPower[connector]; w > 0 {
		return w
	}
	if t.entry.MaxPowerW > 0 {
		return t.entry.MaxPowerW
	}
	return unknown
}

// readTariff is a tariff as a bill asks for it: its prices, its currency and its own dates.
type readTariff struct {
	prices     *priceTariff
	Currency   string
	Start, End *string // start_date_time and end_date_time
}

// read reads a tariff once. What does not parse never becomes reference data.
func (s *story) read(v *TariffVersion) *readTariff {
	key := string(v.JSON)
	if t, ok := s.tariffs[key]; ok {
		return t
	}
	var head struct {
		Currency string  `json:"currency"`
		Start    *string `json:"start_date_time"`
		End      *string `json:"end_date_time"`
	}
	prices, err := parsePriceTariff(v.JSON)
	if err == nil {
		err = json.Unmarshal(v.JSON, &head)
	}
	if err != nil {
		panic(fmt.Sprintf("tariff that is reference data: %v", err))
	}
	t := &readTariff{prices: prices, Currency: head.Currency, Start: head.Start, End: head.End}
	s.tariffs[key] = t
	return t
}

// zone is the charger's clock, nil where it is not known. A tariff that a decision names is taken
// without an entry, too.
func (s *story) zone(t terms) *time.Location {
	if t.entry == nil || t.entry.Zone == "" {
		return nil
	}
	if _, ok := s.zones[t.entry.Zone]; !ok {
		s.zones[t.entry.Zone] = zoneNamed(t.entry.Zone)
	}
	return s.zones[t.entry.Zone]
}

// digitsOf is how many digits the minor unit of a currency has (ISO 4217), as far as the facts
// here use it.
func digitsOf(currency string) int {
	switch currency {
	case "JPY", "CLP", "KRW", "ISK":
		return 0
	case "KWD", "BHD", "TND", "OMR", "JOD":
		return 3
	}
	return 2
}
