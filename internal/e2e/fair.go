package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"chargestream"
	"chargestream/tables"
)

// fairRows leaves out rows that differ in how far they have come only, which hangs on what was
// read when.
func fairRows(group string, findings []Finding, want, got map[string][]byte) []Finding {
	return slices.DeleteFunc(findings, func(f Finding) bool {
		a, err := tables.Facts(group, want[f.Key])
		if err != nil {
			return false
		}
		b, err := tables.Facts(group, got[f.Key])
		return err == nil && bytes.Equal(a, b)
	})
}

// books are the documents of each session.
type books map[chargestream.SessionID][]chargestream.Invoice

func booksOf(rows map[string][]byte) (books, error) {
	b := books{}
	for key, raw := range rows {
		var v chargestream.Invoice
		if err := json.Unmarshal(raw, &v); err != nil {
			return nil, fmt.Errorf("invoice %q: %w", key, err)
		}
		b[v.SessionID] = append(b[v.SessionID], v)
	}
	return b, nil
}

// live is what the one invoice of a session says that no note cancels, but for when it was made;
// empty where there is not exactly one, or where a note cancels what is not there.
func (b books) live(id chargestream.SessionID) string {
	credited := map[string]bool{}
	for _, v := range b[id] {
		if v.Kind == chargestream.KindCreditNote {
			credited[v.Credits] = true
		}
	}
	var live []chargestream.Invoice
	for _, v := range b[id] {
		if v.Kind == chargestream.KindInvoice && !credited[v.InvoiceID] {
			live = append(live, v)
		}
		delete(credited, v.InvoiceID)
	}
	if len(live) != 1 || len(credited) > 0 {
		return ""
	}
	v := live[0]
	v.InvoiceID, v.Revision, v.IssuedAt, v.BookingDate = "", 0, 0, ""
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}

// fairBills leaves out documents of sessions whose live invoice says the same: they were billed by
// a fact less at first, and corrected.
func fairBills(findings []Finding, want, got map[string][]byte) ([]Finding, error) {
	wanted, err := booksOf(want)
	if err != nil {
		return nil, err
	}
	have, err := booksOf(got)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(findings, func(f Finding) bool {
		raw := got[f.Key]
		if raw == nil {
			raw = want[f.Key]
		}
		var v chargestream.Invoice
		if f.Kind == RowAltered || json.Unmarshal(raw, &v) != nil {
			return false
		}
		says := wanted.live(v.SessionID)
		return says != "" && says == have.live(v.SessionID)
	}), nil
}
