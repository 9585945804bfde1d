package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"

	"chargestream"
)

// ocpiTariff is what is shown of an OCPI Tariff; the processors read it with package pricing.
type ocpiTariff struct {
	Currency string     `json:"currency"`
	MinPrice *ocpiPrice `json:"min_price"`
	MaxPrice *ocpiPrice `json:"max_price"`
	Elements []struct {
		Components []struct {
			Type  string      `json:"type"`
			Price json.Number `json:"price"`
			VAT   json.Number `json:"vat"`
			Step  json.Number `json:"step_size"`
		} `json:"price_components"`
		Restrictions json.RawMessage `json:"restrictions"`
	} `json:"elements"`
}

type ocpiPrice struct {
	Excl json.Number `json:"excl_vat"`
	Incl json.Number `json:"incl_vat"`
}

// writeVersion writes one version of a tariff with its prices and what they are prices of.
func writeVersion(w io.Writer, v *chargestream.TariffVersion) {
	var t ocpiTariff
	if err := json.Unmarshal(v.Tariff, &t); err != nil {
		fmt.Fprintf(w, "\n  from %s: %s\n", v.ValidFrom, harmless(string(v.Tariff)))
		return
	}
	fmt.Fprintf(w, "\n  from %s, in %s\n", v.ValidFrom, harmless(t.Currency))
	for i := range t.Elements {
		e := &t.Elements[i]
		if len(e.Restrictions) > 0 {
			fmt.Fprintf(w, "    where %s\n", harmless(string(e.Restrictions)))
		}
		for _, c := range e.Components {
			unit, step := priceUnit(c.Type)
			fmt.Fprintf(w, "    %-13s %s %s/%s, VAT %s", harmless(c.Type),
				harmless(c.Price.String()), harmless(t.Currency), unit, vatText(c.VAT))
			if size := c.Step.String(); step != "" && size != "" && size != "0" && size != "1" {
				fmt.Fprintf(w, ", billed by %s %s", harmless(size), step)
			}
			fmt.Fprintln(w)
		}
	}
	writeBound(w, "at least", t.MinPrice, t.Currency)
	writeBound(w, "at most", t.MaxPrice, t.Currency)
}

func writeBound(w io.Writer, name string, bound *ocpiPrice, currency string) {
	if bound != nil {
		fmt.Fprintf(w, "    %s %s %s without VAT, %s with it\n", name,
			harmless(cmp.Or(bound.Excl.String(), "?")), harmless(currency),
			harmless(cmp.Or(bound.Incl.String(), "?")))
	}
}

func vatText(percent json.Number) string {
	if percent == "" {
		return "not told (bills are held as vat_unknown)"
	}
	return harmless(percent.String()) + " %"
}

// priceUnit is what a price of an OCPI dimension is of, and the unit of its step_size.
func priceUnit(dimension string) (unit, step string) {
	switch dimension {
	case "ENERGY":
		return "kWh", "Wh"
	case "TIME", "PARKING_TIME":
		return "h", "s"
	}
	return "session", ""
}
