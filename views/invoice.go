package views

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"chargestream"
	"chargestream/web"
)

// errInvoiceID is the reason of an invoice that a list by session would not find.
var errInvoiceID = errors.New("the invoice_id does not begin with the session_id")

// Invoice is an invoice or a credit note by its id.
func (v *Views) Invoice(ctx context.Context, id string) (*chargestream.Invoice, error) {
	return lookup(ctx, v, v.tables.Invoices, id, decodeInvoice)
}

// Invoices lists invoices and credit notes by invoice_id. Those of one session lie together, as
// their ids begin with its id, so that only they are read.
func (v *Views) Invoices(
	ctx context.Context, f web.InvoiceFilter,
) ([]chargestream.Invoice, error) {
	t := v.tables.Invoices
	return list(ctx, query[chargestream.Invoice]{
		tables: []Table{t},
		prefix: string(f.SessionID),
		page:   f.Page,
		read: func(key string) (*chargestream.Invoice, error) {
			return read(v, t, key, decodeInvoice)
		},
		matches: f.Matches,
	})
}

func decodeInvoice(key string, value []byte) (*chargestream.Invoice, error) {
	row, err := decodeJSON(key, value, web.InvoiceKey)
	if err == nil && !strings.HasPrefix(key, string(row.SessionID)) {
		err = errInvoiceID
	}
	return row, err
}

// decodeJSON reads a record that others read too. Its key has to be the one under which it is
// listed, or a page would end in the middle of nowhere.
func decodeJSON[T any](key string, value []byte, own func(*T) string) (*T, error) {
	row := new(T)
	if err := json.Unmarshal(value, row); err != nil {
		return nil, err
	}
	if own(row) != key {
		return nil, errKey
	}
	return row, nil
}
