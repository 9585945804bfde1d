package billing

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"chargestream"
	"chargestream/codecs"
	"chargestream/pricing"
)

// invoice is what is known of a session as a bill, without revision, date and id, and all reasons
// to hold it.
func (b *biller) invoice(k *known) (chargestream.Invoice, *reasons, error) {
	v := chargestream.Invoice{SessionID: b.ID, Kind: chargestream.KindInvoice,
		StationID: b.Station, Lines: []chargestream.InvoiceLine{},
		Decisions: slices.Clone(b.applied), SignedData: k.signed}
	connector := b.head(&v, k)
	k.meter.rating = ratingOf(&connector)
	e := k.meter.energy()
	if b.correction.Energy != nil {
		e = energy{total: *b.correction.Energy, known: true, base: e.base, decided: true}
	}
	r := &reasons{}
	k.doubts(r, &b.correction)
	var bill *pricing.Bill
	var err error
	if k.start != nil && k.end != nil {
		k.energyDoubts(r, e)
		k.signedDoubts(r, &connector, e)
		v.Energy, v.Estimated = e.total, e.estimated
		bill, err = b.price(&v, k, e, r)
	}
	if err != nil {
		return v, nil, err
	}
	if b.cancelled {
		bill, r = nil, &reasons{list: []chargestream.HoldReason{chargestream.HoldCancelled}}
	}
	if bill == nil {
		bill = &pricing.Bill{Digits: 2}
		if b.terms.tariff != nil && v.Currency != "" {
			bill.Digits = b.terms.tariff.Digits()
		}
	}
	b.write(&v, bill)
	slices.Sort(r.list)
	return v, r, nil
}

// ratingOf is the most that a connector delivers.
func ratingOf(c *chargestream.ConnectorInfo) chargestream.Watts {
	return cmp.Or(max(c.MaxPower, 0), chargestream.RatingOf(c.Type))
}

// head writes who, where and when.
func (b *biller) head(v *chargestream.Invoice, k *known) chargestream.ConnectorInfo {
	if t := b.terms; t.info != nil {
		v.SiteID, v.TimeZone = t.info.SiteID, t.info.TimeZone
	}
	if k.end != nil {
		v.EndTime, v.MeterStop, v.ConnectorID = k.end.At, k.end.Meter, k.end.ConnectorID
	}
	v.UserID = b.correction.UserID
	if k.start != nil {
		v.StartTime, v.MeterStart = k.start.At, k.start.Meter
		v.ConnectorID, v.UserID = k.start.ConnectorID, k.start.UserID
	}
	if k.start != nil && k.end != nil {
		v.DurationSeconds = int64(max(v.EndTime-v.StartTime, 0) / chargestream.Second)
	}
	return b.terms.connector(v.ConnectorID)
}

// price asks the tariff what the session costs. It is nil where that cannot be told, with the
// reason added.
func (b *biller) price(v *chargestream.Invoice, k *known, e energy, r *reasons) (
	*pricing.Bill, error) {
	t := b.terms
	if t.version == nil {
		r.add(true, chargestream.HoldNoTariff, b.missingEvidence)
	} else {
		v.TariffID, v.TariffValidFrom = t.tariffID, t.version.ValidFrom
		v.Currency = t.tariff.Currency()
	}
	if k.end.At < k.start.At {
		return nil, nil
	}
	u := k.usage(e)
	v.ParkingSeconds = int64(u.parking / chargestream.Second)
	if t.version == nil || !e.known {
		return nil, nil
	}
	u.Location = t.location
	bill, err := t.tariff.Price(&u.Usage)
	if errors.Is(err, pricing.ErrUsage) {
		r.add(true, chargestream.HoldTariffUnsupported, func(e chargestream.Evidence) {
			e["tariff_id"], e["error"] = string(t.tariffID), err.Error()
		})
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r.add(bill.VATUnknown, chargestream.HoldVATUnknown, b.tariffEvidence)
	v.Estimated = v.Estimated || bill.Estimated
	return bill, nil
}

// write writes the lines, the groups and the totals of a bill.
func (b *biller) write(v *chargestream.Invoice, bill *pricing.Bill) {
	for i := range bill.Lines {
		v.Lines = append(v.Lines, lineOf(&bill.Lines[i], bill.Digits))
	}
	for _, g := range bill.Groups {
		v.VATGroups = append(v.VATGroups, chargestream.VATGroup{VATPercent: percent(g.VAT),
			ExclVAT: codecs.FormatScaled(g.Excl, bill.Digits),
			VAT:     codecs.FormatScaled(g.Tax, bill.Digits),
			InclVAT: codecs.FormatScaled(g.Incl, bill.Digits)})
	}
	writeTotals(v, bill.Digits, bill.Total)
}

func writeTotals(v *chargestream.Invoice, digits int, total pricing.Money) {
	v.TotalExclVAT = codecs.FormatScaled(total.Excl, digits)
	v.TotalVAT = codecs.FormatScaled(total.Tax, digits)
	v.TotalInclVAT = codecs.FormatScaled(total.Incl, digits)
}

func lineOf(l *pricing.Line, digits int) chargestream.InvoiceLine {
	line := chargestream.InvoiceLine{Dimension: l.Dimension.String(), Reservation: l.Reservation,
		UnitPrice: trimDecimal(codecs.FormatScaled(l.Price, pricing.PriceDigits)),
		ExclVAT:   codecs.FormatScaled(l.Excl, digits), VATPercent: percent(l.VAT),
		VAT:     codecs.FormatScaled(l.Tax, digits),
		InclVAT: codecs.FormatScaled(l.Incl, digits), Estimated: l.Estimated}
	switch l.Dimension {
	case pricing.Energy:
		line.Description, line.Unit = "Energy", "kWh"
		line.Quantity, line.Measured = kilowattHours(l.Billed), kilowattHours(l.Measured)
	case pricing.Time:
		line.Description, line.Unit = "Charging time", "h"
		line.Quantity, line.Measured = hours(l.Billed), hours(l.Measured)
	case pricing.ParkingTime:
		line.Description, line.Unit = "Parking time", "h"
		line.Quantity, line.Measured = hours(l.Billed), hours(l.Measured)
	default:
		line.Description, line.Unit = flatNames[l.Dimension], "session"
		line.Quantity, line.Measured = "1", "1"
		if l.Dimension != pricing.Flat {
			line.UnitPrice = line.ExclVAT
		}
	}
	if l.Reservation {
		line.Description = "Reservation: " + line.Description
	}
	return line
}

var flatNames = map[pricing.Dimension]string{
	pricing.Flat: "Session fee", pricing.MinPrice: "Minimum price", pricing.MaxPrice: "Price limit",
}

// percent is a rate as decimal text; empty where it is not known.
func percent(vat pricing.VAT) string {
	if vat == pricing.UnknownVAT {
		return ""
	}
	return trimDecimal(codecs.FormatScaled(int64(vat), pricing.VATDigits))
}

// trimDecimal drops what zeros there are behind the point, and a point with nothing behind it.
func trimDecimal(text string) string {
	if !strings.Contains(text, ".") {
		return text
	}
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// kilowattHours writes mWh as kWh: with three decimals where there are whole Wh, else with six.
func kilowattHours(mWh int64) string {
	if mWh%milli == 0 {
		return codecs.FormatScaled(mWh/milli, 3)
	}
	return codecs.FormatScaled(mWh, 6)
}

// hours writes milliseconds as hours with six decimals, rounded half up.
func hours(ms int64) string {
	const micro = 1_000_000
	hour := int64(chargestream.Hour)
	return codecs.FormatScaled((ms*micro+hour/2)/hour, 6)
}

// fingerprint is ten hexadecimal digits of the SHA-256 of all that an invoice says.
func fingerprint(v *chargestream.Invoice) string {
	sum := sha256.Sum256([]byte(textOf(v)))
	return hex.EncodeToString(sum[:5])
}

// CreditNote cancels an invoice to the cent. It is issued, and booked, with the invoice that takes
// the other one's place.
func CreditNote(v, next chargestream.Invoice) chargestream.Invoice {
	v.Credits = v.InvoiceID
	v.InvoiceID += "-credit"
	v.Kind = chargestream.KindCreditNote
	v.IssuedAt, v.BookingDate = next.IssuedAt, next.BookingDate
	v.Lines, v.VATGroups = slices.Clone(v.Lines), slices.Clone(v.VATGroups)
	for i := range v.Lines {
		l := &v.Lines[i]
		l.Quantity, l.Measured = negate(l.Quantity), negate(l.Measured)
		l.ExclVAT, l.VAT, l.InclVAT = negate(l.ExclVAT), negate(l.VAT), negate(l.InclVAT)
	}
	for i := range v.VATGroups {
		g := &v.VATGroups[i]
		g.ExclVAT, g.VAT, g.InclVAT = negate(g.ExclVAT), negate(g.VAT), negate(g.InclVAT)
	}
	v.TotalExclVAT, v.TotalVAT = negate(v.TotalExclVAT), negate(v.TotalVAT)
	v.TotalInclVAT = negate(v.TotalInclVAT)
	return v
}

// negate changes the sign of decimal text; zero stays without one.
func negate(text string) string {
	if len(text) > 0 && text[0] == '-' {
		return text[1:]
	}
	for i := range len(text) {
		if text[i] != '0' && text[i] != '.' {
			return "-" + text
		}
	}
	return text
}
