package pricing

import (
	"cmp"
	"errors"
	"math"
	"slices"

	"chargestream"
)

// ErrTariff is wrapped by every error of Parse: the tariff has something that is not understood,
// or that contradicts itself. The message names the place in the JSON and the reason.
var ErrTariff = errors.New("tariff refused")

// What a tariff may have at most. Real ones have a dozen elements; the bounds keep a session's
// price within microseconds whatever is sent.
const (
	// BytesMax bounds the JSON of a tariff.
	BytesMax = 1 << 20
	// ElementsMax bounds the elements of a tariff.
	ElementsMax = 64
	// DepthMax bounds how deep the JSON of a tariff is nested.
	DepthMax = 16
	// PriceMax bounds a price, in 10^-6 of the currency's unit: a million a unit.
	PriceMax = 1_000_000_000_000
	// StepMax bounds a step_size, in Wh or seconds: a terawatt-hour, thirty thousand years.
	StepMax = 1_000_000_000_000
	// limitMax bounds the limits of restrictions, in millionths of kWh, kW and A.
	limitMax = 1_000_000_000_000_000
)

// How numbers of a tariff are held: OCPI's own have four decimals.
const (
	// PriceDigits is how many decimals a price may have.
	PriceDigits = 6
	// VATDigits is how many decimals a VAT percentage may have.
	VATDigits = 4
)

// VAT is a rate in 10^-4 percent: 19 % is 190000.
type VAT int64

const (
	// UnknownVAT is the rate of a component that tells none. OCPI says that this is not 0 %.
	UnknownVAT VAT = -1
	vatMax     VAT = 1_000_000 // 100 %
)

// Dimension is what a line bills.
type Dimension uint8

// The dimensions in the order of a bill's lines: those of OCPI, and the two adjustments.
const (
	// Flat is a fee for the session, or for the reservation.
	Flat Dimension = iota
	// Energy is billed by the kWh.
	Energy
	// Time is charging, or being reserved, by the hour.
	Time
	// ParkingTime is being plugged in without the vehicle asking for power, by the hour.
	ParkingTime
	// MinPrice is what is missing to the tariff's min_price.
	MinPrice
	// MaxPrice is what is beyond the tariff's max_price; a negative amount.
	MaxPrice
)

// dimensions is how many there are of OCPI.
const dimensions = int(ParkingTime) + 1

// String is the dimension's name in OCPI, and that of the field of a Tariff for an adjustment.
func (d Dimension) String() string {
	return [...]string{"FLAT", "ENERGY", "TIME", "PARKING_TIME", "MIN_PRICE", "MAX_PRICE"}[d]
}

// MarshalText is String.
func (d Dimension) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Tariff is an OCPI 2.2.1 Tariff made ready to price with. It does not change after Parse, so
// any number of goroutines may use it.
type Tariff struct {
	currency  string
	digits    int // of the currency's minor unit
	elements  []element
	from, to  chargestream.Millis // in force from, until; zero for open
	min, max  bound
	rules     [phases][dimensions][]rule
	keys      []lineKey // in the order of a bill's lines
	rates     []VAT     // ascending, UnknownVAT last
	times     []chargestream.Millis
	durations []chargestream.Millis
	amounts   []int64 // mWh
	local     bool    // a restriction asks for the local time
}

// Currency is the ISO 4217 code of the tariff's currency.
func (t *Tariff) Currency() string { return t.currency }

// Digits is how many digits the minor unit of the currency has.
func (t *Tariff) Digits() int { return t.digits }

// element is an OCPI TariffElement.
type element struct {
	when       restriction
	components []component
}

// component is an OCPI PriceComponent.
type component struct {
	dimension Dimension
	price     int64 // 10^-6 of the currency's unit, per kWh or hour or session
	vat       VAT
	step      int64 // mWh or ms; zero for none
	line      int   // of Tariff.keys
}

// phase is what is being priced; each has its own elements.
type phase uint8

const (
	session  phase = iota
	reserved       // a reservation that a session followed
	expired        // a reservation that no session followed
	phases
)

// rule is a component under its element's restriction.
type rule struct {
	when *restriction
	pays *component
}

// lineKey is what components must have in common to be billed in one line.
type lineKey struct {
	reservation bool
	dimension   Dimension
	price       int64
	vat         VAT
}

// compile makes of the elements what pricing needs: the rules of each phase and dimension in the
// order in which they are asked, the lines, and the places to cut at.
func (t *Tariff) compile() {
	for i := range t.elements {
		t.addElement(&t.elements[i])
	}
	// What is charged for an expired reservation takes the place of what is charged for any.
	for i := range t.elements {
		e := &t.elements[i]
		if e.when.reservation == reserved {
			t.addRules(expired, e)
		}
	}
	slices.SortStableFunc(t.keys, func(a, b lineKey) int {
		if a.reservation != b.reservation {
			if a.reservation {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.dimension, b.dimension)
	})
	for i := range t.elements {
		e := &t.elements[i]
		for j := range e.components {
			c := &e.components[j]
			c.line = slices.Index(t.keys, e.key(c))
		}
	}
	slices.SortFunc(t.rates, compareVAT)
	if t.local {
		t.times = append(t.times, 0)
	}
	t.times = sortedSet(t.times)
	t.durations = sortedSet(t.durations)
	t.amounts = sortedSet(t.amounts)
}

// addElement notes one element: its rules but for those of an expired reservation that come from
// any reservation, its lines, and where it makes a session be cut.
func (t *Tariff) addElement(e *element) {
	t.addRules(e.when.reservation, e)
	for i := range e.components {
		c := &e.components[i]
		if key := e.key(c); !slices.Contains(t.keys, key) {
			t.keys = append(t.keys, key)
		}
		if !slices.Contains(t.rates, c.vat) {
			t.rates = append(t.rates, c.vat)
		}
	}
	w := &e.when
	t.local = t.local || w.asksLocal()
	if w.hasTime {
		t.times = append(t.times, w.timeFrom, w.timeTo)
	}
	for _, limit := range [2]int64{w.duration.min, w.duration.max} {
		if limit > 0 && limit < math.MaxInt64 {
			t.durations = append(t.durations, chargestream.Millis(limit))
		}
	}
	for _, limit := range [2]int64{w.energy.min, w.energy.max} {
		if limit > 0 && limit < math.MaxInt64 {
			t.amounts = append(t.amounts, limit)
		}
	}
}

func (t *Tariff) addRules(p phase, e *element) {
	for i := range e.components {
		c := &e.components[i]
		t.rules[p][c.dimension] = append(t.rules[p][c.dimension], rule{when: &e.when, pays: c})
	}
}

func (e *element) key(c *component) lineKey {
	return lineKey{reservation: e.when.reservation != session, dimension: c.dimension,
		price: c.price, vat: c.vat}
}

// compareVAT puts the unknown rate last.
func compareVAT(a, b VAT) int {
	return cmp.Compare(uint64(a), uint64(b)) // -1 is the largest of all
}

func sortedSet[T cmp.Ordered](s []T) []T {
	slices.Sort(s)
	return slices.Compact(s)
}
