package documents

import (
	"encoding/xml"
	"fmt"
	"io"
	"math/big"
	"strings"

	"chargestream"
)

// Codes of EN 16931 and of the lists that it takes them from.
const (
	ublSpecification = "urn:cen.eu:en16931:2017" // BT-24
	ublInvoice       = "380"                     // UNTDID 1001
	ublCreditNote    = "381"
	ublStandardRate  = "S" // UNTDID 5305
	ublZeroRate      = "Z"
	ublKWh           = "KWH" // UN/ECE Recommendation 20
	ublHour          = "HUR"
	ublOne           = "C62"
	ublObject        = "130" // the reference is the invoiced object, BT-18
)

// ublDigitsMax is how many decimals an amount may have (BR-DEC-01 to 28).
const ublDigitsMax = 2

// ublTerms is BT-20, which must be given where something is to be paid (BR-CO-25). A bill does not
// know the contract's.
const ublTerms = "As agreed in the charging contract."

// UBL writes one issued invoice or credit note as UBL 2.1, by the rules of EN 16931-1:2017. A
// credit note has positive amounts, and the effect of its kind.
//
// The amounts are those of the record, VAT included. It is of the exact sum (decision 9) and may
// so be a minor unit off that of the rounded one, by which EN 16931 computes (BR-CO-17); its rule
// allows less than one unit of the currency. What a bound of the tariff adds is a charge of the
// document, what one takes away an allowance: prices must not be negative (BR-27).
//
// The record has no address of the user. Where the standard asks for the buyer's country
// (BR-11), the seller's stands.
//
// Refused are held documents, amounts that do not add up, an unknown VAT rate, VAT that is too far
// off its rate, currencies of more than two decimals, bills without lines (BR-16) and users
// without a name (BR-07).
func UBL(w io.Writer, v *chargestream.Invoice, s *Seller) error { return Links{}.UBL(w, v, s) }

// UBL is UBL of a document that names the one that it replaces, or that replaces it.
func (l Links) UBL(w io.Writer, v *chargestream.Invoice, s *Seller) error {
	if err := ublCheckSeller(v, s); err != nil {
		return err
	}
	doc, err := ublDocument(v, s)
	if err != nil {
		return err
	}
	if l.Replaces != "" && doc.Billed == nil {
		doc.Billed = &ublReference{ID: l.Replaces} // BT-25
		doc.Notes = append(doc.Notes, "Replaces invoice "+l.Replaces+", which is credited.")
	}
	if l.ReplacedBy != "" {
		doc.Notes = append(doc.Notes, "Replaced by invoice "+l.ReplacedBy+".")
	}
	text, err := xml.MarshalIndent(doc, "", "  ")
	if err != nil {
		return refuse(v, "encode UBL: %w", err)
	}
	_, err = w.Write(append([]byte(xml.Header), append(text, '\n')...))
	return err
}

// ublCheckSeller wants what EN 16931 asks of the seller: BR-06, BR-09, BR-CO-09, BR-S-02.
func ublCheckSeller(v *chargestream.Invoice, s *Seller) error {
	capitals := func(text string) bool {
		return len(text) >= 2 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'A' &&
			text[1] <= 'Z'
	}
	switch {
	case s == nil || strings.TrimSpace(s.Name) == "":
		return refuse(v, "the seller has no name")
	case len(s.Country) != 2 || !capitals(s.Country):
		return refuse(v, "the seller's country %q is not two capital letters", s.Country)
	case !capitals(s.VATID):
		return refuse(v, "the seller's VAT id %q does not begin with its country", s.VATID)
	}
	return nil
}

// ublWriter makes one document of one record.
type ublWriter struct {
	v      *chargestream.Invoice
	digits int
	sign   int64 // -1 for a credit note, whose amounts are written positive
	// lines, charges and allowances are sums of what was written.
	lines, charges, allowances *big.Int
}

func ublDocument(v *chargestream.Invoice, s *Seller) (*ublDoc, error) {
	digits, err := digitsOf(v.Currency)
	switch {
	case v.Kind != chargestream.KindInvoice && !credit(v):
		return nil, refuse(v, "kind %q is not known", v.Kind)
	case !issued(v):
		return nil, refuse(v, "it is held, and e-invoices are of what is sent")
	case v.Currency == "":
		return nil, refuse(v, "it has no currency")
	case err != nil:
		return nil, refuse(v, "%w", err)
	case digits > ublDigitsMax:
		return nil, refuse(v, "%s has %d decimals, and amounts of EN 16931 have %d at most",
			v.Currency, digits, ublDigitsMax)
	case strings.TrimSpace(string(v.UserID)) == "":
		return nil, refuse(v, "no user is named, and EN 16931 wants a buyer")
	}
	b := &ublWriter{v: v, digits: digits, sign: 1, lines: new(big.Int), charges: new(big.Int),
		allowances: new(big.Int)}
	if credit(v) {
		b.sign = -1
	}
	doc := b.head(s)
	if err := b.bill(doc); err != nil {
		return nil, err
	}
	return doc, nil
}

// head is all but the amounts.
func (b *ublWriter) head(s *Seller) *ublDoc {
	v := b.v
	doc := &ublDoc{
		Namespace:     "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2",
		Aggregates:    "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2",
		Basics:        "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2",
		Specification: ublSpecification,
		ID:            v.InvoiceID,
		IssueDate:     v.BookingDate,
		InvoiceType:   ublInvoice,
		Notes:         ublNotes(v),
		Currency:      v.Currency,
		Object:        &ublReference{ID: string(v.SessionID), Type: ublObject},
		Supplier:      ublSupplier(s),
		Customer:      ublCustomer(v, s),
		Terms:         ublTerms,
	}
	doc.XMLName.Local = "Invoice"
	if credit(v) {
		doc.XMLName.Local = "CreditNote"
		doc.Namespace = "urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2"
		doc.InvoiceType, doc.CreditNoteType = "", ublCreditNote
		doc.Billed = &ublReference{ID: v.Credits}
	}
	z := zoneOf(v)
	if v.StartTime != 0 && v.EndTime >= v.StartTime {
		doc.Period = &ublPeriod{Start: z.day(v.StartTime), End: z.day(v.EndTime)}
	}
	return doc
}

func ublSupplier(s *Seller) ublParty {
	p := ublParty{
		Address: ublAddress{Street: s.Street, City: s.City, PostalCode: s.PostalCode,
			Country: s.Country},
		Tax:       &ublTax{ID: s.VATID, Scheme: "VAT"},
		LegalName: s.Name,
	}
	if s.Email != "" {
		p.Contact = &ublContact{Email: s.Email}
	}
	return p
}

func ublCustomer(v *chargestream.Invoice, s *Seller) ublParty {
	id := string(v.UserID)
	return ublParty{ID: &ublReference{ID: id}, Address: ublAddress{Country: s.Country},
		LegalName: id}
}

// ublNotes is BT-22: what the amounts depend on, for people.
func ublNotes(v *chargestream.Invoice) []string {
	z := zoneOf(v)
	notes := []string{"Charging session " + string(v.SessionID) + ", station " +
		string(v.StationID) + ", connector " + string(v.ConnectorID) + ", " +
		z.span(v.StartTime, v.EndTime) + ", " + kWh(v.Energy) + "."}
	if v.MeterStart != nil && v.MeterStop != nil {
		note := "Meter " + kWh(*v.MeterStart) + " to " + kWh(*v.MeterStop)
		if differs := EnergyNote(v); differs != "" {
			note += "; the energy is " + differs
		}
		notes = append(notes, note+".")
	}
	if v.Estimated {
		notes = append(notes, "Amounts depend on an estimate.")
	}
	return notes
}

// bill writes the lines and sums, and holds them against the totals of the record.
func (b *ublWriter) bill(doc *ublDoc) error {
	s := newSums(b.digits)
	if err := s.addInvoice(b.v); err != nil {
		return err
	}
	of := newSums(b.digits)
	alone := !containsPriced(b.v.Lines)
	for i := range b.v.Lines {
		l := &b.v.Lines[i]
		m, err := readMoney(l.ExclVAT, l.VAT, l.InclVAT, b.digits)
		if err == nil {
			of.add(l.VATPercent, m)
			err = b.line(doc, l, m.excl, alone)
		}
		if err != nil {
			return refuse(b.v, "line %d: %w", i+1, err)
		}
	}
	if len(doc.Lines)+len(doc.CreditLines) == 0 {
		return refuse(b.v, "it has no lines, and EN 16931 wants one")
	}
	groups := s.groups()
	for _, g := range groups {
		if m, ok := of.byRate[g.VATPercent]; !ok || !m.equal(s.byRate[g.VATPercent]) {
			return refuse(b.v, "the lines with VAT of %s %% do not add up to their group",
				g.VATPercent)
		}
		if err := b.group(doc, g.VATPercent, s.byRate[g.VATPercent]); err != nil {
			return refuse(b.v, "%w", err)
		}
	}
	if len(groups) != len(of.byRate) {
		return refuse(b.v, "a line has a VAT rate that is not among the groups")
	}
	b.total(doc, s.total)
	return nil
}

// bound reports whether a line is what a bound of the tariff adds or takes away.
func bound(l *chargestream.InvoiceLine) bool {
	return l.Dimension == "MIN_PRICE" || l.Dimension == "MAX_PRICE"
}

func containsPriced(lines []chargestream.InvoiceLine) bool {
	for i := range lines {
		if !bound(&lines[i]) {
			return true
		}
	}
	return false
}

// amount writes minor units.
func (b *ublWriter) amount(n *big.Int) ublAmount {
	return ublAmount{Currency: b.v.Currency, Text: fixed(n, b.digits)}
}

// turned is an amount of the record in the direction of the document's kind.
func (b *ublWriter) turned(n *big.Int) *big.Int {
	return new(big.Int).Mul(n, big.NewInt(b.sign))
}

// line writes one line. That of a bound becomes a charge or an allowance, unless it adds something
// and stands alone.
func (b *ublWriter) line(
	doc *ublDoc, l *chargestream.InvoiceLine, excl *big.Int, alone bool,
) error {
	category, err := ublCategory(l.VATPercent)
	if err != nil {
		return err
	}
	excl = b.turned(excl)
	if bound(l) {
		switch {
		case excl.Sign() < 0 || excl.Sign() == 0 && l.Dimension == "MAX_PRICE":
			off := new(big.Int).Neg(excl)
			b.allowances.Add(b.allowances, off)
			doc.Adjustments = append(doc.Adjustments, ublAdjustment{Charge: false,
				Reason: ublName(l), Amount: b.amount(off), Category: category})
			return nil
		case !alone:
			b.charges.Add(b.charges, excl)
			doc.Adjustments = append(doc.Adjustments, ublAdjustment{Charge: true,
				Reason: ublName(l), Amount: b.amount(excl), Category: category})
			return nil
		}
	}
	line := ublLine{Amount: b.amount(excl), Name: ublName(l), Category: category}
	quantity, err := b.quantity(l, &line)
	if err != nil {
		return err
	}
	b.lines.Add(b.lines, excl)
	if credit(b.v) {
		line.Credited, line.ID = quantity, len(doc.CreditLines)+1
		doc.CreditLines = append(doc.CreditLines, line)
		return nil
	}
	line.Invoiced, line.ID = quantity, len(doc.Lines)+1
	doc.Lines = append(doc.Lines, line)
	return nil
}

// quantity is what a line bills, and writes its price; of a bound that is one of its amount.
func (b *ublWriter) quantity(l *chargestream.InvoiceLine, line *ublLine) (*ublQuantity, error) {
	if bound(l) {
		line.Price = line.Amount
		return &ublQuantity{Unit: ublOne, Text: "1"}, nil
	}
	if !decimal(l.Quantity) || !decimal(l.UnitPrice) || l.UnitPrice[0] == '-' {
		return nil, fmt.Errorf("a quantity of %q at a price of %q", l.Quantity, l.UnitPrice)
	}
	line.Price = ublAmount{Currency: b.v.Currency, Text: l.UnitPrice}
	if credit(b.v) {
		return &ublQuantity{Unit: ublUnit(l.Unit), Text: negated(l.Quantity)}, nil
	}
	return &ublQuantity{Unit: ublUnit(l.Unit), Text: l.Quantity}, nil
}

// ublName is BT-153 of a line, and BT-97 or BT-104 of an adjustment.
func ublName(l *chargestream.InvoiceLine) string {
	name := l.Description
	if strings.TrimSpace(name) == "" {
		name = l.Dimension
	}
	if l.Estimated {
		name += " (estimated)"
	}
	return name
}

func ublUnit(unit string) string {
	switch unit {
	case "kWh":
		return ublKWh
	case "h":
		return ublHour
	}
	return ublOne
}

// ublCategory is the VAT category of a rate: standard above 0, which reduced rates are too, else
// zero rated.
func ublCategory(percent string) (ublTaxCategory, error) {
	percent = rate(percent)
	if !decimal(percent) || percent[0] == '-' {
		return ublTaxCategory{}, fmt.Errorf("VAT rate %q: EN 16931 wants a known one", percent)
	}
	c := ublTaxCategory{ID: ublStandardRate, Percent: percent, Scheme: "VAT"}
	if strings.Trim(percent, "0.") == "" {
		c.ID = ublZeroRate
	}
	return c, nil
}

// group writes the VAT of one rate.
func (b *ublWriter) group(doc *ublDoc, percent string, m money) error {
	category, err := ublCategory(percent)
	if err != nil {
		return err
	}
	if !b.near(percent, m) {
		return fmt.Errorf("VAT of %s on %s is too far off the rate of %s %% for EN 16931",
			fixed(m.vat, b.digits), fixed(m.excl, b.digits), percent)
	}
	doc.Tax.Groups = append(doc.Tax.Groups, ublTaxGroup{
		Taxable: b.amount(b.turned(m.excl)), Amount: b.amount(b.turned(m.vat)),
		Category: category})
	return nil
}

// near reports whether VAT is less than one unit of the currency off that of the rounded amount,
// which is what the published rules of EN 16931 allow (BR-CO-17, BR-S-09), and nothing at all
// where the rate is 0 (BR-Z-09).
func (b *ublWriter) near(percent string, m money) bool {
	if strings.Trim(percent, "0.") == "" {
		return m.vat.Sign() == 0
	}
	p, ok := new(big.Rat).SetString(percent)
	if !ok {
		return false
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(b.digits)), nil)
	off := new(big.Rat).Mul(new(big.Rat).SetInt(m.excl), p)
	off.Quo(off, big.NewRat(100, 1)).Sub(off, new(big.Rat).SetInt(m.vat)).Abs(off)
	// Half a hundredth may be added where the rule rounds.
	off.Quo(off, new(big.Rat).SetInt(unit)).Add(off, big.NewRat(1, 200))
	return off.Cmp(big.NewRat(1, 1)) < 0
}

// total writes the sums of the document.
func (b *ublWriter) total(doc *ublDoc, total money) {
	incl := b.amount(b.turned(total.incl))
	doc.Tax.Amount = b.amount(b.turned(total.vat))
	doc.Total = ublTotal{Lines: b.amount(b.lines), Excl: b.amount(b.turned(total.excl)),
		Incl: incl, Payable: incl}
	if len(doc.Adjustments) > 0 {
		allowances, charges := b.amount(b.allowances), b.amount(b.charges)
		doc.Total.Allowances, doc.Total.Charges = &allowances, &charges
	}
}
