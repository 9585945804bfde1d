package chargestream

import "slices"

// InvoiceKind tells what an Invoice record is.
type InvoiceKind string

// The kinds of an Invoice.
const (
	// KindInvoice bills a session.
	KindInvoice InvoiceKind = "invoice"
	// KindCreditNote cancels the invoice that it names in Credits, to the cent.
	KindCreditNote InvoiceKind = "credit_note"
)

// InvoiceStatus reports whether an Invoice may be sent.
type InvoiceStatus string

// The statuses of an Invoice.
const (
	// StatusIssued: every quantity is certain.
	StatusIssued InvoiceStatus = "issued"
	// StatusHeld: see HoldReasons; nothing is sent before somebody has looked at it.
	StatusHeld InvoiceStatus = "held"
	// StatusCancelled is asked for, and in no record: held, by a decision that the session is not
	// billed. Nobody has to look at it.
	StatusCancelled InvoiceStatus = "cancelled"
)

// Is reports whether an invoice is of a status that is asked for; empty for all. A cancelled one is
// not among those that are held, as it waits for nothing.
func (v *Invoice) Is(status InvoiceStatus) bool {
	cancelled := v.Status == StatusHeld && slices.Equal(v.HoldReasons, []HoldReason{HoldCancelled})
	switch status {
	case "":
		return true
	case StatusCancelled:
		return cancelled
	}
	return v.Status == status && !cancelled
}

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
	// HoldTariffUnsupported: the tariff asks for something that is not known of the session, as
	// its current, the station's time zone or a date outside the tariff's own.
	HoldTariffUnsupported HoldReason = "unsupported_tariff"
	// HoldOverlap: another session ran on the connector at the same time.
	HoldOverlap HoldReason = "overlapping_sessions"
	// HoldNoStart: an end came, and no start.
	HoldNoStart HoldReason = "stop_without_start"
	// HoldUnitMismatch: the register and the power differ by a factor of a hundred or more, as
	// where kWh are sent as Wh.
	HoldUnitMismatch HoldReason = "unit_mismatch"
	// HoldOverPower: more energy than the connector can deliver in that time.
	HoldOverPower HoldReason = "over_power"
	// HoldLifetimeRegister: a register of the meter's whole life was told as that of the session.
	HoldLifetimeRegister HoldReason = "lifetime_register"
	// HoldEnergyMismatch: the energy that the end reported is not that of the registers.
	HoldEnergyMismatch HoldReason = "energy_mismatch"
	// HoldRepeatedEnergy: the energy is that of the session right before and more, as a station
	// reports it that counts from plugging in.
	HoldRepeatedEnergy HoldReason = "repeated_energy"
	// HoldUnknownUser: nobody is named who could pay.
	HoldUnknownUser HoldReason = "unknown_user"
	// HoldVATUnknown: a price tells no VAT, which is not the same as 0 %.
	HoldVATUnknown HoldReason = "vat_unknown"
	// HoldSignedMissing: the station is calibrated, and begin or end is not signed.
	HoldSignedMissing HoldReason = "signed_missing"
	// HoldSignedInvalid: the signed values contradict themselves, each other or the registry.
	HoldSignedInvalid HoldReason = "signed_invalid"
	// HoldSignedUnverified: the station is calibrated, and its signatures cannot be verified: the
	// registry has no public key, or one of a curve that is not known.
	HoldSignedUnverified HoldReason = "signed_unverified"
	// HoldSignedMismatch: the signed energy is not the billed energy.
	HoldSignedMismatch HoldReason = "signed_mismatch"
	// HoldCancelled: a decision said that the session is not billed.
	HoldCancelled HoldReason = "cancelled"
)

// Hold is a reason that holds an invoice, with its evidence: which session overlaps, which two
// starts differ, which register fell from what to what and when. Numbers have their unit in the
// name, times are RFC 3339.
type Hold struct {
	Reason   HoldReason `json:"reason"`
	Evidence Evidence   `json:"evidence,omitempty"`
}

// Evidence is what shows a doubt: texts, times and whole numbers by name.
type Evidence map[string]any

// HoldReasons are all reasons to hold an invoice, in alphabetical order.
func HoldReasons() []HoldReason {
	return []HoldReason{HoldCancelled, HoldClockSkew, HoldConflict, HoldDuplicate,
		HoldEnergyMismatch, HoldEstimated, HoldLifetimeRegister, HoldMeterRegression,
		HoldNegativeDuration, HoldNegativeEnergy, HoldNoEnergy, HoldNoTariff, HoldOverPower,
		HoldOverlap, HoldRepeatedEnergy, HoldNotEnded, HoldSignedInvalid, HoldSignedMismatch,
		HoldSignedMissing, HoldSignedUnverified, HoldNoStart, HoldUnitMismatch, HoldUnknownUser,
		HoldTariffUnsupported, HoldVATUnknown}
}

// Invoice is a record of the invoices topic. Money is written as decimal text in the currency's
// own number of digits; the lines add up to the totals, and so do the VAT groups, exactly.
type Invoice struct {
	InvoiceID   string        `json:"invoice_id"`
	SessionID   SessionID     `json:"session_id"`
	Revision    int           `json:"revision"` // 1, and one more for each correction
	Kind        InvoiceKind   `json:"kind"`
	Status      InvoiceStatus `json:"status"`
	HoldReasons []HoldReason  `json:"hold_reasons,omitempty"`
	// Holds are the same reasons with what shows each.
	Holds []Hold `json:"holds,omitempty"`
	// IssuedAt is the moment, by stream time, that the record tells the session as of.
	IssuedAt Millis `json:"issued_at"`
	// BookingDate is the day of IssuedAt where the station is, as 2026-03-02; UTC without a zone.
	BookingDate string      `json:"booking_date"`
	StationID   StationID   `json:"station_id"`
	ConnectorID ConnectorID `json:"connector_id"`
	SiteID      SiteID      `json:"site_id,omitempty"`
	TimeZone    string      `json:"time_zone,omitempty"` // IANA name
	UserID      UserID      `json:"user_id"`
	Currency    string      `json:"currency,omitempty"`
	StartTime   Millis      `json:"start_time,omitempty,omitzero"` // absent without a start
	EndTime     Millis      `json:"end_time,omitempty,omitzero"`
	// DurationSeconds is from start to end; ParkingSeconds is the part of it in which the vehicle
	// did not ask for power.
	DurationSeconds int64     `json:"duration_s"`
	ParkingSeconds  int64     `json:"parking_s"`
	Energy          WattHours `json:"energy_wh"`
	// MeterStart and MeterStop are the register at start and end, where they are known.
	MeterStart *WattHours `json:"meter_start_wh,omitempty"`
	MeterStop  *WattHours `json:"meter_stop_wh,omitempty"`
	// Estimated: something that the amounts hang on had to be guessed.
	Estimated       bool          `json:"estimated"`
	TariffID        TariffID      `json:"tariff_id,omitempty"`
	TariffValidFrom Millis        `json:"tariff_valid_from,omitempty,omitzero"`
	Lines           []InvoiceLine `json:"lines"`
	VATGroups       []VATGroup    `json:"vat_groups,omitempty"`
	TotalExclVAT    string        `json:"total_excl_vat"`
	TotalVAT        string        `json:"total_vat"`
	TotalInclVAT    string        `json:"total_incl_vat"`
	Credits         string        `json:"credits,omitempty"` // what a credit note cancels
	// Decisions are those that this bill rests on, in the order in which they were taken.
	Decisions []AppliedDecision `json:"decisions,omitempty"`
	// SignedData are the signed meter values of the session, byte for byte, by time.
	SignedData []string `json:"signed_data,omitempty"`
}

// InvoiceLine is one price component of an Invoice.
type InvoiceLine struct {
	// Dimension is FLAT, ENERGY, TIME or PARKING_TIME, as in OCPI, or MIN_PRICE or MAX_PRICE for
	// what a bound of the tariff adds or takes away.
	Dimension   string `json:"dimension"`
	Reservation bool   `json:"reservation,omitempty"`
	Description string `json:"description"`
	Quantity    string `json:"quantity"` // kWh, hours or 1; decimal, after step_size
	Measured    string `json:"measured"` // the same before step_size
	Unit        string `json:"unit"`     // kWh, h or session
	UnitPrice   string `json:"unit_price"`
	ExclVAT     string `json:"excl_vat"`
	VATPercent  string `json:"vat_percent"` // empty where the tariff tells none
	VAT         string `json:"vat"`
	InclVAT     string `json:"incl_vat"`
	Estimated   bool   `json:"estimated,omitempty"`
}

// VATGroup is all that an Invoice bills at one rate.
type VATGroup struct {
	VATPercent string `json:"vat_percent"`
	ExclVAT    string `json:"excl_vat"`
	VAT        string `json:"vat"`
	InclVAT    string `json:"incl_vat"`
}
