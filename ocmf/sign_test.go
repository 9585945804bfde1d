package ocmf

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
)

// Sign makes the text that a meter with this key sends of a payload: for the tests
// alone. The payload is signed as it is, whatever it says. The same payload and key give the
// same text always (RFC 6979). The error says that the key is of no curve that is checked here.
func Sign(payload string, key *ecdsa.PrivateKey) (string, error) {
	c, err := curveOf(key.Curve)
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256([]byte(payload))
	der, err := key.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return fmt.Sprintf(`%s%s|{"SA":"%s","SD":"%X"}`, header, payload, c.algorithm(), der), nil
}

// PublicKey is the key as the registry has it (Meter.PublicKey). The error says that the key is
// of no curve that is checked here.
func PublicKey(key *ecdsa.PublicKey) (string, error) {
	c, err := curveOf(key.Curve)
	if err != nil {
		return "", err
	}
	point, err := key.Bytes()
	if err != nil {
		return "", fmt.Errorf("public key: %w", err)
	}
	name, err := asn1.Marshal(c.id)
	if err != nil {
		return "", fmt.Errorf("public key: %w", err)
	}
	der, err := asn1.Marshal(keyInfo{
		Algorithm: keyAlgorithm{ID: publicKeyID(), Curve: asn1.RawValue{FullBytes: name}},
		Key:       asn1.BitString{Bytes: point, BitLength: 8 * len(point)}})
	if err != nil {
		return "", fmt.Errorf("public key: %w", err)
	}
	return hex.EncodeToString(der), nil
}

func curveOf(of elliptic.Curve) (*curve, error) {
	for _, c := range curves() {
		if of == c.standard {
			return c, nil
		}
	}
	return nil, errors.New("key of a curve that is not checked")
}
