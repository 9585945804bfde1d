package codecs_test

import (
	"errors"
	"strings"
	"testing"

	"chargestream"
	"chargestream/codecs"
)

func meterCases() []eventCase {
	with := func(fields string) string {
		return `{"station_id":"st","timestamp":"2026-03-01T10:00:00Z"` + fields + `}`
	}
	energy := func(wh chargestream.WattHours) chargestream.Event {
		return &chargestream.MeterValue{StationID: "st", ConnectorID: "1", Time: moment,
			Energy: &wh}
	}
	none := &chargestream.MeterValue{StationID: "st", ConnectorID: "1", Time: moment}
	return []eventCase{
		{name: "all fields", value: with(`,"connector_id":2,"session_id":"s","energy_wh":1234.4,` +
			`"power_w":7359.5,"current_a":16.0004,"voltage_v":230.0006,"soc_percent":80.55,` +
			`"context":"Sample.Clock"`),
			want: &chargestream.MeterValue{StationID: "st", ConnectorID: "2", SessionID: "s",
				Time: moment, Energy: of[chargestream.WattHours](1234),
				Power: of[chargestream.Watts](7360), Current: of[chargestream.Milliamps](16000),
				Voltage: of[chargestream.Millivolts](230001), SoC: of[chargestream.Permille](806),
				Context: "Sample.Clock"}},
		{name: "no amount", value: with(""), want: none},
		{name: "null is no amount", value: with(`,"energy_wh":null,"power_w":null`), want: none},
		{name: "zero is an amount", value: with(`,"energy_wh":0`), want: energy(0)},
		{name: "minus zero", value: with(`,"energy_wh":-0.0`), want: energy(0)},
		{name: "negative", value: with(`,"energy_wh":-1.5`), want: energy(-2)},
		{name: "number as text", value: with(`,"energy_wh":"1234"`), want: energy(1234)},
		{name: "exponent", value: with(`,"energy_wh":1.2345E+3`), want: energy(1235)},
		{name: "negative exponent", value: with(`,"energy_wh":12345e-2`), want: energy(123)},
		{name: "exponent of zero", value: with(`,"energy_wh":7e0`), want: energy(7)},
		{name: "huge", value: with(`,"energy_wh":1000000000000`), want: energy(1000000000000)},
		{name: "more than a meter tells", value: with(`,"energy_wh":-1000000000001`),
			fails: "energy_wh"},
		{name: "too large", value: with(`,"energy_wh":9223372036854775808`), fails: "energy_wh"},
		{name: "too large by exponent", value: with(`,"power_w":1e19`), fails: "power_w"},
		{name: "exponent of three digits", value: with(`,"power_w":1e400`), fails: "power_w"},
		{name: "huge in thousandths", value: with(`,"current_a":1000000000`),
			want: &chargestream.MeterValue{StationID: "st", ConnectorID: "1", Time: moment,
				Current: of[chargestream.Milliamps](1000000000000)}},
		{name: "too large in thousandths", value: with(`,"current_a":9223372036854776`),
			fails: "current_a"},
		{name: "two wrong", value: with(`,"current_a":1e99,"voltage_v":1e99`), fails: "voltage_v"},
		{name: "text that is no number", value: with(`,"energy_wh":"12 kWh"`), fails: "12 kWh"},
		{name: "empty text", value: with(`,"energy_wh":""`), want: none},
		{name: "hexadecimal text", value: with(`,"energy_wh":"0x10"`), fails: "0x10"},
		{name: "plus sign", value: with(`,"energy_wh":+1`), fails: "invalid character"},
		{name: "leading zero", value: with(`,"energy_wh":01`), fails: "invalid character '1'"},
		{name: "flag", value: with(`,"energy_wh":true`), fails: "energy_wh"},
		{name: "object", value: with(`,"energy_wh":{"value":1}`), fails: "energy_wh"},
		{name: "session with a control character", value: with(`,"session_id":"a\u0001"`),
			fails: "session_id"},
		{name: "session a fraction", value: with(`,"session_id":17.5`), fails: "session_id: 17.5"},
		{name: "session an exponent", value: with(`,"session_id":1e3`), fails: "session_id: 1e3"},
		{name: "session with a leading zero", value: with(`,"session_id":017`), fails: "after"},
		{name: "session a flag", value: with(`,"session_id":true`), fails: "session_id: true"},
		{name: "session an object", value: with(`,"session_id":{"id":1}`), fails: "session_id"},
		{name: "signed is too long", value: with(`,"signed_data":"` +
			strings.Repeat("s", codecs.SignedBytesMax+1) + `"`), fails: "signed_data has 16385"},
		{name: "signed is not UTF-8", value: with(",\"signed_data\":\"a\xff\""),
			fails: "signed_data is not UTF-8"},
		{name: "signed a number", value: with(`,"signed_data":1`), fails: "signed_data"},
		{name: "no time", value: `{"station_id":"st","energy_wh":1}`,
			fails: "timestamp is missing"},
	}
}

// meterSessionCases are session ids that are numbers, or none.
func meterSessionCases() []eventCase {
	var cases []eventCase
	for value, want := range map[string]chargestream.SessionID{
		`17`: "17", `"17"`: "17", `0`: "", `"0"`: "", `""`: "", `null`: "", `-1`: "", `"-1"`: "",
		`-987654321`: "", `"-0"`: "", `9223372036854775807`: "", `"9223372036854775807"`: "",
		`9223372036854775806`: "9223372036854775806", `"00"`: "00", `"-"`: "-", `"-1a"`: "-1a",
		`"s-1"`: "s-1", `"unknown"`: "unknown",
	} {
		cases = append(cases, eventCase{name: "session " + value, value: `{"station_id":"st",` +
			`"timestamp":"2026-03-01T10:00:00Z","session_id":` + value + `}`,
			want: &chargestream.MeterValue{StationID: "st", ConnectorID: "1", SessionID: want,
				Time: moment}})
	}
	return cases
}

func TestSignedValueOfGreatestSize(t *testing.T) {
	want := &chargestream.MeterValue{StationID: "st", ConnectorID: "1", Time: moment,
		Signed: strings.Repeat("\"\n", codecs.SignedBytesMax/2)}
	value, err := codecs.EncodeEvent(want)
	if err != nil {
		t.Fatal(err)
	}
	c := eventCase{value: string(value), want: want}
	c.run(t, codecs.DecodeMeter)
}

func TestDecodeMeter(t *testing.T) {
	for _, c := range meterSessionCases() {
		t.Run(c.name, func(t *testing.T) { c.run(t, codecs.DecodeMeter) })
	}
	for _, c := range meterCases() {
		t.Run(c.name, func(t *testing.T) { c.run(t, codecs.DecodeMeter) })
	}
}

func sessionCases() []eventCase {
	const ids = `"station_id":"st","session_id":"s"`
	const begins, ends = `"start_time":"2026-03-01T10:00:00Z"`, `"end_time":"2026-03-01T11:00:00Z"`
	start := chargestream.SessionStart{StationID: "st", ConnectorID: "1", SessionID: "s",
		UserID: "u", Time: moment}
	end := chargestream.SessionEnd{StationID: "st", SessionID: "s",
		Time: moment + chargestream.Hour}
	anybody := start
	anybody.UserID = ""
	metered, record := start, chargestream.SessionRecord{Start: start, End: end}
	metered.Meter = of[chargestream.WattHours](1001)
	full := end
	full.ConnectorID, full.UserID, full.Reason = "2", "u", "Local"
	full.Energy, full.Meter = of[chargestream.WattHours](7001), of[chargestream.WattHours](8002)
	record.End.UserID, record.End.Energy = "u", of[chargestream.WattHours](1500)
	return []eventCase{
		{name: "start", value: `{"event":"session_start",` + ids + `,"user_id":"u",` + begins + `}`,
			want: &start},
		{name: "start with meter", value: `{"event":"session_start",` + ids + `,"user_id":"u",` +
			begins + `,"meter_start_wh":"1000.5"}`, want: &metered},
		{name: "end", value: `{"event":"session_end",` + ids + `,` + ends + `}`, want: &end},
		{name: "end with all fields", value: `{"event":"session_end",` + ids + `,` + ends +
			`,"connector_id":2,"user_id":"u","energy_kwh":7.0005,"meter_stop_wh":8002,` +
			`"reason":"Local"}`, want: &full},
		{name: "record", value: `{` + ids + `,"user_id":"u",` + begins + `,` + ends +
			`,"energy_kwh":1.5}`, want: &record},
		{name: "record with null event", value: `{"event":null,` + ids + `,"user_id":"u",` +
			begins +
			`,` + ends + `,"energy_kwh":15e-1}`, want: &record},
		{name: "record without end", value: `{` + ids + `,"user_id":"u",` + begins + `}`,
			fails: "end_time is missing"},
		{name: "record without start", value: `{` + ids + `,"user_id":"u",` + ends + `}`,
			fails: "start_time is missing"},
		{name: "record with wrong energy", value: `{` + ids + `,"user_id":"u",` + begins + `,` +
			ends +
			`,"energy_kwh":1e99}`, fails: "energy_kwh"},
		{name: "start without user", value: `{"event":"session_start",` + ids + `,` + begins + `}`,
			want: &anybody},
		{name: "start with empty user", value: `{"event":"session_start",` + ids +
			`,"user_id":"",` + begins + `}`, want: &anybody},
		{name: "start with bad user", value: `{"event":"session_start",` + ids +
			`,"user_id":"a\u0001",` + begins + `}`, fails: "user_id"},
		{name: "start without time", value: `{"event":"session_start",` + ids + `,"user_id":"u"}`,
			fails: "start_time is missing"},
		{name: "start with wrong meter", value: `{"event":"session_start",` + ids +
			`,"user_id":"u",` + begins + `,"meter_start_wh":1e99}`, fails: "meter_start_wh"},
		{name: "end without time", value: `{"event":"session_end",` + ids + `}`,
			fails: "end_time is missing"},
		{name: "bad session", value: `{"event":"session_end","station_id":"st",` +
			`"session_id":"a\u0001",` + ends + `}`, fails: "session_id"},
		{name: "signed is too long", value: `{"event":"session_end",` + ids + `,` + ends +
			`,"signed_data":"` + strings.Repeat("s", codecs.SignedBytesMax+1) + `"}`,
			fails: "signed_data has 16385"},
		{name: "other event", value: `{"event":"session_pause",` + ids + `}`,
			fails: "session_pause"},
		{name: "event in capitals", value: `{"event":"SESSION_START",` + ids + `,"user_id":"u",` +
			begins + `}`, want: &start},
		{name: "event unknown", value: `{"event":"session_pause",` + ids + `}`,
			fails: `event: "session_pause" is neither`},
		{name: "end with energy in Wh", value: `{"event":"session_end",` + ids + `,` + ends +
			`,"connector_id":2,"user_id":"u","energy_wh":7001,"meter_stop_wh":8002,` +
			`"reason":"Local"}`, want: &full},
		{name: "end with two energies", value: `{"event":"session_end",` + ids + `,` + ends +
			`,"energy_wh":7001,"energy_kwh":7}`, fails: `energy_wh: "7001" differs`},
		{name: "future fields", value: `{"event":"session_end",` + ids + `,` + ends +
			`,"cost":{"eur":"1.20"}}`, want: &end},
	}
}

// sessionNoneCases are starts, ends and records whose session_id is none.
func sessionNoneCases() []eventCase {
	const begins, ends = `"start_time":"2026-03-01T10:00:00Z"`, `"end_time":"2026-03-01T11:00:00Z"`
	start := chargestream.SessionStart{StationID: "st", ConnectorID: "1", Time: moment,
		SessionID: "unknown/st/-/2026-03-01T10:00:00Z"}
	end := chargestream.SessionEnd{StationID: "st", Time: moment + chargestream.Hour,
		SessionID: "unknown/st/-/2026-03-01T11:00:00Z/end"}
	record := chargestream.SessionRecord{Start: start, End: end}
	record.End.SessionID = start.SessionID
	second := end
	second.ConnectorID, second.SessionID = "2", "unknown/st/2/2026-03-01T11:00:00Z/end"
	cases := []eventCase{{name: "end with connector", want: &second,
		value: `{"event":"session_end","station_id":"st","connector_id":2,` + ends + `}`}}
	for _, id := range []string{``, `"session_id":null,`, `"session_id":"",`, `"session_id":0,`,
		`"session_id":"0",`, `"session_id":-1,`, `"session_id":"-17",`,
		`"session_id":9223372036854775807,`} {
		of := `"station_id":"st",` + id
		cases = append(cases,
			eventCase{name: "start " + id, want: &start,
				value: `{"event":"session_start",` + of + begins + `}`},
			eventCase{name: "end " + id, want: &end,
				value: `{"event":"session_end",` + of + ends + `}`},
			eventCase{name: "record " + id, want: &record,
				value: `{` + of + begins + `,` + ends + `}`})
	}
	return cases
}

// TestLongSessionsMadeUp holds that an id made of a long station and connector is an identifier,
// and another for another connector and another time.
func TestLongSessionsMadeUp(t *testing.T) {
	seen := map[chargestream.SessionID]bool{}
	for _, connector := range []string{"1", "2", strings.Repeat("ü", 127)} {
		for _, second := range []string{"00", "01"} {
			event, err := codecs.DecodeSession([]byte(`{"event":"session_end","station_id":"` +
				strings.Repeat("é", 127) + `","connector_id":"` + connector +
				`","end_time":"2026-03-01T10:00:` + second + `Z"}`))
			if err != nil {
				t.Fatal(err)
			}
			id := event.(*chargestream.SessionEnd).SessionID
			if err := chargestream.CheckID(string(id)); err != nil || seen[id] {
				t.Errorf("%q: error %v, seen before %v", id, err, seen[id])
			}
			seen[id] = true
		}
	}
}

// TestEncodeRefusesWhatIsNoSession: the reader would give a start and its end an id each.
func TestEncodeRefusesWhatIsNoSession(t *testing.T) {
	for _, id := range []chargestream.SessionID{"", "0", "-1", "9223372036854775807"} {
		start := chargestream.SessionStart{StationID: "st", SessionID: id, Time: moment}
		end := chargestream.SessionEnd{StationID: "st", SessionID: id, Time: moment}
		for _, event := range []chargestream.Event{&start, &end,
			&chargestream.SessionRecord{Start: start, End: end}} {
			value, err := codecs.EncodeEvent(event)
			if !errors.Is(err, codecs.ErrEvent) {
				t.Errorf("%s, error %v", value, err)
			}
		}
	}
}

func TestEncodeRefusesARecordOfASignedStart(t *testing.T) {
	record := &chargestream.SessionRecord{
		Start: chargestream.SessionStart{StationID: "st", SessionID: "s", Signed: signedText},
		End:   chargestream.SessionEnd{StationID: "st", SessionID: "s"}}
	if value, err := codecs.EncodeEvent(record); !errors.Is(err, codecs.ErrEvent) {
		t.Errorf("%s, error %v", value, err)
	}
}

func TestDecodeSession(t *testing.T) {
	for _, c := range append(sessionCases(), sessionNoneCases()...) {
		t.Run(c.name, func(t *testing.T) { c.run(t, codecs.DecodeSession) })
	}
}
