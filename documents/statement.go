package documents

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"time"

	"chargestream"
)

// StatementBy is what a statement is of.
type StatementBy string

// What a statement may be of.
const (
	// ByUser makes one statement of each user.
	ByUser StatementBy = "user"
	// BySite makes one statement of each site; one of all stations that are at none.
	BySite StatementBy = "site"
)

// Statement is what one user or site was billed in one month, in one currency.
type Statement struct {
	By       StatementBy `json:"by"`
	Key      string      `json:"key"`      // the user or site; empty where a document names none
	Month    string      `json:"month"`    // of the booking dates, as 2026-03
	Currency string      `json:"currency"` // empty for held documents without a tariff
	// Energy is what was billed, less what was credited.
	Energy chargestream.WattHours `json:"energy_wh"`
	// VATGroups and the totals are the sums of Documents.
	VATGroups    []chargestream.VATGroup `json:"vat_groups"`
	TotalExclVAT string                  `json:"total_excl_vat"`
	TotalVAT     string                  `json:"total_vat"`
	TotalInclVAT string                  `json:"total_incl_vat"`
	// Documents are all issued invoices and credit notes, in the order in which they were issued.
	Documents []chargestream.Invoice `json:"documents"`
	// Held are the documents that wait for an operator to decide; they are in no sum.
	Held []chargestream.Invoice `json:"held"`
}

// monthForm is how a month is written.
const monthForm = "2006-01"

// Statements makes one statement of each (key, booking month, currency), sorted by them; an empty
// month stands for all. Which month a document belongs to, its BookingDate alone decides.
//
// A document that is in the list twice counts once. Of the held ones those are shown that no
// credit note in the list cancels: a credit note of a held document credits nothing that was sent.
func Statements(
	list []chargestream.Invoice, by StatementBy, month string,
) ([]Statement, error) {
	if by != ByUser && by != BySite {
		return nil, fmt.Errorf("%w: statements are by user or site, not by %q", ErrDocument, by)
	}
	if _, err := time.Parse(monthForm, month); month != "" && err != nil {
		return nil, fmt.Errorf("%w: month %q is not as 2026-03", ErrDocument, month)
	}
	type place struct{ key, month, currency string }
	found := map[place]*Statement{}
	written := map[string]string{} // keys as they are compared, and as they were first written
	for _, v := range statementParts(list) {
		day, err := time.Parse(dayForm, v.BookingDate)
		if err != nil {
			return nil, refuse(&v, "booking date %q is not as 2026-03-02", v.BookingDate)
		}
		key := statementKey(&v, by)
		at := place{chargestream.FoldID(key), day.Format(monthForm), v.Currency}
		if by == BySite {
			at.key = key
		}
		if _, ok := written[at.key]; !ok {
			written[at.key] = key
		}
		if month != "" && at.month != month {
			continue
		}
		s := found[at]
		if s == nil {
			s = &Statement{By: by, Key: written[at.key], Month: at.month, Currency: at.currency,
				Documents: []chargestream.Invoice{}, Held: []chargestream.Invoice{}}
			found[at] = s
		}
		if issued(&v) {
			s.Documents = append(s.Documents, v)
		} else {
			s.Held = append(s.Held, v)
		}
	}
	statements := make([]Statement, 0, len(found))
	for _, s := range found {
		if err := s.sum(); err != nil {
			return nil, err
		}
		statements = append(statements, *s)
	}
	slices.SortFunc(statements, func(a, b Statement) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Month, b.Month),
			cmp.Compare(a.Currency, b.Currency))
	})
	return statements, nil
}

func statementKey(v *chargestream.Invoice, by StatementBy) string {
	if by == BySite {
		return string(v.SiteID)
	}
	return string(v.UserID)
}

// statementParts are the documents that statements show, each once, in the order in which they
// were issued: of one moment by session, and there the credit note before what takes its place.
func statementParts(list []chargestream.Invoice) []chargestream.Invoice {
	credited := creditedBy(list)
	seen := map[string]bool{}
	parts := make([]chargestream.Invoice, 0, len(list))
	for i := range list {
		v := &list[i]
		if seen[v.InvoiceID] || !issued(v) && (credit(v) || credited[v.InvoiceID]) {
			continue
		}
		seen[v.InvoiceID] = true
		parts = append(parts, *v)
	}
	slices.SortFunc(parts, func(a, b chargestream.Invoice) int {
		return cmp.Or(cmp.Compare(a.BookingDate, b.BookingDate),
			cmp.Compare(a.IssuedAt, b.IssuedAt), cmp.Compare(a.SessionID, b.SessionID),
			cmp.Compare(a.Revision, b.Revision), cmp.Compare(a.InvoiceID, b.InvoiceID))
	})
	return parts
}

// creditedBy are the ids that the credit notes of a list name.
func creditedBy(list []chargestream.Invoice) map[string]bool {
	ids := map[string]bool{}
	for i := range list {
		if credit(&list[i]) {
			ids[list[i].Credits] = true
		}
	}
	return ids
}

// sum adds up the documents.
func (s *Statement) sum() error {
	digits, err := digitsOf(s.Currency)
	if err != nil {
		return fmt.Errorf("%w: statement of %q: %w", ErrDocument, s.Key, err)
	}
	of := newSums(digits)
	for i := range s.Documents {
		if err := of.addInvoice(&s.Documents[i]); err != nil {
			return err
		}
		s.Energy += energyOf(&s.Documents[i])
	}
	s.VATGroups = of.groups()
	s.TotalExclVAT = fixed(of.total.excl, digits)
	s.TotalVAT = fixed(of.total.vat, digits)
	s.TotalInclVAT = fixed(of.total.incl, digits)
	return nil
}

// Live drops the documents that a credit note in the list cancels, and those notes. A credit note
// of a document that is not in the list stays. The list itself is not changed.
func Live(list []chargestream.Invoice) []chargestream.Invoice {
	credited := creditedBy(list)
	present := map[string]bool{}
	for i := range list {
		present[list[i].InvoiceID] = true
	}
	live := make([]chargestream.Invoice, 0, len(list))
	for i := range list {
		v := &list[i]
		if !credited[v.InvoiceID] && !(credit(v) && present[v.Credits]) {
			live = append(live, *v)
		}
	}
	return live
}

// JSON writes the statement as one object, with one document a line as JSON does.
func (s *Statement) JSON(w io.Writer) error {
	head := *s
	head.Documents, head.Held = nil, nil
	var b bytes.Buffer
	if err := plainJSON(&b, &head); err != nil {
		return err
	}
	// The two lists come last, and are null in the head.
	b.Truncate(b.Len() - len(`"documents":null,"held":null}`))
	for _, part := range []struct {
		name, after string
		list        []chargestream.Invoice
	}{{"documents", ",\n", s.Documents}, {"held", "}\n", s.Held}} {
		array, err := lines(part.list)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%q:%s%s", part.name, array, part.after)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// The sections of a statement's CSV.
const (
	sectionDocument = "document" // one row for each of Documents
	sectionVAT      = "vat"      // one row for each of VATGroups
	sectionTotal    = "total"    // one row
	sectionHeld     = "held"     // one row for each of Held
)

// CSV writes the columns of CSV behind section, by, key, month and vat_percent. The section says
// what a row is: document, vat, total or held.
func (s *Statement) CSV(w io.Writer) error {
	columns := header()
	first := []string{"section", "by", "key", "month", "vat_percent"}
	rows := [][]string{append(first, columns...)}
	write := func(section, percent string, cells []string) {
		rows = append(rows, append([]string{section, textCell(string(s.By)), textCell(s.Key),
			textCell(s.Month), numberCell(percent)}, cells...))
	}
	sum := func(cells map[string]string) []string {
		cells[columnCurrency] = textCell(s.Currency)
		row := make([]string, len(columns))
		for i, column := range columns {
			row[i] = cells[column]
		}
		return row
	}
	for i := range s.Documents {
		write(sectionDocument, "", row(&s.Documents[i]))
	}
	for _, g := range s.VATGroups {
		write(sectionVAT, g.VATPercent, sum(map[string]string{columnExcl: g.ExclVAT,
			columnVAT: g.VAT, columnIncl: g.InclVAT}))
	}
	write(sectionTotal, "", sum(map[string]string{"energy_wh": wattHours(s.Energy),
		columnExcl: s.TotalExclVAT, columnVAT: s.TotalVAT, columnIncl: s.TotalInclVAT}))
	for i := range s.Held {
		write(sectionHeld, "", row(&s.Held[i]))
	}
	return csv.NewWriter(w).WriteAll(rows)
}
