package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"chargestream"
	"chargestream/documents"
)

// Bounds of what a shell is offered of a cluster.
const (
	// liveLimit is how long a shell waits; after it nothing is offered.
	liveLimit = time.Second
	// liveMax bounds the values.
	liveMax = 200
)

// liveCompletions are the arguments that a shell is offered from what the cluster has, by the path
// of their command; with a dash and a name the values of a flag.
func (a *app) liveCompletions() map[string]func(context.Context) ([]string, error) {
	held := func(ctx context.Context) ([]string, error) {
		h, err := a.readInvoices(ctx, func(v *chargestream.Invoice) bool {
			return v.Is(chargestream.StatusHeld)
		})
		if err != nil {
			return nil, err
		}
		return sessionsOf(documents.Live(h.documents)), nil
	}
	billed := func(ctx context.Context) ([]string, error) {
		h, err := a.readInvoices(ctx, func(*chargestream.Invoice) bool { return true })
		if err != nil {
			return nil, err
		}
		return sessionsOf(h.documents), nil
	}
	return map[string]func(context.Context) ([]string, error){
		"tariffs show":             a.tariffIDs,
		"invoices correct -tariff": a.tariffIDs,
		"invoices release":         held,
		"invoices cancel":          held,
		"invoices correct":         held,
		"invoices reprice":         held,
		"invoices show":            billed,
		"why":                      billed,
	}
}

func (a *app) tariffIDs(ctx context.Context) ([]string, error) {
	known, err := a.readTariffs(ctx)
	var ids []string
	for _, h := range known {
		ids = append(ids, string(h.TariffID))
	}
	return ids, err
}

// sessionsOf are the sessions of documents.
func sessionsOf(list []chargestream.Invoice) []string {
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = string(list[i].SessionID)
	}
	return ids
}

// completeLive has the shell offer what the cluster has.
func (a *app) completeLive(root *cobra.Command) {
	for path, read := range a.liveCompletions() {
		path, flag, isFlag := strings.Cut(path, " -")
		cmd, _, err := root.Find(strings.Fields(path))
		if err == nil && isFlag {
			err = cmd.RegisterFlagCompletionFunc(flag, a.offer(read, true))
		} else if err == nil {
			cmd.ValidArgsFunction = a.offer(read, false)
		}
		if err != nil {
			panic(fmt.Errorf("complete %s: %w", path, err)) // it cannot be: the command is there
		}
	}
}

// offer offers values of a flag, or of the one argument, that begin with what is typed. Errors are
// not shown: a shell has no place for them.
func (a *app) offer(read func(context.Context) ([]string, error),
	flag bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string,
		cobra.ShellCompDirective) {
		ctx := cmp.Or(cmd.Context(), context.Background())
		ctx, cancel := context.WithTimeout(ctx, liveLimit)
		defer cancel()
		if len(args) > 0 && !flag || a.configure(cmd) != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		a.timeout = liveLimit
		values, err := read(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		values = slices.DeleteFunc(values, func(v string) bool {
			return !strings.HasPrefix(v, typed) || v != harmless(v)
		})
		slices.Sort(values)
		values = slices.Compact(values)
		return values[:min(len(values), liveMax)], cobra.ShellCompDirectiveNoFileComp
	}
}
