package codecs

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/mailru/easyjson/jlexer"

	"chargestream"
)

// ErrEvent is wrapped by every error of DecodeEvent: the bytes are not an event of that topic.
var ErrEvent = errors.New("not an event")

// DecodeStatus reads a record of the station-status topic. The error of this and of the other
// decoders wraps ErrEvent, and says field, value, what is expected and what to do.
func DecodeStatus(value []byte) (chargestream.Event, error) { return ReadStatus(value, nil) }

// DecodeMeter reads a record of the meter-values topic.
func DecodeMeter(value []byte) (chargestream.Event, error) { return ReadMeter(value, nil) }

// DecodeHeartbeat reads a record of the heartbeats topic.
func DecodeHeartbeat(value []byte) (chargestream.Event, error) { return ReadHeartbeat(value, nil) }

// DecodeSession reads a record of the charging-sessions topic.
func DecodeSession(value []byte) (chargestream.Event, error) { return ReadSession(value, nil) }

// ReadStatus is DecodeStatus through a door, which may be nil.
func ReadStatus(value []byte, d *Door) (chargestream.Event, error) {
	return decode(value, d, (*wire).status)
}

// ReadMeter is DecodeMeter through a door, which may be nil.
func ReadMeter(value []byte, d *Door) (chargestream.Event, error) {
	return decode(value, d, (*wire).meter)
}

// ReadHeartbeat is DecodeHeartbeat through a door, which may be nil.
func ReadHeartbeat(value []byte, d *Door) (chargestream.Event, error) {
	return decode(value, d, (*wire).heartbeat)
}

// ReadSession is DecodeSession through a door, which may be nil.
func ReadSession(value []byte, d *Door) (chargestream.Event, error) {
	return decode(value, d, (*wire).session)
}

// decode reads a record that is written as the format says by generated code, and any other one
// leniently: what costs more is paid by those who write in another way.
func decode(
	value []byte,
	d *Door,
	read func(*wire) (chargestream.Event, error),
) (chargestream.Event, error) {
	var w wire
	l := jlexer.Lexer{Data: value}
	w.UnmarshalEasyJSON(&l)
	l.Consumed()
	if l.Error() == nil && !w.respelled && !mayRepeat(value) {
		if event, err := w.event(read); err == nil {
			return event, nil
		}
	}
	if d == nil {
		d = &Door{}
	}
	event, err := readLenient(value, d, read)
	if err != nil {
		d.Dropped = nil
		return nil, fmt.Errorf("%w: %w", ErrEvent, err)
	}
	return event, nil
}

// readLenient reads a record that is not written as the format says. Its first error has the field.
func readLenient(
	value []byte,
	d *Door,
	read func(*wire) (chargestream.Event, error),
) (chargestream.Event, error) {
	o, err := parseObject(value, "")
	if err != nil {
		return nil, err
	}
	w := wire{lenient: true}
	r := reading{door: d, form: form{
		side: []string{"error_code", "reason", "context", "power_w", "current_a", "voltage_v",
			"soc_percent"},
		verbatim: []string{"signed_data"}}}
	d.Dropped = nil
	r.object(o, reflect.ValueOf(&w).Elem())
	if err := r.err(); err != nil {
		return nil, err
	}
	w.dropped = d.Dropped
	event, err := w.event(read)
	d.Dropped = w.dropped
	return event, err
}

// event is what the fields mean, by the topic's reader.
func (w *wire) event(read func(*wire) (chargestream.Event, error)) (chargestream.Event, error) {
	w.StationID = strings.TrimSpace(w.StationID)
	w.ConnectorID = connectorText(strings.TrimSpace(string(w.ConnectorID)))
	w.SessionID = sessionText(strings.TrimSpace(string(w.SessionID)))
	w.UserID = strings.TrimSpace(w.UserID)
	if err := chargestream.CheckID(w.StationID); err != nil {
		return nil, errID("station_id", w.StationID)
	}
	if err := w.checkConnector(); err != nil {
		return nil, err
	}
	return read(w)
}

// checkConnector refuses the slash because it parts the key of a window.
func (w *wire) checkConnector() error {
	if w.ConnectorID == "" {
		return nil
	}
	if strings.ContainsRune(string(w.ConnectorID), '/') {
		return errSlash("connector_id", string(w.ConnectorID))
	}
	if chargestream.CheckID(string(w.ConnectorID)) != nil {
		return errID("connector_id", string(w.ConnectorID))
	}
	return nil
}

// errSlash refuses the slash, which parts the key of a window.
func errSlash(field, text string) error {
	return &Refusal{Field: field, Value: Quoted(text), Problem: "must not contain a slash",
		Expected: "any other identifier is taken", Do: "write another character for the slash"}
}

func (w *wire) heartbeat() (chargestream.Event, error) {
	if w.Timestamp == 0 {
		return nil, errMissing("timestamp")
	}
	return &chargestream.Heartbeat{StationID: chargestream.StationID(w.StationID),
		Time: w.Timestamp}, nil
}

func (w *wire) connector() chargestream.ConnectorID {
	if w.ConnectorID == "" {
		return chargestream.ConnectorDefault
	}
	return chargestream.ConnectorID(w.ConnectorID)
}

func (w *wire) status() (chargestream.Event, error) {
	if w.Timestamp == 0 {
		return nil, errMissing("timestamp")
	}
	word := strings.TrimSpace(w.Status)
	if _, _, ok := chargestream.ParseStatus(word); !ok {
		return nil, errStatus(word)
	}
	return &chargestream.StatusReport{StationID: chargestream.StationID(w.StationID),
		ConnectorID: w.connector(), Time: w.Timestamp, Status: word,
		ErrorCode: clip(w.ErrorCode)}, nil
}

func errStatus(word string) error {
	if word == "" {
		return errMissing("status")
	}
	return &Refusal{Field: "status", Value: Quoted(word), Problem: "is no status of a connector",
		Expected: "the words of OCPP 1.5 to 2.1, OCPI and OICP are taken, in any case, such as " +
			"Available, Charging, SuspendedEV, OUTOFORDER", Do: "send the standard's word"}
}

func (w *wire) meter() (chargestream.Event, error) {
	if w.Timestamp == 0 {
		return nil, errMissing("timestamp")
	}
	m := &chargestream.MeterValue{StationID: chargestream.StationID(w.StationID),
		ConnectorID: w.connector(), Time: w.Timestamp, Context: clip(w.Context)}
	if !noSession(w.SessionID) {
		if chargestream.CheckID(string(w.SessionID)) != nil {
			return nil, errID("session_id", string(w.SessionID))
		}
		m.SessionID = chargestream.SessionID(w.SessionID)
	}
	if err := errors.Join(w.signed(&m.Signed),
		scaled(&m.Energy, "energy_wh", w.EnergyWh, 0)); err != nil {
		return nil, err
	}
	side := errors.Join(
		w.side(scaled(&m.Power, "power_w", w.PowerW, 0), "power_w"),
		w.side(scaled(&m.Current, "current_a", w.CurrentA, 3), "current_a"),
		w.side(scaled(&m.Voltage, "voltage_v", w.VoltageV, 3), "voltage_v"),
		w.side(scaled(&m.SoC, "soc_percent", w.SoCPercent, 1), "soc_percent"))
	if side != nil {
		return nil, side
	}
	return m, w.checkDropped(m)
}

// side notes a side field that could not be read. The fast reader has it read again leniently.
func (w *wire) side(err error, name string) error {
	if err == nil || !w.lenient {
		return err
	}
	w.dropped, w.sideErr = append(w.dropped, name), errors.Join(w.sideErr, err)
	return nil
}

// checkDropped refuses a sample of which nothing is left.
func (w *wire) checkDropped(m *chargestream.MeterValue) error {
	if len(w.dropped) == 0 || m.Energy != nil || m.Power != nil || m.Current != nil ||
		m.Voltage != nil || m.SoC != nil || m.Signed != "" {
		return nil
	}
	if w.sideErr != nil {
		return w.sideErr
	}
	return &Refusal{Field: w.dropped[0], Problem: "cannot be read, and the sample has nothing else",
		Expected: takesNumber, Do: "send the bare number in the unit of the field's name"}
}

func (w *wire) session() (chargestream.Event, error) {
	switch event := strings.TrimSpace(w.Event); {
	case event == "session_start" || w.lenient && foldName(event) == "sessionstart":
		start, err := w.start()
		if err != nil {
			return nil, err
		}
		return start, w.signed(&start.Signed)
	case event == "session_end" || w.lenient && foldName(event) == "sessionend":
		end, err := w.end()
		if err != nil {
			return nil, err
		}
		return end, w.signed(&end.Signed)
	case event == "":
		return w.record()
	}
	return nil, &Refusal{Field: "event", Value: Quoted(w.Event),
		Problem:  "is neither session_start nor session_end",
		Expected: "one of them is taken, or no event for a record of start and end",
		Do:       "send one of them"}
}

// record reads start and end in one. What is signed goes to the end: it is of both.
func (w *wire) record() (chargestream.Event, error) {
	start, err := w.start()
	if err != nil {
		return nil, err
	}
	end, err := w.end()
	if err != nil {
		return nil, err
	}
	end.SessionID = start.SessionID
	record := &chargestream.SessionRecord{Start: *start, End: *end}
	return record, w.signed(&record.End.Signed)
}

func (w *wire) start() (*chargestream.SessionStart, error) {
	if w.StartTime == 0 {
		return nil, errMissing("start_time")
	}
	session, err := w.sessionID(w.StartTime, "")
	if err != nil {
		return nil, err
	}
	// Without a user the bill is held: who charged is to be found out, not to be thrown away.
	if w.UserID != "" {
		if chargestream.CheckID(w.UserID) != nil {
			return nil, errID("user_id", w.UserID)
		}
	}
	s := &chargestream.SessionStart{StationID: chargestream.StationID(w.StationID),
		ConnectorID: w.connector(), SessionID: session,
		UserID: chargestream.UserID(w.UserID), Time: w.StartTime}
	return s, scaled(&s.Meter, "meter_start_wh", w.MeterStart, 0)
}

func (w *wire) end() (*chargestream.SessionEnd, error) {
	if w.EndTime == 0 {
		return nil, errMissing("end_time")
	}
	session, err := w.sessionID(w.EndTime, "/end")
	if err != nil {
		return nil, err
	}
	e := &chargestream.SessionEnd{StationID: chargestream.StationID(w.StationID),
		ConnectorID: chargestream.ConnectorID(w.ConnectorID), SessionID: session,
		UserID: chargestream.UserID(w.UserID), Time: w.EndTime, Reason: clip(w.Reason)}
	err = errors.Join(
		w.energy(&e.Energy),
		scaled(&e.Meter, "meter_stop_wh", w.MeterStop, 0))
	return e, err
}

// energy is what was delivered, in kWh or in Wh.
func (w *wire) energy(field **chargestream.WattHours) error {
	if err := scaled(field, "energy_kwh", w.EnergyKWh, 3); err != nil || w.EnergyWh == "" {
		return err
	}
	kwh := *field
	if err := scaled(field, "energy_wh", w.EnergyWh, 0); err != nil {
		return err
	}
	if kwh != nil && **field != *kwh {
		return &Refusal{Field: "energy_wh", Value: Quoted(string(w.EnergyWh)), Problem: "differs " +
			"from energy_kwh " + Quoted(string(w.EnergyKWh)), Expected: "one energy is taken",
			Do: "send one of them"}
	}
	return nil
}

// SignedBytesMax bounds signed_data. A signed value of begin and end has one to two KiB.
const SignedBytesMax = 16 << 10

// signed sets a signed value byte for byte. What cannot be kept so is refused: half of a signed
// value proves nothing.
func (w *wire) signed(field *string) error {
	if len(w.SignedData) > SignedBytesMax {
		return &Refusal{Field: "signed_data", Problem: fmt.Sprintf("has %d bytes",
			len(w.SignedData)), Expected: fmt.Sprintf("at most %d are taken", SignedBytesMax),
			Do: "send the signed value of this record alone"}
	}
	if !utf8.ValidString(w.SignedData) {
		return &Refusal{Field: "signed_data", Problem: "is not UTF-8", Expected: takesText,
			Do: "send what is not text in base64"}
	}
	*field = w.SignedData
	return nil
}

// clip bounds a free text that is kept in rows.
func clip(text string) string {
	if len(text) > chargestream.IDBytesMax {
		text = text[:chargestream.IDBytesMax]
	}
	return strings.ToValidUTF8(text, "")
}

// scaled sets field from a number, where there is one. An empty text is none: chargers send it
// for what they do not know.
func scaled[T ~int64](field **T, name string, number json.Number, digits int) error {
	if number == "" {
		return nil
	}
	if text := strings.TrimPrefix(string(number), "-"); len(text) > 1 &&
		text[0] == '0' && text[1] >= '0' && text[1] <= '9' {
		return &Refusal{Field: name, Value: Quoted(string(number)), Problem: "begins with a zero",
			Expected: takesNumber, Do: "leave the zero out"}
	}
	n, err := ParseScaled(string(number), digits)
	if err != nil {
		return errNumber(name, string(number))
	}
	if n > quantityMax || n < -quantityMax {
		return &Refusal{Field: name, Value: Quoted(string(number)),
			Problem: "is beyond all that a meter can tell", Expected: takesNumber,
			Do: "send it in the unit of the field's name"}
	}
	v := T(n)
	*field = &v
	return nil
}

// quantityMax bounds every quantity in its smallest unit, so that nothing that is computed with it
// overflows: a terawatt-hour, in Wh.
const quantityMax = 1_000_000_000_000

// EncodeEvent writes an event as the JSON that the decoder of its topic reads.
func EncodeEvent(event chargestream.Event) ([]byte, error) {
	w := wire{StationID: string(event.Station())}
	switch e := event.(type) {
	case *chargestream.StatusReport:
		w.ConnectorID, w.Timestamp = connectorText(e.ConnectorID), e.Time
		w.Status, w.ErrorCode = e.Status, e.ErrorCode
	case *chargestream.MeterValue:
		w.ConnectorID, w.Timestamp = connectorText(e.ConnectorID), e.Time
		w.SessionID, w.Context = sessionText(e.SessionID), e.Context
		w.EnergyWh, w.PowerW = number(e.Energy, 0), number(e.Power, 0)
		w.CurrentA, w.VoltageV = number(e.Current, 3), number(e.Voltage, 3)
		w.SoCPercent, w.SignedData = number(e.SoC, 1), e.Signed
	case *chargestream.Heartbeat:
		w.Timestamp = e.Time
	case *chargestream.SessionStart:
		w.Event, w.SignedData = "session_start", e.Signed
		w.putStart(e)
	case *chargestream.SessionEnd:
		w.Event, w.SignedData = "session_end", e.Signed
		w.putEnd(e)
	case *chargestream.SessionRecord:
		if e.Start.Signed != "" {
			return nil, fmt.Errorf("%w: what is signed of a record belongs to its end", ErrEvent)
		}
		w.SignedData = e.End.Signed
		w.putEnd(&e.End)
		w.putStart(&e.Start)
	case *chargestream.Decision:
		return encodeDecision(e)
	default:
		return nil, fmt.Errorf("%w: %T", ErrEvent, event)
	}
	if err := w.checkSession(event); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEvent, err)
	}
	return json.Marshal(&w)
}

// checkSession refuses to write a start or an end that names no session: the reader would give
// each another one.
func (w *wire) checkSession(event chargestream.Event) error {
	switch event.(type) {
	case *chargestream.SessionStart, *chargestream.SessionEnd, *chargestream.SessionRecord:
		if noSession(w.SessionID) {
			return &Refusal{Field: "session_id", Value: Quoted(string(w.SessionID)),
				Problem: "is no session", Expected: "an id is taken, but not 0 and none below",
				Do: "name what tells sessions apart"}
		}
	}
	return nil
}

func (w *wire) putStart(e *chargestream.SessionStart) {
	w.ConnectorID, w.SessionID = connectorText(e.ConnectorID), sessionText(e.SessionID)
	w.UserID, w.StartTime = string(e.UserID), e.Time
	w.MeterStart = number(e.Meter, 0)
}

func (w *wire) putEnd(e *chargestream.SessionEnd) {
	w.ConnectorID, w.SessionID = connectorText(e.ConnectorID), sessionText(e.SessionID)
	w.UserID, w.EndTime, w.Reason = string(e.UserID), e.Time, e.Reason
	w.EnergyKWh, w.MeterStop = number(e.Energy, 3), number(e.Meter, 0)
}

func number[T ~int64](v *T, digits int) json.Number {
	if v == nil {
		return ""
	}
	return json.Number(FormatScaled(int64(*v), digits))
}
