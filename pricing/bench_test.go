package pricing_test

import (
	"testing"
	"time"

	"chargestream/pricing"
)

// flat is what most sessions are: a fee and a price for energy, told in quarter hours.
func flatSession(t testing.TB) (*pricing.Tariff, *pricing.Usage) {
	parts := make([]part, 8)
	for i := range parts {
		parts[i] = charge(15, 2.5)
	}
	return parse(t, euro(element("", component("FLAT", "0.50", "19", 1),
			component("ENERGY", "0.29", "19", 1)))),
		usage("2026-06-01 08:10", time.UTC, append(parts, park(40))...)
}

// complexSession is a night over the change of the clock, by a tariff with every restriction.
func complexSession(t testing.TB) (*pricing.Tariff, *pricing.Usage) {
	energy := func(price string) string { return component("ENERGY", price, "19", 100) }
	hour := func(price string) string { return component("TIME", price, "19", 60) }
	parking := func(price string) string { return component("PARKING_TIME", price, "7", 300) }
	tariff := parse(t, tariffIn(
		"EUR",
		`"min_price":{"excl_vat":1,"incl_vat":1.19},"max_price":{"excl_vat":40,"incl_vat":47},`,
		element(`"reservation":"RESERVATION"`, hour("3"), component("FLAT", "1", "19", 0)),
		element(`"reservation":"RESERVATION_EXPIRES"`, hour("6")),
		element(`"max_duration":1800,"max_kwh":2`, energy("0")),
		element(
			`"start_time":"22:00","end_time":"06:00","max_power":22`,
			energy("0.25"),
			hour("0"),
		),
		element(`"start_date":"2026-03-29","day_of_week":["SUNDAY"]`, energy("0.31")),
		element(`"min_kwh":20,"min_current":32`, energy("0.45"), hour("0.6")),
		element(`"day_of_week":["SATURDAY"],"start_time":"09:00","end_time":"18:00"`,
			energy("0.39"), parking("2")),
		element(`"min_duration":14400`, hour("1.2"), parking("6")),
		element("", component("FLAT", "0.50", "7", 0), energy("0.35"), hour("0.2"), parking("1")),
	))
	var parts []part
	for i := range 48 {
		parts = append(parts, part{minutes: 15, kWh: 1.5, watts: 6000, amperes: 26,
			parking: i >= 36})
		if i >= 36 {
			parts[i].kWh, parts[i].watts, parts[i].amperes = 0, 0, 0
		}
	}
	return tariff, withReservation(
		usage("2026-03-28 17:05", zone(t, "Europe/Berlin"), parts...), 22)
}

func BenchmarkFlat(b *testing.B)    { benchmark(b, flatSession) }
func BenchmarkComplex(b *testing.B) { benchmark(b, complexSession) }

func benchmark(b *testing.B, session func(testing.TB) (*pricing.Tariff, *pricing.Usage)) {
	tariff, u := session(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tariff.Price(u); err != nil {
			b.Fatal(err)
		}
	}
}

// TestAllocations holds the budget; that of time is read off the benchmarks.
func TestAllocations(t *testing.T) {
	for name, session := range map[string]func(testing.TB) (*pricing.Tariff, *pricing.Usage){
		"flat": flatSession, "complex": complexSession} {
		tariff, u := session(t)
		got := testing.AllocsPerRun(100, func() {
			if _, err := tariff.Price(u); err != nil {
				t.Fatal(err)
			}
		})
		if got > 10 {
			t.Errorf("%s: %v allocations, the budget is 10", name, got)
		}
	}
}

// TestComplexSession shows that the benchmark's session is as complex as it claims.
func TestComplexSession(t *testing.T) {
	tariff, u := complexSession(t)
	b := price(t, tariff, u)
	if len(b.Lines) < 8 || len(b.Groups) != 2 {
		t.Errorf("%+v", b)
	}
	tariff, u = flatSession(t)
	if b := price(t, tariff, u); b.Total != (pricing.Money{Excl: 630, Tax: 120, Incl: 750}) {
		t.Errorf("%+v", b)
	}
}
