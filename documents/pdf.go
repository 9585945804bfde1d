package documents

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"

	"chargestream"
)

// PDF writes one invoice or credit note for people, held ones too, which say so. The same record
// and seller give the same bytes; a nil seller is left out. Times are as the clocks at the station
// showed them, if its time zone is known to the program, else in UTC.
func PDF(w io.Writer, v *chargestream.Invoice, s *Seller) error { return Links{}.PDF(w, v, s) }

// PDF is PDF of a document that names the one that it replaces, or that replaces it.
func (l Links) PDF(w io.Writer, v *chargestream.Invoice, s *Seller) error {
	title := pdfTitle(v)
	p := newSheet(title+" "+v.InvoiceID, sellerName(s), v.IssuedAt.Time())
	p.letterhead(title, s)
	if !issued(v) {
		p.row(sizeHead, cell{width: sheetWidth, bold: true,
			text: "Held: this is no invoice and was not sent. See below for the reasons."})
		p.gap(2)
	}
	pdfFacts(p, v, l)
	pdfLines(p, v)
	pdfGroups(p, groups(v), v.TotalExclVAT, v.TotalVAT, v.TotalInclVAT)
	pdfHolds(p, v)
	pdfDecisions(p, v)
	pdfSigned(p, v)
	return p.write(w, title+" "+v.InvoiceID)
}

func pdfTitle(v *chargestream.Invoice) string {
	switch {
	case credit(v) && !issued(v):
		return "Withdrawn draft"
	case credit(v):
		return "Credit note"
	case !issued(v):
		return "Draft on hold"
	}
	return "Invoice"
}

func sellerName(s *Seller) string {
	if s == nil {
		return ""
	}
	return s.Name
}

// letterhead writes who bills, and what this is.
func (p *sheet) letterhead(title string, s *Seller) {
	p.row(sizeTitle, cell{width: sheetWidth, bold: true, text: title})
	p.gap(1)
	if s != nil {
		p.row(sizeHead, cell{width: sheetWidth, bold: true, text: s.Name})
		address := []string{s.Street, strings.TrimSpace(s.PostalCode + " " + s.City), s.Country}
		contact := []string{s.Email}
		if s.VATID != "" {
			contact = append(contact, "VAT id "+s.VATID)
		}
		for _, line := range [][]string{address, contact} {
			if text := joinTexts(line); text != "" {
				p.row(sizeText, cell{width: sheetWidth, text: text})
			}
		}
	}
	p.gap(2)
	p.rule()
	p.gap(1)
}

// joinTexts joins those of some texts that are not empty.
func joinTexts(texts []string) string {
	var list []string
	for _, t := range texts {
		if t != "" {
			list = append(list, t)
		}
	}
	return strings.Join(list, ", ")
}

// pdfFacts writes whose session it was, when and where.
func pdfFacts(p *sheet, v *chargestream.Invoice, l Links) {
	z := zoneOf(v)
	p.fact("User", string(v.UserID))
	p.fact(pdfTitle(v), v.InvoiceID)
	p.fact("Credits", v.Credits)
	p.fact("Replaced by", l.ReplacedBy)
	p.fact("Replaces", l.Replaces)
	p.fact("Revision", strconv.Itoa(v.Revision))
	p.fact("Booked on", v.BookingDate)
	p.fact("Issued at", z.second(v.IssuedAt))
	p.fact("Session", string(v.SessionID))
	p.fact("Site", string(v.SiteID))
	p.fact("Station", string(v.StationID))
	p.fact("Connector", string(v.ConnectorID))
	p.fact("Start", z.second(v.StartTime))
	p.fact("End", z.second(v.EndTime))
	p.fact("Times are in", z.note)
	p.fact("Duration", clock(v.DurationSeconds))
	p.fact("Of this parked", clock(v.ParkingSeconds)+parkedMinutes(v.ParkingSeconds))
	p.fact("Energy", joinTexts([]string{kWh(v.Energy), EnergyNote(v)}))
	if v.MeterStart != nil {
		p.fact("Meter at the start", kWh(*v.MeterStart))
	}
	if v.MeterStop != nil {
		p.fact("Meter at the end", kWh(*v.MeterStop))
	}
	if v.TariffID != "" {
		p.fact("Tariff", string(v.TariffID)+", in force from "+z.second(v.TariffValidFrom))
	}
	if v.Estimated {
		p.fact("Estimated", "Something that the amounts depend on was estimated.")
	}
}

func parkedMinutes(seconds int64) string {
	if seconds == 0 {
		return ""
	}
	return " (" + Counted(int(seconds/60), "minute", "minutes") + ")"
}

// Widths of the columns of amounts in mm, common to lines, groups and totals.
const (
	widthNet   = 20.0
	widthVAT   = 18.0
	widthGross = 20.0
)

// amounts are the cells of the last three columns.
func amounts(bold bool, excl, vat, incl string) []cell {
	return []cell{{width: widthNet, right: true, bold: bold, text: excl},
		{width: widthVAT, right: true, bold: bold, text: vat},
		{width: widthGross, right: true, bold: bold, text: incl}}
}

func pdfLines(p *sheet, v *chargestream.Invoice) {
	title := "Amounts"
	if v.Currency != "" {
		title += " in " + v.Currency
	}
	p.section(title)
	if len(v.Lines) == 0 {
		p.row(sizeText, cell{width: sheetWidth, text: "Nothing is billed."})
		return
	}
	row := func(bold bool, name, quantity, price, percent string, last []cell) {
		p.row(sizeText, append([]cell{
			{width: sheetWidth - 64 - widthNet - widthVAT - widthGross, bold: bold, text: name},
			{width: 25, right: true, bold: bold, text: quantity},
			{width: 25, right: true, bold: bold, text: price},
			{width: 14, right: true, bold: bold, text: percent}}, last...)...)
	}
	p.head = func() {
		row(true, "What", "Quantity", "Price", "VAT %", amounts(true, "Net", "VAT", "Gross"))
		p.rule()
	}
	p.head()
	for i := range v.Lines {
		l := &v.Lines[i]
		name, quantity, price := pdfLineName(l), Quantity(l), Price(l, "")
		if bound(l) {
			quantity = ""
		}
		row(false, name, quantity, price, percentCell(l.VATPercent),
			amounts(false, l.ExclVAT, l.VAT, l.InclVAT))
	}
	p.head = nil
}

// pdfLineName is what a line bills, and what was measured where that is not the quantity.
func pdfLineName(l *chargestream.InvoiceLine) string {
	name := l.Description
	if name == "" {
		name = l.Dimension
	}
	if l.Measured != "" && !sameNumber(l.Measured, l.Quantity) && !bound(l) {
		name += ", measured " + quantity(l.Measured, l.Unit)
	}
	if l.Estimated {
		name += " (estimated)"
	}
	return name
}

// sameNumber reports whether two decimal texts say the same.
func sameNumber(a, b string) bool {
	return a == b || decimal(a) && decimal(b) && compareRates(a, b) == 0
}

// percentCell is a VAT rate in its column.
func percentCell(percent string) string {
	if percent == "" {
		return "?"
	}
	return percent
}

// rateWords is a VAT rate for people.
func rateWords(percent string) string {
	if percent == "" {
		return "VAT, rate unknown"
	}
	return "VAT " + percent + " %"
}

// pdfGroups writes the VAT groups and totals.
func pdfGroups(p *sheet, list []chargestream.VATGroup, excl, vat, incl string) {
	p.gap(1)
	p.need(20)
	p.rule()
	name := sheetWidth - widthNet - widthVAT - widthGross
	for _, g := range list {
		p.row(sizeText, append([]cell{{width: name, text: rateWords(g.VATPercent)}},
			amounts(false, g.ExclVAT, g.VAT, g.InclVAT)...)...)
	}
	p.row(sizeText, append([]cell{{width: name, bold: true, text: "Total"}},
		amounts(true, excl, vat, incl)...)...)
}

func pdfHolds(p *sheet, v *chargestream.Invoice) {
	if len(v.HoldReasons) == 0 {
		return
	}
	p.section("Why it is held")
	evidence := map[chargestream.HoldReason]string{}
	for _, h := range v.Holds {
		evidence[h.Reason] = holdEvidence(h, zoneOf(v).second)
	}
	for _, r := range v.HoldReasons {
		text := holdWords(r)
		if shown := evidence[r]; shown != "" {
			text = strings.TrimSuffix(text, ".") + ": " + shown + "."
		}
		p.fact(string(r), text)
	}
}

func pdfDecisions(p *sheet, v *chargestream.Invoice) {
	if len(v.Decisions) == 0 {
		return
	}
	z := zoneOf(v)
	p.section("Decisions that it rests on")
	for i := range v.Decisions {
		d := &v.Decisions[i]
		p.fact(z.second(d.DecidedAt), fmt.Sprintf("%s by %s: %s (%s)", d.Action, d.By, d.Reason,
			d.DecisionID))
	}
}

// pdfSigned names the signed values: they are too long for paper, and must not be retyped.
func pdfSigned(p *sheet, v *chargestream.Invoice) {
	if len(v.SignedData) == 0 {
		return
	}
	p.section("Signed meter values")
	p.row(sizeText, cell{width: sheetWidth,
		text: "The session has " + Counted(len(v.SignedData), "signed value", "signed values") +
			". The JSON of this document holds them byte for byte. SHA-256 of each, by time:"})
	for i, value := range v.SignedData {
		sum := sha256.Sum256([]byte(value))
		p.row(sizeSmall, cell{width: 10, right: true, text: strconv.Itoa(i + 1)},
			cell{width: sheetWidth - 10, text: hex.EncodeToString(sum[:])})
	}
}
