package codecs_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"chargestream"
	"chargestream/codecs"
)

// decisionJSON is a decision with some fields put in place of those of a good one; null takes a
// field out.
func decisionJSON(fields string) string {
	all := map[string]json.RawMessage{}
	for _, text := range []string{`{"decision_id":"d","station_id":"st","session_id":"s",` +
		`"decided_at":"2026-03-01T10:00:00Z","by":"Ada","reason":"seen","action":"release"}`,
		"{" + fields + "}"} {
		if err := json.Unmarshal([]byte(text), &all); err != nil {
			panic(text + ": " + err.Error())
		}
	}
	value, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	return string(value)
}

func decisionCases() []eventCase {
	want := func(set func(*chargestream.Decision)) chargestream.Event {
		d := &chargestream.Decision{StationID: "st", DecisionID: "d", SessionID: "s",
			Time: moment, By: "Ada", Reason: "seen", Action: chargestream.ActionRelease}
		set(d)
		return d
	}
	correct := func(correction string) string {
		return decisionJSON(`"action":"correct","correction":` + correction)
	}
	return []eventCase{
		{name: "least", value: decisionJSON(``), want: want(func(*chargestream.Decision) {})},
		{name: "future fields", value: decisionJSON(`"ticket":{"id":1}`),
			want: want(func(*chargestream.Decision) {})},
		{name: "session a number", value: decisionJSON(`"session_id":17`),
			want: want(func(d *chargestream.Decision) { d.SessionID = "17" })},
		{name: "reason twice", value: decisionJSON(`"hold_reasons":["over_power","over_power"]`),
			want: want(func(d *chargestream.Decision) {
				d.Holds = []chargestream.HoldReason{chargestream.HoldOverPower}
			})},
		{name: "energy is rounded", value: correct(`{"energy_wh":"1000.5"}`),
			want: want(func(d *chargestream.Decision) {
				d.Action = chargestream.ActionCorrect
				d.Correction.Energy = of[chargestream.WattHours](1001)
			})},
		{name: "end only", value: correct(`{"end_time":"2026-03-01T11:00:00+01:00"}`),
			want: want(func(d *chargestream.Decision) {
				d.Action, d.Correction.EndTime = chargestream.ActionCorrect, moment
			})},
		{name: "longest reason", value: decisionJSON(`"reason":"` + strings.Repeat("r",
			codecs.DecisionReasonBytesMax) + `"`),
			want: want(func(d *chargestream.Decision) {
				d.Reason = strings.Repeat("r", codecs.DecisionReasonBytesMax)
			})},
	}
}

func badDecisionCases() []eventCase {
	correct := func(correction string) string {
		return decisionJSON(`"action":"correct","correction":` + correction)
	}
	bad := []eventCase{
		{name: "reason too long", value: decisionJSON(`"reason":"` + strings.Repeat("r",
			codecs.DecisionReasonBytesMax+1) + `"`), fails: "reason has 1001 bytes"},
		{name: "reason blank", value: decisionJSON(`"reason":" \n"`), fails: "reason is missing"},
		{name: "by too long", value: decisionJSON(`"by":"` + strings.Repeat("b", 256) + `"`),
			fails: "has 256 bytes"},
		{name: "no session", value: decisionJSON(`"session_id":-1`), fails: `session_id: "-1"`},
		{name: "other action", value: decisionJSON(`"action":"refund"`), fails: `action: "refund"`},
		{name: "action in capitals", value: decisionJSON(`"action":"RELEASE"`), fails: "RELEASE"},
		{name: "other hold", value: decisionJSON(`"hold_reasons":["over_power","bad_mood"]`),
			fails: `"bad_mood"`},
		{name: "info anomaly", value: decisionJSON(`"hold_reasons":["meter_glitch"]`),
			fails: `"meter_glitch"`},
		{name: "hold of cancel", value: decisionJSON(
			`"action":"cancel","hold_reasons":["over_power"]`), fails: "hold_reasons belong"},
		{name: "correction of release", value: decisionJSON(`"correction":{"energy_wh":1}`),
			fails: "correction belongs"},
		{name: "no correction", value: decisionJSON(`"action":"correct"`),
			fails: "correction is missing"},
		{name: "empty correction", value: correct(`{}`), fails: "correction is missing"},
		{name: "correction of nothing known", value: correct(`{"kwh":1}`),
			fails: "correction.kwh: 1 is in an unknown field"},
		{name: "negative energy", value: correct(`{"energy_wh":-1}`), fails: "energy_wh: -1"},
		{name: "energy too large", value: correct(`{"energy_wh":1e19}`), fails: "energy_wh"},
		{name: "end at start", value: correct(`{"start_time":"2026-03-01T10:00:00Z",` +
			`"end_time":"2026-03-01T10:00:00Z"}`), fails: "not after"},
		{name: "bad user", value: correct(`{"user_id":"a\u0001"}`), fails: "correction.user_id"},
		{name: "bad tariff", value: correct(`{"tariff_id":"` + strings.Repeat("t", 256) + `"}`),
			fails: "correction.tariff_id"},
		{name: "not UTF-8", value: strings.Replace(decisionJSON(``), "Ada", "A\xff", 1),
			fails: "not UTF-8"},
		{name: "time without zone", value: decisionJSON(`"decided_at":"2026-03-01T10:00:00"`),
			fails: "not RFC 3339"},
	}
	for _, field := range []string{"decision_id", "station_id", "session_id", "decided_at", "by",
		"reason", "action"} {
		bad = append(bad, eventCase{name: field + " missing",
			value: decisionJSON(`"` + field + `":null`), fails: field})
	}
	return bad
}

func TestDecodeDecision(t *testing.T) {
	for _, c := range append(decisionCases(), badDecisionCases()...) {
		t.Run(c.name, func(t *testing.T) { c.run(t, codecs.DecodeDecision) })
	}
}

// TestEveryHoldCanBeNamed holds that a decision may name every reason that there is.
func TestEveryHoldCanBeNamed(t *testing.T) {
	for _, reason := range chargestream.HoldReasons() {
		d := &chargestream.Decision{StationID: "st", DecisionID: "d", SessionID: "s",
			Time: moment, By: "Ada", Reason: "seen", Action: chargestream.ActionRelease,
			Holds: []chargestream.HoldReason{reason}}
		if _, err := codecs.EncodeEvent(d); err != nil {
			t.Error(err)
		}
	}
}

func TestEncodeRefusesABadDecision(t *testing.T) {
	for _, d := range []*chargestream.Decision{
		{},
		{StationID: "st", DecisionID: "d", SessionID: "s", Time: moment, By: "Ada",
			Reason: "seen", Action: chargestream.ActionCorrect},
		{StationID: "st", DecisionID: "d", SessionID: "s", Time: moment, By: "Ada",
			Reason: "seen", Action: chargestream.ActionCancel,
			Correction: chargestream.Correction{UserID: "u"}},
	} {
		if value, err := codecs.EncodeEvent(d); !errors.Is(err, codecs.ErrEvent) {
			t.Errorf("%s, error %v", value, err)
		}
	}
}
