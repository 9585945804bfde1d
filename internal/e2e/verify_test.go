package e2e_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
	"chargestream/ingest"
	"chargestream/internal/e2e"
	"chargestream/internal/kafkatest"
	"chargestream/internal/sim"
	"chargestream/processors"
	"chargestream/replay"
	"chargestream/topics"
)

// partitions is how many every topic of these tests has.
const partitions = 4

// findingsShown bounds how many findings of one check are printed.
const findingsShown = 10

// fleet is what an instance runs: the application, or, audited, also what a checker needs.
func fleet(audited bool) []*engine.Processor {
	if audited {
		return e2e.Fleet(partitions)
	}
	return processors.All(nil)
}

// makeAuditedTopics makes the topics of an audited fleet. What it writes is not compacted while a
// test runs, as every record of it is compared.
func makeAuditedTopics(t *testing.T, b kafkatest.Broker) {
	t.Helper()
	makeTopics(t, b)
	keep := map[string]string{"retention.ms": "-1"}
	var list []kafkatest.Topic
	for _, name := range append(e2e.Topics(), e2e.Outputs()...) {
		topic := kafkatest.Topic{Name: name, Partitions: partitions, Config: keep}
		if name == topics.Table(e2e.CountGroup) {
			topic = kafkatest.CompactedTopic(name)
		}
		list = append(list, topic)
	}
	for _, name := range tableNames() {
		list = append(list, kafkatest.Topic{Name: topics.Table(name), Partitions: partitions,
			Config: map[string]string{"cleanup.policy": "compact",
				"min.compaction.lag.ms": "86400000"}})
	}
	kafkatest.MustTopics(t, b, list...)
}

// referenceOf are the registry and the tariffs of a world that begins, as records.
func referenceOf(t *testing.T, w *sim.World) []ingest.Record {
	t.Helper()
	var list []ingest.Record
	add := func(topic, key string, value any) {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, ingest.Record{Topic: topic, Key: key, Value: text, Arrival: w.Now()})
	}
	for _, s := range w.Stations() {
		add(topics.Stations, string(s.StationID), s)
	}
	for _, tariff := range w.Tariffs() {
		add(topics.Tariffs, string(tariff.TariffID), tariff)
	}
	return list
}

// journalOf is a journal and the reference data for it, which the stray stations are in too.
func journalOf(t *testing.T, c e2e.JournalConfig) (*e2e.Journal, []ingest.Record) {
	t.Helper()
	j, err := e2e.NewJournal(c)
	if err != nil {
		t.Fatal(err)
	}
	world := sim.New(c.World())
	reference := referenceOf(t, world)
	for _, id := range j.Stray {
		info := world.Stations()[0]
		info.StationID = id
		text, err := json.Marshal(info)
		if err != nil {
			t.Fatal(err)
		}
		reference = append(reference, ingest.Record{Topic: topics.Stations, Key: string(id),
			Value: text, Arrival: world.Now()})
	}
	return j, reference
}

// readLog reads everything that a checker needs, as a reader of committed records sees it.
func readLog(t *testing.T, b kafkatest.Broker) e2e.Log {
	t.Helper()
	names := e2e.Topics()
	for _, topic := range topics.All() {
		names = append(names, topic.Name)
	}
	log := e2e.Log{}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for _, name := range names {
		records, err := kafkatest.ReadAll(ctx, b.Addrs(), name, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			at := e2e.Place{Topic: r.Topic, Partition: r.Partition}
			log[at] = append(log[at], plainRecord(r))
		}
	}
	return log
}

func plainRecord(r *kgo.Record) e2e.Record {
	return e2e.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset,
		Key: string(r.Key), HasKey: r.Key != nil, Value: r.Value,
		Timestamp: r.Timestamp.UnixMilli(), Headers: engine.HeadersOf(r)}
}

// verify compares everything that is on a broker with a journal.
func verify(t *testing.T, b kafkatest.Broker, j *e2e.Journal,
	reference []ingest.Record) *e2e.Report {
	t.Helper()
	check := e2e.Verify
	if !b.Real() {
		check = e2e.VerifyCompacted // the fake broker knows no min.compaction.lag.ms
	}
	r, err := check(j, reference, readLog(t, b), partitions)
	if err != nil {
		t.Fatal(err)
	}
	if failed := r.Failed(findingsShown); failed != "" {
		t.Error(failed)
	}
	verifyReplay(t, b)
	logReport(t, r)
	return r
}

// verifyReplay checks that a replay finds nothing that differs and must not, and prints what it
// excuses.
func verifyReplay(t *testing.T, b kafkatest.Broker) {
	t.Helper()
	client, err := kgo.NewClient(append(replay.Options(), kgo.SeedBrokers(b.Addrs()...))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	r, err := replay.Run(t.Context(), replay.Config{Client: client, Brokers: b.Addrs(),
		Timeout: time.Minute, Verify: true})
	if err != nil {
		t.Fatal(err)
	}
	if problems := r.Problems(); problems != "" || r.Compared == 0 {
		t.Errorf("replay: %s\n%q\n%q", problems, r.Different, r.DifferentDocuments)
	}
	t.Logf("replay: %d rows, %d documents: %s, excused %v", r.Compared, r.DocumentsCompared,
		r.Verdict, r.Excused)
}

// logReport prints what was compared, and what became of the records of each input topic.
func logReport(t *testing.T, r *e2e.Report) {
	t.Helper()
	t.Logf("%-20s %9s", "topic", "records")
	for _, topic := range append(e2e.Outputs(), e2e.CountOutput) {
		t.Logf("%-20s %9d", topic, r.Records[topic])
	}
	for _, name := range tableNames() {
		t.Logf("%-20s %9d", topics.Table(name), r.Records[topics.Table(name)])
	}
	t.Logf("%-20s %9s %9s %9s", "group", "tasks", "commits", "fired")
	for _, group := range slices.Sorted(maps.Keys(r.Work)) {
		w := r.Work[group]
		t.Logf("%-20s %9d %9d %9d", group, w.Tasks, w.Commits, w.Fired)
	}
	totals := map[string]*e2e.Account{}
	for at, a := range r.Accounts {
		if totals[at.Topic] == nil {
			totals[at.Topic] = &e2e.Account{}
		}
		totals[at.Topic].Add(a)
	}
	t.Logf("%-20s %9s = %9s + %9s + %6s + %6s (%s)", "input", "acked", "applied", "duplicate",
		"late", "dead", "misplaced")
	for _, topic := range slices.Sorted(maps.Keys(totals)) {
		a := totals[topic]
		t.Logf("%-20s %9d = %9d + %9d + %6d + %6d (%d)", topic, a.Acked, a.Applied, a.Duplicate,
			a.Late, a.Dead, a.Astray)
	}
}
