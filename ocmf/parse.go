package ocmf

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"chargestream"
)

// The bounds of one text. A reading that tells all its fields has about 130 bytes, so a night of
// quarter hours fits.
const (
	BytesMax    = 16 << 10
	ReadingsMax = 256
	DepthMax    = 8 // objects and lists within each other; the format needs three
)

// ErrOCMF is wrapped by every error of Parse and of Reading.Energy.
var ErrOCMF = errors.New("ocmf")

const (
	header      = "OCMF|"
	jsonSpace   = " \t\r\n"
	timeLayout  = "2006-01-02T15:04:05,000-0700"
	signatureIs = "application/x-der"
	// algorithmUnnamed is what a text that names no algorithm is signed by (Table 22).
	algorithmUnnamed = "ECDSA-secp256r1-SHA256"
)

// Parse reads one OCMF text: OCMF|{payload}|{signature}. It does not check the signature, nor
// whether what is said may be billed by: Session does. The error wraps ErrOCMF and names the
// place.
func Parse(text string) (*Value, error) {
	if len(text) > BytesMax {
		return nil, refuse("text", "%d bytes, of which there may be %d", len(text), BytesMax)
	}
	if !utf8.ValidString(text) {
		return nil, refuse("text", "no UTF-8")
	}
	rest, ok := strings.CutPrefix(unwrap(text), header)
	if !ok {
		return nil, refuse("text", "begins with %s, not with %s", quote(text), header)
	}
	payload, rest, err := cutObject(rest)
	if err != nil {
		return nil, refuse("payload", "%v", err)
	}
	rest, ok = strings.CutPrefix(rest, "|")
	if !ok {
		return nil, refuse("payload", "no pipe follows, but %s", quote(rest))
	}
	signature, rest, err := cutObject(rest)
	if err != nil {
		return nil, refuse("signature", "%v", err)
	}
	if rest != "" {
		return nil, refuse("signature", "is followed by %s", quote(rest))
	}
	v := &Value{Raw: text, Payload: payload}
	if err := v.readPayload(); err != nil {
		return nil, err
	}
	if err := v.readSignature(signature); err != nil {
		return nil, err
	}
	return v, nil
}

// unwrap undoes hexadecimal or base64 around a text, which some stations put there. What is
// neither, or hides no text of the format, is left as it is.
func unwrap(text string) string {
	bare := strings.Trim(text, jsonSpace)
	if strings.HasPrefix(bare, header) {
		return bare
	}
	packed := strings.Join(strings.Fields(bare), "")
	inner, err := hex.DecodeString(packed)
	if err != nil {
		inner, _ = fromBase64(packed)
	}
	if inside := string(inner); strings.HasPrefix(inside, header) && utf8.Valid(inner) {
		return inside
	}
	return text
}

// cutObject cuts a text behind the JSON object that it begins with, and the white space around
// it. It looks at braces and strings only; that the object is JSON is found when it is read.
func cutObject(text string) (object, rest string, err error) {
	begin := len(text) - len(strings.TrimLeft(text, jsonSpace))
	depth, quoted := 0, false
	for i := begin; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > DepthMax {
				return "", "", fmt.Errorf("deeper than %d", DepthMax)
			}
		case c == '}' || c == ']':
			depth--
		}
		if depth == 0 && !quoted {
			if text[begin] != '{' {
				break
			}
			after := strings.TrimLeft(text[i+1:], jsonSpace)
			return text[:len(text)-len(after)], after, nil
		}
	}
	return "", "", fmt.Errorf("no JSON object, but %s", quote(text))
}

// fields are the members of a JSON object.
type fields map[string]json.RawMessage

// readFields reads an object, names as they are written: encoding/json alone would take rv for
// RV, and the last of two.
func readFields(raw []byte) (fields, error) {
	// The decoder forgives more than the grammar does when it is read token by token.
	if !json.Valid(raw) {
		return nil, errors.New("no JSON")
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("no JSON object")
	}
	all := fields{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		name := fmt.Sprint(token)
		if _, twice := all[name]; twice {
			return nil, fmt.Errorf("%s twice", quote(name))
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		all[name] = value
	}
	return all, nil
}

// word is a member as text, or the text of a number; ok reports whether it is there.
func (f fields) word(name string) (text string, ok bool, err error) {
	raw := f[name]
	if len(raw) == 0 || string(raw) == "null" {
		return "", false, nil
	}
	switch c := raw[0]; {
	case c == '"':
		err = json.Unmarshal(raw, &text)
	case c == '-' || c >= '0' && c <= '9':
		text = string(raw)
	default:
		err = fmt.Errorf("%s is neither text nor number", quote(string(raw)))
	}
	if err != nil {
		return "", false, refuse(name, "%v", err)
	}
	return text, true, nil
}

// member is where the text of a name goes.
type member struct {
	name  string
	place *string
}

// words reads members into their places. What is not there stays as it is.
func (f fields) words(members ...member) error {
	for _, m := range members {
		text, ok, err := f.word(m.name)
		if err != nil {
			return err
		}
		if ok {
			*m.place = text
		}
	}
	return nil
}

func (v *Value) readPayload() error {
	f, err := readFields([]byte(v.Payload))
	if err != nil {
		return refuse("payload", "%v", err)
	}
	version, page := "1", ""
	if err := f.words(member{"FV", &version}, member{"PG", &page}, member{"GS", &v.Gateway},
		member{"MS", &v.Meter}); err != nil {
		return err
	}
	// A higher first number means that old readers do not understand the text.
	if major, _, _ := strings.Cut(version, "."); major != "0" && major != "1" {
		return refuse("FV", "version %s", quote(version))
	}
	if v.Page, err = readPage(page); err != nil {
		return err
	}
	return v.readReadings(f["RD"])
}

func readPage(text string) (Page, error) {
	if text == "" || text[0] != 'T' && text[0] != 'F' {
		return Page{}, refuse("PG", "page %s", quote(text))
	}
	number, err := strconv.ParseUint(text[1:], 10, 64)
	if err != nil {
		return Page{}, refuse("PG", "page %s", quote(text))
	}
	return Page{Context: text[0], Number: number}, nil
}

func (v *Value) readReadings(raw json.RawMessage) error {
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil || len(list) == 0 {
		return refuse("RD", "no readings")
	}
	if len(list) > ReadingsMax {
		return refuse("RD", "%d readings, of which there may be %d", len(list), ReadingsMax)
	}
	v.Readings = make([]Reading, len(list))
	var last Reading
	for i, raw := range list {
		if err := last.read(raw); err != nil {
			return fmt.Errorf("%w in reading %d", err, i)
		}
		v.Readings[i] = last
	}
	return nil
}

// read reads a reading over the one before it.
func (r *Reading) read(raw json.RawMessage) error {
	f, err := readFields(raw)
	if err != nil {
		return refuse("RD", "%v", err)
	}
	var at string
	if err := f.words(member{"TM", &at}, member{"TX", &r.Reason}, member{"RV", &r.Value},
		member{"RI", &r.Register}, member{"RU", &r.Unit}, member{"EF", &r.Flags},
		member{"ST", &r.Status}); err != nil {
		return err
	}
	r.Value = strings.Trim(r.Value, jsonSpace)
	if at == "" && r.Sync != 0 {
		return nil
	}
	r.At, r.Sync, err = readTime(at)
	return err
}

// readTime reads a time with the state of the clock: 2018-07-24T13:22:04,000+0200 S.
func readTime(text string) (chargestream.Millis, Sync, error) {
	moment, state, _ := strings.Cut(text, " ")
	at, err := time.Parse(timeLayout, moment)
	if err != nil || len(state) != 1 || !strings.Contains("UISR", state) {
		return 0, 0, refuse("TM", "time %s", quote(text))
	}
	return chargestream.MillisOf(at), Sync(state[0]), nil
}

func (v *Value) readSignature(section string) error {
	f, err := readFields([]byte(section))
	if err != nil {
		return refuse("signature", "%v", err)
	}
	data, encoding, form := "", "hex", signatureIs
	v.Algorithm = algorithmUnnamed
	if err := f.words(member{"SA", &v.Algorithm}, member{"SE", &encoding}, member{"SM", &form},
		member{"SD", &data}); err != nil {
		return err
	}
	switch encoding {
	case "hex":
		v.Signature, err = hex.DecodeString(data)
	case "base64":
		v.Signature, err = base64.StdEncoding.DecodeString(data)
	default:
		return refuse("SE", "encoding %s", quote(encoding))
	}
	switch {
	case err != nil:
		return refuse("SD", "%v", err)
	case len(v.Signature) == 0:
		return refuse("SD", "no signature")
	case form != signatureIs:
		return refuse("SM", "type %s", quote(form))
	}
	return nil
}
