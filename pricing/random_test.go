package pricing_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"chargestream"
	"chargestream/pricing"
)

// drawTariff is a random tariff in which every restriction occurs.
func drawTariff(t *rapid.T, steps bool, bounds string) string {
	var elements []string
	for i := range rapid.IntRange(1, 6).Draw(t, "elements") {
		var limits []string
		for range rapid.IntRange(0, 2).Draw(t, "limits") {
			limit := drawLimit(t)
			name, _, _ := strings.Cut(limit, ":")
			if !strings.Contains(strings.Join(limits, ","), name) {
				limits = append(limits, limit)
			}
		}
		kinds := []string{"FLAT", "ENERGY", "TIME", "PARKING_TIME"}
		if rapid.IntRange(0, 7).Draw(t, "reservation") == 0 {
			kinds = []string{"FLAT", "TIME"}
			limits = append(limits, `"reservation":`+rapid.SampledFrom([]string{`"RESERVATION"`,
				`"RESERVATION_EXPIRES"`}).Draw(t, "kind"))
		}
		var components []string
		for _, kind := range kinds {
			if i > 0 && rapid.Bool().Draw(t, "skip") {
				continue
			}
			step := 0
			if steps {
				step = rapid.SampledFrom([]int{0, 1, 60, 500, 900}).Draw(t, "step")
			}
			components = append(components, component(kind,
				rapid.SampledFrom([]string{"0", "0.25", "1.9", "3.3333", "7.000001"}).Draw(t,
					"price"),
				rapid.SampledFrom([]string{"", "0", "5.2", "10", "19"}).Draw(t, "vat"), step))
		}
		if len(components) == 0 {
			components = append(components, component("FLAT", "1", "19", 0))
		}
		elements = append(elements, element(strings.Join(limits, ","), components...))
	}
	currency := rapid.SampledFrom([]string{"EUR", "JPY", "KWD"}).Draw(t, "currency")
	return tariffIn(currency, bounds, elements...)
}

func drawLimit(t *rapid.T) string {
	number := func(least, most int) int { return rapid.IntRange(least, most).Draw(t, "limit") }
	switch number(0, 9) {
	case 0:
		return fmt.Sprintf(`"start_time":"%02d:%02d"`, number(0, 23), number(0, 59))
	case 1:
		from := number(0, 23)
		return fmt.Sprintf(`"start_time":"%02d:30","end_time":"%02d:00"`, from, number(0, 23))
	case 2:
		return fmt.Sprintf(`"start_date":"2026-03-%02d"`, number(27, 31))
	case 3:
		return fmt.Sprintf(`"end_date":"2026-03-%02d"`, number(27, 31))
	case 4:
		return `"day_of_week":["SATURDAY","SUNDAY"]`
	case 5:
		return fmt.Sprintf(`"min_kwh":%d.%d`, number(0, 30), number(0, 999_999))
	case 6:
		return fmt.Sprintf(`"max_kwh":%d`, number(1, 30))
	case 7:
		return fmt.Sprintf(`"min_duration":%d`, number(0, 10_000))
	case 8:
		return fmt.Sprintf(`"max_power":%d`, number(1, 20))
	}
	return fmt.Sprintf(`"min_current":%d`, number(1, 63))
}

// drawUsage is a random session around the change to summer time. Energy flows so many whole mWh
// a millisecond, so that a period can be divided anywhere without a remainder.
func drawUsage(t *rapid.T, location *time.Location) *pricing.Usage {
	start := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC).UnixMilli()
	u := &pricing.Usage{Location: location, Start: chargestream.Millis(start +
		rapid.Int64Range(0, 40*3_600_000).Draw(t, "start"))}
	u.End = u.Start
	for range rapid.IntRange(0, 5).Draw(t, "periods") {
		span := rapid.Int64Range(0, 5*3_600_000).Draw(t, "span")
		flow := rapid.Int64Range(0, 5).Draw(t, "flow")
		p := pricing.Period{From: u.End, To: u.End + chargestream.Millis(span),
			Energy: span * flow, Parking: rapid.Bool().Draw(t, "parking"),
			Power: pricing.Exactly(flow * 3600), Current: pricing.Exactly(flow * 15_000)}
		u.Periods = append(u.Periods, p)
		u.End = p.To
	}
	if rapid.Bool().Draw(t, "reserved") {
		u.Reservation = &pricing.Reservation{End: u.Start, Start: u.Start -
			chargestream.Millis(rapid.Int64Range(0, 5*3_600_000).Draw(t, "reserved for"))}
	}
	return u
}

func drawBounds(t *rapid.T) string {
	low := rapid.IntRange(0, 20).Draw(t, "min")
	bounds := ""
	if rapid.Bool().Draw(t, "has min") {
		bounds = fmt.Sprintf(`"min_price":{"excl_vat":%d,"incl_vat":%d},`, low, low+1)
	}
	if rapid.Bool().Draw(t, "has max") {
		high := low + rapid.IntRange(0, 20).Draw(t, "max")
		incl := ""
		if rapid.Bool().Draw(t, "has incl") {
			incl = `,"incl_vat":` + strconv.Itoa(high+1)
		}
		bounds += fmt.Sprintf(`"max_price":{"excl_vat":%d%s},`, high, incl)
	}
	return bounds
}

// drawn is a random tariff and session; invalid combinations of limits are drawn again.
func drawn(t *rapid.T, location *time.Location, steps bool,
	bounds string) (*pricing.Tariff, *pricing.Usage) {
	tariff, err := pricing.Parse([]byte(drawTariff(t, steps, bounds)))
	if err != nil {
		t.Skip(err) // a window that ends when it starts
	}
	return tariff, drawUsage(t, location)
}

// mustPrice is price for random tests.
func mustPrice(t *rapid.T, tariff *pricing.Tariff, u *pricing.Usage) *pricing.Bill {
	b, err := tariff.Price(u)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// unguessed is a bill without what it says of guesses: those hang on how finely a session is told.
func unguessed(b *pricing.Bill) *pricing.Bill {
	b.Estimated = false
	for i := range b.Lines {
		b.Lines[i].Estimated = false
	}
	return b
}

// TestDividing: a period that is told in two parts costs the same, wherever it is divided, and so
// do more periods without length, in any order.
func TestDividing(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	rapid.Check(t, func(t *rapid.T) {
		tariff, u := drawn(t, berlin, true, drawBounds(t))
		want := unguessed(mustPrice(t, tariff, u))
		divided := *u
		divided.Periods = nil
		for _, p := range u.Periods {
			span := int64(p.To - p.From)
			flow := p.Energy / max(span, 1)
			at := rapid.Int64Range(0, span).Draw(t, "at")
			a, b := p, p
			a.To = p.From + chargestream.Millis(at)
			b.From = a.To
			a.Energy = flow * at
			b.Energy = p.Energy - a.Energy
			empty := pricing.Period{From: a.To, To: a.To, Parking: !p.Parking}
			divided.Periods = append(divided.Periods, a, empty, b)
		}
		divided.Periods = rapid.Permutation(divided.Periods).Draw(t, "order")
		if diff := cmp.Diff(want, unguessed(mustPrice(t, tariff, &divided))); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestSums: whatever is billed, lines, groups and totals add up, the bill is the same again, and
// rounding takes or gives half a minor unit a VAT rate at most.
func TestSums(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	rapid.Check(t, func(rt *rapid.T) {
		bounds := drawBounds(rt)
		tariff, u := drawn(rt, berlin, true, bounds)
		before := cmp.Diff(u, nil)
		b := mustPrice(rt, tariff, u)
		checkBill(t, b)
		if diff := cmp.Diff(b, mustPrice(rt, tariff, u)); diff != "" {
			rt.Fatal(diff)
		}
		if cmp.Diff(u, nil) != before {
			rt.Fatal("the usage was changed")
		}
		if bounds != "" {
			return
		}
		unit := int64(1_000_000)
		for range b.Digits {
			unit /= 10
		}
		off := max(b.Total.Excl*unit-b.Exact.Excl, b.Exact.Excl-b.Total.Excl*unit)
		if off > int64(len(b.Groups))*unit/2+1 {
			rt.Fatalf("total %+v, exact %+v", b.Total, b.Exact)
		}
	})
}

// TestMore: without steps and a max_price, a session that goes on costs no less.
//
// With steps it may: charging alone is rounded up, and charging before parking is not, so that a
// minute of cheap parking can save half an hour of charging. That is OCPI's rule.
func TestMore(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	rapid.Check(t, func(t *rapid.T) {
		tariff, u := drawn(t, berlin, false, "")
		before := mustPrice(t, tariff, u)
		longer := *u
		span := rapid.Int64Range(0, 5*3_600_000).Draw(t, "more")
		p := pricing.Period{From: u.End, To: u.End + chargestream.Millis(span),
			Energy:  rapid.Int64Range(0, 100*kWh).Draw(t, "more energy"),
			Parking: rapid.Bool().Draw(t, "more parking"), Current: pricing.Exactly(16_000)}
		longer.Periods = append(longer.Periods[:len(longer.Periods):len(longer.Periods)], p)
		longer.End = p.To
		if u.End == u.Start {
			return // the fee of a session of no length is that of its only moment
		}
		after := mustPrice(t, tariff, &longer)
		if after.Total.Excl < before.Total.Excl || after.Total.Incl < before.Total.Incl {
			t.Fatalf("%+v, and longer %+v", before, after)
		}
	})
}

// TestMoreOfOne: with steps, where one price holds throughout, more of anything costs no less.
// Without incl_vat the VAT of a min_price follows the mix of rates, and so might fall.
func TestMoreOfOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		step := rapid.IntRange(0, 2000).Draw(t, "step")
		tariff, err := pricing.Parse(
			[]byte(tariffIn("EUR", `"min_price":{"excl_vat":1,"incl_vat":1.19},`,
				element("", component("ENERGY", "0.29", "19", step),
					component("TIME", "0.6", "7", step)))),
		)
		if err != nil {
			t.Fatal(err)
		}
		minutes := rapid.Float64Range(0, 1000).Draw(t, "minutes")
		energy := rapid.Float64Range(0, 100).Draw(t, "kWh")
		a := mustPrice(t, tariff, usage("2026-06-01 10:00", time.UTC, charge(minutes, energy)))
		b := mustPrice(t, tariff, usage("2026-06-01 10:00", time.UTC,
			charge(minutes+rapid.Float64Range(0, 60).Draw(t, "more minutes"),
				energy+rapid.Float64Range(0, 2).Draw(t, "more kWh"))))
		if b.Total.Excl < a.Total.Excl || b.Total.Incl < a.Total.Incl {
			t.Fatalf("%+v, and with more %+v", a.Total, b.Total)
		}
	})
}
