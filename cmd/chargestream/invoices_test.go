package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/codecs"
	"chargestream/internal/kafkatest"
	"chargestream/topics"
)

// noon is 2026-03-02T12:00:00Z.
const noon = chargestream.Millis(1772452800000)

// bill is an issued invoice of 4 kWh for 2.16 EUR, of a session of 40 minutes.
func bill(session chargestream.SessionID, change func(*chargestream.Invoice)) chargestream.Invoice {
	v := chargestream.Invoice{InvoiceID: string(session) + "-0123456789", SessionID: session,
		Revision: 1, Kind: chargestream.KindInvoice, Status: chargestream.StatusIssued,
		IssuedAt: noon + 50*chargestream.Minute, BookingDate: "2026-03-02", StationID: "st-1",
		ConnectorID: "2", SiteID: "lyon-1", TimeZone: "Europe/Paris", UserID: "card-7",
		Currency: "EUR", StartTime: noon, EndTime: noon + 40*chargestream.Minute,
		DurationSeconds: 2400, Energy: 4000, TariffID: "city-ac", TariffValidFrom: noon,
		Lines: []chargestream.InvoiceLine{{Dimension: "ENERGY", Description: "Energy",
			Quantity: "4.000", Measured: "4.000", Unit: "kWh", UnitPrice: "0.45", ExclVAT: "1.80",
			VATPercent: "20", VAT: "0.36", InclVAT: "2.16"}},
		VATGroups: []chargestream.VATGroup{{VATPercent: "20", ExclVAT: "1.80", VAT: "0.36",
			InclVAT: "2.16"}},
		TotalExclVAT: "1.80", TotalVAT: "0.36", TotalInclVAT: "2.16"}
	if change != nil {
		change(&v)
	}
	return v
}

// held holds a bill.
func held(reasons ...chargestream.HoldReason) func(*chargestream.Invoice) {
	return func(v *chargestream.Invoice) {
		v.Status, v.HoldReasons = chargestream.StatusHeld, reasons
	}
}

// credited is the credit note of an invoice, at the moment of what follows it.
func credited(v chargestream.Invoice, at chargestream.Millis) chargestream.Invoice {
	minus := func(text string) string { return "-" + text }
	v.Credits, v.InvoiceID = v.InvoiceID, v.InvoiceID+"-credit"
	v.Kind, v.IssuedAt = chargestream.KindCreditNote, at
	v.TotalExclVAT, v.TotalVAT = minus(v.TotalExclVAT), minus(v.TotalVAT)
	v.TotalInclVAT = minus(v.TotalInclVAT)
	v.Lines = slices.Clone(v.Lines)
	for i := range v.Lines {
		l := &v.Lines[i]
		l.Quantity, l.Measured, l.ExclVAT = minus(l.Quantity), minus(l.Measured), minus(l.ExclVAT)
		l.VAT, l.InclVAT = minus(l.VAT), minus(l.InclVAT)
	}
	v.VATGroups = slices.Clone(v.VATGroups)
	for i := range v.VATGroups {
		g := &v.VATGroups[i]
		g.ExclVAT, g.VAT, g.InclVAT = minus(g.ExclVAT), minus(g.VAT), minus(g.InclVAT)
	}
	return v
}

// billed starts a broker whose invoices topic has these documents.
func billed(t *testing.T, list ...chargestream.Invoice) (kafkatest.Broker, string) {
	t.Helper()
	b, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "", "")
	var records []*kgo.Record
	for i := range list {
		value, err := json.Marshal(&list[i])
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, &kgo.Record{Topic: topics.Invoices,
			Key: []byte(list[i].InvoiceID), Value: value})
	}
	kafkatest.MustProduce(t, b, records...)
	return b, brokers
}

// billedHistory is one session that was billed twice, one that is held, and one of another user.
func billedHistory() []chargestream.Invoice {
	first := bill("s-1", nil)
	again := bill("s-1", func(v *chargestream.Invoice) {
		v.InvoiceID, v.Revision, v.IssuedAt = "s-1-aaaaaaaaaa", 2, noon+chargestream.Day
		v.BookingDate, v.Energy = "2026-04-01", 3990
		v.Decisions = []chargestream.AppliedDecision{{DecisionID: "d-1", By: "Ada",
			Action: chargestream.ActionCorrect, DecidedAt: noon, Reason: "display"}}
	})
	return []chargestream.Invoice{first, credited(first, again.IssuedAt), again,
		bill("s-1-x", func(v *chargestream.Invoice) {
			held(chargestream.HoldNoTariff, chargestream.HoldOverPower)(v)
			v.Holds = []chargestream.Hold{{Reason: chargestream.HoldOverPower,
				Evidence: chargestream.Evidence{"energy_wh": 48_000, "limit_wh": 13_100,
					"duration_s": 1800, "rating_w": 22_000}}}
		}),
		bill("s-3", func(v *chargestream.Invoice) { v.UserID, v.SiteID = "card-8", "nice-1" })}
}

// listed runs list and returns the ids that it lists.
func listed(t *testing.T, brokers string, flags ...string) []string {
	t.Helper()
	got := run(t, nil, append([]string{"invoices", "list", brokers, "-o", "json"}, flags...)...)
	got.want(t, exitOK, "", "")
	var ids []string
	for line := range strings.Lines(got.stdout) {
		var v chargestream.Invoice
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, v.InvoiceID)
	}
	return ids
}

func TestListInvoices(t *testing.T) {
	_, brokers := billed(t, billedHistory()...)
	const old, note, live = "s-1-0123456789", "s-1-0123456789-credit", "s-1-aaaaaaaaaa"
	const heldOne, other = "s-1-x-0123456789", "s-3-0123456789"
	for flags, want := range map[string][]string{
		"":                                {heldOne, other, live},
		"--live":                          {heldOne, other, live},
		"--all":                           {old, heldOne, other, note, live},
		"--user=card-8":                   {other},
		"--site=lyon-1":                   {heldOne, live},
		"--station=st-2":                  nil,
		"--session=s-1":                   {live},
		"--session=s-1 --all":             {old, note, live},
		"--status=held":                   {heldOne},
		"--status=issued --month=2026-03": {other},
		"--reason=over_power":             {heldOne},
		"--reason=clock_skew":             nil,
		"--month=2026-04":                 {live},
		"--month=2026-03 --all":           {old, heldOne, other, note},
	} {
		if diff := cmp.Diff(want, listed(t, brokers, strings.Fields(flags)...)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", flags, diff)
		}
	}
	run(t, nil, "invoices", "list", brokers).
		want(t, exitOK, "no_tariff, over_power\n", "")
	run(t, nil, "invoices", "list", brokers, "-o", "csv", "--user", "card-8").
		want(t, exitOK, "\ns-3-0123456789,invoice,issued,", "")
}

func TestListInvoicesRefuses(t *testing.T) {
	for flags, why := range map[string]string{
		"--live --all":       "--live and --all",
		"--status=paid":      `--status "paid"`,
		"--reason=bad":       `--reason "bad"`,
		"--month=2026-3":     `--month "2026-3"`,
		"--month=2026-13":    `--month "2026-13"`,
		"--output=xml":       "none of table, json and csv",
		"s-1":                "takes no argument",
		"--month=2026-03-01": "not as 2026-03",
	} {
		run(t, nil, append([]string{"invoices", "list"}, strings.Fields(flags)...)...).
			want(t, exitUsage, "", why)
	}
	run(t, nil, "topics", "-o", "csv").want(t, exitUsage, "", "neither table nor json")
}

// TestListShowsRecordsThatAreNone: a warning counts them, and the others are listed. A document
// that was taken out is gone.
func TestListShowsRecordsThatAreNone(t *testing.T) {
	b, brokers := billed(t, bill("s-1", nil), bill("s-2", func(v *chargestream.Invoice) {
		v.UserID = "\x1b[31mred"
	}), bill("s-3", nil))
	kafkatest.MustProduce(t, b,
		&kgo.Record{Topic: topics.Invoices, Key: []byte("a"), Value: []byte("{\x1b")},
		&kgo.Record{Topic: topics.Invoices, Key: []byte("b"), Value: []byte(`{"invoice_id":"c"}`)},
		&kgo.Record{Topic: topics.Invoices, Key: []byte("s-3-0123456789")})
	got := run(t, nil, "invoices", "list", brokers)
	if got.code != exitOK || !strings.Contains(got.stderr, "warning: 2 records") ||
		!strings.Contains(got.stderr, "the key is not the invoice_id") ||
		!strings.Contains(got.stdout, "s-1-0123456789") || strings.Contains(got.stdout, "s-3") {
		t.Errorf("%+v", got)
	}
	if strings.Contains(got.stdout+got.stderr, "\x1b") {
		t.Errorf("a value speaks to the terminal: %q", got.stdout+got.stderr)
	}
}

func TestShowInvoices(t *testing.T) {
	b, brokers := billed(t, billedHistory()...)
	var records []*kgo.Record
	for _, d := range []chargestream.Decision{
		{StationID: "st-1", DecisionID: "d-1", SessionID: "s-1", Time: noon, By: "Ada",
			Reason: "display", Action: chargestream.ActionReprice},
		{StationID: "st-1", DecisionID: "d-2", SessionID: "s-1", Time: noon + 1, By: "Eve",
			Reason: "late\n\x1b[31m", Action: chargestream.ActionCancel},
		{StationID: "st-1", DecisionID: "d-3", SessionID: "s-3", Time: noon, By: "Eve",
			Reason: "other", Action: chargestream.ActionCancel},
	} {
		value, err := codecs.EncodeEvent(&d)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, &kgo.Record{Topic: topics.BillingDecisions,
			Key: []byte(d.StationID), Value: value})
	}
	records = append(records, &kgo.Record{Topic: topics.BillingDecisions, Key: []byte("st-1"),
		Value: []byte("{}")})
	kafkatest.MustProduce(t, b, records...)
	for _, id := range []string{"s-1", "s-1-aaaaaaaaaa", "s-1-0123456789-credit"} {
		got := run(t, nil, "invoices", "show", id, brokers)
		got.want(t, exitOK, "credit note s-1-0123456789-credit, cancels s-1-0123456789, replaced "+
			"by s-1-aaaaaaaaaa\n", "")
		got.want(t, exitOK, "revision 2, issued, replaces s-1-0123456789\n", "")
		got.want(t, exitOK, "to 2026-03-02T12:40:00Z, 0:40 h, parked 0:00 h\n", "")
		got.want(t, exitOK, "4.000 kWh  at 0.45 EUR/kWh  1.80", "")
		got.want(t, exitOK, "now       s-1-aaaaaaaaaa: 2.16 EUR, issued\n", "")
		got.want(t, exitOK, "correct by Ada at 2026-03-02T12:00:00Z: display", "")
		got.want(t, exitOK, "reprice d-1 by Ada: display (applied)", "")
		got.want(t, exitOK, "cancel d-2 by Eve: late··[31m (no document rests on it)", "")
		got.want(t, exitOK, "4.000 kWh", "")
		if strings.Contains(got.stdout, "s-1-x") || strings.Contains(got.stdout, "d-3") {
			t.Errorf("%s shows another session:\n%s", id, got.stdout)
		}
	}
	shown := run(t, nil, "invoices", "show", "s-1-x", brokers)
	shown.want(t, exitOK, "s-1-x-0123456789: 2.16 EUR, held for no_tariff, over_power\n", "")
	shown.want(t, exitOK, "  held      no_tariff: No tariff was in force for the station at the "+
		"start.\n  held      over_power: 48.000 kWh in 30 min; a connector rated 22.0 kW delivers "+
		"13.1 kWh at most\n", "")
	lines := run(t, nil, "invoices", "show", "s-1", brokers, "-o", "json")
	lines.want(t, exitOK, `"decision_id":"d-2"`, "")
	if n := strings.Count(lines.stdout, "\n"); n != 5 {
		t.Errorf("%d lines, want three documents and two decisions:\n%s", n, lines.stdout)
	}
	run(t, nil, "invoices", "show", "s", brokers).want(t, exitNotFound, "", `"s"`)
	run(t, nil, "invoices", "show", brokers).want(t, exitUsage, "", "one argument")
}

// exported runs an export and reads its answer.
func exported(t *testing.T, code int, args ...string) exportAnswer {
	t.Helper()
	got := run(t, nil, append(args, "-o", "json")...)
	if got.code != code {
		t.Fatalf("exit code %d, want %d: %s%s", got.code, code, got.stdout, got.stderr)
	}
	var answer exportAnswer
	if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// filesOf are the names of the files in a folder.
func filesOf(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
