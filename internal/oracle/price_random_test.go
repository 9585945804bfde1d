package oracle

import (
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"chargestream/internal/seeded"
)

const (
	randomCases = 40  // priced whole and in parts
	reachCases  = 600 // drawn at most to see each restriction matter
	reachSeed   = 11  // of TestRandomReaches, which wants the same draws each time
)

func priceOf(t *testing.T, tariff []byte, u Usage) Price {
	t.Helper()
	p, err := PriceUsage(tariff, u, 2)
	if err != nil {
		t.Fatalf("%v\n%s\n%+v", err, tariff, u)
	}
	return p
}

func ratOf(t *testing.T, text string) *big.Rat {
	t.Helper()
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("%q is no number", text)
	}
	return r
}

// TestRandomInParts: where a period is cut says nothing about the price.
func TestRandomInParts(t *testing.T) {
	rng := seeded.Rand(t)
	for range randomCases {
		tariff, u := RandomTariff(rng), RandomUsage(rng)
		parts := u
		parts.Periods = nil
		for _, p := range u.Periods {
			length := (p.ToMs - p.FromMs) / secondMs
			at := rng.Int64N(length)
			first, second := p, p
			first.ToMs = p.FromMs + at*secondMs
			second.FromMs = first.ToMs
			first.MilliWh = p.MilliWh / length * at
			second.MilliWh = p.MilliWh - first.MilliWh
			parts.Periods = append(parts.Periods, first, second)
		}
		whole, cut := priceOf(t, tariff, u), priceOf(t, tariff, parts)
		if whole != cut {
			t.Fatalf("in parts %+v\nwhole %+v\n%s\n%+v", cut, whole, tariff, u)
		}
		if u.Periods != nil {
			checkAmounts(t, whole)
		}
	}
}

// checkAmounts holds what is true of every price.
func checkAmounts(t *testing.T, p Price) {
	t.Helper()
	for _, a := range [][3]string{
		{p.Excl, p.VAT, p.Incl}, {p.ExactExcl, p.ExactVAT, p.ExactIncl},
	} {
		sum := new(big.Rat).Add(ratOf(t, a[0]), ratOf(t, a[1]))
		if sum.Cmp(ratOf(t, a[2])) != 0 {
			t.Errorf("%s and %s is not %s", a[0], a[1], a[2])
		}
	}
	// Half a cent for each VAT group, of which RandomTariff draws seven at most.
	off := new(big.Rat).Sub(ratOf(t, p.Excl), ratOf(t, p.ExactExcl))
	if off.Abs(off).Cmp(big.NewRat(7, 200)) > 0 {
		t.Errorf("%s is not near %s", p.Excl, p.ExactExcl)
	}
}

// TestRandomWithoutRestrictions prices by one element without restrictions by arithmetic alone.
func TestRandomWithoutRestrictions(t *testing.T) {
	rng := seeded.Rand(t)
	tariff := []byte(tariffOf(element("", component("ENERGY", "0.3", "20", 100),
		component("TIME", "1.8", "20", 60), component("PARKING_TIME", "3.6", "20", 300),
		component("FLAT", "0.7", "20", 1))))
	for range randomCases {
		u := RandomUsage(rng)
		if u.Reservation != nil && u.Reservation.Expired {
			continue
		}
		var milliWh, charging, parking int64
		for _, p := range u.Periods {
			milliWh += p.MilliWh
			if p.Parking {
				parking += (p.ToMs - p.FromMs) / secondMs
			} else {
				charging += (p.ToMs - p.FromMs) / secondMs
			}
		}
		up := func(n, step int64) int64 { return (n + step - 1) / step * step }
		milliWh = up(milliWh, 100_000)
		if parking > 0 {
			parking = up(parking, 300)
		} else {
			charging = up(charging, 60)
		}
		// In ten-thousandths: 3 for 1 Wh, 5 for a second, 10 for a second of parking.
		want := exactText(big.NewRat(milliWh/1000*3+charging*5+parking*10+7000, 10_000))
		got := priceOf(t, tariff, u)
		if got.ExactExcl != want || got.EnergyBilledMilliWh != milliWh ||
			got.ChargingBilledS != charging || got.ParkingBilledS != parking {
			t.Fatalf("%+v, want %s for %d mWh, %d s, %d s\n%+v", got, want, milliWh, charging,
				parking, u)
		}
	}
}

// TestRandomIsExact: no bound of energy is passed but at a whole second, as RandomUsage says.
func TestRandomIsExact(t *testing.T) {
	rng := seeded.Rand(t)
	const bound = randomBoundWh * 1000
	for range 50 * randomCases {
		var sum int64
		for _, p := range RandomUsage(rng).Periods {
			length := (p.ToMs - p.FromMs) / secondMs
			if p.FromMs%secondMs != 0 || p.ToMs%secondMs != 0 || p.MilliWh%length != 0 {
				t.Fatalf("not whole: %+v", p)
			}
			toBound := bound - sum%bound
			if rate := p.MilliWh / length; rate > 0 && (toBound%rate != 0 || bound%rate != 0) {
				t.Fatalf("%d mWh a second pass the bound in %d mWh within a second", rate, toBound)
			}
			sum += p.MilliWh
		}
	}
}

// TestRandomReaches: what is drawn makes every restriction, bound and quantity matter.
func TestRandomReaches(t *testing.T) {
	rng := rand.New(rand.NewPCG(reachSeed, 0))
	missing := map[string]bool{
		"parking": true, "charging": true, "energy": true, "reservation time": true,
		"expired": true, "fraction": true, "no length": true,
		"min_excl": true, "max_excl": true, "max_incl": true,
		"min_excl+min_incl": true, "max_excl+max_incl": true,
		"start_time": true, "end_time": true, "start_date": true, "end_date": true,
		"min_kwh": true, "max_kwh": true, "min_current": true, "max_current": true,
		"min_power": true, "max_power": true, "min_duration": true, "max_duration": true,
		"day_of_week": true, "reservation": true,
	}
	for i := 0; i < reachCases && len(missing) > 0; i++ {
		tariff, u := RandomTariff(rng), RandomUsage(rng)
		p := priceOf(t, tariff, u)
		for name, seen := range map[string]bool{
			"parking": p.ParkingBilledS > 0, "charging": p.ChargingBilledS > 0,
			"energy":           p.EnergyBilledMilliWh > 0,
			"reservation time": p.ReservationTimeBilledS > 0,
			"expired":          u.Reservation != nil && u.Reservation.Expired && p.Excl != "0.00",
			"fraction":         slices.Contains([]byte(p.ExactExcl), '/'),
			"no length":        len(u.Periods) == 0 && u.Reservation == nil && p.Excl != "0.00",
			p.BoundApplied:     true,
		} {
			if seen {
				delete(missing, name)
			}
		}
		for name := range missing {
			if without := withoutRestriction(t, tariff, name); without != nil &&
				priceOf(t, without, u).ExactExcl != p.ExactExcl {
				delete(missing, name)
			}
		}
	}
	if len(missing) > 0 {
		t.Errorf("never mattered in %d draws: %v", reachCases, missing)
	}
}

// withoutRestriction is the tariff without a restriction, or nil when it has none of that name.
func withoutRestriction(t *testing.T, tariff []byte, name string) []byte {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(tariff, &all); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, e := range all["elements"].([]any) {
		limits, _ := e.(map[string]any)["restrictions"].(map[string]any)
		if _, ok := limits[name]; ok {
			delete(limits, name)
			found = true
		}
	}
	if !found {
		return nil
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
