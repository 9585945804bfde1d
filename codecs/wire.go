package codecs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/mailru/easyjson/jlexer"

	"chargestream"
)

//go:generate go run github.com/mailru/easyjson/easyjson@v0.9.2 -no_std_marshalers wire.go

// wire is every field that an event of any topic may have. Unknown fields are ignored, unless they
// are ours in another spelling. Its JSON is read and written by generated code, which costs half
// of what encoding/json does: every event passes through it.
//
//easyjson:json
type wire struct {
	Event       string              `json:"event,omitempty"`
	StationID   string              `json:"station_id"`
	ConnectorID connectorText       `json:"connector_id,omitempty"`
	SessionID   sessionText         `json:"session_id,omitempty"`
	UserID      string              `json:"user_id,omitempty"`
	Timestamp   chargestream.Millis `json:"timestamp,omitzero"`
	StartTime   chargestream.Millis `json:"start_time,omitzero"`
	EndTime     chargestream.Millis `json:"end_time,omitzero"`
	Status      string              `json:"status,omitempty"`
	ErrorCode   string              `json:"error_code,omitempty"`
	Reason      string              `json:"reason,omitempty"`
	Context     string              `json:"context,omitempty"`
	SignedData  string              `json:"signed_data,omitempty"`
	EnergyKWh   json.Number         `json:"energy_kwh,omitempty"`
	MeterStart  json.Number         `json:"meter_start_wh,omitempty"`
	MeterStop   json.Number         `json:"meter_stop_wh,omitempty"`
	EnergyWh    json.Number         `json:"energy_wh,omitempty"`
	PowerW      json.Number         `json:"power_w,omitempty"`
	CurrentA    json.Number         `json:"current_a,omitempty"`
	VoltageV    json.Number         `json:"voltage_v,omitempty"`
	SoCPercent  json.Number         `json:"soc_percent,omitempty"`

	respelled bool     // a field has the name of ours in another spelling
	lenient   bool     // it was read leniently, so that side fields may be dropped
	dropped   []string // side fields that could not be read
	sideErr   error    // why
}

// wireNames are the names of the fields, folded.
var wireNames = foldedNames(reflect.TypeFor[wire]())

func foldedNames(t reflect.Type) map[string]bool {
	names := map[string]bool{}
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "" {
			names[foldName(name)] = true
		}
	}
	return names
}

// UnmarshalUnknown implements easyjson.UnknownsUnmarshaler: a field that is ours in another
// spelling has the record read again leniently. Any other one costs a look into a map.
func (w *wire) UnmarshalUnknown(l *jlexer.Lexer, key string) {
	var buf [wireNameMax]byte
	if len(key) <= wireNameMax && wireNames[string(appendFolded(buf[:0], key))] {
		w.respelled = true
	}
	l.SkipRecursive()
}

// wireNameMax bounds a name that may be ours, however its words are parted.
const wireNameMax = 32

// connectorText takes a connector as a JSON string or as the small number of OCPP.
type connectorText string

// UnmarshalEasyJSON implements easyjson.Unmarshaler. The small numbers are not copied.
func (c *connectorText) UnmarshalEasyJSON(l *jlexer.Lexer) {
	switch {
	case l.IsNull():
		l.Skip()
	case l.CurrentToken() == jlexer.TokenNumber:
		raw := l.Raw()
		if len(raw) == 1 && raw[0] > '0' && raw[0] <= '9' {
			*c = smallConnectors[raw[0]-'0':][:1]
			return
		}
		if err := c.UnmarshalJSON(raw); err != nil {
			l.AddError(err)
		}
	default:
		*c = connectorText(l.String())
	}
}

// smallConnectors are the digits, each of which is a connector.
const smallConnectors connectorText = "0123456789"

// UnmarshalJSON implements json.Unmarshaler.
func (c *connectorText) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(c))
	}
	if bytes.Equal(b, []byte("null")) {
		return nil
	}
	if !wholeNumber(b) {
		return fmt.Errorf("connector_id %s is neither a text nor a whole number", b)
	}
	*c = connectorText(b)
	return nil
}

// sessionText takes a session as a JSON string or as the whole number that OCPP 1.6 has for a
// transaction.
type sessionText string

// UnmarshalEasyJSON implements easyjson.Unmarshaler, without a copy of the text: every meter
// value names a session.
func (s *sessionText) UnmarshalEasyJSON(l *jlexer.Lexer) {
	if l.CurrentToken() != jlexer.TokenNumber {
		*s = sessionText(l.String())
		return
	}
	if err := s.number(l.Raw()); err != nil {
		l.AddError(err)
	}
}

// UnmarshalJSON implements json.Unmarshaler, for the message of a value that cannot be read.
func (s *sessionText) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(s))
	}
	if bytes.Equal(b, []byte("null")) {
		return nil
	}
	return s.number(b)
}

// number takes a whole number as it is written. One that begins with a zero is no JSON, and
// would be another session than the same without.
func (s *sessionText) number(b []byte) error {
	digits := bytes.TrimPrefix(b, []byte("-"))
	if !wholeNumber(digits) || len(digits) > 1 && digits[0] == '0' {
		return fmt.Errorf("session_id %s is neither a text nor a whole number", b)
	}
	*s = sessionText(b)
	return nil
}

func wholeNumber[T ~string | ~[]byte](text T) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return len(text) > 0
}
