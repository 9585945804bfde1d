package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"chargestream"
)

// seller are the flags of a seller of whom e-invoices can be made.
func seller() []string {
	return []string{"--seller-name=ACME", "--seller-country=FR", "--seller-vat-id=FR12345678901",
		"--seller-city=Lyon"}
}

func TestExportInvoicesAsUBL(t *testing.T) {
	strange := bill("s/../../x", func(v *chargestream.Invoice) { v.InvoiceID = "..s/../../x" })
	free := bill("s-7", func(v *chargestream.Invoice) { v.Lines = nil })
	bad := bill("s-9", func(v *chargestream.Invoice) { v.TotalInclVAT = "2.17" })
	heldOne := bill("s-8", held(chargestream.HoldOverPower))
	list := append(billedHistory(), strange, free, bad, heldOne, credited(heldOne, noon))
	_, brokers := billed(t, list...)
	dir := filepath.Join(t.TempDir(), "a", "b")
	export := append([]string{"invoices", "export", brokers, "--format=ubl", "--out", dir, "--all"},
		seller()...)
	answer := exported(t, exitInvalid, export...)
	if answer.Documents != 10 || answer.Held != 3 || answer.Free != 1 ||
		answer.Failed != 1 || answer.Files != 5 || answer.Written != 5 ||
		len(answer.Failures) != 1 || answer.Failures[0].ID != bad.InvoiceID {
		t.Errorf("%+v", answer)
	}
	want := []string{"%2E.s%2F..%2F..%2Fx.xml", "s-1-0123456789-credit.xml",
		"s-1-aaaaaaaaaa.xml", "s-3-0123456789.xml", supersededDir}
	slices.Sort(want)
	if diff := cmp.Diff(want, filesOf(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"s-1-0123456789.xml"},
		filesOf(t, filepath.Join(dir, supersededDir))); diff != "" {
		t.Errorf("superseded files (-want +got):\n%s", diff)
	}
	path := filepath.Join(dir, "s-3-0123456789.xml")
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, want[1]), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	answer = exported(t, exitInvalid, export...)
	if answer.Written != 0 || answer.Replaced != 1 || answer.Unchanged != 4 || answer.Files != 5 {
		t.Errorf("second export: %+v", answer)
	}
	after, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) {
		t.Error("an equal file was written anew")
	}
}

func TestExportInvoicesAsOneFile(t *testing.T) {
	_, brokers := billed(t, billedHistory()...)
	dir := t.TempDir()
	for _, args := range [][]string{{"--format=csv"},
		{"--format=json", "--month=2026-03", "--all"}} {
		answer := exported(t, exitOK,
			append([]string{"invoices", "export", brokers, "--out", dir}, args...)...)
		if answer.Files != 1 || answer.Written != 1 {
			t.Errorf("%v: %+v", args, answer)
		}
	}
	if diff := cmp.Diff([]string{"invoices-2026-03.json", "invoices.csv"},
		filesOf(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	text, err := os.ReadFile(filepath.Join(dir, "invoices.csv"))
	if err != nil || strings.Count(string(text), "\n") != 4 {
		t.Errorf("%s, error %v: want a header and three documents", text, err)
	}
}

func TestExportInvoicesAsPDF(t *testing.T) {
	_, brokers := billed(t, billedHistory()...)
	dir := t.TempDir()
	export := []string{"invoices", "export", brokers, "--out", dir, "--format=pdf"}
	got := run(t, nil, export...)
	if got.code != exitOK || !strings.Contains(got.stderr, "do not say who bills") {
		t.Errorf("without a seller: %+v", got)
	}
	run(t, map[string]string{"CHARGESTREAM_SELLER_NAME": "ACME"}, export...).
		want(t, exitOK, "4 documents as pdf in ", "")
	want := []string{"held-s-1-x-0123456789.pdf", "s-1-0123456789-credit.pdf",
		"s-1-aaaaaaaaaa.pdf", "s-3-0123456789.pdf"}
	if diff := cmp.Diff(want, filesOf(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for _, name := range filesOf(t, dir) {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.HasPrefix(string(text), "%PDF-") {
			t.Errorf("%s is no PDF, error %v", name, err)
		}
	}
}

func TestExportRefuses(t *testing.T) {
	for flags, why := range map[string]string{
		"--out=x":                           "--format",
		"--out=x --format=xml":              `--format "xml"`,
		"--out=x --format=ubl":              "--seller-name, --seller-country, --seller-vat-id",
		"--format=csv":                      "no folder",
		"--out=x --format=csv --month=2026": "--month",
	} {
		run(t, nil, append([]string{"invoices", "export"}, strings.Fields(flags)...)...).
			want(t, exitUsage, "", why)
	}
	for flags, why := range map[string]string{
		"--out=x --format=pdf --month=2026-03":            "--by",
		"--out=x --format=pdf --by=user":                  "no month",
		"--out=x --format=ubl --by=user --month=2026-03":  `--format "ubl"`,
		"--out=x --format=pdf --by=user --month=March":    "--month",
		"--out=x --format=pdf --by=tariff --month=2026-3": `--by "tariff"`,
	} {
		run(t, nil, append([]string{"statements"}, strings.Fields(flags)...)...).
			want(t, exitUsage, "", why)
	}
	file := write(t, "file", "")
	run(t, nil, "invoices", "export", "--format=csv", "--out", file).
		want(t, exitRuntime, "", "not a directory")
}

func TestStatements(t *testing.T) {
	unnamed := bill("s-5", func(v *chargestream.Invoice) { v.UserID = "" })
	_, brokers := billed(t, append(billedHistory(), unnamed)...)
	dir := t.TempDir()
	args := []string{"statements", brokers, "--by=user", "--month=2026-03", "--format=csv",
		"--out", dir}
	answer := exported(t, exitOK, args...)
	if answer.Documents != 3 || answer.Files != 3 {
		t.Errorf("%+v", answer)
	}
	want := []string{"user-(none)-2026-03-EUR.csv", "user-card-7-2026-03-EUR.csv",
		"user-card-8-2026-03-EUR.csv"}
	if diff := cmp.Diff(want, filesOf(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	dir = t.TempDir()
	exported(t, exitOK, "statements", brokers, "--by=site", "--month=2026-03", "--format=json",
		"--key=nice-1", "--out", dir)
	text, err := os.ReadFile(filepath.Join(dir, "site-nice-1-2026-03-EUR.json"))
	if err != nil || !strings.Contains(string(text), `"total_incl_vat":"2.16"`) {
		t.Errorf("%s, error %v", text, err)
	}
}

// TestFileNames holds that different ids have different names, which are names of files.
func TestFileNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("ab./\\%-2EF é\x00:")))
		one, other := text.Draw(t, "one"), text.Draw(t, "other")
		name := fileName(one)
		if one != other && name == fileName(other) {
			t.Fatalf("%q and %q are both %q", one, other, name)
		}
		if strings.ContainsAny(name, "/\\\x00: ") || strings.HasPrefix(name, ".") ||
			len(name) > fileNameMax {
			t.Fatalf("%q is %q", one, name)
		}
	})
	long := strings.Repeat("é", 200)
	if fileName(long+"1") == fileName(long+"2") || len(fileName(long)) != fileNameMax {
		t.Errorf("long names: %q", fileName(long))
	}
}

// TestExportIsToBeRead: without --output json an answer is sentences, of what there is.
func TestExportIsToBeRead(t *testing.T) {
	history := billedHistory()
	_, brokers := billed(t, history[0], history[3])
	dir := t.TempDir()
	args := []string{"invoices", "export", brokers, "--format=csv", "--since=last", "--out", dir}
	run(t, nil, args...).want(t, exitOK, "1 document as csv in "+dir+"\n- 1 file is new\n", "")
	run(t, nil, args...).want(t, exitOK, "0 documents as csv in "+dir+
		"\n- 1 document is left out: it is not new\n", "")
	args[4] = "--since=2020-01-01T00:00:00Z"
	run(t, nil, args...).want(t, exitOK, "1 document as csv in ", "")
	run(t, nil, "invoices", "export", "--format=doc", "--out", dir).
		want(t, exitUsage, "", `--format "doc" is none of json, csv, pdf, ubl`)
}
