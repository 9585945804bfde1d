package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// The exit codes. Scripts rely on them.
const (
	exitOK          = 0
	exitRuntime     = 1
	exitUsage       = 2
	exitInvalid     = 3 // configuration or data that is not valid
	exitNotFound    = 4
	exitUnreachable = 5 // Kafka cannot be reached, or refuses who we are
	exitProblems    = 6 // a check was completed and found something
	exitInterrupted = 130
)

// exitError is an error as it is shown to a person.
type exitError struct {
	code int
	what string // what went wrong
	hint string // what to do; may be empty
	err  error  // why; may be nil
}

// Error is what and why in one line.
func (e *exitError) Error() string {
	text := e.what
	if e.err != nil {
		text = fmt.Sprintf("%s (%v)", e.what, e.err)
	}
	return strings.ReplaceAll(text, "\n", "; ") // errors that are joined have a line each
}

// Unwrap is why.
func (e *exitError) Unwrap() error { return e.err }

// name is the code as a word, for programs that read the error.
func (e *exitError) name() string {
	switch e.code {
	case exitUsage:
		return "usage"
	case exitInvalid:
		return "invalid"
	case exitNotFound:
		return "not_found"
	case exitUnreachable:
		return "kafka_unreachable"
	case exitProblems:
		return "problems_found"
	case exitInterrupted:
		return "interrupted"
	}
	return "runtime"
}

func usageError(what, hint string) *exitError {
	return &exitError{code: exitUsage, what: what, hint: hint}
}

// report writes an error to stderr and returns its exit code.
func (a *app) report(e *exitError, args []string) int {
	text := "error: " + e.Error() + "\n"
	if e.hint != "" {
		text += "hint: " + e.hint + "\n"
	}
	if a.wantsJSON(args) {
		encoded, err := json.Marshal(map[string]any{"error": map[string]string{
			"code": e.name(), "message": e.Error(), "hint": e.hint}})
		if err == nil {
			text = string(encoded) + "\n"
		}
	}
	// An error here has nowhere left to go; the exit code still stands for the first one.
	fmt.Fprint(a.stderr, text)
	return e.code
}

// wantsJSON reports whether the error is for a program. The arguments are looked at again as the
// flags may be what could not be read.
func (a *app) wantsJSON(args []string) bool {
	if a.output == outputJSON {
		return true
	}
	for _, text := range []string{"-ojson", "-o=json", "--output=json"} {
		if slices.Contains(args, text) {
			return true
		}
	}
	for i, arg := range args[:max(len(args)-1, 0)] {
		if (arg == "-o" || arg == "--output") && args[i+1] == outputJSON {
			return true
		}
	}
	return false
}
