package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"chargestream"
	"chargestream/tables"
	"chargestream/topics"
)

// Facts are the part of a row that does not depend on the order of reading. The marks of a
// session's row depend on when its timers fired and are not part of them.
func Facts(table string, row []byte) ([]byte, error) {
	if table != topics.TableSessions {
		return row, nil
	}
	s, err := tables.DecodeSession(row)
	if err != nil {
		return nil, err
	}
	return s.Facts(), nil
}

// fairRows leaves out rows that have the same facts.
func fairRows(table string, findings []Finding, want, got map[string][]byte) []Finding {
	return slices.DeleteFunc(findings, func(f Finding) bool {
		if want[f.Key] == nil || got[f.Key] == nil {
			return false
		}
		a, err := Facts(table, want[f.Key])
		if err != nil {
			return false
		}
		b, err := Facts(table, got[f.Key])
		return err == nil && bytes.Equal(a, b)
	})
}

// billed names a session: an id is unique at a station.
type billed struct {
	station chargestream.StationID
	session chargestream.SessionID
}

// books are the documents of each session.
type books map[billed][]chargestream.Invoice

func booksOf(rows map[string][]byte) (books, error) {
	b := books{}
	for key, raw := range rows {
		var v chargestream.Invoice
		if err := json.Unmarshal(raw, &v); err != nil {
			return nil, fmt.Errorf("invoice %q: %w", key, err)
		}
		at := billed{v.StationID, v.SessionID}
		b[at] = append(b[at], v)
	}
	return b, nil
}

// live is the one invoice of a session that no note cancels, but for when it was made; empty where
// there is not exactly one, or where a note cancels what is not there.
func (b books) live(at billed) string {
	credited := map[string]bool{}
	for _, v := range b[at] {
		if v.Kind == chargestream.KindCreditNote {
			credited[v.Credits] = true
		}
	}
	var live []chargestream.Invoice
	for _, v := range b[at] {
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

// fairBills leaves out documents of sessions whose live invoice is the same: they were billed by a
// fact less at first, and corrected.
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
		at := billed{v.StationID, v.SessionID}
		text := wanted.live(at)
		return text != "" && text == have.live(at)
	}), nil
}
