package chargestream

// InvoiceKind tells what an Invoice record is.
type InvoiceKind string

// The kinds of an Invoice.
const (
	// KindInvoice bills a session.
	KindInvoice InvoiceKind = "invoice"
	// KindCreditNote cancels the invoice that it names in Credits, to the cent.
	KindCreditNote InvoiceKind = "credit_note"
)

// InvoiceStatus tells whether an Invoice may be sent.
type InvoiceStatus string

// The statuses of an Invoice.
const (
	// StatusIssued: every quantity is certain.
	StatusIssued InvoiceStatus = "issued"
	// StatusHeld: see HoldReasons; nothing is sent before somebody has looked at it.
	StatusHeld InvoiceStatus = "held"
)

// HoldReason tells why an invoice is held.
type HoldReason string

// The reasons to hold an invoice.
const (
	// HoldDuplicate: the same session was delivered before under another id.
	HoldDuplicate HoldReason = "duplicate_session"
	// HoldNotEnded: the session has no end, OverdueAfter its start.
	HoldNotEnded HoldReason = "session_not_ended"
	// HoldNoEnergy: nothing tells how much energy was delivered.
	HoldNoEnergy HoldReason = "no_energy"
	// HoldEstimated: the energy is known from samples only, not from start and end.
	HoldEstimated HoldReason = "estimated_energy"
	// HoldNegativeEnergy: the register at the end is below the one at the start.
	HoldNegativeEnergy HoldReason = "negative_energy"
	// HoldNegativeDuration: the session ends before it starts.
	HoldNegativeDuration HoldReason = "negative_duration"
	// HoldMeterRegression: the register ran backwards within the session.
	HoldMeterRegression HoldReason = "meter_regression"
	// HoldClockSkew: the station's clock was ahead by more than five minutes.
	HoldClockSkew HoldReason = "clock_skew"
	// HoldConflict: two different starts, or two different ends, came for the same session.
	HoldConflict HoldReason = "conflicting_events"
	// HoldNoTariff: no tariff was in force for the station at the start.
	HoldNoTariff HoldReason = "no_tariff"
	// HoldTariffUnsupported: the tariff has a rule that is not understood here.
	HoldTariffUnsupported HoldReason = "unsupported_tariff"
)

// Invoice is a record of the invoices topic. Money is written as decimal text in the currency's
// own number of digits; the lines add up to the totals exactly.
type Invoice struct {
	InvoiceID       string        `json:"invoice_id"`
	SessionID       SessionID     `json:"session_id"`
	Revision        int           `json:"revision"`
	Kind            InvoiceKind   `json:"kind"`
	Status          InvoiceStatus `json:"status"`
	HoldReasons     []HoldReason  `json:"hold_reasons,omitempty"`
	StationID       StationID     `json:"station_id"`
	ConnectorID     ConnectorID   `json:"connector_id"`
	UserID          UserID        `json:"user_id"`
	Currency        string        `json:"currency,omitempty"`
	StartTime       Millis        `json:"start_time"`
	EndTime         Millis        `json:"end_time,omitempty,omitzero"`
	DurationSeconds int64         `json:"duration_s"`
	Energy          WattHours     `json:"energy_wh"`
	Estimated       bool          `json:"estimated"`
	TariffID        TariffID      `json:"tariff_id,omitempty"`
	TariffValidFrom Millis        `json:"tariff_valid_from,omitempty,omitzero"`
	Lines           []InvoiceLine `json:"lines"`
	TotalExclVAT    string        `json:"total_excl_vat"`
	TotalVAT        string        `json:"total_vat"`
	TotalInclVAT    string        `json:"total_incl_vat"`
	Credits         string        `json:"credits,omitempty"` // what a credit note cancels
}

// InvoiceLine is one price component of an Invoice.
type InvoiceLine struct {
	Dimension   string `json:"dimension"` // ENERGY, TIME or FLAT, as in OCPI
	Description string `json:"description"`
	Quantity    string `json:"quantity"` // kWh, hours or 1; decimal, exact where the unit allows it
	Unit        string `json:"unit"`     // kWh, h or session
	UnitPrice   string `json:"unit_price"`
	ExclVAT     string `json:"excl_vat"`
	VATPercent  string `json:"vat_percent"`
	VAT         string `json:"vat"`
	InclVAT     string `json:"incl_vat"`
}
