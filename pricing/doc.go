// Package pricing prices one charging session, or one reservation, by one tariff of OCPI 2.2.1.
//
// It holds the tariff in a form to compute with (Tariff, made by Parse), what was used (Usage)
// and what that costs (Bill, made by Tariff.Price). It refuses to know which tariff was in force
// at a station, where a meter's samples came from, how an invoice is numbered and whether it may
// be sent: its callers do. It reads no clock and no time zone data, and a Bill is made of nothing
// but the arguments, so the same session costs the same whenever and wherever it is computed.
//
// # How a session is priced
//
// The session is cut into pieces within which no restriction of the tariff can change its mind:
// at the bounds of its periods, at the times of day and midnights that the tariff names in local
// time, where the clock is put forward or back, at durations and at amounts of energy. All
// restrictions are half open (from the lower bound on, until the upper), so what holds at the
// begin of a piece holds throughout. Of each dimension the first element that matches is active,
// and its component counts the piece; where none matches the dimension is free.
//
// Then step_size is applied: once to the session's energy, and once to its time, which is its
// paid parking if there was any and else its charging. The step is that of the dimension's
// component that counted last, and what is added is billed by it. Only quantities that a component
// counted are rounded. A reservation is rounded on its own.
//
// # Money
//
// Prices, quantities and percentages are integers, and no amount is rounded before the whole
// amount of one VAT rate is known: it and its VAT are then each rounded half up to the currency's
// minor unit, once. The amounts of lines are shares of their group's by largest remainder. So
// lines, groups and totals add up exactly, always.
// docs/decisions/0009-rounding-and-pricing.md has the reasons and the places where OCPI leaves a
// choice.
//
// # What is guessed
//
// A price boundary in the middle of a period asks how much of its energy came before: that is
// interpolated. A Bill is Estimated where this changed what a period of more than GuessMax costs,
// where power had to be told from energy or lay on both sides of a limit, or where the caller
// said so of a period.
package pricing
