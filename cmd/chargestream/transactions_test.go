package main

import (
	"encoding/json"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/topics"
)

func TestTransactionsFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		what string
	}{
		{[]string{"--outcome", "maybe"}, "neither commit nor abort"},
		{[]string{"--outcome", "abort"}, "needs --transactional-id"},
		{[]string{"stations-a"}, "takes no argument"},
	} {
		got := run(t, nil, append([]string{"transactions", "end", "--brokers", "x"}, c.args...)...)
		got.want(t, exitUsage, "", c.what)
	}
}

// TestTransactionsThatAreAlive are shown and left: nothing hangs.
func TestTransactionsThatAreAlive(t *testing.T) {
	b, brokers := ownBroker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "done", "")
	run(t, nil, "transactions", "list", brokers).want(t, exitOK, "no transaction is open", "")
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...), kgo.TransactionalID("stations-a"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	r := &kgo.Record{Topic: topics.Invoices, Key: []byte("k")}
	if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
	got := run(t, nil, "transactions", "list", brokers, "-o", "json")
	got.want(t, exitOK, `"transactional_id":"stations-a","owner":"own"`, "")
	var line transactionLine
	if err := json.Unmarshal([]byte(got.stdout), &line); err != nil {
		t.Fatal(err)
	}
	if line.Topic != topics.Invoices || line.Hangs || line.State != "Ongoing" {
		t.Errorf("%+v, want one on %s that is alive", line, topics.Invoices)
	}
	run(t, nil, "transactions", "end", brokers).want(t, exitOK, "no transaction hangs", "")
	if err := client.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Errorf("it was not left alone: %v", err)
	}
}
