package tidy_test

import (
	"os"
	"path/filepath"
	"testing"

	"chargestream/internal/tidy"
)

// TestTree holds the whole tree against the rules.
func TestTree(t *testing.T) {
	root := filepath.Join("..", "..")
	for _, name := range []string{"go.mod", "doc.go", "topics", "internal/tidy"} {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			t.Fatalf("%s is not the root of the project: %v", root, err)
		}
	}
	for _, finding := range tidy.Check(os.DirFS(root)) {
		if finding.Warning {
			t.Logf("warning: %v", finding)
		} else {
			t.Errorf("%v", finding)
		}
	}
}
