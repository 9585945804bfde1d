// Command chargestream follows charging stations over Kafka: it makes a live map, invoices,
// utilization and anomalies of what they say.
//
// This package holds what a person at a terminal meets: commands, flags, configuration, exit
// codes and messages. It refuses to know how an event is read, folded or billed.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // tariffs and imports must not depend on the time zones of the host
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(Run(ctx, os.Args[1:], os.Stdout, os.Stderr, os.LookupEnv))
}

// Run is the whole program: it runs the command that args name and returns the exit code. Data
// goes to stdout; progress, hints and errors go to stderr. env looks up an environment variable.
// A context that ends is an interrupt.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer,
	env func(string) (string, bool)) int {
	a := &app{stdout: stdout, stderr: stderr, env: env}
	root := a.rootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	exit := &exitError{}
	switch {
	case ctx.Err() != nil:
		exit = &exitError{code: exitInterrupted, what: "interrupted"}
	case !errors.As(err, &exit):
		exit = &exitError{code: exitRuntime, what: err.Error()}
	}
	return a.report(exit, args)
}
