package processors_test

import (
	"fmt"
	"slices"
	"testing"

	"chargestream"
	"chargestream/engine"
	"chargestream/processors"
	"chargestream/topics"
)

// TestWaitingSessionWritesNothing: a session that waits for its tariff is looked at at the end of
// each quarter hour and writes no row, also in a task that began anew; what is read then bills it.
func TestWaitingSessionWritesNothing(t *testing.T) {
	day := begin
	p := drawPiece(t, day, 3)
	d, err := engine.NewDriver(partitions, processors.All(nil)...)
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	d.OnRow = func(topic string, _ int32, row engine.Row) {
		rows = append(rows, fmt.Sprint(topic, " ", row.Key))
	}
	documents := 0
	d.OnRecord = func(topic, _ string, _ []byte, _ []engine.Header) {
		if topic == topics.Invoices {
			documents++
		}
	}
	feed := func(list []engine.Message) {
		t.Helper()
		for _, m := range list {
			if err := d.Feed(m); err != nil {
				t.Fatal(err)
			}
		}
	}
	now := day + 6*chargestream.Hour
	tick := func(quarters int) {
		t.Helper()
		for range quarters {
			now += chargestream.Quarter
			if err := d.Tick(int64(now)); err != nil {
				t.Fatal(err)
			}
		}
	}
	feed(p.sessions)
	tick(8) // and all hours are closed
	if documents != 3 || len(rows) == 0 {
		t.Fatalf("%d documents, rows %q", documents, rows)
	}
	rows = nil
	tick(20)
	if err := d.Restart(); err != nil {
		t.Fatal(err)
	}
	tick(20)
	if len(rows) > 0 || documents != 3 {
		t.Errorf("%d documents, rows written while nothing came: %q", documents, rows)
	}
	for i := range p.reference {
		p.reference[i].Arrival, p.reference[i].Timestamp = int64(now)+1, int64(now)+1
	}
	feed(p.reference)
	tick(2)
	if documents != 9 { // each with the credit note of the one before
		t.Errorf("%d documents", documents)
	}
	slices.Sort(rows)
	written := len(slices.Compact(rows))
	rows = nil
	tick(5)
	if len(rows) > 0 || written < 5 {
		t.Errorf("%d rows, then %q", written, rows)
	}
}
