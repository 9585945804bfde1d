package processors_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// oddityKeys are those of a calibrated meter: the one that the registry knows, and a stranger's.
type oddityKeys struct {
	own, strange *ecdsa.PrivateKey
	registered   string // the public key as the registry has it: DER in hexadecimal
}

func newOddityKeys(t *testing.T) *oddityKeys {
	t.Helper()
	k := &oddityKeys{}
	for _, key := range []**ecdsa.PrivateKey{&k.own, &k.strange} {
		made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		*key = made
	}
	der, err := x509.MarshalPKIXPublicKey(&k.own.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	k.registered = hex.EncodeToString(der)
	return k
}

// signed makes the signed values of an argument signed=TX:TIME:KWH[:PAGE], several of them parted
// by commas, in one document of OCMF: one page with as many readings. signer=strange takes a key
// that the registry does not know, meter= another serial than 4711, good= another meter status.
func (o *oddity) signed(w *oddityWords) string {
	text, ok := w.take("signed")
	if !ok {
		return ""
	}
	page, serial := "1", w.or("serial", "4711")
	status := w.or("good", "G")
	var readings []string
	for value := range strings.SplitSeq(text, ",") {
		parts := strings.Split(value, ":")
		if len(parts) < 4 {
			w.err = errors.Join(w.err, fmt.Errorf("%q is no TX:HH:MM:KWH", value))
			return ""
		}
		at := w.parse(parts[1] + ":" + parts[2])
		if len(parts) > 4 {
			page = parts[4]
		}
		readings = append(readings, fmt.Sprintf(
			`{"TM":"%s,000+0000 S","TX":%q,"RV":%s,"RI":"01-00:98.08.00.FF","RU":"kWh",`+
				`"RT":"AC","EF":"","ST":%q}`,
			at.Time().Format("2006-01-02T15:04:05"), parts[0], parts[3], status))
	}
	payload := fmt.Sprintf(`{"FV":"1.0","GI":"Gate","GS":"G1","GV":"1.0","PG":"T%s",`+
		`"MV":"Maker","MM":"M1","MS":%q,"MF":"1.0","IS":true,"IL":"VERIFIED","IF":[],`+
		`"IT":"ISO14443","ID":"card-7","RD":[%s]}`, page, serial, strings.Join(readings, ","))
	key := o.keys.own
	if w.or("signer", "") == "strange" {
		key = o.keys.strange
	}
	digest := sha256.Sum256([]byte(payload))
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	w.err = errors.Join(w.err, err)
	return fmt.Sprintf(`OCMF|%s|{"SA":"ECDSA-secp256r1-SHA256","SD":"%X"}`, payload, signature)
}
