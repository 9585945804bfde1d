package codecs_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream"
	"chargestream/codecs"
)

// fuzzDecode holds for any bytes that a decoder gives an event or an ErrEvent, and that what it
// gives is written as JSON that is read as the same.
func fuzzDecode(f *testing.F, topic string, cases ...[]eventCase) {
	for _, list := range append(cases, sharedCases()) {
		for _, c := range list {
			f.Add([]byte(c.value))
		}
	}
	for _, g := range goldenEvents() {
		if value, err := codecs.EncodeEvent(g.event); err == nil && g.topic == topic {
			f.Add(value)
		}
	}
	decode := decoders()[topic]
	f.Fuzz(func(t *testing.T, value []byte) {
		event, err := decode(value)
		if err != nil {
			if !errors.Is(err, codecs.ErrEvent) {
				t.Fatalf("error %v does not wrap ErrEvent", err)
			}
			return
		}
		if !writable(event) {
			return
		}
		first, err := codecs.EncodeEvent(event)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(first) {
			t.Fatalf("%q is written as %q, which is no JSON", value, first)
		}
		again, err := decode(first)
		if err != nil {
			t.Fatalf("%s is written as %s: %v", value, first, err)
		}
		second, err := codecs.EncodeEvent(again)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, second) {
			t.Fatalf("%s, then %s", first, second)
		}
	})
}

// writable reports whether the times of an event lie in the years that RFC 3339 can write: the
// offset of a sender can carry a time beyond them.
func writable(event chargestream.Event) bool {
	inYears := func(m chargestream.Millis) bool {
		year := m.Time().Year()
		return year >= 1 && year <= 9999
	}
	if record, ok := event.(*chargestream.SessionRecord); ok && !inYears(record.Start.Time) {
		return false
	}
	return inYears(event.At())
}

func FuzzDecodeStatus(f *testing.F) { fuzzDecode(f, "status", statusCases()) }

func FuzzDecodeMeter(f *testing.F) {
	fuzzDecode(f, "meter", meterCases(), meterSessionCases())
}

func FuzzDecodeSession(f *testing.F) {
	fuzzDecode(f, "session", sessionCases(), sessionNoneCases())
}

func FuzzDecodeDecision(f *testing.F) {
	fuzzDecode(f, "decision", decisionCases(), badDecisionCases())
}

func FuzzDecodeHeartbeat(f *testing.F) { fuzzDecode(f, "heartbeat", statusCases()) }

// FuzzDecodeStation holds for any bytes that an entry of the registry is read again as the same
// from what is written of it, and that a refusal says what to do.
func FuzzDecodeStation(f *testing.F) {
	for _, text := range []string{`{"stationId":7,"lat":"45.5","connectors":[{"connectorId":1}]}`,
		`{"id":"L","evses":[{"uid":"E","connectors":[{"id":"1"}]}]}`,
		`{"station_id":"a","tarif_id":1}`, `{"station_id":"a","max_power_w":1e400}`,
		"\ufeff{}", `{"schema":1,"payload":2}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		info, err := codecs.DecodeStation(value)
		if err != nil {
			if !strings.Contains(err.Error(), "; ") {
				t.Fatalf("%q: %v does not say what to do", value, err)
			}
			return
		}
		text, err := json.Marshal(info)
		if err != nil {
			t.Fatal(err)
		}
		again, err := codecs.DecodeStation(text)
		if diff := cmp.Diff(info, again); err != nil || diff != "" {
			t.Fatalf("%s is written as %s: %v\n%s", value, text, err, diff)
		}
	})
}

// FuzzReader takes fields of any kind, as the first bytes say, from any row: there is no panic,
// and after an error nothing is read any more.
func FuzzReader(f *testing.F) {
	w := codecs.NewWriter(nil, codecs.KindHour, 1)
	w.Byte(7)
	w.Uint(300)
	w.Int(-300)
	w.Text("text")
	f.Add([]byte{0, 1, 2, 3}, w.Bytes())
	f.Add([]byte{4, 4}, []byte{'H', 1, 200, 1})
	f.Add([]byte{3}, []byte{'H', 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Add([]byte{}, []byte{'H', 9})
	f.Fuzz(func(t *testing.T, kinds, row []byte) {
		r, err := codecs.NewReader(row, codecs.KindHour, 1)
		if err != nil {
			return
		}
		for _, kind := range kinds {
			failed := r.Failed()
			if something := take(r, kind); failed && something {
				t.Fatal("a value after the error")
			}
		}
		if err := r.Close(); r.Failed() && !errors.Is(err, codecs.ErrCorrupt) {
			t.Fatalf("error %v", err)
		}
	})
}

// take takes one field and reports whether it is anything but zero.
func take(r *codecs.Reader, kind byte) bool {
	switch kind % 5 {
	case 0:
		return r.Byte() != 0
	case 1:
		return r.Uint() != 0
	case 2:
		return r.Int() != 0
	case 3:
		return r.Text() != ""
	}
	return r.Count() != 0
}
