package ocmf_test

import (
	"crypto/elliptic"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream/ocmf"
)

// sessionCase is a session of these payloads; want is what Result says beside serial and clocks.
type sessionCase struct {
	name     string
	payloads []string
	serial   string // the registry's
	want     string
}

// summary is a Result in a line: B and E for what is there, the energy, the problems.
func summary(r ocmf.Result) string {
	var b strings.Builder
	for _, mark := range []struct {
		is   bool
		name string
	}{{r.Begin, "B"}, {r.End, "E"}} {
		if mark.is {
			b.WriteString(mark.name)
		}
	}
	if r.Measured {
		fmt.Fprintf(&b, " %d", r.Energy)
	}
	for _, p := range r.Problems {
		b.WriteString("; " + p)
	}
	return b.String()
}

func begin(more ...string) string { return reading(beginAt, "B", "10.5", more...) }
func end(more ...string) string   { return reading(endAt, "E", "12.75", more...) }
func charging(more ...string) string {
	return reading("2026-06-01T08:30:00,000+0200 S", "C", "11", more...)
}

// export is a reading of the other direction.
func export(reading string) string { return strings.Replace(reading, ":1.8.0", ":2.8.0", 1) }

// register is a reading of another register.
func register(name, reading string) string { return strings.Replace(reading, "1-b:1.8.0", name, 1) }

func edgeCases() []sessionCase {
	last := func(reason string) []string {
		return []string{payload("T1", begin()), payload("T2", reading(endAt, reason, "12.75"))}
	}
	return []sessionCase{
		{"one text", []string{payload("T1", begin(), end())}, "M1", "BE 2250000"},
		{"two texts", []string{payload("T1", begin()), payload("T2", end())}, "", "BE 2250000"},
		{"in between", []string{payload("T9", begin()), payload("T10", charging(),
			reading(endAt, "S", "12.7"), reading(endAt, "T", "12.7")), payload("T11", end())},
			" M1 ", "BE 2250000"},
		{"local", last("L"), "", "BE 2250000"},
		{"remote", last("R"), "", "BE 2250000"},
		{"abort", last("A"), "", "BE 2250000"},
		{"power", last("P"), "", "BE 2250000"},
		{"begin only", []string{payload("T1", begin())}, "", "B"},
		{"end only", []string{payload("T1", end())}, "", "E"},
		{"neither", []string{payload("T1", charging())}, "", ""},
		{"nothing charged", []string{payload("T1", begin(), reading(endAt, "E", "10.50"))}, "",
			"BE 0"},
		{"fields left out", []string{payload("T1", begin(), `{"TM":"`+endAt+
			`","TX":"E","RV":12.75}`)}, "", "BE 2250000"},
		{"time left out", []string{payload("T1", begin(), `{"TX":"E","RV":12.75}`)}, "",
			"BE 2250000"},
		{"two units", []string{payload("T1", begin(), end(`"RU":"Wh"`, `"RV":12750.0`))}, "",
			"BE 2250000"},
		{"begin repeated", []string{payload("T1", begin()), payload("T2", begin(), end())}, "",
			"BE 2250000"},
		{"outside of transactions", []string{payload("T1", begin()), payload("F9",
			reading(endAt, "", "11")), payload("T2", end())}, "", "BE 2250000"},
		{"begin not first", []string{payload("T1", charging()), payload("T2", begin(), end())}, "",
			"BE 2250000; begin on T2 is not the first"},
		{"begin behind an event", []string{payload("T1", charging(`"RI":"x"`)),
			payload("T2", begin(), end())}, "", "BE 2250000; begin on T2 is not the first"},
		{"begin not first within", []string{payload("T1", charging(), begin(), end())}, "",
			"BE 2250000; begin on T1 is not the first"},
		{"end not last", []string{payload("T1", begin(), end()), payload("T2", charging())}, "",
			"BE 2250000; end on T1 is not the last"},
		{"end before an event", []string{payload("T1", begin(), end()),
			payload("T2", charging(`"RI":"x"`))}, "", "BE 2250000; end on T1 is not the last"},
		{"end not last within", []string{payload("T1", begin(), end(), charging())}, "",
			"BE 2250000; end on T1 is not the last"},
		{"two begins", []string{payload("T1", begin(), reading(beginAt, "B", "10.6"), end())}, "",
			"BE; begin on T1 is not the first"},
		{"two ends", []string{payload("T1", begin(), end(), reading(endAt, "L", "12.8"))}, "",
			"BE; end on T1 is not the last"},
		{"three ends", []string{payload("T1", begin(), end(), reading(endAt, "L", "12.8"),
			reading(endAt, "R", "12.9"))}, "", "BE; end on T1 is not the last"},
		{"no reason", []string{payload("T1", begin(), charging(`"TX":""`), end())}, "",
			`BE 2250000; reason "" on T1`},
		{"another reason", []string{payload("T1", begin(), charging(`"TX":"Q"`), end())}, "",
			"BE 2250000; reason Q on T1"},
		{"long reason", []string{payload("T1", begin(), charging(`"TX":"`+strings.Repeat("Q", 50)+
			`"`), end())}, "", `BE 2250000; reason "` + strings.Repeat("Q", 40) + `"… on T1`},
		{"exception", []string{payload("T1", begin(), charging(`"TX":"X"`), end())}, "",
			"BE; exception on T1"},
	}
}

func sourceCases() []sessionCase {
	from := func(old, new, payload string) string { return strings.Replace(payload, old, new, 1) }
	two := []string{payload("T1", begin()), payload("T2", end())}
	return []sessionCase{
		{"two serials", []string{two[0], from("M1", "M2", two[1])}, "",
			`BE; serials "M1" and "M2"`},
		{"two gateways", []string{two[0], from("G1", "G2", two[1])}, "",
			`BE; gateways "G1" and "G2"`},
		{"gateway told once", []string{two[0], from(`"GS":"G1",`, "", two[1])}, "", "BE 2250000"},
		{"another meter", two, "M2", `BE; serial "M1", the registry has "M2"`},
		{"gateway for meter", []string{from(`"MS":"M1",`, "", payload("T1", begin(), end()))}, "G1",
			"BE 2250000"},
		{"no serial", []string{from(`"GS":"G1","PG":"T1","MS":"M1",`, `"PG":"T1",`,
			payload("T1", begin(), end()))}, "", "BE; serial: none is told"},
		{"gap", []string{payload("T3", begin()), payload("T5", end())}, "",
			"BE 2250000; pagination: T5 follows T3"},
		{"gap over nine", []string{payload("T9", begin()), payload("T11", end())}, "",
			"BE 2250000; pagination: T11 follows T9"},
		{"page twice", []string{payload("T3", begin()), payload("T3", end())}, "",
			"BE 2250000; pagination: T3 twice"},
		{"status of the begin", []string{payload("T1", begin(`"ST":"F"`), end(`"ST":"G"`))}, "",
			"E; status F of the begin"},
		{"status of the end", []string{payload("T1", begin(), end(`"ST":"F"`))}, "",
			"B; status F of the end"},
		{"status in between", []string{payload("T1", begin(), charging(`"ST":"T"`),
			end())}, "", "BE 2250000; status T on T1"},
		{"no status", []string{payload("T1", begin(`"ST":null`), end())}, "",
			`E; status "" of the begin`},
		{"flags of the begin", []string{payload("T1", begin(`"EF":"Et"`), end())}, "",
			"E; error flags Et of the begin"},
		{"flags of the end", []string{payload("T1", begin(), end(`"EF":"t"`))}, "",
			"B; error flags t of the end"},
		{"flags in between", []string{payload("T1", begin(), charging(`"EF":"E"`), end())}, "",
			"BE 2250000; error flags E on T1"},
		{"flags last on", []string{payload("T1", begin(`"EF":"E"`), `{"TX":"E","RV":12.75}`)}, "",
			"; error flags E of the begin; error flags E of the end"},
	}
}

func energyCases() []sessionCase {
	two := func(b, e string) []string { return []string{payload("T1", b, e)} }
	all := func(readings ...string) []string { return []string{payload("T1", readings...)} }
	return []sessionCase{
		{"backwards", two(begin(), reading(endAt, "E", "10.499")), "",
			"BE; end 10499 Wh is below begin 10500 Wh"},
		{"more decimals than a mWh", two(begin(), reading(endAt, "E", "12.7500001")), "",
			"BE 2250000"},
		{"a part of a mWh backwards", two(begin(), reading(endAt, "E", "10.4999999")), "",
			"BE; end 10499.9999 Wh is below begin 10500 Wh"},
		{"no value", two(begin(`"RV":null`), end()), "", `E; value "" kWh of the begin`},
		{"unit of the end", two(begin(), end(`"RU":"kvarh"`)), "",
			`B; register "1-b:1.8.0" in unit "kvarh" of the end: no delivered energy`},
		{"unit of the begin", two(begin(`"RU":"sec"`), end()), "",
			`E; register "1-b:1.8.0" in unit "sec" of the begin: no delivered energy`},
		{"two registers", two(begin(), end(`"RI":"1-b:1.8.1"`)), "",
			`BE; register "1-b:1.8.0" at the begin, "1-b:1.8.1" at the end`},
		{"export only", two(export(begin()), export(end())), "",
			`; register "1-b:2.8.0" in unit "kWh" of the begin: no delivered energy; ` +
				`register "1-b:2.8.0" in unit "kWh" of the end: no delivered energy`},
		{"export beside", all(begin(), export(begin()), end(), export(end(`"RV":99`))), "",
			"BE 2250000"},
		{"export behind", all(begin(), end(), export(begin()), export(end(`"RV":99`))), "",
			"BE 2250000"},
		{"all exports", all(begin(), register("01-00:C0.08.00*FF", begin()), end(),
			register("01-00:C0.08.00*FF", end(`"RV":99`))), "", "BE 2250000"},
		{"power beside", all(begin(), end(), `{"RV":0.00,"RI":"1-b:1.9.0","RU":"kWh"}`), "",
			"BE 2250000"},
		{"last period beside", all(begin(), begin(`"RI":"01-0b:01.09.00*FF"`), end(),
			end(`"RI":"01-0b:01.09.00*FF"`, `"RV":99`)), "", "BE 2250000"},
		{"seconds beside", all(begin(), end(), `{"RV":"  30","RI":"0-0:0.8.6","RU":"sec"}`), "",
			"BE 2250000"},
		{"registers agree", all(begin(), begin(`"RI":"1-0:98.8.0"`, `"RV":0`), end(),
			end(`"RI":"1-0:98.8.0"`, `"RV":2.250`)), "", "BE 2250000"},
		{"registers differ", all(begin(), begin(`"RI":"1-0:98.8.0"`, `"RV":0`), end(),
			end(`"RI":"1-0:98.8.0"`, `"RV":2.251`)), "",
			`BE; registers "1-0:98.8.0" and "1-b:1.8.0" differ: 2251 and 2250 Wh`},
		{"behind the cable", all(begin(`"RI":"01-00:B2.08.00*FF"`),
			begin(`"RI":"01-00:B3.08.00*FF"`), end(`"RI":"01-00:B2.08.00*FF"`),
			end(`"RI":"01-00:B3.08.00*FF"`, `"RV":12.5`)), "", "BE 2000000"},
		{"no register", two(begin(`"RI":null`), end(`"RI":null`)), "", "BE 2250000"},
	}
}

// TestSession checks each case with a key and without: the same must come out.
func TestSession(t *testing.T) {
	key := newKey(t, elliptic.P256(), "meter")
	for _, c := range slices.Concat(edgeCases(), sourceCases(), energyCases()) {
		var texts, signed []string
		for _, p := range c.payloads {
			texts = append(texts, unsigned(p))
			signed = append(signed, sign(t, p, key))
		}
		got := ocmf.Session(texts, ocmf.Meter{Serial: c.serial})
		if line := summary(got); line != c.want || got.Verified != ocmf.Unverified {
			t.Errorf("%s:\n got %q %s\nwant %q", c.name, line, got.Verified, c.want)
		}
		got = ocmf.Session(signed, ocmf.Meter{Serial: c.serial, PublicKey: public(t, key)})
		if line := summary(got); line != c.want || got.Verified != ocmf.Verified {
			t.Errorf("%s, signed:\n got %q %s\nwant %q", c.name, line, got.Verified, c.want)
		}
	}
}

// TestSessionRefused: a text that is refused, or cannot be read, counts for nothing.
func TestSessionRefused(t *testing.T) {
	key, thief := newKey(t, elliptic.P256(), "meter"), newKey(t, elliptic.P256(), "thief")
	meter := ocmf.Meter{PublicKey: public(t, key)}
	first, last := payload("T1", begin()), payload("T2", end())
	refused := "signature of T2 refused: it is not of these bytes and the registry's key"
	for _, c := range []struct {
		name  string
		texts []string
		meter ocmf.Meter
		want  ocmf.Verification
		line  string
	}{
		{"end of another", []string{sign(t, first, key), sign(t, last, thief)}, meter,
			ocmf.Refused, "B; " + refused},
		{"signed twice", []string{sign(t, first, key), sign(t, last, key), sign(t, last, thief)},
			meter, ocmf.Refused, "BE 2250000; " + refused},
		{"unreadable", []string{sign(t, first, key), "OCMF"}, meter, ocmf.Refused,
			`B; unreadable: text: begins with "OCMF", not with OCMF|`},
		{"unreadable without a key", []string{unsigned(first), "OCMF"}, ocmf.Meter{},
			ocmf.Unverified, `B; unreadable: text: begins with "OCMF", not with OCMF|`},
	} {
		got := ocmf.Session(c.texts, c.meter)
		if line := summary(got); line != c.line || got.Verified != c.want {
			t.Errorf("%s: %q %s", c.name, line, got.Verified)
		}
	}
	// Two good signatures of one payload are one text.
	again := strings.Replace(sign(t, last, key), `,"SD"`, `, "SD"`, 1)
	got := ocmf.Session([]string{sign(t, first, key), sign(t, last, key), again}, meter)
	if line := summary(got); line != "BE 2250000" || got.Verified != ocmf.Verified {
		t.Error(line, got.Verified)
	}
}

func TestSessionEmpty(t *testing.T) {
	want := ocmf.Result{Verified: ocmf.Unverified}
	if diff := cmp.Diff(want, ocmf.Session(nil, ocmf.Meter{Serial: "M1"})); diff != "" {
		t.Error(diff)
	}
}

// TestSessionClock: a bad clock is told, and is no problem.
func TestSessionClock(t *testing.T) {
	for states, exact := range map[string]bool{"SS": true, "IR": true, "UR": true, "SR": true,
		"SI": false, "IS": false, "US": false, "II": false, "RS": false, "UU": false} {
		b := strings.Replace(begin(), "+0200 S", "+0200 "+states[:1], 1)
		e := strings.Replace(end(), "+0200 S", "+0200 "+states[1:], 1)
		r := ocmf.Session([]string{unsigned(payload("T1", b, e))}, ocmf.Meter{})
		if r.BeginSync != ocmf.Sync(states[0]) || r.EndSync != ocmf.Sync(states[1]) ||
			r.TimeExact() != exact || r.Problems != nil || r.Energy != 2_250_000 {
			t.Errorf("%s: %+v", states, r)
		}
	}
	relative := strings.Replace(end(), "+0200 S", "+0200 R", 1)
	r := ocmf.Session([]string{unsigned(payload("T1", relative))}, ocmf.Meter{})
	if r.TimeExact() || r.BeginSync != 0 || r.EndSync != ocmf.SyncRelative {
		t.Errorf("no begin: %+v", r)
	}
	// Of several registers the first reading tells.
	second := strings.Replace(begin(`"RI":"1-b:1.8.1"`), "+0200 S", "+0200 U", 1)
	r = ocmf.Session([]string{unsigned(payload("T1", begin(), second))}, ocmf.Meter{})
	if r.TimeExact() || r.BeginSync != ocmf.SyncSynchronised || r.EndSync != 0 {
		t.Errorf("no end: %+v", r)
	}
}

func TestSessionProblemsMax(t *testing.T) {
	texts := []string{unsigned(payload("T0", charging()))}
	for gaps := 1; gaps <= ocmf.ProblemsMax+2; gaps++ {
		texts = append(texts, unsigned(payload(fmt.Sprintf("T%d", 2*gaps), charging())))
		r := ocmf.Session(texts, ocmf.Meter{})
		last := r.Problems[len(r.Problems)-1]
		want := fmt.Sprintf("… %d more", gaps-ocmf.ProblemsMax+1)
		if len(r.Problems) != min(gaps, ocmf.ProblemsMax) || !slices.IsSorted(r.Problems) ||
			(last == want) != (gaps > ocmf.ProblemsMax) {
			t.Errorf("%d: %q", gaps, r.Problems)
		}
	}
}
