package ocmf

import (
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// keyInfo is the SubjectPublicKeyInfo of RFC 5480.
type keyInfo struct {
	Algorithm keyAlgorithm
	Key       asn1.BitString
}

type keyAlgorithm struct {
	ID    asn1.ObjectIdentifier
	Curve asn1.RawValue `asn1:"optional"`
}

// publicKeyID is id-ecPublicKey of RFC 5480.
func publicKeyID() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
}

// publicKey is a key of the registry. The curve is nil where it is not known.
type publicKey struct {
	curve *curve
	point affine
}

// keyForms are the forms in which a public key is taken, for messages.
const keyForms = "a SubjectPublicKeyInfo in hexadecimal, base64 or PEM, or the point " +
	"(X and Y, with or without the octet 04 before them) in hexadecimal or base64"

// CheckKey tells what is wrong with a public key of the registry; nil for a key that can be read,
// also where its curve is not known.
func CheckKey(text string) error {
	_, err := readKey(text)
	return err
}

// readKey reads a public key. Package crypto/x509 is not used: it cannot tell a key on another
// curve from one that is broken, and brings the network with it.
func readKey(text string) (publicKey, error) {
	data, err := keyBytes(text)
	if err != nil {
		return publicKey{}, err
	}
	var info keyInfo
	rest, err := asn1.Unmarshal(data, &info)
	if err != nil {
		return rawKey(data)
	}
	if len(rest) > 0 {
		return publicKey{}, errors.New("public key: octets follow the SubjectPublicKeyInfo")
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
		point, err := c.point(info.Key.RightAlign())
		if err != nil {
			return publicKey{}, fmt.Errorf("public key: %w", err)
		}
		return publicKey{c, point}, nil
	}
	return publicKey{}, nil
}

// keyBytes undoes PEM, hexadecimal or base64. White space within the text says nothing.
func keyBytes(text string) ([]byte, error) {
	if block, _ := pem.Decode([]byte(text)); block != nil {
		if block.Type != "PUBLIC KEY" {
			return nil, fmt.Errorf("public key: PEM of %s, not PUBLIC KEY", quote(block.Type))
		}
		return block.Bytes, nil
	}
	packed := strings.Join(strings.Fields(text), "")
	if data, err := hex.DecodeString(packed); err == nil && len(data) > 0 {
		return data, nil
	}
	if data, ok := fromBase64(packed); ok {
		return data, nil
	}
	return nil, fmt.Errorf("public key: %s is not %s", quote(text), keyForms)
}

// fromBase64 decodes base64, of either alphabet, padded or not; false for what is none, or empty.
func fromBase64(text string) ([]byte, bool) {
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	data, err := base64.RawStdEncoding.DecodeString(text)
	return data, err == nil && len(data) > 0
}

// rawKey is a point that names no curve: it is of the one that has a point of these coordinates.
// That two curves of a size share one is less likely than a broken meter that is right by chance.
func rawKey(data []byte) (publicKey, error) {
	if len(data)%2 == 0 {
		data = append([]byte{4}, data...)
	}
	for _, c := range curves() {
		if point, err := c.point(data); err == nil && data[0] == 4 {
			return publicKey{c, point}, nil
		}
	}
	return publicKey{}, errors.New("public key: no SubjectPublicKeyInfo, and no point of a " +
		"known curve")
}
