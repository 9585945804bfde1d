package oracle_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"chargestream/internal/oracle"
)

// change applies f to the value under key.
func change[V any](m map[string]V, key string, f func(*V)) {
	v := m[key]
	f(&v)
	m[key] = v
}

// fault is one mistake to plant, and a piece of each line that must tell it, in order.
type fault struct {
	name  string
	plant func(x *oracle.Expected)
	want  []string
}

func faults() []fault {
	p1 := oracle.WindowKey("S1", "P1", ms(3600))
	return []fault{
		{"none", func(*oracle.Expected) {}, nil},
		{"lost session", func(x *oracle.Expected) { delete(x.Sessions, "c") },
			[]string{"session c: missing"}},
		{"lost invoice", func(x *oracle.Expected) { delete(x.Invoices, "a") },
			[]string{"invoice a: missing"}},
		{"doubled invoice", func(x *oracle.Expected) { x.AddInvoice("a", x.Invoices["a"]) },
			[]string{"invoice a Live: want 1, got 2"}},
		{"extra invoice", func(x *oracle.Expected) { x.AddInvoice("z", x.Invoices["a"]) },
			[]string{"invoice z: too much"}},
		{"altered cent", func(x *oracle.Expected) {
			change(x.Invoices, "a", func(v *oracle.Invoice) { v.InclCents++ })
		}, []string{"invoice a InclCents: want 684, got 685"}},
		{"altered cent in a line", func(x *oracle.Expected) {
			change(x.Invoices, "a", func(v *oracle.Invoice) { v.Lines[1].VATCents-- })
		}, []string{"invoice a Lines: "}},
		{"swapped lines", func(x *oracle.Expected) {
			change(x.Invoices, "a", func(v *oracle.Invoice) { slices.Reverse(v.Lines) })
		}, []string{"invoice a Lines: "}},
		{"changed hold reason", func(x *oracle.Expected) {
			change(x.Invoices, "d", func(v *oracle.Invoice) { v.Reasons[1] = "no_energy" })
		}, []string{"invoice d Reasons: want [clock_skew session_not_ended], " +
			"got [clock_skew no_energy]"}},
		{"lost hold", func(x *oracle.Expected) {
			change(x.Invoices, "b", func(v *oracle.Invoice) { v.Held = false })
		}, []string{"invoice b Held: want true, got false"}},
		{"swapped users", func(x *oracle.Expected) {
			x.Users["U1"], x.Users["U2"] = x.Users["U2"], x.Users["U1"]
		}, []string{"user U1 Held", "user U1 IssuedCents: want 684, got 72", "user U2 Held",
			"user U2 IssuedCents"}},
		{"altered second", func(x *oracle.Expected) {
			change(x.Windows, p1, func(w *oracle.Window) { w.OccupiedS-- })
		}, []string{"window " + p1 + " OccupiedS: want 3600, got 3599"}},
		{"lost window", func(x *oracle.Expected) { delete(x.Windows, p1) },
			[]string{"window " + p1 + ": missing"}},
		{"altered second of a connector", func(x *oracle.Expected) { x.Connectors["S1/P1"]++ },
			[]string{"connector S1/P1: want 5401, got 5402"}},
		{"missing anomaly", func(x *oracle.Expected) { delete(x.Anomalies, "duplicate_session/b") },
			[]string{"anomaly duplicate_session/b: missing"}},
		{"extra anomaly", func(x *oracle.Expected) {
			x.AddAnomaly(oracle.AnomalyKey(oracle.KindOverlap, "e"),
				oracle.Anomaly{Kind: oracle.KindOverlap})
		}, []string{"anomaly overlapping_sessions/e: too much"}},
		{"doubled anomaly", func(x *oracle.Expected) {
			x.AddAnomaly(oracle.SkewKey("S1", ms(7)), oracle.Anomaly{Kind: oracle.KindClockSkew})
		}, []string{"anomaly clock_skew/S1/2017-04-01 Count: want 1, got 2"}},
		{"anomaly closed", func(x *oracle.Expected) {
			change(x.Anomalies, "session_not_ended/d",
				func(a *oracle.Anomaly) { a.State = "closed" })
		}, []string{`anomaly session_not_ended/d State: want open, got closed`}},
		{"state that nobody asked for", func(x *oracle.Expected) {
			change(x.Anomalies, "clock_skew/S1/2017-04-01",
				func(a *oracle.Anomaly) { a.State = "open" })
		}, nil},
		{"altered energy", func(x *oracle.Expected) { x.EnergyWh++ },
			[]string{"energy of all sessions, Wh: want 20008, got 20009"}},
		{"altered issued energy", func(x *oracle.Expected) { x.IssuedEnergyWh-- },
			[]string{"energy of issued sessions, Wh: want 10007, got 10006"}},
	}
}

// TestDiffTellsPlantedFaults plants one fault in a copy and wants exactly the lines that tell it.
func TestDiffTellsPlantedFaults(t *testing.T) {
	for _, fault := range faults() {
		t.Run(fault.name, func(t *testing.T) {
			got := byHand()
			fault.plant(got)
			lines := byHand().Diff(got)
			if !slices.EqualFunc(lines, fault.want, strings.Contains) {
				t.Errorf("Diff tells\n%s\nwant\n%s", strings.Join(lines, "\n"),
					strings.Join(fault.want, "\n"))
			}
		})
	}
}

// TestDiffMissesNoField changes every field of every part in turn, so that a field added later is
// compared too.
func TestDiffMissesNoField(t *testing.T) {
	fields := reflect.TypeFor[oracle.Expected]()
	for i := range fields.NumField() {
		if fields.Field(i).Type.Kind() != reflect.Map {
			x := byHand()
			other(t, reflect.ValueOf(x).Elem().Field(i))
			wantOne(t, fields.Field(i).Name, x)
			continue
		}
		if fields.Field(i).Type.Elem().Kind() != reflect.Struct {
			continue // a connector's seconds: a planted fault above
		}
		for j := range fields.Field(i).Type.Elem().NumField() {
			x := byHand()
			m := reflect.ValueOf(x).Elem().Field(i)
			key := reflect.ValueOf(lastKey(t, m))
			v := reflect.New(m.Type().Elem()).Elem()
			v.Set(m.MapIndex(key))
			other(t, v.Field(j))
			m.SetMapIndex(key, v)
			wantOne(t, fmt.Sprintf("%s[%s] field %d", fields.Field(i).Name, key, j), x)
		}
	}
}

func lastKey(t *testing.T, m reflect.Value) string {
	t.Helper()
	keys := make([]string, 0, m.Len())
	for _, k := range m.MapKeys() {
		keys = append(keys, k.String())
	}
	if len(keys) == 0 {
		t.Fatal("a part of the example is empty")
	}
	return slices.Max(keys)
}

func other(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.String:
		v.SetString(v.String() + "?")
	case reflect.Slice:
		v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
	default:
		t.Fatalf("no other value for a %s", v.Type())
	}
}

func wantOne(t *testing.T, name string, got *oracle.Expected) {
	t.Helper()
	if lines := byHand().Diff(got); len(lines) != 1 {
		t.Errorf("%s changed: Diff tells %q, want one line", name, lines)
	}
}

func TestDiffIsBounded(t *testing.T) {
	got := byHand()
	for i := range 1000 {
		got.AddInvoice(fmt.Sprint("extra-", i), oracle.Invoice{})
	}
	maps.DeleteFunc(got.Anomalies, func(string, oracle.Anomaly) bool { return true })
	lines := byHand().Diff(got)
	if want := 20 + 1 + 5; len(lines) != want || lines[20] != "invoice: 980 more differences" {
		t.Errorf("%d lines, want %d: %q", len(lines), want, lines)
	}
}

func TestTotalIsWhatUsersPay(t *testing.T) {
	got := byHand()
	got.Users, got.EnergyWh, got.IssuedEnergyWh = nil, 0, 0
	got.Total()
	same(t, byHand(), got)
}
