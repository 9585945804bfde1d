package oracle

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"
)

// What RandomUsage draws keeps these, so that every way to cut it at a bound of RandomTariff is
// exact in whole seconds and whole mWh and a comparison needs no tolerance:
//
//   - all points in time are whole seconds;
//   - every bound of energy is a multiple of 20 Wh;
//   - periods of any length flow with 1 Wh a second or not at all; the others last a multiple of
//     20 s with a divisor of 20 Wh a second, in sessions that have no period of the first kind.
const (
	randomGridS    = 20
	randomRate     = 1000 // mWh a second in a period of any length
	randomBoundWh  = 20
	randomParts    = 6    // most elements and periods
	randomMinCents = 500  // min_price lies below, max_price does not
	randomVolts    = 230  // to tell current from power
	randomYear     = 2025 // of the drawn days
)

// pick is one of several with equal chance.
func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

func chance(rng *rand.Rand, percent int) bool { return rng.IntN(100) < percent }

// RandomTariff draws a valid OCPI 2.2.1 tariff. Its windows, dates and bounds lie where RandomUsage
// lays its sessions, so that they matter often. It has no two readings in one bound: no window
// starts when it ends, and elements of a reservation have no bound but a window.
func RandomTariff(rng *rand.Rand) []byte {
	type object = map[string]any
	var elements []object
	for range 1 + rng.IntN(randomParts) {
		e := object{}
		limits := object{}
		reservation := chance(rng, 20)
		if chance(rng, 70) {
			randomWindow(rng, limits)
		}
		if reservation {
			limits["reservation"] = pick(rng, reservationTaken, reservationExpired)
		} else {
			randomLimits(rng, limits)
		}
		if len(limits) > 0 {
			e["restrictions"] = limits
		}
		e["price_components"] = randomComponents(rng, reservation)
		elements = append(elements, e)
	}
	t := object{"country_code": "NL", "party_id": "ABC", "id": "random", "currency": "EUR",
		"elements": elements, "last_updated": "2025-01-01T00:00:00Z"}
	if chance(rng, 25) {
		t["min_price"] = randomBound(rng, 0)
	}
	if chance(rng, 25) {
		t["max_price"] = randomBound(rng, randomMinCents)
	}
	text, err := json.Marshal(t)
	if err != nil {
		panic(fmt.Sprintf("random tariff: %v", err)) // strings, numbers and maps of them only
	}
	return text
}

func decimal(rng *rand.Rand, below, digits int) json.Number {
	scale := 1
	for range digits {
		scale *= 10
	}
	return json.Number(fmt.Sprintf("%d.%0*d", rng.IntN(below), digits, rng.IntN(scale)))
}

// randomBound draws one above so many cents. It sometimes leaves incl_vat out, as OCPI lets it.
func randomBound(rng *rand.Rand, above int) map[string]any {
	cents := func(n int) json.Number { return json.Number(fmt.Sprintf("%d.%02d", n/100, n%100)) }
	excl := above + rng.IntN(randomMinCents)
	b := map[string]any{"excl_vat": cents(excl)}
	if chance(rng, 70) {
		b["incl_vat"] = cents(excl + excl*pick(rng, 0, 10, 20)/100)
	}
	return b
}

func randomComponents(rng *rand.Rand, reservation bool) []map[string]any {
	dimensions := []string{dimEnergy, dimTime, dimParking, dimFlat}
	if reservation {
		dimensions = []string{dimTime, dimFlat}
	}
	var out []map[string]any
	for _, d := range dimensions {
		if !chance(rng, 55) && (len(out) > 0 || d != dimFlat) {
			continue
		}
		c := map[string]any{"type": d, "price": decimal(rng, 8, 2+rng.IntN(3))}
		switch d {
		case dimEnergy:
			c["price"] = decimal(rng, 1, 2+rng.IntN(3))
			c["step_size"] = pick(rng, 1, 1, 25, 100, 500, 1000)
		case dimFlat:
			c["step_size"] = 1
		default:
			c["step_size"] = pick(rng, 1, 1, 60, 300, 600, 900)
		}
		if chance(rng, 85) {
			c["vat"] = json.Number(pick(rng, "0", "5.2", "7.7", "10", "10.0", "20", "21"))
		}
		out = append(out, c)
	}
	return out
}

// randomHours are where sessions begin and windows end: midnight, the hours that a change of
// clocks takes or gives, and two of the day.
func randomHours() []int { return []int{0, 2, 3, 8, 17, 23} }

func randomDays() []time.Time {
	day := func(month time.Month, day int) time.Time {
		return time.Date(randomYear, month, day, 0, 0, 0, 0, time.UTC)
	}
	return []time.Time{
		day(time.March, 30), day(time.October, 26), // clocks change in the Netherlands
		day(time.March, 9), day(time.November, 2), // and in New York
		day(time.April, 6), day(time.October, 5), // and, by half an hour, on Lord Howe
		day(time.June, 13), day(time.December, 31),
	}
}

func randomWindow(rng *rand.Rand, limits map[string]any) {
	clock := func() string {
		return fmt.Sprintf("%02d:%02d", pick(rng, randomHours()...), pick(rng, 0, 0, 15, 30, 59))
	}
	from, to := clock(), clock()
	for from == to {
		to = clock()
	}
	switch rng.IntN(4) {
	case 0:
		limits["start_time"] = from
	case 1:
		limits["end_time"] = to
	default:
		limits["start_time"], limits["end_time"] = from, to
	}
}

func randomLimits(rng *rand.Rand, limits map[string]any) {
	day := func() string {
		return pick(rng, randomDays()...).AddDate(0, 0, rng.IntN(3)-1).Format(dayForm)
	}
	kWh := func() any {
		bound := int64(rng.IntN(800)) * randomBoundWh
		return json.Number(fmt.Sprintf("%d.%03d", bound/1000, bound%1000))
	}
	draws := []struct {
		name    string
		percent int
		value   func() any
	}{
		{"start_date", 6, func() any { return day() }},
		{"end_date", 6, func() any { return day() }},
		{"min_kwh", 15, kWh},
		{"max_kwh", 15, kWh},
		{"min_power", 8, func() any { return pick(rng, 0, 3.6, 7.2, 18) }},
		{"max_power", 8, func() any { return pick(rng, 3.6, 7.2, 36, 80) }},
		{"min_current", 8, func() any { return decimal(rng, 64, rng.IntN(2)+1) }},
		{"max_current", 8, func() any { return decimal(rng, 200, rng.IntN(2)+1) }},
		{"min_duration", 12, func() any { return rng.IntN(7200) }},
		{"max_duration", 12, func() any { return rng.IntN(7200) }},
		{"day_of_week", 15, func() any {
			names := weekdays()
			rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
			return names[:1+rng.IntN(len(names))]
		}},
	}
	for _, d := range draws {
		if chance(rng, d.percent) {
			limits[d.name] = d.value()
		}
	}
}

// RandomUsage draws a session of up to three hours, of charging and parking in any order, with or
// without a reservation; one in twenty is an expired reservation, and some have no length.
func RandomUsage(rng *rand.Rand) Usage {
	names := []string{"UTC", "Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe",
		"Asia/Kolkata"}
	zone, err := time.LoadLocation(pick(rng, names...))
	if err != nil {
		panic(fmt.Sprintf("random usage: %v", err)) // the names are fixed; import time/tzdata
	}
	day := pick(rng, randomDays()...)
	start := time.Date(day.Year(), day.Month(), day.Day(), pick(rng, randomHours()...)-1,
		rng.IntN(60), rng.IntN(60), 0, zone).UnixMilli()
	u := Usage{StartMs: start, EndMs: start, Zone: zone}
	if chance(rng, 25) {
		to := start - int64(rng.IntN(2)*rng.IntN(600))*secondMs
		from := to - int64(rng.IntN(5400))*secondMs
		u.Reservation = &Reservation{StartMs: from, EndMs: to, Expired: chance(rng, 20)}
		if u.Reservation.Expired {
			return u
		}
	}
	grid := chance(rng, 60)
	for range rng.IntN(randomParts + 1) {
		p := randomPeriod(rng, u.EndMs, grid)
		u.EndMs = p.ToMs
		u.Periods = append(u.Periods, p)
	}
	return u
}

func randomPeriod(rng *rand.Rand, from int64, grid bool) UsagePeriod {
	length := int64(1 + rng.IntN(1800))
	rate := pick[int64](rng, 0, randomRate, randomRate, randomRate)
	if grid {
		length = randomGridS * (1 + int64(rng.IntN(90)))
		rate = pick[int64](rng, 0, 1000, 2000, 4000, 5000, 10000, 20000)
	}
	p := UsagePeriod{FromMs: from, ToMs: from + length*secondMs, Parking: chance(rng, 35)}
	if p.Parking && chance(rng, 90) {
		rate = 0
	}
	p.MilliWh = rate * length
	watts := rate * 3600 / 1000 // of mWh a second
	current := watts * 1000 / randomVolts
	if chance(rng, 85) {
		p.PowerW = &watts
	}
	if chance(rng, 85) {
		p.CurrentMa = &current
	}
	return p
}
