package codecs

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"chargestream"
)

// Refusal says why a value is not taken: the field, the value as it came, what is expected, and
// what to do. Every door words its refusals by it.
type Refusal struct {
	Field    string // as the format names it; empty for the record as a whole
	Value    string // as it was written, cut; empty where there is none
	Problem  string // a clause that follows the value, such as "is a number"
	Expected string
	Do       string
	// NoZone: the only fault is a time without a zone, which a known zone would mend.
	NoZone bool
}

// Error implements error: start_time: 7 is no date: a time such as … is taken; send ….
func (r *Refusal) Error() string {
	var b strings.Builder
	switch {
	case r.Value != "" && r.Field != "":
		b.WriteString(r.Field + ": " + r.Value + " " + r.Problem)
	case r.Value != "":
		b.WriteString(r.Value + " " + r.Problem)
	default:
		b.WriteString(r.Field + " " + r.Problem)
	}
	b.WriteString(": " + r.Expected)
	if r.Do != "" {
		b.WriteString("; " + r.Do)
	}
	return b.String()
}

// shownBytesMax bounds what a refusal quotes of a foreign value.
const shownBytesMax = 64

// shown is a JSON value, which is not empty, as a refusal quotes it.
func shown(raw []byte) string {
	text := string(raw[:min(len(raw), 4*shownBytesMax)])
	if raw[0] == '{' || raw[0] == '[' {
		text = strings.Join(strings.Fields(text), " ")
	}
	if len(text) > shownBytesMax {
		text = text[:shownBytesMax] + "…"
	}
	return strings.ToValidUTF8(text, "\ufffd")
}

// Quoted is a text as a refusal quotes it.
func Quoted(text string) string {
	if len(text) > shownBytesMax {
		text = strings.ToValidUTF8(text[:shownBytesMax], "") + "…"
	}
	return fmt.Sprintf("%q", text)
}

// kindOf is what a JSON value is, in words.
func kindOf(raw []byte) string {
	switch {
	case len(raw) == 0:
		return "is nothing"
	case raw[0] == '"':
		return "is a text"
	case raw[0] == '{':
		return "is an object"
	case raw[0] == '[':
		return "is a list"
	case raw[0] == 't' || raw[0] == 'f':
		return "is a truth value"
	case raw[0] == 'n':
		return "is null"
	}
	return "is a number"
}

// What fields take, in the words of refusals.
const (
	takesID     = "a text or a whole number is taken"
	takesText   = "a text is taken"
	takesNumber = "a number such as 22000, 22000.0, 2.2e4 or the same as text is taken"
	takesTime   = "RFC 3339 text such as 2026-03-02T12:00:00Z, or Unix seconds or milliseconds, " +
		"are taken"
	takesFlag   = "true or false is taken"
	takesObject = "a JSON object is taken"
	takesList   = "a list is taken"
)

func errMissing(field string) error {
	expected, do := "a text is needed", "send it with every record"
	if strings.HasSuffix(field, "time") || strings.HasSuffix(field, "timestamp") ||
		strings.HasSuffix(field, "_at") {
		expected, do = "a time is needed, and 0 and 1970 are none",
			"send when it happened, such as 2026-03-02T12:00:00Z"
	}
	return &Refusal{Field: field, Problem: "is missing", Expected: expected, Do: do}
}

// CheckID refuses a text that cannot serve as an identifier, in words.
func CheckID(field, text string) error {
	if chargestream.CheckID(text) == nil {
		return nil
	}
	return errID(field, text)
}

// errID is a text that is no identifier.
func errID(field, text string) error {
	if text == "" {
		return &Refusal{Field: field, Problem: "is missing",
			Expected: "an identifier of 1 to 255 bytes is needed", Do: "send it with every record"}
	}
	problem := "has a control character"
	switch {
	case !utf8.ValidString(text):
		problem = "is not UTF-8"
	case len(text) > 255:
		problem = fmt.Sprintf("has %d bytes", len(text))
	}
	return &Refusal{Field: field, Value: Quoted(text), Problem: problem,
		Expected: "an identifier is 1 to 255 bytes of printable UTF-8",
		Do:       "send the identifier without what is around it"}
}

// errJSON words what the JSON reader found.
func errJSON(value []byte, err error) error {
	r := &Refusal{Value: "the value", Problem: "is no JSON object (" + plainJSON(err) + ")",
		Expected: "one JSON object in UTF-8 is taken", Do: "look at the producer's serializer"}
	if len(value) > 0 && value[0] == 0 {
		r.Problem = "begins with a zero byte, as the serializers of a schema registry write"
		r.Do = "set the producer's serializer, or the connector's value.converter, to JSON " +
			"without a schema"
	}
	return r
}

// plainJSON is an error of encoding/json without the library's name.
func plainJSON(err error) string {
	var syntax *json.SyntaxError
	text := strings.TrimPrefix(err.Error(), "json: ")
	if text == "EOF" || text == "unexpected EOF" {
		text = "unexpected end of JSON input"
	}
	if errors.As(err, &syntax) {
		return fmt.Sprintf("%s, at byte %d", text, syntax.Offset)
	}
	return text
}

// The names of Kafka Connect's envelope, which has both and little else.
const (
	envelopeSchema  = "schema"
	envelopePayload = "payload"
)

// errEnvelope names the envelope of Kafka Connect, and the setting that leaves it out.
func errEnvelope(what, setting string) error {
	return &Refusal{Value: what, Problem: `is an envelope {"schema", "payload"} of Kafka ` +
		"Connect's JsonConverter", Expected: "the bare payload is taken", Do: "set " + setting}
}

// KeyProblem words a key that cannot be that of a station or a tariff because of the way it is
// written; nil for any other.
func KeyProblem(key string) error {
	trimmed := strings.TrimSpace(key)
	switch {
	case strings.HasPrefix(trimmed, "{") && strings.Contains(trimmed, `"`+envelopePayload+`"`):
		return errEnvelope("key "+Quoted(key), "key.converter="+
			"org.apache.kafka.connect.storage.StringConverter, or "+
			"key.converter.schemas.enable=false with a key that is no JSON")
	case len(trimmed) > 1 && trimmed[0] == '"' && trimmed[len(trimmed)-1] == '"':
		return &Refusal{Value: "key " + Quoted(key),
			Problem:  "is a JSON text in quotes, as Kafka Connect's JsonConverter writes it",
			Expected: "the bare identifier is taken",
			Do:       "set key.converter=org.apache.kafka.connect.storage.StringConverter"}
	case trimmed != key:
		return &Refusal{Value: "key " + Quoted(key), Problem: "has blanks around it",
			Expected: "the bare identifier is taken", Do: "trim the key where it is produced"}
	}
	return nil
}
