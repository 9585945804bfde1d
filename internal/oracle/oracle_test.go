package oracle_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"chargestream/internal/oracle"
)

const head = "record_id,ingested_at,station_ref,station_name,lat,lon,charge_point_ref,plug_ref," +
	"connector_type,user,started_at,stopped_at,stop_reason,stop_user,energy_wh,tx_duration_s\n"

// base is 2017-04-01T00:00:00Z; the comments count seconds from there.
const base int64 = 1491004800

// Session a is plain; b is a again, later and a little longer; c begins when a ends;
// d never ends, 301 s ahead and without a plug; e, exactly 300 s ahead, has no energy.
const fiveRows = head +
	// e: arrives at 0, lasts from 300 to 315
	"e,1491004800,S1,N,0,0,C3,P3,TE,U2,1491005100,1491005115,,,,\n" +
	// a: arrives at 1805, lasts from 1800 to 5400
	"a,1491006605,S1,N,0,0,C1,P1,TE,U1,1491006600,1491010200,Badge,U1,10000,3600\n" +
	// c: arrives at 5400, lasts from 5400 to 7201
	"c,1491010200,S1,N,0,0,C1,P1,TE,U2,1491010200,1491012001,Badge,U2,7,1801\n" +
	// d: arrives at 6999, starts at 7300
	"d,1491011799,S1,N,0,0,C2,,TE,U1,1491012100,0,,,144,\n" +
	// b: arrives at 100000, lasts from 1800 to 5500
	"b,1491104800,S1,N,0,0,C1,P1,TE,U1,1491006600,1491010300,Badge,U1,10001,3700\n"

func tariff(t *testing.T) oracle.Tariff {
	t.Helper()
	made, err := oracle.NewTariff("EUR", "0.45", "1.20", "20")
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func read(t *testing.T, text string) ([]oracle.Row, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sessions.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return oracle.Read(path)
}

func same(t *testing.T, want, got *oracle.Expected) {
	t.Helper()
	for _, d := range want.Diff(got) {
		t.Error(d)
	}
}

func energyLine(wh, excl, vat, incl int64) oracle.Line {
	return oracle.Line{Dimension: "ENERGY", Quantity: wh, UnitPrice: "0.45", VATPercent: "20",
		ExclCents: excl, VATCents: vat, InclCents: incl}
}

func timeLine(seconds, excl, vat, incl int64) oracle.Line {
	return oracle.Line{Dimension: "TIME", Quantity: seconds, UnitPrice: "1.2", VATPercent: "20",
		ExclCents: excl, VATCents: vat, InclCents: incl}
}

func ms(seconds int64) int64 { return (base + seconds) * 1000 }

// byHand is what comes out of fiveRows, worked out on paper.
func byHand() *oracle.Expected {
	x := oracle.New()
	x.Sessions = map[string]oracle.Session{
		"a": {"S1", "P1", "U1", ms(1800), true, ms(5400), true, 10000},
		"b": {"S1", "P1", "U1", ms(1800), true, ms(5500), true, 10001},
		"c": {"S1", "P1", "U2", ms(5400), true, ms(7201), true, 7},
		"d": {"S1", "C2", "U1", ms(7300), false, 0, false, 0},
		"e": {"S1", "P3", "U2", ms(300), true, ms(315), false, 0},
	}
	x.Invoices = map[string]oracle.Invoice{
		// 10 kWh * 0.45 = 4.50 and 1 h * 1.20
		"a": {1, "S1", "P1", "U1", "EUR", ms(1800), ms(5400), 3600, 10000, false, nil,
			[]oracle.Line{energyLine(10000, 450, 90, 540), timeLine(3600, 120, 24, 144)},
			570, 114, 684},
		// 4.50045 and 1.2333; VAT is 1.14676, 0.25 of it of the time
		"b": {1, "S1", "P1", "U1", "EUR", ms(1800), ms(5500), 3700, 10001, true,
			[]string{"duplicate_session"},
			[]oracle.Line{energyLine(10001, 450, 90, 540), timeLine(3700, 123, 25, 148)},
			573, 115, 688},
		// 0.00315 and 0.60033
		"c": {1, "S1", "P1", "U2", "EUR", ms(5400), ms(7201), 1801, 7, false, nil,
			[]oracle.Line{energyLine(7, 0, 0, 0), timeLine(1801, 60, 12, 72)},
			60, 12, 72},
		"d": {1, "S1", "C2", "U1", "", ms(7300), 0, 0, 0, true,
			[]string{"clock_skew", "session_not_ended"}, nil, 0, 0, 0},
		// its time alone is not billed
		"e": {1, "S1", "P3", "U2", "EUR", ms(300), ms(315), 15, 0, true,
			[]string{"no_energy"}, nil, 0, 0, 0},
	}
	x.Users = map[string]oracle.UserTotal{"U1": {1, 2, 684}, "U2": {1, 1, 72}}
	x.Windows = map[string]oracle.Window{
		// a's end (5400) and both of b (100000) arrive after 4200
		"S1/P1/2017-04-01T00:00:00Z": {"S1", "P1", ms(0), 1800, 1800, 5000, 1, 3},
		// b arrives after 7800
		"S1/P1/2017-04-01T01:00:00Z": {"S1", "P1", ms(3600), 3600, 0, 5006, 1, 2},
		"S1/P1/2017-04-01T02:00:00Z": {"S1", "P1", ms(7200), 1, 3599, 1, 0, 1},
		"S1/C2/2017-04-01T02:00:00Z": {"S1", "C2", ms(7200), 0, 3600, 0, 1, 1},
		"S1/P3/2017-04-01T00:00:00Z": {"S1", "P3", ms(0), 15, 3585, 0, 1, 1},
	}
	x.Connectors = map[string]int64{"S1/P1": 5401, "S1/C2": 0, "S1/P3": 15}
	x.Anomalies = map[string]oracle.Anomaly{
		"duplicate_session/b": {1, "duplicate_session", "S1", "open"},
		// b's end came with its start, long after both: nobody missed it in between
		"session_not_ended/d":      {1, "session_not_ended", "S1", "open"},
		"clock_skew/d":             {1, "clock_skew", "S1", "open"},
		"no_energy/e":              {1, "no_energy", "S1", "open"},
		"clock_skew/S1/2017-04-01": {1, "clock_skew", "S1", ""},
	}
	x.EnergyWh, x.IssuedEnergyWh = 20008, 10007
	return x
}

func TestExpectByHand(t *testing.T) {
	rows, err := read(t, fiveRows)
	if err != nil {
		t.Fatal(err)
	}
	got := oracle.Expect(rows, tariff(t))
	same(t, byHand(), got)
	same(t, got, byHand())
	slices.Reverse(rows)
	same(t, got, oracle.Expect(rows, tariff(t)))
}

// row is a session of S1/P1 from start to end, in seconds after base, that arrives as it goes.
func row(id string, start, end, energy int64) oracle.Row {
	return oracle.Row{ID: id, Station: "S1", Connector: "P1", User: "U1", StartMs: ms(start),
		StartArrivalMs: ms(start), HasEnd: true, EndMs: ms(end), EndArrivalMs: ms(end),
		HasEnergy: true, EnergyWh: energy}
}

func TestSessionsThatTakeNoTime(t *testing.T) {
	long := row("long", 0, 3000, 9)
	instant := row("instant", 1000, 1000, 5)
	backward := row("backward", 2000, 200, 70) // half an hour back: -0.60 for the time
	x := oracle.Expect([]oracle.Row{long, instant, backward}, tariff(t))
	want := oracle.Window{Station: "S1", Connector: "P1", StartMs: ms(0), OccupiedS: 3000,
		UnknownS: 600, EnergyWh: 84, Sessions: 3, Revision: 1}
	if got := x.Windows[oracle.WindowKey("S1", "P1", ms(0))]; got != want {
		t.Errorf("window: got %+v, want %+v", got, want)
	}
	if len(x.Windows) != 1 {
		t.Errorf("windows %v: want one", x.Windows)
	}
	v := x.Invoices["instant"]
	if v.Held || !slices.Equal(v.Lines, []oracle.Line{energyLine(5, 0, 0, 0)}) {
		t.Errorf("instant: %+v, want it issued without a TIME line", v)
	}
	// No connector delivers anything in less than no time.
	v = x.Invoices["backward"]
	reasons := []string{oracle.HoldNegativeDuration, oracle.HoldOverPower}
	if !slices.Equal(v.Reasons, reasons) || v.DurationS != -1800 || len(v.Lines) != 0 ||
		v.InclCents != 0 {
		t.Errorf("backward: %+v, want it held for %v without lines", v, reasons)
	}
	for key, state := range map[string]string{
		"negative_duration/backward": oracle.StateOpen,
		// its end was known before its start
		"stop_without_start/backward": oracle.StateClosed,
	} {
		if got := x.Anomalies[key].State; got != state {
			t.Errorf("%s is %q, want %q", key, got, state)
		}
	}
}

func TestOverlapHoldsBoth(t *testing.T) {
	open := row("open", 100, 0, 0)
	open.HasEnd, open.EndMs, open.EndArrivalMs = false, 0, 0
	x := oracle.Expect([]oracle.Row{row("a", 0, 3000, 1), row("b", 100, 200, 1),
		row("c", 300, 400, 1), row("d", 3000, 3100, 1), row("twin", 300, 350, 1), open}, tariff(t))
	for id, want := range map[string]bool{
		"a": true, "b": true, "c": true, "d": false, "twin": false, "open": false,
	} {
		key := oracle.AnomalyKey(oracle.KindOverlap, id)
		if _, told := x.Anomalies[key]; told != want ||
			slices.Contains(x.Invoices[id].Reasons, oracle.HoldOverlap) != want {
			t.Errorf("%s: held for %v, told %v, want %v", id, x.Invoices[id].Reasons, told, want)
		}
	}
}

func TestBoundaries(t *testing.T) {
	onTime, late := row("on-time", 0, 60, 1), row("late", 0, 60, 1)
	late.Connector = "P2"
	stored := row("stored", 0, 60, 1)
	stored.Connector, stored.StartArrivalMs, stored.EndArrivalMs = "P3", ms(90000), ms(90601)
	onTime.EndArrivalMs, late.EndArrivalMs = ms(86400), ms(86401)
	x := oracle.Expect([]oracle.Row{onTime, late, stored}, tariff(t))
	if got := x.Anomalies["session_not_ended/stored"].State; got != oracle.StateClosed {
		t.Errorf("an end the grace and a second after a late start: state %q, want closed", got)
	}
	if _, ok := x.Anomalies["session_not_ended/on-time"]; ok {
		t.Error("an end that comes a day after its start is called missing")
	}
	if got := x.Anomalies["session_not_ended/late"].State; got != oracle.StateClosed {
		t.Errorf("an end that comes a day and a second after its start: state %q, want closed", got)
	}
	var rows []oracle.Row
	for i, arrival := range []int64{4200, 4201, 4202, 4202, 4203, 4204, 4205, 4206, 4207, 4208,
		4209, 4210} {
		r := row(string(rune('a'+i)), int64(i), int64(i+1), 1)
		r.EndArrivalMs = ms(arrival)
		rows = append(rows, r)
		// at 4200 nothing is late, 4202 is there twice, and nobody counts beyond eight
		want := 1 + min(max(0, int(arrival)-4200), 8)
		got := oracle.Expect(rows, tariff(t)).Windows[oracle.WindowKey("S1", "P1", ms(0))]
		if got.Revision != want {
			t.Errorf("after an arrival at %d: revision %d, want %d", arrival, got.Revision, want)
		}
	}
}

func TestMoneyText(t *testing.T) {
	for text, want := range map[string]string{"0.45": "0.45", "1.20": "1.2", "020.00": "20",
		"0": "0", "0.00": "0"} {
		if got, err := oracle.Decimal(text); err != nil || got != want {
			t.Errorf("Decimal(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"", ".5", "5.", "-1", "+1", "1e3", "1/3", "1.2.3", "1234567890"} {
		if got, err := oracle.Decimal(text); err == nil {
			t.Errorf("Decimal(%q) = %q, want an error", text, got)
		}
	}
	for text, want := range map[string]int64{"6.84": 684, "0.00": 0, "-0.05": -5} {
		if got, err := oracle.Cents(text); err != nil || got != want {
			t.Errorf("Cents(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "6", "6.8", "6.845", ".84", "+6.84", "-+6.84", "--6.84",
		"6.+4"} {
		if got, err := oracle.Cents(text); err == nil {
			t.Errorf("Cents(%q) = %d, want an error", text, got)
		}
	}
	if _, err := oracle.NewTariff("EUR", "0.45", "1.20", "100.01"); err == nil {
		t.Error("a VAT above 100 is taken")
	}
}

func TestReadRefuses(t *testing.T) {
	good := "x,1491004800,S1,N,0,0,C3,P3,TE,U2,1491005100,,,,12,\n"
	rows, err := read(t, head+good)
	if err != nil || len(rows) != 1 || rows[0].HasEnd {
		t.Fatalf("got %+v, %v; want one row without an end", rows, err)
	}
	for name, text := range map[string]string{
		"an empty file":      "",
		"a missing column":   strings.Replace(head, "plug_ref", "plug", 1) + good,
		"an id twice":        head + good + good,
		"a row cut short":    head + "x,1491004800\n",
		"a time in words":    head + strings.Replace(good, "1491005100", "noon", 1),
		"an absent start":    head + strings.Replace(good, "1491005100", "", 1),
		"a negative energy":  head + strings.Replace(good, ",12,", ",-12,", 1),
		"a broken energy":    head + strings.Replace(good, ",12,", ",1.2,", 1),
		"no connector":       head + strings.Replace(good, "C3,P3", ",", 1),
		"an arrival too far": head + strings.Replace(good, "1491004800", "99999999999", 1),
	} {
		if _, err := read(t, text); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
