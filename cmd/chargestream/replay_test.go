package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/codecs"
	"chargestream/internal/engine"
	"chargestream/internal/kafkatest"
	"chargestream/processors"
	"chargestream/tables"
	"chargestream/topics"
)

// TestReplayInputs: what stations, operators, clerks and clocks write, in the order in which the
// processors take equal arrival times.
func TestReplayInputs(t *testing.T) {
	reference, merged := replayInputs(processors.All(nil))
	if diff := cmp.Diff([]string{topics.Stations, topics.Tariffs}, reference); diff != "" {
		t.Errorf("reference data (-want +got):\n%s", diff)
	}
	want := []string{topics.ChargingSessions, topics.StationStatus, topics.MeterValues,
		topics.Heartbeats, topics.BillingDecisions, topics.Clock(topics.GroupStations),
		topics.Clock(topics.GroupHours)}
	if diff := cmp.Diff(want, merged); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
}

// sentHistory is what a topic of two partitions may have of two sessions: s-1 was billed, credited
// and billed again.
func sentHistory(t *testing.T) []*kgo.Record {
	t.Helper()
	var list []*kgo.Record
	history := billedHistory()
	for i, v := range []chargestream.Invoice{history[0], history[3], history[1], history[2]} {
		value, err := json.Marshal(&v)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, &kgo.Record{Key: []byte(v.InvoiceID), Value: value,
			Partition: int32(i % 2), Offset: int64(i)})
	}
	return list
}

func sentBy(list []*kgo.Record) *sentDocuments {
	d := newSentDocuments()
	for _, r := range list {
		d.add(string(r.Key), r.Value, r.Partition, r.Offset)
	}
	return d
}

func TestCompareDocuments(t *testing.T) {
	const first, note, other = "s-1-0123456789", "s-1-0123456789-credit", "s-1-x-0123456789"
	for name, tc := range map[string]struct {
		change func(replayed, live []*kgo.Record) ([]*kgo.Record, []*kgo.Record)
		want   []string
	}{
		"the same": {func(a, b []*kgo.Record) ([]*kgo.Record, []*kgo.Record) { return a, b }, nil},
		"missing": {func(a, b []*kgo.Record) ([]*kgo.Record, []*kgo.Record) { return a, b[1:] },
			[]string{`"` + first + `": replayed, and not live`}},
		"taken out": {func(a, b []*kgo.Record) ([]*kgo.Record, []*kgo.Record) {
			return a, append(b, &kgo.Record{Key: []byte(note)})
		}, []string{`"` + note + `": replayed, and not live`}},
		"extra": {func(a, b []*kgo.Record) ([]*kgo.Record, []*kgo.Record) {
			return slices.Delete(a, 1, 2), b
		}, []string{`"` + other + `": live, and not replayed`}},
		"bytes": {func(a, b []*kgo.Record) ([]*kgo.Record, []*kgo.Record) {
			b[0].Value = append(bytes.Clone(b[0].Value), ' ')
			return a, b
		}, []string{`"` + first + `": says something else live`}},
		"no invoice": {func(a, b []*kgo.Record) ([]*kgo.Record, []*kgo.Record) {
			return a, append(b, &kgo.Record{Value: []byte("{")})
		}, []string{`"": live, and not replayed`}},
		"replayed twice": {func(a, b []*kgo.Record) ([]*kgo.Record, []*kgo.Record) {
			return append(a, a[1]), b
		}, []string{`"` + other + `": replayed 2 times`}},
		"live twice": {func(a, b []*kgo.Record) ([]*kgo.Record, []*kgo.Record) {
			again := *b[1]
			again.Offset = 9
			return a, append(b, &again)
		}, nil},
		"order of the replay": {func(a, b []*kgo.Record) ([]*kgo.Record, []*kgo.Record) {
			a[2], a[3] = a[3], a[2]
			return a, b
		}, []string{`of session "s-1": sent in another order, first seen at "` + note + `"`}},
		"order of a partition": {func(a, b []*kgo.Record) ([]*kgo.Record, []*kgo.Record) {
			b[0].Offset = 8
			return a, b
		}, []string{`of session "s-1": sent in another order, first seen at "` + note + `"`}},
		"order between partitions": {func(a, b []*kgo.Record) ([]*kgo.Record, []*kgo.Record) {
			b[0].Partition, b[0].Offset = 1, 8
			b[3].Partition = 0
			return a, b
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			replayed, live := tc.change(sentHistory(t), sentHistory(t))
			var r replayReport
			r.compareDocuments(sentBy(replayed), sentBy(live))
			var want []string
			for _, text := range tc.want {
				want = append(want, topics.Invoices+" "+text)
			}
			if diff := cmp.Diff(want, r.DifferentDocuments); diff != "" {
				t.Errorf("differences (-want +got):\n%s", diff)
			}
			if r.DocumentDifferences != len(want) || r.DocumentsCompared < 4 {
				t.Errorf("%d differences of %d", r.DocumentDifferences, r.DocumentsCompared)
			}
		})
	}
}

// TestDifferencesAreTold: all are counted, and as many as can be read are told.
func TestDifferencesAreTold(t *testing.T) {
	replayed := newSentDocuments()
	rows := map[string][]byte{}
	for i := range differencesTold + 5 {
		key := string(rune('a' + i))
		replayed.add(key, []byte("{}"), 0, int64(i))
		rows[key] = []byte{1}
	}
	var r replayReport
	r.compareDocuments(replayed, newSentDocuments())
	r.compareRows(topics.GroupHours, rows, nil)
	if n := differencesTold + 5; r.DocumentDifferences != n || r.Differences != n ||
		len(r.DifferentDocuments) != differencesTold || len(r.Different) != differencesTold {
		t.Errorf("%+v", r)
	}
}

func TestRestatedRows(t *testing.T) {
	row := func(shift int, heard chargestream.Millis) []byte {
		s := &tables.Session{StationID: "st-1", Heard: heard, Shift: shift}
		return s.Append(nil)
	}
	for name, tc := range map[string]struct {
		group                 string
		replayed, live        []byte
		differences, restated int
	}{
		"the same":     {topics.GroupSessions, row(1, noon), row(1, noon), 0, 0},
		"live":         {topics.GroupSessions, row(0, noon), row(2, noon), 0, 1},
		"in a replay":  {topics.GroupSessions, row(1, noon), row(0, noon), 0, 1},
		"facts too":    {topics.GroupSessions, row(0, noon), row(1, noon+1), 1, 0},
		"facts":        {topics.GroupSessions, row(0, noon), row(0, noon+1), 1, 0},
		"no row":       {topics.GroupSessions, row(0, noon), []byte("S"), 1, 0},
		"none":         {topics.GroupSessions, row(0, noon), nil, 1, 0},
		"other tables": {topics.GroupHours, row(0, noon), row(1, noon), 1, 0},
	} {
		var r replayReport
		r.compareRows(
			tc.group,
			map[string][]byte{"s": tc.replayed},
			map[string][]byte{"s": tc.live},
		)
		if r.Compared != 1 || r.Differences != tc.differences || r.Restated != tc.restated ||
			len(r.RestatedSessions) != tc.restated {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestReadAhead: what is rebuilt does not hang on how much is read ahead, even if that is a batch.
func TestReadAhead(t *testing.T) {
	_, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "done", "")
	run(t, nil, "simulate", brokers, "--events", "20000", "--faults", "default").
		want(t, exitOK, "20000", "")
	var reports []string
	for _, limit := range []int{mergeBytesMax, 0} {
		var out bytes.Buffer
		a := &app{stdout: &out, brokers: strings.Split(strings.TrimPrefix(brokers, "--brokers="),
			","), timeout: timeoutDefault}
		r, err := a.newReplay(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		defer r.client.Close()
		r.limit = limit
		r.client.UpdateFetchMaxBytes(1<<10, 1<<10) // a batch at a time
		if err := r.prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := r.rebuild(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := r.compare(t.Context()); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(&r.report)
		if err != nil {
			t.Fatal(err)
		}
		reports = append(reports, string(text))
	}
	if reports[0] != reports[1] || strings.Contains(reports[0], `"documents":0`) {
		t.Errorf("read ahead: %s\nnot: %s", reports[0], reports[1])
	}
}

// producedHistory is a session that is billed, then contradicted by an end that came late, and then
// decided about. The events lie in the order of their arrival, but for one that was led home.
func producedHistory(t *testing.T, b kafkatest.Broker) {
	t.Helper()
	produceReference(t, b)
	const minute = chargestream.Minute
	energy, other := chargestream.WattHours(10_000), chargestream.WattHours(12_000)
	end := func(at chargestream.Millis, v *chargestream.WattHours) *chargestream.SessionEnd {
		return &chargestream.SessionEnd{StationID: "st-1", SessionID: "s-1", Time: at, Energy: v}
	}
	event := func(topic string, e chargestream.Event, arrival chargestream.Millis) *kgo.Record {
		value, err := codecs.EncodeEvent(e)
		if err != nil {
			t.Fatal(err)
		}
		return &kgo.Record{Topic: topic, Key: []byte(e.Station()), Value: value,
			Headers: arrivalHeaders(arrival)}
	}
	kafkatest.MustProduce(t, b,
		event(topics.ChargingSessions, &chargestream.SessionStart{StationID: "st-1",
			ConnectorID: "1", SessionID: "s-1", UserID: "card-7", Time: noon}, noon),
		event(topics.ChargingSessions, end(noon+40*minute, &energy), noon+40*minute),
		event(topics.ChargingSessions, end(noon+40*minute, &other), noon+95*minute),
		event(topics.BillingDecisions, &chargestream.Decision{StationID: "st-1",
			DecisionID: "d-1", SessionID: "s-1", Time: noon + 200*minute, By: "Ada",
			Reason: "display", Action: chargestream.ActionCorrect,
			Correction: chargestream.Correction{Energy: &other}}, noon+200*minute))
	beat := event(topics.Heartbeats, &chargestream.Heartbeat{StationID: "st-1",
		Time: noon + 300*minute}, noon+300*minute)
	beat.Partition = (engine.PartitionOf("st-1", kafkatest.DefaultPartitions) + 1) %
		kafkatest.DefaultPartitions
	if err := kafkatest.ProduceAt(t.Context(), b.Addrs(), beat); err != nil {
		t.Fatal(err)
	}
}

func arrivalHeaders(at chargestream.Millis) []kgo.RecordHeader {
	return []kgo.RecordHeader{{Key: topics.HeaderArrival, Value: []byte(at.String())}}
}

// produceReference writes the registry and the tariff of one station.
func produceReference(t *testing.T, b kafkatest.Broker) {
	t.Helper()
	for _, r := range []struct {
		topic, key string
		value      any
	}{
		{topics.Stations, "st-1", chargestream.StationInfo{StationID: "st-1", TariffID: "t"}},
		{topics.Tariffs, "t", chargestream.TariffHistory{TariffID: "t",
			Versions: []chargestream.TariffVersion{{ValidFrom: noon - chargestream.Day,
				Tariff: json.RawMessage(`{"currency":"EUR","elements":[{"price_components":[` +
					`{"type":"ENERGY","price":0.45,"vat":20,"step_size":1}]}]}`)}}}},
	} {
		value, err := json.Marshal(r.value)
		if err != nil {
			t.Fatal(err)
		}
		kafkatest.MustProduce(t, b, &kgo.Record{Topic: r.topic, Key: []byte(r.key), Value: value,
			Headers: arrivalHeaders(noon - chargestream.Day)})
	}
}

// TestMisplacedRecordsAreLedHome: one that lies in another partition than its key's is counted, and
// folded where its copy lies.
func TestMisplacedRecordsAreLedHome(t *testing.T) {
	procs := processors.All(nil)
	driver, err := engine.NewDriver(2, procs...)
	if err != nil {
		t.Fatal(err)
	}
	r := &replay{procs: procs, driver: driver, partitions: 2,
		report: replayReport{Records: map[string]int64{}}}
	value, err := codecs.EncodeEvent(&chargestream.Heartbeat{StationID: "st-1", Time: noon})
	if err != nil {
		t.Fatal(err)
	}
	home := engine.PartitionOf("st-1", 2)
	for i, partition := range []int32{1 - home, home} {
		err := r.feed(engine.Message{Topic: topics.Heartbeats, Partition: partition, Key: "st-1",
			HasKey: true, Value: value, Arrival: int64(noon), Timestamp: int64(noon)})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(driver.Rows(topics.GroupStations)); n != i ||
			r.report.Records[topics.Heartbeats] != int64(i+1) {
			t.Errorf("partition %d: %d rows, %v records", partition, n, r.report.Records)
		}
	}
}

// replayed runs replay --verify and reads its report.
func replayed(t *testing.T, brokers string, code int) replayReport {
	t.Helper()
	got := run(t, nil, "replay", "--verify", brokers)
	if got.code != code {
		t.Fatalf("exit code %d, want %d\n%s%s", got.code, code, got.stdout, got.stderr)
	}
	var r replayReport
	if err := json.Unmarshal([]byte(got.stdout), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestReplayFindsFaults plants one fault after the other in what is live, of a history that a
// replay finds to be the same before.
func TestReplayFindsFaults(t *testing.T) {
	b, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "done", "")
	producedHistory(t, b)
	run(t, nil, "run", brokers, "--state-dir", filepath.Join(t.TempDir(), "state"),
		"--until-caught-up")
	clean := replayed(t, brokers, exitOK)
	// Two corrections, so three invoices and two credit notes.
	if clean.Documents != 5 || clean.DocumentsCompared != 5 || clean.Restated != 0 ||
		clean.Records[topics.Heartbeats] != 2 || clean.Rows[topics.GroupSessions] != 1 {
		t.Fatalf("%+v", clean)
	}
	live := kafkatest.MustReadAll(t, b, topics.Invoices, true)
	spoiled := bytes.Replace(live[0].Value, []byte("EUR"), []byte("USD"), 1)
	rows := kafkatest.MustReadAll(t, b, topics.Table(topics.GroupSessions), true)
	row := lastRow(t, rows, "s-1")
	row.Shift++
	shifted := row.Append(nil)
	row.Heard++
	for _, step := range []struct {
		topic, key                       string
		value                            []byte
		rows, documents, restated, added int
	}{
		{topics.Invoices, string(live[0].Key), spoiled, 0, 1, 0, 0},
		{topics.Invoices, string(live[1].Key), nil, 0, 2, 0, 0},
		{topics.Invoices, "s-2-0123456789", spoiled, 0, 3, 0, 1},
		{topics.Table(topics.GroupSessions), "s-1", shifted, 0, 3, 1, 1},
		{topics.Table(topics.GroupSessions), "s-1", row.Append(nil), 1, 3, 0, 1},
	} {
		kafkatest.MustProduce(t, b, &kgo.Record{Topic: step.topic, Key: []byte(step.key),
			Value: step.value})
		r := replayed(t, brokers, exitProblems)
		told := strings.Join(slices.Concat(r.Different, r.DifferentDocuments, r.RestatedSessions),
			"\n")
		if r.Differences != step.rows || r.DocumentDifferences != step.documents ||
			r.Restated != step.restated || r.DocumentsCompared != 5+step.added ||
			!strings.Contains(told, step.key) {
			t.Errorf("%s %q: %+v", step.topic, step.key, r)
		}
	}
}

// lastRow is the last row of a session in a topic.
func lastRow(t *testing.T, records []*kgo.Record, id string) *tables.Session {
	t.Helper()
	for _, r := range slices.Backward(records) {
		if string(r.Key) == id {
			row, err := tables.DecodeSession(r.Value)
			if err != nil {
				t.Fatal(err)
			}
			return row
		}
	}
	t.Fatalf("session %q has no row", id)
	return nil
}
