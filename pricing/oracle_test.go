package pricing_test

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"testing"

	"chargestream"
	"chargestream/codecs"
	"chargestream/internal/oracle"
	"chargestream/pricing"
)

var (
	oracleSeed  = flag.Uint64("oracle.seed", 1, "first seed of the sessions that the oracle prices")
	oracleSeeds = flag.Uint64("oracle.seeds", 120, "how many sessions the oracle prices")
)

// TestOracle compares random sessions under random tariffs with what somebody computes who walks
// through them second by second and has not seen this package.
func TestOracle(t *testing.T) {
	compared, paid := 0, 0
	for seed := *oracleSeed; seed < *oracleSeed+*oracleSeeds; seed++ {
		rng := rand.New(rand.NewPCG(seed, 3))
		raw, u := oracle.RandomTariff(rng), oracle.RandomUsage(rng)
		if readOtherwise(raw, &u) {
			continue
		}
		mine := usageOf(&u)
		want, oracleErr := oracle.PriceUsage(raw, u, 2)
		tariff, err := pricing.Parse(raw)
		if err != nil || oracleErr != nil {
			continue // a limit that no moment meets is refused here, and is no error there
		}
		b, err := tariff.Price(mine)
		if err != nil {
			t.Errorf("-oracle.seed %d: %v, the oracle says %s", seed, err, want.Incl)
			continue
		}
		compared++
		if b.Total.Incl != 0 {
			paid++
		}
		got := [3]string{cents(b.Total.Excl), cents(b.Total.Tax), cents(b.Total.Incl)}
		if got != [3]string{want.Excl, want.VAT, want.Incl} {
			t.Errorf("-oracle.seed %d: %v, the oracle says %s %s %s\n%s\n%+v", seed, got, want.Excl,
				want.VAT, want.Incl, raw, u)
		}
	}
	t.Logf("%d sessions compared, %d of them cost something", compared, paid)
	if n := int(*oracleSeeds); compared < n/2 || paid < n/4 {
		t.Errorf("only %d sessions were compared, of which %d cost something", compared, paid)
	}
}

func cents(n int64) string { return codecs.FormatScaled(n, 2) }

// readOtherwise reports whether the two read OCPI differently (docs/decisions/0009): a bound that
// names no amount with VAT, bounds of a reservation that expired, and the mean power of a session
// that took no time.
func readOtherwise(raw []byte, u *oracle.Usage) bool {
	bounds := bytes.Count(raw, []byte(`"excl_vat"`))
	return bounds != bytes.Count(raw, []byte(`"incl_vat"`)) ||
		(bounds > 0 && u.Reservation != nil && u.Reservation.Expired) || u.StartMs == u.EndMs
}

// usageOf is a usage of the oracle's, in which what is not told of power and current is filled in
// for both: this package derives it from the energy, the oracle takes it to match nothing.
func usageOf(u *oracle.Usage) *pricing.Usage {
	mine := &pricing.Usage{Start: chargestream.Millis(u.StartMs), End: chargestream.Millis(u.EndMs),
		Location: u.Zone}
	if r := u.Reservation; r != nil {
		mine.Reservation = &pricing.Reservation{Start: chargestream.Millis(r.StartMs),
			End: chargestream.Millis(r.EndMs), Expired: r.Expired}
	}
	for i := range u.Periods {
		p := &u.Periods[i]
		var watts, milliamps int64
		if p.ToMs > p.FromMs {
			watts = p.MilliWh * 3600 / (p.ToMs - p.FromMs)
			milliamps = watts * 1000 / 230
		}
		if p.PowerW == nil {
			p.PowerW = &watts
		}
		if p.CurrentMa == nil {
			p.CurrentMa = &milliamps
		}
		mine.Periods = append(mine.Periods, pricing.Period{From: chargestream.Millis(p.FromMs),
			To: chargestream.Millis(p.ToMs), Energy: p.MilliWh, Parking: p.Parking,
			Power: pricing.Exactly(*p.PowerW), Current: pricing.Exactly(*p.CurrentMa)})
	}
	return mine
}
