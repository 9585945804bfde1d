package task

import (
	"strings"

	"chargestream/internal/rfc3339"
)

// HeaderArrival is the header that carries a record's arrival time, RFC 3339.
const HeaderArrival = "arrival-time"

// ReservedPrefix is the first byte of the keys of a table's topic that are the engine's own.
const ReservedPrefix = "\x00"

// Reserved reports whether a key of a table's topic is the engine's own and no row: readers of the
// topic skip it.
func Reserved(key string) bool { return strings.HasPrefix(key, ReservedPrefix) }

// Message is one input record. Its bytes belong to the engine and are valid during Fold only.
type Message struct {
	Topic     string
	Partition int32
	Offset    int64
	Key       string
	HasKey    bool
	Value     []byte // nil for a tombstone
	Headers   []Header
	Arrival   int64 // ms: the header arrival-time, else the record's timestamp
	Timestamp int64 // ms: the record's own
}

// Header is one header of a record.
type Header struct {
	Key   string
	Value []byte
}

// Header is the value of the last header of a name.
func (m *Message) Header(name string) ([]byte, bool) {
	for i := len(m.Headers) - 1; i >= 0; i-- {
		if m.Headers[i].Key == name {
			return m.Headers[i].Value, true
		}
	}
	return nil, false
}

// Record is a record to be sent.
type Record struct {
	Topic, Key string
	HasKey     bool
	Value      []byte // nil for a tombstone
	Headers    []Header
}

// ArrivalHeader is the header that carries an arrival time, in ms.
func ArrivalHeader(ms int64) Header {
	return Header{Key: HeaderArrival,
		Value: rfc3339.Append(nil, ms)}
}

// arrivalAheadMax is how far, in ms, the header arrival-time may lie after the record's own
// timestamp to be believed. One header from a clock that is years ahead would otherwise move
// stream time there and fire every timer until then.
const arrivalAheadMax = 24 * 60 * 60 * 1000

// ArrivalOf is the arrival time of a record in ms: its header's, where that is RFC 3339 and not
// far ahead, else its timestamp. A timestamp of zero is none.
func ArrivalOf(headers []Header, timestamp int64) int64 {
	for i := len(headers) - 1; i >= 0; i-- {
		if headers[i].Key == HeaderArrival {
			if t, ok := ParseArrival(headers[i].Value, timestamp); ok {
				return t
			}
		}
	}
	return timestamp
}

// ParseArrival reads the header arrival-time of a record with a timestamp, in ms; false where it
// is not RFC 3339 or too far ahead of the timestamp.
func ParseArrival(value []byte, timestamp int64) (int64, bool) {
	ms, ok := rfc3339.Parse(value)
	if !ok || (timestamp > 0 && ms > timestamp+arrivalAheadMax) {
		return 0, false
	}
	return ms, true
}
