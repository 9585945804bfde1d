package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/topics"
)

const smallMap = `
sessions:
  session_id:   {column: id}
  station_id:   {column: station}
  user_id:      {column: user}
  start_time:   {column: start, format: rfc3339}
  end_time:     {column: end, format: rfc3339}
  energy_kwh:   {column: kwh}
  arrival_time: {column: stored, format: rfc3339}
stations:
  station_id: {column: station}
`

const smallFile = `id,station,user,start,end,kwh,stored
a,S1,u1,2024-01-01T09:00:00Z,2024-01-01T10:00:00Z,1.5,2024-01-01T09:00:01Z
b,S2,u2,2024-01-01T09:30:00Z,,,2024-01-01T09:30:01Z
`

const smallTariffs = `{"tariff_id": "day", "versions": [{"valid_from": "2024-01-01T00:00:00Z",
 "tariff": {"currency": "EUR", "elements": [{"price_components": [
 {"type": "FLAT", "price": 1, "vat": 20}]}]}}]}`

// answerOf reads what import printed.
func answerOf(t *testing.T, r result) importAnswer {
	t.Helper()
	var answer importAnswer
	if err := json.Unmarshal([]byte(r.stdout), &answer); err != nil {
		t.Fatalf("%s: %v", r.stdout, err)
	}
	return answer
}

// consume reads a topic to its end.
func consume(t *testing.T, brokers []string, topic string) []*kgo.Record {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	var total int64
	ends.Each(func(o kadm.ListedOffset) { total += o.Offset })
	var records []*kgo.Record
	for int64(len(records)) < total {
		fetches := client.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		records = append(records, fetches.Records()...)
	}
	slices.SortFunc(records, func(a, b *kgo.Record) int {
		if a.Partition != b.Partition {
			return int(a.Partition - b.Partition)
		}
		return int(a.Offset - b.Offset)
	})
	return records
}

// texts are records without their places.
func texts(records []*kgo.Record) []string {
	list := make([]string, len(records))
	for i, r := range records {
		list[i] = string(r.Key) + " " + headerOf(r, topics.HeaderArrival) + " " + string(r.Value)
	}
	return list
}

func TestImportDryRun(t *testing.T) {
	columns, file := write(t, "map.yaml", smallMap), write(t, "s.csv", smallFile)
	tariffs := write(t, "tariffs.json", smallTariffs)
	got := run(t, nil, "import", file, "--map", columns, "--tariffs", tariffs, "--dry-run",
		"-o", "json")
	got.want(t, exitOK, "", "")
	answer := answerOf(t, got)
	first, summary := answer.First, answer.Summary
	answer.First, answer.Summary = nil, nil
	if summary == nil || summary.EnergyWh != 1500 || summary.Users != 2 ||
		summary.WithoutEnd != 1 || len(summary.Longest) != 1 ||
		summary.Longest[0].Duration != "1:00:00" {
		t.Errorf("summary %+v", summary)
	}
	want := importAnswer{Sessions: 2, Starts: 2, Ends: 1, Stations: 2, Tariffs: 1, DryRun: true,
		Produced: map[string]int{topics.Stations: 2, topics.Tariffs: 1, topics.ChargingSessions: 3}}
	if diff := cmp.Diff(want, answer); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	if len(first) != 6 || first[3].Topic != topics.ChargingSessions || first[3].Key != "S1" ||
		first[3].Arrival != "2024-01-01T09:00:01Z" {
		t.Errorf("first records %+v", first)
	}
	only := answerOf(t,
		run(t, nil, "import", file, "--map", columns, "--stations-only", "--dry-run", "-o", "json"))
	if diff := cmp.Diff(map[string]int{topics.Stations: 2}, only.Produced); diff != "" {
		t.Errorf("stations only (-want +got):\n%s", diff)
	}
}

// TestImportDryRunToRead: a person sees the same, fitted to the terminal, the warnings last.
func TestImportDryRunToRead(t *testing.T) {
	columns, file := write(t, "map.yaml", smallMap), write(t, "s.csv", smallFile+"c,S1\n")
	tariffs := write(t, "tariffs.json", smallTariffs)
	args := []string{"import", file, "--map", columns, "--tariffs", tariffs, "--dry-run"}
	got := run(t, map[string]string{"COLUMNS": "60"}, args...)
	got.want(t, exitInvalid, `sessions  2, 1 of them with an end; nothing is written
bad rows  1, which cannot be read and are in nothing else here
times     2024-01-01T09:00:00Z to 2024-01-01T10:00:00Z
energy    1.500 kWh, 0.000 kWh of it in sessions without an end
users     2
stations  2, with 2 connectors
would be  3 records to charging-sessions, 2 records to stations, 1 record to tariffs

longest
LINE  SESSION  STATION  START                 DURATION  ENERGY
2     a        S1       2024-01-01T09:00:00Z  1:00:00   1.500 kWh

largest
`, "1 of 3 rows cannot be read, nothing was produced")
	if !strings.HasSuffix(got.stdout, "\nwarnings\n  - sessions without energy, or with zero: 1, "+
		"the first in line 3\n  - sessions without an end: 1; they are billed only when one is "+
		"sent\n") || !strings.Contains(got.stdout, "FIRST RECORD\n") {
		t.Errorf("%s", got.stdout)
	}
	for _, line := range strings.Split(got.stdout, "\n") {
		if strings.Contains(line, "{") && len([]rune(line)) > 60 {
			t.Errorf("%q is wider than the terminal", line)
		}
	}
	if got := run(t, nil, append(args, "--skip-bad")...); got.code != exitOK {
		t.Errorf("with --skip-bad: %+v", got)
	}
}

func TestImportRefuses(t *testing.T) {
	columns, file := write(t, "map.yaml", smallMap), write(t, "s.csv", smallFile)
	bad := write(t, "bad.csv", smallFile+"c,S1\nd,S1,u1,now,,,\n")
	_, brokers := broker(t)
	for name, tc := range map[string]struct {
		args   []string
		code   int
		stderr string
	}{
		"bad rows": {[]string{bad, "--map", columns}, exitInvalid,
			"bad.csv:4: wrong number of fields"},
		"bad rows in all": {[]string{bad, "--map", columns}, exitInvalid,
			"2 of 4 rows cannot be read, nothing was produced"},
		"no file":   {[]string{file + "x", "--map", columns}, exitNotFound, "s.csvx"},
		"no map":    {[]string{file, "--map", columns + "x"}, exitNotFound, "map.yamlx"},
		"bad map":   {[]string{file, "--map", file}, exitInvalid, "column map"},
		"other map": {[]string{columns, "--map", columns}, exitInvalid, "has no column id"},
		"bad tariffs": {[]string{file, "--map", columns, "--tariffs", file}, exitInvalid,
			"file of tariffs"},
		"bad seed": {[]string{file, "--map", columns, "--shuffle", "x"}, exitUsage,
			`--shuffle "x"`},
		"bad offset": {[]string{file, "--map", columns, "--offset", "-1"}, exitUsage, "--offset"},
		"no topics": {[]string{file, "--map", columns}, exitNotFound,
			"the cluster has no topic stations, charging-sessions"},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, nil, append([]string{"import", brokers}, tc.args...)...).
				want(t, tc.code, "", tc.stderr)
		})
	}
	skipped := run(t, nil, "import", bad, "--map", columns, "--skip-bad", "--dry-run", "-o", "json")
	if answer := answerOf(t, skipped); skipped.code != exitOK || answer.Skipped != 2 ||
		answer.Sessions != 2 {
		t.Errorf("exit code %d, %+v", skipped.code, answer)
	}
}

func TestImportProduces(t *testing.T) {
	columns, file := write(t, "map.yaml", smallMap), write(t, "s.csv", smallFile)
	tariffs := write(t, "tariffs.json", smallTariffs)
	b, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "", "")
	args := []string{"import", file, "--map", columns, "--tariffs", tariffs, brokers}
	got := run(t, nil, append(args, "-o", "json")...)
	got.want(t, exitOK, "", "")
	want := importAnswer{Sessions: 2, Starts: 2, Ends: 1, Stations: 2, Tariffs: 1,
		Produced: map[string]int{topics.Stations: 2, topics.Tariffs: 1, topics.ChargingSessions: 3}}
	if diff := cmp.Diff(want, answerOf(t, got)); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	sessions := consume(t, b.Addrs(), topics.ChargingSessions)
	var start string
	for _, r := range sessions {
		// What Kafka's own clients reckon for these keys with four partitions.
		place := map[string]int32{"S1": 3, "S2": 0}[string(r.Key)]
		if r.Partition != place {
			t.Errorf("key %s lies in partition %d, want %d", r.Key, r.Partition, place)
		}
		if strings.Contains(string(r.Value), `"session_end"`) {
			if start == "" || headerOf(r, topics.HeaderArrival) != "2024-01-01T10:00:00Z" {
				t.Errorf("end %s, behind start %q", texts([]*kgo.Record{r}), start)
			}
		} else if string(r.Key) == "S1" {
			start = string(r.Value)
		}
	}
	for topic, count := range want.Produced {
		records := consume(t, b.Addrs(), topic)
		if len(records) != count {
			t.Errorf("%s holds %d records, want %d", topic, len(records), count)
		}
		for _, r := range records {
			arrival := headerOf(r, topics.HeaderArrival)
			// Reference data was known a day before the first event of the file arrived.
			before := "2023-12-31T09:00:01Z"
			if arrival == "" || topic != topics.ChargingSessions && arrival != before {
				t.Errorf("%s: arrival-time %q, want %q", topic, arrival, before)
			}
		}
	}
}

// TestImportInRuns imports in cuts, twice and shuffled, what one run imports at once.
func TestImportInRuns(t *testing.T) {
	columns, file := write(t, "map.yaml", smallMap), write(t, "s.csv", smallFile)
	b, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "", "")
	args := []string{"import", file, "--map", columns, brokers}
	run(t, nil, args...).want(t, exitOK,
		"imported 2 sessions: 3 records to charging-sessions, 2 records to stations\n", "")
	once := texts(consume(t, b.Addrs(), topics.ChargingSessions))
	for _, cut := range [][]string{{"--limit", "4"}, {"--offset", "4"}} {
		run(t, nil, append(append(args, "--duplicate", "--shuffle", "7"), cut...)...).
			want(t, exitOK, "", "")
	}
	want := slices.Concat(once, once, once)
	slices.Sort(want)
	all := texts(consume(t, b.Addrs(), topics.ChargingSessions))
	slices.Sort(all)
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestImportParis(t *testing.T) {
	root := filepath.Join("..", "..")
	file := filepath.Join(root, "..", "shared", "data", "belib-paris-2017",
		"sessions_joined_arrival_order.csv")
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("real data is absent: %s", file)
	}
	_, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "", "")
	got := run(t, nil, "import", file, brokers, "-o", "json",
		"--map", filepath.Join(root, "examples", "belib-paris-2017.yaml"),
		"--tariffs", filepath.Join(root, "examples", "belib-paris-2017-tariffs.json"))
	got.want(t, exitOK, "", "")
	t.Logf("imported real sessions from %s: %s", file, got.stdout)
	want := importAnswer{Sessions: 6808, Starts: 6808, Ends: 6804, Stations: 36, Tariffs: 1,
		Produced: map[string]int{topics.Stations: 36, topics.Tariffs: 1,
			topics.ChargingSessions: 13612}}
	if diff := cmp.Diff(want, answerOf(t, got)); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

// TestImportOfTheExample holds what the README shows, with the sum that the file was made with.
func TestImportOfTheExample(t *testing.T) {
	dir := filepath.Join("..", "..", "examples")
	file := filepath.Join(dir, "depot.csv")
	got := run(t, nil, "import", file, "--map", filepath.Join(dir, "depot.yaml"), "--tariffs",
		filepath.Join(dir, "depot-tariffs.json"), "--dry-run", "-o", "json")
	got.want(t, exitOK, "", "")
	answer := answerOf(t, got)
	if answer.Sessions != 24 || answer.Ends != 24 || answer.Summary.EnergyWh != 329118 ||
		len(answer.Summary.Warnings) > 0 || len(answer.Summary.Longest) != 10 {
		t.Errorf("answer %+v, summary %+v", answer, answer.Summary)
	}
	guess := run(t, nil, "import", "--guess", file)
	guess.want(t, exitOK, "# 24 of 24 rows can be read", "")
	columns := write(t, "guess.yaml", guess.stdout)
	again := run(t, nil, "import", file, "--map", columns, "--dry-run", "-o", "json")
	if answer := answerOf(t, again); answer.Summary.EnergyWh != 329118 {
		t.Errorf("by the guess %+v", answer.Summary)
	}
	run(t, nil, "import", "--guess", write(t, "none.csv", "x")).want(t, exitInvalid, "",
		"no delimiter")
}

// TestImportOfTheFuture: a time that is yet to come is refused, as its arrival would make all late
// that comes until then.
func TestImportOfTheFuture(t *testing.T) {
	columns := write(t, "map.yaml", smallMap)
	for name, row := range map[string]string{
		"start_time":   "c,S1,u1,2190-01-01T09:00:00Z,,,2024-01-01T09:00:01Z\n",
		"end_time":     "c,S1,u1,2024-01-01T09:00:00Z,9999-12-31T00:00:00Z,,2024-01-01T09:00:01Z\n",
		"arrival_time": "c,S1,u1,2024-01-01T09:00:00Z,,,2190-01-01T09:00:00Z\n",
	} {
		file := write(t, "s.csv", smallFile+row)
		run(t, nil, "import", file, "--map", columns, "--dry-run").
			want(t, exitInvalid, "", ":4: "+name)
		got := run(t, nil, "import", file, "--map", columns, "--dry-run", "--skip-bad", "-o",
			"json")
		if answer := answerOf(t, got); answer.Skipped != 1 || answer.Summary.WithoutEnd != 1 ||
			!strings.Contains(got.stderr, " lies in the future: a time up to now is taken; ") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestImportTellsRepeatedIDs(t *testing.T) {
	columns := write(t, "map.yaml", smallMap)
	file := write(t, "s.csv", smallFile+
		"a,S1,u1,2024-01-01T09:00:00Z,2024-01-01T10:00:00Z,1.5,2024-01-01T09:00:01Z\n"+
		"a,S1,u1,2024-01-01T11:00:00Z,,,2024-01-01T11:00:01Z\n")
	got := run(t, nil, "import", file, "--map", columns, "--dry-run", "-o", "json")
	for _, want := range []string{
		`s.csv:4: session_id "a" of station "S1" was in line 2 before, with the same values`,
		`s.csv:5: session_id "a" of station "S1" was in line 2 before, with other values`} {
		if got.code != exitOK || !strings.Contains(got.stderr, want) {
			t.Errorf("%d, %s, want %s", got.code, got.stderr, want)
		}
	}
	if answer := answerOf(t, got); answer.Repeated != 2 {
		t.Errorf("answer %+v", answer)
	}
}
