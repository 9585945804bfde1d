package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"chargestream/replay"
)

func (a *app) replayCommand() *cobra.Command {
	var verify bool
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Rebuild every table from offset zero, beside the live ones",
		Long: `Rebuild every table from offset zero, in memory, beside the live ones. Records are
read in the order in which they arrived, as "chargestream run" reads them. With --verify each row,
and each invoice that is sent on the way, is compared with the live one byte for byte. The verdict
is "the same", "may differ" with the reason of each difference, or "must not differ"; the exit code
is 6 for the last only.

The live tables must have caught up: "chargestream run --until-caught-up" makes sure of it. Rows
of records that are kept no longer cannot be rebuilt; the answer names the topics that begin late.`,
		Example: `chargestream replay --verify --brokers localhost:9092
chargestream replay --brokers localhost:9092`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.replay(cmd.Context(), verify) },
	}
	a.kafkaFlags(cmd)
	cmd.Flags().BoolVar(&verify, "verify", false,
		"compare every row and every invoice with the live ones")
	return cmd
}

func (a *app) replay(ctx context.Context, verify bool) error {
	client, err := a.kafkaClient(ctx, replay.Options()...)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := a.needTopics(ctx, client, replay.Topics(verify)...); err != nil {
		return err
	}
	report, err := replay.Run(ctx, replay.Config{Client: client, Brokers: a.brokers,
		Timeout: a.timeout, Verify: verify})
	if err != nil {
		return a.replayError(err)
	}
	if err := a.printJSON(report); err != nil {
		return err
	}
	if problems := report.Problems(); problems != "" {
		return &exitError{code: exitProblems, what: problems,
			hint: "they are named above, under \"different\" and \"different_documents\""}
	}
	return nil
}

// replayError is an error of a replay with what to do.
func (a *app) replayError(err error) error {
	var behind *replay.BehindError
	var partitions *replay.PartitionsError
	switch {
	case errors.As(err, &behind):
		return &exitError{code: exitRuntime, what: behind.Error(),
			hint: "let them catch up: \"chargestream run --until-caught-up\""}
	case errors.As(err, &partitions):
		return &exitError{code: exitInvalid, what: partitions.Error(),
			hint: "\"chargestream topics check\" names the topics that differ"}
	}
	return a.readError(err)
}
