package e2e

import (
	"encoding/json"
	"testing"

	"chargestream"
	"chargestream/topics"
)

// TestFairBills: a session with more documents is no fault where its live invoice is the same, and
// is one where it is another, where there are two, or where none is live.
func TestFairBills(t *testing.T) {
	doc := func(id, credits, total string) chargestream.Invoice {
		v := chargestream.Invoice{InvoiceID: id, SessionID: "s", Kind: chargestream.KindInvoice,
			TotalInclVAT: total}
		if credits != "" {
			v.Kind, v.Credits = chargestream.KindCreditNote, credits
		}
		return v
	}
	table := func(docs ...chargestream.Invoice) map[string][]byte {
		rows := map[string][]byte{}
		for _, v := range docs {
			text, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			rows[v.InvoiceID] = text
		}
		return rows
	}
	want := table(doc("a", "", "2.40"))
	for name, c := range map[string]struct {
		got  map[string][]byte
		fair bool
	}{
		"corrected": {table(doc("b", "", "1.20"), doc("b-credit", "b", "-1.20"),
			doc("c", "", "2.40")), true},
		"another amount": {table(doc("b", "", "1.20"), doc("b-credit", "b", "-1.20"),
			doc("c", "", "2.41")), false},
		"two live":          {table(doc("b", "", "1.20"), doc("c", "", "2.40")), false},
		"none live":         {table(doc("b", "", "2.40"), doc("b-credit", "b", "-2.40")), false},
		"credit of nothing": {table(doc("c", "", "2.40"), doc("x-credit", "x", "-2.40")), false},
	} {
		left, err := fairBills(CompareRows(topics.Invoices, want, c.got), want, c.got)
		if err != nil || (len(left) == 0) != c.fair {
			t.Errorf("%s: %v, %v", name, left, err)
		}
	}
}
