package billing

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"chargestream"
	"chargestream/pricing"
	"chargestream/tables"
)

// Book is the reference data that bills are made by.
type Book interface {
	// Registry is the history of a station's entry in the registry; nil for none.
	Registry(id chargestream.StationID) (*tables.Registry, error)
	// Tariff is the history of a tariff; nil for none.
	Tariff(id chargestream.TariffID) (*tables.Tariff, error)
	// Parse is pricing.Parse.
	Parse(raw []byte) (*pricing.Tariff, error)
	// Location is the time zone of an IANA name; nil where there is none of that name.
	Location(name string) *time.Location
}

// Session is a session with all that its bills are made of.
type Session struct {
	ID      chargestream.SessionID
	Station chargestream.StationID
	Row     *tables.Session
	// Hours gives the row of an hour of one of the station's connectors, which is not changed; nil
	// where there is none.
	Hours func(connector chargestream.ConnectorID, start chargestream.Millis) (*tables.Hour, error)
	Book  Book

	hours []hourRow // those that were looked up
	// allMoments are those at which a document may be due or may change, hourly those of the hours.
	allMoments, hourly []chargestream.Millis
	momentsFound       bool
}

// CountOpen has the session's bills count the samples that are still in the station's row, which
// may be nil. Neither row is changed by that.
func (s *Session) CountOpen(station *tables.Station) {
	if station == nil {
		return
	}
	open, hours := station.OpenQuarters(s.ID, s.Row), s.Hours
	if len(open) == 0 {
		return
	}
	s.Row = s.Row.With(s.ID, open)
	s.Hours = func(connector chargestream.ConnectorID, start chargestream.Millis) (*tables.Hour,
		error) {
		h, err := hours(connector, start)
		return h.With(connector, start, open), err
	}
}

// History is the list of the session's invoices up to a moment, each without the credit note of
// the one before: a pure function of the facts, each with its two times, and of the reference data
// (docs/decisions/0010). All that arrived by the moment must be in the rows.
func (s *Session) History(upTo chargestream.Millis) ([]chargestream.Invoice, error) {
	return s.biller(s.Book).history(upTo)
}

func (s *Session) biller(book Book) *biller {
	return &biller{Session: s, book: book}
}

func (b *biller) history(upTo chargestream.Millis) ([]chargestream.Invoice, error) {
	first := b.Row.FirstDue()
	if first == 0 || first > upTo {
		return nil, nil
	}
	moments, err := b.moments(first-1, upTo)
	for i := 0; err == nil && i < len(moments); i++ {
		if err = b.document(moments[i]); err != nil {
			break
		}
		until := upTo
		if i+1 < len(moments) {
			until = moments[i+1] - 1
		}
		err = b.await(moments[i], until)
	}
	if err != nil {
		return nil, fmt.Errorf("bill session %q: %w", b.ID, err)
	}
	return b.list, nil
}

// biller makes a session's documents, moment after moment.
type biller struct {
	*Session
	book Book // that of the session, as it was or is seen

	decided    int // of the row's decisions, those that were applied
	applied    []chargestream.AppliedDecision
	correction chargestream.Correction
	cancelled  bool
	released   map[chargestream.HoldReason]bool
	terms      *terms
	repriced   chargestream.Millis // what arrived by then was decided to count; zero for none
	waits      bool                // the last document that was due found no tariff in force

	last *known // by which the last document, or one that said the same, was made
	list []chargestream.Invoice
	said string // what the last one says
}

// document makes the document of a moment and adds it to the list, if it is due and says
// something new.
func (b *biller) document(at chargestream.Millis) error {
	fresh := b.decide(at)
	b.waits = false
	k, err := b.knownAt(at, &b.correction)
	if err != nil {
		return err
	}
	if !k.due() {
		return nil
	}
	before := b.terms
	if err := b.seal(k); err != nil {
		return err
	}
	b.waits = k.start != nil && k.end != nil && b.terms.version == nil && !b.cancelled
	if b.last != nil && len(fresh) == 0 && b.terms == before && k.same(b.last) {
		return nil // so it would say the same
	}
	last := *k
	b.last = &last
	v, found, err := b.invoice(k)
	if err != nil {
		return err
	}
	b.hold(&v, k, fresh, found)
	if b.repeats(&v) {
		return nil
	}
	v.Revision, v.IssuedAt = len(b.list)+1+b.Row.RevisionOffset, at
	v.BookingDate = b.bookingDate(at)
	v.InvoiceID = string(b.ID) + "-" + fingerprint(&v)
	b.list = append(b.list, v)
	return nil
}

// repeats reports whether an invoice says the same as the last one. What it says is worked out
// only where there are two.
func (b *biller) repeats(v *chargestream.Invoice) bool {
	if len(b.list) == 0 {
		return false
	}
	if b.said == "" {
		last := b.list[len(b.list)-1]
		last.Revision, last.IssuedAt, last.BookingDate, last.InvoiceID = 0, 0, "", ""
		b.said = withoutEvidence(&last)
	}
	said := withoutEvidence(v)
	if said == b.said {
		return true
	}
	b.said = said
	return false
}

// hourRow is a row that was looked up.
type hourRow struct {
	connector chargestream.ConnectorID
	start     chargestream.Millis
	row       *tables.Hour
	ran       []tables.HourSession // as ranIn gives them; nil: not asked for
}

// hour is a row; nil where there is none.
func (s *Session) hour(connector chargestream.ConnectorID, start chargestream.Millis) (
	*tables.Hour, error) {
	for i := range s.hours {
		if h := &s.hours[i]; h.start == start && h.connector == connector {
			return h.row, nil
		}
	}
	row, err := s.Hours(connector, start)
	if err != nil {
		return nil, err
	}
	s.hours = append(s.hours, hourRow{connector: connector, start: start, row: row})
	return row, nil
}

// ranIn is Ran of an hour that was looked up. It is asked for at each moment of each document, and
// what it says does not change between them.
func (s *Session) ranIn(row *tables.Hour) []tables.HourSession {
	for i := range s.hours {
		if h := &s.hours[i]; h.row == row {
			if h.ran == nil {
				h.ran = row.Ran()
			}
			return h.ran
		}
	}
	return row.Ran()
}

// textOf is all that an invoice says.
func textOf(v *chargestream.Invoice) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encode invoice: %v", err)) // it cannot be: an invoice is plain data
	}
	return string(text)
}

// withoutEvidence is all that an invoice says but when it says it, and the evidence of its holds:
// evidence alone makes no new document.
func withoutEvidence(v *chargestream.Invoice) string {
	bare := *v
	bare.Holds = nil
	return textOf(&bare)
}

// bookingDate is the day of a moment where the station is.
func (b *biller) bookingDate(at chargestream.Millis) string {
	t := at.Time()
	if b.terms != nil && b.terms.location != nil {
		t = t.In(b.terms.location)
	}
	return t.Format(time.DateOnly)
}

// due reports whether a document is due with what is known.
func (k *known) due() bool {
	switch {
	case k.start != nil && k.end != nil:
		return k.at >= k.end.At+chargestream.Grace
	case k.start != nil:
		return !k.endArrived && k.at >= tables.OverdueAt(k.start.At, k.start.Arrival)
	case k.end != nil:
		return !k.startArrived && k.at >= tables.OrphanDue(k.end.At, k.end.Arrival)
	}
	return false
}

// correct lets what was decided take the place of what was reported.
func (k *known) correct(c *chargestream.Correction) {
	if k.start == nil && k.end == nil {
		return
	}
	if c.StartTime != 0 || c.UserID != "" {
		start := tables.Start{At: c.StartTime}
		if k.start != nil {
			start = *k.start
		} else if k.end != nil {
			start.ConnectorID = k.end.ConnectorID
		}
		if c.StartTime != 0 {
			start.At, start.Arrival = c.StartTime, c.StartTime
		}
		if c.UserID != "" {
			start.UserID = c.UserID
		}
		if start.At != 0 {
			k.start = &start
		}
	}
	if c.EndTime != 0 {
		end := tables.End{At: c.EndTime, Arrival: c.EndTime}
		if k.end != nil {
			end = *k.end
			end.At = c.EndTime
		}
		k.end = &end
	}
}

// decide applies the decisions that arrived by a moment and names those of the moment itself that
// release something.
func (b *biller) decide(at chargestream.Millis) []*tables.Decision {
	var fresh []*tables.Decision
	for ; b.decided < len(b.Row.Decisions); b.decided++ {
		d := &b.Row.Decisions[b.decided]
		if d.Arrival > at {
			break
		}
		b.applied = append(b.applied, chargestream.AppliedDecision{DecisionID: d.DecisionID,
			Action: d.Action, DecidedAt: d.Time, By: d.By, Reason: d.Reason})
		switch d.Action {
		case chargestream.ActionCancel:
			b.cancelled = true
		case chargestream.ActionCorrect:
			b.cancelled = false
			merge(&b.correction, &d.Correction)
		case chargestream.ActionReprice:
			b.cancelled, b.correction.TariffID = false, ""
			b.terms, b.repriced = nil, d.Arrival
		}
		fresh = append(fresh, d)
	}
	return fresh
}

// merge lets what a later correction sets replace what an earlier one set.
func merge(into, from *chargestream.Correction) {
	if from.Energy != nil {
		into.Energy = from.Energy
	}
	if from.StartTime != 0 {
		into.StartTime = from.StartTime
	}
	if from.EndTime != 0 {
		into.EndTime = from.EndTime
	}
	if from.UserID != "" {
		into.UserID = from.UserID
	}
	if from.TariffID != "" {
		into.TariffID = from.TariffID
	}
}

// hold writes the reasons that hold an invoice: those that were not released.
func (b *biller) hold(v *chargestream.Invoice, k *known, fresh []*tables.Decision, found *reasons) {
	reasons := found.list
	for reason := range b.released {
		if !slices.Contains(reasons, reason) {
			delete(b.released, reason) // what comes up again holds again
		}
	}
	for _, d := range fresh {
		if d.Action != chargestream.ActionRelease {
			continue
		}
		for _, reason := range reasons {
			named := len(d.Holds) == 0 || slices.Contains(d.Holds, reason)
			if d.Arrival == k.at && named && reason.Releasable() {
				if b.released == nil {
					b.released = map[chargestream.HoldReason]bool{}
				}
				b.released[reason] = true
			}
		}
	}
	for _, reason := range reasons {
		if !b.released[reason] {
			v.HoldReasons = append(v.HoldReasons, reason)
			v.Holds = append(v.Holds,
				chargestream.Hold{Reason: reason, Evidence: found.evidence[reason]})
		}
	}
	v.Status = chargestream.StatusIssued
	if len(v.HoldReasons) > 0 {
		v.Status = chargestream.StatusHeld
	}
}
