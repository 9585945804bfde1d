package pricing

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"chargestream"
)

// ErrUsage is wrapped by every error of Price: what was used contradicts itself, exceeds a bound,
// or lacks something that the tariff asks for.
var ErrUsage = errors.New("usage refused")

// What one session may have at most.
const (
	// PeriodsMax bounds the periods of a session: a week of quarter hours is 672, and a vehicle
	// may start and stop asking for power in each.
	PeriodsMax = 4096
	// CutsMax bounds the pieces into which a session is cut: a month of a tariff with a price for
	// each quarter hour makes 3000.
	CutsMax = 20_000
	// EnergyMax bounds the energy of a session, in mWh: a terawatt-hour.
	EnergyMax = 1_000_000_000_000_000
	// SpanMax bounds how long a session or a reservation lasts: a leap year.
	SpanMax = 366 * chargestream.Day
	// GuessMax is how long a period may be to be cut by interpolation without its price being
	// called estimated: the length in which meters are commonly read for bills.
	GuessMax = chargestream.Quarter
	// rangeMax bounds powers in W and currents in mA.
	rangeMax = 1_000_000_000_000
)

// Usage is what is to be priced: a session, with the reservation that it ended if there was one,
// or only a reservation that expired. Price does not change it.
type Usage struct {
	// Start and End are those of the session, from plug to unplug. Both are zero where there
	// was none.
	Start, End chargestream.Millis
	// Location is where the station is; the tariff's times and days are local there. It may be
	// nil for a tariff that has none.
	Location *time.Location
	// Periods cover the session without gap or overlap, in any order.
	Periods []Period
	// Reservation is nil where the station was not reserved.
	Reservation *Reservation
}

// Reservation is how long a station was kept for somebody. It ends when the session begins, or,
// if Expired, without one.
type Reservation struct {
	Start, End chargestream.Millis
	Expired    bool
}

// Period is a part of a session, within which power and current are taken to be constant.
type Period struct {
	From, To chargestream.Millis
	Energy   int64 // mWh, that was delivered within
	// Parking: the vehicle does not ask for power. One that asks and gets none, as the station
	// has suspended it, is not parking.
	Parking bool
	Power   Range // W
	Current Range // mA, all phases together
	// Estimated: the caller had to guess any of this.
	Estimated bool
}

// Range is what is known of a quantity that varied. Where a limit of the tariff lies between the
// extremes the mean decides, and the bill is estimated.
type Range struct {
	Min, Mean, Max int64
	Known          bool
}

// Exactly is the range of a quantity that did not vary.
func Exactly(n int64) Range { return Range{Min: n, Mean: n, Max: n, Known: true} }

// times is the range in units that are so many times smaller.
func (r Range) times(n int64) Range {
	return Range{Min: r.Min * n, Mean: r.Mean * n, Max: r.Max * n, Known: r.Known}
}

func (r *Range) ordered() bool {
	return !r.Known || (-rangeMax <= r.Min && r.Min <= r.Mean && r.Mean <= r.Max &&
		r.Max <= rangeMax)
}

func comparePeriods(a, b Period) int {
	return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To),
		cmp.Compare(a.Energy, b.Energy))
}

// check returns the periods in order of time, which are the usage's own if they are already.
func (u *Usage) check(t *Tariff) ([]Period, error) {
	if err := u.checkReservation(); err != nil {
		return nil, err
	}
	begin := u.Start
	if u.Reservation != nil {
		begin = u.Reservation.Start
	}
	switch {
	case u.Location == nil && t.local:
		return nil, fmt.Errorf("%w: the tariff asks for the local time, and no location is told",
			ErrUsage)
	case begin < t.from || (t.to != 0 && begin >= t.to):
		return nil, fmt.Errorf("%w: %v is not within the tariff's start_date_time and "+
			"end_date_time", ErrUsage, begin)
	case u.expired():
		return nil, nil
	case u.End < u.Start || u.Start <= 0 || u.End-u.Start > SpanMax:
		return nil, fmt.Errorf("%w: from %v to %v", ErrUsage, u.Start, u.End)
	case len(u.Periods) > PeriodsMax:
		return nil, fmt.Errorf("%w: %d periods, of which there may be %d", ErrUsage,
			len(u.Periods), PeriodsMax)
	}
	periods := u.Periods
	if !slices.IsSortedFunc(periods, comparePeriods) {
		periods = slices.Clone(periods)
		slices.SortFunc(periods, comparePeriods)
	}
	return periods, u.checkPeriods(periods)
}

// expired reports whether there is no session.
func (u *Usage) expired() bool { return u.Reservation != nil && u.Reservation.Expired }

func (u *Usage) checkReservation() error {
	r := u.Reservation
	switch {
	case r == nil:
		return nil
	case r.Start <= 0 || r.End < r.Start || r.End-r.Start > SpanMax:
		return fmt.Errorf("%w: reserved from %v to %v", ErrUsage, r.Start, r.End)
	case r.Expired && (u.Start != 0 || u.End != 0 || len(u.Periods) > 0):
		return fmt.Errorf("%w: the reservation expired, and there is a session", ErrUsage)
	case !r.Expired && r.End > u.Start:
		return fmt.Errorf("%w: reserved until %v, after the session's start", ErrUsage, r.End)
	}
	return nil
}

func (u *Usage) checkPeriods(periods []Period) error {
	at, energy := u.Start, int64(0)
	for i := range periods {
		p := &periods[i]
		switch {
		case p.From != at || p.To < p.From:
			return fmt.Errorf("%w: period from %v to %v follows %v", ErrUsage, p.From, p.To, at)
		case p.Energy < 0 || p.Energy > EnergyMax-energy:
			return fmt.Errorf("%w: %d mWh from %v", ErrUsage, p.Energy, p.From)
		case !p.Power.ordered() || !p.Current.ordered():
			return fmt.Errorf("%w: power or current from %v", ErrUsage, p.From)
		}
		at = p.To
		energy += p.Energy
	}
	if at != u.End {
		return fmt.Errorf("%w: the periods end at %v, the session at %v", ErrUsage, at, u.End)
	}
	return nil
}
