//go:build linux

package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/mailru/easyjson/jlexer"
)

// event is a meter value as the load writes it: 187 bytes of JSON.
type event struct {
	StationID   string `json:"station_id"`
	ConnectorID string `json:"connector_id"`
	SessionID   string `json:"session_id"`
	Timestamp   int64  `json:"timestamp"` // ms
	EnergyWh    int64  `json:"energy_wh"`
	PowerW      int64  `json:"power_w"`
	CurrentMA   int64  `json:"current_ma"`
	VoltageMV   int64  `json:"voltage_mv"`
}

// firstTimestamp is that of the first event, in ms; each later one is a millisecond younger.
const firstTimestamp = 1_772_438_400_000

// keyOf is the key of a number, which is also the station's name.
func keyOf(n int) string { return fmt.Sprintf("station-%07d", n) }

// newEvent draws the event of a sequence number.
func newEvent(rng *rand.Rand, seq int64, key string) event {
	return event{
		StationID:   key,
		ConnectorID: "1",
		SessionID:   fmt.Sprintf("session-%07d-%04d", seq%10_000_000, rng.IntN(10_000)),
		Timestamp:   firstTimestamp + seq,
		EnergyWh:    1_000_000 + rng.Int64N(9_000_000),
		PowerW:      1000 + rng.Int64N(9000),
		CurrentMA:   10_000 + rng.Int64N(22_000),
		VoltageMV:   220_000 + rng.Int64N(20_000),
	}
}

func (e *event) append(b []byte) []byte {
	return fmt.Appendf(b, `{"station_id":%q,"connector_id":%q,"session_id":%q,"timestamp":%d,`+
		`"energy_wh":%d,"power_w":%d,"current_ma":%d,"voltage_mv":%d}`, e.StationID, e.ConnectorID,
		e.SessionID, e.Timestamp, e.EnergyWh, e.PowerW, e.CurrentMA, e.VoltageMV)
}

// decode reads the JSON of an event.
type decode func(value []byte, e *event) error

// The decoders by name.
const (
	decoderLexer = "lexer" // in the manner of the generated readers of codecs
	decoderStd   = "std"   // encoding/json
)

func decoderOf(name string) (decode, error) {
	switch name {
	case decoderLexer:
		return decodeLexer, nil
	case decoderStd:
		return func(value []byte, e *event) error { return json.Unmarshal(value, e) }, nil
	}
	return nil, fmt.Errorf("no decoder %q", name)
}

// decodeLexer does what easyjson generates for the struct.
func decodeLexer(value []byte, e *event) error {
	in := jlexer.Lexer{Data: value}
	in.Delim('{')
	for !in.IsDelim('}') {
		key := in.UnsafeFieldName(false)
		in.WantColon()
		switch key {
		case "station_id":
			e.StationID = in.String()
		case "connector_id":
			e.ConnectorID = in.String()
		case "session_id":
			e.SessionID = in.String()
		case "timestamp":
			e.Timestamp = in.Int64()
		case "energy_wh":
			e.EnergyWh = in.Int64()
		case "power_w":
			e.PowerW = in.Int64()
		case "current_ma":
			e.CurrentMA = in.Int64()
		case "voltage_mv":
			e.VoltageMV = in.Int64()
		default:
			in.SkipRecursive()
		}
		in.WantComma()
	}
	in.Delim('}')
	in.Consumed()
	return in.Error()
}

// The fields of a row: counts and sums that show a record folded twice or not at all, and what a
// downsampling keeps.
const (
	rowCount = iota
	rowEnergySum
	rowEnergyLast
	rowEnergyMin
	rowEnergyMax
	rowPowerSum
	rowPowerLast
	rowPowerMin
	rowPowerMax
	rowCurrentMin
	rowCurrentMax
	rowVoltageMin
	rowVoltageMax
	rowFirst
	rowLast
	rowFields
)

// rowBytes is the size of a row in the table.
const rowBytes = 8 * rowFields

// row is the state of one key.
type row [rowFields]int64

var errRow = errors.New("row of a wrong size")

// decodeRow reads a row; no bytes are a new row.
func decodeRow(b []byte, r *row) error {
	if len(b) == 0 {
		*r = row{}
		return nil
	}
	if len(b) != rowBytes {
		return fmt.Errorf("%w: %d bytes, want %d", errRow, len(b), rowBytes)
	}
	for i := range r {
		r[i] = int64(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return nil
}

func (r *row) append(b []byte) []byte {
	for _, v := range r {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	return b
}

// fold takes one event into the row.
func (r *row) fold(e *event) {
	if r[rowCount] == 0 {
		r[rowEnergyMin], r[rowPowerMin] = e.EnergyWh, e.PowerW
		r[rowCurrentMin], r[rowVoltageMin], r[rowFirst] = e.CurrentMA, e.VoltageMV, e.Timestamp
	}
	r[rowCount]++
	r[rowEnergySum] += e.EnergyWh
	r[rowPowerSum] += e.PowerW
	r[rowEnergyLast], r[rowPowerLast], r[rowLast] = e.EnergyWh, e.PowerW, e.Timestamp
	r[rowEnergyMin] = min(r[rowEnergyMin], e.EnergyWh)
	r[rowEnergyMax] = max(r[rowEnergyMax], e.EnergyWh)
	r[rowPowerMin] = min(r[rowPowerMin], e.PowerW)
	r[rowPowerMax] = max(r[rowPowerMax], e.PowerW)
	r[rowCurrentMin] = min(r[rowCurrentMin], e.CurrentMA)
	r[rowCurrentMax] = max(r[rowCurrentMax], e.CurrentMA)
	r[rowVoltageMin] = min(r[rowVoltageMin], e.VoltageMV)
	r[rowVoltageMax] = max(r[rowVoltageMax], e.VoltageMV)
	r[rowFirst] = min(r[rowFirst], e.Timestamp)
}
