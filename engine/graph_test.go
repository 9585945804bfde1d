package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lovoo/goka"
)

// updateEnv rewrites the golden file.
const updateEnv = "UPDATE_GOLDEN"

// describe writes the graph that goka gets of a processor, an edge a line.
func describe(g *goka.GroupGraph) string {
	var text strings.Builder
	fmt.Fprintf(&text, "group %s\n", g.Group())
	for _, part := range []struct {
		name  string
		edges goka.Edges
	}{
		{"input", g.InputStreams()}, {"table", goka.Edges{g.GroupTable()}},
		{"lookup", g.LookupTables()}, {"join", g.JointTables()}, {"output", g.OutputStreams()},
	} {
		for _, e := range part.edges {
			fmt.Fprintf(&text, "%s %s\n", part.name, e.Topic())
		}
	}
	if g.LoopStream() != nil {
		fmt.Fprintf(&text, "loop %s\n", g.LoopStream().Topic())
	}
	return text.String()
}

// TestGraph declares a processor with every kind of edge, of whose tables goka knows the first, and
// holds what goka makes of it against a golden file; goka must also accept it.
func TestGraph(t *testing.T) {
	p := &Processor{Group: "wordcount", Inputs: []string{"words", "corrections"}, Clock: "clock",
		Lookups: []string{"dictionary"},
		Tables:  []Declared{plain("wordcount"), plain("letters")},
		Outputs: []Output{{Topic: "counts"}, {Topic: "strange-words", Newest: true}},
		Fold:    func(*Context, *Message) error { return nil }}
	g := graph(p, func(goka.Context, any) {})
	if err := g.Validate(); err != nil {
		t.Fatal(err)
	}
	got, path := describe(g), filepath.Join("testdata", "wordcount.graph")
	if os.Getenv(updateEnv) != "" {
		mustDo(t, os.MkdirAll("testdata", 0o755))
		mustDo(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	mustDo(t, err)
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("graph (-want +got), %s=1 accepts it:\n%s", updateEnv, diff)
	}
	if topic := string(goka.GroupTable(g.Group())); topic != p.Table() {
		t.Errorf("goka's table is %s, the processor's %s", topic, p.Table())
	}
}

// TestGraphWithoutClock has no input of an empty name.
func TestGraphWithoutClock(t *testing.T) {
	p := &Processor{Group: "g", Inputs: []string{"in"}, Tables: []Declared{plain("g")}}
	g := graph(p, func(goka.Context, any) {})
	if err := g.Validate(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"in"}, g.InputStreams().Topics()); diff != "" {
		t.Errorf("inputs (-want +got):\n%s", diff)
	}
}
