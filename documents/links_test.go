package documents

import (
	"bytes"
	"encoding/csv"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream"
)

// corrected is a session that was billed, held once more, and billed again: first, its credit note,
// the draft on hold, the note that withdraws it, and again.
func corrected() []chargestream.Invoice {
	first := *billed(item{dimension: "ENERGY", quantity: "20.450", price: "0.45", percent: "19"})
	first.InvoiceID, first.Revision = "s-1-a", 1
	draft := *heldExample()
	draft.SessionID, draft.StationID = first.SessionID, first.StationID
	draft.InvoiceID, draft.Revision = "s-1-b", 2
	again := *billed(item{dimension: "ENERGY", quantity: "20.000", price: "0.45", percent: "19"})
	again.InvoiceID, again.Revision, again.Energy = "s-1-c", 3, 20_000
	again.Decisions = []chargestream.AppliedDecision{{Action: chargestream.ActionCorrect,
		By: "Ada"}}
	return []chargestream.Invoice{first, creditNote(first, 1_772_539_200_000, "2026-03-03"), draft,
		creditNote(draft, 1_772_539_300_000, "2026-03-03"), again}
}

func TestLinks(t *testing.T) {
	list := corrected()
	note := list[1].InvoiceID
	want := map[string]Links{note: {ReplacedBy: "s-1-c"}, "s-1-c": {Replaces: "s-1-a"}}
	slices.Reverse(list)
	if diff := cmp.Diff(want, LinksOf(list)); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	other := list[0]
	other.StationID = "another" // its session is another one, of the same id
	if diff := cmp.Diff(map[string]Links{}, LinksOf([]chargestream.Invoice{other, list[4],
		list[3]})); diff != "" {
		t.Errorf("links of two sessions (-want +got):\n%s", diff)
	}
	if got := Superseded(list); len(got) != 2 || !got["s-1-a"] || !got["s-1-b"] {
		t.Errorf("superseded: %v", got)
	}
	var ids []string
	for _, v := range Sent(corrected()) {
		ids = append(ids, v.InvoiceID)
	}
	if diff := cmp.Diff([]string{note, "s-1-c"}, ids); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}

// TestDocumentsNameEachOther: the credit note and the new invoice of a correction name the invoices
// that they stand beside, on paper and in the e-invoice.
func TestDocumentsNameEachOther(t *testing.T) {
	list := corrected()
	links := LinksOf(list)
	start, stop := chargestream.WattHours(1000), chargestream.WattHours(21_450)
	for i, texts := range map[int][2][]string{
		0: {{"Invoice"}, {"Replace"}},
		1: {{"Replaced by", "s-1-c", "Credits", "s-1-a"}, {"Replaces"}},
		2: {{"Draft on hold", "this is no invoice"}, {"Replace"}},
		3: {{"Withdrawn draft"}, {"Replace", "Credit note"}},
		4: {{"Replaces", "s-1-a", "corrected by Ada: the registers show 20.450 kWh"},
			{"Replaced by"}},
	} {
		v := list[i]
		v.MeterStart, v.MeterStop = &start, &stop
		pages, _ := readSheet(t, written(t, func(w io.Writer) error {
			return links[v.InvoiceID].PDF(w, &v, nil)
		}))
		text := ""
		for _, cell := range slices.Concat(pages...) {
			text += cell.text + "\n"
		}
		for _, want := range texts[0] {
			if !strings.Contains(text, want) {
				t.Errorf("document %d has no %q:\n%s", i, want, text)
			}
		}
		for _, not := range texts[1] {
			if strings.Contains(text, not) {
				t.Errorf("document %d has %q:\n%s", i, not, text)
			}
		}
	}
	for i, want := range map[int]string{
		1: "<cbc:Note>Replaced by invoice s-1-c.</cbc:Note>",
		4: "<cbc:ID>s-1-a</cbc:ID>",
	} {
		text := string(written(t, func(w io.Writer) error {
			return links[list[i].InvoiceID].UBL(w, &list[i], seller())
		}))
		if !strings.Contains(text, want) {
			t.Errorf("document %d has no %s:\n%s", i, want, text)
		}
	}
}

func TestHours(t *testing.T) {
	for text, want := range map[string]string{"0": "0:00", "1": "1:00", "0.666667": "0:40",
		"-0.75": "-0:45", "1.025": "1:01:30", "25.5": "25:30", "": "", "x": "x", "0.0001": "0:00",
		"0.999999": "1:00", "1e3": "1e3"} {
		if got := Hours(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	l := chargestream.InvoiceLine{Quantity: "0.5", Unit: "h", UnitPrice: "2.1"}
	if Quantity(&l) != "0:30 h" || Price(&l, "EUR") != "2.1 EUR/h" || Price(&l, "") != "2.1/h" {
		t.Errorf("%q at %q", Quantity(&l), Price(&l, "EUR"))
	}
	l = chargestream.InvoiceLine{Dimension: "MAX_PRICE", Quantity: "1", UnitPrice: "2"}
	if Price(&l, "EUR") != "" || Price(&chargestream.InvoiceLine{}, "EUR") != "" {
		t.Error("a line that has no price has one")
	}
}

// TestCSVNamesWhatIsReplaced: as on paper; a draft names nothing.
func TestCSVNamesWhatIsReplaced(t *testing.T) {
	list := corrected()
	rows, err := csv.NewReader(bytes.NewReader(written(t, func(w io.Writer) error {
		return CSV(w, list, LinksOf(list))
	}))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	replaces := slices.Index(rows[0], "replaces")
	var got [][]string
	for _, row := range rows[1:] {
		got = append(got, []string{row[0], row[replaces], row[replaces+1]})
	}
	want := [][]string{{"s-1-a", "", ""}, {list[1].InvoiceID, "", "s-1-c"}, {"s-1-b", "", ""},
		{list[3].InvoiceID, "", ""}, {"s-1-c", "s-1-a", ""}}
	if diff := cmp.Diff(want, got); diff != "" || rows[0][replaces+1] != "replaced_by" {
		t.Errorf("links in CSV (-want +got):\n%s", diff)
	}
}
