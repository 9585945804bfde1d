package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
	"chargestream/topics"
)

func TestStatus(t *testing.T) {
	_, brokers := broker(t)
	run(t, nil, "status", brokers).want(t, exitProblems, "stations-table is missing; run",
		"topics are not as they must be")
	brokers = doubts(t)
	got := run(t, nil, "status", brokers)
	got.want(t, exitOK, "topics        all well\n", "")
	got.want(t, exitOK, "dead letters  3, 3 of them in the last hour: malformed 3, the newest", "")
	// What is sent to another partition leaves the marker of its transaction behind, and no lag.
	const n = partitionsDefault
	if engine.PartitionOf("Day", n) == engine.PartitionOf("day", n) {
		t.Fatal("the tariff stays where it is")
	}
	run(t, nil, "tariffs", "put", strings.Replace(ocpi, "city-ac", "Day", 1), brokers).
		want(t, exitOK, "", "")
	run(t, nil, "run", brokers, "--state-dir", t.TempDir(), "--until-caught-up")
	run(t, nil, "status", brokers).want(t, exitOK, "tariffs   Empty  0        0           0 ", "")
	run(t, nil, "send", `{"station_id":"x","tariff_id":"t"}`, brokers).want(t, exitOK, "", "")
	got = run(t, nil, "status", brokers)
	got.want(t, exitProblems, "stations 1\n", `hint: start "chargestream run"`)
	var s statusAnswer
	text := run(t, nil, "status", brokers, "-o", "json").stdout
	if err := json.Unmarshal([]byte(text), &s); err != nil || len(s.Groups) != 2 ||
		s.Groups[1].Lag != 1 || s.Well || s.Partitions != partitionsDefault {
		t.Errorf("%s, %v", text, err)
	}
}

// TestStatusOfStalls: a transaction that another application holds open hides what is after it, and
// status names both.
func TestStatusOfStalls(t *testing.T) {
	b, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "done", "")
	var s statusAnswer
	read := func() {
		t.Helper()
		s = statusAnswer{}
		text := run(t, nil, "status", brokers, "-o", "json").stdout
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
	}
	if read(); len(s.Stalls) > 0 || !s.Well {
		t.Errorf("nothing is there, and it has %+v", s)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.TransactionalID("elsewhere"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	r := &kgo.Record{Topic: topics.StationStatus, Key: []byte("k")}
	if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
	read()
	if len(s.Stalls) != 1 || s.Stalls[0].What != "stable_offset" ||
		s.Stalls[0].Topic != topics.StationStatus || s.Stalls[0].Class != "open_transaction" ||
		s.Stalls[0].Behind != 1 || len(s.Hanging) > 0 || !s.Well {
		t.Errorf("%+v, want the stable offset of %s to stand", s, topics.StationStatus)
	}
	got := run(t, nil, "status", brokers)
	got.want(t, exitOK, "stands still  stable_offset of station-status, partitions", "")
	got.want(t, exitOK, "stands behind a transaction of elsewhere: it is ongoing", "")
	if err := client.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
}
