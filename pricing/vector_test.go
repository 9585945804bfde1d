package pricing_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the tests must not hang on what the machine has

	"chargestream"
	"chargestream/codecs"
	"chargestream/pricing"
)

const kWh = 1_000_000 // mWh

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	location, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return location
}

func parse(t testing.TB, text string) *pricing.Tariff {
	t.Helper()
	tariff, err := pricing.Parse([]byte(text))
	if err != nil {
		t.Fatalf("parse %s: %v", text, err)
	}
	return tariff
}

func price(t testing.TB, tariff *pricing.Tariff, u *pricing.Usage) *pricing.Bill {
	t.Helper()
	b, err := tariff.Price(u)
	if err != nil {
		t.Fatalf("price: %v", err)
	}
	checkBill(t, b)
	return b
}

// checkBill holds what is true of every bill.
func checkBill(t testing.TB, b *pricing.Bill) {
	t.Helper()
	var lines, groups pricing.Money
	byRate := map[pricing.VAT]pricing.Money{}
	sum := func(to *pricing.Money, m pricing.Money) {
		to.Excl, to.Tax, to.Incl = to.Excl+m.Excl, to.Tax+m.Tax, to.Incl+m.Incl
	}
	for _, l := range b.Lines {
		sum(&lines, l.Money)
		rate := byRate[l.VAT]
		sum(&rate, l.Money)
		byRate[l.VAT] = rate
		if l.Billed < l.Measured || l.Measured <= 0 || l.Excl+l.Tax != l.Incl ||
			(l.Dimension < pricing.MinPrice && (l.Excl < 0 || l.Tax < 0)) {
			t.Errorf("line %+v", l)
		}
	}
	for i, g := range b.Groups {
		sum(&groups, g.Money)
		if byRate[g.VAT] != g.Money {
			t.Errorf("group %+v, its lines add up to %+v", g, byRate[g.VAT])
		}
		if g.Excl < 0 || g.Tax < 0 || (i > 0 && uint64(g.VAT) <= uint64(b.Groups[i-1].VAT)) {
			t.Errorf("groups %+v", b.Groups)
		}
	}
	if lines != b.Total || groups != b.Total {
		t.Errorf("lines %+v, groups %+v, total %+v", lines, groups, b.Total)
	}
}

// component is the JSON of a price component; no VAT where it is empty.
func component(kind, price, vat string, step int) string {
	if vat != "" {
		vat = `,"vat":` + vat
	}
	return fmt.Sprintf(`{"type":%q,"price":%s%s,"step_size":%d}`, kind, price, vat, step)
}

// element is the JSON of a tariff element with restrictions, which may be empty.
func element(restrictions string, components ...string) string {
	if restrictions != "" {
		restrictions = `,"restrictions":{` + restrictions + `}`
	}
	return `{"price_components":[` + strings.Join(components, ",") + `]` + restrictions + `}`
}

func euro(elements ...string) string { return tariffIn("EUR", "", elements...) }

func tariffIn(currency, more string, elements ...string) string {
	return fmt.Sprintf(`{"currency":%q,%s"elements":[%s]}`, currency, more,
		strings.Join(elements, ","))
}

// part is a part of a session: so many minutes, so many kWh, and what it ran with.
type part struct {
	minutes float64
	kWh     float64
	parking bool
	watts   int64
	amperes int64
}

func charge(minutes, kWh float64) part { return part{minutes: minutes, kWh: kWh} }

func park(minutes float64) part { return part{minutes: minutes, parking: true} }

// usage is a session from a time on.
func usage(start string, location *time.Location, parts ...part) *pricing.Usage {
	at, err := time.ParseInLocation("2006-01-02 15:04", start, location)
	if err != nil {
		panic(err)
	}
	u := &pricing.Usage{Start: chargestream.MillisOf(at), Location: location}
	u.End = u.Start
	for _, p := range parts {
		period := pricing.Period{From: u.End, To: u.End +
			chargestream.Millis(p.minutes*60_000+0.5), Energy: int64(p.kWh*kWh + 0.5),
			Parking: p.parking}
		if p.watts != 0 {
			period.Power = pricing.Exactly(p.watts)
		}
		if p.amperes != 0 {
			period.Current = pricing.Exactly(p.amperes * 1000)
		}
		u.Periods = append(u.Periods, period)
		u.End = period.To
	}
	return u
}

// withReservation adds a reservation that ended when the session began.
func withReservation(u *pricing.Usage, minutes int) *pricing.Usage {
	u.Reservation = &pricing.Reservation{
		Start: u.Start - chargestream.Millis(minutes)*chargestream.Minute, End: u.Start}
	return u
}

func expiredAfter(minutes int) *pricing.Usage {
	u := usage("2026-06-01 12:00", time.UTC)
	r := pricing.Reservation{Start: u.Start,
		End: u.Start + chargestream.Millis(minutes)*chargestream.Minute, Expired: true}
	return &pricing.Usage{Reservation: &r, Location: time.UTC}
}

const weekdays = `"day_of_week":["MONDAY","TUESDAY","WEDNESDAY","THURSDAY","FRIDAY"]`

func complexTariff() string {
	return euro(element("", component("FLAT", "2.50", "15.0", 1)),
		element(`"max_current":32.00`, component("TIME", "1.00", "20.0", 900)),
		element(`"min_current":32.00,`+weekdays, component("TIME", "2.00", "20.0", 600)),
		element(`"min_current":32.00,"day_of_week":["SATURDAY","SUNDAY"]`,
			component("TIME", "1.25", "20.0", 600)),
		element(`"start_time":"09:00","end_time":"18:00",`+weekdays,
			component("PARKING_TIME", "5.00", "10.0", 300)),
		element(`"start_time":"10:00","end_time":"17:00","day_of_week":["SATURDAY"]`,
			component("PARKING_TIME", "6.00", "10.0", 300)))
}

// stepTariff is that of OCPI's examples of step_size; it tells no VAT.
func stepTariff() string {
	parking := component("PARKING_TIME", "1.00", "", 900)
	return euro(
		element(`"start_time":"00:00","end_time":"17:00"`, component("TIME", "1.20", "", 1800),
			parking),
		element(`"start_time":"17:00","end_time":"20:00"`, component("TIME", "2.40", "", 900),
			parking),
		element(`"start_time":"20:00","end_time":"00:00"`, component("TIME", "2.40", "", 900)))
}

// reservationTariff charges 0.50 and 0.25 a kWh besides what is told.
func reservationTariff(elements ...string) string {
	return euro(append(elements, element("", component("FLAT", "0.50", "20", 1),
		component("ENERGY", "0.25", "10", 1)))...)
}

// vector is a session, and what it costs as OCPI has it: without VAT and with it, unrounded.
// Where the tariff tells no VAT the second is empty.
type vector struct {
	name       string
	tariff     string
	usage      *pricing.Usage
	excl, incl string
	// more is by how many cents the rounded groups add up to more than the rounded sum.
	more int64
}

// simpleVectors are the examples of mod_tariffs that have no restrictions.
func simpleVectors() []vector {
	energy := component("ENERGY", "0.25", "10.0", 1)
	flat := component("FLAT", "0.50", "20.0", 1)
	start := "2019-06-03 10:00" // a Monday
	session := func(parts ...part) *pricing.Usage { return usage(start, time.UTC, parts...) }
	minimum := tariffIn("EUR", `"min_price":{"excl_vat":0.50,"incl_vat":0.55},`,
		element("", energy))
	maximum := tariffIn("EUR", `"max_price":{"excl_vat":10.00,"incl_vat":11.00},
		"end_date_time":"2019-06-30T23:59:59Z",`, element("", flat), element("", energy))
	step := func(n int) string { return euro(element("", component("ENERGY", "0.25", "", n))) }
	return []vector{
		{"energy", euro(element("", energy)), session(charge(60, 20)), "5.00", "5.50", 0},
		{"energy and fee", euro(element("", flat), element("", energy)),
			session(charge(60, 20)), "5.50", "6.10", 0},
		{"min_price not reached", minimum, session(charge(60, 1)), "0.50", "0.55", 0},
		{"min_price exceeded", minimum, session(charge(60, 20)), "5.00", "5.50", 0},
		{"fee, energy, parking 40 to 45 min", euro(element("", flat), element("", energy),
			element("", component("PARKING_TIME", "2.00", "20.0", 900))),
			session(charge(60, 20), park(40)), "7.00", "7.90", 0},
		{"max_price exceeded", maximum, session(charge(60, 50)), "10.00", "11.00", 0},
		{"max_price not reached", maximum, session(charge(60, 30)), "8.00", "8.85", 0},
		{"time", euro(element("", component("TIME", "2.00", "10.0", 60))),
			session(charge(150, 30)), "5.00", "5.50", 0},
		{"time, parking 42 to 45 min", euro(element("", component("TIME", "3.00", "10.0", 60),
			component("PARKING_TIME", "5.00", "20.0", 300))),
			session(charge(150, 30), park(42)), "11.25", "12.75", 0},
		{"time at 5.2 % VAT", euro(element("", component("TIME", "1.90", "5.2", 300))),
			session(charge(150, 30)), "4.75", "4.997", 0},
		{"fee, energy 20.45 to 20.5 kWh", euro(element("", flat),
			element("", component("ENERGY", "0.25", "10.0", 100))),
			session(charge(60, 20.45)), "5.625", "6.2375", 0},
		{"TIME is not rounded before parking", euro(element("",
			component("TIME", "1.00", "", 600), component("PARKING_TIME", "2.00", "", 600))),
			session(charge(21, 5), park(16)), "1.016667", "", 0},
		{"charging 21 min, parking 7 to 10 min", euro(element("",
			component("TIME", "60", "", 300), component("PARKING_TIME", "0.60", "", 300))),
			session(charge(21, 5), park(7)), "21.10", "", 0},
		{"115.2 Wh by 1 Wh", step(1), session(charge(5, 0.1152)), "0.029", "", 0},
		{"115.2 Wh by 25 Wh", step(25), session(charge(5, 0.1152)), "0.03125", "", 0},
		{"115.2 Wh by 500 Wh", step(500), session(charge(5, 0.1152)), "0.125", "", 0},
		{"free of charge", euro(element("", component("FLAT", "0.00", "", 0))),
			session(charge(60, 20)), "0.00", "0.00", 0},
	}
}

// restrictedVectors are the examples in which restrictions decide.
func restrictedVectors() []vector {
	session := func(start string, parts ...part) *pricing.Usage {
		return usage("2019-06-03 "+start, time.UTC, parts...)
	}
	power := euro(
		element(`"max_power":16.00`, component("ENERGY", "0.20", "20", 1)),
		element(`"max_power":32.00`, component("ENERGY", "0.35", "20", 1)),
		element("", component("ENERGY", "0.50", "20", 1)))
	duration := euro(
		element(`"max_duration":1800`, component("ENERGY", "0.00", "", 1)),
		element(`"max_duration":3600`, component("ENERGY", "0.25", "", 1)),
		element("", component("ENERGY", "0.40", "", 1)))
	current := euro(
		element(`"max_current":20`, component("ENERGY", "2", "0", 10_000)),
		element(`"min_current":20`, component("ENERGY", "5", "0", 10_000)))
	change := func(kind, before, after string, step int) string {
		return euro(element(`"end_time":"17:00"`, component(kind, before, "", step)),
			element("", component(kind, after, "", step)))
	}
	with := func(p part, watts, amperes int64) part {
		p.watts, p.amperes = watts, amperes
		return p
	}
	return []vector{
		// VAT of 0.375, 0.55 and 0.375, which adds up to 1.30, is rounded to 0.38, 0.55 and 0.38.
		{"complex on Monday", complexTariff(), session("09:30",
			with(charge(165, 20), 0, 16), park(42)), "9.00", "10.30", 1},
		// OCPI prints 12.28 and 13.861: 114 minutes at 1.25 an hour are 2.375, not 2.28.
		{"complex on Saturday", complexTariff(), usage("2019-06-08 13:30", time.UTC,
			with(charge(114, 50), 0, 43), park(71)), "12.375", "13.975", 1},
		{"steps 1: 5 and 5 min charging, parking 2 to 15 min", stepTariff(),
			session("16:55", charge(10, 2), park(2)), "0.55", "", 0},
		{"steps 2: 25 and 10 to 20 min charging", stepTariff(),
			session("16:35", charge(35, 5)), "1.30", "", 0},
		// Only the 8 minutes before 20:00 are paid, so only they are rounded up.
		{"steps 3: 12 min charging, parking 8 to 15 min", stepTariff(),
			session("19:40", charge(12, 2), park(20)), "0.73", "", 0},
		{"energy 4.3 and 1.1 to 1.2 kWh", change("ENERGY", "0.20", "0.27", 500),
			session("16:00", charge(60, 4.3), charge(15, 1.1)), "1.184", "", 0},
		{"time 6 and 22 to 24 min", change("TIME", "5", "7", 600),
			session("16:54", charge(28, 5)), "3.30", "", 0},
		{"power", power, session("10:00", with(charge(10, 1), 6000, 0),
			with(charge(50, 40), 48_000, 0), with(charge(7.5, 0.5), 4000, 0)),
			"20.30", "24.36", 0},
		{"duration", duration, session("10:00", charge(30, 5), charge(10, 1.2)),
			"0.30", "", 0},
		{"current, 3 and 3 and 3 to 4 kWh", current, session("09:00",
			with(charge(60, 3), 0, 10), with(charge(60, 3), 0, 40),
			with(charge(60, 3), 0, 10)), "29.0", "29.0", 0},
	}
}

// reservationVectors are the examples with a reservation.
func reservationVectors() []vector {
	session := func() *pricing.Usage { return usage("2019-06-03 10:00", time.UTC, charge(60, 20)) }
	restricted := func(kind string, components ...string) string {
		return element(`"reservation":"`+kind+`"`, components...)
	}
	byTime := reservationTariff(restricted("RESERVATION", component("TIME", "5.00", "20", 60)))
	withFee := reservationTariff(restricted("RESERVATION", component("FLAT", "2.00", "20", 1),
		component("TIME", "5.00", "20", 300)))
	expireFee := reservationTariff(
		restricted("RESERVATION_EXPIRES", component("FLAT", "4.00", "20", 1)),
		restricted("RESERVATION", component("TIME", "2.00", "20", 600)))
	expireTime := reservationTariff(
		restricted("RESERVATION_EXPIRES", component("TIME", "6.00", "20", 600)),
		restricted("RESERVATION", component("TIME", "3.00", "20", 600)))
	return []vector{
		{"reserved 15 min", byTime, withReservation(session(), 15), "6.75", "7.60", 0},
		{"reserved 13 to 15 min, with fee", withFee, withReservation(session(), 13),
			"8.75", "10.00", 0},
		{"reserved 22 to 30 min at 2", expireFee, withReservation(session(), 22),
			"6.50", "7.30", 0},
		{"reservation expired, with fee", expireFee, expiredAfter(60), "6.00", "7.20", 0},
		{"reserved 22 to 30 min at 3", expireTime, withReservation(session(), 22),
			"7.00", "7.90", 0},
		{"reservation expired at 6", expireTime, expiredAfter(90), "9.00", "10.80", 0},
	}
}

func TestVectors(t *testing.T) {
	vectors := append(simpleVectors(), restrictedVectors()...)
	vectors = append(vectors, reservationVectors()...)
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			b := price(t, parse(t, v.tariff), v.usage)
			excl, incl := b.Exact.Excl, b.Exact.Incl
			if strings.HasPrefix(v.name, "min_price not") ||
				strings.HasPrefix(v.name, "max_price ex") {
				// A bound is in minor units, and is applied after rounding.
				excl, incl = b.Total.Excl*10_000, b.Total.Incl*10_000
			}
			wantExact(t, "excl", excl, b.Total.Excl, v.excl)
			if b.VATUnknown != (v.incl == "") {
				t.Errorf("VATUnknown %v", b.VATUnknown)
			}
			if v.incl != "" {
				wantExact(t, "incl", incl, b.Total.Incl-v.more, v.incl)
			}
		})
	}
}

// wantExact holds an exact amount and the rounded one against a printed one.
func wantExact(t *testing.T, name string, exact, rounded int64, want string) {
	t.Helper()
	micros, err := codecs.ParseScaled(want, 6)
	if err != nil {
		t.Fatal(err)
	}
	cents, err := codecs.ParseScaled(want, 2)
	if err != nil {
		t.Fatal(err)
	}
	if exact != micros || rounded != cents {
		t.Errorf("%s is %s, rounded %s, want %s", name, codecs.FormatScaled(exact, 6),
			codecs.FormatScaled(rounded, 2), want)
	}
}

// TestTimesAreLocal: 16:55 in UTC is 17:55 in Amsterdam in winter, when all of it is dear.
func TestTimesAreLocal(t *testing.T) {
	u := usage("2019-01-14 16:55", time.UTC, charge(10, 2), park(2))
	tariff := parse(t, stepTariff())
	if b := price(t, tariff, u); b.Total.Excl != 55 {
		t.Errorf("in UTC it costs %d, want 55", b.Total.Excl)
	}
	u.Location = zone(t, "Europe/Amsterdam")
	if b := price(t, tariff, u); b.Total.Excl != 65 {
		t.Errorf("in Amsterdam it costs %d, want 65", b.Total.Excl) // 10 min at 2.40 and 0.25
	}
}

// TestFirstHourFree is OCPI's example of the first kWh and the first hour free. Its text counts
// the hours from the begin of parking, which no restriction can say: durations are those of the
// session (https://github.com/ocpi/ocpi/issues/434). Here the vehicle parks from the begin.
func TestFirstHourFree(t *testing.T) {
	parking := func(limits, price string) string {
		return element(limits, component("PARKING_TIME", price, "", 60))
	}
	tariff := parse(t, euro(
		parking(`"min_duration":0,"max_duration":3600`, "0.0"),
		parking(`"min_duration":3600,"max_duration":14400`, "2.0"),
		parking(`"min_duration":14400`, "3.0"),
		element(`"max_kwh":1.0`, component("ENERGY", "0.0", "", 1)),
		element(`"min_kwh":1.0`, component("ENERGY", "0.2", "", 1))))
	u := usage("2026-06-01 10:00", time.UTC, part{minutes: 5 * 60, kWh: 20, parking: true})
	b := price(t, tariff, u)
	if b.Total.Excl != 380+900 { // 19 kWh at 0.20; 3 h at 2 and 1 h at 3
		t.Errorf("total %+v", b.Total)
	}
}
