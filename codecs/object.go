package codecs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/mailru/easyjson/jlexer"
)

// fieldsMax bounds the fields of one object.
const fieldsMax = 4096

// object is a JSON object whose names and values are not judged yet.
type object struct {
	path   string // in front of the names of its fields, such as connectors[0].
	fields []objectField
}

type objectField struct {
	name string // as it was written
	raw  []byte
	used bool
}

// byteOrderMark begins the texts of some editors and spreadsheets.
const byteOrderMark = "\ufeff"

// parseObject reads the fields of an object. The error is a Refusal.
func parseObject(value []byte, path string) (*object, error) {
	value = bytes.TrimPrefix(value, []byte(byteOrderMark))
	trimmed := bytes.TrimSpace(value)
	if json.Valid(trimmed) && trimmed[0] != '{' {
		text := shown(trimmed)
		if text == "null" {
			text = "the value"
		}
		return nil, &Refusal{Field: strings.TrimSuffix(path, "."), Value: text,
			Problem: kindOf(trimmed), Expected: takesObject,
			Do: "send the fields by their names, in braces"}
	}
	if !json.Valid(trimmed) {
		var whole json.RawMessage
		return nil, errJSON(trimmed, json.Unmarshal(trimmed, &whole))
	}
	o := &object{path: path}
	l := jlexer.Lexer{Data: trimmed}
	for l.Delim('{'); !l.IsDelim('}'); l.WantComma() {
		name := string([]byte(l.UnsafeFieldName(false)))
		l.WantColon()
		if len(o.fields) == fieldsMax {
			return nil, &Refusal{Value: "the object", Problem: "has more fields than are read",
				Expected: fmt.Sprintf("at most %d are taken", fieldsMax), Do: "leave others out"}
		}
		o.fields = append(o.fields, objectField{name: name, raw: bytes.TrimSpace(l.Raw())})
	}
	if err := l.Error(); err != nil {
		return nil, errJSON(trimmed, err)
	}
	if o.envelope() {
		return nil, errEnvelope("the value", "value.converter.schemas.enable=false")
	}
	return o, nil
}

// envelope reports whether the object is that of Kafka Connect's JsonConverter.
func (o *object) envelope() bool {
	return len(o.fields) == 2 && o.has(envelopeSchema) && o.has(envelopePayload)
}

func (o *object) has(name string) bool {
	return slices.ContainsFunc(o.fields, func(f objectField) bool {
		return sameName(f.name, name) && string(f.raw) != "null"
	})
}

// find is the value of a field, under any spelling of its names; nil where it is absent or null.
// Two values are a refusal, in two spellings or in one, as it is not known which is meant; the same
// value twice is that value.
func (o *object) find(names ...string) ([]byte, error) {
	var found *objectField
	for i := range o.fields {
		f := &o.fields[i]
		if !slices.ContainsFunc(names, func(n string) bool { return sameName(f.name, n) }) {
			continue
		}
		f.used = true
		if string(f.raw) == "null" {
			continue
		}
		if found != nil && !bytes.Equal(found.raw, f.raw) {
			r := &Refusal{Field: o.path + names[0], Value: shown(f.raw),
				Problem: fmt.Sprintf("in %s differs from %s in %s", Quoted(f.name),
					shown(found.raw), Quoted(found.name)),
				Expected: "one value is taken", Do: "send " + names[0] + " alone"}
			if found.name == f.name {
				r.Problem = "comes behind " + shown(found.raw) + ", in the same field"
				r.Do = "send " + names[0] + " once"
			}
			return nil, r
		}
		found = f
	}
	if found == nil {
		return nil, nil
	}
	return found.raw, nil
}

// foldName is a name without case and without what parts its words: stationId, StationID and
// station-id are station_id.
func foldName(name string) string {
	var buf [64]byte
	return string(appendFolded(buf[:0], name))
}

// sameName reports whether two names are folded to the same.
func sameName(a, b string) bool {
	var left, right [64]byte
	return string(appendFolded(left[:0], a)) == string(appendFolded(right[:0], b))
}

func appendFolded(buf []byte, name string) []byte {
	for i := range len(name) {
		switch c := name[i]; {
		case c == '_' || c == '-' || c == ' ' || c == '.':
		case c >= 'A' && c <= 'Z':
			buf = append(buf, c+'a'-'A')
		default:
			buf = append(buf, c)
		}
	}
	return buf
}

// ownPrefix begins the names that an operator may add to reference data for others to read.
const ownPrefix = "x_"

// unknown refuses the fields that were not asked for; with near only those whose name is almost one
// that is known. hints say what to do about some of them, by name. An ignored field of reference
// data would unbill or unprotect.
func (o *object) unknown(known []string, hints map[string]string, near bool) []error {
	var problems []error
	for i := range o.fields {
		f := &o.fields[i]
		if f.used || strings.HasPrefix(strings.ToLower(f.name), ownPrefix) {
			continue
		}
		do := hints[foldName(f.name)]
		if meant := Nearest(f.name, known); do == "" && meant != "" {
			do = "did you mean " + meant + "?"
		}
		if do == "" && near {
			continue
		}
		if do == "" {
			do = "leave it out, or begin the name of a field of your own with " + ownPrefix
		}
		problems = append(problems, &Refusal{Field: o.path + f.name, Value: shown(f.raw),
			Problem: "is in an unknown field", Do: do,
			Expected: "known are " + strings.Join(known, ", ")})
	}
	return problems
}

// unitSuffixes are units at the end of a name, folded, the longer ones first.
func unitSuffixes() []string {
	return []string{"kwh", "mwh", "wh", "kw", "mw", "w", "percent", "ma", "mv", "a", "v"}
}

// Nearest is the known name that was most likely meant; empty for none.
func Nearest(name string, known []string) string {
	folded, best := foldName(name), ""
	least := 1 + min(2, len(folded)/3) // letters that may be wrong
	for _, k := range known {
		fk := foldName(k)
		d := distance(folded, fk)
		if stem(folded) == stem(fk) {
			d = min(d, 1)
		}
		if d < least {
			best, least = k, d
		}
	}
	if best != "" {
		return best
	}
	for word, k := range guarded() {
		if slices.Contains(known, k) && (strings.HasPrefix(folded, word) || word == stem(folded)) {
			return k
		}
	}
	return ""
}

// guarded are words, folded, with the field that protects or bills and that is meant wherever a
// name begins with the word.
func guarded() map[string]string {
	const tariff, power, flag = "tariff_id", "max_power_w", "calibrated"
	return map[string]string{"tarif": tariff, "pricing": tariff, "maxpower": power,
		"ratedpower": power, "maxelectric": power, "rating": power, "power": power,
		"connectortype": "type", "plugtype": "type", "standard": "type",
		"calibrat": flag, "eichrecht": flag,
		"timezone": "time_zone", "tz": "time_zone", "valid": "valid_from",
		"meterserial": "meter_serial", "publickey": "public_key"}
}

func stem(folded string) string {
	for _, unit := range unitSuffixes() {
		if cut, ok := strings.CutSuffix(folded, unit); ok && len(cut) > 3 {
			return cut
		}
	}
	return folded
}

// distance is how many letters must be put in, taken out or changed to make one name of the other.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(cost, row[j]+1, last+1)
		}
	}
	return row[len(b)]
}
