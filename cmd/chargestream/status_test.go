package main

import (
	"encoding/json"
	"strings"
	"testing"

	"chargestream/engine"
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
	if engine.PartitionOf("Day", partitionsDefault) == engine.PartitionOf("day", partitionsDefault) {
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
