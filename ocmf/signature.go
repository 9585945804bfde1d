package ocmf

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
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

// curve is one that signatures are checked on.
type curve struct {
	name  string // as in the name of the algorithm (Table 22)
	id    asn1.ObjectIdentifier
	curve elliptic.Curve
}

func curves() []curve {
	return []curve{
		{"secp256r1", asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, elliptic.P256()},
		{"secp384r1", asn1.ObjectIdentifier{1, 3, 132, 0, 34}, elliptic.P384()},
		{"secp521r1", asn1.ObjectIdentifier{1, 3, 132, 0, 35}, elliptic.P521()},
	}
}

// algorithm is the name of a curve's algorithm: the format knows one hash only.
func (c curve) algorithm() string { return "ECDSA-" + c.name + "-SHA256" }

// publicKeyID is id-ecPublicKey of RFC 5480.
func publicKeyID() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
}

// keyInfo is the SubjectPublicKeyInfo of RFC 5480.
type keyInfo struct {
	Algorithm keyAlgorithm
	Key       asn1.BitString
}

type keyAlgorithm struct {
	ID    asn1.ObjectIdentifier
	Curve asn1.RawValue `asn1:"optional"`
}

// publicKey is a key of the registry. The key is nil on a curve that is not known.
type publicKey struct {
	curve curve
	key   *ecdsa.PublicKey
}

// readKey reads the hexadecimal form of a DER SubjectPublicKeyInfo. Package crypto/x509 is not
// used: it cannot tell a key on another curve from one that is broken, and brings the network
// with it.
func readKey(text string) (publicKey, error) {
	der, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return publicKey{}, fmt.Errorf("public key: %w", err)
	}
	var info keyInfo
	if rest, err := asn1.Unmarshal(der, &info); err != nil || len(rest) > 0 {
		return publicKey{}, errors.New("public key: no SubjectPublicKeyInfo")
	}
	if !info.Algorithm.ID.Equal(publicKeyID()) {
		return publicKey{}, fmt.Errorf("public key: algorithm %v is none of elliptic curves",
			info.Algorithm.ID)
	}
	var id asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(info.Algorithm.Curve.FullBytes, &id); err != nil {
		return publicKey{}, errors.New("public key: names no curve")
	}
	for _, c := range curves() {
		if !c.id.Equal(id) {
			continue
		}
		key, err := ecdsa.ParseUncompressedPublicKey(c.curve, info.Key.RightAlign())
		if err != nil {
			return publicKey{}, fmt.Errorf("public key: %w", err)
		}
		return publicKey{c, key}, nil
	}
	return publicKey{}, nil
}

// verify tells whether the key accepts a value.
func (k publicKey) verify(v *Value) error {
	if !strings.EqualFold(v.Algorithm, k.curve.algorithm()) {
		return fmt.Errorf("algorithm %s, the registry's key is for %s", quote(v.Algorithm),
			k.curve.algorithm())
	}
	der, err := readSignature(v.Signature)
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte(v.Payload))
	if !ecdsa.VerifyASN1(k.key, digest[:], der) {
		return errors.New("it is not of these bytes and the registry's key")
	}
	return nil
}

// readSignature is a signature in strict DER. Some meters leave out the zero octet before a number
// whose first bit is set, or put in more than one: the number is meant without sign.
func readSignature(data []byte) ([]byte, error) {
	var loose struct{ R, S asn1.RawValue }
	rest, err := asn1.Unmarshal(data, &loose)
	if err != nil || len(rest) > 0 || !integer(loose.R) || !integer(loose.S) {
		return nil, errors.New("no DER of two numbers")
	}
	return asn1.Marshal(struct{ R, S *big.Int }{
		new(big.Int).SetBytes(loose.R.Bytes), new(big.Int).SetBytes(loose.S.Bytes)})
}

func integer(v asn1.RawValue) bool {
	return v.Class == asn1.ClassUniversal && v.Tag == asn1.TagInteger
}
