package ocmf_test

import (
	"crypto/elliptic"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"chargestream/ocmf"
)

// FuzzParse: any text is read or refused, a text that is read is kept as it came, and a session
// of it never says more than it knows.
func FuzzParse(f *testing.F) {
	key := newKey(f, elliptic.P256(), "meter")
	for _, c := range slices.Concat(edgeCases(), sourceCases(), energyCases()) {
		for _, p := range c.payloads {
			f.Add(sign(f, p, key))
		}
	}
	f.Add("OCMF|{\"TT\":\"a|\\\"}\",\"PG\":\"T1\"} |{}\n")
	registered := public(f, key)
	f.Fuzz(func(t *testing.T, text string) {
		v, err := ocmf.Parse(text)
		if err != nil && !errors.Is(err, ocmf.ErrOCMF) {
			t.Fatal(err)
		}
		if err == nil && (v.Raw != text || len(v.Readings) == 0 || len(v.Signature) == 0) {
			t.Fatalf("%+v", v)
		}
		for _, meter := range []ocmf.Meter{{}, {Serial: "M1", PublicKey: registered}} {
			r := ocmf.Session([]string{text}, meter)
			checkResult(t, r)
			if err != nil && (r.Begin || r.End || len(r.Problems) != 1) {
				t.Fatalf("%+v", r)
			}
		}
	})
}

// checkResult holds what every result must hold.
func checkResult(t interface{ Fatalf(string, ...any) }, r ocmf.Result) {
	switch {
	case len(r.Problems) > ocmf.ProblemsMax || !slices.IsSorted(r.Problems),
		r.Measured && !(r.Begin && r.End),
		!r.Measured && r.Energy != 0,
		r.Energy < 0,
		r.Begin && r.End && len(r.Problems) == 0 && !r.Measured,
		r.Begin != (r.BeginSync != 0), r.End != (r.EndSync != 0),
		r.Verified == ocmf.Refused && len(r.Problems) == 0:
		t.Fatalf("%+v", r)
	}
}

// TestOrder: neither the order of texts nor how often each comes changes the result.
func TestOrder(t *testing.T) {
	key, thief := newKey(t, elliptic.P256(), "meter"), newKey(t, elliptic.P256(), "thief")
	registered := public(t, key)
	var pool []string
	for _, c := range slices.Concat(edgeCases(), sourceCases(), energyCases()) {
		for _, p := range c.payloads {
			pool = append(pool, sign(t, p, key))
		}
	}
	pool = append(pool, "", "OCMF|{}|{}", sign(t, whole(), thief))
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.SampledFrom(pool), 1, 6).Draw(t, "texts")
		more := rapid.SliceOfN(rapid.SampledFrom(texts), 0, 6).Draw(t, "more")
		mixed := rapid.Permutation(slices.Concat(texts, more)).Draw(t, "mixed")
		kept := slices.Clone(mixed)
		meter := ocmf.Meter{Serial: "M1"}
		if rapid.Bool().Draw(t, "key") {
			meter.PublicKey = registered
		}
		r := ocmf.Session(texts, meter)
		checkResult(t, r)
		if diff := cmp.Diff(r, ocmf.Session(mixed, meter)); diff != "" {
			t.Fatal(diff)
		}
		if !slices.Equal(kept, mixed) {
			t.Fatal("the texts were moved")
		}
	})
}

// TestSplit: however the readings of a session are cut into texts, the energy is the same.
func TestSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		readings := []string{begin()}
		for range rapid.IntRange(0, 5).Draw(t, "between") {
			readings = append(readings, charging())
		}
		readings = append(readings, end())
		var texts []string
		for page := 1; len(readings) > 0; page++ {
			cut := rapid.IntRange(1, len(readings)).Draw(t, "cut")
			texts = append(texts, unsigned(payload(ocmf.Page{Context: 'T',
				Number: uint64(page)}.String(), readings[:cut]...)))
			readings = readings[cut:]
		}
		if line := summary(ocmf.Session(texts, ocmf.Meter{})); line != "BE 2250000" {
			t.Fatal(line, texts)
		}
	})
}
