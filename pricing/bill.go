package pricing

// Bill is what a session or reservation costs. Amounts are in the currency's minor unit, of which
// there are 10^Digits in its unit. The lines of one VAT rate add up to its group, and the groups
// to the totals.
type Bill struct {
	Currency string // ISO 4217
	Digits   int
	// Lines are in a fixed order: of the reservation, then of the session by dimension, and
	// within one in the order of the tariff; adjustments last.
	Lines  []Line
	Groups []Group // by VAT rate, ascending, UnknownVAT last
	Total  Money
	// Exact are the totals before they are rounded and before min_price and max_price, in 10^-6
	// of the currency's unit. They are for comparing, not for charging.
	Exact Money
	// Estimated: something that the price hangs on had to be guessed.
	Estimated bool
	// VATUnknown: a component that costs something tells no VAT. Only amounts without VAT are
	// right then.
	VATUnknown bool
}

// Line bills the quantities of one dimension that have the same price and VAT.
type Line struct {
	Dimension   Dimension
	Reservation bool
	// Price is per kWh, hour or session without VAT, in 10^-6 of the currency's unit; zero for
	// an adjustment.
	Price int64
	VAT   VAT
	// Measured is the quantity in mWh, in ms or 1, Billed the same after step_size.
	Measured, Billed int64
	Money
	Estimated bool
}

// Group is all that is billed at one VAT rate.
type Group struct {
	VAT VAT
	Money
}

// Money is an amount without VAT, its VAT and both.
type Money struct{ Excl, Tax, Incl int64 }

func (m *Money) add(o Money) {
	m.Excl += o.Excl
	m.Tax += o.Tax
	m.Incl += o.Incl
}
