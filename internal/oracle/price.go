package oracle

import (
	"errors"
	"fmt"
	"math/big"
	"time"
)

// digitsMax is how many digits a currency's minor unit may have.
const digitsMax = 6

// Usage is what a session used, from plugging in to leaving. Periods follow each other without a
// gap, the first from StartMs and the last to EndMs. All points in time are milliseconds.
type Usage struct {
	StartMs, EndMs int64
	Zone           *time.Location // of the charger; restrictions are read on its clock
	Reservation    *Reservation   // nil when nothing was reserved
	Periods        []UsagePeriod
}

// Reservation is the time that a charger was kept for the driver, up to Usage.StartMs at most. It
// is Expired when no session followed; StartMs and EndMs of the Usage are then equal and it has no
// Periods.
type Reservation = struct {
	StartMs, EndMs int64
	Expired        bool
}

// UsagePeriod is a stretch of a session in which energy flows evenly. PowerW and CurrentMa are
// what flowed at each of its moments, nil when it is not known.
type UsagePeriod struct {
	FromMs, ToMs      int64
	MilliWh           int64
	Parking           bool // the vehicle asks for no power
	PowerW, CurrentMa *int64

	exact *big.Rat // mWh, in place of MilliWh; nil for none
}

// energy is what flows in the period, in mWh.
func (p *UsagePeriod) energy() *big.Rat {
	if p.exact != nil {
		return p.exact
	}
	return big.NewRat(p.MilliWh, 1)
}

// Price is what a Usage costs.
type Price struct {
	// Excl, VAT and Incl are decimals with the currency's digits. They are rounded half up, away
	// from zero: Excl once for each VAT group, VAT once for each group as the percent of the
	// group's exact amount, Incl as the sum of both. Bounds are laid on the sums of the groups.
	Excl, VAT, Incl string
	// ExactExcl, ExactVAT and ExactIncl are the same before any rounding, bounds included: a
	// decimal without trailing zeros, or a fraction such as "61/60" where no decimal ends.
	ExactExcl, ExactVAT, ExactIncl string
	// The quantities are those that had a price component, a price of zero too, after step_size,
	// rounded half up. Energy and time that no element prices are not in them.
	EnergyBilledMilliWh                                     int64
	ChargingBilledS, ParkingBilledS, ReservationTimeBilledS int64
	// BoundApplied names the bounds that changed a sum, such as "min_excl+min_incl", else "".
	BoundApplied string
}

// PriceUsage prices a session by a tariff given as OCPI 2.2.1 JSON, in a currency whose minor unit
// has so many digits. It walks through the session second by second and asks every element at
// every second. A tariff or usage that OCPI or Usage does not allow is an error.
//
// Where OCPI is silent or has two readings, it takes these:
//
//   - FLAT is billed once a session and once a reservation: the first FLAT that matches at any
//     moment. A session of no length is asked once, at its start.
//   - When PARKING_TIME was billed at all, step_size rounds the sum of parking and leaves TIME
//     alone, whichever came last. The time of a reservation is rounded by itself.
//   - The last relevant component is the last one that priced a quantity above zero.
//   - Power or current that is not known matches no restriction on it.
//   - A reservation has used no energy and lasted no second of the session. One that expired
//     takes its components from RESERVATION_EXPIRES, what has none there from RESERVATION.
//   - A window whose start_time equals its end_time is empty, unless both are 00:00. The weekday
//     of a window over midnight is the one at the moment, not at the window's start.
//   - An omitted vat is a group of its own, without VAT; it is not merged with 0 %.
//   - min_price and max_price bound every bill, that of an expired reservation too.
func PriceUsage(tariffJSON []byte, u Usage, digits int) (Price, error) {
	return priceRules().price(tariffJSON, u, digits)
}

// pricing are the rules that the tests of the test vectors break one by one.
type pricing struct {
	step     func(total, step *big.Rat) *big.Rat
	stepTime func(step func(dimension string), parked bool)
	vat      func(excl, percent *big.Rat) *big.Rat
	round    func(x *big.Rat, digits int) *big.Int // in minor units
}

func priceRules() pricing {
	return pricing{step: stepUp, stepTime: stepTimeOnce, vat: vatOf, round: roundMinor}
}

func (p pricing) price(tariffJSON []byte, u Usage, digits int) (Price, error) {
	if digits < 0 || digits > digitsMax {
		return Price{}, fmt.Errorf("digits %d: not within 0 and %d", digits, digitsMax)
	}
	t, err := parsePriceTariff(tariffJSON)
	if err != nil {
		return Price{}, fmt.Errorf("tariff: %w", err)
	}
	if err := checkUsage(u); err != nil {
		return Price{}, fmt.Errorf("usage: %w", err)
	}
	reserved, session := newLedger(), newLedger()
	if u.Reservation != nil {
		t.walkReservation(u, reserved)
	}
	if u.Reservation == nil || !u.Reservation.Expired {
		t.walkSession(u, session)
	}
	p.stepLedger(reserved)
	p.stepLedger(session)

	out := Price{
		EnergyBilledMilliWh:    wholeHalfUp(session.total(dimEnergy)),
		ChargingBilledS:        wholeHalfUp(seconds(session.total(dimTime))),
		ParkingBilledS:         wholeHalfUp(seconds(session.total(dimParking))),
		ReservationTimeBilledS: wholeHalfUp(seconds(reserved.total(dimTime))),
	}
	p.bill(&out, t, digits, reserved, session)
	return out, nil
}

func checkUsage(u Usage) error {
	if u.Zone == nil {
		return errors.New("no zone")
	}
	if u.EndMs < u.StartMs {
		return errors.New("ends before it starts")
	}
	if r := u.Reservation; r != nil {
		if r.EndMs < r.StartMs {
			return errors.New("reservation ends before it starts")
		}
		if r.Expired && (u.StartMs != u.EndMs || len(u.Periods) > 0) {
			return errors.New("a session after an expired reservation")
		}
		if !r.Expired && r.EndMs > u.StartMs {
			return errors.New("reservation ends after the session's start")
		}
	}
	at := u.StartMs
	for i, p := range u.Periods {
		switch {
		case p.FromMs != at:
			return fmt.Errorf("period %d does not start where the one before ends", i)
		case p.ToMs < p.FromMs:
			return fmt.Errorf("period %d ends before it starts", i)
		case p.MilliWh < 0:
			return fmt.Errorf("period %d has negative energy", i)
		case p.ToMs == p.FromMs && p.MilliWh > 0:
			return fmt.Errorf("period %d has energy and no length", i)
		}
		at = p.ToMs
	}
	if at != u.EndMs {
		return errors.New("the last period does not end with the session")
	}
	return nil
}
