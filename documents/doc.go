// Package documents makes of invoice records what people and machines read: a PDF, an e-invoice
// in UBL 2.1 by EN 16931, CSV and JSON, each of single documents and of a month's statement.
//
// It computes no bill: every amount is the record's own, sums are sums of its decimal texts in
// whole minor units. The same record gives the same bytes, at any time and on any machine with the
// same time zone data; a program that must not depend on its host imports time/tzdata.
//
// What was never sent has no place in a sum: a held invoice and the credit note of one are listed
// apart, and there is no e-invoice of them.
package documents

import (
	"errors"
	"fmt"

	"chargestream"
)

// ErrDocument is wrapped by every error about a record, a seller or an argument that no document
// can be made of. Errors of the writer are returned as they are.
var ErrDocument = errors.New("no such document")

// Seller is the charging operator as invoices name it.
type Seller struct {
	Name       string
	Street     string
	City       string
	PostalCode string
	Country    string // ISO 3166-1 alpha-2
	VATID      string // with the prefix of its country, as DE123456789
	Email      string
}

// refuse is an error about one record.
func refuse(v *chargestream.Invoice, format string, args ...any) error {
	return fmt.Errorf("%w: %q: %w", ErrDocument, v.InvoiceID, fmt.Errorf(format, args...))
}

// credit reports whether a document takes back what another one billed.
func credit(v *chargestream.Invoice) bool { return v.Kind == chargestream.KindCreditNote }

// issued reports whether a document was sent, and counts.
func issued(v *chargestream.Invoice) bool { return v.Status == chargestream.StatusIssued }
