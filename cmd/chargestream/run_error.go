package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"chargestream/engine"
)

// processorError is what ended a processor.
type processorError struct {
	group string
	err   error
}

// Error implements error.
func (e *processorError) Error() string { return fmt.Sprintf("processor %s: %v", e.group, e.err) }

// Unwrap is the error of the engine.
func (e *processorError) Unwrap() error { return e.err }

// runError says what to do about an error that no restart mends.
func (a *app) runError(err error) error {
	var exit *exitError
	var stopped *engine.Stopped
	var ended *processorError
	switch {
	case errors.As(err, &exit):
		return exit
	case errors.Is(err, engine.ErrTopics):
		return &exitError{code: exitInvalid, what: "the topics are not as they must be", err: err,
			hint: "see \"chargestream topics plan\", then \"chargestream topics apply\"; for a " +
				"topic that was made anew see docs/operations.md, Reset"}
	case errors.Is(err, engine.ErrLocked):
		return &exitError{code: exitRuntime, what: "the state directory is in use", err: err,
			hint: "give each instance a --state-dir of its own"}
	case errors.As(err, &stopped):
		return stoppedError(stopped)
	case errors.As(err, &ended), errors.Is(err, context.Canceled):
		return err
	}
	return a.kafkaError("look at what is left to read", err)
}

// stoppedError is what the engine stopped for, in three parts: what it means, what was answered,
// and what to do.
func stoppedError(e *engine.Stopped) *exitError {
	exit := &exitError{code: exitRuntime, err: e.Err,
		what: "processor " + e.Group + ": " + e.Reason}
	if code, ok := stoppedCodes()[e.Class]; ok {
		exit.code = code
	}
	if colon := strings.LastIndex(e.Reason, ": "); colon >= 0 {
		exit.what = "processor " + e.Group + ": " + e.Reason[:colon]
		exit.hint = e.Reason[colon+2:]
	}
	return exit
}

// stoppedCodes are the exit codes of the classes of what the engine stops for, as they stand in
// docs/decisions/0007-broker-errors.md.
func stoppedCodes() map[string]int {
	return map[string]int{
		"instance_twice":    exitRuntime,
		"local_disk":        exitRuntime,
		"name_refused":      exitInvalid,
		"offsets_too_large": exitInvalid,
		"record_refused":    exitInvalid,
		"settings":          exitInvalid,
		"time_refused":      exitInvalid,
		"too_large":         exitInvalid,
		"unreadable":        exitInvalid,
		"broker_too_old":    exitUnreachable,
		"group_full":        exitUnreachable,
		"group_taken":       exitUnreachable,
		"policy":            exitUnreachable,
		"unauthenticated":   exitUnreachable,
		"unauthorized":      exitUnreachable,
		"untrusted":         exitUnreachable,
		"wrong_endpoint":    exitUnreachable,
	}
}
