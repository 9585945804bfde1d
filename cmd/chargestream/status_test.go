package main

import (
	"encoding/json"
	"testing"
)

func TestStatus(t *testing.T) {
	_, brokers := broker(t)
	run(t, nil, "status", brokers).want(t, exitProblems, "stations-table is missing; run",
		"topics are not as they must be")
	brokers = doubts(t)
	got := run(t, nil, "status", brokers)
	got.want(t, exitOK, "topics        all well\n", "")
	got.want(t, exitOK, "dead letters  3, 3 of them in the last hour: malformed 3, the newest", "")
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
