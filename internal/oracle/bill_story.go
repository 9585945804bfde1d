package oracle

import (
	"cmp"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
)

// story is the walk through the moments of a session.
type story struct {
	rules     billing
	facts     Facts
	decided   ruling
	seal      seal
	documents []Document
	alarms    []Alarm
	waits     bool // no tariff was in force for the last document that was due

	// What was read and priced before, for speed only.
	prices  map[string]priced
	tariffs map[string]*readTariff
	zones   map[string]*time.Location
}

func (b billing) begin(f Facts) *story {
	return &story{rules: b, facts: b.accepted(f), prices: map[string]priced{},
		tariffs: map[string]*readTariff{}, zones: map[string]*time.Location{}}
}

func (b billing) story(f Facts) ([]Document, []Alarm) {
	s := b.begin(f)
	moments := b.moments(s.facts)
	for i, atMs := range moments {
		s.moment(atMs)
		for s.waits && b.flaw != flawReferenceLost {
			atMs = s.nextReference(atMs)
			last := f.UntilMs != 0 && atMs > f.UntilMs
			if atMs == 0 || last || i+1 < len(moments) && atMs >= moments[i+1] {
				break
			}
			s.moment(atMs)
		}
	}
	return s.documents, s.alarms
}

// moment takes the decisions of a moment, each on what is known then, and makes the document.
// A moment at which no document is due leaves what was sent as it is.
func (s *story) moment(atMs int64) {
	known := s.rules.sceneAt(s.facts, atMs)
	s.forget(known)
	for _, d := range s.facts.Decisions {
		if d.ArrivalMs == atMs {
			s.decide(d, known)
		}
	}
	v, due := s.sheet(known)
	s.waits = false
	if !due {
		return
	}
	s.sealAt(v)
	s.waits = v.start != nil && v.end != nil && v.terms.tariff == nil &&
		!s.decided.cancelled
	if v, due = s.sheet(known); due {
		s.add(s.document(v), v)
	}
}

// add appends a document if it says something new, after the credit note of the one before.
func (s *story) add(d Document, v sheet) {
	s.sound(d, v)
	last := len(s.documents) - 1
	d.Credits, d.Revision = -1, 1
	if last >= 0 {
		before := s.documents[last]
		if sameWords(before, d) {
			return
		}
		d.Revision = before.Revision + 1
		s.documents = append(s.documents, s.rules.credit(before, last, d))
	}
	s.documents = append(s.documents, d)
}

// sameWords reports whether two documents say the same, save for when they do.
func sameWords(a, b Document) bool {
	b.Revision, b.IssuedAtMs, b.BookingDate = a.Revision, a.IssuedAtMs, a.BookingDate
	return reflect.DeepEqual(a, b)
}

// credit is the credit note of a document that another one takes the place of. It says all that
// that one says, the revision and the quantities of the session included, but for the quantities
// and amounts of lines, groups and totals.
func (b billing) credit(before Document, place int, after Document) Document {
	c := before
	c.Credit, c.Credits = true, place
	c.IssuedAtMs, c.BookingDate = after.IssuedAtMs, after.BookingDate
	c.Lines, c.Groups = slices.Clone(c.Lines), slices.Clone(c.Groups)
	if b.flaw == flawNoNegation {
		return c
	}
	c.Excl, c.VAT, c.Incl = -c.Excl, -c.VAT, -c.Incl
	for i := range c.Lines {
		l := &c.Lines[i]
		l.Quantity, l.Measured = -l.Quantity, -l.Measured
		l.Excl, l.VAT, l.Incl = -l.Excl, -l.VAT, -l.Incl
	}
	for i := range c.Groups {
		g := &c.Groups[i]
		g.Excl, g.VAT, g.Incl = -g.Excl, -g.VAT, -g.Incl
	}
	return c
}

// sheet is what a document is made of: what is known, with the corrections in place.
type sheet struct {
	known      scene
	start      *StartFact // nil where none is known
	end        *EndFact
	terms      terms
	energy     energyFinding
	reasons    []string // that hold, were nothing released
	conflicted bool     // ends that differ by too little to hold
}

// sheet gives what is to be said at a moment, and whether a document is due.
func (s *story) sheet(known scene) (sheet, bool) {
	v := sheet{known: known, start: s.decided.start(known), end: s.decided.end(known)}
	dueMs, ok := due(v.start, v.end)
	waits := v.start == nil && known.startArrived || v.end == nil && known.endArrived
	if !ok || waits || known.atMs < dueMs {
		return v, false
	}
	v.terms = s.termsAt(v)
	if v.start != nil && v.end != nil {
		v.energy = s.findEnergy(v)
	}
	s.judge(&v)
	return v, true
}

// due is the moment from which a document is due.
func due(start *StartFact, end *EndFact) (int64, bool) {
	switch {
	case start != nil && end != nil:
		return end.AtMs + graceMs, true
	case start != nil:
		return max(start.AtMs+dayMs, start.ArrivalMs+graceMs), true
	case end != nil:
		return max(end.AtMs, end.ArrivalMs) + graceMs, true
	}
	return math.MaxInt64, false
}

// document writes a sheet down. Without a start or an end it tells no quantities: what a running
// session has used so far changes with every sample.
func (s *story) document(v sheet) Document {
	d := Document{IssuedAtMs: v.known.atMs, Station: s.facts.Station, Credits: -1,
		Decisions: slices.Clone(s.decided.named), Signed: s.signedData(v)}
	d.Reasons = s.decided.holding(v.reasons)
	d.Held = len(d.Reasons) > 0
	d.User = s.userOf(v)
	d.Connector = s.connectorOf(v)
	s.fillTerms(&d, v)
	if v.start != nil {
		d.StartMs, d.MeterStart = v.start.AtMs, v.start.MeterWh
	}
	if v.end != nil {
		d.EndMs, d.MeterEnd = v.end.AtMs, v.end.MeterWh
	}
	if v.start == nil || v.end == nil {
		return d
	}
	d.DurationS = wholeSeconds(max(0, d.EndMs-d.StartMs))
	d.EnergyWh, d.Estimated = v.energy.wh, v.energy.estimated
	d.EnergyUnsure = v.energy.unsure || v.start.AtMs == v.end.AtMs
	d.ParkingS = wholeSeconds(lengthOf(s.parking(v)))
	p, ok := s.priceUnheld(v)
	d.EstimatedUnsure = ok && p.unsure
	if ok && !s.decided.cancelled {
		p.fill(&d)
	}
	return d
}

func (s *story) fillTerms(d *Document, v sheet) {
	zone := time.UTC
	if e := v.terms.entry; e != nil {
		d.Site, d.Zone = e.Site, e.Zone
	}
	if z := s.zone(v.terms); z != nil {
		zone = z
	}
	d.BookingDate = time.UnixMilli(d.IssuedAtMs).In(zone).Format(dayForm)
	if t := v.terms.tariff; t != nil {
		d.Tariff, d.TariffValidFromMs, d.Currency = v.terms.id, t.ValidFromMs, s.read(t).Currency
		d.Digits = digitsOf(d.Currency)
	}
}

// userOf is who pays: of a correction, else of the start.
func (s *story) userOf(v sheet) string {
	if s.decided.user != "" || v.start == nil {
		return s.decided.user
	}
	return v.start.User
}

// connectorOf is the start's; without a start the end's, which may name none.
func (s *story) connectorOf(v sheet) string {
	if len(v.known.starts) > 0 {
		return cmp.Or(v.known.starts[0].Connector, "1")
	}
	return v.end.Connector
}

// zoneNamed is nil for a zone that is not told or not known.
func zoneNamed(name string) *time.Location {
	if name == "" {
		return nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	return zone
}

// sound opens and closes the anomalies of a document: those of its reasons but cancelled, and the
// two that hold nothing. A reason that was released is closed.
func (s *story) sound(d Document, v sheet) {
	open := map[Alarm]bool{} // by kind, and whether it holds
	for _, r := range d.Reasons {
		if r != HoldCancelled {
			open[Alarm{Kind: r, Hold: true}] = true
		}
	}
	if held := open[Alarm{Kind: HoldConflict, Hold: true}]; v.conflicted && !held {
		open[Alarm{Kind: HoldConflict}] = true
	}
	if v.energy.glitch {
		open[Alarm{Kind: KindMeterGlitch}] = true
	}
	for i := range s.alarms {
		a := &s.alarms[i]
		key := Alarm{Kind: a.Kind, Hold: a.Hold}
		switch {
		case a.ClosedMs != 0:
		case !open[key]:
			a.ClosedMs = d.IssuedAtMs
		default:
			delete(open, key)
		}
	}
	var fresh []Alarm
	for a := range open {
		fresh = append(fresh, Alarm{Key: AnomalyKey(a.Kind, s.facts.Session), Kind: a.Kind,
			Hold: a.Hold, OpenedMs: d.IssuedAtMs})
	}
	slices.SortFunc(fresh, func(x, y Alarm) int { return strings.Compare(x.Kind, y.Kind) })
	s.alarms = append(s.alarms, fresh...)
}
