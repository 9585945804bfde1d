//go:build linux

package main

import (
	"context"
	"os"
	"os/exec"
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
	for name, late := range map[string]bool{"burst": false, "buffered": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := tiny(late)
			s := newStage(t, load{name: name, workload: w, peers: []string{peerHere},
				partitions: []int32{2}})
			if err := s.measure(t.Context()); err != nil {
				t.Fatal(err)
			}
			if s.wrong != nil || len(s.lines) != 1 {
				t.Fatalf("%d results, %v", len(s.lines), s.wrong)
			}
			r := s.lines[0].Run
			if r.Found.Invoices != int64(w.Stations) || r.Found.Held != 0 || r.sent() <= 0 ||
				r.CPU <= 0 || r.PeakRSS <= 0 || r.Took <= 0 || r.Restore.Ready <= 0 {
				t.Errorf("%+v", r)
			}
			if !strings.Contains(table(s.lines), "| "+name+" | 2 | chargestream | 54 | ") {
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
	if l.Count != 30 || l.Unseen != 0 || l.P50 <= 0 || l.P50 > l.P999 || l.P999 > l.Max {
		t.Errorf("%+v", l)
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
