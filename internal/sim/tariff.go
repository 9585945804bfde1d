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

func version(
	from chargestream.Millis, components ...chargestream.PriceComponent,
) chargestream.TariffVersion {
	return chargestream.TariffVersion{ValidFrom: from, Tariff: chargestream.Tariff{
		Currency: currency,
		Elements: []chargestream.TariffElement{{PriceComponents: components}}}}
}

// energy is a price a kWh, counted by the Wh.
func energy(price json.Number) chargestream.PriceComponent {
	return chargestream.PriceComponent{Type: "ENERGY", Price: price, VAT: vat, StepSize: 1}
}

// perHourOf is a price an hour, counted by the minute.
func perHourOf(price json.Number) chargestream.PriceComponent {
	return chargestream.PriceComponent{Type: "TIME", Price: price, VAT: vat, StepSize: 60}
}

func flat(price json.Number) chargestream.PriceComponent {
	return chargestream.PriceComponent{Type: "FLAT", Price: price, VAT: vat, StepSize: 1}
}
