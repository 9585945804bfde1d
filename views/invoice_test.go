package views_test

import (
	"errors"
	"strings"
	"testing"

	"chargestream"
	"chargestream/billing"
	"chargestream/views"
	"chargestream/web"

	"github.com/google/go-cmp/cmp"
)

// bill writes the invoice of a session as the processors do, issued or held.
func (c *city) bill(
	t *testing.T, id chargestream.SessionID, station chargestream.StationID,
	user chargestream.UserID, status chargestream.InvoiceStatus,
) chargestream.Invoice {
	t.Helper()
	v := chargestream.Invoice{InvoiceID: string(id) + "-aa", SessionID: id, Revision: 1,
		Kind: chargestream.KindInvoice, Status: status, IssuedAt: moment(70),
		BookingDate: "2026-03-02", StationID: station, ConnectorID: "2", UserID: user,
		Currency: "EUR", StartTime: moment(0), EndTime: moment(60),
		Lines:        []chargestream.InvoiceLine{},
		TotalExclVAT: "0.00", TotalVAT: "0.00", TotalInclVAT: "0.00"}
	put(t, c.invoices, v.InvoiceID, v)
	return v
}

func TestInvoicesFilter(t *testing.T) {
	c := newCity()
	first := c.bill(t, "s/1", "A", "u1", chargestream.StatusIssued)
	note := billing.CreditNote(first, first)
	put(t, c.invoices, note.InvoiceID, note)
	other := c.bill(t, "s/10", "B", "u1", chargestream.StatusIssued)
	held := c.bill(t, "s/2", "B", "u2", chargestream.StatusHeld)
	for what, test := range map[string]struct {
		filter web.InvoiceFilter
		want   []string
	}{
		"all": {web.InvoiceFilter{}, []string{first.InvoiceID, note.InvoiceID,
			other.InvoiceID, held.InvoiceID}},
		// The id of the other session begins with this one's.
		"session": {web.InvoiceFilter{SessionID: "s/1"},
			[]string{first.InvoiceID, note.InvoiceID}},
		"part of a session's id": {web.InvoiceFilter{SessionID: "s/"}, nil},
		"user": {web.InvoiceFilter{UserID: "u1"},
			[]string{first.InvoiceID, note.InvoiceID, other.InvoiceID}},
		"station": {web.InvoiceFilter{StationID: "B"},
			[]string{other.InvoiceID, held.InvoiceID}},
		"status": {web.InvoiceFilter{Status: chargestream.StatusHeld},
			[]string{held.InvoiceID}},
		"kind": {web.InvoiceFilter{Kind: chargestream.KindCreditNote},
			[]string{note.InvoiceID}},
		"user and station": {web.InvoiceFilter{UserID: "u1", StationID: "B"},
			[]string{other.InvoiceID}},
	} {
		test.filter.Page = everything()
		got, err := c.views.Invoices(t.Context(), test.filter)
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		// "-" is before "0": the invoices of s/1 are before those of s/10.
		wantKeys(t, what, got, web.InvoiceKey, test.want...)
	}
}

func TestInvoiceComesAsItWasWritten(t *testing.T) {
	c := newCity()
	want := c.bill(t, "s/1", "A", "u1", chargestream.StatusIssued)
	got, err := c.views.Invoice(t.Context(), want.InvoiceID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&want, got); diff != "" {
		t.Errorf("invoice (-want +got):\n%s", diff)
	}
	if _, err := c.views.Invoice(t.Context(), "s/1"); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("an invoice that is not there: %v", err)
	}
}

func TestInvoicesOfASessionReadNoOthers(t *testing.T) {
	c := newCity()
	own := c.bill(t, "s/1", "A", "u1", chargestream.StatusHeld)
	c.bill(t, "s/2", "A", "u1", chargestream.StatusHeld)
	c.bill(t, "t/1", "A", "u1", chargestream.StatusHeld)
	var asked []string
	c.invoices.onGet = func(key string) { asked = append(asked, key) }
	_, err := c.views.Invoices(t.Context(),
		web.InvoiceFilter{SessionID: "s/1", Page: everything()})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{own.InvoiceID}, asked); diff != "" {
		t.Errorf("rows read (-want +got):\n%s", diff)
	}
}

func TestCorruptInvoices(t *testing.T) {
	c := newCity()
	good := c.bill(t, "s/1", "A", "u1", chargestream.StatusHeld)
	c.invoices.set("cut", c.invoices.rows[good.InvoiceID][:20])
	c.invoices.set("moved", c.invoices.rows[good.InvoiceID])
	stray := good
	stray.InvoiceID = "stray"
	put(t, c.invoices, stray.InvoiceID, stray)
	got, err := c.views.Invoices(t.Context(), web.InvoiceFilter{Page: everything()})
	if err != nil {
		t.Fatal(err)
	}
	wantKeys(t, "list", got, web.InvoiceKey, good.InvoiceID)
	for _, key := range []string{"cut", "moved", "stray"} {
		_, err := c.views.Invoice(t.Context(), key)
		if !errors.Is(err, views.ErrCorrupt) || !strings.Contains(err.Error(), key) {
			t.Errorf("invoice %s: %v", key, err)
		}
	}
	c.wantCorrupt(t, map[string]int{"invoices": 3}, "cut", "moved", "stray")
}
