package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"chargestream"
	"chargestream/documents"
)

// The words of --format.
const (
	formatJSON = "json"
	formatCSV  = "csv"
	formatPDF  = "pdf"
	formatUBL  = "ubl"
)

// exportFlags are the flags of a command that writes documents into a folder.
type exportFlags struct {
	format, out string
	seller      documents.Seller
}

// flags adds the flags; formats are those that the command knows.
func (f *exportFlags) flags(cmd *cobra.Command, formats string) {
	cmd.Flags().StringVar(&f.format, "format", "", "`form` of the files: "+formats+"; required")
	cmd.Flags().StringVar(&f.out, "out", "", "`folder` to write to; made if needed; required")
	sellerFlags(cmd, &f.seller)
}

// check refuses a format that is none of those given.
func (f *exportFlags) check(formats ...string) error {
	if !slices.Contains(formats, f.format) {
		return usageError(fmt.Sprintf("--format %q is none of %q", f.format, formats), "")
	}
	if f.format == formatUBL {
		return needSeller(&f.seller)
	}
	return nil
}

// failuresMax bounds the failures of which an answer gives the reason.
const failuresMax = 100

// failure is a document that could not be written.
type failure struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// exportAnswer is what an export prints.
type exportAnswer struct {
	Format    string `json:"format"`
	Folder    string `json:"folder"`
	Documents int    `json:"documents"` // asked for
	Files     int    `json:"files"`     // of them in the folder now
	Written   int    `json:"written"`
	Replaced  int    `json:"replaced"` // had other bytes
	Unchanged int    `json:"unchanged"`
	// Held counts the documents that are left out of UBL as they are held, or as they
	// cancel such a one: nothing was ever sent of them.
	Held int `json:"held_left_out"`
	// Free counts the documents that are left out of UBL as they bill nothing: EN 16931 wants a
	// line.
	Free     int       `json:"free_left_out"`
	Failed   int       `json:"failed"`
	Failures []failure `json:"failures,omitempty"`
}

// fail notes a document that cannot be written; the others still are.
func (e *exportAnswer) fail(id string, err error) {
	if e.Failed++; len(e.Failures) < failuresMax {
		e.Failures = append(e.Failures, failure{ID: id, Reason: err.Error()})
	}
}

// finish prints the answer of an export, which fails if a document did.
func (a *app) finish(e *exportAnswer, d *exportDir) error {
	e.Folder, e.Written, e.Replaced, e.Unchanged = d.path, d.written, d.replaced, d.unchanged
	e.Files = d.written + d.replaced + d.unchanged
	if err := a.printJSON(e); err != nil {
		return err
	}
	if e.Failed > 0 {
		return &exitError{code: exitInvalid, hint: "the answer says why, for each",
			what: fmt.Sprintf("%d of %d documents could not be written", e.Failed, e.Documents)}
	}
	return nil
}

func (a *app) exportCommand() *cobra.Command {
	var filter invoiceFilter
	var f exportFlags
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write invoices and credit notes into a folder",
		Long: "Write invoices and credit notes into a folder: json and csv as one file, pdf " +
			"and ubl (EN 16931) as one file each. Held documents are not exported as ubl, and " +
			"neither are their credit notes and bills of nothing; the answer counts them. A " +
			"file that is there already and equal is left as it is.",
		Example: `chargestream invoices export --brokers localhost:9092 --format csv --out bills
chargestream invoices export --brokers localhost:9092 --format ubl --out bills --month 2026-03 ` +
			`--seller-name ACME --seller-country FR --seller-vat-id FR12345678901`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := errors.Join(filter.check(), f.check(formatJSON, formatCSV, formatPDF, formatUBL))
			if err != nil {
				return err
			}
			return a.exportInvoices(cmd.Context(), &filter, &f)
		},
	}
	filter.flags(cmd)
	f.flags(cmd, "json, csv, pdf or ubl")
	return cmd
}

func (a *app) exportInvoices(ctx context.Context, filter *invoiceFilter, f *exportFlags) error {
	dir, err := openExport(f.out)
	if err != nil {
		return err
	}
	h, err := a.readInvoices(ctx, filter.whose)
	if err != nil {
		return err
	}
	a.warn(h)
	list := filter.choose(h.documents)
	answer := &exportAnswer{Format: f.format, Documents: len(list)}
	switch f.format {
	case formatJSON:
		err = dir.render(listName(filter.month, ".json"), func(w io.Writer) error {
			return documents.JSON(w, list)
		})
	case formatCSV:
		err = dir.render(listName(filter.month, ".csv"), func(w io.Writer) error {
			return documents.CSV(w, list)
		})
	default:
		if f.format == formatPDF {
			a.noteSeller(&f.seller)
		}
		err = exportEach(ctx, list, f, dir, answer)
	}
	if err != nil {
		return err
	}
	return a.finish(answer, dir)
}

// listName is the name of a file that holds all documents that were asked for.
func listName(month, ending string) string {
	if month == "" {
		return "invoices" + ending
	}
	return "invoices-" + month + ending
}

// exportEach writes a file for each document.
func exportEach(ctx context.Context, list []chargestream.Invoice, f *exportFlags, dir *exportDir,
	answer *exportAnswer) error {
	for i := range list {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		v := &list[i]
		name, write := fileName(v.InvoiceID)+".pdf", documents.PDF
		if f.format == formatUBL {
			name, write = fileName(v.InvoiceID)+".xml", documents.UBL
			if answer.leaveOut(v) {
				continue
			}
		}
		err := dir.render(name, func(w io.Writer) error { return write(w, v, &f.seller) })
		switch {
		case errors.Is(err, documents.ErrDocument):
			answer.fail(v.InvoiceID, err)
		case err != nil:
			return err
		}
	}
	return nil
}

// leaveOut reports whether a document is none to be sent, and counts it.
func (e *exportAnswer) leaveOut(v *chargestream.Invoice) bool {
	switch {
	case v.Status == chargestream.StatusHeld:
		e.Held++
	case len(v.Lines) == 0:
		e.Free++
	default:
		return false
	}
	return true
}

// render writes a file of what write writes.
func (d *exportDir) render(name string, write func(io.Writer) error) error {
	var content bytes.Buffer
	if err := write(&content); err != nil {
		return err
	}
	return d.write(name, content.Bytes())
}
