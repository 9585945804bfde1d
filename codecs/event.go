package codecs

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

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
	if w.SessionID != "" {
		if err := chargestream.CheckID(w.SessionID); err != nil {
			return nil, fmt.Errorf("session_id: %w", err)
		}
		m.SessionID = chargestream.SessionID(w.SessionID)
	}
	err := errors.Join(
		scaled(&m.Energy, "energy_wh", w.EnergyWh, 0),
		scaled(&m.Power, "power_w", w.PowerW, 0),
		scaled(&m.Current, "current_a", w.CurrentA, 3),
		scaled(&m.Voltage, "voltage_v", w.VoltageV, 3),
		scaled(&m.SoC, "soc_percent", w.SoCPercent, 1))
	return m, err
}

func (w *wire) session() (chargestream.Event, error) {
	if err := chargestream.CheckID(w.SessionID); err != nil {
		return nil, fmt.Errorf("session_id: %w", err)
	}
	switch w.Event {
	case "session_start":
		return w.start()
	case "session_end":
		return w.end()
	case "":
		start, err := w.start()
		if err != nil {
			return nil, err
		}
		end, err := w.end()
		if err != nil {
			return nil, err
		}
		return &chargestream.SessionRecord{Start: *start, End: *end}, nil
	}
	return nil, fmt.Errorf("event %q is neither session_start nor session_end", clip(w.Event))
}

func (w *wire) start() (*chargestream.SessionStart, error) {
	if w.StartTime == 0 {
		return nil, errMissing("start_time")
	}
	if err := chargestream.CheckID(w.UserID); err != nil {
		return nil, fmt.Errorf("user_id: %w", err)
	}
	s := &chargestream.SessionStart{StationID: chargestream.StationID(w.StationID),
		ConnectorID: w.connector(), SessionID: chargestream.SessionID(w.SessionID),
		UserID: chargestream.UserID(w.UserID), Time: w.StartTime}
	return s, scaled(&s.Meter, "meter_start_wh", w.MeterStart, 0)
}

func (w *wire) end() (*chargestream.SessionEnd, error) {
	if w.EndTime == 0 {
		return nil, errMissing("end_time")
	}
	e := &chargestream.SessionEnd{StationID: chargestream.StationID(w.StationID),
		ConnectorID: chargestream.ConnectorID(w.ConnectorID),
		SessionID:   chargestream.SessionID(w.SessionID),
		UserID:      chargestream.UserID(w.UserID), Time: w.EndTime, Reason: clip(w.Reason)}
	err := errors.Join(
		scaled(&e.Energy, "energy_kwh", w.EnergyKWh, 3),
		scaled(&e.Meter, "meter_stop_wh", w.MeterStop, 0))
	return e, err
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
	v := T(n)
	*field = &v
	return nil
}

// EncodeEvent writes an event as the JSON that the decoder of its topic reads.
func EncodeEvent(event chargestream.Event) ([]byte, error) {
	w := wire{StationID: string(event.Station())}
	switch e := event.(type) {
	case *chargestream.StatusReport:
		w.ConnectorID, w.Timestamp = connectorText(e.ConnectorID), e.Time
		w.Status, w.ErrorCode = e.Status, e.ErrorCode
	case *chargestream.MeterValue:
		w.ConnectorID, w.Timestamp = connectorText(e.ConnectorID), e.Time
		w.SessionID, w.Context = string(e.SessionID), e.Context
		w.EnergyWh, w.PowerW = number(e.Energy, 0), number(e.Power, 0)
		w.CurrentA, w.VoltageV = number(e.Current, 3), number(e.Voltage, 3)
		w.SoCPercent = number(e.SoC, 1)
	case *chargestream.Heartbeat:
		w.Timestamp = e.Time
	case *chargestream.SessionStart:
		w.Event = "session_start"
		w.putStart(e)
	case *chargestream.SessionEnd:
		w.Event = "session_end"
		w.putEnd(e)
	case *chargestream.SessionRecord:
		w.putEnd(&e.End)
		w.putStart(&e.Start)
	default:
		return nil, fmt.Errorf("%w: %T", ErrEvent, event)
	}
	return json.Marshal(&w)
}

func (w *wire) putStart(e *chargestream.SessionStart) {
	w.ConnectorID, w.SessionID = connectorText(e.ConnectorID), string(e.SessionID)
	w.UserID, w.StartTime = string(e.UserID), e.Time
	w.MeterStart = number(e.Meter, 0)
}

func (w *wire) putEnd(e *chargestream.SessionEnd) {
	w.ConnectorID, w.SessionID = connectorText(e.ConnectorID), string(e.SessionID)
	w.UserID, w.EndTime, w.Reason = string(e.UserID), e.Time, e.Reason
	w.EnergyKWh, w.MeterStop = number(e.Energy, 3), number(e.Meter, 0)
}

func number[T ~int64](v *T, digits int) json.Number {
	if v == nil {
		return ""
	}
	return json.Number(FormatScaled(int64(*v), digits))
}
