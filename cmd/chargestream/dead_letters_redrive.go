package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/documents"
	"chargestream/internal/kafkaread"
	"chargestream/redrive"
)

func (a *app) redriveCommand() *cobra.Command {
	var c redrive.Config
	var yes bool
	cmd := &cobra.Command{
		Use:   "redrive",
		Short: "Produce dead letters to the topics that they came from, once more",
		Long: "Produce dead letters to the topics that they came from, with the arrival time " +
			"that they had. The consumer group " + redrive.GroupPrefix + " keeps how far letters " +
			"were driven again, for each --reason apart, so that the next run goes on behind it. " +
			"A letter that cannot be folded this time either becomes a new dead letter.",
		Example: `chargestream dead-letters redrive --brokers localhost:9092 --dry-run
chargestream dead-letters redrive --brokers localhost:9092 --reason malformed --yes`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !yes && !c.DryRun {
				return usageError("redrive writes to the topics that processors read",
					"see what it would do with --dry-run, then give --yes")
			}
			return a.redrive(cmd.Context(), c)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&c.Reason, "reason", "", "only those with this `reason`, such as late")
	flags.BoolVar(&c.DryRun, "dry-run", false, "print what would be produced")
	flags.BoolVar(&yes, "yes", false, "do it; needed without --dry-run")
	flags.BoolVar(&c.Again, "again", false, "begin with the oldest letter, also with those that "+
		"were driven again before")
	return cmd
}

func (a *app) redrive(ctx context.Context, c redrive.Config) error {
	client, err := a.lettersClient(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	p := redriveProducer{newProducer(ctx, client, nil)}
	defer p.close()
	answer, err := redrive.Run(ctx, a.reader(client), p, c)
	var failed *kafkaread.Error
	switch {
	case errors.As(err, &failed):
		return a.readError(err)
	case err != nil:
		return a.kafkaError("redrive", err)
	}
	left := map[string]int{}
	for source, n := range answer.Left {
		left[preview(source)] += n
	}
	answer.Left = left
	if a.output == outputJSON {
		return a.printJSON(answer)
	}
	verb := "sent again"
	if c.DryRun {
		verb = "would send again"
	}
	text := verb + ": " + countsOf(answer.Redriven) + "\n"
	for _, source := range slices.Sorted(maps.Keys(left)) {
		text += fmt.Sprintf("- %s of %s left: no input, or only a part was kept\n",
			documents.Counted(left[source], "letter", "letters"), cmp.Or(source, "no topic"))
	}
	return a.printf("%s", text)
}

// redriveProducer is a redrive.Producer.
type redriveProducer struct{ *producer }

// Send implements redrive.Producer.
func (p redriveProducer) Send(r *kgo.Record) error {
	p.send(r)
	return context.Cause(p.ctx)
}

// Flush implements redrive.Producer.
func (p redriveProducer) Flush() (map[string]int, error) {
	if err := p.flush(); err != nil {
		return nil, err
	}
	return p.close(), nil
}
