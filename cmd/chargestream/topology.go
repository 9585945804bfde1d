package main

import (
	"github.com/spf13/cobra"

	"chargestream/engine"
	"chargestream/processors"
)

func (a *app) topologyCommand() *cobra.Command {
	var mermaid bool
	cmd := &cobra.Command{
		Use:   "topology",
		Short: "Print what each processor reads, keeps and writes",
		Example: `chargestream topology
chargestream topology --mermaid`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			topology := engine.Describe(processors.All(nil)...)
			if mermaid {
				return a.printf("%s", topology.Mermaid())
			}
			return a.printf("%s", topology)
		},
	}
	cmd.Flags().BoolVar(&mermaid, "mermaid", false, "as a Mermaid flowchart")
	return cmd
}
