package oracle

import (
	"fmt"
	"math/big"
	"time"
)

// timeOfUseCurrency is that of testdata/time-of-use.json.
const timeOfUseCurrency = "EUR"

// The prices of testdata/time-of-use.json, without VAT.
const (
	dearCentsKWh   = 48 // from 07:00 to 22:00 on weekdays
	cheapCentsKWh  = 29
	feeCents       = 50
	timeCentsHour  = 90 // from 08:00 to 20:00 on any day
	energyPercent  = 20
	feePercent     = 10
	dearFromHour   = 7
	dearUntilHour  = 22
	timedFromHour  = 8
	timedUntilHour = 20
)

// timeOfUse are the lines of a session of Paris: a fee, energy that is dearer on weekdays from
// 07:00 to 22:00, and time from 08:00 to 20:00, on the clock of Paris. There are no samples, so
// energy flows evenly from start to end; a session that takes no time has all of it at its start.
// The energy of one price is in whole Wh, as Line has it, but its amount is exact.
func timeOfUse(r Row) []Line {
	if !r.HasEnd || !r.HasEnergy || r.EndMs < r.StartMs {
		return nil
	}
	zone := zoneNamed("Europe/Paris")
	if zone == nil {
		panic("no time zone data") // of the machine; import time/tzdata
	}
	var dearMs, cheapMs, timedMs int64
	for at := r.StartMs; at < r.EndMs; {
		local := time.UnixMilli(at).In(zone)
		// Hours of this clock begin with those of UTC, also where it is changed.
		next := min(hourOf(at)+hourMs, r.EndMs)
		if dear(local) {
			dearMs += next - at
		} else {
			cheapMs += next - at
		}
		if h := local.Hour(); timedFromHour <= h && h < timedUntilHour {
			timedMs += next - at
		}
		at = next
	}
	dearWh, cheapWh := big.NewRat(0, 1), big.NewRat(r.EnergyWh, 1)
	if length := r.EndMs - r.StartMs; length > 0 {
		dearWh = big.NewRat(dearMs, length)
		dearWh.Mul(dearWh, big.NewRat(r.EnergyWh, 1))
		cheapWh.Sub(cheapWh, dearWh)
	} else if dear(time.UnixMilli(r.StartMs).In(zone)) {
		dearWh, cheapWh = cheapWh, dearWh
	}
	return timeOfUseLines(dearWh, cheapWh, timedMs)
}

func dear(local time.Time) bool {
	weekend := local.Weekday() == time.Saturday || local.Weekday() == time.Sunday
	return !weekend && dearFromHour <= local.Hour() && local.Hour() < dearUntilHour
}

// timeOfUseLines rounds the fee by itself, as it has a VAT of its own.
func timeOfUseLines(dearWh, cheapWh *big.Rat, timedMs int64) []Line {
	fee := []Line{{Dimension: "FLAT", Quantity: 1, UnitPrice: price(feeCents),
		VATPercent: fmt.Sprint(feePercent)}}
	shareCents(fee, []*big.Rat{big.NewRat(feeCents, 1)}, big.NewRat(feePercent, 1))
	var lines []Line
	var exact []*big.Rat
	add := func(dimension string, quantity int64, units *big.Rat, cents int64) {
		if units.Sign() == 0 {
			return
		}
		lines = append(lines, Line{Dimension: dimension, Quantity: quantity,
			UnitPrice: price(cents), VATPercent: fmt.Sprint(energyPercent)})
		exact = append(exact, new(big.Rat).Mul(units, big.NewRat(cents, 1)))
	}
	kWh := func(wh *big.Rat) *big.Rat { return new(big.Rat).Quo(wh, big.NewRat(1000, 1)) }
	add("ENERGY", roundHalfUp(dearWh), kWh(dearWh), dearCentsKWh)
	add("ENERGY", roundHalfUp(cheapWh), kWh(cheapWh), cheapCentsKWh)
	add("TIME", wholeSeconds(timedMs), big.NewRat(timedMs, hourMs), timeCentsHour)
	shareCents(lines, exact, big.NewRat(energyPercent, 1))
	return append(fee, lines...)
}

// price is an amount of cents as Decimal writes it.
func price(cents int64) string {
	text, err := Decimal(fmt.Sprintf("%d.%02d", cents/100, cents%100))
	if err != nil {
		panic(err) // it was printed as a decimal
	}
	return text
}
