package documents

import (
	"cmp"
	"math/big"
	"slices"
	"strings"

	"chargestream"
)

// Links are what an issued document has to do with others of its session. The zero value is none.
type Links struct {
	// Replaces is the invoice that was sent before this one, and is cancelled.
	Replaces string
	// ReplacedBy is, of a credit note, the invoice that takes the place of what it cancels.
	ReplacedBy string
}

// LinksOf are the links of the documents of a list that have any, by invoice_id. A document that
// was only held was never sent: it replaces nothing and is replaced by nothing.
func LinksOf(list []chargestream.Invoice) map[string]Links {
	type place struct {
		station chargestream.StationID
		session chargestream.SessionID
	}
	sent := map[place][]*chargestream.Invoice{}
	for i := range list {
		if v := &list[i]; issued(v) && !credit(v) {
			at := place{v.StationID, v.SessionID}
			sent[at] = append(sent[at], v)
		}
	}
	links, next := map[string]Links{}, map[string]string{}
	for _, invoices := range sent {
		slices.SortFunc(invoices, func(a, b *chargestream.Invoice) int {
			return cmp.Or(cmp.Compare(a.Revision, b.Revision), cmp.Compare(a.IssuedAt, b.IssuedAt))
		})
		for i, v := range invoices[1:] {
			links[v.InvoiceID] = Links{Replaces: invoices[i].InvoiceID}
			next[invoices[i].InvoiceID] = v.InvoiceID
		}
	}
	for i := range list {
		if v := &list[i]; credit(v) && next[v.Credits] != "" {
			links[v.InvoiceID] = Links{ReplacedBy: next[v.Credits]}
		}
	}
	return links
}

// Superseded are the ids of the documents of a list that a credit note in it cancels.
func Superseded(list []chargestream.Invoice) map[string]bool { return creditedBy(list) }

// Sent drops what is sent to nobody: credit notes of documents that were only held, and of the
// others those that are superseded. So it is what Live is, with the credit notes of what was sent.
func Sent(list []chargestream.Invoice) []chargestream.Invoice {
	credited := creditedBy(list)
	var sent []chargestream.Invoice
	for i := range list {
		v := &list[i]
		if credit(v) && issued(v) || !credit(v) && !credited[v.InvoiceID] {
			sent = append(sent, *v)
		}
	}
	return sent
}

// Hours writes a decimal number of hours as hours and minutes, with seconds where there are any. A
// text that is no number stays as it is.
func Hours(text string) string {
	if !decimal(text) {
		return text
	}
	hours, ok := new(big.Rat).SetString(text)
	if !ok {
		return text
	}
	half := big.NewRat(1, 2)
	sign := ""
	if hours.Sign() < 0 {
		sign, hours = "-", hours.Neg(hours)
	}
	exact := new(big.Rat).Add(new(big.Rat).Mul(hours, big.NewRat(3600, 1)), half)
	seconds := new(big.Int).Quo(exact.Num(), exact.Denom())
	if !seconds.IsInt64() {
		return sign + text
	}
	written := strings.TrimSuffix(clock(seconds.Int64()), " h")
	return sign + strings.TrimSuffix(written, ":00")
}

// Quantity is the quantity of a line with its unit; hours are written as h:mm.
func Quantity(l *chargestream.InvoiceLine) string { return quantity(l.Quantity, l.Unit) }

func quantity(text, unit string) string {
	if unit == "h" {
		text = Hours(text)
	}
	return strings.TrimSpace(text + " " + unit)
}

// Price is the price of a line with what it is a price of, such as 0.45 EUR/kWh; empty where the
// line has none.
func Price(l *chargestream.InvoiceLine, currency string) string {
	if l.UnitPrice == "" || bound(l) {
		return ""
	}
	text := strings.TrimSpace(l.UnitPrice + " " + currency)
	if l.Unit == "" {
		return text
	}
	return text + "/" + l.Unit
}

// EnergyNote is what stands behind the billed energy of a document whose registers show another;
// empty where they agree, or where one of them is not known.
func EnergyNote(v *chargestream.Invoice) string {
	if v.MeterStart == nil || v.MeterStop == nil || *v.MeterStop-*v.MeterStart == v.Energy {
		return ""
	}
	why := "the registers do not say what is billed"
	for i := range v.Decisions {
		if v.Decisions[i].Action == chargestream.ActionCorrect {
			why = "corrected by " + v.Decisions[i].By
		}
	}
	return why + ": the registers show " + kWh(*v.MeterStop-*v.MeterStart)
}
