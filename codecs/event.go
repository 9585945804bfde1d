package codecs

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/mailru/easyjson/jlexer"

	"chargestream"
)

// ErrEvent is wrapped by every error of DecodeEvent: the bytes are not an event of that topic.
var ErrEvent = errors.New("not an event")

// DecodeStatus reads a record of the station-status topic. The error of this and of the other
// decoders wraps ErrEvent and names the field.
func DecodeStatus(value []byte) (chargestream.Event, error) { return decode(value, (*wire).status) }

// DecodeMeter reads a record of the meter-values topic.
func DecodeMeter(value []byte) (chargestream.Event, error) { return decode(value, (*wire).meter) }

// DecodeHeartbeat reads a record of the heartbeats topic.
func DecodeHeartbeat(value []byte) (chargestream.Event, error) {
	return decode(value, (*wire).heartbeat)
}

// DecodeSession reads a record of the charging-sessions topic.
func DecodeSession(
	value []byte,
) (chargestream.Event, error) {
	return decode(value, (*wire).session)
}

func decode(
	value []byte,
	read func(*wire) (chargestream.Event, error),
) (chargestream.Event, error) {
	var w wire
	l := jlexer.Lexer{Data: value}
	w.UnmarshalEasyJSON(&l)
	l.Consumed()
	if l.Error() != nil {
		// The generated reader says where, the library also which field: who reads the dead letter
		// wants to know that.
		w = wire{}
		if err := json.Unmarshal(value, &w); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrEvent, err)
		}
	}
	if err := chargestream.CheckID(w.StationID); err != nil {
		return nil, fmt.Errorf("%w: station_id: %w", ErrEvent, err)
	}
	if err := w.checkConnector(); err != nil {
		return nil, fmt.Errorf("%w: connector_id: %w", ErrEvent, err)
	}
	event, err := read(&w)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEvent, err)
	}
	return event, nil
}

// checkConnector refuses the slash because it parts the key of a window.
func (w *wire) checkConnector() error {
	if w.ConnectorID == "" {
		return nil
	}
	if strings.ContainsRune(string(w.ConnectorID), '/') {
		return errors.New("must not contain a slash")
	}
	return chargestream.CheckID(string(w.ConnectorID))
}

func (w *wire) heartbeat() (chargestream.Event, error) {
	if w.Timestamp == 0 {
		return nil, errMissing("timestamp")
	}
	return &chargestream.Heartbeat{StationID: chargestream.StationID(w.StationID),
		Time: w.Timestamp}, nil
}

func errMissing(field string) error { return fmt.Errorf("%s is missing", field) }

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
	if _, _, ok := chargestream.ParseStatus(w.Status); !ok {
		return nil, fmt.Errorf("status %q is no word of OCPP 1.6 or 2.0.1", clip(w.Status))
	}
	return &chargestream.StatusReport{StationID: chargestream.StationID(w.StationID),
		ConnectorID: w.connector(), Time: w.Timestamp, Status: w.Status,
		ErrorCode: clip(w.ErrorCode)}, nil
}

func (w *wire) meter() (chargestream.Event, error) {
	if w.Timestamp == 0 {
		return nil, errMissing("timestamp")
	}
	m := &chargestream.MeterValue{StationID: chargestream.StationID(w.StationID),
		ConnectorID: w.connector(), Time: w.Timestamp, Context: clip(w.Context)}
	if !noSession(w.SessionID) {
		if err := chargestream.CheckID(string(w.SessionID)); err != nil {
			return nil, fmt.Errorf("session_id: %w", err)
		}
		m.SessionID = chargestream.SessionID(w.SessionID)
	}
	err := errors.Join(
		w.signed(&m.Signed),
		scaled(&m.Energy, "energy_wh", w.EnergyWh, 0),
		scaled(&m.Power, "power_w", w.PowerW, 0),
		scaled(&m.Current, "current_a", w.CurrentA, 3),
		scaled(&m.Voltage, "voltage_v", w.VoltageV, 3),
		scaled(&m.SoC, "soc_percent", w.SoCPercent, 1))
	return m, err
}

func (w *wire) session() (chargestream.Event, error) {
	switch w.Event {
	case "session_start":
		start, err := w.start()
		if err != nil {
			return nil, err
		}
		return start, w.signed(&start.Signed)
	case "session_end":
		end, err := w.end()
		if err != nil {
			return nil, err
		}
		return end, w.signed(&end.Signed)
	case "":
		return w.record()
	}
	return nil, fmt.Errorf("event %q is neither session_start nor session_end", clip(w.Event))
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
		if err := chargestream.CheckID(w.UserID); err != nil {
			return nil, fmt.Errorf("user_id: %w", err)
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
		scaled(&e.Energy, "energy_kwh", w.EnergyKWh, 3),
		scaled(&e.Meter, "meter_stop_wh", w.MeterStop, 0))
	return e, err
}

// SignedBytesMax bounds signed_data. A signed value of begin and end has one to two KiB.
const SignedBytesMax = 16 << 10

// signed sets a signed value byte for byte. What cannot be kept so is refused: half of a signed
// value proves nothing.
func (w *wire) signed(field *string) error {
	if len(w.SignedData) > SignedBytesMax {
		return fmt.Errorf("signed_data has %d bytes, more than %d", len(w.SignedData),
			SignedBytesMax)
	}
	if !utf8.ValidString(w.SignedData) {
		return errors.New("signed_data is not UTF-8")
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
		return fmt.Errorf("%s: %w: %q begins with a zero", name, ErrNumber, string(number))
	}
	n, err := ParseScaled(string(number), digits)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if n > quantityMax || n < -quantityMax {
		return fmt.Errorf("%s: %w: %q is beyond all that a meter can tell", name, ErrNumber,
			string(number))
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
		return nil, fmt.Errorf("%w: session_id: %w", ErrEvent, err)
	}
	return json.Marshal(&w)
}

// checkSession refuses to write a start or an end that names no session: the reader would give
// each another one.
func (w *wire) checkSession(event chargestream.Event) error {
	switch event.(type) {
	case *chargestream.SessionStart, *chargestream.SessionEnd, *chargestream.SessionRecord:
		if noSession(w.SessionID) {
			return fmt.Errorf("%q is no session", string(w.SessionID))
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
