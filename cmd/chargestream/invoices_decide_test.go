package main

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"chargestream"
	"chargestream/codecs"
	"chargestream/internal/kafkatest"
	"chargestream/topics"
)

// decided are the decisions that the topic holds, by session, without what differs in each run.
func decided(t *testing.T, b kafkatest.Broker) []chargestream.Decision {
	t.Helper()
	var list []chargestream.Decision
	for _, r := range consume(t, b.Addrs(), topics.BillingDecisions) {
		event, err := codecs.DecodeDecision(r.Value)
		if err != nil {
			t.Fatalf("%s: %v", r.Value, err)
		}
		d := *event.(*chargestream.Decision)
		if string(r.Key) != string(d.StationID) {
			t.Errorf("key %s of a decision of %s", r.Key, d.StationID)
		}
		if d.Time == 0 || d.DecisionID == "" {
			t.Errorf("%s has no time or id", r.Value)
		}
		d.Time, d.DecisionID = 0, ""
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b chargestream.Decision) int {
		return cmp.Compare(a.SessionID, b.SessionID)
	})
	return list
}

// toDecide is a session held for a reason to release and one that is not, one issued, one whose
// end is missing, and one that is cancelled.
func toDecide() []chargestream.Invoice {
	return []chargestream.Invoice{
		bill("s-1", held(chargestream.HoldNoTariff, chargestream.HoldOverPower)),
		bill("s-2", nil),
		bill("s-3", func(v *chargestream.Invoice) {
			held(chargestream.HoldNotEnded)(v)
			v.StationID, v.EndTime, v.Lines = "st-3", 0, nil
		}),
		bill("s-4", held(chargestream.HoldCancelled)),
		bill("s-5", func(v *chargestream.Invoice) {
			held(chargestream.HoldNoTariff)(v)
			v.StationID = "st-5"
		}),
	}
}

func TestDecide(t *testing.T) {
	energy := chargestream.WattHours(0)
	for args, want := range map[string]chargestream.Decision{
		"release s-1": {SessionID: "s-1", Action: chargestream.ActionRelease,
			Holds: []chargestream.HoldReason{chargestream.HoldOverPower}},
		"release s-1-0123456789 --hold over_power": {SessionID: "s-1",
			Action: chargestream.ActionRelease,
			Holds:  []chargestream.HoldReason{chargestream.HoldOverPower}},
		"correct s-3 --end 2026-03-02T13:00:00+01:00 --energy-wh 0 --start 2026-03-02T11:00:00Z": {
			SessionID: "s-3", StationID: "st-3", Action: chargestream.ActionCorrect,
			Correction: chargestream.Correction{Energy: &energy, EndTime: noon,
				StartTime: noon - chargestream.Hour}},
		"correct s-2 --user card-9 --tariff city-dc": {SessionID: "s-2",
			Action:     chargestream.ActionCorrect,
			Correction: chargestream.Correction{UserID: "card-9", TariffID: "city-dc"}},
		"cancel s-2":  {SessionID: "s-2", Action: chargestream.ActionCancel},
		"reprice s-2": {SessionID: "s-2", Action: chargestream.ActionReprice},
	} {
		t.Run(args, func(t *testing.T) {
			b, brokers := billed(t, toDecide()...)
			want.StationID = cmp.Or(want.StationID, "st-1")
			want.By, want.Reason = "Ada Moreau", "seen on site"
			command := append([]string{"invoices"}, strings.Fields(args)...)
			command = append(command, brokers, "--by", want.By, "--reason", want.Reason)
			run(t, nil, append(command, "--dry-run")...).want(t, exitOK, "would write", "")
			if list := decided(t, b); len(list) != 0 {
				t.Fatalf("a dry run wrote %+v", list)
			}
			run(t, nil, command...).want(t, exitOK, "wrote to billing-decisions", "")
			if diff := gocmp.Diff([]chargestream.Decision{want}, decided(t, b)); diff != "" {
				t.Errorf("decisions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecideRefuses(t *testing.T) {
	b, brokers := billed(t, toDecide()...)
	for args, want := range map[string]struct {
		code int
		why  string
	}{
		"release s-9":                   {exitNotFound, `"s-9"`},
		"release s-2":                   {exitInvalid, "is not held"},
		"release s-3":                   {exitInvalid, "session_not_ended"},
		"release s-5":                   {exitInvalid, "no_tariff"},
		"release s-1 --hold no_tariff":  {exitInvalid, "no_tariff cannot be released"},
		"release s-1 --hold clock_skew": {exitInvalid, "clock_skew does not hold its bill"},
		"release s-1 --hold moon":       {exitInvalid, `"moon" is no reason`},
		"release":                       {exitUsage, "one argument"},
		"correct s-2":                   {exitUsage, "nothing is corrected"},
		"correct s-2 --energy-wh -1":    {exitInvalid, "below zero"},
		"correct s-2 --energy-wh 1.5":   {exitUsage, "1.5"},
		"correct s-2 --end 2026-03-02":  {exitUsage, "--end"},
		"correct s-2 --end 2026-03-02T12:00:00Z": {exitInvalid,
			"not after its start at 2026-03-02T12:00:00Z"},
		"cancel s-4":                                           {exitInvalid, "cancelled already"},
		"cancel s-2 --decision-id=":                            {exitOK, ""},
		"reprice":                                              {exitUsage, "one argument"},
		"reprice s-2 --all-held no_tariff":                     {exitUsage, "takes no argument"},
		"reprice --all-held over_power":                        {exitUsage, "over_power"},
		"reprice --all-held no_tariff --decision-id d":         {exitUsage, "--decision-id"},
		"cancel s-2 --reason " + strings.Repeat("r", 1001):     {exitInvalid, "1001 bytes"},
		"cancel s-2 --decision-id " + strings.Repeat("d", 256): {exitInvalid, "decision_id"},
	} {
		command := append([]string{"invoices"}, strings.Fields(args)...)
		own := []string{brokers, "--by=Ada", "--dry-run"}
		if !strings.Contains(args, "--reason") {
			own = append(own, "--reason=why")
		}
		run(t, nil, append(command, own...)...).want(t, want.code, "", want.why)
	}
	run(t, nil, "invoices", "cancel", "s-2", brokers, "--by=Ada").
		want(t, exitUsage, "", "no reason is given")
	run(t, nil, "invoices", "cancel", "s-2", brokers, "--reason=why").
		want(t, exitUsage, "", "the name of who decides is missing")
	if list := decided(t, b); len(list) != 0 {
		t.Errorf("refused, and written: %+v", list)
	}
}

func TestDecisionIDs(t *testing.T) {
	_, brokers := billed(t, toDecide()...)
	id := func(args ...string) string {
		got := run(t, nil, append([]string{"invoices", "cancel", "s-2", brokers, "--by=Ada",
			"--reason=why", "--dry-run", "-o", "json"}, args...)...)
		got.want(t, exitOK, `"dry_run":true`, "")
		var answer struct {
			Decisions []struct {
				ID string `json:"decision_id"`
			}
		}
		if err := json.Unmarshal([]byte(got.stdout), &answer); err != nil {
			t.Fatal(err)
		}
		return answer.Decisions[0].ID
	}
	if own := id("--decision-id", "ticket-17"); own != "ticket-17" {
		t.Errorf("id %q", own)
	}
	one := id()
	if other := id("--reason=other"); one == other || !strings.HasPrefix(one, "d-") {
		t.Errorf("ids %q and %q", one, other)
	}
}

func TestRepriceAllHeld(t *testing.T) {
	gone := bill("s-7", held(chargestream.HoldNoTariff))
	b, brokers := billed(t, append(toDecide(), gone, credited(gone, noon))...)
	run(t, nil, "invoices", "reprice", "--all-held=no_tariff", brokers, "--by=Ada",
		"--reason=published").want(t, exitOK, "2 sessions are held as no_tariff", "")
	want := []chargestream.Decision{
		{StationID: "st-1", SessionID: "s-1", By: "Ada", Reason: "published",
			Action: chargestream.ActionReprice},
		{StationID: "st-5", SessionID: "s-5", By: "Ada", Reason: "published",
			Action: chargestream.ActionReprice}}
	if diff := gocmp.Diff(want, decided(t, b)); diff != "" {
		t.Errorf("decisions (-want +got):\n%s", diff)
	}
}

func TestDecideWantsOneLiveDocument(t *testing.T) {
	twice := bill("s-1", func(v *chargestream.Invoice) { v.InvoiceID = "s-1-bbbbbbbbbb" })
	_, brokers := billed(t, bill("s-1", nil), twice)
	run(t, nil, "invoices", "cancel", "s-1", brokers, "--by=Ada", "--reason=why").
		want(t, exitInvalid, "", "has 2 live documents")
}
