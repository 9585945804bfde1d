package replay

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/engine"
	"chargestream/internal/kafkatest"
	"chargestream/internal/sim"
	"chargestream/processors"
	"chargestream/topics"
)

// wantVerdict checks what a verification comes to, and that it has the excuses and no other.
func wantVerdict(t *testing.T, r *Report, verdict Verdict, excuses ...Excuse) {
	t.Helper()
	ok := r.Verdict == verdict && len(r.Excused) == len(excuses) &&
		(r.Problems() != "") == (verdict == VerdictDiffers)
	for _, why := range excuses {
		ok = ok && r.Excused[why] > 0 && r.ExcusedWhy[why] != ""
	}
	if !ok || r.Compared == 0 {
		t.Errorf("%q, %d rows and %d documents differ, excused %v, want %q for %v:\n%q\n%q\n%q",
			r.Verdict, r.Differences, r.DocumentDifferences, r.Excused, verdict, excuses,
			r.Different, r.DifferentDocuments, r.ExcusedDifferences)
	}
}

// passTime sends a clock record to every partition, as a running instance does each minute.
func passTime(t *testing.T, b kafkatest.Broker, at chargestream.Millis) {
	t.Helper()
	err := engine.SendClock(t.Context(), b.Addrs(), at.Time(), processors.All(nil)...)
	if err != nil {
		t.Fatal(err)
	}
	live(t, b)
}

// produceDays writes events of a depot from a day of March 2026 on.
func produceDays(t *testing.T, b kafkatest.Broker, day, events int) {
	t.Helper()
	produceSimulated(t, b, sim.Config{Seed: 5, DepotConnectors: 20, CityStations: 15,
		Start: noon + chargestream.Millis(day-2)*chargestream.Day}, events)
}

// TestVerifyHistoryBehindNewerEvents: history of the same stations is read behind newer events. A
// task that reads both puts timers off until the next clock record. One that began anew behind the
// newer events has a stream time of its own, and fires timers that a replay puts off. Whether a
// clock record comes or not, nothing differs that must not.
func TestVerifyHistoryBehindNewerEvents(t *testing.T) {
	for name, restart := range map[string]bool{"a task": false, "two tasks": true} {
		t.Run(name, func(t *testing.T) {
			b := applied(t)
			produceDays(t, b, 9, 4_000)
			if restart {
				live(t, b)
			}
			produceDays(t, b, 7, 12_000)
			live(t, b)
			r := verified(t, b)
			if r.Problems() != "" || r.Documents == 0 ||
				!restart && r.Excused[ExcuseWaiting] == 0 {
				t.Errorf("%s: %q %q, excused %v", r.Problems(), r.Different, r.DifferentDocuments,
					r.Excused)
			}
			passTime(t, b, noon+30*chargestream.Day)
			r = verified(t, b)
			if r.Problems() != "" || r.Excused[ExcuseWaiting] > 0 {
				t.Errorf("later: %s, excused %v", r.Problems(), r.Excused)
			}
		})
	}
}

func tariffOf(price string, from chargestream.Millis) chargestream.TariffHistory {
	return chargestream.TariffHistory{TariffID: "t", Versions: []chargestream.TariffVersion{{
		ValidFrom: from, Tariff: json.RawMessage(`{"currency":"EUR","elements":[{` +
			`"price_components":[{"type":"ENERGY","price":` + price +
			`,"vat":20,"step_size":1}]}]}`)}}}
}

// produceSession writes a session of an hour from noon on.
func produceSession(t *testing.T, b kafkatest.Broker) {
	t.Helper()
	energy := chargestream.WattHours(10_000)
	kafkatest.MustProduce(t, b,
		eventRecord(t, topics.ChargingSessions, &chargestream.SessionStart{StationID: "st-1",
			ConnectorID: "1", SessionID: "s-1", UserID: "card-7", Time: noon}, noon),
		eventRecord(t, topics.ChargingSessions, &chargestream.SessionEnd{StationID: "st-1",
			SessionID: "s-1", Time: noon + chargestream.Hour, Energy: &energy},
			noon+chargestream.Hour))
}

// TestVerifyLateReferenceData: a session is billed before its registry entry and its tariff are
// read, which have an older arrival (an import), one of the time (a clerk who is late), or are
// other ones than the session was billed by.
func TestVerifyLateReferenceData(t *testing.T) {
	before, after := noon-chargestream.Day, noon+3*chargestream.Hour
	entry := func(at chargestream.Millis) *kgo.Record {
		return jsonRecord(t, topics.Stations, "st-1",
			chargestream.StationInfo{StationID: "st-1", TariffID: "t"}, at)
	}
	for name, c := range map[string]struct {
		first, then []*kgo.Record
		verdict     Verdict
		excuses     []Excuse
	}{
		"of before": {nil, []*kgo.Record{entry(before),
			jsonRecord(t, topics.Tariffs, "t", tariffOf("0.45", before), before)},
			VerdictMayDiffer, []Excuse{ExcuseReadLate}},
		"of later": {nil, []*kgo.Record{entry(after),
			jsonRecord(t, topics.Tariffs, "t", tariffOf("0.45", before), after)},
			VerdictSame, nil},
		"another of before": {[]*kgo.Record{entry(before),
			jsonRecord(t, topics.Tariffs, "t", tariffOf("0.45", before),
				before+2*chargestream.Hour)},
			[]*kgo.Record{jsonRecord(t, topics.Tariffs, "t", tariffOf("0.55", before),
				noon)},
			VerdictMayDiffer, []Excuse{ExcuseReference}},
	} {
		t.Run(name, func(t *testing.T) {
			b := applied(t)
			kafkatest.MustProduce(t, b, c.first...)
			produceSession(t, b)
			passTime(t, b, noon+2*chargestream.Hour)
			kafkatest.MustProduce(t, b, c.then...)
			live(t, b)
			passTime(t, b, noon+5*chargestream.Hour)
			wantVerdict(t, verified(t, b), c.verdict, c.excuses...)
		})
	}
}

// TestVerifyRedrive: an end that was a dead letter is sent again, with its own arrival, long after
// its session was billed as one that did not end.
func TestVerifyRedrive(t *testing.T) {
	b := applied(t)
	produceHistory(t, b)
	kafkatest.MustProduce(t, b, eventRecord(t, topics.ChargingSessions,
		&chargestream.SessionStart{StationID: "st-1", ConnectorID: "1", SessionID: "s-3",
			UserID: "card-7", Time: noon + 200*chargestream.Minute}, noon+200*chargestream.Minute))
	passTime(t, b, noon+2*chargestream.Day)
	energy := chargestream.WattHours(10_000)
	kafkatest.MustProduce(t, b, eventRecord(t, topics.ChargingSessions,
		&chargestream.SessionEnd{StationID: "st-1", SessionID: "s-3", Energy: &energy,
			Time: noon + 260*chargestream.Minute}, noon+260*chargestream.Minute))
	live(t, b)
	passTime(t, b, noon+2*chargestream.Day+chargestream.Hour)
	wantVerdict(t, verified(t, b), VerdictMayDiffer, ExcuseReadLate)
}

// deleteRecords removes the first records of all partitions of a topic, as retention does.
func deleteRecords(t *testing.T, b kafkatest.Broker, topic string) {
	t.Helper()
	admin := kadm.NewClient(connect(t, b))
	ends, err := admin.ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.DeleteRecords(t.Context(), ends.Offsets()); err != nil {
		t.Fatal(err)
	}
}

// TestVerifyCutTopics: what the inputs keep no longer excuses rows that rest on it, and none that
// are later. A changelog that was cut has lost rows, which is said.
func TestVerifyCutTopics(t *testing.T) {
	b := applied(t)
	produceSession(t, b)
	kafkatest.MustProduce(t, b, eventRecord(t, topics.StationStatus,
		&chargestream.StatusReport{StationID: "st-1", ConnectorID: "1", Status: "Charging",
			Time: noon}, noon))
	passTime(t, b, noon+chargestream.Day)
	wantVerdict(t, verified(t, b), VerdictSame)
	deleteRecords(t, b, topics.StationStatus)
	wantVerdict(t, verified(t, b), VerdictMayDiffer, ExcuseCut)
	table := topics.Table(topics.TableHours)
	deleteRecords(t, b, table)
	r := verified(t, b)
	if r.Verdict != VerdictDiffers || r.TablesCut[table] == 0 ||
		!strings.Contains(r.Problems(), table+" begins at offset") {
		t.Errorf("%+v", r)
	}
}
