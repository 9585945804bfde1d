package processors_test

import (
	"encoding/json"
	"testing"

	"chargestream"
	"chargestream/engine"
	"chargestream/processors"
	"chargestream/topics"
)

// TestBurstOfLateSamples: samples of a session that was billed arrive two hours late, all at once:
// its hour is restated by one record, and its invoice by one credit note and one replacement, not
// by one of each a sample.
func TestBurstOfLateSamples(t *testing.T) {
	const samples = 40
	d, err := engine.NewDriver(partitions, processors.All(nil)...)
	if err != nil {
		t.Fatal(err)
	}
	counting := false
	windows, credits, invoices := 0, 0, 0
	d.OnRecord = func(topic, _ string, value []byte, _ []engine.Header) {
		switch {
		case !counting:
		case topic == topics.Utilization:
			windows++
		case topic == topics.Invoices:
			var v chargestream.Invoice
			if err := json.Unmarshal(value, &v); err != nil {
				t.Error(err)
			}
			if v.Kind == chargestream.KindCreditNote {
				credits++
			} else {
				invoices++
			}
		}
	}
	feedReference(t, d)
	feed := func(r record) {
		t.Helper()
		if err := d.Feed(r.message(t)); err != nil {
			t.Fatal(err)
		}
	}
	at := func(minute int) chargestream.Millis {
		return begin + chargestream.Millis(minute)*chargestream.Minute
	}
	first, last := chargestream.WattHours(1000), chargestream.WattHours(9000)
	feed(timely(topics.ChargingSessions, &chargestream.SessionStart{StationID: "st-0",
		ConnectorID: "1", SessionID: "s", UserID: "u1", Time: at(5), Meter: &first}))
	feed(timely(topics.ChargingSessions, &chargestream.SessionEnd{StationID: "st-0",
		ConnectorID: "1", SessionID: "s", Time: at(50), Meter: &last}))
	if err := d.Tick(int64(at(90))); err != nil {
		t.Fatal(err)
	}
	counting, d.CommitEvery = true, 0
	for i := range samples {
		// Registers beyond the one at the end: each sample changes what is to be billed.
		wh := last + chargestream.WattHours(100*(i+1))
		feed(record{topics.MeterValues, &chargestream.MeterValue{StationID: "st-0",
			ConnectorID: "1", SessionID: "s", Time: at(6 + i), Energy: &wh}, at(170)})
	}
	if err := d.Commit(); err != nil {
		t.Fatal(err)
	}
	if windows != 1 {
		t.Errorf("%d records of utilization, want 1", windows)
	}
	if err := d.Tick(int64(at(200))); err != nil {
		t.Fatal(err)
	}
	if credits != 1 || invoices != 1 {
		t.Errorf("%d credit notes and %d replacements, want 1 and 1", credits, invoices)
	}
}
