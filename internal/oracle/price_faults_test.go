package oracle

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"
)

// pricingFault is a mistake that the vectors must tell from the right rule.
type pricingFault struct {
	name  string
	plant func(*pricing)
	alter func(*vector)
}

func pricingFaults() []pricingFault {
	var all []pricingFault
	for _, f := range [][]pricingFault{
		faultsOfStep(), faultsOfVAT(), faultsOfRounding(), faultsOfInput(),
	} {
		all = append(all, f...)
	}
	return all
}

func faultsOfStep() []pricingFault {
	one := big.NewRat(1, 1)
	return []pricingFault{
		{name: "no step", plant: func(p *pricing) {
			p.step = func(total, _ *big.Rat) *big.Rat { return total }
		}},
		{name: "step down", plant: func(p *pricing) {
			p.step = func(total, step *big.Rat) *big.Rat {
				up := stepUp(total, step)
				if up.Cmp(total) > 0 {
					up.Sub(up, step)
				}
				return up
			}
		}},
		{name: "exact multiple steps on", plant: func(p *pricing) {
			p.step = func(total, step *big.Rat) *big.Rat {
				return stepUp(new(big.Rat).Add(total, one), step)
			}
		}},
		{name: "always one step more", plant: func(p *pricing) {
			p.step = func(total, step *big.Rat) *big.Rat {
				return new(big.Rat).Add(stepUp(total, step), step)
			}
		}},
		{name: "charging and parking both step", plant: func(p *pricing) {
			p.stepTime = func(step func(string), _ bool) { step(dimTime); step(dimParking) }
		}},
		{name: "parking does not step", plant: func(p *pricing) {
			p.stepTime = func(step func(string), _ bool) { step(dimTime) }
		}},
		{name: "charging does not step", plant: func(p *pricing) {
			p.stepTime = func(step func(string), _ bool) { step(dimParking) }
		}},
		{name: "charging steps when parked, else parking", plant: func(p *pricing) {
			p.stepTime = func(step func(string), parked bool) { stepTimeOnce(step, !parked) }
		}},
	}
}

func faultsOfVAT() []pricingFault {
	hundred := big.NewRat(100, 1)
	return []pricingFault{
		{name: "no vat", plant: func(p *pricing) {
			p.vat = func(_, _ *big.Rat) *big.Rat { return new(big.Rat) }
		}},
		{name: "vat within the price", plant: func(p *pricing) {
			p.vat = func(excl, percent *big.Rat) *big.Rat {
				v := new(big.Rat).Mul(excl, percent)
				return v.Quo(v, new(big.Rat).Add(hundred, percent))
			}
		}},
		{name: "one percent for all", plant: func(p *pricing) {
			p.vat = func(excl, _ *big.Rat) *big.Rat { return vatOf(excl, big.NewRat(20, 1)) }
		}},
		{name: "percent without its fraction", plant: func(p *pricing) {
			p.vat = func(excl, percent *big.Rat) *big.Rat {
				whole := new(big.Int).Quo(percent.Num(), percent.Denom())
				return vatOf(excl, new(big.Rat).SetInt(whole))
			}
		}},
		{name: "vat of the rounded amount", plant: func(p *pricing) {
			p.vat = func(excl, percent *big.Rat) *big.Rat {
				cents := new(big.Rat).SetInt(roundMinor(excl, 2))
				return vatOf(cents.Quo(cents, hundred), percent)
			}
		}},
	}
}

// faultsOfRounding differ from the right rule in what is half a cent or nearly so.
func faultsOfRounding() []pricingFault {
	rounds := func(name string, cents func(x float64) float64) pricingFault {
		return pricingFault{name: name, plant: func(p *pricing) {
			p.round = func(x *big.Rat, _ int) *big.Int {
				f, _ := x.Float64()
				return big.NewInt(int64(cents(f)))
			}
		}}
	}
	return []pricingFault{
		rounds("float64 times 100", func(x float64) float64 { return math.Round(x * 100) }),
		rounds("float64 half even", func(x float64) float64 { return math.RoundToEven(x * 100) }),
		rounds("down", func(x float64) float64 { return math.Floor(x*100 + 1e-9) }),
		rounds("up", func(x float64) float64 { return math.Ceil(x*100 - 1e-9) }),
		rounds("float64 printed", func(x float64) float64 {
			text := strconv.FormatFloat(x, 'f', 2, 64)
			cents, err := strconv.ParseFloat(strings.Replace(text, ".", "", 1), 64)
			if err != nil {
				panic(err) // it was printed as a number
			}
			return cents
		}),
		{name: "exact half even", plant: func(p *pricing) {
			p.round = func(x *big.Rat, digits int) *big.Int {
				n := roundMinor(x, digits)
				twice := new(big.Rat).Mul(x, new(big.Rat).SetInt(tenTo(digits)))
				twice.Mul(twice, big.NewRat(2, 1))
				if twice.IsInt() && twice.Num().Bit(0) == 1 && n.Bit(0) == 1 {
					n.Sub(n, big.NewInt(1))
				}
				return n
			}
		}},
	}
}

func faultsOfInput() []pricingFault {
	replace := func(old, with string) func(*vector) {
		return func(v *vector) { v.tariff = strings.ReplaceAll(v.tariff, old, with) }
	}
	return []pricingFault{
		{name: "universal time", alter: func(v *vector) { v.usage.Zone = zoneOf("UTC") }},
		{name: "fixed offset", alter: func(v *vector) { v.usage.Zone = zoneOf("Etc/GMT-2") }},
		{name: "step of 900 is 901", alter: replace(`:900`, `:901`)},
		{name: "step of 500 is 499", alter: replace(`:500`, `:499`)},
		{name: "vat of 10 is 10.001", alter: replace(`"vat":10}`, `"vat":10.001}`)},
		{name: "price of 0.25 is 0.2500001", alter: replace(`"price":0.25,`, `"price":0.2500001,`)},
		{name: "no least price", alter: replace("min_price", "no_price")},
		{name: "no most price", alter: replace("max_price", "no_price")},
		{name: "parking is charging", alter: func(v *vector) {
			v.usage.Periods = append([]UsagePeriod(nil), v.usage.Periods...)
			for i := range v.usage.Periods {
				v.usage.Periods[i].Parking = false
			}
		}},
		{name: "a mWh less", alter: func(v *vector) {
			v.usage.Periods = append([]UsagePeriod(nil), v.usage.Periods...)
			if p := v.usage.Periods; len(p) > 0 && p[0].MilliWh > 0 {
				p[0].MilliWh--
			}
		}},
		{name: "reservation is free", alter: func(v *vector) { v.usage.Reservation = nil }},
		{name: "reservation never expires", alter: func(v *vector) {
			if r := v.usage.Reservation; r != nil && r.Expired {
				v.usage.Reservation = &Reservation{StartMs: r.StartMs, EndMs: r.EndMs}
			}
		}},
	}
}

func TestVectorsTellPlantedFaults(t *testing.T) {
	for _, f := range pricingFaults() {
		p := priceRules()
		if f.plant != nil {
			f.plant(&p)
		}
		found := failures(p, f.alter, 1)
		if len(found) == 0 {
			t.Errorf("%s: no vector tells it", f.name)
			continue
		}
		t.Logf("%s: %s", f.name, found[0])
	}
}
