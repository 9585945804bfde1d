package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"chargestream"
	"chargestream/reconcile"
	"chargestream/reconcile/source"
	"chargestream/topics"
)

// reconcileFlags are the flags of reconcile.
type reconcileFlags struct {
	month, from, to, asOf string
}

// reconcileAnswer is what reconcile prints as JSON.
type reconcileAnswer struct {
	*reconcile.Report
	AddsUp bool `json:"adds_up"`
	// Unreadable are records that are in no sum, as partition@offset and why, by topic.
	Unreadable map[string][]string `json:"unreadable,omitempty"`
}

func (a *app) reconcileCommand() *cobra.Command {
	var f reconcileFlags
	cmd := &cobra.Command{
		Use:   "reconcile",
		Short: "Hold the bills of a period against the energy that meters counted",
		Long: "Hold the bills of a period against the energy that meters counted: what was " +
			"metered is what was invoiced, what is held, and gaps that have a name. Sessions " +
			"are read from the sessions table, registers from the hours table, and bills from " +
			"the invoices topic. A session belongs to the period, in UTC, in which it ended. " +
			"Exit code 6 says that it does not add up: a bill is missing, there twice, of " +
			"another energy or of no session, or a credit note does not cancel what it names.",
		Example: `chargestream reconcile --brokers localhost:9092 --month 2026-03
chargestream reconcile --brokers localhost:9092 --from 2026-03-01T00:00:00Z ` +
			`--to 2026-03-08T00:00:00Z -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			in, err := f.period()
			if err != nil {
				return err
			}
			return a.reconcile(cmd.Context(), in)
		},
	}
	a.kafkaFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.month, "month", "", "the `month`, as 2026-03; or --from and --to")
	flags.StringVar(&f.from, "from", "", "the begin of the period as a `time`, RFC 3339")
	flags.StringVar(&f.to, "to", "", "the `time` of its end, which is not in it")
	flags.StringVar(&f.asOf, "as-of", "", "the `time` up to which bills that are due must be "+
		"there; by default an hour before the latest arrival in the tables")
	return cmd
}

// period reads the flags.
func (f *reconcileFlags) period() (*reconcile.Input, error) {
	in := &reconcile.Input{}
	if (f.month == "") == (f.from == "" && f.to == "") || (f.from == "") != (f.to == "") {
		return nil, usageError("the period is not given", "set --month, or --from and --to")
	}
	if err := checkMonth(f.month); err != nil {
		return nil, err
	}
	if begin, err := time.Parse(monthForm, f.month); err == nil {
		in.From = chargestream.MillisOf(begin)
		in.To = chargestream.MillisOf(begin.AddDate(0, 1, 0))
	}
	for _, flag := range []struct {
		name, text string
		into       *chargestream.Millis
	}{{"--from", f.from, &in.From}, {"--to", f.to, &in.To}, {"--as-of", f.asOf, &in.AsOf}} {
		if flag.text == "" {
			continue
		}
		if err := flag.into.UnmarshalText([]byte(flag.text)); err != nil {
			return nil, usageError(flag.name+": "+err.Error(), "write 2026-03-01T00:00:00Z")
		}
	}
	if in.From >= in.To {
		return nil, usageError(fmt.Sprintf("the period ends at %s, not after its begin at %s",
			in.To, in.From), "")
	}
	return in, nil
}

// readSources fills the input, the documents first: see package source. It returns the records that
// cannot be read, by topic.
func (a *app) readSources(ctx context.Context, in *reconcile.Input) (map[string][]string, error) {
	h, err := a.readInvoices(ctx, func(v *chargestream.Invoice) bool {
		return source.Concerns(in, v)
	})
	if err != nil {
		return nil, err
	}
	in.Documents = h.documents
	client, err := a.readingClient(ctx, source.Topics()...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	unreadable, err := source.Read(ctx, a.reader(client), in)
	if err != nil {
		return nil, a.readError(err)
	}
	if len(h.unreadable) > 0 {
		unreadable[topics.Invoices] = h.unreadable
	}
	return unreadable, nil
}

func (a *app) reconcile(ctx context.Context, in *reconcile.Input) error {
	unreadable, err := a.readSources(ctx, in)
	if err != nil {
		return err
	}
	report := reconcile.Check(in)
	answer := reconcileAnswer{Report: report, Unreadable: unreadable,
		AddsUp: report.AddsUp() && len(unreadable) == 0}
	if a.output == outputJSON {
		err = a.printJSON(answer)
	} else {
		err = a.printReport(&answer)
	}
	if err != nil || answer.AddsUp {
		return err
	}
	return &exitError{code: exitProblems, what: fmt.Sprintf("it does not add up: %d Wh are "+
		"unexplained, %d findings", report.Sum.Unexplained, len(report.Findings)),
		hint: "see \"chargestream invoices show\" of the sessions that are named"}
}

func (a *app) printReport(answer *reconcileAnswer) error {
	table := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "CONNECTOR\tSESSIONS\tMETERED\tINVOICED\tHELD\tGAPS\tUNEXPLAINED\t")
	row := func(name string, b *reconcile.Balance) {
		var gaps chargestream.WattHours
		for _, g := range b.Gaps {
			gaps += g.Energy
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t\n", name, b.Sessions,
			kilowattHours(b.Metered), kilowattHours(b.Invoiced), kilowattHours(b.Held),
			kilowattHours(gaps), kilowattHours(b.Unexplained))
	}
	for i := range answer.Connectors {
		b := &answer.Connectors[i]
		row(preview(string(b.StationID)+"/"+string(b.ConnectorID)), b)
	}
	row("all", &answer.Sum)
	for _, g := range answer.Sum.Gaps {
		fmt.Fprintf(table, "gap %s\t%d\t\t\t\t%s\t\t\n", g.Name, g.Count, kilowattHours(g.Energy))
	}
	for _, n := range answer.Sum.Notes {
		fmt.Fprintf(table, "note %s\t%d\t\t\t\t(%s)\t\t\n", n.Name, n.Count,
			kilowattHours(n.Energy))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, f := range answer.Findings {
		err := a.printf("%s: session %s%s on %s/%s: %s\n", f.Kind, harmless(string(f.SessionID)),
			labelled(", document ", f.InvoiceID), harmless(string(f.StationID)),
			harmless(string(f.ConnectorID)), harmless(f.Detail))
		if err != nil {
			return err
		}
	}
	for topic, list := range answer.Unreadable {
		if err := a.printf("%s: %d records cannot be read, the first at %s\n", topic, len(list),
			harmless(list[0])); err != nil {
			return err
		}
	}
	return a.printf("as of %s\n", orNone(answer.AsOf))
}
