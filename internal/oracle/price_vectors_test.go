package oracle

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the vectors name zones
)

// vector is a bill whose amounts are known from elsewhere. Amounts are exact; what is "" is not
// said. rounded is excl and incl in cents.
type vector struct {
	name       string
	tariff     string
	usage      Usage
	excl, incl string
	rounded    string
	milliWh    int64 // billed; 0 is not said
	chargingS  int64
	parkingS   int64
}

// tariffOf joins elements, and min_price or max_price after them.
func tariffOf(parts ...string) string {
	var elements, bounds []string
	for _, p := range parts {
		if strings.HasPrefix(p, `"m`) {
			bounds = append(bounds, p)
		} else {
			elements = append(elements, p)
		}
	}
	bounds = append(bounds, `"elements":[`+strings.Join(elements, ",")+`]`)
	return "{" + strings.Join(bounds, ",") + "}"
}

// element has restrictions without braces, "" for none.
func element(restrictions string, components ...string) string {
	list := `{"price_components":[` + strings.Join(components, ",") + "]"
	if restrictions != "" {
		list += `,"restrictions":{` + restrictions + "}"
	}
	return list + "}"
}

// component has no vat when that is "".
func component(dimension, price, vat string, step int) string {
	if vat != "" {
		vat = `,"vat":` + vat
	}
	return fmt.Sprintf(`{"type":%q,"price":%s,"step_size":%d%s}`, dimension, price, step, vat)
}

func bounds(name, excl, incl string) string {
	return fmt.Sprintf(`%q:{"excl_vat":%s,"incl_vat":%s}`, name, excl, incl)
}

func zoneOf(name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil {
		panic(err) // a mistake in the vector itself
	}
	return zone
}

// session begins at a time of Amsterdam, with or without a fraction of a second; its periods give
// their lengths as ToMs.
func session(start string, periods ...UsagePeriod) Usage {
	return sessionIn("Europe/Amsterdam", start, periods...)
}

func sessionIn(zone, start string, periods ...UsagePeriod) Usage {
	z := zoneOf(zone)
	t, err := time.ParseInLocation("2006-01-02 15:04:05", start, z)
	if err != nil {
		panic(err) // a mistake in the vector itself
	}
	u := Usage{StartMs: t.UnixMilli(), EndMs: t.UnixMilli(), Zone: z}
	for _, p := range periods {
		p.FromMs = u.EndMs
		p.ToMs += u.EndMs
		u.EndMs = p.ToMs
		u.Periods = append(u.Periods, p)
	}
	return u
}

func charge(minutes, wh int64) UsagePeriod {
	return UsagePeriod{ToMs: minutes * 60 * secondMs, MilliWh: wh * 1000}
}

func park(minutes int64) UsagePeriod {
	return UsagePeriod{ToMs: minutes * 60 * secondMs, Parking: true}
}

func amps(a int64, p UsagePeriod) UsagePeriod {
	a *= 1000
	p.CurrentMa = &a
	return p
}

func watts(w int64, p UsagePeriod) UsagePeriod {
	p.PowerW = &w
	return p
}

// reserve puts a reservation of so many minutes right before the session.
func reserve(minutes int64, u Usage) Usage {
	u.Reservation = &Reservation{StartMs: u.StartMs - minutes*60*secondMs, EndMs: u.StartMs}
	return u
}

func expired(minutes int64, u Usage) Usage {
	u = reserve(minutes, u)
	u.Reservation.Expired = true
	return u
}

const (
	monday   = "2025-06-16 09:30:00"
	saturday = "2025-06-14 13:30:00"
)

// vectors are all of OCPI's that are known to be right, and own ones beside them, short sessions
// first.
func vectors() []vector {
	var all []vector
	for _, v := range [][]vector{
		vectorsSimple(), vectorsComplex(), vectorsReservation(), vectorsStep(), vectorsStepEnergy(),
		vectorsLimits(), vectorsOwn(), vectorsBounds(), vectorsFine(), vectorsClock(),
	} {
		all = append(all, v...)
	}
	// A long session takes long to price; most faults are told by a short one.
	slices.SortStableFunc(all, func(a, b vector) int {
		return cmp.Compare(a.usage.EndMs-a.usage.StartMs, b.usage.EndMs-b.usage.StartMs)
	})
	return all
}

func vectorsSimple() []vector {
	energy := component("ENERGY", "0.25", "10", 1)
	flat := component("FLAT", "0.50", "20", 1)
	capped := tariffOf(element("", flat, energy), bounds("max_price", "10", "11"))
	twenty := session(monday, charge(120, 20000))
	return []vector{
		{name: "energy", tariff: tariffOf(element("", energy)), usage: twenty,
			excl: "5", incl: "5.5", rounded: "5.00 5.50", milliWh: 20_000_000},
		{name: "flat and energy", tariff: tariffOf(element("", flat, energy)), usage: twenty,
			excl: "5.5", incl: "6.1", rounded: "5.50 6.10"},
		{name: "least price",
			tariff: tariffOf(element("", energy), bounds("min_price", "0.50", "0.55")),
			usage:  session(monday, charge(60, 1000)),
			excl:   "0.5", incl: "0.55", rounded: "0.50 0.55"},
		{name: "fee, energy, parking", tariff: tariffOf(element("", flat, energy,
			component("PARKING_TIME", "2.00", "20", 900))),
			usage: session(monday, charge(120, 20000), park(40)),
			excl:  "7", incl: "7.9", rounded: "7.00 7.90", parkingS: 45 * 60},
		{name: "most price", tariff: capped, usage: session(monday, charge(120, 50000)),
			excl: "10", incl: "11", rounded: "10.00 11.00"},
		{name: "below most price", tariff: capped, usage: session(monday, charge(120, 30000)),
			excl: "8", incl: "8.85", rounded: "8.00 8.85"},
		{name: "time", tariff: tariffOf(element("", component("TIME", "2.00", "10", 60))),
			usage: session(monday, charge(150, 0)),
			excl:  "5", incl: "5.5", rounded: "5.00 5.50", chargingS: 9000},
		{name: "time and parking", tariff: tariffOf(element("",
			component("TIME", "3.00", "10", 60), component("PARKING_TIME", "5.00", "20", 300))),
			usage: session(monday, charge(150, 9000), park(42)), excl: "11.25", incl: "12.75",
			rounded: "11.25 12.75", chargingS: 9000, parkingS: 45 * 60},
		{name: "odd vat", tariff: tariffOf(element("", component("TIME", "1.90", "5.2", 1))),
			usage: session(monday, charge(150, 0)),
			excl:  "4.75", incl: "4.997", rounded: "4.75 5.00"},
		{name: "half a cent", tariff: tariffOf(element("", flat,
			component("ENERGY", "0.25", "10", 100))),
			usage: session(monday, charge(60, 20450)), excl: "5.625", incl: "6.2375",
			rounded: "5.63 6.24", milliWh: 20_500_000},
	}
}

func vectorsComplex() []vector {
	weekdays := `"day_of_week":["MONDAY","TUESDAY","WEDNESDAY","THURSDAY","FRIDAY"]`
	tariff := tariffOf(
		element("", component("FLAT", "2.50", "15", 1)),
		element(`"max_current":32`, component("TIME", "1.00", "20", 900)),
		element(`"min_current":32,`+weekdays, component("TIME", "2.00", "20", 600)),
		element(`"min_current":32,"day_of_week":["SATURDAY","SUNDAY"]`,
			component("TIME", "1.25", "20", 600)),
		element(`"start_time":"09:00","end_time":"18:00",`+weekdays,
			component("PARKING_TIME", "5.00", "10", 300)),
		element(`"start_time":"10:00","end_time":"17:00","day_of_week":["SATURDAY"]`,
			component("PARKING_TIME", "6.00", "10", 300)),
	)
	return []vector{
		{name: "complex on Monday", tariff: tariff,
			usage: session(monday, amps(16, charge(165, 30000)), park(42)),
			excl:  "9", incl: "10.3", // of which VAT is 0.375 + 0.55 + 0.375
			rounded: "9.00 10.31", chargingS: 165 * 60, parkingS: 45 * 60},
		{name: "complex on Saturday", tariff: tariff,
			usage: session(saturday, amps(43, charge(114, 30000)), park(71)),
			excl:  "12.375", incl: "13.975",
			rounded: "12.38 13.99", chargingS: 114 * 60, parkingS: 75 * 60},
	}
}

func vectorsReservation() []vector {
	normal := element("", component("FLAT", "0.50", "20", 1), component("ENERGY", "0.25", "10", 1))
	fee := component("FLAT", "4.00", "20", 1)
	taken, lapsed := `"reservation":"RESERVATION"`, `"reservation":"RESERVATION_EXPIRES"`
	charged := session(monday, charge(120, 20000))
	none := session(monday)
	time := func(price string, step int) string { return component("TIME", price, "20", step) }
	both := tariffOf(element(lapsed, fee, time("2.00", 600)), element(taken, time("2.00", 600)),
		normal)
	dear := tariffOf(element(taken, time("3.00", 600)), element(lapsed, time("6.00", 600)), normal)
	return []vector{
		{name: "reservation", tariff: tariffOf(element(taken, time("5.00", 60)), normal),
			usage: reserve(15, charged), excl: "6.75", incl: "7.6", rounded: "6.75 7.60"},
		{name: "reservation with a fee", tariff: tariffOf(element(taken,
			component("FLAT", "2.00", "20", 1), time("5.00", 300)), normal),
			usage: reserve(13, charged), excl: "8.75", incl: "10", rounded: "8.75 10.00"},
		{name: "reservation that could expire", tariff: both,
			usage: reserve(22, charged), excl: "6.5", incl: "7.3", rounded: "6.50 7.30"},
		{name: "reservation expired", tariff: both,
			usage: expired(60, none), excl: "6", incl: "7.2", rounded: "6.00 7.20"},
		{name: "reservation expired, its time in the other element",
			tariff: tariffOf(element(taken, time("2.00", 600)), element(lapsed, fee), normal),
			usage:  expired(60, none), excl: "6", incl: "7.2", rounded: "6.00 7.20"},
		{name: "reservation before dear expiry", tariff: dear,
			usage: reserve(22, charged), excl: "7", incl: "7.9", rounded: "7.00 7.90"},
		{name: "reservation expired dearly", tariff: dear,
			usage: expired(90, none), excl: "9", incl: "10.8", rounded: "9.00 10.80"},
	}
}

func vectorsStep() []vector {
	tariff := tariffOf(
		element(`"end_time":"17:00"`, component("TIME", "1.20", "", 1800)),
		element(`"start_time":"17:00"`, component("TIME", "2.40", "", 900)),
		element(`"end_time":"20:00"`, component("PARKING_TIME", "1.00", "", 900)),
	)
	day := "2025-06-16 "
	in := func(at string, periods ...UsagePeriod) Usage {
		return session(day+at+":00", periods...)
	}
	later := tariffOf(
		element(`"start_time":"00:00","end_time":"17:00"`, component("TIME", "5.00", "", 600)),
		element(`"start_time":"17:00"`, component("TIME", "7.00", "", 600)))
	parked := func(step int) string {
		return tariffOf(element("", component("TIME", "1.00", "", step),
			component("PARKING_TIME", "2.00", "", step)))
	}
	return []vector{
		{name: "step of the parking only", tariff: tariff,
			usage: in("16:55", charge(10, 0), park(2)),
			excl:  "0.55", incl: "0.55", chargingS: 600, parkingS: 900},
		{name: "step of the last time", tariff: tariff, usage: in("16:35", charge(35, 0)),
			excl: "1.3", chargingS: 45 * 60},
		{name: "step of parking that is free later", tariff: tariff,
			usage: in("19:40", charge(12, 0), park(20)),
			excl:  "0.73", chargingS: 720, parkingS: 900},
		{name: "step after a switch", tariff: later, usage: in("16:54", charge(28, 0)),
			excl: "3.3", chargingS: 30 * 60},
		{name: "no step between charging and parking", tariff: parked(600),
			usage: in("12:00", charge(21, 0), park(16)),
			excl:  "61/60", rounded: "1.02 1.02", chargingS: 21 * 60, parkingS: 20 * 60},
		{name: "step of parking alone", tariff: parked(300),
			usage:     in("12:00", charge(21, 0), park(7)),
			chargingS: 21 * 60, parkingS: 10 * 60},
		{name: "clock of the charger", tariff: tariff,
			usage: in("18:55", charge(10, 0), park(2)), // 16:55 by universal time
			excl:  "0.65"},
	}
}

func vectorsStepEnergy() []vector {
	byTime := tariffOf(
		element(`"end_time":"17:00"`, component("ENERGY", "0.20", "", 500)),
		element(`"start_time":"17:00"`, component("ENERGY", "0.27", "", 500)))
	byCurrent := tariffOf(
		element(`"max_current":16`, component("ENERGY", "2.00", "", 10000)),
		element(`"min_current":16,"max_current":32`, component("ENERGY", "5.00", "", 10000)),
		element("", component("ENERGY", "2.00", "", 10000)))
	few := func(step int, excl string, milliWh int64) vector {
		p := charge(10, 0)
		p.MilliWh = 115_200
		return vector{name: fmt.Sprint("115.2 Wh by ", step), usage: session(monday, p),
			tariff: tariffOf(element("", component("ENERGY", "0.25", "", step))),
			excl:   excl, milliWh: milliWh}
	}
	return []vector{
		{name: "step of energy", tariff: byTime,
			usage: session("2025-06-16 16:00:00", charge(60, 4300), charge(20, 1100)),
			excl:  "1.184", milliWh: 5_500_000},
		{name: "step of energy by current", tariff: byCurrent, usage: session(monday,
			amps(10, charge(60, 3000)), amps(20, charge(60, 3000)), amps(40, charge(60, 3000))),
			excl: "29", milliWh: 10_000_000},
		few(1, "0.029", 116_000), few(25, "0.03125", 125_000), few(500, "0.125", 500_000),
	}
}

func vectorsLimits() []vector {
	byPower := tariffOf(
		element(`"max_power":16`, component("ENERGY", "0.20", "20", 1)),
		element(`"max_power":32`, component("ENERGY", "0.35", "20", 1)),
		element("", component("ENERGY", "0.50", "20", 1)))
	byLength := tariffOf(
		element(`"max_duration":1800`, component("ENERGY", "0", "", 1)),
		element(`"max_duration":3600`, component("ENERGY", "0.25", "", 1)),
		element("", component("ENERGY", "0.40", "", 1)))
	return []vector{
		{name: "by power", tariff: byPower, usage: session(monday, watts(6000, charge(10, 1000)),
			watts(48000, charge(50, 40000)), watts(4000, charge(8, 500))),
			excl: "20.3", incl: "24.36", rounded: "20.30 24.36"},
		{name: "by length", tariff: byLength,
			usage: session(monday, charge(30, 5000), charge(20, 1200)),
			excl:  "0.3", incl: "0.3", milliWh: 6_200_000},
	}
}
