//go:build linux

package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chargestream/benchmarks/internal/harness"
)

func TestTable(t *testing.T) {
	b := &bench{results: filepath.Join(t.TempDir(), "results", "peers.jsonl")}
	run := func(took time.Duration, rss int64, wrong ...string) Line {
		return Line{Run: &Run{Load: "burst", Peer: peerHere, Partitions: 4,
			Totals: Totals{Events: 1000}, Took: took, CPU: 5 * time.Millisecond,
			EventCPU: 4 * time.Millisecond, EventsAfter: 800, Stations: 7, Disk: 9 << 20,
			BrokerCPU: time.Millisecond, PeakRSS: rss << 20, Steady: 2000,
			Sent:    map[string]int64{"a": 20_000, "b": 30_000},
			Restore: &Restore{Ready: 250 * time.Millisecond, Rows: 100}, Others: 0.1, Wrong: wrong}}
	}
	for _, line := range []Line{
		{Machine: &harness.Machine{CPU: "a CPU", Cores: 2}},
		run(time.Second, 100), run(4*time.Second, 300, "an invoice is missing"),
		run(2*time.Second, 200),
		{Latency: &Latency{Rate: 5000, Seconds: 20, P50: 1, P99: 2000, P999: 3000, Max: 4000}},
		{Latency: &Latency{Rate: 1000, Seconds: 20, Unseen: 7, CPU: 12.34, BrokerCPU: 4.5,
			Sent: 90}},
		{Outage: &Outage{Rate: 20, Span: 10 * time.Minute, Backlog: 12_000, Stations: 3,
			Partitions: 4, Restored: time.Second, CaughtUp: 50 * time.Second, Folded: 13_000,
			CPU: 26 * time.Millisecond, PeakRSS: 5 << 20}},
		{Rows: &RestoredRows{Name: "here", Keys: "of 10", Rows: 2000, Ready: 2 * time.Second,
			ReadyCPU: time.Millisecond, RSSMax: 3 << 20, Others: 0.2, Right: true}},
	} {
		if err := b.keep(line); err != nil {
			t.Fatal(err)
		}
	}
	lines, err := readLines(b.results)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.lines, lines); diff != "" {
		t.Errorf("the file differs from what was kept (-kept +file):\n%s", diff)
	}
	_, text, _ := strings.Cut(table(lines), "\n\n")
	want := `| load | stations | partitions | program | events | events/s | ` +
		`events/s once running | µs CPU/event | µs CPU/event once running | ` +
		`µs broker CPU/event | peak MiB | disk MiB | bytes sent/event | restore s | ` +
		`rows/s restored | runs | others | right |
` + rule(18) + `| burst | 7 | 4 | chargestream | 1000 | 500 | 2000 | 5.00 | 5.00 | 1.00 | ` +
		`200 | 9 | 50 | 0.25 | 400 | 3 | 10 % | no |

| events/s due | seconds | p50 ms | p99 ms | p99.9 ms | max ms | unseen | sender behind ms | ` +
		`µs CPU/event | µs broker CPU/event | bytes sent/event | others |
` + rule(12) + `| 1000 | 20 | 0.0 | 0.0 | 0.0 | 0.0 | 7 | 0.0 | 12.3 | 4.5 | 90 | 0 % |
| 5000 | 20 | 0.0 | 2.0 | 3.0 | 4.0 | 0 | 0.0 | 0.0 | 0.0 | 0 | 0 % |

| events/s | outage s | stations | partitions | events waiting | restored after s | ` +
		`caught up after s | events/s meanwhile | µs CPU/event | peak MiB | others | right |
` + rule(12) + `| 20 | 600 | 3 | 4 | 12000 | 1.0 | 50.0 | 260 | 2.00 | 5 | 0 % | yes |

| restore of one table | keys | rows | rows/s | µs CPU/row | peak MiB | others | right |
` + rule(8) + `| here | of 10 | 2000 | 1000 | 0.50 | 3 | 20 % | yes |
`
	if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

// rule is the line below the head of a table.
func rule(columns int) string { return "|" + strings.Repeat(" --- |", columns) + "\n" }

func TestChoose(t *testing.T) {
	all := catalog([]int32{1, 16})
	if loads, err := choose(all, nil); err != nil || len(loads) != len(all) {
		t.Errorf("no name chooses %d loads, %v", len(loads), err)
	}
	loads, err := choose(all, []string{"depot", "burst"})
	if err != nil || len(loads) != 2 || len(loads[0].partitions) != 2 || loads[1].name != "burst" {
		t.Errorf("chose %+v, %v", loads, err)
	}
	if _, err := choose(all, []string{"bursts"}); err == nil {
		t.Error("an unknown load was chosen")
	}
	if n := loads[1].scaled(0.00001).workload.Stations; n != 1 {
		t.Errorf("the smallest share has %d stations", n)
	}
}

func TestProgress(t *testing.T) {
	at := time.Unix(0, 0)
	var p progress
	p.add(0, at)
	p.add(100, at.Add(time.Second))
	if p.rate() != 0 {
		t.Errorf("one commit has the rate %v", p.rate())
	}
	p.add(100, at.Add(2*time.Second))
	p.add(300, at.Add(3*time.Second))
	p.add(300, at.Add(9*time.Second))
	if p.rate() != 100 {
		t.Errorf("rate %v, want 100", p.rate())
	}
}
