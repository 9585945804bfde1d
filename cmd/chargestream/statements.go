package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"chargestream"
	"chargestream/documents"
)

// statementFlags are the flags of statements.
type statementFlags struct {
	exportFlags
	by, month, key string
}

func (a *app) statementsCommand() *cobra.Command {
	var f statementFlags
	cmd := &cobra.Command{
		Use:   "statements",
		Short: "Write what each user or site was billed in a month",
		Long: "Write what each user or site was billed in a month, as one file for each and " +
			"each currency. The month is that of the booking dates. Held documents are listed, " +
			"and are in no sum. A file that is there already and equal is left as it is.",
		Example: `chargestream statements --brokers localhost:9092 --by user --month 2026-03 ` +
			`--format pdf --out statements
chargestream statements --brokers localhost:9092 --by site --month 2026-03 --key lyon-1 ` +
			`--format csv --out statements`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return a.writeStatements(cmd.Context(), &f)
		},
	}
	a.kafkaFlags(cmd)
	f.flags(cmd, "pdf, csv or json")
	cmd.Flags().StringVar(&f.by, "by", "", "`what` a statement is of: user or site; required")
	cmd.Flags().StringVar(&f.month, "month", "", "the `month`, as 2026-03; required")
	cmd.Flags().StringVar(&f.key, "key", "", "only that of this user or site `id`")
	return cmd
}

func (f *statementFlags) check() error {
	by := documents.StatementBy(f.by)
	switch {
	case by != documents.ByUser && by != documents.BySite:
		return usageError(fmt.Sprintf("--by %q is neither user nor site", f.by), "")
	case f.month == "":
		return usageError("no month is given", "set --month, as 2026-03")
	}
	return errors.Join(checkMonth(f.month), f.exportFlags.check(formatPDF, formatCSV, formatJSON))
}

func (a *app) writeStatements(ctx context.Context, f *statementFlags) error {
	dir, err := openExport(f.out)
	if err != nil {
		return err
	}
	filter := invoiceFilter{}
	if f.by == string(documents.ByUser) {
		filter.user = f.key
	} else {
		filter.site = f.key
	}
	h, err := a.readInvoices(ctx, filter.whose)
	if err != nil {
		return err
	}
	a.warn(h)
	list, err := documents.Statements(h.documents, documents.StatementBy(f.by), f.month)
	if err != nil {
		return &exitError{code: exitInvalid, what: "cannot make statements", err: err}
	}
	if len(list) == 0 && f.key != "" {
		return a.noKey(ctx, f)
	}
	if f.format == formatPDF {
		a.noteSeller(&f.seller)
	}
	answer := &exportAnswer{Format: f.format, Documents: len(list)}
	for i := range list {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		name := statementName(&list[i], f.format)
		err := dir.render(name, func(w io.Writer) error { return f.write(w, &list[i]) })
		switch {
		case errors.Is(err, documents.ErrDocument):
			answer.fail(name, err)
		case err != nil:
			return err
		}
	}
	return a.finish(answer, dir)
}

// keysNamed bounds the keys that a hint names.
const keysNamed = 10

// noKey says that a key has no document in the month, and which keys have.
func (a *app) noKey(ctx context.Context, f *statementFlags) error {
	h, err := a.readInvoices(ctx, func(v *chargestream.Invoice) bool {
		return strings.HasPrefix(v.BookingDate, f.month+"-")
	})
	if err != nil {
		return err
	}
	list, err := documents.Statements(h.documents, documents.StatementBy(f.by), f.month)
	if err != nil {
		return &exitError{code: exitInvalid, what: "cannot make statements", err: err}
	}
	var keys []string
	for i := range list {
		if key := list[i].Key; key != "" && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	hint := "no " + f.by + " has documents in that month"
	if len(keys) > 0 {
		hint = fmt.Sprintf("there are %d of this month, such as %s", len(keys),
			strings.Join(nearest(f.key, keys), ", "))
	}
	return &exitError{code: exitNotFound, hint: hint,
		what: fmt.Sprintf("--key %q: the %s has no documents in %s", f.key, f.by, f.month)}
}

// nearest are the first keys of a list, with those first that have the key that was asked for in
// them, or are in it, in any case.
func nearest(key string, keys []string) []string {
	key = strings.ToLower(key)
	near := func(k string) int {
		k = strings.ToLower(k)
		if strings.Contains(k, key) || strings.Contains(key, k) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(keys, func(a, b string) int {
		return cmp.Or(cmp.Compare(near(a), near(b)), cmp.Compare(a, b))
	})
	return keys[:min(len(keys), keysNamed)]
}

func (f *statementFlags) write(w io.Writer, s *documents.Statement) error {
	switch f.format {
	case formatPDF:
		return s.PDF(w, &f.seller)
	case formatCSV:
		return s.CSV(w)
	}
	return s.JSON(w)
}

// statementName is a name that no other statement of the folder has. A key that is empty, and a
// currency that is, become a word in brackets, which no id does.
func statementName(s *documents.Statement, format string) string {
	part := func(id string) string { return cmp.Or(fileName(id), "(none)") }
	return string(s.By) + "-" + part(s.Key) + "-" + s.Month + "-" + part(s.Currency) + "." + format
}
