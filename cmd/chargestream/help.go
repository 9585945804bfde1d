package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// help writes what a command does: examples first, as that is what is looked for.
func help(cmd *cobra.Command, _ []string) {
	var text strings.Builder
	about := cmd.Long
	if about == "" {
		about = cmd.Short
	}
	fmt.Fprintf(&text, "%s\n", about)
	if cmd.Example != "" {
		fmt.Fprintf(&text, "\nExamples\n  %s\n", strings.ReplaceAll(cmd.Example, "\n", "\n  "))
	}
	usage := cmd.UseLine()
	if cmd.HasAvailableSubCommands() {
		usage = cmd.CommandPath() + " COMMAND [flags]"
	}
	fmt.Fprintf(&text, "\nUsage\n  %s\n", usage)
	if cmd.HasAvailableSubCommands() {
		text.WriteString("\nCommands\n")
		columns := tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0)
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(columns, "  %s\t%s\n", sub.Name(), sub.Short)
			}
		}
		// A strings.Builder takes everything.
		columns.Flush()
	}
	writeFlags(&text, "Flags", cmd.LocalFlags())
	writeFlags(&text, "Flags of all commands here", cmd.InheritedFlags())
	fmt.Fprint(cmd.OutOrStdout(), text.String())
}

// writeFlags writes flags with what sets them besides the command line.
func writeFlags(text *strings.Builder, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	fmt.Fprintf(text, "\n%s\n", title)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		short := "    "
		if f.Shorthand != "" {
			short = "-" + f.Shorthand + ", "
		}
		value, usage := pflag.UnquoteUsage(f)
		fmt.Fprintf(text, "  %s--%s\n        %s\n", short,
			strings.TrimSpace(f.Name+" "+value), usage)
		if f.Name == "help" {
			return
		}
		initial := f.DefValue
		if initial == "" || initial == "[]" {
			initial = "none"
		}
		fmt.Fprintf(text, "        default: %s, environment: %s\n", initial, envName(f.Name))
	})
}
