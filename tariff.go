package chargestream

import "encoding/json"

// TariffHistory is one entry of the tariffs topic: every version of one tariff.
type TariffHistory struct {
	TariffID TariffID        `json:"tariff_id"`
	Versions []TariffVersion `json:"versions"`

	// Bare: it came as an OCPI Tariff that stands alone, and follows the versions that were known.
	Bare bool `json:"-"`
	// LastUpdated is the last_updated of a bare tariff: from when on it replaces the one before;
	// zero where it does not say.
	LastUpdated Millis `json:"-"`
}

// TariffVersion is a tariff from ValidFrom on, until the next version begins.
type TariffVersion struct {
	ValidFrom Millis `json:"valid_from"`
	// Tariff is an OCPI 2.2.1 Tariff object, as package pricing reads it.
	Tariff json.RawMessage `json:"tariff"`
}
