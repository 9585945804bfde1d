package ocmf_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream"
	"chargestream/ocmf"
)

const (
	beginAt = "2026-06-01T08:10:00,000+0200 S"
	endAt   = "2026-06-01T09:25:30,250+0200 S"
)

// reading is a reading that tells all that energy hangs on; more replaces or adds members.
func reading(at, reason, value string, more ...string) string {
	members := []string{`"TM":"` + at + `"`, `"TX":"` + reason + `"`, `"RV":` + value,
		`"RI":"1-b:1.8.0"`, `"RU":"kWh"`, `"EF":""`, `"ST":"G"`}
	for _, m := range more {
		name, _, _ := strings.Cut(m, ":")
		replaced := false
		for i := range members {
			if strings.HasPrefix(members[i], name+":") {
				members[i], replaced = m, true
			}
		}
		if !replaced {
			members = append(members, m)
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

// payload is what a meter signs.
func payload(page string, readings ...string) string {
	return fmt.Sprintf(`{"FV":"1.2","GS":"G1","PG":"%s","MS":"M1","RD":[%s]}`, page,
		strings.Join(readings, ","))
}

// unsigned is a text whose signature is of no use.
func unsigned(payload string) string { return `OCMF|` + payload + `|{"SD":"3006020101020101"}` }

func TestParse(t *testing.T) {
	begin := reading(beginAt, "B", "10.50")
	text := unsigned(payload("T12", begin, `{"TM":"`+endAt+`","TX":"C","EF":"t"}`,
		`{"TX":"E","RV":11,"EF":"","ST":"F"}`))
	v, err := ocmf.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) chargestream.Millis {
		var m chargestream.Millis
		if err := m.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		return m
	}
	first := ocmf.Reading{At: at("2026-06-01T06:10:00Z"), Sync: ocmf.SyncSynchronised,
		Reason: "B", Value: "10.50", Register: "1-b:1.8.0", Unit: "kWh", Status: "G"}
	second := first
	second.At, second.Reason, second.Flags = at("2026-06-01T07:25:30.25Z"), "C", "t"
	third := second
	third.Reason, third.Value, third.Flags, third.Status = "E", "11", "", "F"
	want := &ocmf.Value{Raw: text, Page: ocmf.Page{Context: 'T', Number: 12}, Gateway: "G1",
		Payload: strings.Split(text, "|")[1], Meter: "M1",
		Readings: []ocmf.Reading{first, second, third}, Algorithm: "ECDSA-secp256r1-SHA256",
		Signature: []byte{0x30, 6, 2, 1, 1, 2, 1, 1}}
	if diff := cmp.Diff(want, v); diff != "" {
		t.Error(diff)
	}
	if v.Serial() != "M1" || v.Page.String() != "T12" {
		t.Error(v.Serial(), v.Page)
	}
}

// TestParseAsWritten has what meters write though the format says otherwise, or leaves open.
func TestParseAsWritten(t *testing.T) {
	parse := func(text string) *ocmf.Value {
		t.Helper()
		v, err := ocmf.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	begin := reading(beginAt, "B", `"   9.038"`)
	if v := parse(unsigned(payload("T1", begin))); v.Readings[0].Value != "9.038" {
		t.Error(v.Readings[0].Value)
	}
	if v := parse(unsigned(`{"PG":"T007","GS":4711,"MS":null,"RD":[` + begin + `]}`)); v.Serial() !=
		"4711" || v.Page.Number != 7 {
		t.Error(v.Serial(), v.Page)
	}
	dotted := strings.Replace(beginAt, ",", ".", 1)
	if v := parse(unsigned(payload("F1", reading(dotted, "", "1")))); v.Page.Context != 'F' {
		t.Error(v.Page)
	}
	spaced := " {\"PG\":\"T1\",\n\"TT\":\"a \\\" | b}\",\"RD\":[" + begin + "]}\t"
	v := parse("OCMF|" + spaced + "| {\"SD\":\"MAYCAQECAQE=\",\"SE\":\"base64\"} \n")
	if v.Payload != spaced || len(v.Signature) != 8 {
		t.Errorf("%q", v.Payload)
	}
}

func TestParseRefuses(t *testing.T) {
	begin := reading(beginAt, "B", "1")
	good := payload("T1", begin)
	in := func(old, new string) string { return unsigned(strings.Replace(good, old, new, 1)) }
	sign := func(section string) string { return "OCMF|" + good + "|" + section }
	for name, c := range map[string]struct{ text, want string }{
		"empty":             {"", `text: begins with "", not with OCMF|`},
		"another header":    {"ocmf|{}|{}", `text: begins with "ocmf|{}|{}", not with OCMF|`},
		"too long":          {strings.Repeat("O", ocmf.BytesMax+1), "text: 16385 bytes"},
		"no text":           {"OCMF|{\xff}|{}", "text: no UTF-8"},
		"no object":         {"OCMF|7|{}", "payload: no JSON object"},
		"a list":            {"OCMF|[{}]|{}", "payload: no JSON object"},
		"open":              {`OCMF|{"a":"}|{}`, "payload: no JSON object"},
		"too deep":          {`OCMF|{"a":` + strings.Repeat("[", 8), "payload: deeper than 8"},
		"no signature":      {"OCMF|" + good, `payload: no pipe follows, but ""`},
		"bad JSON":          {unsigned(`{"PG":"T1",}`), "payload: no JSON"},
		"empty signature":   {"OCMF|" + good + "|", "signature: no JSON object"},
		"bad signature":     {sign(`{]`), "signature: no JSON"},
		"signature no JSON": {sign(`{1:2}`), "signature: no JSON"},
		"a key behind":      {unsigned(good) + `|{}`, `signature: is followed by "|{}"`},
		"name twice":        {in(`"MS"`, `"PG":"T2","MS"`), `payload: "PG" twice`},
		"escaped twice":     {in(`"MS"`, `"P\u0047":"T2","MS"`), `payload: "PG" twice`},
		"version":           {in(`"FV":"1.2"`, `"FV":"2.0"`), `FV: version "2.0"`},
		"no page":           {in(`"PG"`, `"pg"`), `PG: page ""`},
		"page of a letter":  {in("T1", "X1"), `PG: page "X1"`},
		"page below zero":   {in("T1", "T-1"), `PG: page "T-1"`},
		"page too large":    {in("T1", "T18446744073709551616"), `PG: page "T184`},
		"serial":            {in(`"M1"`, `{}`), `MS: "{}" is neither text nor number`},
		"no readings":       {in(`"RD"`, `"rd"`), "RD: no readings"},
		"empty readings":    {unsigned(payload("T1")), "RD: no readings"},
		"no reading":        {unsigned(payload("T1", "7")), "RD: no JSON object in reading 0"},
		"reading twice": {in(`"RV":1`, `"RV":1,"RV":2`),
			`RD: "RV" twice in reading 0`},
		"a list for a word": {in(`"ST":"G"`, `"ST":[]`), `ST: "[]" is neither`},
		"too many readings": {unsigned(payload("T1", begin, "{}"+strings.Repeat(",{}",
			ocmf.ReadingsMax-1))), "RD: 257 readings"},
		"no time":        {in(`"TM"`, `"tm"`), `TM: time "" in reading 0`},
		"no clock state": {in("+0200 S", "+0200"), "TM: time"},
		"clock states":   {in("+0200 S", "+0200 SR"), "TM: time"},
		"clock state":    {in("+0200 S", "+0200 X"), "TM: time"},
		"time of seconds": {in(",000+0200", "+0200"),
			"TM: time"},
		"time without zone": {in("+0200 S", " S"), "TM: time"},
		"no such time":      {in("2026-06-01", "2026-02-30"), "TM: time"},
		"second time":       {unsigned(payload("T1", begin, `{"TM":"soon"}`)), "in reading 1"},
		"no signature data": {sign(`{"SA":"x"}`), "SD: no signature"},
		"no hex":            {sign(`{"SD":"3g"}`), "SD: "},
		"no base64":         {sign(`{"SE":"base64","SD":"!"}`), "SD: "},
		"encoding":          {sign(`{"SE":"Hex","SD":"30"}`), `SE: encoding "Hex"`},
		"form":              {sign(`{"SM":"text/plain","SD":"30"}`), `SM: type "text/plain"`},
		"signature a flag":  {sign(`{"SD":true}`), `SD: "true" is neither`},
	} {
		v, err := ocmf.Parse(c.text)
		if v != nil || !errors.Is(err, ocmf.ErrOCMF) {
			t.Errorf("%s: %v, %v", name, v, err)
		} else if !strings.HasPrefix(err.Error(), "ocmf: "+c.want) &&
			!strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// TestParseBounds: what is just within the bounds is read.
func TestParseBounds(t *testing.T) {
	begin := reading(beginAt, "B", "1")
	text := unsigned(payload("T1", begin, "{}"+strings.Repeat(",{}", ocmf.ReadingsMax-2)))
	if v, err := ocmf.Parse(text); err != nil || len(v.Readings) != ocmf.ReadingsMax {
		t.Error(err)
	}
	if _, err := ocmf.Parse(text + strings.Repeat(" ", ocmf.BytesMax-len(text))); err != nil {
		t.Error(err)
	}
	deep := strings.Replace(payload("T1", begin), `"MS"`, `"U":`+strings.Repeat("[", 7)+
		strings.Repeat("]", 7)+`,"MS"`, 1)
	if _, err := ocmf.Parse(unsigned(deep)); err != nil {
		t.Error(err)
	}
}

func TestEnergy(t *testing.T) {
	for _, c := range []struct {
		value, unit string
		want        int64
		bad         bool
	}{
		{value: "2935.6", unit: "kWh", want: 2_935_600_000},
		{value: "0.000001", unit: "kWh", want: 1},
		{value: "0.0000010", unit: "kWh", want: 1},
		{value: "00000000.000", unit: "kWh", want: 0},
		{value: "2850685", unit: "Wh", want: 2_850_685_000},
		{value: "0.001", unit: "Wh", want: 1},
		{value: "1.5e3", unit: "Wh", want: 1_500_000},
		{value: "15E-1", unit: "Wh", want: 1500},
		{value: "1e-6", unit: "kWh", want: 1},
		{value: "0e20", unit: "kWh", want: 0},
		{value: ".5", unit: "kWh", want: 500_000},
		{value: "999999999.999999", unit: "kWh", want: 999_999_999_999_999},
		{value: "1709.539307", unit: "Wh", want: 1_709_539},
		{value: "999999999.9999999999999999999", unit: "kWh", want: 999_999_999_999_999},
		{value: "1000000000", unit: "kWh", bad: true},
		{value: "0.0000001", unit: "kWh", want: 0},
		{value: "0.0001", unit: "Wh", want: 0},
		{value: "1e-7", unit: "kWh", want: 0},
		{value: "1e21", unit: "Wh", bad: true},
		{value: "0e-20", unit: "Wh", want: 0},
		{value: "0e-21", unit: "Wh", bad: true},
		{value: "0e21", unit: "Wh", bad: true},
		{value: "1e-20", unit: "kWh", want: 0},
		{value: "1e", unit: "Wh", bad: true},
		{value: "-1", unit: "kWh", bad: true},
		{value: "", unit: "kWh", bad: true},
		{value: ".", unit: "kWh", bad: true},
		{value: "1.2.3", unit: "kWh", bad: true},
		{value: "1,5", unit: "kWh", bad: true},
		{value: "1_0", unit: "kWh", bad: true},
		{value: "1", unit: "MWh", bad: true},
		{value: "1", unit: "kwh", bad: true},
		{value: "1", unit: "", bad: true},
	} {
		r := ocmf.Reading{Value: c.value, Unit: c.unit}
		got, err := r.Energy()
		if got != c.want || errors.Is(err, ocmf.ErrOCMF) != c.bad {
			t.Errorf("%s %s: %d, %v", c.value, c.unit, got, err)
		}
	}
}

func TestSync(t *testing.T) {
	for sync, want := range map[ocmf.Sync]string{ocmf.SyncUnknown: "unknown", 0: "unknown",
		ocmf.SyncInformative: "informative", ocmf.SyncSynchronised: "synchronised",
		ocmf.SyncRelative: "relative"} {
		if got := sync.String(); got != want {
			t.Error(got, want)
		}
	}
}
