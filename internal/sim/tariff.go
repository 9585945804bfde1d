package sim

import (
	"encoding/json"

	"chargestream"
)

// The tariffs of the world. Prices are in EUR without VAT and are made up.
const (
	tariffDepot = chargestream.TariffID("depot-energy")
	tariffAC    = chargestream.TariffID("city-ac")
	tariffDC    = chargestream.TariffID("city-dc")
)

const (
	currency = "EUR"
	vat      = json.Number("20.0")
)

// tariffsBefore is how long before the start of the world its tariffs came into force.
const tariffsBefore = 30 * chargestream.Day

// Tariffs is every tariff that a station of the world names: energy alone at the depot, energy
// and time at AC, a fee, energy and time at DC. The one of AC has a second version, which comes
// into force at the first UTC midnight after the start.
func (w *World) Tariffs() []chargestream.TariffHistory {
	day := w.cfg.Start.Truncate(chargestream.Day)
	since := day - tariffsBefore
	return []chargestream.TariffHistory{
		{TariffID: tariffDepot, Versions: []chargestream.TariffVersion{
			version(since, energy("0.18"))}},
		{TariffID: tariffAC, Versions: []chargestream.TariffVersion{
			version(since, energy("0.32"), perHourOf("0.60")),
			version(day+chargestream.Day, energy("0.34"), perHourOf("0.60"))}},
		{TariffID: tariffDC, Versions: []chargestream.TariffVersion{
			version(since, flat("0.50"), energy("0.45"), perHourOf("3.00"))}},
	}
}

func version(from chargestream.Millis, components ...component) chargestream.TariffVersion {
	text, err := json.Marshal(map[string]any{"currency": currency,
		"elements": []any{map[string]any{"price_components": components}}})
	if err != nil {
		panic(err) // texts and numbers of this file
	}
	return chargestream.TariffVersion{ValidFrom: from, Tariff: text}
}

// component is a PriceComponent of OCPI 2.2.1.
type component struct {
	Type     string      `json:"type"`
	Price    json.Number `json:"price"`
	VAT      json.Number `json:"vat"`
	StepSize int         `json:"step_size"` // Wh or s
}

// energy is a price a kWh, counted by the Wh.
func energy(price json.Number) component {
	return component{Type: "ENERGY", Price: price, VAT: vat, StepSize: 1}
}

// perHourOf is a price an hour, counted by the minute.
func perHourOf(price json.Number) component {
	return component{Type: "TIME", Price: price, VAT: vat, StepSize: 60}
}

func flat(price json.Number) component {
	return component{Type: "FLAT", Price: price, VAT: vat, StepSize: 1}
}
