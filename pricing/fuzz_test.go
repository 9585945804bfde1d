package pricing_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chargestream"
	"chargestream/pricing"
)

// FuzzPrice: whatever a tariff and a session say, both are priced or refused, and what a bill
// must always hold, it holds.
func FuzzPrice(f *testing.F) {
	for _, vectors := range [][]vector{simpleVectors(), restrictedVectors(), reservationVectors()} {
		for _, v := range vectors {
			f.Add([]byte(v.tariff), int64(v.usage.Start), int64(60_000), int64(20*kWh),
				int64(30_000), int64(16), int64(600_000))
		}
	}
	berlin := zone(f, "Europe/Berlin")
	f.Fuzz(func(t *testing.T, text []byte, start, span, energy, parked, amperes, kept int64) {
		tariff, err := pricing.Parse(text)
		if err != nil {
			if !errors.Is(err, pricing.ErrTariff) {
				t.Fatal(err)
			}
			return
		}
		end := chargestream.Millis(start + span)
		u := &pricing.Usage{Start: chargestream.Millis(start),
			End: end + chargestream.Millis(parked), Location: berlin,
			Reservation: &pricing.Reservation{Start: chargestream.Millis(start - kept),
				End: chargestream.Millis(start)}}
		u.Periods = []pricing.Period{
			{From: u.Start, To: end, Energy: energy, Current: pricing.Exactly(amperes)},
			{From: end, To: u.End, Parking: true, Estimated: amperes < 0}}
		check := func(u *pricing.Usage) {
			b, err := tariff.Price(u)
			if err != nil {
				if !errors.Is(err, pricing.ErrUsage) {
					t.Fatal(err)
				}
				return
			}
			checkBill(t, b)
			again, err := tariff.Price(u)
			if diff := cmp.Diff(b, again); err != nil || diff != "" {
				t.Fatal(err, diff)
			}
		}
		check(u)
		check(&pricing.Usage{Location: time.UTC, Reservation: &pricing.Reservation{
			Start: u.Start, End: end, Expired: true}})
	})
}
