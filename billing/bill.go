package billing

import (
	"slices"

	"chargestream"
	"chargestream/tables"
)

// Bill is what must be sent of a session's bill.
type Bill struct {
	Documents []chargestream.Invoice // in the order in which they are sent
	Anomalies []chargestream.Anomaly // those that changed
}

// Bill moves the row on to all that is known at the stream time now, and gives what must be sent:
// each new invoice behind the credit note of the one that it replaces.
func (s *Session) Bill(now chargestream.Millis) (Bill, error) {
	bill, err := s.bill(now)
	if err != nil || !s.Row.Waits() {
		return bill, err
	}
	more, err := s.bill(now) // by reference data that came since
	bill.Documents = append(bill.Documents, more.Documents...)
	bill.Anomalies = slices.DeleteFunc(bill.Anomalies, func(a chargestream.Anomaly) bool {
		return slices.ContainsFunc(more.Anomalies, func(b chargestream.Anomaly) bool {
			return a.AnomalyID == b.AnomalyID
		})
	})
	bill.Anomalies = append(bill.Anomalies, more.Anomalies...)
	return bill, err
}

func (s *Session) bill(now chargestream.Millis) (Bill, error) {
	upTo, err := s.lastMoment(now)
	if err != nil {
		return Bill{}, err
	}
	if s.Row.Waits() {
		last, err := s.lastReference(now)
		if err != nil {
			return Bill{}, err
		}
		if upTo = max(upTo, last); upTo <= s.Row.BilledUpTo && !s.fresh() {
			s.Row.WakeAt, err = s.biller(s.Book).nextMoment(s.Row.BilledUpTo)
			return Bill{}, err
		}
	}
	upTo = max(upTo, s.Row.BilledUpTo)
	book := &currentBook{Book: s.Book, upTo: upTo}
	list, err := s.biller(book).history(upTo)
	if err != nil {
		return Bill{}, err
	}
	sent, err := s.sentOf(list, book.seen)
	if err != nil {
		return Bill{}, err
	}
	return s.replace(sent, list, book.seen, upTo)
}

// sentOf is Sent where list is the history up to now, made by the reference data seen. If the
// documents that were sent were made by the same, they are those of list from before BilledUpTo:
// the history up to one moment begins with that up to an earlier one.
func (s *Session) sentOf(list []chargestream.Invoice, seen []tables.Reference) (Sent, error) {
	if s.Row.BilledUpTo == 0 || !slices.Equal(seen, s.Row.References) {
		return s.Sent()
	}
	n := 0
	for n < len(list) && list[n].IssuedAt <= s.Row.BilledUpTo {
		n++
	}
	return s.sent(list[:n:n])
}

// lastMoment is the last moment, up to now, at which a document may be due or may change.
func (s *Session) lastMoment(now chargestream.Millis) (chargestream.Millis, error) {
	first := s.Row.FirstDue()
	if first == 0 || first > now {
		return 0, nil
	}
	list, err := s.biller(s.Book).moments(first-1, now)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	return list[len(list)-1], nil
}

// Sent is the list of invoices up to BilledUpTo, as they were sent: by the facts as the rows hold
// them, and by the reference data that there was then. Before a fact is folded that arrived no
// later than BilledUpTo, Sent must be taken and handed to Restate.
func (s *Session) Sent() (Sent, error) {
	if s.Row.BilledUpTo == 0 {
		return Sent{}, nil
	}
	b := s.biller(&pastBook{Book: s.Book, seen: s.Row.References})
	list, err := b.history(s.Row.BilledUpTo)
	if err != nil {
		return Sent{}, err
	}
	return s.sent(list)
}

func (s *Session) sent(list []chargestream.Invoice) (Sent, error) {
	anomalies, err := s.anomalies(list, s.Row.BilledUpTo)
	return Sent{list, anomalies}, err
}

// Sent is what was sent of a session.
type Sent struct {
	invoices  []chargestream.Invoice
	anomalies []chargestream.Anomaly
}

// Restate gives what must be sent after facts were folded behind the moment at which they are
// known: where the list up to BilledUpTo is another than the one that was sent, its last document
// is credited and replaced.
func (s *Session) Restate(sent Sent) (Bill, error) {
	book := &currentBook{Book: s.Book, upTo: s.Row.BilledUpTo}
	list, err := s.biller(book).history(s.Row.BilledUpTo)
	if err != nil {
		return Bill{}, err
	}
	return s.replace(sent, list, book.seen, s.Row.BilledUpTo)
}

// replace gives what must be sent where the list up to a moment, made by the reference data seen,
// takes the place of one that was sent.
func (s *Session) replace(sent Sent, now []chargestream.Invoice, seen []tables.Reference,
	upTo chargestream.Millis) (Bill, error) {
	row, err := s.Row, error(nil)
	row.BilledUpTo = upTo
	old, fresh := sent.invoices, now
	if extends(now, old) {
		fresh = now[len(old):]
	} else {
		// A fact was read behind its moment. What was sent is sent: the last document is credited,
		// and the one that should stand there has a revision of its own.
		last := &old[len(old)-1]
		row.RevisionOffset = max(row.RevisionOffset, last.Revision+1-max(len(now), 1))
		if now, err = s.biller(s.Book).history(upTo); err != nil {
			return Bill{}, err
		}
		fresh = now[max(len(now)-1, 0):]
	}
	if len(now) > 0 {
		row.References = seen
	}
	if row.WakeAt, err = s.biller(s.Book).nextMoment(upTo); err != nil {
		return Bill{}, err
	}
	s.mark(now)
	anomalies, err := s.anomalies(now, upTo)
	if err != nil {
		return Bill{}, err
	}
	bill := Bill{Anomalies: tables.AnomalyChanges(sent.anomalies, anomalies, upTo)}
	bill.Documents = documents(old, now, fresh)
	return bill, nil
}

// documents are the fresh invoices, each behind the credit note of the one before it.
func documents(old, now, fresh []chargestream.Invoice) []chargestream.Invoice {
	var list []chargestream.Invoice
	if len(fresh) == 0 && len(now) == 0 && len(old) > 0 {
		return append(list, CreditNote(old[len(old)-1], old[len(old)-1]))
	}
	last := old
	for i := range fresh {
		if len(last) > 0 {
			list = append(list, CreditNote(last[len(last)-1], fresh[i]))
		}
		list = append(list, fresh[i])
		last = fresh[:i+1]
	}
	return list
}

// mark notes in the row what the last document says, for views.
func (s *Session) mark(now []chargestream.Invoice) {
	m := &s.Row.Marks
	m.Documents, m.Holds, m.DuplicateOf = len(now), nil, ""
	if len(now) == 0 {
		return
	}
	last := &now[len(now)-1]
	m.Holds = last.HoldReasons
	for _, h := range last.Holds {
		if h.Reason == chargestream.HoldDuplicate {
			id, _ := h.Evidence["duplicate_of"].(string)
			m.DuplicateOf = chargestream.SessionID(id)
		}
	}
}

// extends reports whether a list of invoices begins with another.
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

// currentBook is a Book that notes how many revisions of what was looked up matter to documents up
// to a moment. What comes later leaves the note as it is: a replay has all tariffs from the start.
type currentBook struct {
	Book
	upTo chargestream.Millis
	seen []tables.Reference
}

// Registry implements Book.
func (b *currentBook) Registry(id chargestream.StationID) (*tables.Registry, error) {
	r, err := b.Book.Registry(id)
	if err == nil {
		n := 0
		if r != nil {
			n = r.Known(b.upTo)
		}
		b.note(tables.Reference{Revisions: n})
	}
	return r, err
}

// Tariff implements Book.
func (b *currentBook) Tariff(id chargestream.TariffID) (*tables.Tariff, error) {
	t, err := b.Book.Tariff(id)
	if err == nil {
		n := 0
		if t != nil {
			n = t.Known(b.upTo)
		}
		b.note(tables.Reference{Tariff: id, Revisions: n})
	}
	return t, err
}

func (b *currentBook) note(r tables.Reference) {
	if !slices.ContainsFunc(b.seen, func(s tables.Reference) bool { return s.Tariff == r.Tariff }) {
		b.seen = append(b.seen, r)
	}
}

// pastBook is a Book as it was when documents were made.
type pastBook struct {
	Book
	seen []tables.Reference
}

func (b *pastBook) revisions(id chargestream.TariffID) int {
	for _, r := range b.seen {
		if r.Tariff == id {
			return r.Revisions
		}
	}
	return 0
}

// Registry implements Book.
func (b *pastBook) Registry(id chargestream.StationID) (*tables.Registry, error) {
	r, err := b.Book.Registry(id)
	if err != nil || r == nil {
		return nil, err
	}
	return r.First(b.revisions("")), nil
}

// Tariff implements Book.
func (b *pastBook) Tariff(id chargestream.TariffID) (*tables.Tariff, error) {
	t, err := b.Book.Tariff(id)
	if err != nil || t == nil {
		return nil, err
	}
	return t.First(b.revisions(id)), nil
}
