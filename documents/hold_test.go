package documents

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"chargestream"
)

// TestHoldWords wants words for every reason that the root package has.
func TestHoldWords(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../invoice.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for node := range ast.Preorder(file) {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			continue
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "HoldReason" {
			continue
		}
		reason, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		found++
		if words := holdWords(chargestream.HoldReason(reason)); words == reason {
			t.Errorf("no words for %s", reason)
		}
	}
	if found == 0 || found != len(holdTexts()) {
		t.Errorf("%d reasons in the root package, words for %d", found, len(holdTexts()))
	}
}

// noon is 2026-03-02T12:00:00Z.
const noon = chargestream.Millis(1_772_452_800_000)

// registers is the evidence of the reasons that are about what the meter showed.
func registers(more chargestream.Evidence) chargestream.Evidence {
	e := chargestream.Evidence{"meter_start_wh": int64(1_234_567),
		"meter_stop_wh": int64(1_230_000), "reported_energy_wh": int64(20_450),
		"first_sample_wh": int64(1_234_600),
		"first_sample_at": noon, "last_sample_wh": int64(1_230_000),
		"last_sample_at": noon + 30*chargestream.Minute}
	for name, value := range more {
		e[name] = value
	}
	return e
}

// holds has an example of every reason, with all evidence that it can have.
func holds() []chargestream.Hold {
	later := noon + 30*chargestream.Minute
	times := chargestream.Evidence{"start_time": later, "end_time": noon}
	return []chargestream.Hold{
		{Reason: chargestream.HoldCancelled},
		{Reason: chargestream.HoldClockSkew, Evidence: chargestream.Evidence{
			"ahead_ms": int64(5_430_500), "tolerance_ms": int64(300_000)}},
		{Reason: chargestream.HoldConflict, Evidence: chargestream.Evidence{"start_time": noon,
			"other_start_time": noon, "end_time": noon, "other_end_time": later}},
		{Reason: chargestream.HoldDuplicate, Evidence: chargestream.Evidence{
			"duplicate_of": "s-0", "start_time": noon}},
		{Reason: chargestream.HoldEstimated, Evidence: chargestream.Evidence{
			"first_sample_wh": int64(0), "first_sample_at": noon, "last_sample_wh": int64(0),
			"last_sample_at": noon}},
		{Reason: chargestream.HoldLifetimeRegister, Evidence: chargestream.Evidence{
			"meter_stop_wh": int64(1_234_567), "reported_energy_wh": int64(1_234_567)}},
		{Reason: chargestream.HoldMeterRegression, Evidence: registers(chargestream.Evidence{
			"fell_from_wh": int64(1_234_600), "fell_to_wh": int64(12), "fell_at": later})},
		{Reason: chargestream.HoldNegativeDuration, Evidence: times},
		{Reason: chargestream.HoldNegativeEnergy, Evidence: registers(nil)},
		{Reason: chargestream.HoldNoEnergy, Evidence: chargestream.Evidence{
			"meter_start_wh": int64(1_234_567)}},
		{Reason: chargestream.HoldNoTariff, Evidence: chargestream.Evidence{
			"registry_entry": "none", "tariff_id": "city-ac"}},
		{Reason: chargestream.HoldNoTariff, Evidence: chargestream.Evidence{
			"registry_entry": "none", "missing": "station"}},
		{Reason: chargestream.HoldNoTariff, Evidence: chargestream.Evidence{
			"missing": "tariff_id"}},
		{Reason: chargestream.HoldNoTariff, Evidence: chargestream.Evidence{
			"missing": "tariff", "tariff_id": "city-ac"}},
		{Reason: chargestream.HoldNoTariff, Evidence: chargestream.Evidence{
			"missing": "version", "tariff_id": "city-ac"}},
		{Reason: chargestream.HoldOverPower, Evidence: chargestream.Evidence{
			"energy_wh": int64(48_000), "limit_wh": int64(13_199), "duration_s": int64(1800),
			"rating_w": int64(22_000)}},
		{Reason: chargestream.HoldOverlap, Evidence: chargestream.Evidence{
			"other_session_id": "s-2", "other_sessions": 3, "overlap_from": noon,
			"overlap_to": later}},
		{Reason: chargestream.HoldEnergyMismatch, Evidence: chargestream.Evidence{
			"reported_energy_wh": int64(13_283), "measured_wh": int64(8_343),
			"meter_start_wh": int64(2_329_271), "meter_stop_wh": int64(2_337_614)}},
		{Reason: chargestream.HoldRepeatedEnergy, Evidence: chargestream.Evidence{
			"energy_wh": int64(10_200), "duration_s": int64(1200), "previous_session_id": "s-0",
			"previous_energy_wh": int64(5_000), "previous_duration_s": int64(1200)}},
		{Reason: chargestream.HoldNotEnded, Evidence: chargestream.Evidence{"start_time": noon}},
		{Reason: chargestream.HoldSignedInvalid, Evidence: chargestream.Evidence{
			"problems": []string{"the begin is signed by another key", "value 2: no unit"}}},
		{Reason: chargestream.HoldSignedMismatch, Evidence: chargestream.Evidence{
			"energy_wh": int64(20_450), "signed_energy_mwh": int64(20_447_812)}},
		{Reason: chargestream.HoldSignedMissing, Evidence: chargestream.Evidence{
			"signed_begin": true, "signed_end": false}},
		{Reason: chargestream.HoldSignedUnverified, Evidence: chargestream.Evidence{
			"connector_id": "2", "public_key": "unknown curve"}},
		{Reason: chargestream.HoldNoStart, Evidence: chargestream.Evidence{"end_time": noon}},
		{Reason: chargestream.HoldUnitMismatch, Evidence: chargestream.Evidence{
			"energy_wh": int64(48), "sampled_at_least_wh": int64(20_000), "peak_w": int64(950),
			"duration_s": int64(5445)}},
		{Reason: chargestream.HoldUnknownUser, Evidence: chargestream.Evidence{
			"user_id": "00000000"}},
		{Reason: chargestream.HoldTariffUnsupported, Evidence: chargestream.Evidence{
			"tariff_id": "city-ac", "error": "the time zone is not known"}},
		{Reason: chargestream.HoldVATUnknown, Evidence: chargestream.Evidence{
			"tariff_id": "city-ac"}},
	}
}

// decoded is a hold as it is read from a document, with numbers as they are or as text.
func decoded(t *testing.T, h chargestream.Hold, number bool) chargestream.Hold {
	t.Helper()
	text, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var read chargestream.Hold
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	if number {
		decoder.UseNumber()
	}
	if err := decoder.Decode(&read); err != nil {
		t.Fatal(err)
	}
	return read
}

// TestGoldenHolds holds the sentence of every reason, with its evidence as it was made and as it is
// read from a document.
func TestGoldenHolds(t *testing.T) {
	var text strings.Builder
	var reasons []chargestream.HoldReason
	for _, h := range holds() {
		want := HoldText(h)
		for _, number := range []bool{false, true} {
			if got := HoldText(decoded(t, h, number)); got != want {
				t.Errorf("read from JSON %s is %q, want %q", h.Reason, got, want)
			}
		}
		if _, ok := holdSentences()[h.Reason]; ok != (h.Evidence != nil) {
			t.Errorf("%s has a sentence %v and evidence %v", h.Reason, ok, h.Evidence)
		}
		reasons = append(reasons, h.Reason)
		fmt.Fprintf(&text, "%s: %s\n", h.Reason, want)
	}
	slices.Sort(reasons)
	all := slices.Sorted(slices.Values(chargestream.HoldReasons()))
	if reasons = slices.Compact(reasons); !slices.Equal(reasons, all) {
		t.Errorf("examples of %q, want all of %q", reasons, all)
	}
	golden(t, "holds.txt", []byte(text.String()))
}

// TestHoldsWithLessEvidence: what is missing is left out of the sentence; where there is nothing
// the text is what the reason means.
func TestHoldsWithLessEvidence(t *testing.T) {
	for want, h := range map[string]chargestream.Hold{
		"No tariff was in force for the station at the start.": {Reason: chargestream.HoldNoTariff},
		"The delivered energy is not known.": {Reason: chargestream.HoldNoEnergy,
			Evidence: chargestream.Evidence{}},
		"of_tomorrow": {Reason: "of_tomorrow"},
		"at 2026-03-02T12:00:00Z, n 1000000, words [a b]": {Reason: "of_tomorrow",
			Evidence: chargestream.Evidence{"n": 1e6, "at": noon, "words": []string{"a", "b"}}},
		"energy_wh 48000, rating_w 22.5": {Reason: chargestream.HoldOverPower,
			Evidence: chargestream.Evidence{"energy_wh": int64(48_000), "rating_w": 22.5}},
		"duplicate_of 1, start_time noon": {Reason: chargestream.HoldDuplicate,
			Evidence: chargestream.Evidence{"duplicate_of": 1, "start_time": "noon"}},
		"the session names no user": {Reason: chargestream.HoldUnknownUser,
			Evidence: chargestream.Evidence{"user_id": ""}},
		"the register reads 0.005 kWh at the end; its reading at the start is not known": {
			Reason: chargestream.HoldNoEnergy, Evidence: chargestream.Evidence{"meter_stop_wh": 5}},
		"one event says that the session ends at 2026-03-02T12:00:00Z, another at " +
			"2026-03-02T12:15:00Z": {Reason: chargestream.HoldConflict,
			Evidence: chargestream.Evidence{"end_time": noon,
				"other_end_time": noon + chargestream.Quarter}},
		"session s-2 ran on the connector from 2026-03-02T12:00:00Z to 2026-03-02T12:15:00Z": {
			Reason: chargestream.HoldOverlap, Evidence: chargestream.Evidence{
				"other_session_id": "s-2", "other_sessions": 1, "overlap_from": noon,
				"overlap_to": noon + chargestream.Quarter}},
		"neither the begin nor the end is signed": {Reason: chargestream.HoldSignedMissing,
			Evidence: chargestream.Evidence{"signed_begin": false, "signed_end": false}},
		"the registry has no public_key for connector 1, so nothing shows that the meter signed " +
			"the values": {Reason: chargestream.HoldSignedUnverified,
			Evidence: chargestream.Evidence{"connector_id": "1", "public_key": "none"}},
		"the end is signed, the begin is not": {Reason: chargestream.HoldSignedMissing,
			Evidence: chargestream.Evidence{"signed_begin": false, "signed_end": true}},
	} {
		if got := HoldText(h); got != want {
			t.Errorf("%s: %q, want %q", h.Reason, got, want)
		}
	}
}

func TestDurations(t *testing.T) {
	for ms, want := range map[int64]string{0: "0 s", 1: "0.001 s", 59_000: "59 s",
		60_000: "1 min", 300_001: "5 min 0.001 s", 3_600_000: "1 h", 90_061_500: "25 h 1 min 1.5 s",
		-1500: "-1.5 s"} {
		if got := span(ms); got != want {
			t.Errorf("%d ms: %q, want %q", ms, got, want)
		}
	}
}
