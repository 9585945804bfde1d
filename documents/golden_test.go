package documents

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares text with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got), -update writes it anew:\n%s", path, diff)
	}
}

// written is what a writer of documents writes.
func written(t failer, write func(io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// example is a document and what it is an example of.
type example struct {
	name string
	v    *chargestream.Invoice
}

// examples are all that golden files are of. Those that are issued are e-invoices too.
func examples() []example {
	list := []example{
		{"flat", billed(item{dimension: "ENERGY", quantity: "20.450", price: "0.45",
			percent: "19"})},
		{"rates", billed(
			item{dimension: "FLAT", quantity: "1", price: "1", percent: "25"},
			item{dimension: "ENERGY", quantity: "20.450", price: "0.4725", percent: "7"},
			item{dimension: "TIME", quantity: "0.750000", price: "2.1", percent: "19"},
			item{dimension: "PARKING_TIME", quantity: "0.250000", price: "6", percent: "19"})},
		{"reservation", billed(
			item{dimension: "FLAT", quantity: "1", price: "3", percent: "20", reservation: true},
			item{dimension: "TIME", quantity: "0.333333", price: "4", percent: "20",
				reservation: true},
			item{dimension: "ENERGY", quantity: "20.450", price: "0.25", percent: "10"})},
		{"zero-rate", billed(
			item{dimension: "ENERGY", quantity: "20.450", price: "0.25", percent: "0"},
			item{dimension: "TIME", quantity: "1.000000", price: "1", percent: "19.0"})},
		{"free", billed(item{dimension: "ENERGY", quantity: "20.450", price: "0",
			percent: "20"})},
		// 5.045 is 5.05, its VAT 0.5045 is 0.50; that of 5.05 would be 0.51.
		{"rounding", billed(item{dimension: "ENERGY", quantity: "20.180", price: "0.25",
			percent: "10"})},
		{"thirds", billed(
			item{dimension: "FLAT", quantity: "1", price: "0.335", percent: "19"},
			item{dimension: "ENERGY", quantity: "1.000", price: "0.335", percent: "19"},
			item{dimension: "TIME", quantity: "1.000000", price: "0.335", percent: "19"})},
		{"yen", yen()},
		{"maximum", maximum()},
		{"minimum", minimum()},
		{"minimum-alone", minimumAlone()},
		{"long-ids", longIDs()},
		{"facts", facts()},
		{"held", heldExample()},
		{"many-lines", manyLines()},
	}
	note := creditNote(*maximum(), 1_772_539_200_000, "2026-03-03")
	heldNote := creditNote(*heldExample(), 1_772_539_200_000, "2026-03-03")
	return append(list, example{"credit-note", &note}, example{"held-credit-note", &heldNote})
}

func billed(items ...item) *chargestream.Invoice {
	v := plain("s-1")
	bill(v, items...)
	return v
}

func yen() *chargestream.Invoice {
	v := plain("s-1")
	v.Currency, v.TimeZone = "JPY", "Asia/Tokyo"
	bill(v, item{dimension: "ENERGY", quantity: "20.450", price: "55.5", percent: "10"},
		item{dimension: "FLAT", quantity: "1", price: "100", percent: "8"})
	return v
}

// maximum is a bill that max_price limits to 10.00, in two rates.
func maximum() *chargestream.Invoice {
	v := billed(item{dimension: "ENERGY", quantity: "20.450", price: "0.5", percent: "19"},
		item{dimension: "TIME", quantity: "1.000000", price: "2", percent: "7"})
	shift(v, "MAX_PRICE", "7", "-0.37", "-0.03")
	shift(v, "MAX_PRICE", "19", "-1.86", "-0.35")
	return v
}

func minimum() *chargestream.Invoice {
	v := billed(item{dimension: "ENERGY", quantity: "0.450", price: "0.5", percent: "19"})
	shift(v, "MIN_PRICE", "19", "1.77", "0.34")
	return v
}

// minimumAlone is a bill of which no component was active.
func minimumAlone() *chargestream.Invoice {
	v := plain("s-1")
	v.Lines = []chargestream.InvoiceLine{}
	shift(v, "MIN_PRICE", "19", "2.00", "0.38")
	return v
}

// longIDs has identifiers of 255 bytes, with letters that no font has and that XML escapes.
func longIDs() *chargestream.Invoice {
	v := billed(item{dimension: "ENERGY", quantity: "20.450", price: "0.45", percent: "19"})
	long := func(text string) string { return strings.Repeat(text, 255/len(text)) }
	v.SessionID = chargestream.SessionID(long("<&\"世"))
	v.InvoiceID = string(v.SessionID) + "-4c044e54ea"
	v.StationID = chargestream.StationID(long("w"))
	v.ConnectorID = chargestream.ConnectorID(long("Ω1 "))
	v.SiteID = chargestream.SiteID(long("🔌"))
	v.UserID = chargestream.UserID(long("=1+2\u200e\u0085"))
	v.TariffID = chargestream.TariffID(long("Ж)(\\"))
	v.TimeZone = ""
	return v
}

// facts is a bill with everything that a record may have.
func facts() *chargestream.Invoice {
	v := billed(item{dimension: "ENERGY", quantity: "20.500", price: "0.25", percent: "10"},
		item{dimension: "PARKING_TIME", quantity: "0.250000", price: "5", percent: "20"})
	v.Lines[0].Measured, v.Lines[1].Measured = "20.450", "0.133333"
	v.Lines[1].Estimated, v.Estimated = true, true
	v.ParkingSeconds, v.Revision = 480, 2
	// The clock goes forward in between.
	v.StartTime, v.EndTime, v.DurationSeconds = 1_774_744_200_000, 1_774_746_000_000, 1800
	v.IssuedAt, v.BookingDate = 1_774_790_000_000, "2026-03-29"
	v.Decisions = []chargestream.AppliedDecision{
		{DecisionID: "d-1", Action: chargestream.ActionCorrect, DecidedAt: 1_774_780_000_000,
			By: "Änne Öztürk", Reason: "the meter was exchanged,\nsee ticket 4711"},
		{DecisionID: "d-2", Action: chargestream.ActionRelease, DecidedAt: 1_774_790_000_000,
			By: "Bo", Reason: strings.Repeat("seen by two, ", 40)}}
	v.SignedData = []string{`OCMF|{"FV":"1.0"}|{"SD":"3045"}`, "a second\nvalue"}
	return v
}

func heldExample() *chargestream.Invoice {
	v := billed(item{dimension: "ENERGY", quantity: "900.000", price: "0.25", percent: ""})
	v.Status = chargestream.StatusHeld
	v.HoldReasons = []chargestream.HoldReason{chargestream.HoldClockSkew,
		chargestream.HoldOverPower, chargestream.HoldVATUnknown, "of_tomorrow"}
	v.Holds = []chargestream.Hold{
		{Reason: chargestream.HoldClockSkew},
		{Reason: chargestream.HoldOverPower, Evidence: chargestream.Evidence{
			"energy_wh": int64(900_000), "limit_wh": int64(25_200), "duration_s": int64(3600),
			"rating_w": int64(22_000)}},
		{Reason: chargestream.HoldVATUnknown},
		{Reason: "of_tomorrow", Evidence: chargestream.Evidence{"at": v.StartTime, "n": 1e6}}}
	v.TimeZone, v.MeterStart, v.EndTime = "Mars/Olympus", nil, 0
	return v
}

// manyLines goes on on further pages.
func manyLines() *chargestream.Invoice {
	items := make([]item, 120)
	for i := range items {
		items[i] = item{dimension: "ENERGY", quantity: fmt.Sprintf("%d.000", i), price: "0.31",
			percent: []string{"19", "7"}[i%2]}
	}
	return billed(items...)
}

// TestGoldenDocuments holds every example as PDF, and those that are issued as UBL.
func TestGoldenDocuments(t *testing.T) {
	for _, e := range examples() {
		t.Run(e.name, func(t *testing.T) {
			pdf := written(t, func(w io.Writer) error { return PDF(w, e.v, seller()) })
			golden(t, e.name+".pdf.txt", sheetText(t, pdf))
			if issued(e.v) {
				golden(t, e.name+".xml",
					written(t, func(w io.Writer) error { return UBL(w, e.v, seller()) }))
			}
		})
	}
}

// TestGoldenLists holds the examples as CSV and JSON.
func TestGoldenLists(t *testing.T) {
	var list []chargestream.Invoice
	for _, e := range examples() {
		if e.name != "many-lines" {
			list = append(list, *e.v)
		}
	}
	golden(t, "list.csv", written(t, func(w io.Writer) error { return CSV(w, list, nil) }))
	golden(t, "list.json", written(t, func(w io.Writer) error { return JSON(w, list) }))
	golden(t, "empty.csv", written(t, func(w io.Writer) error { return CSV(w, nil, nil) }))
	golden(t, "empty.json", written(t, func(w io.Writer) error { return JSON(w, nil) }))
}

// month are documents of one user: corrected, held, and over the end of the month.
func month() []chargestream.Invoice {
	sessions := make([]chargestream.Invoice, 0, 24)
	for i := range 20 {
		v := *plain(fmt.Sprintf("s-%02d", i))
		v.IssuedAt += chargestream.Millis(i) * chargestream.Hour
		bill(&v, item{dimension: "ENERGY", quantity: "20.450", price: "0.45", percent: "19"},
			item{dimension: "FLAT", quantity: "1", price: "0.5", percent: "7"})
		sessions = append(sessions, v)
	}
	sessions[3].Status = chargestream.StatusHeld
	sessions[3].HoldReasons = []chargestream.HoldReason{chargestream.HoldOverPower}
	sessions[4].Status = chargestream.StatusHeld
	sessions[4].HoldReasons = []chargestream.HoldReason{chargestream.HoldClockSkew}
	sessions[5].BookingDate = "2026-04-01"
	sessions[6].Estimated, sessions[6].ParkingSeconds = true, 420
	sessions[7].SiteID, sessions[7].UserID = "", "=cmd|' /C calc'!A0"
	at := sessions[19].IssuedAt + chargestream.Hour
	corrected := sessions[8]
	corrected.InvoiceID, corrected.Revision = "s-08-0123456789", 2
	corrected.IssuedAt, corrected.Energy, corrected.VATGroups = at, 10_000, nil
	bill(&corrected, item{dimension: "ENERGY", quantity: "10.000", price: "0.45", percent: "19"})
	return append(sessions, creditNote(sessions[8], at, "2026-03-02"), corrected,
		creditNote(sessions[4], at, "2026-03-02"))
}

// TestGoldenStatements holds statements by user and by site in each format.
func TestGoldenStatements(t *testing.T) {
	for _, by := range []StatementBy{ByUser, BySite} {
		statements, err := Statements(month(), by, "")
		if err != nil {
			t.Fatal(err)
		}
		var csv, json, pdf []byte
		for i := range statements {
			s := &statements[i]
			csv = append(csv, written(t, s.CSV)...)
			json = append(json, written(t, s.JSON)...)
			pdf = append(pdf, sheetText(t, written(t, func(w io.Writer) error {
				return s.PDF(w, seller())
			}))...)
		}
		golden(t, "statement-"+string(by)+".csv", csv)
		golden(t, "statement-"+string(by)+".json", json)
		golden(t, "statement-"+string(by)+".pdf.txt", pdf)
	}
}
