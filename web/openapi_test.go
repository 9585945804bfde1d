package web_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite testdata from what is served now")

// The contract is committed. If this test fails, run it with -update, read the difference, and
// commit it only if it is meant: clients are generated from this document.
func TestOpenAPI(t *testing.T) {
	golden := filepath.Join("testdata", "openapi.json")
	out := ask(handlerOf(city()), http.MethodGet, "/openapi.json")
	if out.Code != http.StatusOK {
		t.Fatalf("status %d: %s", out.Code, out.Body)
	}
	var got bytes.Buffer
	if err := json.Indent(&got, bytes.TrimSpace(out.Body.Bytes()), "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"),
		strings.Split(got.String(), "\n")); diff != "" {
		t.Errorf("%s differs, run with -update if that is meant (-want +got):\n%s", golden, diff)
	}
}

// Every handler must serve the same document, in the same order.
func TestOpenAPIIsDeterministic(t *testing.T) {
	first := ask(handlerOf(city()), http.MethodGet, "/openapi.json").Body.String()
	for range 5 {
		if again := ask(handlerOf(city()), http.MethodGet, "/openapi.json").Body.String(); again !=
			first {
			t.Fatalf("two handlers describe themselves differently:\n%s\n%s", first, again)
		}
	}
}
