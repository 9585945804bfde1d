package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/codecs"
	"chargestream/documents"
	"chargestream/topics"
)

// documentsMax bounds the documents that a command keeps in memory: at two KiB each it is two GiB.
const documentsMax = 1 << 20

// monthForm is how a month is written.
const monthForm = "2006-01"

func (a *app) invoicesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "invoices",
		Short: "List, show and export invoices, and decide about those that are held",
		Example: `chargestream invoices list --brokers localhost:9092 --status held
chargestream invoices show s-1 --brokers localhost:9092`,
	}
	group(cmd)
	a.kafkaFlags(cmd)
	cmd.AddCommand(a.listInvoicesCommand(), a.showInvoicesCommand(), a.exportCommand(),
		a.releaseCommand(), a.correctCommand(), a.cancelCommand(), a.repriceCommand())
	return cmd
}

// invoiceFilter is which documents are asked for; what is empty asks for all.
type invoiceFilter struct {
	user, site, station, session string
	status, reason, month        string
	live, all                    bool
}

// flags adds the flags of a filter to a command.
func (f *invoiceFilter) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.user, "user", "", "only those of this user `id`")
	flags.StringVar(&f.site, "site", "", "only those of this site `id`")
	flags.StringVar(&f.station, "station", "", "only those of this station `id`")
	flags.StringVar(&f.session, "session", "", "only those of this session `id`")
	flags.StringVar(&f.status, "status", "",
		"only those of this `status`: issued, held or cancelled")
	flags.StringVar(&f.reason, "reason", "", "only those held for this `reason`, such as no_tariff")
	flags.StringVar(&f.month, "month", "",
		"only those booked in this `month`, as 2026-03, where the station is")
	flags.BoolVar(&f.live, "live", false,
		"only those that no credit note cancels, without those notes; this is the default")
	flags.BoolVar(&f.all, "all", false, "also documents that are cancelled, and credit notes")
}

// check refuses a filter that no document could pass.
func (f *invoiceFilter) check() error {
	status := chargestream.InvoiceStatus(f.status)
	switch {
	case f.live && f.all:
		return usageError("--live and --all ask for different lists", "give one of them")
	case f.status != "" && !slices.Contains([]chargestream.InvoiceStatus{chargestream.StatusIssued,
		chargestream.StatusHeld, chargestream.StatusCancelled}, status):
		return usageError(fmt.Sprintf("--status %q is none of issued, held, cancelled", f.status),
			"")
	case f.reason != "" && !codecs.KnownHold(chargestream.HoldReason(f.reason)):
		return usageError(fmt.Sprintf("--reason %q is no reason to hold a bill", f.reason),
			"the reasons are "+joinReasons(chargestream.HoldReasons()))
	}
	return checkMonth(f.month)
}

// checkMonth refuses what is no month; an empty text is all months.
func checkMonth(month string) error {
	if _, err := time.Parse(monthForm, month); month != "" && err != nil {
		return usageError(fmt.Sprintf("--month %q is not as 2026-03", month), "")
	}
	return nil
}

// whose reports whether a document is of whom and what is asked for. A credit note has all that of
// the document that it cancels, so both pass, or none.
func (f *invoiceFilter) whose(v *chargestream.Invoice) bool {
	is := func(want, got string) bool { return want == "" || want == got }
	return is(chargestream.FoldID(f.user), string(chargestream.FoldID(v.UserID))) &&
		is(f.site, string(v.SiteID)) &&
		is(f.station, string(v.StationID)) && is(f.session, string(v.SessionID))
}

// names is the id that every document which is asked for has in it as it is; none where only others
// are asked for.
func (f *invoiceFilter) names() []string { return []string{cmp.Or(f.session, f.station, f.site)} }

// passes reports whether a document is asked for, live or not.
func (f *invoiceFilter) passes(v *chargestream.Invoice) bool {
	return f.whose(v) && v.Is(chargestream.InvoiceStatus(f.status)) &&
		(f.reason == "" || slices.Contains(v.HoldReasons, chargestream.HoldReason(f.reason))) &&
		(f.month == "" || strings.HasPrefix(v.BookingDate, f.month+"-"))
}

// choose is the documents that are asked for, of all that are.
func (f *invoiceFilter) choose(list []chargestream.Invoice) []chargestream.Invoice {
	if !f.all {
		list = documents.Live(list)
	}
	var chosen []chargestream.Invoice
	for i := range list {
		if f.passes(&list[i]) {
			chosen = append(chosen, list[i])
		}
	}
	return chosen
}

// history is what the invoices topic holds, by booking date and moment.
type history struct {
	documents []chargestream.Invoice
	places    map[string]place // of each document's record, by its id
	end       map[int32]int64  // the offsets behind what was read, by partition
	// unreadable are records that are no document, as partition@offset and why.
	unreadable []string
}

// place is where a record lies in its topic.
type place struct {
	partition int32
	offset    int64
}

// unreadableMax bounds the unreadable records of which the place is shown.
const unreadableMax = 20

// readInvoices reads the documents of the invoices topic that are kept, each key's newest.
func (a *app) readInvoices(ctx context.Context, keep func(*chargestream.Invoice) bool) (
	*history, error) {
	return a.readInvoicesNaming(ctx, nil, keep)
}

// readInvoicesNaming is readInvoices of documents that name one of some ids. Where an id is written
// in a record as it is, a record without it is not decoded: that is what costs.
func (a *app) readInvoicesNaming(ctx context.Context, ids []string,
	keep func(*chargestream.Invoice) bool) (*history, error) {
	texts := plainTexts(ids)
	client, err := a.readingClient(ctx, topics.Invoices)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	newest, bad := map[string]*chargestream.Invoice{}, map[string]string{}
	h := &history{places: map[string]place{}}
	h.end, err = a.eachRecord(ctx, client, topics.Invoices, nil, func(r *kgo.Record) error {
		key := string(r.Key)
		delete(newest, key)
		delete(bad, key)
		if len(r.Value) == 0 || texts != nil && !slices.ContainsFunc(texts, func(t []byte) bool {
			return bytes.Contains(r.Value, t)
		}) {
			return nil
		}
		v, err := readInvoice(r)
		switch {
		case err != nil:
			bad[key] = fmt.Sprintf("%d@%d: %v", r.Partition, r.Offset, err)
		case keep(v):
			newest[key] = v
			h.places[key] = place{r.Partition, r.Offset}
		}
		if len(newest) > documentsMax {
			return &exitError{code: exitRuntime,
				what: fmt.Sprintf("there are more than %d documents", documentsMax),
				hint: "ask for fewer: a station, or a shorter period"}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, v := range newest {
		h.documents = append(h.documents, *v)
	}
	slices.SortFunc(h.documents, compareDocuments)
	for _, why := range bad {
		h.unreadable = append(h.unreadable, why)
	}
	slices.Sort(h.unreadable)
	return h, nil
}

// plainTexts are ids as JSON has them; nil where there are several ways to write one.
func plainTexts(ids []string) [][]byte {
	var texts [][]byte
	for _, id := range ids {
		if id == "" {
			continue
		}
		if strings.IndexFunc(id, func(r rune) bool {
			return r < ' ' || r > '~' || strings.ContainsRune(`"\\/<>&`, r)
		}) >= 0 {
			return nil
		}
		texts = append(texts, []byte(`"`+id+`"`))
	}
	return texts
}

func readInvoice(r *kgo.Record) (*chargestream.Invoice, error) {
	v := &chargestream.Invoice{}
	if err := json.Unmarshal(r.Value, v); err != nil {
		return nil, err
	}
	if v.InvoiceID != string(r.Key) {
		return nil, fmt.Errorf("the key is not the invoice_id %q", v.InvoiceID)
	}
	return v, nil
}

// compareDocuments is the order in which documents were issued: of one session the credit note
// before what takes the place of what it cancels.
func compareDocuments(a, b chargestream.Invoice) int {
	return cmp.Or(cmp.Compare(a.BookingDate, b.BookingDate), cmp.Compare(a.IssuedAt, b.IssuedAt),
		cmp.Compare(a.SessionID, b.SessionID), cmp.Compare(a.Kind, b.Kind),
		cmp.Compare(a.Revision, b.Revision), cmp.Compare(a.InvoiceID, b.InvoiceID))
}

// warn warns of records that are no documents: they are in no list.
func (a *app) warn(h *history) {
	if len(h.unreadable) == 0 {
		return
	}
	shown := h.unreadable[:min(len(h.unreadable), unreadableMax)]
	fmt.Fprintf(a.stderr, "warning: %d records of %s cannot be read: %s\n", len(h.unreadable),
		topics.Invoices, harmless(strings.Join(shown, "; ")))
}

func (a *app) listInvoicesCommand() *cobra.Command {
	var f invoiceFilter
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List invoices and credit notes, oldest first",
		Long: "List invoices and credit notes, oldest first. Besides table and json, --output " +
			"takes csv.",
		Example: `chargestream invoices list --brokers localhost:9092 --reason no_tariff
chargestream invoices list --brokers localhost:9092 --month 2026-03 --all -o csv`,
		Annotations: map[string]string{writesCSV: ""},
		Args:        noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			h, err := a.readInvoicesNaming(cmd.Context(), f.names(), f.whose)
			if err != nil {
				return err
			}
			a.warn(h)
			return a.printInvoices(f.choose(h.documents), documents.LinksOf(h.documents))
		},
	}
	f.flags(cmd)
	return cmd
}

func (a *app) printInvoices(list []chargestream.Invoice,
	links map[string]documents.Links) error {
	switch a.output {
	case outputCSV:
		return documents.CSV(a.stdout, list, links)
	case outputJSON:
		for i := range list {
			if err := a.printJSON(&list[i]); err != nil {
				return err
			}
		}
		return nil
	}
	// A session is what the other commands take: its id stays whole. A document's id is its
	// session's with a fingerprint behind it, so its end is what tells two apart.
	columns := []column{{title: "BOOKED"}, {title: "DOCUMENT", give: 3, end: true},
		{title: "SESSION"}, {title: "STATUS"}, {title: "USER", give: 2},
		{title: "STATION", give: 2}, {title: "ENERGY"}, {title: "TOTAL"},
		{title: "HELD FOR", give: 1}}
	var rows [][]string
	for i := range list {
		v := &list[i]
		rows = append(rows, []string{preview(v.BookingDate), preview(v.InvoiceID),
			preview(string(v.SessionID)), preview(statusOf(v)), preview(string(v.UserID)),
			preview(string(v.StationID) + "/" + string(v.ConnectorID)),
			kilowattHours(energyOf(v)), preview(money(v.TotalInclVAT, v)),
			harmless(joinReasons(v.HoldReasons))})
	}
	if len(rows) == 0 {
		return a.printf("no documents; \"chargestream invoices list --all\" has those that are " +
			"cancelled too, and \"chargestream why SESSION\" says why a session has none\n")
	}
	return a.printTable(columns, rows)
}

// statusOf is what a document is, in one word.
func statusOf(v *chargestream.Invoice) string {
	if v.Kind == chargestream.KindCreditNote {
		return "credit"
	}
	return string(v.Status)
}

func joinReasons(reasons []chargestream.HoldReason) string {
	texts := make([]string, len(reasons))
	for i, r := range reasons {
		texts[i] = string(r)
	}
	return strings.Join(texts, ", ")
}

// money is an amount of a document; one that has no tariff has no currency.
func money(amount string, v *chargestream.Invoice) string {
	return strings.TrimSpace(amount + " " + v.Currency)
}

// energyOf is what a document adds to a sum of energy: what a credit note takes back is negative,
// although its record has the energy of the invoice.
func energyOf(v *chargestream.Invoice) chargestream.WattHours {
	if v.Kind == chargestream.KindCreditNote {
		return -v.Energy
	}
	return v.Energy
}

func kilowattHours(e chargestream.WattHours) string {
	return codecs.FormatScaled(int64(e), 3) + " kWh"
}
