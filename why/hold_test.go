package why_test

import (
	"slices"
	"strings"
	"testing"

	"chargestream"
	"chargestream/tables"
	"chargestream/why"
)

// noon is 2026-03-02T12:00:00Z.
const noon = chargestream.Millis(1772452800000)

func ptr[T any](v T) *T { return &v }

// energyWords is a step of every reason that doubts the energy.
const energyWords = "chargestream invoices correct s-1 --energy-wh WH"

// reasons are, for each reason, evidence of it, what must stand in the text, and what in the steps.
func reasons() map[chargestream.HoldReason]struct {
	evidence chargestream.Evidence
	text     string
	next     []string
} {
	const release = "chargestream invoices release s-1:"
	const cancel = "chargestream invoices cancel s-1:"
	const reprice, times = "chargestream invoices reprice s-1:", "--start TIME --end TIME"
	type e = chargestream.Evidence
	return map[chargestream.HoldReason]struct {
		evidence chargestream.Evidence
		text     string
		next     []string
	}{
		chargestream.HoldDuplicate: {e{"duplicate_of": "s-0", "start_time": noon},
			"session s-0, which started at 2026-03-02T12:00:00Z",
			[]string{"chargestream why s-0", cancel, release}},
		chargestream.HoldNotEnded: {e{"start_time": noon}, "has no end",
			[]string{"wait", "--end TIME --energy-wh WH", cancel}},
		chargestream.HoldNoEnergy: {nil, "energy is not known", []string{energyWords, cancel}},
		chargestream.HoldEstimated: {e{"meter_start_wh": 1000}, "1.000 kWh at the start",
			[]string{release, energyWords}},
		chargestream.HoldNegativeEnergy: {e{"meter_start_wh": 9000, "meter_stop_wh": 8000},
			"9.000 kWh at the start and 8.000 kWh", []string{energyWords, cancel}},
		chargestream.HoldNegativeDuration: {e{"start_time": noon, "end_time": noon - 1000},
			"before its start", []string{times, cancel}},
		chargestream.HoldMeterRegression: {e{"fell_from_wh": 9000, "fell_to_wh": 1000,
			"fell_at": noon}, "fell from 9.000 kWh to 1.000 kWh",
			[]string{energyWords, release}},
		chargestream.HoldClockSkew: {e{"ahead_ms": 600_000, "tolerance_ms": 300_000},
			"10 min ahead", []string{times, release}},
		chargestream.HoldConflict: {e{"start_time": noon, "other_start_time": noon + 60_000},
			"another at 2026-03-02T12:01:00Z", []string{"invoices correct s-1 --start", release}},
		chargestream.HoldNoTariff: {e{"tariff_id": "city-ac"}, `the tariff "city-ac"`,
			[]string{`tariffs put FILE: a version of "city-ac" that is valid at ` +
				"2026-03-02T12:00:00Z", "wait", reprice}},
		chargestream.HoldTariffUnsupported: {e{"tariff_id": "t", "error": "no current"},
			"no current", []string{"tariffs put", reprice, "--tariff ID"}},
		chargestream.HoldOverlap: {e{"other_session_id": "s-2", "overlap_from": noon,
			"overlap_to": noon + 60_000, "other_sessions": 1}, "session s-2 ran",
			[]string{"chargestream why s-2", release, cancel}},
		chargestream.HoldNoStart: {e{"end_time": noon}, "has no start",
			[]string{"chargestream send", "--start TIME", cancel}},
		chargestream.HoldUnitMismatch: {nil, "another unit", []string{energyWords, release}},
		chargestream.HoldOverPower: {e{"energy_wh": 48_000, "limit_wh": 13_100,
			"duration_s": 1800, "rating_w": 22_000}, "48.000 kWh in 30 min",
			[]string{"max_power_w", energyWords, release}},
		chargestream.HoldLifetimeRegister: {e{"meter_stop_wh": 9_000_000}, "9000.000 kWh",
			[]string{energyWords, release}},
		chargestream.HoldUnknownUser: {e{"user_id": ""}, "names no user",
			[]string{"--user ID", cancel}},
		chargestream.HoldVATUnknown: {e{"tariff_id": "t"}, "no VAT rate",
			[]string{"vat", reprice, release}},
		chargestream.HoldSignedMissing: {e{"signed_begin": true, "signed_end": false},
			"the end is not", []string{"chargestream send", release, cancel}},
		chargestream.HoldSignedInvalid: {e{"problems": []string{"wrong key"}}, "wrong key",
			[]string{"public_key", release, cancel}},
		chargestream.HoldSignedMismatch: {e{"energy_wh": 4000, "signed_energy_mwh": 3_000_000},
			"3.000000 kWh are signed", []string{energyWords, release}},
		chargestream.HoldEnergyMismatch: {e{"reported_energy_wh": 0, "measured_wh": 8000},
			"8.000 kWh", []string{energyWords, release}},
		chargestream.HoldRepeatedEnergy: {e{"energy_wh": 10_200, "duration_s": 1200,
			"previous_session_id": "s-0", "previous_energy_wh": 5_000,
			"previous_duration_s": 1200}, "session s-0, which ended right before",
			[]string{"s-0", energyWords, release}},
		chargestream.HoldSignedUnverified: {e{"connector_id": "2", "public_key": "none"},
			"no public_key", []string{"public_key", release, cancel}},
		chargestream.HoldCancelled: {nil, "not billed", []string{"nothing", reprice}},
	}
}

// TestEveryReason: each reason that may hold a bill is in the answer with what shows it and with
// what can be done, and what cannot be released is not said to be.
func TestEveryReason(t *testing.T) {
	cases := reasons()
	for _, reason := range chargestream.HoldReasons() {
		t.Run(string(reason), func(t *testing.T) {
			c, ok := cases[reason]
			if !ok {
				t.Fatal("the table has no case of it: add one, and its steps to why/hold.go")
			}
			v := chargestream.Invoice{InvoiceID: "s-1-a", SessionID: "s-1", StationID: "st-1",
				Kind: chargestream.KindInvoice, Status: chargestream.StatusHeld, StartTime: noon,
				HoldReasons: []chargestream.HoldReason{reason},
				Holds:       []chargestream.Hold{{Reason: reason, Evidence: c.evidence}}}
			w := session(t, &why.SessionFacts{ID: "s-1", Station: "st-1",
				Documents: []chargestream.Invoice{v}})
			if w.Summary != "its bill s-1-a is held for "+string(reason) {
				t.Errorf("summary %q", w.Summary)
			}
			if len(w.Held) != 1 || w.Held[0].Reason != reason ||
				!strings.Contains(w.Held[0].Text, c.text) {
				t.Fatalf("held: %+v, want %q in the text", w.Held, c.text)
			}
			got := w.Held[0]
			if len(got.Next) != len(c.next) {
				t.Fatalf("steps %q, want %q in them", got.Next, c.next)
			}
			for i, text := range c.next {
				if !strings.Contains(got.Next[i], text) {
					t.Errorf("step %d is %q, want %q in it", i, got.Next[i], text)
				}
			}
			offers := slices.ContainsFunc(got.Next, func(s string) bool {
				return strings.Contains(s, "invoices release")
			})
			if offers != reason.Releasable() || got.Releasable != reason.Releasable() {
				t.Errorf("releasable %v, and the steps are %q", reason.Releasable(), got.Next)
			}
		})
	}
}

// TestReasonOfAnotherVersion: a reason that this program does not know still says what can be done.
func TestReasonOfAnotherVersion(t *testing.T) {
	v := chargestream.Invoice{InvoiceID: "s-1-a", SessionID: "s-1",
		Kind: chargestream.KindInvoice, Status: chargestream.StatusHeld,
		HoldReasons: []chargestream.HoldReason{"moon_phase"}}
	w := session(t, &why.SessionFacts{ID: "s-1", Documents: []chargestream.Invoice{v}})
	if len(w.Held) != 1 || len(w.Held[0].Next) != 3 || w.Held[0].Text != "moon_phase" {
		t.Errorf("%+v", w.Held)
	}
}

// session answers, with a book of one tariff: city-ac from 2026-01-01 on.
func session(t *testing.T, f *why.SessionFacts) chargestream.SessionWhy {
	t.Helper()
	f.Book = book
	w, err := why.Session(f)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func book(id chargestream.TariffID) (*tables.Tariff, error) {
	if id != "city-ac" {
		return nil, nil
	}
	return &tables.Tariff{Revisions: []tables.TariffRevision{{Arrival: noon,
		Versions: []chargestream.TariffVersion{{ValidFrom: noon - 60*chargestream.Day}}}}}, nil
}
