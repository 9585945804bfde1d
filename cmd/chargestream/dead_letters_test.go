package main

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/internal/kafkatest"
	"chargestream/redrive"
	"chargestream/topics"
)

// dead produces a dead letter of a meter value; headers are names and values in turn.
func dead(t *testing.T, b kafkatest.Broker, key, value, reason, source string, headers ...string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	record := &kgo.Record{Topic: topics.DeadLetters, Key: []byte(key), Value: []byte(value)}
	headers = append([]string{topics.HeaderReason, reason, topics.HeaderError, "why",
		topics.HeaderSourceTopic, source, topics.HeaderSourcePartition, "2",
		topics.HeaderSourceOffset, "17"}, headers...)
	for i := 0; i < len(headers); i += 2 {
		record.Headers = append(record.Headers,
			kgo.RecordHeader{Key: headers[i], Value: []byte(headers[i+1])})
	}
	if err := client.ProduceSync(t.Context(), record).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// letters runs list and reads its answer.
func letters(t *testing.T, brokers string, flags ...string) []letter {
	t.Helper()
	got := run(t, nil, append([]string{"dead-letters", "list", brokers, "-o", "json"}, flags...)...)
	got.want(t, exitOK, "", "")
	var list []letter
	for line := range strings.Lines(got.stdout) {
		var l letter
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		list = append(list, l)
	}
	return list
}

func TestListDeadLetters(t *testing.T) {
	b, brokers := broker(t)
	run(t, nil, "dead-letters", "list", brokers).
		want(t, exitNotFound, "", "has no topic dead-letters")
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "", "")
	if list := letters(t, brokers); len(list) != 0 {
		t.Errorf("letters of an empty topic: %v", list)
	}
	for i := range 9 {
		reason := "late"
		if i%3 == 0 {
			reason = "malformed"
		}
		dead(t, b, "S"+strconv.Itoa(i), "{\x1b[31m", reason, topics.MeterValues, "trace", "x")
	}
	dead(t, b, "\xff", "\xfe", "malformed", topics.MeterValues)
	if n := len(letters(t, brokers)); n != 10 {
		t.Errorf("%d letters, want 10", n)
	}
	if n := len(letters(t, brokers, "--reason", "late")); n != 6 {
		t.Errorf("%d late letters, want 6", n)
	}
	newest := letters(t, brokers, "--limit", "2")
	if len(newest) != 2 || newest[0].Key != "S8" || newest[0].Headers["trace"] != "x" ||
		newest[0].SourceTopic != topics.MeterValues || newest[0].SourceOffset != "17" ||
		newest[1].KeyBase64 != "/w==" || newest[1].ValueBase64 != "/g==" || newest[1].Key != "" {
		t.Errorf("the newest two: %+v", newest)
	}
	table := run(t, nil, "dead-letters", "list", brokers)
	table.want(t, exitOK, "meter-values/2@17", "")
	if strings.Contains(table.stdout, "\x1b") {
		t.Errorf("a value speaks to the terminal: %q", table.stdout)
	}
}

// redriveOf runs redrive and reads its answer.
func redriveOf(t *testing.T, brokers string, flags ...string) redrive.Answer {
	t.Helper()
	args := append([]string{"dead-letters", "redrive", brokers, "-o", "json"}, flags...)
	got := run(t, nil, args...)
	got.want(t, exitOK, "", "")
	var answer redrive.Answer
	if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestRedrive(t *testing.T) {
	b, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "", "")
	dead(t, b, "S1", "one", "late", topics.MeterValues, topics.HeaderArrival,
		"2024-01-01T00:00:00Z", topics.HeaderSourceTime, "2024-06-01T00:00:00Z", "trace", "x")
	dead(t, b, "S2", "two", "malformed", topics.Heartbeats, topics.HeaderRedriven, "2",
		topics.HeaderSourceTime, "2024-06-01T00:00:00Z")
	dead(t, b, "S3", "three", "malformed", "payroll")
	dead(t, b, "S4", "four", "malformed", topics.Table(topics.TableStations))

	both := map[string]int{topics.MeterValues: 1, topics.Heartbeats: 1}
	left := map[string]int{"payroll": 1, "stations-table": 1}
	run(t, nil, "dead-letters", "redrive", brokers, "--dry-run").
		want(t, exitOK, "would send again: ", "")
	want := redrive.Answer{DryRun: true, Redriven: both, Left: left}
	if diff := cmp.Diff(want, redriveOf(t, brokers, "--dry-run")); diff != "" {
		t.Errorf("dry run (-want +got):\n%s", diff)
	}
	if records := consume(t, b.Addrs(), topics.MeterValues); len(records) != 0 {
		t.Fatalf("a dry run produced %v", texts(records))
	}
	want.DryRun = false
	if diff := cmp.Diff(want, redriveOf(t, brokers, "--yes")); diff != "" {
		t.Errorf("redrive (-want +got):\n%s", diff)
	}
	for topic, headers := range map[string]map[string]string{
		topics.MeterValues: {topics.HeaderArrival: "2024-01-01T00:00:00Z", "trace": "x",
			topics.HeaderRedriven: "1"},
		topics.Heartbeats: {topics.HeaderArrival: "2024-06-01T00:00:00Z",
			topics.HeaderRedriven: "3"},
	} {
		records := consume(t, b.Addrs(), topic)
		if len(records) != 1 {
			t.Fatalf("%s holds %v", topic, texts(records))
		}
		got := map[string]string{}
		for _, h := range records[0].Headers {
			got[h.Key] = string(h.Value)
		}
		if diff := cmp.Diff(headers, got); diff != "" {
			t.Errorf("headers on %s (-want +got):\n%s", topic, diff)
		}
	}
	none := redrive.Answer{Redriven: map[string]int{}}
	if diff := cmp.Diff(none, redriveOf(t, brokers, "--yes")); diff != "" {
		t.Errorf("second run (-want +got):\n%s", diff)
	}
	// A reason remembers its own place.
	late := redrive.Answer{Redriven: map[string]int{topics.MeterValues: 1}}
	if diff := cmp.Diff(late, redriveOf(t, brokers, "--yes", "--reason", "late")); diff != "" {
		t.Errorf("late ones (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, redriveOf(t, brokers, "--yes", "--again")); diff != "" {
		t.Errorf("again (-want +got):\n%s", diff)
	}
}

// TestListSeesTheEndOfTransactions reads letters whose last offsets are markers.
func TestListSeesTheEndOfTransactions(t *testing.T) {
	b, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "", "")
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.TransactionalID("letters"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for i, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort} {
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for key := range 8 {
			err := client.ProduceSync(t.Context(), &kgo.Record{Topic: topics.DeadLetters,
				Key: []byte(strconv.Itoa(10*i + key)), Value: []byte("{}")}).FirstErr()
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := client.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	if list := letters(t, brokers); len(list) != 8 {
		t.Errorf("%d letters, want the 8 that were committed", len(list))
	}
}
