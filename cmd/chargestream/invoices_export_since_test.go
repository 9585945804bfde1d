package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/internal/kafkatest"
	"chargestream/topics"
)

// sent produces documents behind those that the topic has.
func sent(t *testing.T, b kafkatest.Broker, list ...chargestream.Invoice) {
	t.Helper()
	for i := range list {
		value, err := json.Marshal(&list[i])
		if err != nil {
			t.Fatal(err)
		}
		kafkatest.MustProduce(t, b, &kgo.Record{Topic: topics.Invoices,
			Key: []byte(list[i].InvoiceID), Value: value})
	}
}

// TestExportOfACorrection: the folder of a clerk who exports every day has the credit note and the
// new invoice of a session that was corrected, and the replaced one lies apart.
func TestExportOfACorrection(t *testing.T) {
	history := billedHistory()
	first, note, again := history[0], history[1], history[2]
	for format, ending := range map[string]string{"pdf": ".pdf", "ubl": ".xml"} {
		t.Run(format, func(t *testing.T) {
			b, brokers := billed(t, first)
			dir := t.TempDir()
			export := append([]string{"invoices", "export", brokers, "--format", format, "--out",
				dir}, seller()...)
			exported(t, exitOK, export...)
			sent(t, b, note, again)
			answer := exported(t, exitOK, export...)
			if answer.Superseded != 1 || answer.Documents != 2 || answer.Files != 2 {
				t.Errorf("%+v", answer)
			}
			want := []string{note.InvoiceID + ending, again.InvoiceID + ending, supersededDir}
			if diff := cmp.Diff(want, filesOf(t, dir)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			old := filesOf(t, filepath.Join(dir, supersededDir))
			if diff := cmp.Diff([]string{first.InvoiceID + ending}, old); diff != "" {
				t.Errorf("superseded (-want +got):\n%s", diff)
			}
			if format != "ubl" {
				return
			}
			for id, name := range map[string]string{note.InvoiceID: again.InvoiceID,
				again.InvoiceID: first.InvoiceID} {
				text, err := os.ReadFile(filepath.Join(dir, id+ending))
				if err != nil || !strings.Contains(string(text), name) {
					t.Errorf("%s does not name %s, error %v:\n%s", id, name, err, text)
				}
			}
		})
	}
}

func TestExportSinceLast(t *testing.T) {
	history := billedHistory()
	b, brokers := billed(t, history[0], history[3])
	dir := t.TempDir()
	csv := []string{"invoices", "export", brokers, "--format=csv", "--out", dir, "--since=last"}
	answer := exported(t, exitOK, csv...)
	if answer.Documents != 1 || answer.Written != 1 {
		t.Errorf("the first export: %+v", answer)
	}
	answer = exported(t, exitOK, csv...)
	if answer.Documents != 0 || answer.NotNew != 1 || answer.Files != 0 {
		t.Errorf("with nothing new: %+v", answer)
	}
	sent(t, b, history[1], history[2])
	answer = exported(t, exitOK, csv...)
	if answer.Documents != 2 || answer.Written != 1 {
		t.Errorf("after a correction: %+v", answer)
	}
	want := []string{markFile, "invoices-0001.csv", "invoices-0002.csv"}
	if diff := cmp.Diff(want, filesOf(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	text, err := os.ReadFile(filepath.Join(dir, "invoices-0002.csv"))
	if err != nil || !strings.Contains(string(text), history[1].InvoiceID) ||
		!strings.Contains(string(text), history[2].InvoiceID) {
		t.Errorf("the second file, error %v:\n%s", err, text)
	}
	// Another format and another filter have their own mark.
	pdf := slices.Replace(slices.Clone(csv), 3, 4, "--format=pdf")
	for _, flags := range [][]string{{"--seller-name=A"}, {"--seller-name=A", "--user=card-7"}} {
		if n := exported(t, exitOK, append(pdf, flags...)...).Documents; n != 3 {
			t.Errorf("%v: %d documents, want 3", flags, n)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, markFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, nil, csv...).want(t, exitInvalid, "", "delete it")
}

// TestExportSinceATime takes what was issued from then on.
func TestExportSinceATime(t *testing.T) {
	_, brokers := billed(t, billedHistory()...)
	dir := t.TempDir()
	export := []string{"invoices", "export", brokers, "--format=json", "--out", dir}
	answer := exported(t, exitOK, append(export, "--since", "2026-03-03T00:00:00Z")...)
	if answer.Documents != 2 { // the credit note and the new invoice
		t.Errorf("%+v", answer)
	}
	if diff := cmp.Diff([]string{"invoices-since-2026-03-03T000000Z.json"},
		filesOf(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	run(t, nil, append(export, "--since", "yesterday")...).
		want(t, exitUsage, "", `--since "yesterday" is neither "last" nor a time`)
}
