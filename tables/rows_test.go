package tables_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"chargestream"
	"chargestream/codecs"
	"chargestream/tables"
)

var update = flag.Bool("update", false, "write the golden files anew")

// noon is 2026-03-02T12:00:00Z.
const noon = begin + 12*chargestream.Hour

// goldenQuarter is a quarter with all that a quarter can have.
func goldenQuarter() tables.Quarter {
	return tables.Quarter{Start: noon, From: noon + 1500, Peak: 11040, Low: 3700,
		CurrentLow: 6000, CurrentPeak: 16000, Sampled: 0b111, Charging: 0b11, Named: true,
		Minutes: [15]tables.Reading{{At: noon + 1500, Energy: 1000},
			{At: noon + 60000, Energy: 990}, {At: noon + 121500, Energy: 1300}},
		First: tables.Reading{At: noon + 1500, Energy: 1000},
		Last:  tables.Reading{At: noon + 121500, Energy: 1300}, Min: 990, Max: 1300}
}

func goldenStation() *tables.Station {
	seen := noon + 10*chargestream.Minute
	return &tables.Station{ID: "st-1", LastSeen: seen,
		Connectors: []tables.Connector{
			{ID: "1", Statuses: []tables.Status{
				{At: seen, State: chargestream.StateOccupied,
					Activity: chargestream.ActivityCharging, Word: "Charging"},
				{At: noon - 1, State: chargestream.StateFaulted, Word: "Faulted",
					ErrorCode: "GroundFailure"}},
				Meter: chargestream.MeterValue{Time: seen, Energy: of[chargestream.WattHours](1300),
					Power: of[chargestream.Watts](11040), SoC: of[chargestream.Permille](805)},
				Running: tables.RunningSession{StartedAt: noon, ID: "s-1", UserID: "u-1"},
				LastEnd: noon - chargestream.Hour, Boundary: noon, Slot: goldenQuarter(),
				SlotSession: "s-1"},
			{ID: "2"}},
		Pending: []tables.Pending{
			{ID: "s-0", End: noon - chargestream.Hour, Arrival: noon - chargestream.Hour,
				ConnectorID: "1", Settled: true},
			{ID: "s-1", Start: noon, Arrival: noon + 2000, ConnectorID: "1"}},
		Ticks: []tables.Tick{{At: noon + chargestream.Quarter, ConnectorID: "1", Hour: noon},
			{At: noon + chargestream.Quarter, ID: "s-0"}},
		Skews: []tables.SkewDay{{Day: begin, First: noon, Ahead: 6 * chargestream.Minute}}}
}

func goldenSession() *tables.Session {
	late := tables.Quarter{Start: noon + chargestream.Quarter, Late: noon + chargestream.Hour,
		From: noon + chargestream.Quarter, Sampled: 1}
	end := noon + chargestream.Hour
	return &tables.Session{StationID: "st-1",
		Starts: []tables.Start{
			{At: noon, Arrival: noon + 2000, Told: noon, ConnectorID: "1", UserID: "u-1",
				Meter: of[chargestream.WattHours](1000)},
			{At: noon + 1000, Arrival: noon + 3000, Told: end, ConnectorID: "2", UserID: "u-1"}},
		Ends: []tables.End{{At: end, Arrival: end, Told: end + 1000, ConnectorID: "1",
			Energy: of[chargestream.WattHours](7000), Meter: of[chargestream.WattHours](8000),
			Reason: "Local"}},
		Quarters: []tables.Quarter{goldenQuarter(), late},
		Low:      noon, LastStart: noon + 1000, LastEnd: end,
		Verdict: tables.Verdict{Known: true,
			DuplicateOf: tables.Origin{Arrival: noon + 1000, ID: "s-0", At: noon}, Self: "s-1"},
		Hours: []tables.SessionHour{{ConnectorID: "1", Start: noon, Answered: end,
			Transitions: goldenHour().Transitions, Loads: goldenHour().Loads,
			Overlaps: []tables.Overlap{{ID: "s-2", Interval: tables.Interval{From: noon + 2000,
				To: end, StartArrival: noon + 2000, EndArrival: end + 500,
				Due: end + chargestream.Grace}, Copy: true}}}},
		Decisions: []tables.Decision{goldenRelease(), goldenCorrection()},
		Signed:    []tables.Signed{{At: noon, Arrival: noon + 2000, Text: "OCMF|{}|{}"}},
		Heard:     end + chargestream.Quarter, Told: end + chargestream.Grace,
		Shift: 1}
}

func goldenRelease() tables.Decision {
	return tables.Decision{Arrival: noon + chargestream.Day, Decision: chargestream.Decision{
		DecisionID: "d-1", Time: noon + chargestream.Day - 500, By: "ada", Reason: "seen",
		Action: chargestream.ActionRelease,
		Holds:  []chargestream.HoldReason{chargestream.HoldOverlap, chargestream.HoldConflict}}}
}

func goldenCorrection() tables.Decision {
	return tables.Decision{Arrival: noon + chargestream.Day + 1, Decision: chargestream.Decision{
		DecisionID: "d-2", Time: noon + chargestream.Day, By: "ada", Reason: "read",
		Action: chargestream.ActionCorrect, Correction: chargestream.Correction{
			Energy: of[chargestream.WattHours](6900), StartTime: noon + 1, EndTime: noon + 2,
			UserID: "u-2", TariffID: "t-2"}}}
}

func goldenHour() *tables.Hour {
	return &tables.Hour{
		Carry: tables.Transition{At: noon - 1, State: chargestream.StateAvailable},
		Transitions: []tables.Transition{
			{At: noon + 60000, Arrival: noon + 61000, State: chargestream.StateOccupied,
				Activity: chargestream.ActivityIdle},
			{At: noon + 120000, Arrival: noon + 61000, State: chargestream.StateOccupied,
				Activity: chargestream.ActivityCharging}},
		Stays: []tables.Stay{
			{ID: "s-0", Begins: []tables.Begin{{At: noon + 2000, Arrival: noon + 1500}}},
			{ID: "s-1", Begins: []tables.Begin{{At: noon, Arrival: noon + 2000}},
				Heard: noon + chargestream.Hour + chargestream.Grace, Whole: true,
				Span: tables.Interval{From: noon, To: noon + chargestream.Hour,
					StartArrival: noon + 2000, EndArrival: noon + chargestream.Hour,
					Due: noon + chargestream.Hour + chargestream.Grace},
				Interval: tables.Interval{From: noon, To: noon + chargestream.Hour,
					StartArrival: noon + 2000, EndArrival: noon + chargestream.Hour,
					Measure: 432, Energy: 7000,
					Due: noon + chargestream.Hour + chargestream.Grace}}},
		Loads:   []tables.Quarter{goldenQuarter()},
		Through: true, Closed: true, Heard: noon + 2*chargestream.Hour}
}

func goldenHourPart() *tables.HourPart {
	return &tables.HourPart{Key: tables.HourKey{StationID: "st-1", ConnectorID: "1", Start: noon},
		Row: *goldenHour(), Check: "s-1", Heard: noon + chargestream.Hour + chargestream.Grace}
}

// golden is a row whose bytes are kept in testdata under its name.
type golden struct {
	name   string
	row    any
	bytes  []byte
	decode func([]byte) (any, error)
}

func goldens() []golden {
	station, session, hour, part := goldenStation(), goldenSession(), goldenHour(), goldenHourPart()
	reference := goldenReference()
	return []golden{
		{"reference_v1", reference, reference.Append(nil),
			func(b []byte) (any, error) { return tables.DecodeReference(b) }},
		{"station_v2", station, station.Append(nil),
			func(b []byte) (any, error) { return tables.DecodeStation(b) }},
		{"session_v2", session, session.Append(nil),
			func(b []byte) (any, error) { return tables.DecodeSession(b) }},
		{"hour_v2", hour, hour.Append(nil),
			func(b []byte) (any, error) { return tables.DecodeHour(b) }},
		{"hour-part_v2", part, part.AppendPart(nil),
			func(b []byte) (any, error) { return tables.DecodeHourPart(part.Key.String(), b) }},
	}
}

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

// TestGoldenRows holds the bytes of every row: what is in a broker must be read for ever.
func TestGoldenRows(t *testing.T) {
	for _, g := range goldens() {
		path := filepath.Join("testdata", g.name+".hex")
		if *update {
			if err := os.WriteFile(path, []byte(hexLines(g.bytes)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(text), hexLines(g.bytes)); diff != "" {
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
		for n := range g.bytes {
			if _, err := g.decode(g.bytes[:n]); !errors.Is(err, codecs.ErrCorrupt) {
				t.Errorf("%s cut to %d bytes: error %v", g.name, n, err)
			}
		}
		if _, err := g.decode(append(bytes.Clone(g.bytes), 0)); !errors.Is(err, codecs.ErrCorrupt) {
			t.Errorf("%s with a byte behind it: error %v", g.name, err)
		}
		for version := range byte(4) {
			if version == g.bytes[1] {
				continue
			}
			other := bytes.Clone(g.bytes)
			other[1] = version
			if _, err := g.decode(other); !errors.Is(err, codecs.ErrVersion) {
				t.Errorf("%s as of version %d: error %v", g.name, version, err)
			}
		}
		other := bytes.Clone(g.bytes)
		other[0]++
		if _, err := g.decode(other); !errors.Is(err, codecs.ErrCorrupt) {
			t.Errorf("%s as another kind: error %v", g.name, err)
		}
	}
}

// TestRowsAreReadAsWritten holds it for random rows.
func TestRowsAreReadAsWritten(t *testing.T) {
	same := func(t *rapid.T, want, got any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		session := drawSession(t)
		sessionBack, err := tables.DecodeSession(session.Append([]byte("was there before")))
		same(t, session, sessionBack, err)
		part := &tables.HourPart{Key: hourKey, Row: *drawHour(t), Check: drawStayID(t),
			Heard: drawTime(t, 300, "heard")}
		partBack, err := tables.DecodeHourPart(part.Key.String(), part.AppendPart(nil))
		same(t, part, partBack, err)
		hourBack, err := tables.DecodeHour(part.Row.Append(nil))
		same(t, &part.Row, hourBack, err)
		station := &tables.Station{}
		var out tables.StationEffects
		for _, a := range drawEvents(t) {
			station.Fold(a.event, a.arrival-chargestream.Hour,
				&out) // so that some clocks are ahead
		}
		stationBack, err := tables.DecodeStation(station.Append(nil))
		same(t, station, stationBack, err)
	})
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
