package pricing_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"chargestream"
	"chargestream/codecs"
	"chargestream/pricing"
)

// text is an amount as an invoice has it.
func text(b *pricing.Bill, n int64) string { return codecs.FormatScaled(n, b.Digits) }

// TestRounding: 5.125 is 5.13, in whatever currency that has two decimals.
func TestRounding(t *testing.T) {
	cases := []struct {
		currency, price, vat string
		kWh                  float64
		excl, tax, incl      string
	}{
		{"EUR", "0.25", "10", 20.5, "5.13", "0.51", "5.64"},
		{"EUR", "0.25", "0", 20.49999, "5.12", "0.00", "5.12"},
		{"EUR", "0.000001", "0", 1, "0.00", "0.00", "0.00"},
		{"EUR", "1", "19", 0.005, "0.01", "0.00", "0.01"}, // VAT of 0.00095
		{"JPY", "30", "10", 20.45, "614", "61", "675"},
		{"JPY", "0.5", "10", 1, "1", "0", "1"},
		{"KWD", "0.025", "5", 20.5, "0.513", "0.026", "0.539"},
		{"CHF", "0.25", "8.1", 20.5, "5.13", "0.42", "5.55"}, // VAT of 0.415125
	}
	for _, c := range cases {
		t.Run(c.currency+" "+c.price, func(t *testing.T) {
			tariff := parse(t, tariffIn(c.currency, "",
				element("", component("ENERGY", c.price, c.vat, 0))))
			b := price(t, tariff, usage("2026-06-01 10:00", time.UTC, charge(60, c.kWh)))
			got := [3]string{text(b, b.Total.Excl), text(b, b.Total.Tax), text(b, b.Total.Incl)}
			if got != [3]string{c.excl, c.tax, c.incl} {
				t.Errorf("%v, want %s + %s = %s", got, c.excl, c.tax, c.incl)
			}
		})
	}
}

// TestRoundedOnce: three lines of 0.335 at one rate are 1.005, which is 1.01. Rounded by line
// they would be 1.02. The lines share the cent, the first of equals first.
func TestRoundedOnce(t *testing.T) {
	tariff := parse(t, euro(element("", component("FLAT", "0.335", "20", 1),
		component("ENERGY", "0.335", "20", 1), component("TIME", "0.335", "20", 1))))
	b := price(t, tariff, usage("2026-06-01 10:00", time.UTC, charge(60, 1)))
	if b.Total != (pricing.Money{Excl: 101, Tax: 20, Incl: 121}) {
		t.Errorf("total %+v", b.Total)
	}
	for i, want := range []pricing.Money{{34, 7, 41}, {34, 7, 41}, {33, 6, 39}} {
		if b.Lines[i].Money != want {
			t.Errorf("line %+v, want %+v", b.Lines[i], want)
		}
	}
}

// TestBounds: each amount is held against its own bound, and the lines still add up.
func TestBounds(t *testing.T) {
	elements := element("", component("FLAT", "0.50", "20", 1),
		component("ENERGY", "0.25", "10", 1))
	cases := []struct {
		name        string
		bounds      string
		kWh         float64
		total       pricing.Money
		adjustments []pricing.Line
	}{
		{"max of both", `"max_price":{"excl_vat":10,"incl_vat":11},`, 50,
			pricing.Money{Excl: 1000, Tax: 100, Incl: 1100}, []pricing.Line{
				// -3.00 shared as 12.50 to 0.50, and -0.35 as 1.25 to 0.10.
				adjustment(pricing.MaxPrice, 100_000, -288, -32),
				adjustment(pricing.MaxPrice, 200_000, -12, -3)}},
		{"max without VAT only", `"max_price":{"excl_vat":10},`, 50,
			pricing.Money{Excl: 1000, Tax: 104, Incl: 1104}, []pricing.Line{
				adjustment(pricing.MaxPrice, 100_000, -288, -29),
				adjustment(pricing.MaxPrice, 200_000, -12, -2)}},
		{"max with VAT is reached first", `"max_price":{"excl_vat":13.00,"incl_vat":13.10},`, 50,
			pricing.Money{Excl: 1300, Tax: 10, Incl: 1310}, []pricing.Line{
				adjustment(pricing.MaxPrice, 100_000, 0, -116),
				adjustment(pricing.MaxPrice, 200_000, 0, -9)}},
		{"min of both", `"min_price":{"excl_vat":5,"incl_vat":6},`, 2,
			pricing.Money{Excl: 500, Tax: 100, Incl: 600}, []pricing.Line{
				adjustment(pricing.MinPrice, 100_000, 200, 28),
				adjustment(pricing.MinPrice, 200_000, 200, 57)}},
		// 1.00 is raised to 1.01 and 1.15 lowered to 1.11: both rules at once.
		{"min and max", `"min_price":{"excl_vat":1.01,"incl_vat":1.01},
			"max_price":{"excl_vat":1.10,"incl_vat":1.11},`, 2,
			pricing.Money{Excl: 101, Tax: 10, Incl: 111}, []pricing.Line{
				adjustment(pricing.MinPrice, 100_000, 1, 0),
				adjustment(pricing.MinPrice, 200_000, 0, -1),
				adjustment(pricing.MaxPrice, 100_000, 0, -1),
				adjustment(pricing.MaxPrice, 200_000, 0, -3)}},
		{"neither", `"min_price":{"excl_vat":0.99,"incl_vat":1.14},
			"max_price":{"excl_vat":1.00,"incl_vat":1.15},`, 2,
			pricing.Money{Excl: 100, Tax: 15, Incl: 115}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := price(t, parse(t, tariffIn("EUR", c.bounds, elements)),
				usage("2026-06-01 10:00", time.UTC, charge(60, c.kWh)))
			if b.Total != c.total {
				t.Errorf("total %+v, want %+v", b.Total, c.total)
			}
			if got := b.Lines[2:]; !slices.Equal(got, c.adjustments) {
				t.Errorf("adjustments %+v, want %+v", got, c.adjustments)
			}
		})
	}
}

func adjustment(d pricing.Dimension, rate pricing.VAT, excl, tax int64) pricing.Line {
	return pricing.Line{Dimension: d, VAT: rate, Measured: 1, Billed: 1,
		Money: pricing.Money{Excl: excl, Tax: tax, Incl: excl + tax}}
}

// TestMinimumOfNothing: what a minimum is taxed with is known if the tariff has one rate only.
func TestMinimumOfNothing(t *testing.T) {
	bounds := `"min_price":{"excl_vat":1},`
	energy, parking := component("ENERGY", "1", "19", 1), component("PARKING_TIME", "1", "7", 1)
	u := usage("2026-06-01 10:00", time.UTC, charge(60, 0))
	b := price(t, parse(t, tariffIn("EUR", bounds, element("", energy))), u)
	if b.VATUnknown || b.Total != (pricing.Money{Excl: 100, Tax: 19, Incl: 119}) {
		t.Errorf("one rate: %+v", b)
	}
	b = price(t, parse(t, tariffIn("EUR", bounds, element("", energy, parking))), u)
	if !b.VATUnknown || b.Total.Excl != 100 {
		t.Errorf("two rates: %+v", b)
	}
	// An expired reservation is no charging session, of which the bounds speak.
	b = price(t, parse(t, tariffIn("EUR", bounds, element("", energy))), expiredAfter(60))
	if len(b.Lines) != 0 || b.Total != (pricing.Money{}) {
		t.Errorf("expired: %+v", b)
	}
}

func TestVATUnknown(t *testing.T) {
	u := usage("2026-06-01 10:00", time.UTC, charge(60, 2))
	b := price(t, parse(t, euro(element("", component("FLAT", "0", "", 0),
		component("ENERGY", "1", "19", 1)))), u)
	if b.VATUnknown || b.Total.Incl != 238 || b.Groups[1].VAT != pricing.UnknownVAT {
		t.Errorf("what is free needs no VAT: %+v", b)
	}
	b = price(t, parse(t, euro(element("", component("ENERGY", "1", "", 1)))), u)
	if !b.VATUnknown || b.Total.Excl != 200 {
		t.Errorf("what costs something does: %+v", b)
	}
}

// TestLargest: the largest amounts are refused or right, never wrapped around.
func TestLargest(t *testing.T) {
	for _, c := range []struct {
		price string
		mWh   int64
		want  int64
	}{
		{"1000000", 10_000 * kWh, 1_000_000_000_000},
		{"1000000", 10_001 * kWh, -1},
		{"1000000", pricing.EnergyMax, -1},
		{"1", pricing.EnergyMax, 100_000_000_000},
	} {
		tariff := parse(t, euro(element("", component("ENERGY", c.price, "0", 1))))
		u := usage("2026-06-01 10:00", time.UTC, charge(60, 0))
		u.Periods[0].Energy = c.mWh
		b, err := tariff.Price(u)
		if c.want < 0 {
			if !errors.Is(err, pricing.ErrUsage) {
				t.Errorf("%s for %d mWh: %+v, %v", c.price, c.mWh, b, err)
			}
			continue
		}
		if err != nil || b.Total.Excl != c.want {
			t.Errorf("%s for %d mWh: %+v, %v", c.price, c.mWh, b, err)
		}
	}
}

func TestUsageRefused(t *testing.T) {
	tariff := parse(t, complexTariff())
	cases := map[string]func(u *pricing.Usage){
		"no location":      func(u *pricing.Usage) { u.Location = nil },
		"no start":         func(u *pricing.Usage) { u.Start = 0 },
		"end before start": func(u *pricing.Usage) { u.End = u.Start - 1 },
		"too long":         func(u *pricing.Usage) { u.End += 400 * chargestream.Day },
		"backwards period": func(u *pricing.Usage) {
			u.Periods[1].To = u.Periods[1].From - 1
			u.End = u.Periods[1].To
		},
		"gap":             func(u *pricing.Usage) { u.Periods[1].From++ },
		"overlap":         func(u *pricing.Usage) { u.Periods[1].From-- },
		"missing period":  func(u *pricing.Usage) { u.Periods = u.Periods[:1] },
		"none":            func(u *pricing.Usage) { u.Periods = nil },
		"negative energy": func(u *pricing.Usage) { u.Periods[0].Energy = -1 },
		"too much energy": func(u *pricing.Usage) { u.Periods[0].Energy = pricing.EnergyMax + 1 },
		"disordered power": func(u *pricing.Usage) {
			u.Periods[0].Power = pricing.Range{Min: 1, Max: 2, Known: true}
		},
		"no current":       func(u *pricing.Usage) { u.Periods[0].Current = pricing.Range{} },
		"late reservation": func(u *pricing.Usage) { withReservation(u, 5).Reservation.End++ },
		"backwards":        func(u *pricing.Usage) { withReservation(u, -5) },
		"expired and used": func(u *pricing.Usage) {
			withReservation(u, 5).Reservation.Expired = true
		},
		"too many periods": func(u *pricing.Usage) { u.Periods = make([]pricing.Period, 5000) },
		"reserved from -1": func(u *pricing.Usage) {
			u.Reservation = &pricing.Reservation{Start: -1}
		},
		"too long reserved": func(u *pricing.Usage) { withReservation(u, 600_000) },
	}
	for name, spoil := range cases {
		u := usage("2026-06-01 10:00", time.UTC, part{minutes: 60, kWh: 5, amperes: 16}, park(60))
		if _, err := tariff.Price(u); err != nil {
			t.Fatalf("before: %v", err)
		}
		spoil(u)
		if b, err := tariff.Price(u); !errors.Is(err, pricing.ErrUsage) {
			t.Errorf("%s: %+v, %v", name, b, err)
		}
	}
}

func TestOutOfForce(t *testing.T) {
	tariff := parse(t, tariffIn("EUR", `"start_date_time":"2026-06-01T00:00:00Z",
		"end_date_time":"2026-07-01T00:00:00",`, element("", component("FLAT", "1", "0", 1))))
	for start, ok := range map[string]bool{"2026-05-31 23:59": false, "2026-06-01 00:00": true,
		"2026-06-30 23:59": true, "2026-07-01 00:00": false} {
		_, err := tariff.Price(usage(start, time.UTC, charge(60, 1)))
		if (err == nil) != ok || (err != nil && !errors.Is(err, pricing.ErrUsage)) {
			t.Errorf("a session from %s: %v", start, err)
		}
	}
}

// TestCutsMax: a tariff with many prices a day, over a year.
func TestCutsMax(t *testing.T) {
	var elements []string
	for i := range pricing.ElementsMax {
		elements = append(elements, element(fmt.Sprintf(`"start_time":"%02d:%02d"`, i/3, i%3*20),
			component("TIME", "1", "0", 1)))
	}
	tariff := parse(t, euro(elements...))
	if _, err := tariff.Price(usage("2026-01-01 10:00", time.UTC,
		charge(60*24*300, 1))); err != nil {
		t.Errorf("300 days: %v", err)
	}
	if _, err := tariff.Price(usage("2026-01-01 10:00", time.UTC,
		charge(60*24*330, 1))); !errors.Is(err, pricing.ErrUsage) {
		t.Errorf("330 days: %v", err)
	}
}
