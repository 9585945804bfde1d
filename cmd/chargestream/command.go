package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// app is what all commands share: where to write, and the global flags.
type app struct {
	stdout, stderr io.Writer
	env            func(string) (string, bool)

	config  string
	output  string
	brokers []string
	timeout time.Duration
}

// The words of --output.
const (
	outputTable = "table"
	outputJSON  = "json"
	outputCSV   = "csv"
)

// writesCSV is the annotation of a command that can write CSV as well.
const writesCSV = "csv"

// timeoutDefault is how long Kafka may take to answer.
const timeoutDefault = 10 * time.Second

// subcommands is every command, in the order of the help.
func subcommands() []func(*app) *cobra.Command {
	return []func(*app) *cobra.Command{
		(*app).demoCommand,
		(*app).runCommand,
		(*app).serveCommand,
		(*app).replayCommand,
		(*app).topicsCommand,
		(*app).transactionsCommand,
		(*app).statusCommand,
		(*app).stationsCommand,
		(*app).tariffsCommand,
		(*app).sendCommand,
		(*app).importCommand,
		(*app).simulateCommand,
		(*app).invoicesCommand,
		(*app).statementsCommand,
		(*app).whyCommand,
		(*app).reconcileCommand,
		(*app).deadLettersCommand,
		(*app).topologyCommand,
		(*app).versionCommand,
	}
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "chargestream",
		Short: "Follow charging stations over Kafka: live map, invoices, utilization, anomalies",
		Example: `chargestream topics apply --brokers localhost:9092
chargestream import sessions.csv --map map.yaml --brokers localhost:9092
chargestream dead-letters list --brokers localhost:9092`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return a.configure(cmd)
		},
	}
	group(root)
	flags := root.PersistentFlags()
	flags.StringVar(&a.config, "config", "", "YAML `file` with a value for each flag by its name")
	flags.StringVarP(&a.output, "output", "o", outputTable, "`form` of the answer: table or json")
	for _, command := range subcommands() {
		root.AddCommand(command(a))
	}
	complete(root, "")
	a.completeLive(root)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetHelpFunc(help)
	root.SetFlagErrorFunc(flagError)
	return root
}

// kafkaFlags adds the flags of a command, and of those below it, that talks to Kafka.
func (a *app) kafkaFlags(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	flags.StringSliceVar(&a.brokers, "brokers", nil,
		"`addresses` of Kafka, host:port, parted by commas or repeated; required")
	flags.DurationVar(&a.timeout, "timeout", timeoutDefault,
		"the `duration` that Kafka may take to answer")
}

// group makes a command one that only has commands below it.
func group(cmd *cobra.Command) {
	cmd.Args = onlySubcommands
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

// onlySubcommands refuses an argument that is no command, with what may have been meant.
func onlySubcommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2
	hint := fmt.Sprintf("see %q", cmd.CommandPath()+" --help")
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf("did you mean %q?", cmd.CommandPath()+" "+strings.Join(near, " or "))
	}
	return usageError(fmt.Sprintf("unknown command %q of %q", args[0], cmd.CommandPath()), hint)
}

// noArgs refuses arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usageError(fmt.Sprintf("%q takes no argument, not %q", cmd.CommandPath(), args[0]),
		fmt.Sprintf("see %q", cmd.CommandPath()+" --help"))
}

// printJSON writes a value as JSON: one line, as every answer may be one of many.
func (a *app) printJSON(value any) error {
	encoder := json.NewEncoder(a.stdout)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

func (a *app) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(a.stdout, format, args...)
	return err
}
