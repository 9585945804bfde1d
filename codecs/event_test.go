package codecs_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"chargestream"
	"chargestream/codecs"
)

var update = flag.Bool("update", false, "write the golden files anew")

// decoder reads the events of one topic.
type decoder func([]byte) (chargestream.Event, error)

// decoders are those of all input topics, by topic.
func decoders() map[string]decoder {
	return map[string]decoder{"status": codecs.DecodeStatus, "session": codecs.DecodeSession,
		"meter": codecs.DecodeMeter, "heartbeat": codecs.DecodeHeartbeat,
		"decision": codecs.DecodeDecision}
}

// moment is 2026-03-01T10:00:00Z, the time in most cases.
const moment = chargestream.Millis(1772359200000)

func of[T any](v T) *T { return &v }

// eventCase is one value of a topic: what it decodes to, or a part of the error's text.
type eventCase struct {
	name  string
	value string
	want  chargestream.Event
	fails string
}

func (c *eventCase) run(t *testing.T, decode decoder) {
	got, err := decode([]byte(c.value))
	if c.fails == "" {
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Error(diff)
		}
		return
	}
	if !errors.Is(err, codecs.ErrEvent) || !strings.Contains(fmt.Sprint(err), c.fails) {
		t.Errorf("error %v, want one of ErrEvent with %q", err, c.fails)
	}
	if got != nil {
		t.Errorf("an event beside the error: %+v", got)
	}
}

func statusCases() []eventCase {
	at := func(ms chargestream.Millis) chargestream.Event {
		return &chargestream.StatusReport{StationID: "st", ConnectorID: "1", Time: moment + ms,
			Status: "free"}
	}
	value := func(time string) string {
		return `{"station_id":"st","timestamp":"` + time + `","status":"free"}`
	}
	with := func(field string) string {
		return `{"station_id":"st","timestamp":"2026-03-01T10:00:00Z","status":"free",` + field +
			`}`
	}
	connector := func(id chargestream.ConnectorID) chargestream.Event {
		return &chargestream.StatusReport{StationID: "st", ConnectorID: id, Time: moment,
			Status: "free"}
	}
	return []eventCase{
		{name: "all fields", value: `{"station_id":"st","connector_id":"2",` +
			`"timestamp":"2026-03-01T10:00:00Z","status":"FAULTED","error_code":"GroundFailure"}`,
			want: &chargestream.StatusReport{StationID: "st", ConnectorID: "2", Time: moment,
				Status: "FAULTED", ErrorCode: "GroundFailure"}},
		{name: "least", value: value("2026-03-01T10:00:00Z"), want: at(0)},
		{name: "white space", value: " \t\r\n" + value("2026-03-01T10:00:00Z") + " \n",
			want: at(0)},
		{name: "offset east", value: value("2026-03-01T11:00:00+01:00"), want: at(0)},
		{name: "offset west", value: value("2026-03-01T04:30:00-05:30"), want: at(0)},
		{name: "offset minus zero", value: value("2026-03-01T10:00:00-00:00"), want: at(0)},
		{name: "fraction", value: value("2026-03-01T10:00:00.5Z"), want: at(500)},
		{name: "fraction is cut", value: value("2026-03-01T10:00:00.1239999Z"), want: at(123)},
		{name: "no zone", value: value("2026-03-01T10:00:00"), fails: "not RFC 3339"},
		{name: "date", value: value("2026-03-01"), fails: "not RFC 3339"},
		{name: "space in time", value: value("2026-03-01 10:00:00Z"), want: at(0)},
		{name: "small letters in time", value: value("2026-03-01t10:00:00z"), want: at(0)},
		{name: "offset of hours", value: value("2026-03-01T11:00:00+01"), want: at(0)},
		{name: "no seconds", value: value("2026-03-01T10:00Z"), want: at(0)},
		{name: "offset of no zone", value: value("2026-03-01T10:00:00+99"), fails: "not RFC 3339"},
		{name: "no such day", value: value("2026-02-30T10:00:00Z"), fails: "not RFC 3339"},
		{name: "offset without colon", value: value("2026-03-01T11:00:00+0100"), want: at(0)},
		{name: "time empty", value: value(""), fails: "timestamp is missing"},
		{name: "time is the epoch", value: value("1970-01-01T00:00:00Z"),
			fails: "timestamp is missing"},
		{name: "time missing", value: `{"station_id":"st","status":"free"}`,
			fails: "timestamp is missing"},
		{name: "time null", value: `{"station_id":"st","status":"free","timestamp":null}`,
			fails: "timestamp is missing"},
		{name: "time a number",
			value: `{"station_id":"st","status":"free","timestamp":1772359200000}`, want: at(0)},
		{name: "connector a number", value: with(`"connector_id":2`), want: connector("2")},
		{name: "connector a text", value: with(`"connector_id":"CCS left"`),
			want: connector("CCS left")},
		{name: "connector zero", value: with(`"connector_id":0`), want: connector("0")},
		{name: "connector empty", value: with(`"connector_id":""`), want: connector("1")},
		{name: "connector null", value: with(`"connector_id":null`), want: connector("1")},
		{name: "connector with slash", value: with(`"connector_id":"1/2"`),
			fails: `connector_id: "1/2" must not contain a slash`},
		{name: "connector a fraction", value: with(`"connector_id":1.0`),
			fails: "connector_id: 1.0"},
		{name: "connector negative", value: with(`"connector_id":-1`), fails: "connector_id: -1"},
		{name: "connector an exponent", value: with(`"connector_id":1e1`),
			fails: "connector_id: 1e1"},
		{name: "connector a flag", value: with(`"connector_id":true`), fails: "connector_id: true"},
		{name: "connector an object", value: with(`"connector_id":{}`), fails: "connector_id: {}"},
		{name: "connector too long", value: with(`"connector_id":"` + strings.Repeat("c", 256) +
			`"`),
			fails: "has 256 bytes: an identifier is"},
		{name: "status unknown", value: with(`"status":"Sleeping"`), fails: `status: "Sleeping"`},
		{name: "status missing", value: `{"station_id":"st","timestamp":"2026-03-01T10:00:00Z"}`,
			fails: "status is missing"},
		// null is no value
		{name: "status null", value: with(`"status":null`), want: connector("1")},
		{name: "status a number", value: with(`"status":3`), fails: "status"},
		{name: "error code is cut", value: with(`"error_code":"` + strings.Repeat("ü", 200) + `"`),
			want: &chargestream.StatusReport{StationID: "st", ConnectorID: "1", Time: moment,
				Status: "free", ErrorCode: strings.Repeat("ü", 127)}},
		{name: "future fields", value: with(`"vendor":{"a":[1,2,{"b":null}]},"evse_id":3`),
			want: connector("1")},
	}
}

// sharedCases are wrong for every topic.
func sharedCases() []eventCase {
	return []eventCase{
		{name: "empty", value: "", fails: "unexpected end"},
		{name: "white space only", value: "  ", fails: "unexpected end"},
		{name: "not JSON", value: "status", fails: "invalid character"},
		{name: "cut", value: `{"station_id":"st"`, fails: "unexpected end"},
		{name: "null", value: `null`, fails: "the value is null"},
		{name: "array", value: `[]`, fails: "[] is a list"},
		{name: "text", value: `"st"`, fails: `"st" is a text`},
		{name: "number", value: `7`, fails: "7 is a number"},
		{name: "NaN", value: `{"station_id":"st","power_w":NaN}`, fails: "invalid character"},
		{name: "station missing", value: `{}`, fails: "station_id is missing"},
		{name: "station empty", value: `{"station_id":""}`, fails: "station_id is missing"},
		{name: "station null", value: `{"station_id":null}`, fails: "station_id is missing"},
		{name: "station too long", value: `{"station_id":"` + strings.Repeat("s", 256) + `"}`,
			fails: "has 256 bytes"},
		{name: "station with a control character", value: `{"station_id":"a\u0000b"}`,
			fails: "has a control character"},
		{name: "station with DEL", value: `{"station_id":"a\u007fb"}`,
			fails: "has a control character"},
		{name: "byte order mark", value: "\ufeff{}", fails: "station_id is missing"},
		{name: "deep", value: strings.Repeat("[", 20000), fails: "depth"},
	}
}

func TestDecodeStatus(t *testing.T) {
	for _, c := range statusCases() {
		t.Run(c.name, func(t *testing.T) { c.run(t, codecs.DecodeStatus) })
	}
}

func TestDecodeRefusesInEveryTopic(t *testing.T) {
	for topic, decode := range decoders() {
		for _, c := range sharedCases() {
			t.Run(topic+"/"+c.name, func(t *testing.T) { c.run(t, decode) })
		}
	}
}

// TestDecodeTakesOneValue holds for a good value of each topic that nothing may follow it.
func TestDecodeTakesOneValue(t *testing.T) {
	for _, g := range goldenEvents() {
		value, err := codecs.EncodeEvent(g.event)
		if err != nil {
			t.Fatal(err)
		}
		for _, tail := range []string{"x", "{}", string(value), ",", "]", "null", "\x00"} {
			_, err := decoders()[g.topic](append(bytes.Clone(value), tail...))
			if !errors.Is(err, codecs.ErrEvent) {
				t.Errorf("%s: with %q behind it: error %v", g.name, tail, err)
			}
		}
	}
}

func TestDecodeHeartbeat(t *testing.T) {
	want := &chargestream.Heartbeat{StationID: "st", Time: moment}
	for _, c := range []eventCase{
		{name: "good", value: `{"station_id":"st","timestamp":"2026-03-01T10:00:00Z"}`, want: want},
		{name: "future fields", want: want, value: `{"station_id":"st","firmware":"1.2",` +
			`"timestamp":"2026-03-01T10:00:00Z"}`},
		{name: "no time", value: `{"station_id":"st"}`, fails: "timestamp is missing"},
		{name: "connector is checked", value: `{"station_id":"st","connector_id":"/",` +
			`"timestamp":"2026-03-01T10:00:00Z"}`, fails: "slash"},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, codecs.DecodeHeartbeat) })
	}
}

// TestIDsOfOtherBytesAreRefused: were they mended, two sessions could become one.
func TestIDsOfOtherBytesAreRefused(t *testing.T) {
	const times = `"start_time":"2026-03-01T10:00:00Z","end_time":"2026-03-01T11:00:00Z"}`
	for field, value := range map[string]string{
		"station_id": "{\"station_id\":\"a\xff\",\"session_id\":\"s\",\"user_id\":\"u\"," + times,
		"session_id": "{\"station_id\":\"st\",\"session_id\":\"a\xff\",\"user_id\":\"u\"," + times,
		"user_id":    "{\"station_id\":\"st\",\"session_id\":\"s\",\"user_id\":\"a\xff\"," + times,
	} {
		event, err := codecs.DecodeSession([]byte(value))
		if !errors.Is(err, codecs.ErrEvent) || !strings.Contains(fmt.Sprint(err), field) {
			t.Errorf("%s: %+v, %v", field, event, err)
		}
	}
}

func TestKeptTextIsValidUTF8(t *testing.T) {
	value := []byte(`{"station_id":"st","timestamp":"2026-03-01T10:00:00Z","status":"free",` +
		"\"error_code\":\"a\xff\xfeb\"}")
	event, err := codecs.DecodeStatus(value)
	if err != nil {
		t.Fatal(err)
	}
	if code := event.(*chargestream.StatusReport).ErrorCode; !utf8.ValidString(code) {
		t.Errorf("error code %q", code)
	}
}

// signedText is a signed value whose bytes JSON has to escape: OCMF is JSON itself.
const signedText = `OCMF|{"FV":"1.0","PG":"T1","RD":[{"RI":"1-b:1.8.0","RU":"kWh"}]}|` +
	`{"SD":"3045\\<é>&"}` + "\t\u2028\r\n"

// goldenEvent is an event with its name in the golden file.
type goldenEvent struct {
	topic, name string
	event       chargestream.Event
}

// TestGoldenEvents holds the JSON that is written, and that it is read as what it was.
func TestGoldenEvents(t *testing.T) {
	var got bytes.Buffer
	for _, g := range goldenEvents() {
		value, err := codecs.EncodeEvent(g.event)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&got, "%s, %s: %s\n", g.topic, g.name, value)
		back, err := decoders()[g.topic](value)
		if err != nil {
			t.Fatalf("%s: %v", value, err)
		}
		if diff := cmp.Diff(g.event, back); diff != "" {
			t.Errorf("%s: %s", value, diff)
		}
	}
	path := filepath.Join("testdata", "events.txt")
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Error(diff)
	}
}

// unknownEvent is an event of no topic.
type unknownEvent struct{}

// Station implements chargestream.Event.
func (unknownEvent) Station() chargestream.StationID { return "st" }

// At implements chargestream.Event.
func (unknownEvent) At() chargestream.Millis { return moment }

// Scope implements chargestream.Event.
func (unknownEvent) Scope() chargestream.Scope { return chargestream.Scope{} }

func TestEncodeRefusesOtherEvents(t *testing.T) {
	if value, err := codecs.EncodeEvent(unknownEvent{}); !errors.Is(err, codecs.ErrEvent) {
		t.Errorf("%s, error %v", value, err)
	}
}

// TestRoundTrip holds for random events that what is written is read as what it was.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		topic, event := drawEvent(t)
		value, err := codecs.EncodeEvent(event)
		if err != nil {
			t.Fatal(err)
		}
		back, err := decoders()[topic](value)
		if err != nil {
			t.Fatalf("%s: %v", value, err)
		}
		if diff := cmp.Diff(event, back); diff != "" {
			t.Fatalf("%s: %s", value, diff)
		}
	})
}
