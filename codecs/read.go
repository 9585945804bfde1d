package codecs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"chargestream"
)

// Door is how a record comes in: what is known of its sender, and what was left out of it.
type Door struct {
	// Zone is that of times without a zone; nil: they are refused.
	Zone *time.Location
	// Dropped are the side fields that could not be read, of a record whose other fields were.
	Dropped []string
}

// form is how leniently an object is read.
type form struct {
	strict   bool              // fields are refused whose names are almost known
	strictIn []string          // objects of which any field that is not known is refused
	side     []string          // fields that are dropped where they cannot be read
	verbatim []string          // texts of which blanks are a part
	aliases  map[string]string // other names of fields, by their own
	hints    map[string]string // what to do about fields that are not known, by folded name
}

// reading is one object on its way into a struct.
type reading struct {
	form
	door     *Door
	problems []error
}

// problemsShown bounds how much of what is wrong with one record is reported.
const problemsShown = 8

// Read reads a JSON object into a struct by its json tags, as every door does: names in any
// spelling, texts trimmed, numbers as numbers or texts, times as ParseTime takes them, null as
// absent. Fields whose names are almost known are refused, with what was probably meant, and so are
// all that are not known of a tariff's versions; others are of those who wrote them. hints say what
// to do about some, by name. Every error is a Refusal or joins some.
func Read(value []byte, into any, hints map[string]string) error {
	r := reading{form: form{strict: true, strictIn: []string{"versions["},
		hints: map[string]string{}, aliases: map[string]string{
			"lat": "latitude", "lon": "longitude"}}, door: &Door{}}
	for name, hint := range hints {
		r.hints[foldName(name)] = hint
	}
	o, err := parseObject(value, "")
	if err != nil {
		return err
	}
	r.object(o, reflect.ValueOf(into).Elem())
	return r.err()
}

func (r *reading) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	more := len(r.problems) - problemsShown
	list := r.problems[:min(len(r.problems), problemsShown)]
	texts := make([]string, len(list))
	noZone := true
	for i, p := range list {
		texts[i] = p.Error()
		refusal, ok := p.(*Refusal)
		noZone = noZone && ok && refusal.NoZone
	}
	if len(list) == 1 && more <= 0 {
		return list[0]
	}
	if more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return &refusals{text: strings.Join(texts, "\n"), noZone: noZone && more <= 0}
}

// refusals are several, each on a line of its own.
type refusals struct {
	text   string
	noZone bool
}

func (r *refusals) Error() string { return r.text }

// NeedsZone reports whether the only fault of a record is times without a zone.
func NeedsZone(err error) bool {
	var one *Refusal
	if errors.As(err, &one) {
		return one.NoZone
	}
	var several *refusals
	return errors.As(err, &several) && several.noZone
}

// object reads the fields that the struct names.
func (r *reading) object(o *object, into reflect.Value) {
	var known []string
	for i := range into.NumField() {
		tag, ok := into.Type().Field(i).Tag.Lookup("json")
		name, _, _ := strings.Cut(tag, ",")
		if !ok || name == "-" || name == "" {
			continue
		}
		known = append(known, name)
		names := []string{name}
		if alias := r.aliases[name]; alias != "" {
			names = append(names, alias)
		}
		raw, err := o.find(names...)
		if err == nil && raw != nil {
			err = r.value(o.path+name, raw, into.Field(i))
		}
		switch {
		case err == nil:
		case slices.Contains(r.side, name):
			r.door.Dropped = append(r.door.Dropped, name)
		default:
			r.problems = append(r.problems, err)
		}
	}
	if r.strict {
		near := !slices.ContainsFunc(r.strictIn, func(path string) bool {
			return strings.HasPrefix(o.path, path)
		})
		r.problems = append(r.problems, o.unknown(known, r.hints, near)...)
	}
}

// value reads one value. What is wrong within objects and lists is noted there.
func (r *reading) value(field string, raw []byte, into reflect.Value) error {
	switch v := into.Addr().Interface().(type) {
	case *chargestream.Millis:
		at, err := readMoment(field, raw, r.door.Zone)
		*v = at
		return err
	case *json.Number:
		text, err := readNumber(field, raw)
		*v = json.Number(text)
		return err
	case *json.RawMessage:
		*v = bytes.Clone(raw)
		return nil
	}
	switch into.Kind() {
	case reflect.String:
		if _, ok := into.Interface().(connectorText); ok && raw[0] == '-' {
			return &Refusal{Field: field, Value: shown(raw), Problem: "is below zero",
				Expected: takesID, Do: "send the connector's number, from 1 on"}
		}
		verbatim := slices.Contains(r.verbatim, field)
		text, err := readText(field, raw, verbatim)
		into.SetString(text)
		return err
	case reflect.Bool:
		flag, err := readFlag(field, raw)
		into.SetBool(flag)
		return err
	case reflect.Int64:
		n, err := readWhole(field, raw)
		into.SetInt(n)
		return err
	case reflect.Float64:
		return readCoordinate(field, raw, into.Addr().Interface())
	case reflect.Slice:
		return r.list(field, raw, into)
	case reflect.Struct:
		return r.inner(field, raw, into)
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		return r.value(field, raw, into.Elem())
	}
	return &Refusal{Field: field, Value: shown(raw), Problem: "cannot be read",
		Expected: "the field is not known", Do: "leave it out"}
}

func (r *reading) inner(field string, raw []byte, into reflect.Value) error {
	o, err := parseObject(raw, field+".")
	if err == nil {
		r.object(o, into)
	}
	return err
}

func (r *reading) list(field string, raw []byte, into reflect.Value) error {
	if raw[0] != '[' {
		return &Refusal{Field: field, Value: shown(raw), Problem: kindOf(raw), Expected: takesList,
			Do: "put it in brackets, [ ]"}
	}
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return errJSON(raw, err)
	}
	list := reflect.MakeSlice(into.Type(), len(items), len(items))
	for i, item := range items {
		if err := r.value(fmt.Sprintf("%s[%d]", field, i), item, list.Index(i)); err != nil {
			r.problems = append(r.problems, err)
		}
	}
	if len(items) > 0 {
		into.Set(list)
	}
	return nil
}

// textOf is the text of a JSON text; false for any other value.
func textOf(raw []byte) (string, bool) {
	var text string
	if raw[0] != '"' || json.Unmarshal(raw, &text) != nil {
		return "", false
	}
	return text, true
}

// readText reads a text, or the whole number that is one: an id.
func readText(field string, raw []byte, verbatim bool) (string, error) {
	if !utf8.Valid(raw) {
		return "", &Refusal{Field: field, Problem: "is not UTF-8", Expected: takesText,
			Do: "write the record in UTF-8"}
	}
	if text, ok := textOf(raw); ok {
		trimmed := strings.TrimSpace(text)
		switch {
		case verbatim:
			return text, nil
		case trimmed == "" && strings.HasSuffix(field, "_id") &&
			strings.IndexFunc(text, unicode.IsControl) >= 0:
			return "", errID(field, text)
		}
		return trimmed, nil
	}
	if wholeNumber(bytes.TrimPrefix(raw, []byte("-"))) && !verbatim {
		return string(raw), nil
	}
	problem := kindOf(raw)
	if problem == "is a number" {
		problem = "is a number that is not whole"
	}
	takes := takesID
	if verbatim {
		takes = takesText
	}
	return "", &Refusal{Field: field, Value: shown(raw), Problem: problem, Expected: takes,
		Do: "send it in quotes, as it is written elsewhere"}
}

// readNumber is the text of a number; empty where it is absent.
func readNumber(field string, raw []byte) (string, error) {
	text, ok := textOf(raw)
	if text = strings.TrimSpace(text); !ok && kindOf(raw) == "is a number" {
		return string(raw), nil
	}
	if !ok {
		return "", &Refusal{Field: field, Value: shown(raw), Problem: kindOf(raw),
			Expected: takesNumber, Do: "send the bare number"}
	}
	if text == "" {
		return "", nil
	}
	if _, err := ParseScaled(text, 0); err != nil {
		return "", errNumber(field, text)
	}
	return text, nil
}

// errNumber words a text that is no number, or none in range.
func errNumber(field, text string) error {
	r := &Refusal{Field: field, Value: Quoted(text), Problem: "is no number in range",
		Expected: takesNumber, Do: "send the bare number in the unit of the field's name"}
	if strings.ContainsRune(text, ',') {
		r.Problem = "has a comma, which may part decimals or thousands"
		r.Do = "write decimals with a point, and thousands without a mark"
	}
	return r
}

func readWhole(field string, raw []byte) (int64, error) {
	text, err := readNumber(field, raw)
	if err != nil || text == "" {
		return 0, err
	}
	n, err := ParseScaled(text, 0)
	if err != nil {
		return 0, errNumber(field, text)
	}
	if milli, err := ParseScaled(text, 3); err == nil && milli != n*1000 {
		return 0, &Refusal{Field: field, Value: shown(raw), Problem: "is not whole",
			Expected: "a whole number such as 22000 or 22000.0 is taken", Do: "round it"}
	}
	return n, nil
}

// readCoordinate sets a place on the map, the one thing that is no whole number of a unit.
func readCoordinate(field string, raw []byte, into any) error {
	text, err := readNumber(field, raw)
	if err != nil || text == "" {
		return err
	}
	return setDegrees(into, field, json.Number(text))
}

func readFlag(field string, raw []byte) (bool, error) {
	text, ok := textOf(raw)
	if !ok {
		text = string(raw)
	}
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true":
		return true, nil
	case "false", "":
		return false, nil
	}
	return false, &Refusal{Field: field, Value: shown(raw), Problem: kindOf(raw),
		Expected: takesFlag, Do: "send true or false"}
}

func readMoment(field string, raw []byte, zone *time.Location) (chargestream.Millis, error) {
	text, ok := textOf(raw)
	if ok {
		return ParseTime(field, text, zone)
	}
	if kindOf(raw) != "is a number" {
		return 0, &Refusal{Field: field, Value: shown(raw), Problem: kindOf(raw),
			Expected: takesTime, Do: "write the time with its offset"}
	}
	at, ok := ParseUnix(string(raw))
	if !ok && strings.Trim(string(raw), "0.-") != "" {
		return 0, &Refusal{Field: field, Value: shown(raw), Problem: "is a number, and neither " +
			"Unix seconds nor milliseconds of the years 2000 to 2099", Expected: takesTime,
			Do: "write the time as RFC 3339 text"}
	}
	return at, nil
}

// readLoosely reads an object of another standard: fields that are not asked for are its own.
func (r *reading) readLoosely(value []byte, into any) error {
	o, err := parseObject(value, "")
	if err != nil {
		return err
	}
	r.object(o, reflect.ValueOf(into).Elem())
	return r.err()
}
