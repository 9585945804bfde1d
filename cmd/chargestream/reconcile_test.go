package main

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/internal/kafkatest"
	"chargestream/processors"
	"chargestream/reconcile"
	"chargestream/tables"
	"chargestream/topics"
)

// wattHours is an amount of energy that is known.
func wattHours(e chargestream.WattHours) *chargestream.WattHours { return &e }

// sessionRecord is the record of a session's row.
func sessionRecord(id chargestream.SessionID, row *tables.Session) *kgo.Record {
	return &kgo.Record{Topic: topics.Table(topics.TableSessions),
		Key: []byte(processors.SessionKey("st-1", id)), Value: row.Append(nil)}
}

// hourRow is the record of the window of noon in which the register showed these.
func hourRow(readings ...tables.Reading) *kgo.Record {
	var row tables.Hour
	for _, r := range readings {
		q := tables.Quarter{Start: r.At.Truncate(chargestream.Quarter)}
		q.Add(&chargestream.MeterValue{Time: r.At, Energy: &r.Energy})
		row.Quarters = append(row.Quarters, q)
	}
	key := tables.HourKey{StationID: "st-1", ConnectorID: "2", Start: noon}
	return &kgo.Record{Topic: topics.Table(topics.TableHours), Key: []byte(key.String()),
		Value: row.Append(nil)}
}

// meteredMonth is the session of the bill s-1, which counted 4 kWh by its registers, with the
// window of its connector, in which 12 Wh more were counted after it.
func meteredMonth() []*kgo.Record {
	end := noon + 40*chargestream.Minute
	row := &tables.Session{
		Starts: []tables.Start{{At: noon, Arrival: noon, ConnectorID: "2", UserID: "card-7",
			Meter: wattHours(1000)}},
		Ends: []tables.End{{At: end, Arrival: end, Meter: wattHours(5000)}}}
	row.BilledUpTo = noon + 2*chargestream.Hour
	return []*kgo.Record{sessionRecord("s-1", row),
		hourRow(tables.Reading{At: noon + 20*chargestream.Minute, Energy: 3000},
			tables.Reading{At: noon + 50*chargestream.Minute, Energy: 5012})}
}

// reconciled runs reconcile over March 2026 and reads its answer.
func reconciled(t *testing.T, code int, brokers string, flags ...string) reconcileAnswer {
	t.Helper()
	got := run(t, nil, append([]string{"reconcile", brokers, "--month=2026-03", "-o", "json"},
		flags...)...)
	got.want(t, code, "", "")
	answer := reconcileAnswer{Report: &reconcile.Report{}}
	if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil {
		t.Fatal(err)
	}
	if answer.AddsUp != (code == exitOK) {
		t.Errorf("adds up: %v, and exit code %d", answer.AddsUp, code)
	}
	return answer
}

func TestReconcile(t *testing.T) {
	first := bill("s-1", nil)
	_, brokers := billedAnd(t, meteredMonth(), first)
	answer := reconciled(t, exitOK, brokers)
	want := reconcile.Balance{Sessions: 1, Metered: 4012, Invoiced: 4000,
		Gaps:  []reconcile.Gap{{Name: reconcile.GapOutside, Count: 1, Energy: 12}},
		Notes: []reconcile.Note{}}
	if diff := cmp.Diff(want, answer.Sum); diff != "" {
		t.Errorf("sum (-want +got):\n%s", diff)
	}
	if answer.AsOf != noon+chargestream.Hour {
		t.Errorf("as of %s, want an hour before the session was billed", answer.AsOf)
	}
	run(t, nil, "reconcile", brokers, "--month=2026-03").
		want(t, exitOK, "gap outside_sessions         1", "")
	other := reconciled(t, exitOK, brokers, "--month=2026-02")
	if other.Sum.Sessions != 0 || len(other.Connectors) != 0 {
		t.Errorf("another month: %+v", other.Report)
	}
	days := run(t, nil, "reconcile", brokers, "--from=2026-03-02T00:00:00Z",
		"--to=2026-03-03T00:00:00Z")
	days.want(t, exitOK, "st-1/2", "")
}

// billedAnd is billed, with the rows of tables.
func billedAnd(t *testing.T, rows []*kgo.Record,
	list ...chargestream.Invoice) (kafkatest.Broker, string) {
	t.Helper()
	b, brokers := billed(t, list...)
	kafkatest.MustProduce(t, b, rows...)
	return b, brokers
}

// TestReconcileFinds plants a fault in what the topics hold.
func TestReconcileFinds(t *testing.T) {
	first := bill("s-1", nil)
	bad := credited(first, first.IssuedAt)
	bad.TotalInclVAT = "-2.15"
	again := bill("s-1", func(v *chargestream.Invoice) { v.InvoiceID = "s-1-bbbbbbbbbb" })
	for name, c := range map[string]struct {
		rows []*kgo.Record
		list []chargestream.Invoice
		want []reconcile.FindingKind
	}{
		"missing": {meteredMonth(), nil, []reconcile.FindingKind{reconcile.FindingMissing}},
		"two": {meteredMonth(), []chargestream.Invoice{first, again},
			[]reconcile.FindingKind{reconcile.FindingTwice, reconcile.FindingTwice}},
		"other energy": {meteredMonth(), []chargestream.Invoice{bill("s-1",
			func(v *chargestream.Invoice) { v.Energy++ })},
			[]reconcile.FindingKind{reconcile.FindingEnergy}},
		"stranger": {meteredMonth(), []chargestream.Invoice{first, bill("s-2", nil)},
			[]reconcile.FindingKind{reconcile.FindingStranger}},
		"row taken out": {append(meteredMonth(), &kgo.Record{Key: []byte("st-1/s-1"),
			Topic: topics.Table(topics.TableSessions)}), []chargestream.Invoice{first},
			[]reconcile.FindingKind{reconcile.FindingStranger}},
		"credit": {meteredMonth(), []chargestream.Invoice{first, bad, again},
			[]reconcile.FindingKind{reconcile.FindingCredit}},
	} {
		t.Run(name, func(t *testing.T) {
			_, brokers := billedAnd(t, c.rows, c.list...)
			answer := reconciled(t, exitProblems, brokers, "--as-of=2026-04-01T00:00:00Z")
			var kinds []reconcile.FindingKind
			for _, f := range answer.Findings {
				kinds = append(kinds, f.Kind)
			}
			if !slices.Equal(kinds, c.want) {
				t.Errorf("findings %v, want %v", kinds, c.want)
			}
			run(t, nil, "reconcile", brokers, "--month=2026-03",
				"--as-of=2026-04-01T00:00:00Z").
				want(t, exitProblems, string(c.want[0])+": session s-", "does not add up")
		})
	}
}

// TestReconcileNamesWhatItCannotRead: what is in no sum may be what is missing.
func TestReconcileNamesWhatItCannotRead(t *testing.T) {
	for _, r := range []*kgo.Record{
		{Topic: topics.Table(topics.TableSessions), Key: []byte("st-1/s-9"), Value: []byte("C")},
		{Topic: topics.Table(topics.TableHours), Key: []byte("noon"), Value: []byte("H")},
		{Topic: topics.Invoices, Key: []byte("s-9"), Value: []byte("{")}} {
		_, brokers := billedAnd(t, append(meteredMonth(), r), bill("s-1", nil))
		answer := reconciled(t, exitProblems, brokers)
		if len(answer.Unreadable[r.Topic]) != 1 {
			t.Errorf("%s: unreadable %v", r.Topic, answer.Unreadable)
		}
	}
}

func TestReconcileRefuses(t *testing.T) {
	for why, flags := range map[string][]string{
		"the period is not given": {},
		"period is not given":     {"--month=2026-03", "--from=2026-03-01T00:00:00Z"},
		"not given":               {"--from=2026-03-01T00:00:00Z"},
		"--month":                 {"--month=2026-3"},
		"--to":                    {"--from=2026-03-01T00:00:00Z", "--to=2026-04-01"},
		"--as-of":                 {"--month=2026-03", "--as-of=now"},
		"not after its begin": {"--from=2026-03-01T00:00:00Z",
			"--to=2026-03-01T00:00:00Z"},
	} {
		run(t, nil, append([]string{"reconcile"}, flags...)...).want(t, exitUsage, "", why)
	}
}
