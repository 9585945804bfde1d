package ocmf

import (
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// Verification tells what became of the signatures of a session.
type Verification string

// What becomes of signatures.
const (
	// Unverified: the registry knows no key, or there was no text.
	Unverified Verification = "none"
	// Verified: the registry's key accepts every text.
	Verified Verification = "verified"
	// Unsupported: the registry's key lies on a curve that cannot be computed with here.
	Unsupported Verification = "unsupported"
	// Refused: the registry's key is not of the signature of some text, or cannot be read.
	Refused Verification = "refused"
)

// algorithm is the name of a curve's algorithm: the format knows one hash only.
func (c *curve) algorithm() string { return algorithmOf(c.name) }

func algorithmOf(curve string) string { return "ECDSA-" + curve + "-SHA256" }

// named reports whether a text names the algorithm of the curve.
func (c *curve) named(algorithm string) bool {
	return strings.EqualFold(algorithm, c.algorithm()) ||
		c.other != "" && strings.EqualFold(algorithm, algorithmOf(c.other))
}

// verify reports whether the key accepts a value.
func (k publicKey) verify(v *Value) error {
	if !k.curve.named(v.Algorithm) {
		return fmt.Errorf("algorithm %s, the registry's key is for %s", quote(v.Algorithm),
			k.curve.algorithm())
	}
	r, s, err := readSignature(v.Signature)
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte(v.Payload))
	if !k.curve.verify(k.point, digest[:], r, s) {
		return errors.New("it is not of these bytes and the registry's key")
	}
	return nil
}

// readSignature is the two numbers of a signature. Some meters leave out the zero octet before a
// number whose first bit is set, or put in more than one: the number is meant without sign.
func readSignature(data []byte) (r, s *big.Int, err error) {
	var loose struct{ R, S asn1.RawValue }
	rest, err := asn1.Unmarshal(data, &loose)
	if err != nil || len(rest) > 0 || !integer(loose.R) || !integer(loose.S) {
		return nil, nil, errors.New("no DER of two numbers")
	}
	return new(big.Int).SetBytes(loose.R.Bytes), new(big.Int).SetBytes(loose.S.Bytes), nil
}

func integer(v asn1.RawValue) bool {
	return v.Class == asn1.ClassUniversal && v.Tag == asn1.TagInteger
}
