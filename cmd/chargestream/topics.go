package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"

	"chargestream/topics"
)

// The defaults of new topics.
const (
	partitionsDefault  = 4
	replicationDefault = 1
)

// topicFlags are the flags of plan, apply and check.
type topicFlags struct {
	partitions  int32
	given       bool // --partitions was set
	replication int16
	allowExpiry bool
}

func (a *app) topicsCommand() *cobra.Command {
	var f topicFlags
	cmd := &cobra.Command{
		Use:   "topics",
		Short: "Show every topic, and hold the cluster against it",
		Long: "Show every topic with what is promised of it. With plan, apply or check the " +
			"cluster is held against it.",
		Example: `chargestream topics
chargestream topics plan --brokers localhost:9092
chargestream topics apply --brokers localhost:9092 --partitions 12 --replication 3
chargestream topics check --brokers localhost:9092 -o json`,
		Args: onlySubcommands,
		RunE: func(*cobra.Command, []string) error { return a.showTopics() },
	}
	for _, sub := range []*cobra.Command{
		{
			Use: "plan", Short: "Print what apply would do; exits 6 if there is something",
			Example: "chargestream topics plan --brokers localhost:9092",
			RunE: func(cmd *cobra.Command, _ []string) error {
				return a.planTopics(cmd.Context(), &f)
			},
		},
		{
			Use: "apply", Short: "Create missing topics and mend the settings of the others",
			Long: "Create missing topics and mend the settings of the others. Nothing is " +
				"deleted, no partitions are added, and no setting after which Kafka would " +
				"delete records sooner is changed without --allow-expiry.",
			Example: "chargestream topics apply --brokers localhost:9092 --partitions 12",
			RunE: func(cmd *cobra.Command, _ []string) error {
				return a.applyTopics(cmd.Context(), &f)
			},
		},
		{
			Use: "check", Short: "Show what is wrong and what to do; exits 6 if there is something",
			Long: "Show what is wrong with the topics and what to do; exits 6 if there is " +
				"something. Retired topics, which earlier versions of the program used, are " +
				"listed as well: they do no harm, and alone they exit 0.",
			Example: "chargestream topics check --brokers localhost:9092",
			RunE: func(cmd *cobra.Command, _ []string) error {
				return a.checkTopics(cmd.Context(), &f)
			},
		},
	} {
		sub.Args = noArgs
		sub.PreRunE = func(cmd *cobra.Command, _ []string) error {
			f.given = cmd.Flags().Changed("partitions")
			return f.check()
		}
		a.kafkaFlags(sub)
		sub.Flags().Int32Var(&f.partitions, "partitions", partitionsDefault, "`number` of "+
			"partitions of every topic; if left out, that of "+topics.StationStatus+
			" where the cluster has it")
		sub.Flags().Int16Var(&f.replication, "replication", replicationDefault,
			"`number` of replicas of topics that are created")
		sub.Flags().BoolVar(&f.allowExpiry, "allow-expiry", false,
			"also change settings after which Kafka deletes records sooner than now")
		cmd.AddCommand(sub)
	}
	return cmd
}

func (f *topicFlags) check() error {
	if f.partitions < 1 {
		return usageError(fmt.Sprintf("--partitions %d is below 1", f.partitions), "")
	}
	if f.replication < 1 && f.replication != -1 {
		return usageError(fmt.Sprintf("--replication %d is below 1", f.replication),
			"-1 takes the default of the brokers")
	}
	return nil
}

// showTopics prints the register.
func (a *app) showTopics() error {
	if a.output == outputJSON {
		return a.showTopicsJSON()
	}
	table := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TOPIC\tKIND\tKEY\tCLEANUP\tRETENTION\tLAG BUDGET\tFRESHNESS")
	for _, t := range topics.All() {
		keep := span(t.Retention)
		if t.Retention == 0 {
			keep = "for ever"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.Name, t.Kind, t.Key, t.Cleanup, keep,
			span(t.LagBudget), span(t.Freshness))
	}
	return table.Flush()
}

// topicEntry is an entry of the register for programs; zero is no promise, or for ever.
type topicEntry struct {
	Topic         string `json:"topic"`
	Kind          string `json:"kind"`
	Key           string `json:"key"`
	Cleanup       string `json:"cleanup"`
	RetentionMs   int64  `json:"retention_ms"`
	LagBudgetMs   int64  `json:"lag_budget_ms"`
	FreshnessMs   int64  `json:"freshness_ms"`
	Copartitioned bool   `json:"copartitioned"`
}

func (a *app) showTopicsJSON() error {
	for _, t := range topics.All() {
		err := a.printJSON(topicEntry{Topic: t.Name, Kind: string(t.Kind), Key: t.Key,
			Cleanup: string(t.Cleanup), RetentionMs: t.Retention.Milliseconds(),
			LagBudgetMs: t.LagBudget.Milliseconds(), FreshnessMs: t.Freshness.Milliseconds(),
			Copartitioned: t.Copartitioned})
		if err != nil {
			return err
		}
	}
	return nil
}

// span writes a duration as operators say it; a dash for none.
func span(d time.Duration) string {
	switch {
	case d == 0:
		return "-"
	case d%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	return text
}

func (a *app) planTopics(ctx context.Context, f *topicFlags) error {
	return a.withAdmin(ctx, func(ctx context.Context, admin *kadm.Client) error {
		findings, err := a.compareTopics(ctx, admin, f)
		if err != nil {
			return err
		}
		for _, d := range findings {
			if err := a.printFinding(d, d.plan()); err != nil {
				return err
			}
		}
		if len(findings) == 0 && a.output != outputJSON {
			return a.printf("all well: there is nothing to do\n")
		}
		return differences(findings, "run \"chargestream topics apply\" to make what can be made")
	})
}

func (a *app) checkTopics(ctx context.Context, f *topicFlags) error {
	return a.withAdmin(ctx, func(ctx context.Context, admin *kadm.Client) error {
		findings, err := a.compareTopics(ctx, admin, f)
		if err != nil {
			return err
		}
		retired, err := a.retiredTopics(ctx, admin)
		if err != nil {
			return err
		}
		for _, d := range slices.Concat(findings, retired) {
			if err := a.printFinding(d, d.advice()); err != nil {
				return err
			}
		}
		if len(findings) == 0 && a.output != outputJSON {
			return a.printf("all well: %d topics are as they must be\n", len(topics.All()))
		}
		return differences(findings, "each line says what to do")
	})
}

// applyTopics makes what can be made and prints what is left.
func (a *app) applyTopics(ctx context.Context, f *topicFlags) error {
	return a.withAdmin(ctx, func(ctx context.Context, admin *kadm.Client) error {
		findings, err := a.compareTopics(ctx, admin, f)
		if err != nil {
			return err
		}
		if len(findings) == 0 && a.output != outputJSON {
			return a.printf("all well: there is nothing to do\n")
		}
		if err := a.checkReplication(ctx, admin, findings, f); err != nil {
			return err
		}
		var left []finding
		for _, d := range findings {
			if !d.Applies {
				left = append(left, d)
				continue
			}
			if err := a.applyFinding(ctx, admin, d, f); err != nil {
				return err
			}
			if err := a.printFinding(d, "done: "+d.plan()); err != nil {
				return err
			}
		}
		if err := a.awaitTopics(ctx, admin, f, len(left)); err != nil {
			return err
		}
		for _, d := range left {
			if err := a.printFinding(d, d.advice()); err != nil {
				return err
			}
		}
		return differences(left, "apply does not change these: each line says what to do")
	})
}

// checkReplication refuses more replicas than there are brokers, before the first topic is made.
func (a *app) checkReplication(ctx context.Context, admin *kadm.Client, findings []finding,
	f *topicFlags) error {
	if !slices.ContainsFunc(findings, func(d finding) bool { return d.Problem == problemMissing }) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	listed, err := admin.ListBrokers(ctx)
	if err != nil {
		return a.kafkaError("list brokers", err)
	}
	if n := len(listed); int(f.replication) > n {
		return usageError(fmt.Sprintf("--replication %d is more than the cluster has brokers: %d",
			f.replication, n), fmt.Sprintf("give --replication %d, or start more brokers; "+
			"nothing was made", n))
	}
	return nil
}

// topicPoll is how often the cluster is asked whether it shows what was made.
const topicPoll = 50 * time.Millisecond

// awaitTopics returns when the cluster shows what was made: a broker answers that a topic is made
// before all of it is known, and who starts processors right after must not find it missing.
func (a *app) awaitTopics(ctx context.Context, admin *kadm.Client, f *topicFlags, left int) error {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	for {
		findings, err := a.compareTopics(ctx, admin, f)
		if err != nil || len(findings) <= left {
			return err
		}
		select {
		case <-ctx.Done():
			return &exitError{code: exitRuntime, err: ctx.Err(),
				what: fmt.Sprintf("the cluster does not show topic %s yet", findings[0].Topic),
				hint: "see \"chargestream topics check\", or give it more --timeout"}
		case <-time.After(topicPoll):
		}
	}
}

func (a *app) applyFinding(ctx context.Context, admin *kadm.Client, d finding,
	f *topicFlags) error {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	if err := d.apply(ctx, admin, f); err != nil {
		return a.kafkaError("topic "+d.Topic, err)
	}
	return nil
}

func (a *app) printFinding(d finding, text string) error {
	if a.output == outputJSON {
		d.Fix = text
		return a.printJSON(d)
	}
	return a.printf("%-26s %s\n", d.Topic, text)
}

// differences is the end of a comparison: nil where there are none.
func differences(findings []finding, hint string) error {
	if len(findings) == 0 {
		return nil
	}
	noun := "differences"
	if len(findings) == 1 {
		noun = "difference"
	}
	return &exitError{code: exitProblems, hint: hint,
		what: fmt.Sprintf("%d %s between the topics here and those of the cluster", len(findings),
			noun)}
}
