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
	t, x := v.tables.Invoices, v.indexes.invoices
	choices := [][]set{x.all()}
	for _, wanted := range []term{
		{fieldUser, string(chargestream.FoldID(f.UserID))},
		{fieldStation, string(f.StationID)},
		{fieldSite, string(f.SiteID)},
		{fieldMonth, f.Month},
	} {
		if wanted.value != "" {
			choices = append(choices, x.with(wanted))
		}
	}
	if f.Status == chargestream.StatusHeld || f.Status == chargestream.StatusCancelled {
		choices = append(choices, x.with(term{field: fieldHeld}))
	}
	if f.SessionID != "" {
		choices = choices[:1] // the keys themselves name the session
	}
	return list(ctx, query[chargestream.Invoice]{
		tables:  []Table{t},
		choices: choices,
		prefix:  string(f.SessionID),
		page:    f.Page,
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

// invoiceTerms are what invoices are found by.
func invoiceTerms(_ string, value []byte) ([]term, error) {
	terms := make([]term, 0, 5)
	err := eachText(value, func(name, text string) {
		switch name {
		case "user_id":
			terms = valued(terms, fieldUser, chargestream.FoldID(text))
		case "station_id":
			terms = valued(terms, fieldStation, text)
		case "site_id":
			terms = valued(terms, fieldSite, text)
		case "booking_date":
			terms = valued(terms, fieldMonth, web.MonthOf(text))
		case "status":
			if text == string(chargestream.StatusHeld) {
				terms = append(terms, term{field: fieldHeld})
			}
		}
	})
	return terms, err
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
