package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream"
	"chargestream/internal/kafkatest"
	"chargestream/topics"
)

// doubts starts a broker whose processors have folded a session that is held for its tariff, one
// that still runs, one that two stations have, and dead letters of one and of a silent station.
func doubts(t *testing.T) string {
	t.Helper()
	b, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "", "")
	r := newRecent()
	moment, add := r.moment, r.add
	begin := func(station, session string, minute int) {
		add(topics.ChargingSessions, station, fmt.Sprintf(`{"event":"session_start",`+
			`"session_id":%q,"station_id":%q,"user_id":"card-7","start_time":%q,`+
			`"meter_start_wh":1000}`, session, station, moment(minute)), minute)
	}
	end := func(station, session string, minute int) {
		add(topics.ChargingSessions, station, fmt.Sprintf(`{"event":"session_end",`+
			`"session_id":%q,"station_id":%q,"end_time":%q,"meter_stop_wh":8000}`, session,
			station, moment(minute)), minute)
	}
	add(topics.Stations, "st-1", `{"station_id":"st-1","tariff_id":"city-ac"}`, 0)
	begin("st-1", "s-1", 10)
	end("st-1", "s-1", 50)
	add(topics.ChargingSessions, "st-1", `{"event":"session_end","session_id":"s-1",`+
		`"station_id":"st-1","end_time":"yesterday"}`, 51)
	begin("st-1", "s-2", 60)
	begin("st-2", "s-2", 30)
	add(topics.Heartbeats, "st-3", `{"station_id":"st-3"}`, 60)
	add(topics.ChargingSessions, "st-4", `{"event":"session_start","session_id":"s-9"}`, 60)
	kafkatest.MustProduce(t, b, r.records...)
	done := run(t, nil, "run", brokers, "--state-dir", filepath.Join(t.TempDir(), "state"),
		"--until-caught-up")
	if done.code != exitOK {
		t.Fatalf("run: %d %s", done.code, done.stderr)
	}
	return brokers
}

func TestWhy(t *testing.T) {
	brokers := doubts(t)
	url := "--url=" + serving(t, brokers, "--http", "127.0.0.1:0")
	for args, texts := range map[string][]string{
		"s-1": {"session   s-1 at station st-1, connector 1, user card-7, settled\n",
			"is held for no_tariff\n", "register 1.000 kWh, arrived 20", "  end  ",
			"charging-sessions/", "malformed, names the session: ", `"end_time":"yesterday"`,
			`- its tariff: the registry's entry of the station st-1, which arrived at 20`,
			`names it, and no tariff "city-ac" is known`, "held      no_tariff: ",
			`  next    chargestream tariffs put FILE: a version of "city-ac" that is valid at 20`,
			"  next    chargestream invoices reprice s-1: "},
		"s-2": {"session   s-2 at station st-1, ",
			"active\nanswer    there is no bill yet: it is due",
			"also at   st-2: choose one with --station\n", "- its end: no session_end came\n",
			"of the station: "},
		"s-2 --station st-2": {"session   s-2 at station st-2, ", "also at   st-1",
			"no entry of the station st-2"},
		"s-9": {"nothing of the session was folded, and 1 dead letter names it"},
		"st-1": {"station   st-1\n", "registry entry", "held      1 bill; ",
			"  s-1: no_tariff\n"},
		"--station st-3": {"no event of the station was folded, and 1 recent dead letter came"},
	} {
		got := run(t, nil, append([]string{"why", brokers}, strings.Fields(args)...)...)
		for _, text := range texts {
			got.want(t, exitOK, text, "")
		}
		// A running serve has the same answer.
		asked := run(t, nil, append([]string{"why", url}, strings.Fields(args)...)...)
		if diff := cmp.Diff(got, asked, cmp.AllowUnexported(result{})); diff != "" {
			t.Errorf("%s by --url (-want +got):\n%s", args, diff)
		}
	}
	for args, want := range map[string]string{"s": `a session or station "s"`,
		"s-1 --station st-2": `a session "s-1" at the station "st-2"`} {
		run(t, nil, append([]string{"why", url}, strings.Fields(args)...)...).
			want(t, exitNotFound, "", want)
	}
	run(t, nil, "why", "s-1", "--url", "localhost").want(t, exitUsage, "", "no address of a server")
	run(t, nil, "why", "s-1", "--url", "http://127.0.0.1:1").
		want(t, exitUnreachable, "", "no API answers at 127.0.0.1:1")
	run(t, nil, "why", "s-1", url+"/elsewhere").want(t, exitRuntime, "", "404")
	got := run(t, nil, "why", "s-1", brokers, "-o", "json")
	var w chargestream.SessionWhy
	if err := json.Unmarshal([]byte(got.stdout), &w); err != nil || len(w.Received) != 2 ||
		len(w.DeadLetters) != 1 || !w.DeadLetters[0].NamesSession || len(w.Held) != 1 {
		t.Errorf("%s, error %v", got.stdout, err)
	}
	run(t, nil, "why", "s", brokers).want(t, exitNotFound, "", `a session or station "s"`)
	run(t, nil, "why", "s-1", "--station", "st-2", brokers).
		want(t, exitNotFound, "", `a session "s-1" at the station "st-2"`)
	run(t, nil, "why", brokers).want(t, exitUsage, "", "takes one argument")
}
