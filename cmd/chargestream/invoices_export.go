package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

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
		return usageError(fmt.Sprintf("--format %q is none of %s", f.format,
			strings.Join(formats, ", ")), "")
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
	// Superseded counts the files of earlier exports that were moved to the folder superseded, as
	// a credit note cancels their documents.
	Superseded int `json:"superseded"`
	// NotNew counts the documents that --since leaves out.
	NotNew int `json:"not_new,omitempty"`
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
	e.Files, e.Superseded = d.written+d.replaced+d.unchanged, d.superseded
	if err := a.printExport(e); err != nil {
		return err
	}
	if e.Failed > 0 {
		return &exitError{code: exitInvalid, hint: "the answer says why, for each",
			what: fmt.Sprintf("%d of %d documents could not be written", e.Failed, e.Documents)}
	}
	return nil
}

// printExport writes an answer; to read, without what there is none of.
func (a *app) printExport(e *exportAnswer) error {
	if a.output == outputJSON {
		return a.printJSON(e)
	}
	text := fmt.Sprintf("%s as %s in %s\n", documents.Counted(e.Documents, "document", "documents"),
		e.Format, harmless(e.Folder))
	for _, part := range []struct {
		n         int
		one, many string
	}{
		{e.Written, "file is new", "files are new"},
		{e.Replaced, "file was there and has other contents now",
			"files were there and have other contents now"},
		{e.Unchanged, "file was there and stays as it is", "files were there and stay as they are"},
		{e.Superseded, "file of an earlier export is in superseded now: it was replaced",
			"files of earlier exports are in superseded now: they were replaced"},
		{e.NotNew, "document is left out: it is not new",
			"documents are left out: they are not new"},
		{e.Held, "document is left out: it is held, or cancels one that is",
			"documents are left out: they are held, or cancel such"},
		{e.Free, "document is left out: it bills nothing",
			"documents are left out: they bill nothing"},
	} {
		if part.n > 0 {
			text += "- " + documents.Counted(part.n, part.one, part.many) + "\n"
		}
	}
	for _, f := range e.Failures {
		text += harmless(fmt.Sprintf("- %s: %s", f.ID, f.Reason)) + "\n"
	}
	return a.printf("%s", text)
}

func (a *app) exportCommand() *cobra.Command {
	var filter invoiceFilter
	var f exportFlags
	var sinceText string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write invoices and credit notes into a folder",
		Long: "Write invoices and credit notes into a folder: json and csv as one file, pdf " +
			"and ubl (EN 16931) as one file each. Of a corrected session pdf and ubl have the " +
			"credit note and the new invoice, which name the invoice that they replace; its " +
			"file of an earlier export is moved to the folder superseded, and with --all it is " +
			"written there. Drafts on hold are written as held-ID.pdf. Held documents are not " +
			"exported as ubl, and neither are their credit notes and bills of nothing; the " +
			"answer counts them. A file that is there already and equal is left as it is. With " +
			"--since only new documents are exported: \"last\" goes on where the last export " +
			"of the same format and filter into the folder ended.",
		Example: `chargestream invoices export --brokers localhost:9092 --format csv --out bills
chargestream invoices export --brokers localhost:9092 --format pdf --out bills --since last
chargestream invoices export --brokers localhost:9092 --format ubl --out bills --month 2026-03 ` +
			`--seller-name ACME --seller-country FR --seller-vat-id FR12345678901`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			from, errSince := newSince(sinceText)
			err := errors.Join(filter.check(), errSince,
				f.check(formatJSON, formatCSV, formatPDF, formatUBL))
			if err != nil {
				return err
			}
			return a.exportInvoices(cmd.Context(), &filter, &f, from)
		},
	}
	filter.flags(cmd)
	f.flags(cmd, "json, csv, pdf or ubl")
	cmd.Flags().StringVar(&sinceText, "since", "", "only what is new since: `last`, the last "+
		"export into the folder, or a time, RFC 3339, by issued_at")
	return cmd
}

func (a *app) exportInvoices(ctx context.Context, filter *invoiceFilter, f *exportFlags,
	from *since) error {
	dir, err := openExport(f.out)
	if err != nil {
		return err
	}
	marked, err := readMarks(f.out)
	if err != nil {
		return err
	}
	key := markKey(f.format, filter)
	from.mark = marked[key]
	h, err := a.readInvoicesNaming(ctx, filter.names(), filter.whose)
	if err != nil {
		return err
	}
	a.warn(h)
	x := &export{exportFlags: f, dir: dir, links: documents.LinksOf(h.documents),
		superseded: documents.Superseded(h.documents)}
	list := x.choose(h, filter, from)
	x.answer = &exportAnswer{Format: f.format, Documents: len(list), NotNew: x.notNew}
	switch {
	case f.format == formatPDF, f.format == formatUBL:
		if f.format == formatPDF {
			a.noteSeller(&f.seller)
		}
		if err = x.retire(h.documents); err == nil {
			err = x.each(ctx, list)
		}
	case len(list) == 0 && from.text != "":
	default:
		err = x.list(from.name(filter.month, "."+f.format), list)
	}
	if err != nil {
		return err
	}
	if x.answer.Failed == 0 && from.last {
		next := exportMark{Offsets: h.end, Runs: from.mark.Runs}
		if len(list) > 0 {
			next.Runs++
		}
		marked[key] = next
		if err := marked.write(f.out); err != nil {
			return err
		}
	}
	return a.finish(x.answer, dir)
}

// export is one run of export.
type export struct {
	*exportFlags
	dir        *exportDir
	answer     *exportAnswer
	links      map[string]documents.Links
	superseded map[string]bool
	notNew     int
}

// choose is the documents to export. Where each has a file of its own, and where only what is new
// is asked for, the credit notes of what was sent are among them.
func (x *export) choose(h *history, filter *invoiceFilter, from *since) []chargestream.Invoice {
	each := x.format == formatPDF || x.format == formatUBL
	list := h.documents
	switch {
	case filter.all:
	case from.text != "" && !each:
		// A journal: what was booked stays booked, and is credited.
		list = slices.DeleteFunc(slices.Clone(list), func(v chargestream.Invoice) bool {
			return v.Status != chargestream.StatusIssued
		})
	case each && !filter.live:
		list = documents.Sent(list)
	default:
		list = documents.Live(list)
	}
	var chosen []chargestream.Invoice
	for i := range list {
		v := &list[i]
		switch {
		case !filter.passes(v):
		case !from.has(v, h.places[v.InvoiceID]):
			x.notNew++
		default:
			chosen = append(chosen, *v)
		}
	}
	return chosen
}

// list writes all documents as one file.
func (x *export) list(name string, list []chargestream.Invoice) error {
	return x.dir.render(name, func(w io.Writer) error {
		if x.format == formatJSON {
			return documents.JSON(w, list)
		}
		return documents.CSV(w, list, x.links)
	})
}

// listName is the name of a file that holds all documents that were asked for.
func listName(month, ending string) string {
	if month == "" {
		return "invoices" + ending
	}
	return "invoices-" + month + ending
}

// name is that of a document's file.
func (x *export) name(v *chargestream.Invoice) string {
	if x.format == formatUBL {
		return fileName(v.InvoiceID) + ".xml"
	}
	if v.Status == chargestream.StatusHeld {
		return "held-" + fileName(v.InvoiceID) + ".pdf"
	}
	return fileName(v.InvoiceID) + ".pdf"
}

// retire moves the files of documents that a credit note cancels.
func (x *export) retire(all []chargestream.Invoice) error {
	for i := range all {
		if v := &all[i]; x.superseded[v.InvoiceID] {
			if err := x.dir.supersede(x.name(v)); err != nil {
				return err
			}
		}
	}
	return nil
}

// each writes a file for each document.
func (x *export) each(ctx context.Context, list []chargestream.Invoice) error {
	for i := range list {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		v := &list[i]
		write := x.links[v.InvoiceID].PDF
		if x.format == formatUBL {
			write = x.links[v.InvoiceID].UBL
			if x.answer.leaveOut(v) {
				continue
			}
		}
		name := x.name(v)
		if x.superseded[v.InvoiceID] {
			name = filepath.Join(supersededDir, name)
		}
		err := x.dir.render(name, func(w io.Writer) error { return write(w, v, &x.seller) })
		switch {
		case errors.Is(err, documents.ErrDocument):
			x.answer.fail(v.InvoiceID, err)
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
