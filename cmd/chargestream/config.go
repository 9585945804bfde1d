package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// fileBytesMax bounds a file of configuration, a column map or a file of tariffs.
const fileBytesMax = 4 << 20

// envPrefix is what the environment variables of all flags begin with.
const envPrefix = "CHARGESTREAM_"

// envName is the environment variable that sets a flag.
func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// setting is one value of a configuration file.
type setting struct {
	values []string // one, or the elements of a list
	line   int
}

// configure sets each flag that the command line left out: from the environment, else from the
// configuration file, else it keeps its default.
func (a *app) configure(cmd *cobra.Command) error {
	if err := a.fromEnv(cmd, "config"); err != nil {
		return err
	}
	settings, err := a.readConfig(cmd.Root())
	if err != nil {
		return err
	}
	var problems []error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		problems = append(problems, a.fromEnv(cmd, f.Name))
		if s, ok := settings[f.Name]; ok && !f.Changed {
			problems = append(problems, a.fromFile(cmd, f, s))
		}
	})
	if err := errors.Join(problems...); err != nil {
		var first *exitError
		if errors.As(err, &first) {
			return first
		}
		return err
	}
	return a.checkOutput(cmd)
}

// checkOutput holds --output against what the command can write.
func (a *app) checkOutput(cmd *cobra.Command) error {
	_, writesCSV := cmd.Annotations[writesCSV]
	switch {
	case a.output == outputTable, a.output == outputJSON, a.output == outputCSV && writesCSV:
		return nil
	case writesCSV:
		return usageError(fmt.Sprintf("--output %q is none of table, json and csv", a.output), "")
	}
	return usageError(fmt.Sprintf("--output %q is neither table nor json", a.output), "")
}

// fromEnv sets a flag from the environment. A variable that is empty is not set.
func (a *app) fromEnv(cmd *cobra.Command, name string) error {
	f := cmd.Flags().Lookup(name)
	text, ok := a.env(envName(name))
	if f == nil || f.Changed || !ok || text == "" || name == "help" {
		return nil
	}
	if err := cmd.Flags().Set(name, text); err != nil {
		return &exitError{code: exitInvalid, err: errors.Unwrap(err),
			what: fmt.Sprintf("%s=%q cannot be used", envName(name), text),
			hint: "it sets --" + name + ": " + f.Usage}
	}
	return nil
}

// fromFile sets a flag from the configuration file.
func (a *app) fromFile(cmd *cobra.Command, f *pflag.Flag, s setting) error {
	var err error
	if list, ok := f.Value.(pflag.SliceValue); ok {
		err = list.Replace(s.values)
		f.Changed = true
	} else if len(s.values) != 1 {
		err = errors.New("one value is needed, not a list")
	} else {
		err = cmd.Flags().Set(f.Name, s.values[0])
	}
	if err != nil {
		return &exitError{code: exitInvalid, what: fmt.Sprintf("%s:%d: %s cannot be used",
			a.config, s.line, f.Name), hint: "it sets --" + f.Name + ": " + f.Usage, err: err}
	}
	return nil
}

// readConfig reads the configuration file: flags of any command, by their names.
func (a *app) readConfig(root *cobra.Command) (map[string]setting, error) {
	if a.config == "" {
		return nil, nil
	}
	text, err := readFile(a.config)
	if err != nil {
		return nil, err
	}
	invalid := func(line int, format string, args ...any) error {
		return &exitError{code: exitInvalid,
			what: fmt.Sprintf("%s:%d: %s", a.config, line, fmt.Sprintf(format, args...)),
			hint: "the keys are names of flags without dashes; see \"chargestream --help\""}
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, &exitError{code: exitInvalid, what: a.config + " is no YAML", err: err}
	}
	known := flagNames(root)
	settings := map[string]setting{}
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		mapping, ok := doc.Body.(*ast.MappingNode)
		if !ok {
			line := doc.Body.GetToken().Position.Line
			return nil, invalid(line, "not a mapping of keys to values")
		}
		for _, entry := range mapping.Values {
			line := entry.Key.GetToken().Position.Line
			key := entry.Key.GetToken().Value
			if !slices.Contains(known, key) {
				return nil, invalid(line, "unknown key %q", key)
			}
			values, ok := scalars(entry.Value)
			if !ok {
				return nil, invalid(line, "%s has neither one value nor a list of values", key)
			}
			settings[key] = setting{values: values, line: line}
		}
	}
	return settings, nil
}

// scalars is the text of a scalar, or of each element of a list of scalars.
func scalars(node ast.Node) ([]string, bool) {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		text, ok := node.(ast.ScalarNode)
		if !ok || node.Type() == ast.NullType {
			return nil, false
		}
		return []string{text.GetToken().Value}, true
	}
	var values []string
	for _, element := range list.Values {
		text, ok := element.(ast.ScalarNode)
		if !ok {
			return nil, false
		}
		values = append(values, text.GetToken().Value)
	}
	return values, true
}

// flagNames is every flag that a configuration file may set, of all commands.
func flagNames(cmd *cobra.Command) []string {
	var names []string
	add := func(f *pflag.Flag) {
		if f.Name != "help" && f.Name != "config" {
			names = append(names, f.Name)
		}
	}
	cmd.PersistentFlags().VisitAll(add)
	cmd.Flags().VisitAll(add)
	for _, sub := range cmd.Commands() {
		names = append(names, flagNames(sub)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// readFile reads a small file that the user named.
func readFile(path string) (text []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fileError(err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	text, err = io.ReadAll(io.LimitReader(f, fileBytesMax+1))
	if err != nil {
		return nil, fileError(err)
	}
	if len(text) > fileBytesMax {
		return nil, &exitError{code: exitInvalid,
			what: fmt.Sprintf("%s is larger than %d bytes", path, fileBytesMax)}
	}
	return text, nil
}

// fileError is an error of a file whose name is in err.
func fileError(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return &exitError{code: exitNotFound, what: err.Error(), hint: "check the path"}
	}
	return &exitError{code: exitRuntime, what: err.Error()}
}
