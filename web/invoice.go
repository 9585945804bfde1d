package web

import (
	"context"

	"chargestream"

	"github.com/danielgtaylor/huma/v2"
)

// InvoiceFilter is which invoices and credit notes are asked for; what is empty is any.
type InvoiceFilter struct {
	SessionID chargestream.SessionID
	UserID    chargestream.UserID
	StationID chargestream.StationID
	SiteID    chargestream.SiteID
	Month     string // of the booking date, as 2026-03
	Status    chargestream.InvoiceStatus
	Kind      chargestream.InvoiceKind
	Page      Page
}

// InvoiceKey is the key by which invoices are listed: the invoice's id.
func InvoiceKey(v *chargestream.Invoice) string { return v.InvoiceID }

// MonthOf is the month of a booking date, as 2026-03; empty where there is no date.
func MonthOf(bookingDate string) string {
	if len(bookingDate) <= len(monthForm) {
		return ""
	}
	return bookingDate[:len(monthForm)]
}

// monthForm is how a month is written.
const monthForm = "2006-01"

// Matches reports whether an invoice is asked for, whatever its page.
func (f *InvoiceFilter) Matches(v *chargestream.Invoice) bool {
	return (f.SessionID == "" || v.SessionID == f.SessionID) &&
		(f.UserID == "" || chargestream.FoldID(v.UserID) == chargestream.FoldID(f.UserID)) &&
		(f.StationID == "" || v.StationID == f.StationID) &&
		(f.SiteID == "" || v.SiteID == f.SiteID) &&
		(f.Month == "" || MonthOf(v.BookingDate) == f.Month) &&
		v.Is(f.Status) &&
		(f.Kind == "" || v.Kind == f.Kind)
}

// invoiceKindWord is a chargestream.InvoiceKind with its words in the schema.
type invoiceKindWord string

// Schema implements huma.SchemaProvider.
func (invoiceKindWord) Schema(huma.Registry) *huma.Schema {
	return words(chargestream.KindInvoice, chargestream.KindCreditNote)
}

// invoiceStatusWord is a chargestream.InvoiceStatus with its words in the schema.
type invoiceStatusWord string

// Schema implements huma.SchemaProvider.
func (invoiceStatusWord) Schema(huma.Registry) *huma.Schema {
	return words(chargestream.StatusIssued, chargestream.StatusHeld)
}

// statusAskedWord is a chargestream.InvoiceStatus that is asked for.
type statusAskedWord string

// Schema implements huma.SchemaProvider.
func (statusAskedWord) Schema(huma.Registry) *huma.Schema {
	return words(chargestream.StatusIssued, chargestream.StatusHeld, chargestream.StatusCancelled)
}

// holdReasonWord is a chargestream.HoldReason with its words in the schema.
type holdReasonWord string

// Schema implements huma.SchemaProvider.
func (holdReasonWord) Schema(huma.Registry) *huma.Schema {
	return words(chargestream.HoldReasons()...)
}

type invoiceInput struct {
	ID string `path:"id" doc:"invoice_id; percent-encode / as %2F"`
}

type invoicesInput struct {
	SessionID chargestream.SessionID `query:"session_id" doc:"Invoices of this session"`
	UserID    chargestream.UserID    `query:"user_id" doc:"Invoices of this user"`
	StationID chargestream.StationID `query:"station_id" doc:"Invoices of this station"`
	SiteID    chargestream.SiteID    `query:"site_id" doc:"Invoices of this site"`
	Month     month                  `query:"month" doc:"Invoices booked in this month"`
	Status    statusAskedWord        `query:"status" doc:"Issued, held, or cancelled"`
	Kind      invoiceKindWord        `query:"kind" doc:"Invoices, or credit notes"`
	PageInput
}

func (a *api) registerInvoices(h huma.API) {
	huma.Register(h, operation("list-invoices", "/api/v1/invoices", "Invoices and credit notes",
		"Lists invoices by invoice_id. Money is decimal text in the currency's own digits; the "+
			"lines add up to the totals exactly."), a.invoices)
	huma.Register(h, operation("get-invoice", "/api/v1/invoices/{id}",
		"An invoice or credit note", "One invoice with its lines."), a.invoice)
}

// invoiceAnswer is an invoice whose lines are a list even where there are none.
func invoiceAnswer(v chargestream.Invoice) chargestream.Invoice {
	if v.Lines == nil {
		v.Lines = []chargestream.InvoiceLine{}
	}
	return v
}

func (a *api) invoice(
	ctx context.Context, in *invoiceInput,
) (*itemOutput[chargestream.Invoice], error) {
	v, err := a.source.Invoice(ctx, in.ID)
	if err = missing(v, err); err != nil {
		return nil, a.problem(ctx, err, "no invoice has the id "+quote(in.ID)+
			"; GET /api/v1/invoices?session_id=… lists those of a session")
	}
	return &itemOutput[chargestream.Invoice]{Body: invoiceAnswer(*v)}, nil
}

func (a *api) invoices(
	ctx context.Context, in *invoicesInput,
) (*listOutput[chargestream.Invoice], error) {
	f := InvoiceFilter{
		SessionID: in.SessionID,
		UserID:    in.UserID,
		StationID: in.StationID,
		SiteID:    in.SiteID,
		Month:     string(in.Month),
		Status:    chargestream.InvoiceStatus(in.Status),
		Kind:      chargestream.InvoiceKind(in.Kind),
	}
	read := func(p Page) ([]chargestream.Invoice, error) {
		f.Page = p
		return a.source.Invoices(ctx, f)
	}
	found, err := readList(ctx, a, "invoices", in.PageInput, InvoiceKey, read)
	if err != nil {
		return nil, err
	}
	for i := range found.Items {
		found.Items[i] = invoiceAnswer(found.Items[i])
	}
	return &listOutput[chargestream.Invoice]{Body: found}, nil
}
