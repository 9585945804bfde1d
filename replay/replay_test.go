package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/codecs"
	"chargestream/engine"
	"chargestream/internal/kafkatest"
	"chargestream/internal/sim"
	"chargestream/processors"
	"chargestream/tables"
	"chargestream/topics"
)

var noon = chargestream.MillisOf(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC))

// TestInputs: tariffs first, as sessions look them up; then what stations, operators, clerks and
// clocks write, in the order in which the processors take equal arrival times.
func TestInputs(t *testing.T) {
	first, merged := inputs(processors.All(nil))
	if diff := cmp.Diff([]string{topics.Tariffs}, first); diff != "" {
		t.Errorf("first (-want +got):\n%s", diff)
	}
	want := []string{topics.Stations, topics.ChargingSessions, topics.StationStatus,
		topics.MeterValues, topics.Heartbeats, topics.BillingDecisions,
		topics.Clock(topics.GroupStations)}
	if diff := cmp.Diff(want, merged); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
}

// TestSameRows: rows of sessions with the same facts are the same, but for marks that its documents
// set.
func TestSameRows(t *testing.T) {
	row := func(offset int, upTo, end chargestream.Millis) []byte {
		s := &tables.Session{LastEnd: end}
		s.RevisionOffset, s.BilledUpTo = offset, upTo
		return s.Append(nil)
	}
	key := processors.SessionKey("st-1", "s")
	noted := map[session]Excuse{{"st-1", "s"}: ExcuseReadLate}
	sessions, first := topics.TableSessions, row(0, noon, noon)
	for name, c := range map[string]struct {
		table          string
		replayed, live []byte
		excused        map[session]Excuse
		same           bool
	}{
		"bytes":               {sessions, first, row(0, noon, noon), nil, true},
		"timers":              {sessions, first, row(0, 0, noon), nil, true},
		"marks":               {sessions, first, row(2, noon, noon), nil, false},
		"marks and documents": {sessions, first, row(2, 0, noon), noted, true},
		"facts":               {sessions, first, row(0, noon, noon+1), noted, false},
		"no row":              {sessions, first, []byte("C"), noted, false},
		"none":                {sessions, first, nil, noted, false},
		"another table":       {topics.TableHours, first, row(0, 0, noon), nil, false},
		"an empty hour":       {topics.TableHours, nil, (&tables.Hour{}).Append(nil), nil, true},
		"an hour": {topics.TableHours, nil, (&tables.Hour{CoversEnd: true}).Append(nil), nil,
			false},
	} {
		r := &run{}
		if got := r.same(c.table, key, c.replayed, c.live,
			&liveState{excused: c.excused}); got != c.same {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// applied is a fake broker with the topics of the register.
func applied(t *testing.T) kafkatest.Broker {
	t.Helper()
	b := kafkatest.StartFake(t)
	var list []kafkatest.Topic
	for _, topic := range topics.All() {
		list = append(list, kafkatest.Topic{Name: topic.Name,
			Config: map[string]string{"cleanup.policy": string(topic.Cleanup)}})
	}
	kafkatest.MustTopics(t, b, list...)
	return b
}

func arrivalHeaders(at chargestream.Millis) []kgo.RecordHeader {
	return []kgo.RecordHeader{{Key: topics.HeaderArrival, Value: []byte(at.String())}}
}

// eventRecord is an event as a gateway produces it.
func eventRecord(t *testing.T, topic string, e chargestream.Event,
	arrival chargestream.Millis) *kgo.Record {
	t.Helper()
	value, err := codecs.EncodeEvent(e)
	if err != nil {
		t.Fatal(err)
	}
	return &kgo.Record{Topic: topic, Key: []byte(e.Station()), Value: value,
		Headers: arrivalHeaders(arrival)}
}

func jsonRecord(t *testing.T, topic, key string, value any, at chargestream.Millis) *kgo.Record {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return &kgo.Record{Topic: topic, Key: []byte(key), Value: text, Headers: arrivalHeaders(at)}
}

// produceWorld is produceSimulated of the world of most tests.
func produceWorld(t *testing.T, b kafkatest.Broker, events int) {
	t.Helper()
	produceSimulated(t, b, sim.Config{Seed: 5, DepotConnectors: 40, CityStations: 30}, events)
}

// produceSimulated writes the reference data and events of a world, with faults of stations.
func produceSimulated(t *testing.T, b kafkatest.Broker, c sim.Config, events int) {
	t.Helper()
	c.Faults = sim.DefaultFaults()
	w := sim.New(c)
	var list []*kgo.Record
	for _, s := range w.Stations() {
		list = append(list, jsonRecord(t, topics.Stations, string(s.StationID), s, w.Now()))
	}
	for _, tariff := range w.Tariffs() {
		list = append(list, jsonRecord(t, topics.Tariffs, string(tariff.TariffID), tariff, w.Now()))
	}
	for range events {
		r := w.Next()
		list = append(list, eventRecord(t, r.Topic, r.Event, r.Arrival))
	}
	kafkatest.MustProduce(t, b, list...)
}

func connect(t *testing.T, b kafkatest.Broker) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append(Options(), kgo.SeedBrokers(b.Addrs()...))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// TestRowsDoNotDependOnTheRun: rows and documents depend neither on how much is read ahead, even if
// that is a batch, nor on how many records are folded in a commit.
func TestRowsDoNotDependOnTheRun(t *testing.T) {
	b := applied(t)
	produceWorld(t, b, 20_000)
	var reports []string
	for _, c := range []struct{ limit, commitEvery int }{{mergeBytesMax, commitEvery}, {0, 7}} {
		r, err := begin(t.Context(), Config{Client: connect(t, b), Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		r.limit, r.driver.CommitEvery = c.limit, c.commitEvery
		r.reader.Client.UpdateFetchMaxBytes(1<<10, 1<<10) // a batch at a time
		if err := errors.Join(r.rebuild(t.Context()), r.compare(t.Context())); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(&r.report)
		if err != nil {
			t.Fatal(err)
		}
		reports = append(reports, string(text))
	}
	if reports[0] != reports[1] || strings.Contains(reports[0], `"documents":0`) {
		t.Errorf("read ahead, in large commits: %s\nnot: %s", reports[0], reports[1])
	}
}

// TestMisplacedRecordsAreSkipped: a record that lies in another partition than its key's is
// counted, and folded where its copy lies.
func TestMisplacedRecordsAreSkipped(t *testing.T) {
	r := &run{procs: processors.All(nil), documents: newSentDocuments(),
		report: Report{Records: map[string]int64{}}}
	if err := r.drive(2); err != nil {
		t.Fatal(err)
	}
	value, err := codecs.EncodeEvent(&chargestream.Heartbeat{StationID: "st-1", Time: noon})
	if err != nil {
		t.Fatal(err)
	}
	home := engine.PartitionOf("st-1", 2)
	for i, partition := range []int32{1 - home, home} {
		err := r.feed(engine.Message{Topic: topics.Heartbeats, Partition: partition, Key: "st-1",
			HasKey: true, Value: value, Arrival: int64(noon), Timestamp: int64(noon)})
		if err := errors.Join(err, r.driver.Commit()); err != nil {
			t.Fatal(err)
		}
		if n := len(r.driver.Rows(topics.TableStations)); n != i ||
			r.report.Records[topics.Heartbeats] != int64(i+1) {
			t.Errorf("partition %d: %d rows, %v records", partition, n, r.report.Records)
		}
	}
}

// produceHistory writes a session that is billed, then contradicted by an end that arrives late,
// and then decided about. The events lie in the order of their arrival, but for one that lies in
// another partition than its key's.
func produceHistory(t *testing.T, b kafkatest.Broker) {
	t.Helper()
	const minute = chargestream.Minute
	energy, other := chargestream.WattHours(10_000), chargestream.WattHours(12_000)
	end := func(at chargestream.Millis, v *chargestream.WattHours) *chargestream.SessionEnd {
		return &chargestream.SessionEnd{StationID: "st-1", SessionID: "s-1", Time: at, Energy: v}
	}
	before := noon - chargestream.Day
	kafkatest.MustProduce(t, b,
		jsonRecord(t, topics.Stations, "st-1",
			chargestream.StationInfo{StationID: "st-1", TariffID: "t"}, before),
		jsonRecord(t, topics.Tariffs, "t", chargestream.TariffHistory{TariffID: "t",
			Versions: []chargestream.TariffVersion{{ValidFrom: before,
				Tariff: json.RawMessage(`{"currency":"EUR","elements":[{"price_components":[` +
					`{"type":"ENERGY","price":0.45,"vat":20,"step_size":1}]}]}`)}}}, before),
		eventRecord(t, topics.ChargingSessions, &chargestream.SessionStart{StationID: "st-1",
			ConnectorID: "1", SessionID: "s-1", UserID: "card-7", Time: noon}, noon),
		eventRecord(t, topics.ChargingSessions, end(noon+40*minute, &energy), noon+40*minute),
		eventRecord(t, topics.ChargingSessions, end(noon+40*minute, &other), noon+95*minute),
		eventRecord(t, topics.BillingDecisions, &chargestream.Decision{StationID: "st-1",
			DecisionID: "d-1", SessionID: "s-1", Time: noon + 200*minute, By: "Ada",
			Reason: "display", Action: chargestream.ActionCorrect,
			Correction: chargestream.Correction{Energy: &other}}, noon+200*minute))
	beat := eventRecord(t, topics.Heartbeats, &chargestream.Heartbeat{StationID: "st-1",
		Time: noon + 300*minute}, noon+300*minute)
	beat.Partition = (engine.PartitionOf("st-1", kafkatest.DefaultPartitions) + 1) %
		kafkatest.DefaultPartitions
	if err := kafkatest.ProduceAt(t.Context(), b.Addrs(), beat); err != nil {
		t.Fatal(err)
	}
}

// live runs the processors until they have read everything.
func live(t *testing.T, b kafkatest.Broker) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	running, stop := context.WithCancel(ctx)
	procs := processors.All(nil)
	ended := make(chan error, len(procs))
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	c := engine.Config{Brokers: b.Addrs(), StateDir: t.TempDir(), Instance: "a", IdleAfter: -1,
		SessionTimeout: time.Second, Log: log}
	for _, p := range procs {
		go func() { ended <- engine.Run(running, p, c) }()
	}
	err := engine.Quiet(ctx, b.Addrs(), 20*time.Millisecond, procs...)
	stop()
	for range procs {
		err = errors.Join(err, <-ended)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// verified is the report on what is live.
func verified(t *testing.T, b kafkatest.Broker) *Report {
	t.Helper()
	r, err := Run(t.Context(), Config{Client: connect(t, b), Brokers: b.Addrs(),
		Timeout: time.Minute, Verify: true})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestVerifyWorld: what the engine made of a world is what a replay makes of it.
func TestVerifyWorld(t *testing.T) {
	b := applied(t)
	produceWorld(t, b, 5_000)
	live(t, b)
	r := verified(t, b)
	if r.Verdict != VerdictSame || r.Compared < 100 || r.DocumentsCompared == 0 {
		t.Errorf("%+v", r)
	}
}

// TestVerifyFindsFaults plants one fault after the other in what is live, of a history that a
// replay finds to be the same before.
func TestVerifyFindsFaults(t *testing.T) {
	b := applied(t)
	produceHistory(t, b)
	live(t, b)
	clean := verified(t, b)
	// Two corrections, so three invoices and two credit notes.
	if clean.Verdict != VerdictSame || clean.Documents != 5 || clean.DocumentsCompared != 5 ||
		clean.Records[topics.Heartbeats] != 2 || clean.Rows[topics.TableSessions] != 1 {
		t.Fatalf("%+v", clean)
	}
	sent := kafkatest.MustReadAll(t, b, topics.Invoices, true)
	spoiled := bytes.Replace(sent[0].Value, []byte("EUR"), []byte("USD"), 1)
	key := processors.SessionKey("st-1", "s-1")
	row := lastRow(t, kafkatest.MustReadAll(t, b, topics.Table(topics.TableSessions), true), key)
	row.RevisionOffset++
	restated := row.Append(nil)
	row.LastStart++
	home := engine.PartitionOf("st-1", kafkatest.DefaultPartitions)
	station := kafkatest.Compacted(kafkatest.MustReadAll(t, b,
		topics.Table(topics.TableStations), true))["st-1"]
	for _, step := range []struct {
		topic, key             string
		partition              int32
		value                  []byte
		rows, documents, added int
	}{
		{topics.Invoices, string(sent[0].Key), sent[0].Partition, spoiled, 0, 1, 0},
		{topics.Invoices, string(sent[1].Key), sent[1].Partition, nil, 0, 2, 0},
		{topics.Invoices, "s-2-0123456789", 0, spoiled, 0, 3, 1},
		{topics.Table(topics.TableSessions), key, home, restated, 1, 3, 1},
		{topics.Table(topics.TableSessions), key, home, row.Append(nil), 1, 3, 1},
		{topics.Table(topics.TableHours), "st-1/1/2026-03-02T12:00:00Z", home, nil, 2, 3, 1},
		{topics.Table(topics.TableRegistry), "st-2", 0, []byte{1}, 3, 3, 1},
		{topics.Table(topics.TableStations), "st-1", home ^ 1, station, 4, 3, 1},
	} {
		err := kafkatest.ProduceAt(t.Context(), b.Addrs(), &kgo.Record{Topic: step.topic,
			Key: []byte(step.key), Value: step.value, Partition: step.partition})
		if err != nil {
			t.Fatal(err)
		}
		r := verified(t, b)
		named := strings.Join(slices.Concat(r.Different, r.DifferentDocuments), "\n")
		if r.Differences != step.rows || r.DocumentDifferences != step.documents ||
			len(r.Excused) > 0 || r.DocumentsCompared != 5+step.added ||
			r.Verdict != VerdictDiffers || !strings.Contains(named, step.key) {
			t.Errorf("%s %q: %d, %d differences of %d documents, excused %v: %s", step.topic,
				step.key, r.Differences, r.DocumentDifferences, r.DocumentsCompared, r.Excused,
				named)
		}
	}
}

// lastRow is the last row of a session in a topic.
func lastRow(t *testing.T, records []*kgo.Record, key string) *tables.Session {
	t.Helper()
	for _, r := range slices.Backward(records) {
		if string(r.Key) == key {
			row, err := tables.DecodeSession(r.Value)
			if err != nil {
				t.Fatal(err)
			}
			return row
		}
	}
	t.Fatalf("session %q has no row", key)
	return nil
}

// TestRunRefuses: a replay compares with tables that have caught up only, and wants topics with the
// same number of partitions.
func TestRunRefuses(t *testing.T) {
	b := applied(t)
	produceWorld(t, b, 10)
	_, err := Run(t.Context(), Config{Client: connect(t, b), Brokers: b.Addrs(),
		Timeout: time.Minute, Verify: true})
	var behind *BehindError
	if !errors.As(err, &behind) || behind.Records == 0 {
		t.Errorf("tables that are behind: %v", err)
	}
	kafkatest.MustTopics(t, b, kafkatest.Topic{Name: topics.MeterValues, Partitions: 3})
	_, err = Run(t.Context(), Config{Client: connect(t, b), Timeout: time.Minute})
	var other *PartitionsError
	if !errors.As(err, &other) || other.Topic != topics.MeterValues || other.Partitions != 3 ||
		other.Want != kafkatest.DefaultPartitions {
		t.Errorf("another number of partitions: %v", err)
	}
}

// TestVerifyAfterATariffGotAVersion: a version that is published after all was billed changes no
// row and no document, though a replay knows it from the start.
func TestVerifyAfterATariffGotAVersion(t *testing.T) {
	b := applied(t)
	produceHistory(t, b)
	live(t, b)
	before, later := noon-chargestream.Day, noon+400*chargestream.Minute
	version := func(from chargestream.Millis, price string) chargestream.TariffVersion {
		return chargestream.TariffVersion{ValidFrom: from, Tariff: json.RawMessage(
			`{"currency":"EUR","elements":[{"price_components":[{"type":"ENERGY","price":` +
				price + `,"vat":20,"step_size":1}]}]}`)}
	}
	kafkatest.MustProduce(t, b, jsonRecord(t, topics.Tariffs, "t", chargestream.TariffHistory{
		TariffID: "t", Versions: []chargestream.TariffVersion{version(before, "0.45"),
			version(later, "0.55")}}, later))
	live(t, b)
	if r := verified(t, b); r.Verdict != VerdictSame || r.Documents != 5 {
		t.Errorf("%+v", r)
	}
}
