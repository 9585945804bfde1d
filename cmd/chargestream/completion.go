package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"chargestream"
	"chargestream/engine"
	"chargestream/processors"
)

// completions are the values that a shell offers for a flag, by the path of its command behind the
// program's name and a slash, or of all commands by a slash alone.
func completions() map[string][]string {
	holds := textsOf(chargestream.HoldReasons())
	letters := textsOf(processors.Reasons())
	status := textsOf([]chargestream.InvoiceStatus{chargestream.StatusIssued,
		chargestream.StatusHeld})
	guarantees := textsOf([]engine.Guarantee{engine.ExactlyOnce, engine.AtLeastOnce})
	return map[string][]string{
		"/output":                     {outputTable, outputJSON, outputCSV},
		"/status":                     status,
		"/since":                      {sinceLast},
		"/wait":                       {waitDefault},
		"/hold":                       holds,
		"/all-held":                   textsOf(repriceable()),
		"/topic":                      sendTopics(),
		"/processors":                 groups(),
		"/guarantee":                  guarantees,
		"invoices list/reason":        holds,
		"invoices export/reason":      holds,
		"invoices export/format":      {formatJSON, formatCSV, formatPDF, formatUBL},
		"statements/format":           {formatPDF, formatCSV, formatJSON},
		"statements/by":               {"user", "site"},
		"dead-letters list/reason":    letters,
		"dead-letters redrive/reason": letters,
	}
}

func textsOf[T ~string](list []T) []string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = string(v)
	}
	return texts
}

// complete has the shell offer the values of flags, of a command and of those below it.
func complete(cmd *cobra.Command, path string) {
	for name, values := range completions() {
		flag := ""
		switch {
		case name[0] == '/':
			flag = name[1:]
		case len(name) > len(path) && name[:len(path)] == path && name[len(path)] == '/':
			flag = name[len(path)+1:]
		}
		own := cmd.Flags().Lookup(flag) != nil || cmd.PersistentFlags().Lookup(flag) != nil
		if flag == "" || !own {
			continue
		}
		err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values,
			cobra.ShellCompDirectiveNoFileComp))
		if err != nil {
			// It cannot be: the flag is there, and each command is visited once.
			panic(fmt.Errorf("complete --%s of %s: %w", flag, path, err))
		}
	}
	for _, sub := range cmd.Commands() {
		below := sub.Name()
		if path != "" {
			below = path + " " + below
		}
		complete(sub, below)
	}
}
