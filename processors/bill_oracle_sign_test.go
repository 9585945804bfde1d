package processors_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"chargestream/internal/oracle"
)

// factsKey is the key that signs what the oracle draws: always the same.
func factsKey(t *testing.T) *oddityKeys {
	t.Helper()
	seed := sha256.Sum256([]byte("a meter"))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return &oddityKeys{own: key, registered: hex.EncodeToString(der)}
}

// signedFacts are the facts of a seed, with the signatures that the oracle leaves out.
func signedFacts(t *testing.T, seed uint64) oracle.Facts {
	t.Helper()
	f := oracle.RandomFacts(seed)
	sign := func(text *string) {
		payload, _, found := strings.Cut(strings.TrimPrefix(*text, "OCMF|"), "|{")
		if !found {
			return
		}
		digest := sha256.Sum256([]byte(payload))
		der, err := factsKey(t).own.Sign(nil, digest[:], crypto.SHA256) // the same each time
		if err != nil {
			t.Fatal(err)
		}
		*text = fmt.Sprintf(`OCMF|%s|{"SA":"ECDSA-secp256r1-SHA256","SD":"%X"}`, payload, der)
	}
	for i := range f.Starts {
		sign(&f.Starts[i].Signed)
	}
	for i := range f.Ends {
		sign(&f.Ends[i].Signed)
	}
	for i := range f.Samples {
		sign(&f.Samples[i].Signed)
	}
	return f
}
