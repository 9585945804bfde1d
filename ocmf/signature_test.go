package ocmf_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream/ocmf"
)

// newKey is a key that is made of a name.
func newKey(t testing.TB, curve elliptic.Curve, name string) *ecdsa.PrivateKey {
	t.Helper()
	seed := sha512.Sum512([]byte(name))
	// The group of P-521 has more bits than the seed, of the others as many or fewer: a seed with
	// a leading zero lies within all of them.
	size := (curve.Params().BitSize + 7) / 8
	raw := make([]byte, size)
	copy(raw[1:], seed[:])
	key, err := ecdsa.ParseRawPrivateKey(curve, raw)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t testing.TB, payload string, key *ecdsa.PrivateKey) string {
	t.Helper()
	text, err := ocmf.Sign(payload, key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func public(t testing.TB, key *ecdsa.PrivateKey) string {
	t.Helper()
	text, err := ocmf.PublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// whole is a session in one text.
func whole() string {
	return payload("T7", reading(beginAt, "B", "10.5"), reading(endAt, "E", "12.75"))
}

func TestSign(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key := newKey(t, curve, "meter")
		text := sign(t, whole(), key)
		if again := sign(t, whole(), key); again != text {
			t.Error("two texts of one payload:", text, again)
		}
		registered := public(t, key)
		der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
		if err != nil || registered != hex.EncodeToString(der) {
			t.Error(registered, err)
		}
		want := ocmf.Result{Begin: true, End: true, Energy: 2_250_000, Measured: true,
			Serial: "M1", Verified: ocmf.Verified, BeginSync: 'S', EndSync: 'S'}
		got := ocmf.Session([]string{text}, ocmf.Meter{
			PublicKey: " " + strings.ToUpper(registered) + "\n"})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		other := public(t, newKey(t, curve, "another meter"))
		if r := ocmf.Session([]string{text}, ocmf.Meter{PublicKey: other}); r.Verified !=
			ocmf.Refused || r.Begin || r.End || len(r.Problems) != 1 {
			t.Errorf("another key: %+v", r)
		}
	}
	odd := newKey(t, elliptic.P224(), "meter")
	if text, err := ocmf.Sign(whole(), odd); err == nil {
		t.Error(text)
	}
	if text, err := ocmf.PublicKey(&odd.PublicKey); err == nil {
		t.Error(text)
	}
}

// TestVectors has texts that OpenSSL signed: a line is curve, public key and text.
func TestVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	unknown := []string{"secp224r1"}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(lines) != 9 {
		t.Fatal(len(lines), "lines")
	}
	for _, line := range lines {
		curve, rest, _ := strings.Cut(line, " ")
		key, text, _ := strings.Cut(rest, " ")
		want := ocmf.Result{Begin: true, End: true, Energy: 2_250_000, Measured: true,
			Serial: "X|1", Verified: ocmf.Verified, BeginSync: 'S', EndSync: 'S'}
		if slices.Contains(unknown, curve) {
			want.Verified = ocmf.Unsupported
		}
		got := ocmf.Session([]string{text}, ocmf.Meter{Serial: "X|1", PublicKey: key})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(curve, diff)
		}
		changed := strings.Replace(text, "12.5}", "13.5}", 1)
		got = ocmf.Session([]string{changed}, ocmf.Meter{PublicKey: key})
		if (got.Verified == ocmf.Refused) != (want.Verified == ocmf.Verified) {
			t.Error(curve, "changed:", got.Verified)
		}
	}
}

// TestEveryByte changes each byte of a payload, and of the signature.
func TestEveryByte(t *testing.T) {
	key := newKey(t, elliptic.P256(), "meter")
	text := sign(t, whole(), key)
	meter := ocmf.Meter{PublicKey: public(t, key)}
	from, to := len("OCMF|"), len("OCMF|")+len(whole())
	refused := func(what, text string) {
		t.Helper()
		r := ocmf.Session([]string{text}, meter)
		if r.Verified != ocmf.Refused || len(r.Problems) == 0 || r.Begin || r.End || r.Measured {
			t.Errorf("%s: %+v", what, r)
		}
	}
	for i := from; i < to; i++ {
		for _, flip := range []byte{0x01, 0x20} {
			changed := []byte(text)
			changed[i] ^= flip
			refused(fmt.Sprintf("byte %d", i), string(changed))
		}
	}
	refused("a space before", text[:from]+" "+text[from:])
	refused("a space behind", text[:to]+" "+text[to:])
	refused("a space within", strings.Replace(text, ",", ", ", 1))
	refused("the same number", strings.Replace(text, "10.5,", "10.50,", 1))
	begin := strings.Index(text, `"SD":"`) + len(`"SD":"`)
	for i := begin; i < len(text)-len(`"}`); i++ {
		changed := []byte(text)
		if changed[i] = '0'; text[i] == '0' {
			changed[i] = '1'
		}
		refused(fmt.Sprintf("signature %d", i), string(changed))
	}
}

// TestAlgorithmIsNotTrusted: what a text says of its algorithm is not signed, and must not keep
// the key from being asked.
func TestAlgorithmIsNotTrusted(t *testing.T) {
	key := newKey(t, elliptic.P256(), "meter")
	text := sign(t, whole(), key)
	const named = `"SA":"ECDSA-secp256r1-SHA256",`
	for algorithm, want := range map[string]ocmf.Verification{
		"":                                     ocmf.Verified,
		`"SA":"ecdsa-SECP256R1-sha256",`:       ocmf.Verified,
		`"SA":"ECDSA-secp256k1-SHA256",`:       ocmf.Refused,
		`"SA":"ECDSA-brainpool256r1-SHA256",`:  ocmf.Refused,
		`"SA":"ECDSA-secp384r1-SHA256",`:       ocmf.Refused,
		`"SA":"ECDSA-secp256r1-SHA1",`:         ocmf.Refused,
		`"SA":"",`:                             ocmf.Refused,
		`"SA":"none",`:                         ocmf.Refused,
		`"SA":null,`:                           ocmf.Verified,
		`"PK":"` + public(t, key) + `",`:       ocmf.Verified,
		`"SM":"application/x-der","SE":"hex",`: ocmf.Verified,
	} {
		r := ocmf.Session([]string{strings.Replace(text, named, algorithm, 1)},
			ocmf.Meter{PublicKey: public(t, key)})
		if r.Verified != want || (want == ocmf.Refused) != (len(r.Problems) > 0) {
			t.Errorf("%s: %+v", algorithm, r)
		}
	}
	if r := ocmf.Session([]string{text}, ocmf.Meter{}); r.Verified != ocmf.Unverified ||
		!r.Measured || r.Problems != nil {
		t.Errorf("no key: %+v", r)
	}
}

// TestLooseSignature: numbers without the zero octet before a set bit, and with too many.
func TestLooseSignature(t *testing.T) {
	meter := newKey(t, elliptic.P256(), "meter")
	var loose, short int
	for page := range 20 {
		text := sign(t, payload(fmt.Sprintf("T%d", page), reading(beginAt, "B", "1")), meter)
		v, err := ocmf.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		var numbers struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(v.Signature, &numbers); err != nil {
			t.Fatal(err)
		}
		for _, extra := range [][]byte{nil, {0, 0}} {
			der := derOf(t, append(slices.Clone(extra), numbers.R.Bytes()...),
				append(slices.Clone(extra), numbers.S.Bytes()...))
			if bytes.Equal(der, v.Signature) {
				continue
			}
			loose++
			changed := text[:strings.Index(text, `"SD"`)] + fmt.Sprintf(`"SD":"%x"}`, der)
			if r := ocmf.Session([]string{changed}, ocmf.Meter{PublicKey: public(t, meter)}); r.
				Verified != ocmf.Verified {
				t.Errorf("%x: %+v", der, r)
			}
		}
		for _, der := range [][]byte{append(slices.Clone(v.Signature), 0), v.Signature[2:],
			slices.Concat(numbers.R.FillBytes(make([]byte, 32)),
				numbers.S.FillBytes(make([]byte, 32)))} {
			short++
			changed := text[:strings.Index(text, `"SD"`)] + fmt.Sprintf(`"SD":"%x"}`, der)
			if r := ocmf.Session([]string{changed}, ocmf.Meter{PublicKey: public(t, meter)}); r.
				Verified != ocmf.Refused {
				t.Errorf("%x: %+v", der, r)
			}
		}
	}
	if loose < 20 || short != 60 {
		t.Error(loose, short)
	}
}

// derOf is a sequence of two numbers with these octets.
func derOf(t *testing.T, r, s []byte) []byte {
	t.Helper()
	raw := func(octets []byte) asn1.RawValue {
		return asn1.RawValue{Tag: asn1.TagInteger, Bytes: octets}
	}
	der, err := asn1.Marshal(struct{ R, S asn1.RawValue }{raw(r), raw(s)})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestBadKey(t *testing.T) {
	key := newKey(t, elliptic.P256(), "meter")
	good := public(t, key)
	text := sign(t, whole(), key)
	ring, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: big.NewInt(3233), E: 17})
	if err != nil {
		t.Fatal(err)
	}
	for name, registered := range map[string]string{
		"no hex":        "key",
		"half":          good[:len(good)-2],
		"more":          good + "00",
		"another kind":  hex.EncodeToString(ring),
		"agreement":     strings.Replace(good, "2a8648ce3d0201", "2a8648ce3d0202", 1),
		"not the curve": good[:len(good)-2] + "00",
		"half a point":  good[len(good)-64:],
		"a space":       " ",
		// An RFC 3279 key with an integer in place of the curve's name.
		"no name": "3013300c" + "06072a8648ce3d0201020101" + "0303000405",
	} {
		r := ocmf.Session([]string{text}, ocmf.Meter{PublicKey: registered})
		if r.Verified != ocmf.Refused || r.Begin || r.Measured || len(r.Problems) != 1 ||
			!strings.HasPrefix(r.Problems[0], "registry: public key: ") {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if r := ocmf.Session(nil, ocmf.Meter{PublicKey: "key"}); r.Verified != ocmf.Unverified ||
		r.Problems != nil {
		t.Errorf("no text: %+v", r)
	}
}
