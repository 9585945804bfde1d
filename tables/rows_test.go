package tables_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"chargestream"
	"chargestream/codecs"
	"chargestream/internal/tabletest"
	"chargestream/tables"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldenQuarter is a quarter with all that a quarter can have.
func goldenQuarter() tables.Quarter {
	return tables.Quarter{Start: noon, From: noon + 1500, Peak: 11040, Low: 3700,
		CurrentLow: 6000, CurrentPeak: 16000, Sampled: 0b111, Charging: 0b11, Named: true,
		Minutes: [15]tables.Reading{{At: noon + 1500, Energy: 1000},
			{At: noon + 60000, Energy: 990}, {At: noon + 121500, Energy: 1300}},
		Lasts: [15]tables.Reading{{At: noon + 59000, Energy: 1010},
			{At: noon + 60000, Energy: 990}, {At: noon + 121500, Energy: 1300}},
		First: tables.Reading{At: noon + 1500, Energy: 1000},
		Last:  tables.Reading{At: noon + 121500, Energy: 1300}, Min: 990, Max: 1300}
}

func goldenStation() *tables.Station {
	seen := noon + 10*minute
	return &tables.Station{ID: "st-1", LastSeen: seen, Site: "site-1",
		Connectors: []tables.Connector{
			{ID: "1", Statuses: []tables.Status{
				{At: seen, State: chargestream.StateOccupied,
					Activity: chargestream.ActivityCharging, Word: "Charging"},
				{At: noon - 1, State: chargestream.StateFaulted, Word: "Faulted",
					ErrorCode: "GroundFailure"}},
				Meter: chargestream.MeterValue{Time: seen, Energy: of[chargestream.WattHours](1300),
					Power: of[chargestream.Watts](11040), SoC: of[chargestream.Permille](805)},
				Running: tables.RunningSession{StartedAt: noon, ID: "s-1", UserID: "u-1"},
				LastEnd: noon - hour, LastEdge: noon, Open: goldenQuarter(), OpenSession: "s-1",
				Flushed: true},
			{ID: "2"}},
		Skews: []tables.SkewDay{{Day: begin, First: noon, Ahead: 6 * minute}}}
}

func goldenSession() *tables.Session {
	late := tables.Quarter{Start: noon + quarter, Late: noon + hour, From: noon + quarter,
		Sampled: 1}
	start := tables.Reading{At: noon, Energy: 1000}
	begun := tables.Quarter{Start: noon, From: noon, Named: true, Context: tables.ContextBegin,
		First: start, Last: start, Min: 1000, Max: 1000, Minutes: [15]tables.Reading{start},
		Lasts: [15]tables.Reading{start}}
	end := noon + hour
	return &tables.Session{
		Starts: []tables.Start{
			{At: noon, Arrival: noon + 2000, ReportedAt: noon, ConnectorID: "1", UserID: "u-1",
				Meter: of[chargestream.WattHours](1000)},
			{At: noon + 1000, Arrival: noon + 3000, ReportedAt: end, ConnectorID: "2",
				UserID: "u-1"}},
		Ends: []tables.End{{At: end, Arrival: end, ReportedAt: end + 1000, ConnectorID: "1",
			Energy: of[chargestream.WattHours](7000), Meter: of[chargestream.WattHours](8000),
			Reason: "Local"}},
		Quarters: []tables.Quarter{goldenQuarter(), begun, late},
		Low:      noon, LastStart: noon + 1000, LastEnd: end,
		Decisions: []tables.Decision{goldenRelease(), goldenCorrection()},
		Signed:    []tables.Signed{{At: noon, Arrival: noon + 2000, Text: "OCMF|{}|{}"}},
		Marks: tables.Marks{BilledUpTo: end + chargestream.Grace, WakeAt: end + 2*quarter,
			RevisionOffset: 1,
			References:     []tables.Reference{{Revisions: 2}, {Tariff: "t-1", Revisions: 3}},
			Documents:      2,
			Holds: []chargestream.HoldReason{chargestream.HoldConflict,
				chargestream.HoldDuplicate},
			DuplicateOf: "s-0"}}
}

func goldenRelease() tables.Decision {
	return tables.Decision{Arrival: noon + day, Decision: chargestream.Decision{
		DecisionID: "d-1", Time: noon + day - 500, By: "ada", Reason: "seen",
		Action: chargestream.ActionRelease,
		Holds:  []chargestream.HoldReason{chargestream.HoldOverlap, chargestream.HoldConflict}}}
}

func goldenCorrection() tables.Decision {
	return tables.Decision{Arrival: noon + day + 1, Decision: chargestream.Decision{
		DecisionID: "d-2", Time: noon + day, By: "ada", Reason: "read",
		Action: chargestream.ActionCorrect, Correction: chargestream.Correction{
			Energy: of[chargestream.WattHours](6900), StartTime: noon + 1, EndTime: noon + 2,
			UserID: "u-2", TariffID: "t-2"}}}
}

func goldenHour() *tables.Hour {
	return &tables.Hour{
		Opening: tables.Transition{At: noon - 1, State: chargestream.StateAvailable},
		Transitions: []tables.Transition{
			{At: noon + 60000, Arrival: noon + 61000, State: chargestream.StateOccupied,
				Activity: chargestream.ActivityIdle},
			{At: noon + 120000, Arrival: noon + 61000, State: chargestream.StateOccupied,
				Activity: chargestream.ActivityCharging}},
		Sessions: []tables.HourSession{
			{ID: "s-0", Starts: []tables.HourStart{{At: noon + 2000, Arrival: noon + 1500}}},
			{ID: "s-1", Starts: []tables.HourStart{{At: noon, Arrival: noon + 2000}},
				Decided: true, From: noon, To: noon + hour, StartArrival: noon + 2000,
				EndArrival: noon + hour, Due: noon + hour + chargestream.Grace, Energy: 7000,
				EndEnergy: of[chargestream.WattHours](6500)}},
		Quarters:  []tables.Quarter{goldenQuarter()},
		CoversEnd: true, Closed: true}
}

// golden is a row whose bytes are kept in testdata under its name.
type golden struct {
	name   string
	row    any
	append func(buf []byte) []byte
	decode func([]byte) (any, error)
}

func goldens() []golden {
	station, session, hour := goldenStation(), goldenSession(), goldenHour()
	registry, tariff := goldenRegistry(), goldenTariff()
	return []golden{
		{"station_v4", station, station.Append,
			func(b []byte) (any, error) { return tables.DecodeStation("st-1", b) }},
		{"session_v3", session, session.Append,
			func(b []byte) (any, error) { return tables.DecodeSession(b) }},
		{"hour_v3", hour, hour.Append,
			func(b []byte) (any, error) { return tables.DecodeHour(b) }},
		{"registry_v1", registry, registry.Append,
			func(b []byte) (any, error) { return tables.DecodeRegistry(b) }},
		{"tariff_v1", tariff, tariff.Append,
			func(b []byte) (any, error) { return tables.DecodeTariff(b) }},
	}
}

func (g *golden) bytes() []byte { return g.append(nil) }

// hexLines writes bytes as lines of 32.
func hexLines(row []byte) string {
	var text strings.Builder
	for len(row) > 0 {
		n := min(len(row), 32)
		text.WriteString(hex.EncodeToString(row[:n]) + "\n")
		row = row[n:]
	}
	return text.String()
}

func hexBytes(t *testing.T, text string) []byte {
	t.Helper()
	row, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		t.Fatal(err)
	}
	return row
}

// TestGoldenRows holds the bytes of every row: a changelog that was written before is read after.
func TestGoldenRows(t *testing.T) {
	for _, g := range goldens() {
		path := filepath.Join("testdata", g.name+".hex")
		if *update {
			if err := os.WriteFile(path, []byte(hexLines(g.bytes())), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(text), hexLines(g.bytes())); diff != "" {
			t.Errorf("%s is written in another way than before: %s", g.name, diff)
		}
		row, err := g.decode(hexBytes(t, string(text)))
		if err != nil {
			t.Errorf("%s: %v", g.name, err)
		}
		if diff := cmp.Diff(g.row, row); diff != "" {
			t.Errorf("%s: %s", g.name, diff)
		}
	}
}

// TestCutRowsAreRefused cuts and lengthens each golden row.
func TestCutRowsAreRefused(t *testing.T) {
	for _, g := range goldens() {
		for n := range g.bytes() {
			if _, err := g.decode(g.bytes()[:n]); !errors.Is(err, codecs.ErrCorrupt) {
				t.Errorf("%s cut to %d bytes: error %v", g.name, n, err)
			}
		}
		if _, err := g.decode(append(g.bytes(), 0)); !errors.Is(err, codecs.ErrCorrupt) {
			t.Errorf("%s with a byte behind it: error %v", g.name, err)
		}
		for version := range byte(5) {
			if version == g.bytes()[1] {
				continue
			}
			other := g.bytes()
			other[1] = version
			if _, err := g.decode(other); !errors.Is(err, codecs.ErrVersion) {
				t.Errorf("%s as of version %d: error %v", g.name, version, err)
			}
		}
		other := g.bytes()
		other[0]++
		if _, err := g.decode(other); !errors.Is(err, codecs.ErrCorrupt) {
			t.Errorf("%s as another kind: error %v", g.name, err)
		}
	}
}

// TestRowsAreReadAsWritten holds it for random rows, and that a row is appended to what is in the
// buffer.
func TestRowsAreReadAsWritten(t *testing.T) {
	same := func(t *rapid.T, want, got any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), ignoreFlushed); diff != "" {
			t.Fatal(diff)
		}
	}
	before := []byte("was there before")
	cut := func(t *rapid.T, buf []byte) []byte {
		t.Helper()
		row, ok := bytes.CutPrefix(buf, before)
		if !ok {
			t.Fatalf("%q is not behind what was in the buffer", buf)
		}
		return row
	}
	rapid.Check(t, func(t *rapid.T) {
		rows := drawRows(t)
		for _, id := range sorted(rows.Sessions) {
			row := rows.Sessions[id]
			row.Marks = drawMarks(t)
			back, err := tables.DecodeSession(cut(t, row.Append(bytes.Clone(before))))
			same(t, row, back, err)
		}
		for _, row := range append(slices.Collect(maps.Values(rows.Hours)), drawHour(t)) {
			back, err := tables.DecodeHour(cut(t, row.Append(bytes.Clone(before))))
			same(t, row, back, err)
		}
		back, err := tables.DecodeStation("st", cut(t, rows.Station.Append(bytes.Clone(before))))
		same(t, rows.Station, back, err)
	})
}

// ignoreFlushed leaves out of a connector whether its open quarter was flushed: one that is over is
// written as not flushed, as that makes no difference.
var ignoreFlushed = cmpopts.IgnoreFields(tables.Connector{}, "Flushed")

func drawMarks(t *rapid.T) tables.Marks {
	reference := rapid.Custom(func(t *rapid.T) tables.Reference {
		return tables.Reference{Revisions: rapid.IntRange(0, 1000).Draw(t, "revisions"),
			Tariff: rapid.SampledFrom([]chargestream.TariffID{"", "t"}).Draw(t, "tariff")}
	})
	return tables.Marks{BilledUpTo: tabletest.DrawTime(t, 300, "billed up to"),
		WakeAt:         tabletest.DrawTime(t, 300, "wake at"),
		RevisionOffset: rapid.IntRange(0, 9).Draw(t, "revision offset"),
		References:     rapid.SliceOfN(reference, 0, 3).Draw(t, "references"),
		Documents:      rapid.IntRange(0, 9).Draw(t, "documents"),
		Holds: rapid.SliceOfN(rapid.SampledFrom(chargestream.HoldReasons()), 0, 3).Draw(t,
			"holds"),
		DuplicateOf: rapid.SampledFrom([]chargestream.SessionID{"", "s0"}).Draw(t, "duplicate")}
}

func TestHourKey(t *testing.T) {
	for text, want := range map[string]tables.HourKey{
		"st/1/2026-03-02T12:00:00Z": {StationID: "st", ConnectorID: "1", Start: noon},
		"FR*A/B/C/CCS 1/2026-03-02T12:00:00Z": {StationID: "FR*A/B/C", ConnectorID: "CCS 1",
			Start: noon},
	} {
		got, err := tables.ParseHourKey(text)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
		if got.String() != text {
			t.Errorf("%q is written as %q", text, got)
		}
	}
	for _, text := range []string{"", "st", "st/1", "st/1/noon", "1/2026-03-02T12:00:00Z",
		"st/1/2026-03-02T12:00:00"} {
		if got, err := tables.ParseHourKey(text); !errors.Is(err, tables.ErrKey) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}
