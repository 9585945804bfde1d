package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/codecs"
	"chargestream/processors"
	"chargestream/topics"
)

// Bounds of what send and put read at once.
const (
	sendBytesMax = 256 << 20
	// refusalsMax bounds the refused records that an error names.
	refusalsMax = 20
)

// object is one JSON object of a file, and the line that it begins in.
type object struct {
	line  int
	value []byte // compact
}

// readObjects reads what an argument names: a file, - for standard input, or JSON itself. It holds
// one object, a list of objects, or one object behind the other, as in lines.
func readObjects(arg string) ([]object, error) {
	text := []byte(arg)
	if first := strings.TrimSpace(arg); !strings.HasPrefix(first, "{") &&
		!strings.HasPrefix(first, "[") {
		var err error
		if text, err = readInput(arg); err != nil {
			return nil, err
		}
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	list, err := parseObjects(text)
	if err != nil {
		return nil, &exitError{code: exitInvalid, what: "what is given cannot be read", err: err,
			hint: "it must be a JSON object, a list of objects, or an object a line"}
	}
	if len(list) == 0 {
		return nil, &exitError{code: exitInvalid, what: "what is given holds no JSON object"}
	}
	return list, nil
}

func readInput(path string) (text []byte, err error) {
	in := os.Stdin
	if path != "-" {
		if in, err = os.Open(path); err != nil {
			return nil, fileError(err)
		}
		defer func() { err = errors.Join(err, in.Close()) }()
	}
	if text, err = io.ReadAll(io.LimitReader(in, sendBytesMax+1)); err != nil {
		return nil, fileError(err)
	}
	if len(text) > sendBytesMax {
		return nil, &exitError{code: exitInvalid, hint: "send it in parts",
			what: fmt.Sprintf("%s is larger than %d bytes", path, sendBytesMax)}
	}
	return text, nil
}

func parseObjects(text []byte) ([]object, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	var list []object
	lines := lineCounter{text: text}
	for {
		begin := decoder.InputOffset()
		for begin < int64(len(text)) && strings.ContainsRune(" \t\r\n", rune(text[begin])) {
			begin++
		}
		at := lines.of(begin)
		var raw json.RawMessage
		err := decoder.Decode(&raw)
		switch {
		case errors.Is(err, io.EOF):
			return list, nil
		case err != nil:
			return nil, fmt.Errorf("line %d: %w", at, err)
		case raw[0] == '[':
			var parts []json.RawMessage
			if err := json.Unmarshal(raw, &parts); err != nil {
				return nil, fmt.Errorf("line %d: %w", at, err)
			}
			within := 0
			for _, part := range parts {
				within += bytes.Index(raw[within:], part)
				list = append(list, object{line: at + bytes.Count(raw[:within], []byte("\n")),
					value: compact(part)})
				within += len(part)
			}
		default:
			list = append(list, object{at, compact(raw)})
		}
	}
}

func compact(raw []byte) []byte {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return raw // it cannot be: the decoder took it
	}
	return b.Bytes()
}

// lineCounter counts lines up to offsets that only grow.
type lineCounter struct {
	text []byte
	at   int64
	line int
}

func (c *lineCounter) of(offset int64) int {
	if offset > c.at {
		c.line += bytes.Count(c.text[c.at:offset], []byte("\n"))
		c.at = offset
	}
	return c.line + 1
}

// checker makes records, and judges them as the processors will.
type checker struct {
	arrival chargestream.Millis
	// zones gives the time zone of a station, for times without one; nil where it is not known.
	zones func(chargestream.StationID) (*time.Location, error)
	notes []string // of fields that are left out, dropsMax at most
}

// dropsMax bounds the records of which is said which fields are left out.
const dropsMax = 20

// record makes the record of an object; line is where it stands.
func (c *checker) record(topic string, o object) (*kgo.Record, error) {
	key := keyOf(topic, o.value)
	j := processors.Validate(topic, key, o.value, c.arrival, nil)
	if j.NeedsZone && c.zones != nil {
		zone, err := c.zones(chargestream.StationID(key))
		if err != nil {
			return nil, err
		}
		if zone != nil {
			j = processors.Validate(topic, key, o.value, c.arrival, zone)
		}
	}
	if j.Reason != "" {
		return nil, fmt.Errorf("%s: %w", j.Reason, j.Err)
	}
	if len(j.Dropped) > 0 && len(c.notes) < dropsMax {
		c.notes = append(c.notes, fmt.Sprintf("line %d: %s cannot be read and is left out", o.line,
			strings.Join(j.Dropped, ", ")))
	}
	return &kgo.Record{Topic: topic, Key: key, Value: o.value}, nil
}

// keyOf is the key by which a record is partitioned: its station, or its tariff.
func keyOf(topic string, value []byte) []byte {
	if t, ok := topics.Lookup(topic); ok && t.Decode != nil {
		if event, err := t.Decode(value); err == nil {
			return []byte(event.Station())
		}
		if station := codecs.StationOf(value); station != "" {
			return []byte(station)
		}
	}
	names := []string{"station_id", "id"}
	if topic == topics.Tariffs {
		names = []string{"tariff_id", "id"}
	}
	if id := codecs.IDOf(value, names...); id != "" {
		return []byte(id)
	}
	return nil
}

// refusals are the records of a file that the processors would not take.
type refusals struct {
	n     int
	texts []string
}

func (r *refusals) add(line int, err error) {
	if r.n++; r.n <= refusalsMax {
		r.texts = append(r.texts, fmt.Sprintf("line %d: %v", line, err))
	}
}

// err is nil where nothing was refused.
func (r *refusals) err(of int) error {
	if r.n == 0 {
		return nil
	}
	text := strings.Join(r.texts, "; ")
	if more := r.n - len(r.texts); more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return &exitError{code: exitInvalid, hint: "nothing was written; the fields are described in " +
		"docs/format/events.md",
		what: fmt.Sprintf("%d of %d records would become dead letters: %s", r.n, of, text)}
}
