//go:build linux

package main

import (
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chargestream/benchmarks/internal/harness"
)

// TestCapacityPage holds docs/capacity.md against the results that it names.
func TestCapacityPage(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	page, err := os.ReadFile(filepath.Join("docs", "capacity.md"))
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile("make capacity FILE=([^`]+)`").FindSubmatch(page)
	if name == nil {
		t.Fatal("docs/capacity.md does not say by which command it is made")
	}
	lines, err := readLines(string(name[1]))
	if err != nil {
		t.Fatal(err)
	}
	want, err := capacityPage(lines, string(name[1]))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(page)); diff != "" {
		t.Errorf("docs/capacity.md is not of %s; run make capacity FILE=%[1]s (-want +got):\n%[2]s",
			name[1], diff)
	}
}

// lives is a run of one short session at each station, of round figures.
func lives(stations int, rss int64) *Run {
	n := int64(stations)
	return &Run{Load: "connectors", Peer: peerHere, Stations: stations, Samples: 2,
		Totals:      Totals{Events: 6 * n, Sessions: n},
		EventCPU:    time.Duration(60*n) * time.Microsecond,
		EventsAfter: 6 * n, BrokerCPU: time.Duration(30*n) * time.Microsecond, PeakRSS: rss,
		Disk: 500 * n, Input: 300 * n, Sent: map[string]int64{"x": 900 * n},
		Restore: &Restore{Ready: 2 * time.Second, Rows: 4 * n}}
}

func roundFigures() []Line {
	return []Line{{Machine: &harness.Machine{Cores: 2}},
		{Latency: &Latency{Rate: 1000, P99: 1000, CPU: 30, Sent: 90}},
		{Latency: &Latency{Rate: 5000, P99: 1000, CPU: 20, BrokerCPU: 10, Input: 50, Sent: 150}},
		{Latency: &Latency{Rate: 50_000, P99: 2_000_000, CPU: 1, Sent: 1}},
		{Run: lives(100_000, 300<<20)}, {Run: lives(50_000, 200<<20)},
		{Outage: &Outage{Rate: 10, Span: time.Minute, Folded: 600, CaughtUp: time.Second}}}
}

// TestCapacityByHand computes the needs of a small fleet by hand.
func TestCapacityByHand(t *testing.T) {
	f, err := readFigures(roundFigures())
	if err != nil {
		t.Fatal(err)
	}
	if f.live.Rate != 5000 || f.large.Stations != 100_000 || f.small.Stations != 50_000 {
		t.Fatalf("live %d, from %d to %d stations", f.live.Rate, f.small.Stations, f.large.Stations)
	}
	p := fleetPlan{connectors: 360_000, charging: 0.5, sampleEvery: 10, heartbeat: 360,
		sessions: 1, busiest: 0.1, replicas: 3, use: 0.5, instanceCores: 2}
	n := p.of(f)
	for what, v := range map[string]struct{ got, want float64 }{
		"samples/s":    {n.samples, 18_000},
		"heartbeats/s": {n.beats, 1000},
		"begins/s":     {n.begins, 10},
		// 19,000 events of 20 us, 10 sessions of 60 us.
		"cores":        {n.cores, 0.38 + 0.0006},
		"instances":    {n.instances, 2},
		"partitions":   {n.partitions, 8},
		"memory":       {n.memory, float64(100<<20) + 180_000*2*1024*1.024},
		"broker cores": {n.brokerCores, 3 * (0.19 + 0.0003)},
		"in":           {n.in, 19_000*50 + 10*300},
		"out":          {n.out, 19_000*150 + 10*900},
		"in a day":     {n.inDay, (18_000*36_000+1000*86_400)*50 + 360_000*300},
		"state a day":  {n.stateDay, 360_000 * 500},
		"rows a day":   {n.rowsDay, 360_000 * 4},
		"restore rate": {n.restoreRate, 200_000},
	} {
		if math.Abs(v.got-v.want) > 1e-6*math.Abs(v.want) {
			t.Errorf("%s: %v, want %v", what, v.got, v.want)
		}
	}
}

// TestCapacityNamesWhatIsMissing: results without a load are refused, and a busy machine is named.
func TestCapacityNamesWhatIsMissing(t *testing.T) {
	all := roundFigures()
	page, err := capacityPage(all, "x.jsonl")
	if err != nil || strings.Contains(page, "Rough") {
		t.Errorf("%v: %s", err, page)
	}
	all[4].Run.Others = 0.5
	if page, err = capacityPage(all, "x.jsonl"); err != nil || !strings.Contains(page, "50 %") {
		t.Errorf("%v: %s", err, page)
	}
	for _, left := range []int{0, 5, 6} {
		some := append(append([]Line{}, all[:left]...), all[left+1:]...)
		if _, err := capacityPage(some, ""); err == nil {
			t.Errorf("line %d is not missed", left)
		}
	}
	if _, err := capacityPage(append([]Line{all[0]}, all[4:]...), ""); err == nil ||
		!strings.Contains(err.Error(), loadLatency) {
		t.Errorf("without a latency: %v", err)
	}
}
