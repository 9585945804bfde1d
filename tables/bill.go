package tables

import (
	"slices"

	"chargestream"
)

// Billing is what must be sent of a session's bill.
type Billing struct {
	Documents []chargestream.Invoice // in the order in which they are sent
	Anomalies []chargestream.Anomaly
}

// Bill moves the row on to all that can be told, and gives what must be sent: each new invoice
// behind the credit note of the one that it takes the place of. before is the row as it was when
// the last call returned; arrival is that of the part that was merged since.
func (s *Session) Bill(id chargestream.SessionID, book Book, before *Session,
	arrival chargestream.Millis) (Billing, error) {
	s.Told = s.Gate()
	// What was sent was made by the reference data that was there then, whatever came since.
	then := &seenBook{Book: book, seen: before.Seen, only: true}
	old, err := before.History(id, then, before.Told)
	if err != nil {
		return Billing{}, err
	}
	looking := &seenBook{Book: book}
	now, err := s.History(id, looking, s.Told)
	if err != nil {
		return Billing{}, err
	}
	if len(now) > 0 {
		s.Seen = looking.seen
	}
	fresh := now
	if extends(now, old) {
		fresh = now[len(old):]
	} else {
		// A fact was read behind its moment. What was sent is sent: the last document is credited,
		// and the one that should stand there takes a revision of its own.
		last := &old[len(old)-1]
		s.Shift = max(s.Shift, last.Revision+1-max(len(now), 1))
		if now, err = s.History(id, looking, s.Told); err != nil {
			return Billing{}, err
		}
		fresh = now[max(len(now)-1, 0):]
	}
	b := Billing{
		Anomalies: AnomalyChanges(before.Anomalies(id, old), s.Anomalies(id, now), arrival),
	}
	if len(fresh) == 0 && len(now) == 0 && len(old) > 0 {
		b.Documents = append(b.Documents, CreditNote(old[len(old)-1], old[len(old)-1]))
	}
	last := old
	for i := range fresh {
		if len(last) > 0 {
			b.Documents = append(b.Documents, CreditNote(last[len(last)-1], fresh[i]))
		}
		b.Documents = append(b.Documents, fresh[i])
		last = fresh[:i+1]
	}
	return b, nil
}

// extends tells whether a list of invoices begins with another.
func extends(now, old []chargestream.Invoice) bool {
	if len(now) < len(old) {
		return false
	}
	for i := range old {
		if now[i].InvoiceID != old[i].InvoiceID {
			return false
		}
	}
	return true
}

// Seen is how much of a key's reference data there was when the last document was made: how many
// revisions of its registry entry and of its tariff. They are never dropped, so the number tells
// which.
type Seen struct {
	Key               string
	Registry, Tariffs int
}

// seenBook is a Book that notes what was looked up, or, with only, gives what was noted.
type seenBook struct {
	Book
	seen []Seen
	only bool
}

// Reference implements Book.
func (b *seenBook) Reference(key string) (*Reference, error) {
	r, err := b.Book.Reference(key)
	if err != nil {
		return nil, err
	}
	if r == nil {
		r = &Reference{}
	}
	i := slices.IndexFunc(b.seen, func(s Seen) bool { return s.Key == key })
	switch {
	case i >= 0:
		s := &b.seen[i]
		return &Reference{Registry: r.Registry[:min(s.Registry, len(r.Registry))],
			Tariffs: r.Tariffs[:min(s.Tariffs, len(r.Tariffs))]}, nil
	case b.only:
		return &Reference{}, nil
	}
	b.seen = append(b.seen, Seen{Key: key, Registry: len(r.Registry), Tariffs: len(r.Tariffs)})
	return r, nil
}
