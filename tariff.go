package chargestream

import "encoding/json"

// TariffHistory is one entry of the tariffs topic: every version of one tariff.
type TariffHistory struct {
	TariffID TariffID        `json:"tariff_id"`
	Versions []TariffVersion `json:"versions"`
}

// TariffVersion is a tariff from ValidFrom on, until the next version begins.
type TariffVersion struct {
	ValidFrom Millis `json:"valid_from"`
	// Tariff is an OCPI 2.2.1 Tariff object, as package pricing reads it.
	Tariff json.RawMessage `json:"tariff"`
}
