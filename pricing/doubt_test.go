package pricing_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"chargestream/codecs"
	"chargestream/pricing"
)

// TestDoubts warns of bounds that do not fit the rate, to the minor unit, and of nothing else.
func TestDoubts(t *testing.T) {
	for _, c := range []struct {
		name, bounds, vat string
		want              []string
	}{
		{"no bounds", "", "20", nil},
		{"what fits", `"min_price":{"excl_vat":0.50,"incl_vat":0.60},` +
			`"max_price":{"excl_vat":10,"incl_vat":12},`, "20", nil},
		{"a minor unit of rounding", `"max_price":{"excl_vat":10.01,"incl_vat":12},`, "20", nil},
		{"without VAT only", `"max_price":{"excl_vat":10},`, "20", nil},
		{"another rate", `"max_price":{"excl_vat":10,"incl_vat":11},`, "20", []string{
			"max_price: excl_vat 10.00 and incl_vat 11.00 do not fit 20 % of VAT, by which " +
				"10.00 are 12.00: write incl_vat 12.00, or leave it out"}},
		{"both", `"min_price":{"excl_vat":1,"incl_vat":1},` +
			`"max_price":{"excl_vat":10,"incl_vat":20},`, "20", []string{
			"min_price: excl_vat 1.00 and incl_vat 1.00 do not fit 20 % of VAT, by which " +
				"1.00 are 1.20: write incl_vat 1.20, or leave it out",
			"max_price: excl_vat 10.00 and incl_vat 20.00 do not fit 20 % of VAT, by which " +
				"10.00 are 12.00: write incl_vat 12.00, or leave it out"}},
	} {
		tariff, err := pricing.Parse([]byte(tariffIn("EUR", c.bounds,
			element("", component("ENERGY", "0.4", c.vat, 1)))))
		if err != nil {
			t.Fatal(err)
		}
		if got := tariff.Doubts(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	two, err := pricing.Parse([]byte(tariffIn("EUR", `"max_price":{"excl_vat":10,"incl_vat":11},`,
		element("", component("ENERGY", "0.4", "20", 1), component("FLAT", "1", "10", 1)))))
	if err != nil || two.Doubts() != nil {
		t.Errorf("two rates: %v, %v", two.Doubts(), err)
	}
}

// TestBoundsThatContradict: where both amounts of a bound cannot hold at the rate, the one that
// bounds more counts, and the VAT is that of the rate to the minor unit, as an e-invoice wants it.
func TestBoundsThatContradict(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cents := func(name string) int64 { return rapid.Int64Range(1, 100_000).Draw(t, name) }
		vat := rapid.SampledFrom([]string{"0", "5.5", "19", "20"}).Draw(t, "vat")
		name := rapid.SampledFrom([]string{"min_price", "max_price"}).Draw(t, "name")
		most, with := cents("excl"), cents("incl")
		tariff, err := pricing.Parse([]byte(tariffIn("EUR", fmt.Sprintf(
			`%q:{"excl_vat":%s,"incl_vat":%s},`, name, codecs.FormatScaled(most, 2),
			codecs.FormatScaled(with, 2)), element("", component("ENERGY", "0.4", vat, 1)))))
		if err != nil {
			t.Skip(err) // with VAT there is less than without
		}
		if len(tariff.Doubts()) == 0 {
			return
		}
		b, err := tariff.Price(usage("2026-06-01 10:00", time.UTC,
			charge(60, float64(rapid.Int64Range(1, 5000).Draw(t, "kWh")))))
		if err != nil {
			t.Fatal(err)
		}
		rate := map[string]int64{"0": 0, "5.5": 55, "19": 190, "20": 200}[vat]
		if off := b.Total.Tax*1000 - b.Total.Excl*rate; off > 1000 || off < -1000 {
			t.Errorf("%+v is not of %s %%", b.Total, vat)
		}
		if name == "max_price" && (b.Total.Excl > most || b.Total.Incl > with+1) ||
			name == "min_price" && (b.Total.Excl < most || b.Total.Incl < with-1) {
			t.Errorf("%+v does not keep %s %d / %d", b.Total, name, most, with)
		}
	})
}
