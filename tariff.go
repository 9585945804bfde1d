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
	Tariff    Tariff `json:"tariff"`
}

// Tariff is an OCPI 2.2.1 Tariff object (mod_tariffs), as far as it is read here. What is not
// read, but would change the price, is kept so that it can be refused rather than overlooked.
type Tariff struct {
	Currency string          `json:"currency"` // ISO 4217
	Elements []TariffElement `json:"elements"`
	MinPrice json.RawMessage `json:"min_price,omitempty"`
	MaxPrice json.RawMessage `json:"max_price,omitempty"`
}

// TariffElement is an OCPI TariffElement.
type TariffElement struct {
	PriceComponents []PriceComponent `json:"price_components"`
	Restrictions    json.RawMessage  `json:"restrictions,omitempty"`
}

// PriceComponent is an OCPI PriceComponent. Price excludes VAT; a VAT that is absent is not zero
// percent but unknown. StepSize is in Wh for ENERGY and in seconds for TIME.
type PriceComponent struct {
	Type     string      `json:"type"` // ENERGY, TIME, FLAT, PARKING_TIME
	Price    json.Number `json:"price"`
	VAT      json.Number `json:"vat,omitempty"`
	StepSize int64       `json:"step_size,omitempty"`
}
