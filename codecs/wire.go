package codecs

import (
	"bytes"
	"encoding/json"
	"fmt"

	"chargestream"
)

//go:generate go run github.com/mailru/easyjson/easyjson@v0.9.2 -no_std_marshalers wire.go

// wire is every field that an event of any topic may have, as DESIGN section 2 lists them.
// Unknown fields are ignored. Its JSON is read and written by generated code, which costs half
// of what encoding/json does: every event passes through it.
//
//easyjson:json
type wire struct {
	Event       string              `json:"event,omitempty"`
	StationID   string              `json:"station_id"`
	ConnectorID connectorText       `json:"connector_id,omitempty"`
	SessionID   string              `json:"session_id,omitempty"`
	UserID      string              `json:"user_id,omitempty"`
	Timestamp   chargestream.Millis `json:"timestamp,omitzero"`
	StartTime   chargestream.Millis `json:"start_time,omitzero"`
	EndTime     chargestream.Millis `json:"end_time,omitzero"`
	Status      string              `json:"status,omitempty"`
	ErrorCode   string              `json:"error_code,omitempty"`
	Reason      string              `json:"reason,omitempty"`
	Context     string              `json:"context,omitempty"`
	EnergyKWh   json.Number         `json:"energy_kwh,omitempty"`
	MeterStart  json.Number         `json:"meter_start_wh,omitempty"`
	MeterStop   json.Number         `json:"meter_stop_wh,omitempty"`
	EnergyWh    json.Number         `json:"energy_wh,omitempty"`
	PowerW      json.Number         `json:"power_w,omitempty"`
	CurrentA    json.Number         `json:"current_a,omitempty"`
	VoltageV    json.Number         `json:"voltage_v,omitempty"`
	SoCPercent  json.Number         `json:"soc_percent,omitempty"`
}

// connectorText takes a connector as a JSON string or as the small number of OCPP.
type connectorText string

// UnmarshalJSON implements json.Unmarshaler.
func (c *connectorText) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(c))
	}
	if bytes.Equal(b, []byte("null")) {
		return nil
	}
	if bytes.IndexFunc(b, func(r rune) bool { return r < '0' || r > '9' }) >= 0 {
		return fmt.Errorf("connector_id %s is neither a text nor a whole number", b)
	}
	*c = connectorText(b)
	return nil
}
