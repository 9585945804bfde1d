package processors_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/lovoo/goka"
	"github.com/lovoo/goka/tester"

	"chargestream"
	"chargestream/codecs"
	"chargestream/processors"
	"chargestream/tables"
	"chargestream/topics"
)

// TestGraph runs the three groups as goka declares them, under goka's tester: a session goes in
// as events, and its invoice and its window come out.
func TestGraph(t *testing.T) {
	tt := tester.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	running := make(chan error)
	list := processors.All(nil)
	for _, p := range list {
		proc, err := goka.NewProcessor(nil, p.Graph(), goka.WithTester(tt),
			goka.WithNilHandling(goka.NilProcess))
		if err != nil {
			t.Fatal(err)
		}
		go func() { running <- proc.Run(ctx) }()
	}
	invoices := tt.NewQueueTracker(topics.Invoices)
	utilization := tt.NewQueueTracker(topics.Utilization)
	dead := tt.NewQueueTracker(topics.DeadLetters)
	feedTables(t, tt)
	at := begin
	say := func(topic string, event chargestream.Event, arrival chargestream.Millis) {
		value, err := codecs.EncodeEvent(event)
		if err != nil {
			t.Fatal(err)
		}
		tt.Consume(topic, string(event.Station()), value, tester.WithHeaders(goka.Headers{
			topics.HeaderArrival: []byte(arrival.String())}))
	}
	energy := chargestream.WattHours(10_000)
	say(topics.ChargingSessions, &chargestream.SessionStart{StationID: "st-0", ConnectorID: "1",
		SessionID: "s", UserID: "u", Time: at}, at)
	say(topics.ChargingSessions, &chargestream.SessionEnd{StationID: "st-0", SessionID: "s",
		Time: at + chargestream.Hour, Energy: &energy}, at+chargestream.Hour)
	if _, _, ok := invoices.Next(); ok {
		t.Error("an invoice before the grace was over")
	}
	say(
		topics.Heartbeats,
		&chargestream.Heartbeat{StationID: "st-0", Time: at + 2*chargestream.Hour},
		at+2*chargestream.Hour,
	)
	key, value, ok := invoices.Next()
	if !ok {
		t.Fatal("no invoice after the grace")
	}
	var v chargestream.Invoice
	if err := json.Unmarshal(value.([]byte), &v); err != nil {
		t.Fatal(err)
	}
	// 10 kWh at 0.45 and an hour at 1.20, with 20 % on each.
	if key != v.InvoiceID || v.Status != chargestream.StatusIssued || v.TotalInclVAT != "6.84" {
		t.Errorf("invoice %q: %+v", key, v)
	}
	if _, _, ok := utilization.Next(); !ok {
		t.Error("no window was told")
	}
	row, ok := tt.TableValue(goka.Table(topics.Table(topics.GroupSessions)), "s").([]byte)
	if !ok {
		t.Fatal("no row in the sessions table")
	}
	session, err := tables.DecodeSession(row)
	if err != nil || session.Phase() != chargestream.PhaseSettled {
		t.Errorf("session is %v, %v", session, err)
	}
	tt.Consume(topics.Heartbeats, "st-0", []byte("no JSON"))
	if _, _, ok := dead.Next(); !ok {
		t.Error("no dead letter for what is no JSON")
	}
	cancel()
	for range list {
		if err := <-running; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

// feedTables writes the rows of the table of reference data.
func feedTables(t *testing.T, tt *tester.Tester) {
	t.Helper()
	set := func(key string, row *tables.Reference) {
		tt.SetTableValue(goka.Table(topics.Table(topics.GroupReference)), key, row.Append(nil))
	}
	for key, value := range reference()[topics.Stations] {
		info, ok := value.(chargestream.StationInfo)
		if !ok {
			t.Fatalf("%T", value)
		}
		set(key, &tables.Reference{Registry: []tables.RegistryRevision{
			{Arrival: begin - chargestream.Day, Info: &info}}})
	}
	history, ok := reference()[topics.Tariffs]["t"].(chargestream.TariffHistory)
	if !ok {
		t.Fatal("no tariff")
	}
	set("t", &tables.Reference{Tariffs: []tables.TariffRevision{
		{Arrival: begin - chargestream.Day, Versions: history.Versions}}})
}
