package tables

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"chargestream"
	"chargestream/pricing"
)

// Book is the reference data that bills are made by.
type Book interface {
	// Reference is what is known of a key, a station's or a tariff's; nil for nothing.
	Reference(key string) (*Reference, error)
	// Tariff is pricing.Parse.
	Tariff(raw []byte) (*pricing.Tariff, error)
	// Location is the time zone of an IANA name; nil where there is none of that name.
	Location(name string) *time.Location
}

// History is the list of a session's invoices up to a moment, each without the credit note of the
// one before: a pure function of the row and of the reference data (docs/decisions/0010). The row
// must have heard all up to the moment.
func (s *Session) History(
	id chargestream.SessionID,
	book Book,
	upTo chargestream.Millis,
) ([]chargestream.Invoice, error) {
	first := s.firstDue()
	if first == 0 || first > upTo {
		return nil, nil
	}
	b := &biller{id: id, row: s, book: book, released: map[chargestream.HoldReason]bool{}}
	moments := s.moments(first-1, upTo)
	for _, at := range moments {
		if err := b.document(at); err != nil {
			return nil, fmt.Errorf("bill session %q: %w", id, err)
		}
	}
	return b.list, nil
}

// firstDue is a moment before which no document can be due; zero: none ever is.
func (s *Session) firstDue() chargestream.Millis {
	var due chargestream.Millis
	for i := range s.Starts {
		due = least(due, overdueAt(s.Starts[i].At, s.Starts[i].Arrival))
	}
	for i := range s.Ends {
		due = least(due, s.Ends[i].At+chargestream.Grace)
	}
	for i := range s.Decisions {
		c := &s.Decisions[i].Correction
		if c.EndTime != 0 {
			due = least(due, c.EndTime+chargestream.Grace)
		}
		if c.StartTime != 0 {
			due = least(due, overdueAt(c.StartTime, c.StartTime))
		}
	}
	return due
}

// Gate is the moment up to which documents can be made: up to which the row has heard all, and
// every window that the session touches has answered.
func (s *Session) Gate() chargestream.Millis {
	gate := s.Heard
	for _, hour := range s.asked() {
		key := SessionHour{ConnectorID: s.ConnectorID(), Start: hour}
		i, ok := slices.BinarySearchFunc(s.Hours, key, func(a, b SessionHour) int {
			return compareSessionHours(&a, &b)
		})
		if !ok {
			return s.Told
		}
		gate = min(gate, s.Hours[i].Answered)
	}
	return max(gate, s.Told)
}

// asked are the windows that a session asks for what they know, once a document may be due: those
// of its claims, and of the times that were decided; without an end that of the start, which knows
// whether it is a copy.
func (s *Session) asked() []chargestream.Millis {
	low, start, end := s.Low, s.LastStart, s.LastEnd
	started, ended := len(s.Starts) > 0, len(s.Ends) > 0
	for i := range s.Decisions {
		c := &s.Decisions[i].Correction
		low, started = least(low, c.StartTime), started || c.StartTime != 0
		start, end = max(start, c.StartTime), max(end, c.EndTime)
		ended = ended || c.EndTime != 0
	}
	switch {
	case !started || s.ConnectorID() == "" || s.Heard < s.firstDue():
		return nil
	case !ended && len(s.Starts) > 0:
		return []chargestream.Millis{s.Starts[0].At.Truncate(chargestream.Hour)}
	case !ended:
		return nil
	}
	return windowsOf(low, start, end)
}

// Asks are the questions to its windows that a session must send when it was before: when it has
// heard more, or is elsewhere.
func (s *Session) Asks(id chargestream.SessionID, before *Session) []HourPart {
	hours := s.asked()
	if len(hours) == 0 {
		return nil
	}
	if old := before.asked(); s.Heard == before.Heard && slices.Equal(old, hours) &&
		before.ConnectorID() == s.ConnectorID() {
		return nil
	}
	var parts []HourPart
	for _, hour := range hours {
		parts = append(parts, HourPart{Check: id, Heard: s.Heard, Key: HourKey{Start: hour,
			StationID: s.StationID, ConnectorID: s.ConnectorID()},
			Row: Hour{Stays: []Stay{{ID: id, Heard: s.Heard, Whole: s.timed()}}}})
	}
	return parts
}

// timed tells whether a decision set a time of the session.
func (s *Session) timed() bool {
	return slices.ContainsFunc(s.Decisions, func(d Decision) bool {
		return d.Correction.StartTime != 0 || d.Correction.EndTime != 0
	})
}

// biller makes a session's documents, moment after moment.
type biller struct {
	id   chargestream.SessionID
	row  *Session
	book Book

	decided    int // of the row's decisions, those that were applied
	applied    []chargestream.AppliedDecision
	correction chargestream.Correction
	cancelled  bool
	released   map[chargestream.HoldReason]bool
	terms      *terms
	repriced   chargestream.Millis // what arrived by then was decided to count; zero for none

	list []chargestream.Invoice
	said string // what the last one says
}

// document makes the document of a moment and adds it to the list, if it is due and says
// something new.
func (b *biller) document(at chargestream.Millis) error {
	fresh := b.decide(at)
	k := b.row.knownAt(at, &b.correction)
	if !k.due() {
		return nil
	}
	if err := b.seal(k); err != nil {
		return err
	}
	v, err := b.invoice(k)
	if err != nil {
		return err
	}
	b.hold(&v, k, fresh)
	said := saying(&v)
	if said == b.said {
		return nil
	}
	b.said = said
	v.Revision, v.IssuedAt = len(b.list)+1+b.row.Shift, at
	v.BookingDate = b.bookingDate(at)
	v.InvoiceID = string(b.id) + "-" + fingerprint(&v)
	b.list = append(b.list, v)
	return nil
}

// saying is all that an invoice says but when it says it.
func saying(v *chargestream.Invoice) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encode invoice: %v", err)) // it cannot be: an invoice is plain data
	}
	return string(text)
}

// bookingDate is the day of a moment where the station is.
func (b *biller) bookingDate(at chargestream.Millis) string {
	t := at.Time()
	if b.terms != nil && b.terms.location != nil {
		t = t.In(b.terms.location)
	}
	return t.Format(time.DateOnly)
}

// due tells whether a document is due with what is known.
func (k *known) due() bool {
	switch {
	case k.start != nil && k.end != nil:
		return k.at >= k.end.At+chargestream.Grace
	case k.start != nil:
		return !k.endArrived && k.at >= overdueAt(k.start.At, k.start.Arrival)
	case k.end != nil:
		return !k.startArrived && k.at >= orphanDue(k.end.At, k.end.Arrival)
	}
	return false
}

// correct lets what was decided take the place of what was told.
func (k *known) correct(c *chargestream.Correction) {
	if k.start == nil && k.end == nil {
		return
	}
	if c.StartTime != 0 || c.UserID != "" {
		start := Start{At: c.StartTime}
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
		end := End{At: c.EndTime, Arrival: c.EndTime}
		if k.end != nil {
			end = *k.end
			end.At = c.EndTime
		}
		k.end = &end
	}
}

// decide applies the decisions that arrived by a moment and tells those of the moment itself that
// release something.
func (b *biller) decide(at chargestream.Millis) []*Decision {
	var fresh []*Decision
	for ; b.decided < len(b.row.Decisions); b.decided++ {
		d := &b.row.Decisions[b.decided]
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
			b.terms, b.repriced = nil, d.Arrival-chargestream.Grace
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
func (b *biller) hold(v *chargestream.Invoice, k *known, fresh []*Decision) {
	reasons := v.HoldReasons
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
				b.released[reason] = true
			}
		}
	}
	v.HoldReasons = slices.DeleteFunc(reasons, func(r chargestream.HoldReason) bool {
		return b.released[r]
	})
	v.Status = chargestream.StatusIssued
	if len(v.HoldReasons) > 0 {
		v.Status = chargestream.StatusHeld
	}
}
