package processors_test

import (
	"flag"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream/engine"
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
	for _, topic := range topics.All() {
		if topic.Decode != nil && !slices.Contains(all[len(all)-1].Inputs, topic.Name) {
			t.Errorf("%s has events, and is no input of processors.Stations", topic.Name)
		}
	}
	for _, p := range all {
		names := slices.Concat(p.TableTopics(), p.Topics(), p.OutputTopics(), p.Lookups)
		for _, name := range names {
			if _, ok := topics.Lookup(name); !ok {
				t.Errorf("topic %q of %s is not in the register", name, p.Group)
			}
		}
	}
}
