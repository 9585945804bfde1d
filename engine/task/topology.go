package task

import (
	"fmt"
	"strings"
)

// Topology is what a set of processors reads, keeps and writes, to be printed and to be held by
// a golden file: a change of it is a change of what lies in the broker.
type Topology struct{ procs []*Processor }

// Describe makes the topology of processors.
func Describe(procs ...*Processor) Topology { return Topology{procs} }

// String is the topology as text, one processor after another.
func (t Topology) String() string {
	var b strings.Builder
	for i, p := range t.procs {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "processor %s\n", p.Group)
		for _, topic := range p.Inputs {
			fmt.Fprintf(&b, "  input   %s\n", topic)
		}
		if p.Clock != "" {
			fmt.Fprintf(&b, "  clock   %s\n", p.Clock)
		}
		for _, topic := range p.Lookups {
			fmt.Fprintf(&b, "  lookup  %s\n", topic)
		}
		for _, d := range p.Tables {
			timers := ""
			if d.timed() {
				timers = " (timers)"
			}
			fmt.Fprintf(&b, "  table   %s%s\n", d.Topic(), timers)
		}
		for _, o := range p.Outputs {
			newest := ""
			if o.Newest {
				newest = " (newest of a commit)"
			}
			fmt.Fprintf(&b, "  output  %s%s\n", o.Topic, newest)
		}
	}
	return b.String()
}

// Mermaid is the topology as a flowchart: topics as boxes, processors as double boxes, tables as
// cylinders.
func (t Topology) Mermaid() string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	for _, p := range t.procs {
		fmt.Fprintf(&b, "  p_%s[[%s]]\n", node(p.Group), p.Group)
		for _, topic := range p.Inputs {
			fmt.Fprintf(&b, "  t_%s[%s] --> p_%s\n", node(topic), topic, node(p.Group))
		}
		if p.Clock != "" {
			fmt.Fprintf(&b, "  t_%s[%s] -. time .-> p_%s\n", node(p.Clock), p.Clock, node(p.Group))
		}
		for _, topic := range p.Lookups {
			fmt.Fprintf(&b, "  t_%s[(%s)] -. lookup .-> p_%s\n", node(topic), topic, node(p.Group))
		}
		for _, topic := range p.TableTopics() {
			fmt.Fprintf(&b, "  p_%s --- t_%s[(%s)]\n", node(p.Group), node(topic), topic)
		}
		for _, topic := range p.OutputTopics() {
			fmt.Fprintf(&b, "  p_%s --> t_%s[%s]\n", node(p.Group), node(topic), topic)
		}
	}
	return b.String()
}

// node is a name as Mermaid takes it for the id of a node.
func node(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '.' {
			return '_'
		}
		return r
	}, name)
}
