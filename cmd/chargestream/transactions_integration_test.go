//go:build integration

package main

import (
	"testing"

	"chargestream/internal/kafkatest"
	"chargestream/topics"
)

// TestTransactionsThatHang: those of the processors are ended, that of another application stays
// and is named.
func TestTransactionsThatHang(t *testing.T) {
	b, brokers := ownBroker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "done", "")
	for _, h := range []kafkatest.Hang{
		{ID: "stations-gone", Topic: topics.Invoices, Ended: 0, Open: 1, Key: "k", Commit: true},
		{ID: "tariffs-gone", Topic: topics.Anomalies, Ended: 0, Open: 1, Key: "k",
			Group: "tariffs", Offset: 3},
		{ID: "elsewhere", Topic: topics.StationStatus, Ended: 0, Open: 1, Key: "k"},
	} {
		if _, _, err := kafkatest.MakeHang(t.Context(), b.Addrs(), h); err != nil {
			t.Fatal(err)
		}
	}
	run(t, nil, "transactions", "list", brokers).want(t, exitProblems,
		"its coordinator committed it", "transactions hang on 4 partitions")
	got := run(t, nil, "status", brokers)
	got.want(t, exitProblems, "a transaction of elsewhere (owner other) on "+topics.StationStatus+
		"/1", "transactions hang on 4 partitions")
	got.want(t, exitProblems, "stands still  stable_offset of invoices, partitions [1]", "")
	run(t, nil, "transactions", "end", brokers, "--transactional-id", "stations-gone").want(t,
		exitProblems, "ended: "+topics.Invoices+"/1 of stations-gone: commit", "3 partitions")
	run(t, nil, "transactions", "end", brokers).want(t, exitProblems,
		"left: "+topics.StationStatus+"/1 of elsewhere", "a transaction hangs on a partition")
	run(t, nil, "transactions", "list", brokers).want(t, exitProblems, "elsewhere",
		"a transaction hangs on a partition")
	if n := len(kafkatest.MustReadAll(t, b, topics.Invoices, true)); n != 2 {
		t.Errorf("%d records are committed, want both of the transaction", n)
	}
	if n := len(kafkatest.MustReadAll(t, b, topics.Anomalies, true)); n != 0 {
		t.Errorf("%d records are seen of an aborted transaction", n)
	}
}
