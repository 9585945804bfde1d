package ocmf_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"os"
	"strings"
	"testing"

	"chargestream/ocmf"
)

// vectorsOf are the lines of testdata/vectors.txt: curve, public key and text.
func vectorsOf(t *testing.T) [][3]string {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	var list [][3]string
	for line := range strings.Lines(string(data)) {
		curve, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		key, text, _ := strings.Cut(rest, " ")
		list = append(list, [3]string{curve, key, text})
	}
	return list
}

// pointOf is the point at the end of a key of a vector.
func pointOf(curve string, der []byte) []byte {
	size := map[string]int{"secp192k1": 24, "secp192r1": 24, "secp256r1": 32, "secp256k1": 32,
		"brainpool256r1": 32, "secp384r1": 48, "brainpool384r1": 48, "secp521r1": 66}[curve]
	return der[len(der)-2*size-1:]
}

// TestKeyForms: the same key in each form in which makers and registries write it.
func TestKeyForms(t *testing.T) {
	for _, v := range vectorsOf(t) {
		curve, text := v[0], v[2]
		if curve == "secp224r1" {
			continue // a curve that is not known
		}
		der, err := hex.DecodeString(v[1])
		if err != nil {
			t.Fatal(err)
		}
		point := pointOf(curve, der)
		size := (len(point) - 1) / 2
		packed := append([]byte{2 + point[len(point)-1]&1}, point[1:1+size]...)
		short := append([]byte{}, der[:len(der)-len(point)-1]...)
		short = append(short, 0)
		short = append(short, packed...)
		short[1] -= byte(size)
		if curve == "secp521r1" || size == 48 {
			short = der // lengths of more than one octet: left alone
		} else {
			short[len(short)-len(packed)-2] -= byte(size)
		}
		for name, key := range map[string]string{
			"hexadecimal":   v[1],
			"upper case":    strings.ToUpper(v[1]),
			"in lines":      v[1][:40] + "\n" + v[1][40:] + " ",
			"base64":        base64.StdEncoding.EncodeToString(der),
			"base64 of URL": base64.RawURLEncoding.EncodeToString(der),
			"PEM": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY",
				Bytes: der})),
			"a point":           hex.EncodeToString(point),
			"X and Y":           hex.EncodeToString(point[1:]),
			"X and Y in base64": base64.StdEncoding.EncodeToString(point[1:]),
			"compressed":        hex.EncodeToString(short),
		} {
			if err := ocmf.CheckKey(key); err != nil {
				t.Errorf("%s, %s: %v", curve, name, err)
			}
			if r := ocmf.Session([]string{text}, ocmf.Meter{PublicKey: key}); r.Verified !=
				ocmf.Verified {
				t.Errorf("%s, %s: %+v", curve, name, r)
			}
		}
	}
}

// TestCheckKey: what is no key is told with what would be one. A key of a curve that is not known
// may be a good one.
func TestCheckKey(t *testing.T) {
	key := vectorsOf(t)[0][1]
	for name, text := range map[string]string{
		"a word":         "secret",
		"an odd digit":   key[:len(key)-1],
		"not the curve":  key[:len(key)-2] + "00",
		"nothing":        " ",
		"a certificate":  "-----BEGIN CERTIFICATE-----\nMDA=\n-----END CERTIFICATE-----\n",
		"a private key":  "-----BEGIN EC PRIVATE KEY-----\nMDA=\n-----END EC PRIVATE KEY-----\n",
		"too few octets": "04aabb",
	} {
		if err := ocmf.CheckKey(text); err == nil ||
			!strings.HasPrefix(err.Error(), "public key: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, v := range vectorsOf(t) {
		if err := ocmf.CheckKey(v[1]); err != nil {
			t.Errorf("%s: %v", v[0], err)
		}
	}
}

// TestWrapped: a text in hexadecimal or base64 is the text, and says what it came as.
func TestWrapped(t *testing.T) {
	for _, v := range vectorsOf(t) {
		for name, text := range map[string]string{
			"blanks":      " " + v[2] + "\n",
			"hexadecimal": hex.EncodeToString([]byte(v[2])),
			"upper case":  strings.ToUpper(hex.EncodeToString([]byte(v[2]))),
			"base64":      base64.StdEncoding.EncodeToString([]byte(v[2])),
			"in lines": base64.StdEncoding.EncodeToString([]byte(v[2]))[:60] + "\r\n" +
				base64.StdEncoding.EncodeToString([]byte(v[2]))[60:],
			"base64 of URL": base64.RawURLEncoding.EncodeToString([]byte(v[2])),
		} {
			value, err := ocmf.Parse(text)
			if err != nil || value.Raw != text {
				t.Errorf("%s, %s: %v", v[0], name, err)
				continue
			}
			both := ocmf.Session([]string{text, v[2]}, ocmf.Meter{PublicKey: v[1]})
			if len(both.Problems) > 0 || both.Energy != 2_250_000 {
				t.Errorf("%s, %s: %+v", v[0], name, both)
			}
		}
	}
	for _, text := range []string{hex.EncodeToString([]byte("OCMP|{}|{}")), "4f434d467", "T0NNRg==",
		hex.EncodeToString([]byte("OCMF|\xff"))} {
		if v, err := ocmf.Parse(text); err == nil {
			t.Errorf("%s is %+v", text, v)
		}
	}
}
