package ocmf

import (
	"fmt"
	"strconv"
	"strings"

	"chargestream"
)

// Value is one signed text as it says. It shares no memory with others and is never changed.
type Value struct {
	Raw       string // the text as it came
	Payload   string // the part of Raw that is signed
	Page      Page
	Gateway   string // serial number of what signs (GS); empty where it is not told
	Meter     string // serial number of the meter (MS); empty where it is not told
	Readings  []Reading
	Algorithm string // SA, or what stands for none
	Signature []byte // SD, decoded
}

// Serial is the serial number of the meter, else of the gateway: the section on the relation of
// serial numbers lets either stand for the signing part of a charge point.
func (v *Value) Serial() string {
	if v.Meter != "" {
		return v.Meter
	}
	return v.Gateway
}

// Page is the place of a text among those of its meter (PG): T12 is the twelfth in transactions,
// F12 the twelfth of those that belong to none.
type Page struct {
	Context byte // T or F
	Number  uint64
}

// String is the page as it is written.
func (p Page) String() string { return string(p.Context) + strconv.FormatUint(p.Number, 10) }

// Reading is one reading of a register (Table 7). What a text leaves out is as in the reading
// before it.
type Reading struct {
	At       chargestream.Millis // TM, by the meter's clock
	Sync     Sync
	Reason   string // TX; empty where the reading belongs to no transaction
	Value    string // RV, as it is written; empty where nothing was read
	Register string // RI, an OBIS code
	Unit     string // RU
	Flags    string // EF: E where energy, t where time is not usable
	Status   string // ST: G is good
}

// Sync tells how far the clock of a reading may be relied upon (Table 19).
type Sync byte

// The states of a clock.
const (
	SyncUnknown      Sync = 'U' // not synchronised
	SyncInformative  Sync = 'I'
	SyncSynchronised Sync = 'S'
	SyncRelative     Sync = 'R' // an informative begin, from which time was counted exactly
)

// String is the state's word.
func (s Sync) String() string {
	switch s {
	case SyncInformative:
		return "informative"
	case SyncSynchronised:
		return "synchronised"
	case SyncRelative:
		return "relative"
	}
	return "unknown"
}

// digitsMax is the length of the largest register in mWh: a million GWh have fifteen digits.
const digitsMax = 15

// Energy is the reading in mWh. It is never rounded: the error, which wraps ErrOCMF, says that
// the value is no number, below zero, too large, or has more decimals than a mWh.
func (r *Reading) Energy() (int64, error) {
	decimals, ok := decimalsOf(r.Unit)
	if !ok {
		return 0, refuse("RU", "unit %s", quote(r.Unit))
	}
	energy, ok := scale(r.Value, decimals)
	if !ok {
		return 0, refuse("RV", "value %s %s", quote(r.Value), r.Unit)
	}
	return energy, nil
}

// decimalsOf is how many decimals of a unit of energy are whole mWh.
func decimalsOf(unit string) (int, bool) {
	switch unit {
	case "kWh":
		return 6, true
	case "Wh":
		return 3, true
	}
	return 0, false
}

// exponentMax bounds what a number is moved by.
const exponentMax = 20

// scale is a JSON number, without sign, times a power of ten, if that is a whole number.
func scale(text string, decimals int) (int64, bool) {
	mantissa, exponent, exponential := strings.Cut(strings.ToLower(text), "e")
	if exponential {
		moved, err := strconv.Atoi(exponent)
		if err != nil || moved < -exponentMax || moved > exponentMax {
			return 0, false
		}
		decimals += moved
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	decimals -= len(fraction)
	if decimals < 0 {
		cut := max(0, len(digits)+decimals)
		if strings.Trim(digits[cut:], "0") != "" {
			return 0, false
		}
		digits = digits[:cut]
	}
	digits = strings.TrimLeft(digits, "0")
	if digits == "" {
		return 0, true
	}
	digits += strings.Repeat("0", max(0, decimals))
	if len(digits) > digitsMax {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil
}

// quoteMax is how many bytes of a text are shown in an error.
const quoteMax = 40

// quote shows a part of a text that may be anything.
func quote(text string) string {
	if len(text) > quoteMax {
		return strconv.Quote(text[:quoteMax]) + "…"
	}
	return strconv.Quote(text)
}

// refuse is an error of a text; the place is a name of the format.
func refuse(place, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrOCMF, place, fmt.Sprintf(format, args...))
}
