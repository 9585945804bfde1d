package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/internal/kafkatest"
	"chargestream/replay"
	"chargestream/topics"
)

// TestRunAndReplay simulates a world, lets the processors catch up, verifies a replay, and then
// spoils one row of a live table: the next verification must name it.
func TestRunAndReplay(t *testing.T) {
	b, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "done", "")
	run(t, nil, "simulate", brokers, "--events", "3000", "--seed", "4").want(t, exitOK, "3000", "")
	state := filepath.Join(t.TempDir(), "state")
	done := run(t, nil, "run", brokers, "--state-dir", state, "--until-caught-up")
	if done.code != exitOK {
		t.Fatalf("run: %d %s", done.code, done.stderr)
	}
	var report runReport
	if err := json.Unmarshal([]byte(done.stdout), &report); err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for _, topic := range topics.Reported() {
		total += report.Consumed[topic]
	}
	if total != 3000 || report.Produced[topics.Utilization] == 0 || report.Dead != 0 {
		t.Errorf("report %+v, want 3000 events consumed", report)
	}
	verified := run(t, nil, "replay", "--verify", brokers)
	verified.want(t, exitOK, `"differences":0`, "")
	var replayed replay.Report
	if err := json.Unmarshal([]byte(verified.stdout), &replayed); err != nil {
		t.Fatal(err)
	}
	if replayed.Compared == 0 || replayed.DocumentsCompared == 0 || !replayed.Verified {
		t.Errorf("nothing was compared: %s", verified.stdout)
	}
	if sent := report.Produced[topics.Invoices]; float64(replayed.Documents) != sent {
		t.Errorf("%d documents are replayed, %v were sent", replayed.Documents, sent)
	}
	rows := kafkatest.MustReadAll(t, b, topics.Table(topics.TableStations), true)
	for _, r := range rows {
		if len(r.Key) > 0 && r.Key[0] != 0 {
			kafkatest.MustProduce(t, b, &kgo.Record{Topic: r.Topic, Key: r.Key, Value: []byte("S")})
			run(
				t,
				nil,
				"replay",
				"--verify",
				brokers,
			).want(t, exitProblems, string(r.Key), "1 rows")
			return
		}
	}
	t.Fatal("the stations table is empty")
}

func TestReplayWantsCaughtUp(t *testing.T) {
	_, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "done", "")
	run(t, nil, "simulate", brokers, "--events", "100").want(t, exitOK, "100", "")
	run(t, nil, "replay", "--verify", brokers).want(t, exitRuntime, "", "--until-caught-up")
}

func TestRunRefuses(t *testing.T) {
	_, brokers := broker(t)
	run(t, nil, "run", brokers).want(t, exitUsage, "", "--state-dir")
	dir := t.TempDir()
	run(t, nil, "run", brokers, "--state-dir", dir, "--processors", "sites").
		want(t, exitUsage, "", "tariffs, stations")
	run(t, nil, "run", brokers, "--state-dir", dir).want(t, exitInvalid, "", "topics apply")
	run(t, nil, "serve", brokers).want(t, exitNotFound, "", "topics apply")
}

func TestInstanceIsKept(t *testing.T) {
	dir := t.TempDir()
	first, err := instanceOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := instanceOf(dir); err != nil || second != first || first == "" {
		t.Errorf("instance %q, then %q, %v", first, second, err)
	}
}

// TestDemo starts the demo, reads its addresses from the banner and asks for an invoice.
func TestDemo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	var stderr bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		code := Run(ctx, []string{"demo", "--http", "127.0.0.1:0"}, writer, &stderr,
			func(string) (string, bool) { return "", false })
		if err := writer.Close(); err != nil {
			code = exitRuntime
		}
		ended <- code
	}()
	url := ""
	for lines := bufio.NewScanner(reader); lines.Scan(); {
		if _, after, ok := strings.Cut(lines.Text(), "Invoices"); ok {
			url = strings.TrimSpace(after)
		}
		if strings.Contains(lines.Text(), "Ctrl-C") {
			break
		}
	}
	if url == "" {
		t.Fatalf("no address of invoices in the banner; stderr: %s", stderr.String())
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		text, err := fetch(ctx, url)
		if err == nil && strings.Contains(text, "invoice_id") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no invoice: %s, %v; stderr: %s", text, err, stderr.String())
		}
		<-time.After(50 * time.Millisecond)
	}
	wantMetrics(t, strings.TrimSuffix(url, "/api/v1/invoices"))
	cancel()
	if code := <-ended; code != exitOK {
		t.Errorf("exit code %d; stderr: %s", code, stderr.String())
	}
}

// wantMetrics asks a demo for its metrics and its readiness.
func wantMetrics(t *testing.T, url string) {
	t.Helper()
	text, err := fetch(t.Context(), url+"/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`stream_build_info{go="go1.`, "\ngo_goroutines ",
		"\nprocess_cpu_seconds_total ", `stream_view_staleness_seconds{table="invoices"} `,
		`stream_view_lag_records{table="stations-table"} `,
		`stream_records_processed_total{processor="stations"} `} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics do not have %q:\n%s", want, text)
		}
	}
	text, err = fetch(t.Context(), url+"/readyz")
	if err != nil || !strings.Contains(text, `"table":"invoices"`) ||
		!strings.Contains(text, `"newest":"20`) {
		t.Errorf("readiness %s, %v", text, err)
	}
}

func fetch(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(response.Body)
	if closing := response.Body.Close(); err == nil {
		err = closing
	}
	return string(text), err
}

// TestDemoKeepsItsData checks that a demo with a data directory leaves something in it.
func TestDemoKeepsItsData(t *testing.T) {
	dir := t.TempDir()
	run(t, nil, "demo", "--http", "127.0.0.1:0", "--data-dir", dir, "--duration", "3s").
		want(t, exitOK, "in "+dir, "")
	for _, sub := range []string{"kafka", "state"} {
		if list, err := os.ReadDir(filepath.Join(dir, sub)); err != nil || len(list) == 0 {
			t.Errorf("%s holds %d entries, %v", sub, len(list), err)
		}
	}
}

// TestSecondDemoOnTheSameData is refused before it touches anything of the first.
func TestSecondDemoOnTheSameData(t *testing.T) {
	dir := t.TempDir()
	unlock, err := lockData(dir)
	if err != nil {
		t.Fatal(err)
	}
	run(t, nil, "demo", "--http", "127.0.0.1:0", "--data-dir", dir).
		want(t, exitRuntime, "", "is in use by another demo")
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the second demo left %v, error %v; want the lock alone", entries, err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	again, err := lockData(dir)
	if err != nil {
		t.Fatalf("after the first has ended: %v", err)
	}
	if err := again(); err != nil {
		t.Fatal(err)
	}
}
