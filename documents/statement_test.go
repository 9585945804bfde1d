package documents

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"chargestream"
)

// drawList is a list of bills, some of them credited and billed anew, in any order.
func drawList(t *rapid.T) []chargestream.Invoice {
	var list []chargestream.Invoice
	for i := range rapid.IntRange(0, 12).Draw(t, "sessions") {
		v := drawInvoice(t, i, rapid.SampledFrom([]string{"EUR", "JPY", "KWD"}).
			Draw(t, "currency"))
		list = append(list, v)
		if rapid.Bool().Draw(t, "corrected") {
			next := drawInvoice(t, i, v.Currency)
			next.InvoiceID, next.Revision = next.InvoiceID+"-2", 2
			next.UserID, next.SiteID = v.UserID, v.SiteID
			list = append(list, creditNote(v, next.IssuedAt, next.BookingDate), next)
		}
	}
	return rapid.Permutation(list).Draw(t, "order")
}

// TestStatementSums adds up the documents another way: as fractions, from the lines.
func TestStatementSums(t *testing.T) {
	type place struct{ key, month, currency string }
	rapid.Check(t, func(t *rapid.T) {
		list := drawList(t)
		by := rapid.SampledFrom([]StatementBy{ByUser, BySite}).Draw(t, "by")
		want, energy, count := map[place][3]*big.Rat{}, map[place]int64{}, map[place]int{}
		for i := range list {
			v := &list[i]
			if v.Status != chargestream.StatusIssued {
				continue
			}
			at := place{string(v.UserID), v.BookingDate[:7], v.Currency}
			if by == BySite {
				at.key = string(v.SiteID)
			}
			if count[at]++; count[at] == 1 {
				want[at] = [3]*big.Rat{new(big.Rat), new(big.Rat), new(big.Rat)}
			}
			for _, l := range v.Lines {
				for j, amount := range []string{l.ExclVAT, l.VAT, l.InclVAT} {
					want[at][j].Add(want[at][j], rat(amount))
				}
			}
			if v.Kind == chargestream.KindCreditNote {
				energy[at] -= int64(v.Energy)
			} else {
				energy[at] += int64(v.Energy)
			}
		}
		statements, err := Statements(list, by, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range statements {
			at := place{s.Key, s.Month, s.Currency}
			if len(s.Documents) != count[at] {
				t.Fatalf("%v itemises %d documents of %d", at, len(s.Documents), count[at])
			}
			delete(count, at)
			if len(s.Documents) == 0 {
				continue
			}
			var groups [3]*big.Rat
			for i := range groups {
				groups[i] = new(big.Rat)
			}
			for _, g := range s.VATGroups {
				for i, amount := range []string{g.ExclVAT, g.VAT, g.InclVAT} {
					groups[i].Add(groups[i], rat(amount))
				}
			}
			for i, got := range []string{s.TotalExclVAT, s.TotalVAT, s.TotalInclVAT} {
				if rat(got).Cmp(want[at][i]) != 0 || groups[i].Cmp(want[at][i]) != 0 {
					t.Fatalf("%v: total %s, groups %s, lines %s", at, got,
						groups[i].FloatString(3), want[at][i].FloatString(3))
				}
			}
			if int64(s.Energy) != energy[at] {
				t.Fatalf("%v: %d Wh instead of %d", at, s.Energy, energy[at])
			}
		}
		if len(count) > 0 {
			t.Fatalf("no statement for %v", count)
		}
	})
}

// TestStatementOrder wants the same statements of the same documents in any order, given twice or
// once, month by month or all together; and each held one that is live, in no sum.
func TestStatementOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := drawList(t)
		want, err := Statements(list, ByUser, "")
		if err != nil {
			t.Fatal(err)
		}
		again := rapid.Permutation(append(slices.Clone(list), list...)).Draw(t, "again")
		var got []Statement
		for _, month := range []string{"2026-02", "2026-03"} {
			part, err := Statements(again, ByUser, month)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, part...)
		}
		slices.SortStableFunc(got, func(a, b Statement) int {
			return strings.Compare(a.Key+a.Month+a.Currency, b.Key+b.Month+b.Currency)
		})
		if len(got)+len(want) > 0 && !cmp.Equal(want, got) {
			t.Fatalf("another order, other statements: %s", cmp.Diff(want, got))
		}
		held := 0
		for _, s := range want {
			for _, v := range s.Held {
				if v.Status != chargestream.StatusHeld || v.Kind != chargestream.KindInvoice {
					t.Fatalf("%s is among the held", v.InvoiceID)
				}
				held++
			}
		}
		for _, v := range Live(list) {
			if v.Status == chargestream.StatusHeld {
				held--
			}
		}
		if held != 0 {
			t.Fatalf("%d held documents too many", held)
		}
	})
}

// TestLive wants one document of each session, and no credit note.
func TestLive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := drawList(t)
		before := slices.Clone(list)
		sessions := map[chargestream.SessionID]int{}
		for i := range list {
			sessions[list[i].SessionID] = max(sessions[list[i].SessionID], list[i].Revision)
		}
		for _, v := range Live(list) {
			if v.Kind != chargestream.KindInvoice || v.Revision != sessions[v.SessionID] {
				t.Fatalf("%s is live", v.InvoiceID)
			}
			delete(sessions, v.SessionID)
		}
		if len(sessions) > 0 {
			t.Fatalf("nothing is live of %v", sessions)
		}
		if !cmp.Equal(before, list) {
			t.Fatal("the list was changed")
		}
	})
	alone := []chargestream.Invoice{creditNote(*billed(), 1, "2026-03-02")}
	if len(Live(alone)) != 1 {
		t.Error("a credit note was dropped without what it cancels")
	}
}

// TestStatementRefused wants an error for what has no place or does not add up.
func TestStatementRefused(t *testing.T) {
	fine := *billed(item{dimension: "FLAT", quantity: "1", price: "1", percent: "19"})
	tests := []struct {
		name   string
		change func(*chargestream.Invoice)
		by     StatementBy
		month  string
	}{
		{"by", nil, "station", ""},
		{"month", nil, ByUser, "2026-3"},
		{"no booking date", func(v *chargestream.Invoice) { v.BookingDate = "" }, ByUser, ""},
		{"booking time", func(v *chargestream.Invoice) { v.BookingDate += "T00:00" }, ByUser, ""},
		{"currency", func(v *chargestream.Invoice) { v.Currency = "EURO" }, ByUser, ""},
		{"total", func(v *chargestream.Invoice) { v.TotalInclVAT = "1.20" }, ByUser, ""},
		{"groups", func(v *chargestream.Invoice) {
			v.TotalExclVAT, v.TotalInclVAT = "1.01", "1.20"
		}, ByUser, ""},
		{"amount", func(v *chargestream.Invoice) { v.TotalVAT = "0,19" }, ByUser, ""},
		{"decimals", func(v *chargestream.Invoice) { v.TotalVAT = "0.191" }, ByUser, ""},
	}
	for _, test := range tests {
		v := fine
		v.VATGroups = slices.Clone(fine.VATGroups)
		if test.change != nil {
			test.change(&v)
		}
		_, err := Statements([]chargestream.Invoice{v}, test.by, test.month)
		if !errors.Is(err, ErrDocument) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	if list, err := Statements(nil, BySite, "2026-03"); err != nil || len(list) != 0 {
		t.Errorf("of nothing: %v, %v", list, err)
	}
}

// TestFormatsAgree reads the totals back from each format.
func TestFormatsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := drawInvoice(t, 1, rapid.SampledFrom([]string{"EUR", "JPY"}).Draw(t, "currency"))
		v.Status, v.HoldReasons = chargestream.StatusIssued, nil
		sign := ""
		if rapid.Bool().Draw(t, "credit") {
			v, sign = creditNote(v, v.IssuedAt, v.BookingDate), "-"
		}
		want := []string{v.TotalExclVAT, v.TotalVAT, v.TotalInclVAT}
		check := func(format string, got ...string) {
			if !slices.Equal(want, got) {
				t.Fatalf("%s says %v instead of %v", format, got, want)
			}
		}
		list := []chargestream.Invoice{v}
		rows, err := csv.NewReader(buffer(t, func(w io.Writer) error {
			return CSV(w, list, nil)
		})).
			ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		at := slices.Index(rows[0], columnExcl)
		check("CSV", rows[1][at:at+3]...)

		var read []chargestream.Invoice
		if err := json.NewDecoder(buffer(t, func(w io.Writer) error { return JSON(w, list) })).
			Decode(&read); err != nil {
			t.Fatal(err)
		}
		if !cmp.Equal(list, read) {
			t.Fatal(cmp.Diff(list, read))
		}

		var doc struct {
			Tax   string `xml:"TaxTotal>TaxAmount"`
			Excl  string `xml:"LegalMonetaryTotal>TaxExclusiveAmount"`
			Incl  string `xml:"LegalMonetaryTotal>TaxInclusiveAmount"`
			Total string `xml:"LegalMonetaryTotal>PayableAmount"`
		}
		if err := xml.NewDecoder(buffer(t, func(w io.Writer) error {
			return UBL(w, &v, seller())
		})).Decode(&doc); err != nil {
			t.Fatal(err)
		}
		signed := func(text string) string {
			if sign != "" {
				return negated(text)
			}
			return text
		}
		check("UBL", signed(doc.Excl), signed(doc.Tax), signed(doc.Incl))
		if doc.Total != doc.Incl {
			t.Fatalf("%s to be paid of %s", doc.Total, doc.Incl)
		}

		statements, err := Statements(list, ByUser, "")
		if err != nil {
			t.Fatal(err)
		}
		s := statements[0]
		check("statement", s.TotalExclVAT, s.TotalVAT, s.TotalInclVAT)
	})
}

// TestPDFTotal reads the totals of the examples back from the page.
func TestPDFTotal(t *testing.T) {
	for _, e := range examples() {
		pdf := written(t, func(w io.Writer) error { return PDF(w, e.v, seller()) })
		want := "\nTotal | " + e.v.TotalExclVAT + " | " + e.v.TotalVAT + " | " + e.v.TotalInclVAT +
			"\n"
		if !bytes.Contains(sheetText(t, pdf), []byte(want)) {
			t.Errorf("%s: no line %q", e.name, want)
		}
	}
}

func buffer(t failer, write func(io.Writer) error) *bytes.Buffer {
	return bytes.NewBuffer(written(t, write))
}

// TestStatementsOfAUserInAnotherCase holds that a user is one however the id is written, and called
// as in the first document.
func TestStatementsOfAUserInAnotherCase(t *testing.T) {
	first, second := plain("s-1"), plain("s-2")
	first.UserID, second.UserID = "DEADBEEF", " deadbeef"
	list, err := Statements([]chargestream.Invoice{*second, *first}, ByUser, "")
	if err != nil || len(list) != 1 || list[0].Key != "DEADBEEF" || len(list[0].Documents) != 2 {
		t.Errorf("%+v, %v", list, err)
	}
}
