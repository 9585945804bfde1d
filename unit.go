package chargestream

import (
	"fmt"
	"time"

	"chargestream/internal/rfc3339"
)

// WattHours is an amount of energy, or the reading of a register, in Wh.
type WattHours int64

// Watts is an electric power in W.
type Watts int64

// Milliamps is an electric current in mA.
type Milliamps int64

// Millivolts is a voltage in mV.
type Millivolts int64

// Permille is a share in thousandths; a state of charge of 80 % is 800.
type Permille int64

// Millis is a point in time in milliseconds since 1970-01-01T00:00:00Z. Zero means that no time
// is known: no charger event happened in 1970, and those that say so were sent before the
// charger had set its clock.
type Millis int64

// Spans of time in milliseconds.
const (
	Second  Millis = 1000
	Minute         = 60 * Second
	Quarter        = 15 * Minute
	Hour           = 60 * Minute
	Day            = 24 * Hour
)

// MillisOf is the point in time t, cut to whole milliseconds.
func MillisOf(t time.Time) Millis { return Millis(t.UnixMilli()) }

// Time is m in UTC.
func (m Millis) Time() time.Time { return time.UnixMilli(int64(m)).UTC() }

// Truncate is the begin of the span that holds m; spans are counted from the epoch in UTC.
func (m Millis) Truncate(span Millis) Millis {
	if r := m % span; r < 0 {
		return m - r - span
	} else {
		return m - r
	}
}

// String is m as RFC 3339 in UTC, with milliseconds only where there are any; empty for zero.
func (m Millis) String() string {
	var buf [32]byte
	return string(m.Append(buf[:0]))
}

// Append appends String to buf.
func (m Millis) Append(buf []byte) []byte {
	if m == 0 {
		return buf
	}
	return rfc3339.Append(buf, int64(m))
}

// MarshalText is String.
func (m Millis) MarshalText() ([]byte, error) { return m.Append(nil), nil }

// UnmarshalText reads RFC 3339 with any offset and fraction; an empty text is zero.
func (m *Millis) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*m = 0
		return nil
	}
	ms, ok := rfc3339.Parse(text)
	if !ok {
		return fmt.Errorf("time %q is not RFC 3339", text)
	}
	*m = Millis(ms)
	return nil
}
