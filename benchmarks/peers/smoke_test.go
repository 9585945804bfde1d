//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"chargestream/internal/kafkatest"
)

// program is the path of the program that is measured. The go command keeps what it links for
// "go run" in its cache, and prints here what it would run. The first time that is still a file of
// its own, which is gone when it ends.
var program = sync.OnceValues(func() (string, error) {
	var failed error
	for range 2 {
		out, err := exec.Command("go", "run", "-exec", "echo", "../../cmd/chargestream").Output()
		if err != nil {
			return "", err
		}
		path := strings.TrimSpace(string(out))
		if _, failed = os.Stat(path); failed == nil {
			return path, nil
		}
	}
	return "", failed
})

// newStage is a fake broker for a load, with everything else as in a measurement.
func newStage(t *testing.T, l load) *stage {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skipf("the go command is needed to build what is measured: %v", err)
	}
	path, err := program()
	if err != nil {
		t.Fatalf("build chargestream: %v", err)
	}
	b := &bench{out: t.Output(), dir: t.TempDir(), seed: 1, repeat: 1, chargestream: path}
	return &stage{bench: b, addr: kafkatest.StartFake(t).Addrs()[0], dir: b.dir, load: l,
		partitions: l.partitions[0]}
}

// TestSmoke runs chargestream under a tiny load, as it is measured, without Java: topics, events,
// a run until it has caught up, a restore, and what is in the outputs.
func TestSmoke(t *testing.T) {
	for name, w := range map[string]Workload{"burst": tiny(false), "buffered": tiny(true),
		"connectors": {Stations: 6, Sessions: 3, Samples: 2, Every: sampleEvery},
		"history":    {Stations: 6, Sessions: 4, Records: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, load{name: name, workload: w, peers: []string{peerHere},
				partitions: []int32{2}})
			if err := s.measure(t.Context()); err != nil {
				t.Fatal(err)
			}
			if s.wrong != nil || len(s.lines) != 1 {
				t.Fatalf("%d results, %v", len(s.lines), s.wrong)
			}
			r := s.lines[0].Run
			if r.Found.Invoices != int64(w.Stations*max(w.Sessions, 1)) || r.Found.Held != 0 ||
				r.sent() <= 0 || r.CPU <= 0 || r.PeakRSS <= 0 || r.Took <= 0 ||
				r.Restore.Ready <= 0 || r.Restore.Rows <= 0 || r.Disk <= 0 || r.EventCPU < 0 {
				t.Errorf("%+v", r)
			}
			if !strings.Contains(table(s.lines),
				fmt.Sprintf("| %s | 6 | 2 | chargestream | %d | ", name, w.Events())) {
				t.Errorf("the table lacks the run:\n%s", table(s.lines))
			}
		})
	}
}

// TestSmokeFindsFaults: what does not add up is a wrong result, not an error.
func TestSmokeFindsFaults(t *testing.T) {
	s := &stage{totals: Totals{Events: 3, Sessions: 2, EnergyWh: 10}}
	if wrong := s.judge(Found{Invoices: 1, EnergyWh: 11}); len(wrong) != 2 {
		t.Errorf("found %v", wrong)
	}
	wrong, err := judgeHere(s, `{"consumed":{"meter-values":2},"dead_letters":1}`)
	if err != nil || len(wrong) != 2 {
		t.Errorf("found %v, %v", wrong, err)
	}
	if _, err := judgeHere(s, ""); err == nil {
		t.Error("a run without a report was taken")
	}
}

// TestSmokeLatency measures a latency for a moment.
func TestSmokeLatency(t *testing.T) {
	t.Parallel()
	s := newStage(t, load{name: loadLatency, workload: Workload{Stations: 4},
		partitions: []int32{2}})
	s.rates, s.hold, s.warm = []int{100}, 300*time.Millisecond, 100*time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.measure(ctx); err != nil {
		t.Fatal(err)
	}
	if len(s.lines) != 1 {
		t.Fatalf("%d results", len(s.lines))
	}
	l := s.lines[0].Latency
	if l.Count != 30 || l.Unseen != 0 || l.P50 <= 0 || l.P50 > l.P999 || l.P999 > l.Max ||
		l.Input <= 0 || l.Sent <= 0 {
		t.Errorf("%+v", l)
	}
}

// TestSmokeOutage stops the program for a moment and lets it catch up.
func TestSmokeOutage(t *testing.T) {
	t.Parallel()
	s := newStage(t, load{name: loadOutage, workload: Workload{Stations: 5},
		partitions: []int32{2}})
	s.outageRate, s.outageSpan = 100, 2*time.Second
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := s.measure(ctx); err != nil {
		t.Fatal(err)
	}
	if len(s.lines) != 1 || s.wrong != nil {
		t.Fatalf("%d results, %v", len(s.lines), s.wrong)
	}
	o := s.lines[0].Outage
	if o.Backlog != 200 || o.Folded < o.Backlog || o.CaughtUp < o.Restored || o.Restored <= 0 ||
		o.CPU <= 0 {
		t.Errorf("%+v", o)
	}
}

// TestReadMarks reads the restores out of what the program marks writes.
func TestReadMarks(t *testing.T) {
	name := filepath.Join(t.TempDir(), "marks.jsonl")
	const text = `{"part":"machine","result":{"Cores":2}}
{"part":"restore","result":{"Name":"here","Keys":"of 10","Rows":20,"Ready":2000000000,"Right":true}}
`
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	rows, err := readMarks(name)
	if err != nil || len(rows) != 1 || rows[0].rate() != 10 || !rows[0].Right {
		t.Errorf("%+v, %v", rows, err)
	}
	if err := (&bench{}).restoreRows(t.Context()); err == nil {
		t.Error("restores were measured without the program that does it")
	}
}

// TestCommands runs what a person may type.
func TestCommands(t *testing.T) {
	b := &bench{results: t.TempDir() + "/peers.jsonl"}
	if err := b.keep(Line{Latency: &Latency{Rate: 1234}}); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := command(t.Context(), []string{"table", b.results}, &out); err != nil ||
		!strings.Contains(out.String(), "| 1234 |") {
		t.Errorf("table: %v: %s", err, out.String())
	}
	broker := kafkatest.StartFake(t)
	kafkatest.MustTopics(t, broker, kafkatest.Topic{Name: "tariffs"},
		kafkatest.Topic{Name: "stations"}, kafkatest.Topic{Name: "station-status"},
		kafkatest.Topic{Name: "charging-sessions"}, kafkatest.Topic{Name: "meter-values"})
	out.Reset()
	if err := command(t.Context(), []string{"load", "-brokers", broker.Addrs()[0], "-scale",
		"0.0001", "lifecycles"}, &out); err != nil || !strings.Contains(out.String(),
		"Events:60") {
		t.Errorf("load: %v: %s", err, out.String())
	}
	for _, args := range [][]string{{}, {"walk"}, {"table"}, {"load"}, {"run", "-repeat", "0"},
		{"run", "-partitions", "0"}, {"run", "-rates", "x"}, {"run", "no-such-load"},
		{"table", "no-such-file"}} {
		if err := command(t.Context(), args, &out); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
	if _, err := os.Stat(b.results); err != nil {
		t.Error(err)
	}
}
