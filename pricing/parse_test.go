package pricing_test

import (
	"errors"
	"strings"
	"testing"

	"chargestream/pricing"
)

// TestParseLenient: what is only shown may be anything.
func TestParseLenient(t *testing.T) {
	tariff := parse(t, `{"country_code":"DE","party_id":"ALL","id":"14","currency":"EUR",
		"type":"SOMETHING_NEW","tariff_alt_text":[{"language":"en","text":17}],
		"tariff_alt_url":false,"energy_mix":{"is_green_energy":true},"last_updated":"yesterday",
		"min_price":null,"tax_included":"NO",
		"elements":[{"restrictions":{"day_of_week":[],"max_kwh":null},"price_components":[
			{"type":"ENERGY","price":2.5e-1,"vat":19.00000,"step_size":1.0}]}]}`)
	if tariff.Currency() != "EUR" {
		t.Errorf("currency %q", tariff.Currency())
	}
}

func TestParseRefuses(t *testing.T) {
	one := component("ENERGY", "1", "0", 1)
	limits := func(r string) string { return euro(element(r, one)) }
	cases := []struct{ name, tariff, want string }{
		{"no JSON", `{"currency"`, "tariff: no JSON"},
		{"two texts", `{} {}`, "tariff: no JSON"},
		{"a list", `[]`, "tariff: is no object"},
		{"deep", `{"energy_mix":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + `}`,
			"nested deeper"},
		{"no currency", `{"elements":[` + element("", one) + `]}`, "currency: is missing"},
		{"unknown currency", tariffIn("XYZ", "", element("", one)), `currency: "XYZ"`},
		{"unknown name", tariffIn("EUR", `"discount":1,`, element("", one)),
			"discount: is not known"},
		{"name in another case", tariffIn("EUR", `"Min_Price":{"excl_vat":1},`, element("", one)),
			"Min_Price: is not known"},
		{"told twice", tariffIn("EUR", `"currency":"SEK",`, element("", one)),
			"currency: is there twice"},
		{"with tax", tariffIn("EUR", `"tax_included":"YES",`, element("", one)), "tax_included"},
		{"no elements", `{"currency":"EUR","elements":[]}`, "elements: there are none"},
		{"elements null", `{"currency":"EUR","elements":null}`, "elements: there are none"},
		{"too many", euro(strings.Split(strings.Repeat(element("", one)+";", 65), ";")[:65]...),
			"elements: 65"},
		{"no components", euro(element("")), "elements[0].price_components: there are none"},
		// OCPI's own example of an old version has this.
		{"unknown in an element", euro(`{"tariff_restrictions":{},"price_components":[` + one +
			`]}`), "elements[0].tariff_restrictions: is not known"},
		{"unknown restriction", limits(`"min_soc":10`), "restrictions.min_soc: is not known"},
		{"unknown in a component", euro(element("", `{"type":"FLAT","price":1,"tax":1}`)),
			"price_components[0].tax: is not known"},
		{"unknown dimension", euro(element("", component("POWER", "1", "0", 1))),
			`elements[0].price_components[0].type: "POWER"`},
		{"an adjustment", euro(element("", component("MIN_PRICE", "1", "0", 1))), `"MIN_PRICE"`},
		{"no type", euro(element("", `{"price":1}`)), "type: is missing"},
		{"a dimension twice", euro(element("", one, one)), "[1].type: ENERGY is there twice"},
		{"no price", euro(element("", `{"type":"FLAT"}`)), "price: is missing"},
		{"price as a text that is none", euro(element("", component("FLAT", `"0,40"`, "0", 1))),
			`price: is no number, "0,40"`},
		{"price as a flag", euro(element("", component("FLAT", "true", "0", 1))), "is no number"},
		{"negative price", euro(element("", component("FLAT", "-1", "0", 1))),
			"price: -1 is not between 0 and 1000000.000000"},
		{"price of 7 decimals", euro(element("", component("FLAT", "0.1234567", "0", 1))),
			"more than 6 decimals"},
		{"price beyond", euro(element("", component("FLAT", "1000000.1", "0", 1))), "not between"},
		{"negative VAT", euro(element("", component("FLAT", "1", "-1", 1))), "vat: -1"},
		{"VAT beyond", euro(element("", component("FLAT", "1", "100.1", 1))), "vat: 100.1"},
		{"VAT of 5 decimals", euro(element("", component("FLAT", "1", "0.00001", 1))), "vat: "},
		{"negative step", euro(element("", component("TIME", "1", "0", -1))), "step_size: -1"},
		{"broken step", euro(element("", `{"type":"TIME","price":1,"step_size":1.5}`)),
			"step_size: 1.5 has more"},
		{"time", limits(`"start_time":"9:30"`), `start_time: "9:30"`},
		{"24:00", limits(`"end_time":"24:00"`), `end_time: "24:00"`},
		{"time as number", limits(`"end_time":930`), "end_time: is no text"},
		{
			"same times",
			limits(`"start_time":"08:00","end_time":"08:00"`),
			"end_time: is start_time",
		},
		{"no leap day", limits(`"start_date":"2026-02-29"`), `start_date: "2026-02-29"`},
		{
			"dates",
			limits(`"start_date":"2026-03-01","end_date":"2026-03-01"`),
			"start_date: is not",
		},
		{"day", limits(`"day_of_week":["MONDAY","Tuesday"]`), `day_of_week[1]: "Tuesday"`},
		{"day as number", limits(`"day_of_week":[1]`), "day_of_week[0]"},
		{"one day", limits(`"day_of_week":"MONDAY"`), "is no list"},
		{"kWh", limits(`"min_kwh":5,"max_kwh":4`), "min_kwh: is not below max_kwh"},
		{"power", limits(`"min_power":5,"max_power":5`), "min_power: is not below max_power"},
		{"current", limits(`"max_current":0`), "" /* never refused: see below */},
		{"negative kWh", limits(`"max_kwh":-1`), "max_kwh: -1"},
		{"duration", limits(`"min_duration":61,"max_duration":60`), "min_duration: is not below"},
		{"part of a second", limits(`"min_duration":0.5`), "min_duration: 0.5"},
		{"reservation", limits(`"reservation":"NO_SHOW"`), `reservation: "NO_SHOW"`},
		{"energy of a reservation", limits(`"reservation":"RESERVATION"`),
			"a reservation has no ENERGY"},
		{"bound in parts of a cent", tariffIn("EUR", `"min_price":{"excl_vat":0.505},`,
			element("", one)), "min_price.excl_vat: 0.505 has more than 2 decimals"},
		{"bound without", tariffIn("EUR", `"max_price":{"incl_vat":1},`, element("", one)),
			"max_price.excl_vat: is missing"},
		{"bound as number", tariffIn("EUR", `"max_price":5,`, element("", one)),
			"max_price: is no object"},
		{"bound with less VAT", tariffIn("EUR", `"max_price":{"excl_vat":2,"incl_vat":1},`,
			element("", one)), "max_price.incl_vat: is below excl_vat"},
		{"bounds", tariffIn("EUR", `"min_price":{"excl_vat":3},"max_price":{"excl_vat":2},`,
			element("", one)), "min_price: is above max_price"},
		{"date and time", tariffIn("EUR", `"start_date_time":"2026-06-01T00:00:00+02:00",`,
			element("", one)), "start_date_time"},
		{"never in force", tariffIn("EUR", `"start_date_time":"2026-06-01T00:00:00Z",
			"end_date_time":"2026-06-01T00:00:00Z",`, element("", one)), "end_date_time"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := pricing.Parse([]byte(c.tariff))
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, pricing.ErrTariff) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	if _, err := pricing.Parse(make([]byte, pricing.BytesMax+1)); !errors.Is(err,
		pricing.ErrTariff) {
		t.Error(err)
	}
}
