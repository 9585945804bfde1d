package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chargestream/engine"
	"chargestream/internal/kafkatest"
	"chargestream/topics"
)

// ocpi is an OCPI tariff as a platform gives it.
const ocpi = `{"id":"city-ac","currency":"EUR","start_date_time":"2026-01-01T00:00:00Z",
 "elements":[{"price_components":[{"type":"ENERGY","price":0.45,"vat":20.0,"step_size":1}]}]}`

func TestSend(t *testing.T) {
	b, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "", "")
	now := time.Now().UTC().Format(time.RFC3339)
	good := []string{
		fmt.Sprintf(`{"event":"session_start","session_id":"s","station_id":"a","start_time":%q}`,
			now),
		fmt.Sprintf(`{"station_id":"b","timestamp":%q,"status":"Available"}`, now),
		fmt.Sprintf(`{"station_id":"c","timestamp":%q,"power_w":7000}`, now),
		fmt.Sprintf(`{"station_id":"d","timestamp":%q}`, now),
		`{"station_id":"e","tariff_id":"t"}`,
	}
	// One bad record of a file, and nothing of it is sent: each way to be bad has its line.
	for bad, why := range map[string]string{
		`{"event":"session_end","session_id":"s","station_id":"a",` +
			`"end_time":"yesterday"}`: `line 6: charging-sessions: malformed`,
		`{"station_id":"a","timestamp":"2020-01-01T00:00:00Z"}`: "line 6: heartbeats: late",
		`{"timestamp":"2026-01-01T00:00:00Z","status":"Free"}`:  "line 6: station-status: null_key",
		`{"foo":1}`: "line 6: its fields do not say which topic",
		`{"foo":`:   "line 6: unexpected EOF",
	} {
		file := write(t, "events.jsonl", strings.Join(append(good, bad), "\n"))
		got := run(t, nil, "send", file, brokers)
		got.want(t, exitInvalid, "", why)
	}
	for _, topic := range sendTopics() {
		if records := consume(t, b.Addrs(), topic); len(records) != 0 {
			t.Fatalf("%s has %v of a file that was refused", topic, texts(records))
		}
	}
	run(t, nil, "send", `{"stationId":17,"SessionID":4,"startTime":1772452800,`+
		`"endTime":1772456400}`, "--dry-run", "--arrival", "2026-03-02T13:00:00Z").
		want(t, exitOK, "would write 1 record to charging-sessions\nkeys: 17\n", "")
	for name, text := range map[string]string{"lines": strings.Join(good, "\n"),
		"list": "\ufeff[\n" + strings.Join(good, ",\n") + "]"} {
		got := run(t, nil, "send", write(t, name, text), brokers, "-o", "json")
		var answer sendAnswer
		if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil || got.code != exitOK {
			t.Fatalf("%s: %+v, %v", name, got, err)
		}
		want := map[string]int{topics.ChargingSessions: 1, topics.StationStatus: 1,
			topics.MeterValues: 1, topics.Heartbeats: 1, topics.Stations: 1}
		if diff := cmp.Diff(want, answer.Written); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for topic, key := range map[string]string{topics.ChargingSessions: "a", topics.Stations: "e"} {
		records := kafkatest.MustReadAll(t, b, topic, false)
		if len(records) != 2 || string(records[0].Key) != key ||
			records[0].Partition != engine.PartitionOf(key, partitionsDefault) {
			t.Errorf("%s: %v", topic, texts(records))
		}
	}
}

// TestSendWhatHappenedLongAgo: --arrival is what the record is judged by, and what it carries.
func TestSendWhatHappenedLongAgo(t *testing.T) {
	b, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "", "")
	const beat = `{"station_id":"a","timestamp":"2024-01-01T00:00:00Z"}`
	run(t, nil, "send", beat, brokers).want(t, exitInvalid, "", "late: ")
	run(t, nil, "send", beat, "--arrival", "2024-01-01T00:00:01Z", "--dry-run").
		want(t, exitOK, "would write 1 record to heartbeats\nkeys: a\n", "")
	run(t, nil, "send", beat, "--arrival", "2024-01-01T00:00:01Z", brokers).
		want(t, exitOK, "wrote 1 record to heartbeats\n", "")
	records := consume(t, b.Addrs(), topics.Heartbeats)
	if len(records) != 1 || headerOf(records[0], topics.HeaderArrival) != "2024-01-01T00:00:01Z" {
		t.Errorf("%v", texts(records))
	}
	run(t, nil, "send", beat, "--arrival", "2190-01-01T00:00:00Z").
		want(t, exitUsage, "", "lies in the future")
	run(t, nil, "send", beat, "--arrival", "then").want(t, exitUsage, "", `--arrival "then"`)
	run(t, nil, "send", beat, "--topic", "invoices").want(t, exitUsage, "", `--topic "invoices"`)
	run(t, nil, "send", "no-such-file").want(t, exitNotFound, "", "no-such-file")
	run(t, nil, "send", write(t, "empty", "")).want(t, exitInvalid, "", "holds no JSON object")
}

func TestTariffsAndStations(t *testing.T) {
	_, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "", "")
	run(t, nil, "tariffs", "show", brokers).want(t, exitOK, "no tariff counts", "")
	file := write(t, "ocpi.json", ocpi)
	run(t, nil, "tariffs", "validate", file).want(t, exitOK, "all well: 1 record of tariffs\n", "")
	run(t, nil, "tariffs", "put", file, brokers).want(t, exitOK, "keys: city-ac\n", "")
	unfit := strings.Replace(ocpi, `"elements"`,
		`"max_price":{"excl_vat":10,"incl_vat":11},"elements"`, 1)
	run(t, nil, "tariffs", "validate", unfit).want(t, exitOK, "note: tariff city-ac: "+
		"max_price: excl_vat 10.00 and incl_vat 11.00 do not fit 20 % of VAT", "")
	run(t, nil, "tariffs", "put", unfit, "--dry-run", brokers).
		want(t, exitOK, "write incl_vat 12.00", "")
	// An OCPI tariff of a later time is a version more, of the same time the same version.
	later := strings.Replace(ocpi, "0.45", "0.55", 1)
	for range 2 {
		run(t, nil, "tariffs", "put", later, "--valid-from", "2026-04-01T00:00:00Z", brokers).
			want(t, exitOK, "", "")
	}
	run(t, nil, "tariffs", "show", brokers).want(t, exitOK, "city-ac  2 versions", "")
	shown := run(t, nil, "tariffs", "show", "city-ac", brokers)
	shown.want(t, exitOK, "from 2026-01-01T00:00:00Z, in EUR\n    ENERGY        0.45 EUR/kWh, VAT "+
		"20.0 %\n", "")
	shown.want(t, exitOK, "from 2026-04-01T00:00:00Z, in EUR\n    ENERGY        0.55 EUR/kWh", "")
	// A record with all versions replaces them, and says what is gone.
	only := `{"tariff_id":"city-ac","versions":[{"valid_from":"2026-04-01T00:00:00Z","tariff":` +
		ocpi + `}]}`
	run(t, nil, "tariffs", "put", only, brokers).
		want(t, exitOK, "the version of city-ac from 2026-01-01T00:00:00Z is no longer in it", "")
	run(t, nil, "tariffs", "put", strings.Replace(only, "city-ac", "City-AC", 1), brokers).
		want(t, exitOK, "City-AC is the tariff that is known as city-ac", "")
	run(t, nil, "tariffs", "show", "CITY-ac", brokers).want(t, exitOK, "City-AC  1 version,", "")
	// Two OCPI tariffs of one id in a file are two versions; the id stays as it was first written.
	two := strings.ReplaceAll(ocpi, "city-ac", "city-AC") + strings.Replace(strings.ReplaceAll(ocpi,
		"city-ac", "CITY-ac"), "2026-01-01", "2026-02-01", 1)
	run(t, nil, "tariffs", "put", two, brokers).want(t, exitOK, "keys: City-AC\n", "")
	run(t, nil, "tariffs", "show", brokers).want(t, exitOK, "City-AC  3 versions", "")
	run(t, nil, "tariffs", "show", "city", brokers).want(t, exitNotFound, "", `no tariff "city"`)
	for text, why := range map[string]string{
		strings.Replace(ocpi, "ENERGY", "WIND", 1):           "tariff_refused",
		strings.Replace(ocpi, `"id":"city-ac",`, "", 1):      "id: is missing",
		strings.Replace(ocpi, "2026-01-01T00", "soon", 1):    "soon:00:00Z",
		strings.Replace(ocpi, "EUR", "XYZ", 1):               "currency",
		`{"tariff_id":"t","versions":[]}`:                    "there are none",
		strings.Replace(only, "2026-04-01T00:00:00Z", "", 1): "valid_from",
	} {
		run(t, nil, "tariffs", "validate", text).want(t, exitInvalid, "", why)
		run(t, nil, "tariffs", "put", text, brokers).want(t, exitInvalid, "", why)
	}
	run(t, nil, "stations", "validate", `[{"station_id":"a"},
		{"station_id":"b","time_zone":"Mars/Olympus"}]`).
		want(t, exitInvalid, "", "line 2: malformed: time_zone")
	known := run(t, nil, "stations", "put", `{"station_id":"a","tariff_id":"city-Ac"}`, brokers)
	known.want(t, exitOK, "wrote 1 record to stations\nkeys: a\n", "")
	if strings.Contains(known.stdout, "no tariff") {
		t.Errorf("%s", known.stdout)
	}
	run(t, nil, "stations", "put", `{"station_id":"a","tariff_id":"city-dc"}`, brokers).
		want(t, exitOK, `no tariff "city-dc" is known: what begins before `, "")
}

// TestSendReadsAsTheProcessorsRead: a time without a zone is that of the station, once its entry
// in the registry was folded; a side field that cannot be read is named and left out; a tariff that
// stands alone in the topic is shown with the versions that it follows.
func TestSendReadsAsTheProcessorsRead(t *testing.T) {
	_, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "", "")
	local := time.Now().UTC().Add(-time.Hour).Format("2006-01-02T15:04:05")
	sample := fmt.Sprintf(`{"stationId":"a","timestamp":%q,"power_w":1,"current_a":"x"}`, local)
	run(t, nil, "send", sample, brokers).want(t, exitInvalid, "", "zone")
	run(t, nil, "tariffs", "put", ocpi, brokers).want(t, exitOK, "", "")
	run(t, nil, "send", `{"station_id":"a","time_zone":"Europe/Paris"}`, brokers).
		want(t, exitOK, "", "")
	bare := strings.Replace(ocpi, "2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z", 1)
	run(t, nil, "send", bare, "--topic", "tariffs", brokers).want(t, exitOK, "", "")
	done := run(t, nil, "run", brokers, "--state-dir", t.TempDir(), "--until-caught-up")
	if done.code != exitOK {
		t.Fatalf("run: %+v", done)
	}
	got := run(t, nil, "send", sample, brokers)
	got.want(t, exitOK, "wrote 1 record to meter-values\nkeys: a\n", "")
	got.want(t, exitOK, "- line 1: current_a cannot be read and is left out\n", "")
	run(t, nil, "tariffs", "show", brokers).
		want(t, exitOK, "city-ac  2 versions, the newest valid from "+
			time.Now().UTC().Format("2006-01-02T"), "") // from its arrival on
}
