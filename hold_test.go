package chargestream_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"

	"chargestream"
)

// TestHoldReasonsAreAll holds the list of reasons against the constants of the source: one that is
// missing could not be released.
func TestHoldReasonsAreAll(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "invoice.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared []chargestream.HoldReason
	for node := range ast.Preorder(file) {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || spec.Type == nil {
			continue
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "HoldReason" {
			continue
		}
		value, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			t.Fatalf("%s is no text", spec.Names[0])
		}
		text, err := strconv.Unquote(value.Value)
		if err != nil {
			t.Fatal(err)
		}
		declared = append(declared, chargestream.HoldReason(text))
	}
	slices.Sort(declared)
	listed := chargestream.HoldReasons()
	if !slices.Equal(declared, listed) {
		t.Errorf("declared %q, listed %q", declared, listed)
	}
	for _, r := range listed {
		if r != chargestream.HoldCancelled &&
			!slices.Contains(chargestream.AnomalyKinds(), chargestream.AnomalyOf(r)) {
			t.Errorf("%s opens no anomaly", r)
		}
	}
}
