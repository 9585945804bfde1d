package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"chargestream/codecs"
)

// flagError words what is wrong with a flag, and what may have been meant.
func flagError(cmd *cobra.Command, err error) error {
	what, hint := err.Error(), fmt.Sprintf("see %q", cmd.CommandPath()+" --help")
	var unknown *pflag.NotExistError
	var bad *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		if near := nearFlags(cmd, unknown.GetSpecifiedName()); len(near) > 0 {
			hint = fmt.Sprintf("did you mean %s?", strings.Join(near, " or "))
		}
	case errors.As(err, &bad):
		problem := ""
		switch bad.GetFlag().Value.Type() {
		case "duration":
			problem, hint = "is no duration", "write 10s, 2m or 1h30m"
		case "int", "int32", "int64", "uint64":
			problem, hint = "is no whole number", "write digits alone, such as 20"
		case "bool":
			problem, hint = "is neither true nor false", "give the flag alone"
		default:
			return usageError(what, hint)
		}
		what = fmt.Sprintf("--%s %q %s", bad.GetFlag().Name, bad.GetValue(), problem)
	}
	return usageError(what, hint)
}

// nearFlags are the flags of a command that a name begins, else the one that is almost written so,
// else those that begin with the same letters.
func nearFlags(cmd *cobra.Command, name string) []string {
	const letters = 3
	var all, begun, like []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || len(name) < 2 {
			return
		}
		all = append(all, f.Name)
		if strings.HasPrefix(f.Name, name) {
			begun = append(begun, "--"+f.Name)
		}
		if len(name) >= letters && strings.HasPrefix(f.Name, name[:letters]) {
			like = append(like, "--"+f.Name)
		}
	})
	if len(begun) > 0 {
		return begun
	}
	if near := codecs.Nearest(name, all); near != "" {
		return []string{"--" + near}
	}
	return like
}
