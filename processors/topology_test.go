package processors_test

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream/internal/engine"
	"chargestream/processors"
	"chargestream/topics"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestTopology holds the topology against testdata: a change of it changes what lies in brokers,
// so it must be meant. Every topic of it must be in the register.
func TestTopology(t *testing.T) {
	all := processors.All(nil)
	topology := engine.Describe(all...)
	for file, text := range map[string]string{
		"testdata/topology.txt": topology.String(), "testdata/topology.mmd": topology.Mermaid()} {
		if *update {
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), text); diff != "" {
			t.Errorf("%s differs (if it is meant, run with -update):\n%s", file, diff)
		}
	}
	for _, p := range all {
		names := append([]string{p.Table()}, p.Inputs...)
		names = append(append(names, p.Outputs...), p.Lookups...)
		if p.Clock != "" {
			names = append(names, p.Clock)
		}
		for _, name := range names {
			if _, ok := topics.Lookup(name); !ok {
				t.Errorf("topic %q of %s is not in the register", name, p.Group)
			}
		}
	}
}
