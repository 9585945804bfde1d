//go:build integration

package documents

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"chargestream"
)

// The validator of `make mustang-jars`, and the script that hands it all files in one JVM.
const (
	mustangJars   = "../.cache/mustang-2.25.0"
	mustangScript = "../tools/ubl/validate.js"
)

// randomInvoices is how many drawn bills are validated besides the examples, at about 0.1 s each.
const randomInvoices = 100

// farFile is the bill of which VAT is off its rate by what a bound of the tariff made of it.
const farFile = "far.xml"

// mustangReport is what the validator says of one file.
type mustangReport struct {
	Errors   []string `xml:"xml>messages>error"`
	Warnings []string `xml:"xml>messages>warning"`
	Failure  []string `xml:"messages>error"`
	Summary  struct {
		Status string `xml:"status,attr"`
	} `xml:"summary"`
}

// mustang validates files by name.
func mustang(t *testing.T, files map[string][]byte) map[string]mustangReport {
	t.Helper()
	if _, err := os.Stat(mustangJars); err != nil {
		t.Fatalf("%v: run `make mustang-jars`", err)
	}
	in, out := t.TempDir(), t.TempDir()
	args := []string{"-cp", mustangJars + "/*", "org.mozilla.javascript.tools.shell.Main",
		mustangScript, out}
	for name, text := range files {
		path := filepath.Join(in, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	java := exec.Command("java", args...)
	if said, err := java.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	reports := map[string]mustangReport{}
	for name := range files {
		text, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		var r mustangReport
		if err := xml.Unmarshal(text, &r); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
		reports[name] = r
	}
	return reports
}

// faults spoil an e-invoice in one place, each with the rule that must find it.
func faults() []struct{ name, from, to, rule string } {
	return []struct{ name, from, to, rule string }{
		{"payable", `(<cbc:PayableAmount[^>]*>)10.95<`, "${1}10.96<", "BR-CO-16"},
		{"VAT", `(<cac:TaxTotal>\s*<cbc:TaxAmount[^>]*>)1.75<`, "${1}1.76<", "BR-CO-14"},
		{"line", `(<cbc:LineExtensionAmount[^>]*>)9.20(</cbc:LineExtensionAmount>\s*<cac:Item>)`,
			"${1}9.19${2}", "BR-CO-10"},
		{"country", `<cbc:IdentificationCode>DE<`, "<cbc:IdentificationCode>XX<", "BR-CL-14"},
		{"unit", `unitCode="KWH"`, `unitCode="kWh"`, "BR-CL-23"},
		{"order", `(<cbc:ID>[^<]*</cbc:ID>)(\s*)(<cbc:IssueDate>[^<]*</cbc:IssueDate>)`,
			"${3}${2}${1}", "schema validation"},
	}
}

// TestUBLValid validates the examples, drawn bills and their credit notes by the rules of EN 16931,
// and spoiled ones, of which none may pass.
func TestUBLValid(t *testing.T) {
	files, bills := map[string][]byte{}, map[string]*chargestream.Invoice{}
	add := func(name string, v *chargestream.Invoice) {
		bills[name] = v
		files[name] = written(t, func(w io.Writer) error { return UBL(w, v, seller()) })
	}
	for _, e := range examples() {
		if issued(e.v) {
			add(e.name+".xml", e.v)
		}
	}
	// A credit note and a new invoice that name each other, and the one that they replace.
	list := corrected()
	links := LinksOf(list)
	for i := range list {
		if v := &list[i]; issued(v) {
			files[fmt.Sprintf("corrected-%d.xml", i)] = written(t, func(w io.Writer) error {
				return links[v.InvoiceID].UBL(w, v, seller())
			})
		}
	}
	// As far off the rate as the rules allow, which the validator notes.
	far := billed(item{dimension: "ENERGY", quantity: "20.450", price: "0.45", percent: "19"})
	shift(far, "MIN_PRICE", "19", "0.00", "0.99")
	add(farFile, far)
	drawn := rapid.Custom(func(t *rapid.T) chargestream.Invoice {
		return drawInvoice(t, 1, rapid.SampledFrom([]string{"EUR", "JPY"}).Draw(t, "currency"))
	})
	for i := range randomInvoices {
		v := drawn.Example(i)
		v.Status, v.HoldReasons = chargestream.StatusIssued, nil
		if i%2 == 1 {
			v = creditNote(v, v.IssuedAt, v.BookingDate)
		}
		add(fmt.Sprintf("drawn-%d.xml", i), &v)
	}
	spoiled := map[string]string{}
	for _, f := range faults() {
		name := "spoiled-" + f.name + ".xml"
		from := regexp.MustCompile(f.from)
		files[name] = from.ReplaceAll(files["flat.xml"], []byte(f.to))
		if bytes.Equal(files[name], files["flat.xml"]) {
			t.Errorf("%s is not spoiled", name)
		}
		spoiled[name] = f.rule
	}
	for name, r := range mustang(t, files) {
		found := strings.Join(append(r.Errors, r.Failure...), "\n")
		if rule, ok := spoiled[name]; ok {
			if r.Summary.Status != "invalid" || !strings.Contains(found, rule) {
				t.Errorf("%s is %s, and %s is not among:\n%s", name, r.Summary.Status, rule, found)
			}
			continue
		}
		if r.Summary.Status != "valid" || found != "" {
			t.Errorf("%s is %s: %s\n%s", name, r.Summary.Status, found, files[name])
		}
		for _, w := range r.Warnings {
			if name != farFile {
				checkArithmetic(t, name, bills[name], w)
			}
		}
	}
}

// arithmetic is how the validator says that it computed another total: by rounding each line, and
// the VAT of rounded sums.
var arithmetic = regexp.MustCompile(
	`Payable total in XML is (-?[\d.]+), but calculated total is (-?[\d.]+) `)

// checkArithmetic allows a minor unit for each line and each VAT rate, which decision 9 rounds
// later than the validator, and no other warning.
func checkArithmetic(t *testing.T, name string, v *chargestream.Invoice, warning string) {
	t.Helper()
	m := arithmetic.FindStringSubmatch(warning)
	if m == nil {
		t.Errorf("%s: %s", name, warning)
		return
	}
	digits, err := digitsOf(v.Currency)
	if err != nil {
		t.Fatal(err)
	}
	off := new(big.Rat).Sub(rat(m[1]), rat(m[2]))
	most := big.NewRat(int64(len(v.Lines)+len(v.VATGroups)), 1)
	for range digits {
		most.Quo(most, big.NewRat(10, 1))
	}
	if off.Abs(off).Cmp(most) > 0 {
		t.Errorf("%s: %s", name, warning)
	}
}
