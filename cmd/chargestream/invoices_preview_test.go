package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"chargestream/internal/kafkatest"
	"chargestream/topics"
)

// priced starts a broker whose processors have billed the session s-1: 7 kWh in 40 minutes at a
// connector of 22 kW, 0.50 EUR a kWh and 20 % VAT. It returns the flag and the state directory.
func priced(t *testing.T) (brokers, state string) {
	t.Helper()
	b, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "", "")
	r := newRecent()
	moment, add := r.moment, r.add
	add(topics.Tariffs, "t", `{"tariff_id":"t","versions":[{"valid_from":"2026-01-01T00:00:00Z",`+
		`"tariff":{"currency":"EUR","elements":[{"price_components":[{"type":"ENERGY",`+
		`"price":0.5,"vat":20,"step_size":1}]}]}}]}`, 0)
	add(topics.Stations, "st-1", `{"station_id":"st-1","tariff_id":"t","max_power_w":22000}`, 0)
	add(topics.ChargingSessions, "st-1", fmt.Sprintf(`{"session_id":"s-1","station_id":"st-1",`+
		`"user_id":"u","start_time":%q,"end_time":%q,"meter_start_wh":1000,`+
		`"meter_stop_wh":8000}`, moment(10), moment(50)), 50)
	kafkatest.MustProduce(t, b, r.records...)
	state = t.TempDir()
	done := run(t, nil, "run", brokers, "--state-dir", state, "--until-caught-up")
	if done.code != exitOK {
		t.Fatalf("run: %d %s", done.code, done.stderr)
	}
	run(t, nil, "invoices", "show", "s-1", brokers).want(t, exitOK, "4.20 EUR, issued\n", "")
	return brokers, state
}

// TestCorrectSaysBothAmounts: before a correction is written it says what was and what would be,
// and what is implausible, or changes much, is refused without --force.
func TestCorrectSaysBothAmounts(t *testing.T) {
	brokers, state := priced(t)
	command := func(flags string) []string {
		return append([]string{"invoices", "correct", "s-1", brokers, "--by=Ada", "--reason=seen",
			"--dry-run"}, strings.Fields(flags)...)
	}
	const now = "now   4.20 EUR, 7.000 kWh, issued\n"
	for flags, want := range map[string]string{
		"--energy-kwh 8":                   "then  4.80 EUR, 8.000 kWh, issued\n",
		"--energy-wh 8000":                 "then  4.80 EUR, 8.000 kWh, issued\n",
		"--energy-kwh 14 --force":          "then  8.40 EUR, 14.000 kWh, issued\n",
		"--energy-kwh 14 --max-change 100": "then  8.40 EUR, 14.000 kWh, issued\n",
		"--energy-kwh 70 --force": "then  42.00 EUR, 70.000 kWh, issued\n" +
			"but   70.000 kWh in 40 min",
		"--user v": "then  4.20 EUR, 7.000 kWh, issued\n",
	} {
		got := run(t, nil, command(flags)...)
		got.want(t, exitOK, now+want, "")
		if strings.Index(got.stdout, "would write") < strings.Index(got.stdout, "then") {
			t.Errorf("%s: the amounts are not first:\n%s", flags, got.stdout)
		}
	}
	for flags, why := range map[string]string{
		"--energy-kwh 14": "it is 4.20 EUR, 7.000 kWh, issued, and would be 8.40 EUR, " +
			"14.000 kWh, issued; the amount changes by +100 %, more than --max-change 50 %",
		"--energy-kwh 3":                  "the amount changes by -57 %",
		"--energy-kwh 700":                "it is implausible: 700.000 kWh in 40 min",
		"--energy-kwh 7.5 --max-change 5": "changes by +7 %",
		"--tariff none":                   "it would be held for no_tariff, which nothing holds",
	} {
		run(t, nil, command(flags)...).want(t, exitInvalid, "", why)
	}
	run(t, nil, command("--energy-kwh x")...).want(t, exitUsage, "", `--energy-kwh "x"`)
	run(t, nil, command("--energy-kwh 1 --energy-wh 1")...).
		want(t, exitUsage, "", "--energy-wh and --energy-kwh")
	got := run(t, nil, append(command("--energy-kwh 8"), "-o", "json")...)
	var answer decisionAnswer
	if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil || answer.Change == nil ||
		answer.Change.Before.Total != "4.20" || answer.Change.After.Total != "4.80" {
		t.Errorf("%s, %v", got.stdout, err)
	}

	// What is decided before a run is in its result, and is what was said.
	decide := command("--energy-kwh 8")
	decide = append(decide[:6:6], decide[7:]...) // without --dry-run
	run(t, nil, decide...).want(t, exitOK, "wrote to billing-decisions", "")
	done := run(t, nil, "run", brokers, "--state-dir", state, "--until-caught-up")
	if done.code != exitOK || !strings.Contains(done.stdout, `"invoices":2`) {
		t.Errorf("run: %+v", done)
	}
	run(t, nil, "invoices", "show", "s-1", brokers).want(t, exitOK, "4.80 EUR, issued\n", "")
}

// TestWaitForTheDocument: --wait returns when there is a document that rests on the decision.
func TestWaitForTheDocument(t *testing.T) {
	brokers, state := priced(t)
	cancelled := []string{"invoices", "cancel", "s-1", brokers, "--by=Ada", "--reason=seen"}
	run(t, nil, append(cancelled, "--wait=200ms")...).
		want(t, exitRuntime, "", "after 200ms no document rests on it")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		var out bytes.Buffer
		ended <- Run(ctx, []string{"run", brokers, "--state-dir", state, "--idle-after", "200ms"},
			&out, &out, func(string) (string, bool) { return "", false })
	}()
	got := run(t, nil, "invoices", "reprice", "s-1", brokers, "--by=Ada", "--reason=again",
		"--wait")
	got.want(t, exitOK, "new document s-1-", "")
	cancel()
	if code := <-ended; code != exitOK {
		t.Errorf("run: exit code %d", code)
	}
	id := strings.TrimSpace(got.stdout[strings.LastIndex(got.stdout, "s-1-"):])
	run(t, nil, "invoices", "show", "s-1", brokers).want(t, exitOK, "now       "+id, "")
}
