package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/engine"
	"chargestream/internal/kafkatest"
	"chargestream/tables"
	"chargestream/topics"
)

// serving runs serve until the test ends and returns its address, once it is ready.
func serving(t *testing.T, flags ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	reader, stderr := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- Run(ctx, append([]string{"serve"}, flags...), io.Discard, stderr,
			func(string) (string, bool) { return "", false })
	}()
	t.Cleanup(func() {
		cancel()
		if code := <-ended; code != exitOK {
			t.Errorf("exit code %d", code)
		}
	})
	out := bufio.NewScanner(reader)
	if !out.Scan() {
		t.Fatal("serve says nothing")
	}
	port := regexp.MustCompile(`^listening on http://.*:(\d+)$`).FindStringSubmatch(out.Text())
	if port == nil {
		t.Fatalf("no address in %q", out.Text())
	}
	go func() {
		for out.Scan() { // so that no writer waits
		}
	}()
	url := "http://127.0.0.1:" + port[1]
	for deadline := time.Now().Add(30 * time.Second); ; <-time.After(50 * time.Millisecond) {
		text, err := fetch(t.Context(), url+"/readyz")
		if err == nil && strings.HasPrefix(text, `{"ready":true`) {
			return url
		}
		if time.Now().After(deadline) {
			t.Fatalf("not ready: %s, %v", text, err)
		}
	}
}

// sessionRow is a record of the sessions table, in the partition of its station.
func sessionRow(station, id string, start chargestream.Millis) *kgo.Record {
	row := tables.Session{Low: start, LastStart: start,
		Starts: []tables.Start{{Arrival: start, At: start, ReportedAt: start, ConnectorID: "1",
			UserID: chargestream.UserID("card-" + station)}}}
	return &kgo.Record{Topic: topics.Table(topics.TableSessions),
		Key: []byte(engine.RowKey(station, id)), Value: row.Append(nil),
		Partition: engine.PartitionOf(station, partitionsDefault)}
}

// TestServe: rows of sessions are found by the session's id, wherever their station has them, and
// the indexes are those of the rows.
func TestServe(t *testing.T) {
	b, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "done", "")
	var records []*kgo.Record
	for _, station := range []string{"A", "B", "depot/7", "FR*1*2", "100%"} {
		records = append(records, sessionRow(station, "s/"+station, noon))
	}
	records = append(records, sessionRow("A", "twice", noon), sessionRow("depot/7", "twice",
		noon+chargestream.Minute))
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	held := bill("s-9", held(chargestream.HoldOverPower))
	value, err := json.Marshal(held)
	if err != nil {
		t.Fatal(err)
	}
	kafkatest.MustProduce(t, b, &kgo.Record{Topic: topics.Invoices, Key: []byte(held.InvoiceID),
		Value: value})
	url := serving(t, brokers, "--http", "127.0.0.1:0")
	for path, want := range map[string]string{
		"/api/v1/sessions/s%2FA":                         `"user_id":"card-A"`,
		"/api/v1/sessions/s%2FB":                         `"user_id":"card-B"`,
		"/api/v1/sessions/s%2Fdepot%2F7":                 `"station_id":"depot/7"`,
		"/api/v1/sessions/s%2FFR*1*2":                    `"station_id":"FR*1*2"`,
		"/api/v1/sessions/s%2F100%25":                    `"station_id":"100%"`,
		"/api/v1/sessions/twice":                         `"also_at_stations":["A"]`,
		"/api/v1/sessions/twice?station_id=A":            `"user_id":"card-A"`,
		"/api/v1/sessions/twice?station_id=B":            `"status":404`,
		"/api/v1/invoices?status=held&month=2026-03":     `"invoice_id":"s-9-0123456789"`,
		"/api/v1/invoices?user_id=card-7&site_id=lyon-1": `"invoice_id":"s-9-0123456789"`,
		"/api/v1/invoices?user_id=card-8":                `"items":[]`,
		"/api/v1/sessions/s-9":                           `"status":404`,
		"/readyz":                                        `"table":"sessions-table"`,
		"/debug/pprof/":                                  "goroutine",
	} {
		if text, err := fetchReady(t, url+path); err != nil || !strings.Contains(text, want) {
			t.Errorf("GET %s has no %s: %v, %s", path, want, err, text)
		}
	}
}

// TestServeOnAnyAddress: profiles are served to other hosts only with --pprof.
func TestServeOnAnyAddress(t *testing.T) {
	_, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "done", "")
	for _, tc := range []struct {
		flags []string
		want  int
	}{{nil, http.StatusNotFound}, {[]string{"--pprof"}, http.StatusOK}} {
		url := serving(t, append([]string{brokers, "--http", anyAddress}, tc.flags...)...)
		response, err := http.Get(url + "/debug/pprof/")
		if err != nil {
			t.Fatal(err)
		}
		if err := response.Body.Close(); err != nil || response.StatusCode != tc.want {
			t.Errorf("%q: status %d, want %d, %v", tc.flags, response.StatusCode, tc.want, err)
		}
	}
}

// TestServeShowsTheLastGoodEntry: entries of the registry that are refused leave name, site and
// tariff of their station as they were. The broker of the test compacts at any time, so that the
// good entries are folded before the bad ones are there.
func TestServeShowsTheLastGoodEntry(t *testing.T) {
	b, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "done", "")
	bad := map[string]struct{ value, says string }{
		"a": {`{"station_id":"a","name":"Quai 2","tarif_id":"t"}`, "did you mean tariff_id?"},
		"b": {`{"station_id":"b",`, "unexpected end"},
		"c": {`null`, "the value is null"},
		"d": {`{"schema":{"type":"struct"},"payload":{"station_id":"d"}}`,
			"value.converter.schemas.enable=false"}}
	state := t.TempDir()
	for _, good := range []bool{true, false} {
		for id, entry := range bad {
			value := entry.value
			if good {
				value = `{"stationId":"` + id + `","name":"Quai","site_id":"north",` +
					`"tariff_id":"t","max_power_w":"22000.0"}`
			}
			kafkatest.MustProduce(t, b, &kgo.Record{Topic: topics.Stations, Key: []byte(id),
				Value: []byte(value)})
		}
		done := run(t, nil, "run", brokers, "--state-dir", state, "--until-caught-up")
		if done.code != exitOK {
			t.Fatalf("%d, %s", done.code, done.stderr)
		}
	}
	url := serving(t, brokers, "--http", "127.0.0.1:0")
	letters := run(t, nil, "dead-letters", "list", brokers, "-o", "json")
	for id, entry := range bad {
		text, err := fetchReady(t, url+"/api/v1/stations/"+id)
		for _, want := range []string{`"name":"Quai"`, `"site_id":"north"`, `"tariff_id":"t"`,
			`"max_power_w":22000`} {
			if err != nil || !strings.Contains(text, want) {
				t.Errorf("%s has no %s: %v, %s", id, want, err, text)
			}
		}
		if !strings.Contains(letters.stdout, entry.says) {
			t.Errorf("no dead letter says %q: %s", entry.says, letters.stdout)
		}
	}
}

// fetchReady fetches from a view that may be started anew meanwhile, as a broker that compacts at
// any time makes it.
func fetchReady(t *testing.T, url string) (string, error) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; <-time.After(50 * time.Millisecond) {
		text, err := fetch(t.Context(), url)
		if !strings.Contains(text, `"status":503`) || time.Now().After(deadline) {
			return text, err
		}
	}
}
