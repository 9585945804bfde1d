package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"chargestream/engine"
	"chargestream/engine/stall"
	"chargestream/processors"
)

// TestReadiness: an instance is ready when each processor reads all that it was given, even if
// that is nothing, and not before it was given anything.
func TestReadiness(t *testing.T) {
	r := newReadiness([]*engine.Processor{{Group: "stations"}, {Group: "tariffs"}})
	for _, step := range []struct {
		state engine.State
		code  int
		body  string
	}{
		{engine.State{Group: "tariffs", Member: true}, http.StatusServiceUnavailable,
			`{"group":"stations","ready":false,"member":false,`},
		{engine.State{Group: "stations", Member: true, Owned: 2, Active: 1},
			http.StatusServiceUnavailable, `"member":true,"owned":2,"active":1}`},
		{engine.State{Group: "stations", Member: true, Owned: 2, Active: 2}, http.StatusOK,
			`{"ready":true,"groups":[{"group":"stations","ready":true,`},
		{engine.State{Group: "stations"}, http.StatusServiceUnavailable, `{"ready":false,`},
	} {
		r.note(step.state)
		answer := httptest.NewRecorder()
		r.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		if answer.Code != step.code || !strings.Contains(answer.Body.String(), step.body) {
			t.Errorf("after %+v: %d %s, want %d with %s", step.state, answer.Code,
				answer.Body.String(), step.code, step.body)
		}
	}
}

// TestReadinessTellsWhatStandsStill, which does not end it.
func TestReadinessTellsWhatStandsStill(t *testing.T) {
	r := newReadiness([]*engine.Processor{{Group: "stations"}})
	r.note(engine.State{Group: "stations", Member: true})
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	one := stall.Stall{Subject: stall.Subject{What: stall.Input, Group: "stations",
		Topic: "heartbeats", Partition: 3}, Since: since, Behind: 7,
		Reason: stall.Reason{Class: stall.Backpressure, Detail: "why"}}
	r.stalls = func() []stall.Stall { return slices.Repeat([]stall.Stall{one}, stalledMax+1) }
	answer := httptest.NewRecorder()
	r.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	want := `{"what":"input","group":"stations","topic":"heartbeats","partition":3,` +
		`"since":"2026-01-02T03:04:05Z","behind":7,"class":"backpressure","reason":"why"}`
	if n := strings.Count(answer.Body.String(), want); answer.Code != 200 || n != stalledMax {
		t.Errorf("%d with %d times %s: %s", answer.Code, n, want, answer.Body)
	}
	text := stalledTexts(r.stalls(), since.Add(time.Minute))
	if len(text) != stalledMax ||
		text[0] != "input of stations heartbeats/3 has not moved for 1m0s: why (backpressure)" {
		t.Errorf("%d texts, the first is %q", len(text), text[0])
	}
}

// TestEveryMetricIsExplained holds docs/operations.md against the metrics that there are.
func TestEveryMetricIsExplained(t *testing.T) {
	r := newRegistry()
	engine.NewMetrics(r)
	newCounters(r)
	newViewCounter(r)
	r.MustRegister(sharedSessionIDs(nil), newViewMetrics(nil),
		engine.NewWatch(engine.Config{}, nil).Collector("run"))
	descriptions := make(chan *prometheus.Desc)
	go func() { r.Describe(descriptions); close(descriptions) }()
	known := map[string]bool{}
	for d := range descriptions {
		name := regexp.MustCompile(`fqName: "(stream_\w+)"`).FindStringSubmatch(d.String())
		if name != nil {
			known[name[1]] = true
		}
	}
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range known {
		if name != "stream_build_info" && !strings.Contains(string(page), "\n| `"+name+"` |") {
			t.Errorf("%s is not in the table of docs/operations.md", name)
		}
	}
	suffix := regexp.MustCompile(`_(bucket|count|sum)$`)
	for _, name := range regexp.MustCompile(`stream_\w+`).FindAllString(string(page), -1) {
		if !known[name] && !known[suffix.ReplaceAllString(name, "")] {
			t.Errorf("docs/operations.md explains %s, which is no metric", name)
		}
	}
}

// TestRunIsWatched runs the processors and asks for their readiness and metrics.
func TestRunIsWatched(t *testing.T) {
	_, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "done", "")
	ctx, cancel := context.WithCancel(t.Context())
	reader, stderr := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- Run(ctx, []string{"run", brokers, "--state-dir", t.TempDir(), "--metrics",
			"127.0.0.1:0"}, io.Discard, stderr, func(string) (string, bool) { return "", false })
	}()
	lines := bufio.NewScanner(reader)
	var address []string
	for address == nil && lines.Scan() {
		address = regexp.MustCompile(`served" address=(\S+)`).FindStringSubmatch(lines.Text())
	}
	go func() {
		for lines.Scan() { // so that no writer waits
		}
	}()
	url := "http://" + address[1]
	for deadline := time.Now().Add(30 * time.Second); ; <-time.After(50 * time.Millisecond) {
		text, err := fetch(t.Context(), url+"/readyz")
		if err == nil && strings.HasPrefix(text, `{"ready":true,`) &&
			strings.Count(text, `"owned":4,"active":4`) == len(processors.All(nil)) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not ready: %s, %v", text, err)
		}
	}
	text, err := fetch(t.Context(), url+"/metrics")
	for _, want := range []string{"stream_build_info{go=", "\ngo_goroutines ",
		"\nprocess_resident_memory_bytes ",
		`stream_partitions{group="stations",state="active"} 4`} {
		if err != nil || !strings.Contains(text, want) {
			t.Errorf("the metrics do not have %q: %v\n%s", want, err, text)
		}
	}
	if text, err := fetch(t.Context(), url+"/debug/pprof/"); err != nil ||
		!strings.Contains(text, "goroutine") {
		t.Errorf("no profiles on a loopback address: %v\n%s", err, text)
	}
	cancel()
	if code := <-ended; code != exitOK {
		t.Errorf("exit code %d", code)
	}
}
