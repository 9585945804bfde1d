package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/codecs"
	"chargestream/documents"
	"chargestream/topics"
)

func (a *app) showInvoicesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show all documents of a session, and what was decided about it",
		Long: "Show all documents of a session, with their credit notes, and what was decided " +
			"about it, in the order in which it came. ID is that of the session, or of one of " +
			"its documents. With -o json each document is one line, and so is each decision.",
		Example: `chargestream invoices show s-1 --brokers localhost:9092
chargestream invoices show s-1-4c044e54ea --brokers localhost:9092 -o json`,
		Args: oneArg("the id of a session or of a document"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.showInvoices(cmd.Context(), args[0])
		},
	}
}

// oneArg refuses everything but one argument, which is described by what.
func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 && args[0] != "" {
			return nil
		}
		return usageError(fmt.Sprintf("%q takes one argument: %s", cmd.CommandPath(), what),
			fmt.Sprintf("see %q", cmd.CommandPath()+" --help"))
	}
}

func (a *app) showInvoices(ctx context.Context, id string) error {
	h, err := a.sessionHistory(ctx, id)
	if err != nil {
		return err
	}
	session := h.documents[0].SessionID
	decisions, err := a.readDecisions(ctx, session)
	if err != nil {
		return err
	}
	if a.output == outputJSON {
		return a.printHistoryJSON(h, decisions)
	}
	return a.printHistory(h, decisions)
}

// sessionIn is the session of a text that is the id of a document, as docs/format/keys.md has it;
// empty for any other.
func sessionIn(id string) string {
	const digits = 10
	id = strings.TrimSuffix(id, "-credit")
	at := len(id) - digits - 1
	if at <= 0 || id[at] != '-' {
		return ""
	}
	return id[:at]
}

// sessionHistory is the history of the session that has this id, or a document of this id.
func (a *app) sessionHistory(ctx context.Context, id string) (*history, error) {
	// The id of a document begins with that of its session, and another session's id may as well.
	h, err := a.readInvoicesNaming(ctx, []string{id, sessionIn(id)},
		func(v *chargestream.Invoice) bool {
			return strings.HasPrefix(id, string(v.SessionID))
		})
	if err != nil {
		return nil, err
	}
	a.warn(h)
	session := chargestream.SessionID(id)
	for i := range h.documents {
		if h.documents[i].InvoiceID == id {
			session = h.documents[i].SessionID
		}
	}
	h.documents = slices.DeleteFunc(h.documents, func(v chargestream.Invoice) bool {
		return v.SessionID != session
	})
	if len(h.documents) == 0 {
		return nil, &exitError{code: exitNotFound,
			what: fmt.Sprintf("no document is %q, or of a session %q", id, id),
			hint: fmt.Sprintf("\"chargestream why %s\" says what came of it and when it is "+
				"billed; \"chargestream invoices list\" has what was billed", id)}
	}
	return h, nil
}

// readDecisions reads what was decided about a session, in the order of its time. The same id is
// the same decision; which of two counts is for the processor to say, so both are shown.
func (a *app) readDecisions(ctx context.Context, session chargestream.SessionID) (
	[]*chargestream.Decision, error) {
	client, err := a.readingClient(ctx, topics.BillingDecisions)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var list []*chargestream.Decision
	_, err = a.eachRecord(ctx, client, topics.BillingDecisions, nil, func(r *kgo.Record) error {
		// What is no decision is a dead letter, and listed as one.
		event, err := codecs.DecodeDecision(r.Value)
		if d, ok := event.(*chargestream.Decision); err == nil && ok && d.SessionID == session {
			list = append(list, d)
		}
		return nil
	})
	slices.SortStableFunc(list, func(a, b *chargestream.Decision) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.DecisionID, b.DecisionID))
	})
	return list, err
}

func (a *app) printHistoryJSON(h *history, decisions []*chargestream.Decision) error {
	for i := range h.documents {
		if err := a.printJSON(&h.documents[i]); err != nil {
			return err
		}
	}
	for _, d := range decisions {
		value, err := codecs.EncodeEvent(d)
		if err != nil {
			return err
		}
		if err := a.printf("%s\n", value); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) printHistory(h *history, decisions []*chargestream.Decision) error {
	var text strings.Builder
	last := &h.documents[len(h.documents)-1]
	fmt.Fprintf(&text, "session   %s\nstation   %s, connector %s%s\nuser      %s\n",
		harmless(string(last.SessionID)), harmless(string(last.StationID)),
		harmless(string(last.ConnectorID)), labelled(", site ", string(last.SiteID)),
		harmless(cmp.Or(string(last.UserID), "not known")))
	links := documents.LinksOf(h.documents)
	for i := range h.documents {
		v := &h.documents[i]
		writeDocument(&text, v, links[v.InvoiceID])
	}
	writeDecisions(&text, decisions, h.documents)
	text.WriteString("\n")
	for _, v := range documents.Live(h.documents) {
		fmt.Fprintf(&text, "now       %s: %s, %s%s\n", harmless(v.InvoiceID),
			harmless(money(v.TotalInclVAT, &v)), harmless(string(v.Status)),
			labelled(" for ", joinReasons(v.HoldReasons)))
	}
	return a.printf("%s", text.String())
}

// labelled is a text behind a label; empty where there is no text.
func labelled(label, text string) string {
	if text == "" {
		return ""
	}
	return label + harmless(text)
}

// writeDocument writes one invoice or credit note.
func writeDocument(w io.Writer, v *chargestream.Invoice, of documents.Links) {
	head := fmt.Sprintf("invoice %s, revision %d, %s%s%s", v.InvoiceID, v.Revision, v.Status,
		labelled(" for ", joinReasons(v.HoldReasons)), labelled(", replaces ", of.Replaces))
	if v.Kind == chargestream.KindCreditNote {
		head = fmt.Sprintf("credit note %s, cancels %s%s", v.InvoiceID, v.Credits,
			labelled(", replaced by ", of.ReplacedBy))
	}
	fmt.Fprintf(w, "\n%s  %s\n", v.IssuedAt, harmless(head))
	writeHolds(w, v)
	fmt.Fprintf(w, "  booked    %s%s\n", harmless(v.BookingDate), labelled(", ", v.TimeZone))
	fmt.Fprintf(w, "  time      %s to %s, %s, parked %s\n", orNone(v.StartTime), orNone(v.EndTime),
		seconds(v.DurationSeconds), seconds(v.ParkingSeconds))
	estimated := ""
	if v.Estimated {
		estimated = ", estimated"
	}
	fmt.Fprintf(w, "  energy    %s%s%s%s%s\n", kilowattHours(energyOf(v)), register(", from ",
		v.MeterStart), register(" to ", v.MeterStop), estimated,
		labelled("; ", documents.EnergyNote(v)))
	if v.TariffID != "" {
		fmt.Fprintf(w, "  tariff    %s of %s\n", harmless(string(v.TariffID)), v.TariffValidFrom)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, l := range v.Lines {
		fmt.Fprintf(table, "  %s\t%s\tat %s\t%s\tVAT %s (%s %%)\t%s\n", harmless(l.Description),
			harmless(documents.Quantity(&l)), harmless(cmp.Or(documents.Price(&l, v.Currency),
				"-")), harmless(l.ExclVAT), harmless(l.VAT),
			harmless(cmp.Or(l.VATPercent, "unknown")), harmless(l.InclVAT))
	}
	// A strings.Builder takes everything.
	table.Flush()
	fmt.Fprintf(w, "  total     %s, with VAT of %s\n", harmless(money(v.TotalInclVAT, v)),
		harmless(v.TotalVAT))
	for _, d := range v.Decisions {
		fmt.Fprintf(w, "  decided   %s by %s at %s: %s\n", d.Action, harmless(d.By), d.DecidedAt,
			harmless(d.Reason))
	}
}

// writeHolds writes why an invoice is held, with what shows it.
func writeHolds(w io.Writer, v *chargestream.Invoice) {
	if v.Kind == chargestream.KindCreditNote {
		return
	}
	for _, reason := range v.HoldReasons {
		hold := chargestream.Hold{Reason: reason}
		for _, h := range v.Holds {
			if h.Reason == reason {
				hold = h
			}
		}
		fmt.Fprintf(w, "  held      %s: %s\n", harmless(string(reason)),
			harmless(documents.HoldText(hold)))
	}
}

// writeDecisions writes what was decided, and whether the newest document rests on it.
func writeDecisions(w io.Writer, list []*chargestream.Decision, of []chargestream.Invoice) {
	applied := map[string]bool{}
	for i := range of {
		for _, d := range of[i].Decisions {
			applied[d.DecisionID] = true
		}
	}
	if len(list) > 0 {
		fmt.Fprintln(w, "\ndecisions")
	}
	for _, d := range list {
		state := "no document rests on it"
		if applied[d.DecisionID] {
			state = "applied"
		}
		fmt.Fprintf(w, "  %s  %s %s by %s: %s (%s)\n", d.Time, d.Action, harmless(d.DecisionID),
			harmless(d.By), harmless(d.Reason), state)
	}
}

func orNone(m chargestream.Millis) string { return cmp.Or(m.String(), "not known") }

// seconds is a duration as h:mm, with seconds where there are any.
func seconds(s int64) string {
	sign := ""
	if s < 0 {
		sign, s = "-", -s
	}
	text := fmt.Sprintf("%s%d:%02d", sign, s/3600, s/60%60)
	if s%60 != 0 {
		text += fmt.Sprintf(":%02d", s%60)
	}
	return text + " h"
}

// register is the reading of a register behind a label; empty where there is none.
func register(label string, e *chargestream.WattHours) string {
	if e == nil {
		return ""
	}
	return label + kilowattHours(*e)
}
