package documents

import (
	"io"
	"strings"
	"time"

	"chargestream"
)

// PDF writes the statement for people: every issued document in its row, the sums, and apart what
// is held. A nil seller is left out.
func (s *Statement) PDF(w io.Writer, seller *Seller) error {
	title := "Statement " + s.Month
	p := newSheet(title+" "+s.Key, sellerName(seller), s.moment())
	p.letterhead(title, seller)
	name, key := "User", s.Key
	if s.By == BySite {
		name = "Site"
	}
	if key == "" {
		key = "none"
	}
	p.fact(name, key)
	p.fact("Month", s.Month)
	p.fact("Currency", s.Currency)
	p.fact("Documents", Counted(len(s.Documents), "document", "documents")+", and "+
		Counted(len(s.Held), "held", "held"))
	p.fact("Energy", kWh(s.Energy))
	s.pdfDocuments(p)
	s.pdfHeld(p)
	return p.write(w, title+" "+s.Key)
}

// moment is when the last of the documents was issued, so that the bytes depend on them alone.
func (s *Statement) moment() time.Time {
	var last chargestream.Millis
	for _, list := range [][]chargestream.Invoice{s.Documents, s.Held} {
		for i := range list {
			last = max(last, list[i].IssuedAt)
		}
	}
	return last.Time()
}

func (s *Statement) pdfDocuments(p *sheet) {
	title := "Documents"
	if s.Currency != "" {
		title += ", amounts in " + s.Currency
	}
	p.section(title)
	row := func(bold bool, booked, document, session string, last []cell) {
		p.row(sizeSmall, append([]cell{{width: 18, bold: bold, text: booked},
			{width: 38, bold: bold, text: document},
			{width: sheetWidth - 56 - widthNet - widthVAT - widthGross, bold: bold,
				text: session}}, last...)...)
	}
	p.head = func() {
		row(true, "Booked on", "Document", "Session", amounts(true, "Net", "VAT", "Gross"))
		p.rule()
	}
	p.head()
	for i := range s.Documents {
		v := &s.Documents[i]
		row(false, v.BookingDate, documentWords(v), sessionWords(v),
			amounts(false, v.TotalExclVAT, v.TotalVAT, v.TotalInclVAT))
		p.gap(1)
	}
	p.head = nil
	pdfGroups(p, s.VATGroups, s.TotalExclVAT, s.TotalVAT, s.TotalInclVAT)
}

// documentWords names a document and the tariff that it is billed by.
func documentWords(v *chargestream.Invoice) string {
	words := []string{pdfTitle(v), v.InvoiceID}
	if v.Credits != "" {
		words = append(words, "credits "+v.Credits)
	}
	if v.TariffID != "" {
		words = append(words, "tariff "+string(v.TariffID)+" of "+
			zoneOf(v).day(v.TariffValidFrom))
	}
	if v.Estimated {
		words = append(words, "estimated")
	}
	return strings.Join(words, "\n")
}

// sessionWords is where and when a session was, and what the meter said.
func sessionWords(v *chargestream.Invoice) string {
	z := zoneOf(v)
	energy := joinTexts([]string{kWh(energyOf(v)), EnergyNote(v)})
	if v.ParkingSeconds != 0 {
		energy += ", parked " + clock(v.ParkingSeconds)
	}
	words := []string{joinTexts([]string{string(v.SiteID), string(v.StationID),
		"connector " + string(v.ConnectorID)}), z.span(v.StartTime, v.EndTime), energy}
	if v.MeterStart != nil && v.MeterStop != nil {
		words = append(words, "meter "+kWh(*v.MeterStart)+" to "+kWh(*v.MeterStop))
	}
	return strings.Join(words, "\n")
}

func (s *Statement) pdfHeld(p *sheet) {
	if len(s.Held) == 0 {
		return
	}
	p.section("Held: not sent, and in no sum above")
	for i := range s.Held {
		v := &s.Held[i]
		why := make([]string, len(v.HoldReasons))
		for j, r := range v.HoldReasons {
			why[j] = holdWords(r)
		}
		p.row(sizeSmall, cell{width: 18, text: v.BookingDate}, cell{width: 38,
			text: strings.TrimSpace(documentWords(v) + "\n" + v.TotalInclVAT + " " + v.Currency)},
			cell{width: 60, text: sessionWords(v)},
			cell{width: sheetWidth - 116, text: strings.Join(why, "\n")})
		p.gap(1)
	}
}
