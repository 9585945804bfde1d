package pricing_test

import (
	"slices"
	"testing"

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
