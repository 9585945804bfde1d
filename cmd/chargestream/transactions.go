package main

import (
	"context"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
	"chargestream/engine/hanging"
	"chargestream/processors"
)

// againAfter is the pause between two looks: what hangs must hang in both.
const againAfter = 2 * time.Second

type transactionFlags struct {
	id      string
	outcome string
}

func (a *app) transactionsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "transactions",
		Short: "Show open transactions, and end those that hang",
		Long: "Show the transactions that are open on the topics of the processors and on their " +
			"groups' offsets, and end those that hang: open on a partition, and over for their " +
			"coordinator. Run does that by itself; this is for when it may not or cannot.",
		Example: `chargestream transactions list --brokers localhost:9092
chargestream transactions end --brokers localhost:9092`,
	}
	group(cmd)
	var f transactionFlags
	list := &cobra.Command{
		Use: "list", Short: "Show open transactions; exits 6 if one hangs",
		Example: "chargestream transactions list --brokers localhost:9092 -o json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.listTransactions(cmd.Context())
		},
	}
	end := &cobra.Command{
		Use: "end", Short: "End hanging transactions of the processors; exits 6 if some are left",
		Long: "End hanging transactions of the processors by the outcome that their coordinator " +
			"has for them. Those of other applications are named and left. One whose outcome no " +
			"coordinator knows any more is ended only with --transactional-id and --outcome.",
		Example: `chargestream transactions end --brokers localhost:9092
chargestream transactions end --transactional-id stations-a --outcome abort`,
		Args:    noArgs,
		PreRunE: func(*cobra.Command, []string) error { return f.check() },
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.endTransactions(cmd.Context(), &f)
		},
	}
	end.Flags().StringVar(&f.id, "transactional-id", "", "end only transactions of this `id`")
	end.Flags().StringVar(&f.outcome, "outcome", "",
		"`outcome` of those that no coordinator knows: commit or abort")
	for _, sub := range []*cobra.Command{list, end} {
		a.kafkaFlags(sub)
		cmd.AddCommand(sub)
	}
	return cmd
}

func (f *transactionFlags) check() error {
	switch {
	case f.outcome != "" && f.outcome != "commit" && f.outcome != "abort":
		return usageError(fmt.Sprintf("--outcome %q is neither commit nor abort", f.outcome), "")
	case f.outcome != "" && f.id == "":
		return usageError("--outcome needs --transactional-id",
			"see \"chargestream transactions list\" for the ids")
	}
	return nil
}

// transactionLine is a transaction for programs.
type transactionLine struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	ID        string `json:"transactional_id"`
	Owner     string `json:"owner"`
	Producer  int64  `json:"producer"`
	Epoch     int16  `json:"epoch"`
	Offset    int64  `json:"offset"`
	LastMs    int64  `json:"last_record_ms"`
	State     string `json:"state"`
	Hangs     bool   `json:"hangs"`
	Outcome   string `json:"outcome"`
	Reason    string `json:"reason"`
}

func lineOf(f *hanging.Found, procs []*engine.Processor) transactionLine {
	return transactionLine{Topic: f.Topic, Partition: f.Partition, ID: f.ID,
		Owner: string(engine.OwnerOf(f.ID, procs...)), Producer: f.ProducerID, Epoch: f.Epoch,
		Offset: f.Start, LastMs: f.Last, State: string(f.State),
		Hangs: f.Decision.Action.Hangs(), Outcome: f.Decision.Action.String(),
		Reason: f.Decision.Reason}
}

// openTransactions asks for what is open, twice if something hangs. What a broker did not answer is
// an error.
func (a *app) openTransactions(ctx context.Context, client *kgo.Client,
	procs []*engine.Processor) ([]hanging.Found, error) {
	first, err := a.openOnce(ctx, client, procs)
	if err != nil || !slices.ContainsFunc(first, func(f hanging.Found) bool {
		return f.Decision.Action.Hangs()
	}) {
		return first, err
	}
	select {
	case <-ctx.Done():
		return first, ctx.Err()
	case <-time.After(againAfter):
	}
	second, err := a.openOnce(ctx, client, procs)
	return hanging.Confirm(first, second), err
}

func (a *app) openOnce(ctx context.Context, client *kgo.Client,
	procs []*engine.Processor) ([]hanging.Found, error) {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	found, err := engine.OpenTransactions(ctx, client, procs...)
	if err != nil {
		return found, a.kafkaError("look for open transactions", err)
	}
	return found, nil
}

func (a *app) listTransactions(ctx context.Context) error {
	client, err := a.kafkaClient(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	procs := processors.All(nil)
	found, failed := a.openTransactions(ctx, client, procs)
	hang := 0
	for n := range found {
		if found[n].Decision.Action.Hangs() {
			hang++
		}
	}
	if err := a.printTransactions(found, procs); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	return hangsLeft(hang, "end those of the processors with \"chargestream transactions end\"; "+
		"docs/operations.md, Hanging transactions, has the others")
}

// hangsLeft is nil if no transaction hangs.
func hangsLeft(n int, hint string) error {
	switch n {
	case 0:
		return nil
	case 1:
		return &exitError{code: exitProblems, what: "a transaction hangs on a partition",
			hint: hint}
	}
	return &exitError{code: exitProblems, what: fmt.Sprintf("transactions hang on %d partitions",
		n), hint: hint}
}

func (a *app) printTransactions(found []hanging.Found, procs []*engine.Processor) error {
	if a.output == outputJSON {
		for n := range found {
			if err := a.printJSON(lineOf(&found[n], procs)); err != nil {
				return err
			}
		}
		return nil
	}
	if len(found) == 0 {
		return a.printf("no transaction is open\n")
	}
	table := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table,
		"TOPIC\tPARTITION\tTRANSACTIONAL ID\tOWNER\tSTATE\tLAST RECORD\tOUTCOME\tWHY")
	for n := range found {
		l := lineOf(&found[n], procs)
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", l.Topic, l.Partition, dash(l.ID),
			l.Owner, dash(l.State), time.UnixMilli(l.LastMs).UTC().Format(time.RFC3339), l.Outcome,
			l.Reason)
	}
	return table.Flush()
}

// dash is a text, or a dash for none.
func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func (a *app) endTransactions(ctx context.Context, f *transactionFlags) error {
	client, err := a.kafkaClient(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	procs := processors.All(nil)
	found, err := a.openTransactions(ctx, client, procs)
	if err != nil {
		return err
	}
	ended, left := 0, 0
	for n := range found {
		one := &found[n]
		if !one.Decision.Action.Hangs() {
			continue
		}
		if !f.chooses(one, procs) {
			left++
			if err := a.printEnded(one, procs, "left"); err != nil {
				return err
			}
			continue
		}
		if err := a.endTransaction(ctx, client, one); err != nil {
			return err
		}
		ended++
		if err := a.printEnded(one, procs, "ended"); err != nil {
			return err
		}
	}
	if ended+left == 0 && a.output != outputJSON {
		return a.printf("no transaction hangs\n")
	}
	return hangsLeft(left, "docs/operations.md, Hanging transactions, says what to do about them")
}

// chooses reports whether a transaction is to be ended. It sets the outcome of one that has none.
func (f *transactionFlags) chooses(found *hanging.Found, procs []*engine.Processor) bool {
	if engine.OwnerOf(found.ID, procs...) != engine.OwnerOwn || f.id != "" && f.id != found.ID {
		return false
	}
	if found.Decision.Action == hanging.Undecided {
		switch f.outcome {
		case "commit":
			found.Decision.Action = hanging.Commit
		case "abort":
			found.Decision.Action = hanging.Abort
		default:
			return false
		}
		found.Decision.Reason += "; the operator decided"
	}
	return true
}

func (a *app) endTransaction(ctx context.Context, client *kgo.Client, f *hanging.Found) error {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	if err := hanging.End(ctx, client, f); err != nil {
		return a.kafkaError(fmt.Sprintf("end the transaction of %s on %s/%d", f.ID, f.Topic,
			f.Partition), err)
	}
	return nil
}

func (a *app) printEnded(f *hanging.Found, procs []*engine.Processor, what string) error {
	if a.output == outputJSON {
		return a.printJSON(struct {
			transactionLine
			Result string `json:"result"`
		}{lineOf(f, procs), what})
	}
	return a.printf("%s: %s/%d of %s: %s (%s)\n", what, f.Topic, f.Partition, dash(f.ID),
		f.Decision.Action, f.Decision.Reason)
}
