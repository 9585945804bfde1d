package ocmf

import (
	"fmt"
	"math/big"
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

// energyMax bounds a register, in mWh: a million GWh.
var energyMax = new(big.Rat).SetInt64(1_000_000_000_000_000)

// Energy is the reading in mWh, rounded down. The error, which wraps ErrOCMF, says that the value
// is no number, below zero or too large.
func (r *Reading) Energy() (int64, error) {
	exact, err := r.exact()
	if err != nil {
		return 0, err
	}
	return whole(exact), nil
}

// exact is the reading in mWh, of which a register may tell any part.
func (r *Reading) exact() (*big.Rat, error) {
	decimals, ok := decimalsOf(r.Unit)
	if !ok {
		return nil, refuse("RU", "unit %s", quote(r.Unit))
	}
	energy, ok := scale(r.Value, decimals)
	if !ok {
		return nil, refuse("RV", "value %s %s", quote(r.Value), r.Unit)
	}
	return energy, nil
}

// whole is a number of zero or more, rounded down.
func whole(n *big.Rat) int64 { return new(big.Int).Quo(n.Num(), n.Denom()).Int64() }

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

// scale is a JSON number, without sign, times a power of ten.
func scale(text string, decimals int) (*big.Rat, bool) {
	mantissa, exponent, exponential := strings.Cut(strings.ToLower(text), "e")
	if exponential {
		moved, err := strconv.Atoi(exponent)
		if err != nil || moved < -exponentMax || moved > exponentMax {
			return nil, false
		}
		decimals += moved
	}
	before, fraction, _ := strings.Cut(mantissa, ".")
	digits := before + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return nil, false
	}
	decimals -= len(fraction)
	n, _ := new(big.Int).SetString(digits, 10) // they are digits
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(decimals, -decimals))), nil)
	value := new(big.Rat).SetInt(n)
	if decimals < 0 {
		value.Quo(value, new(big.Rat).SetInt(power))
	} else {
		value.Mul(value, new(big.Rat).SetInt(power))
	}
	return value, value.Cmp(energyMax) < 0
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
