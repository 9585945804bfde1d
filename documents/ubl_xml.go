package documents

import "encoding/xml"

// ublDoc is the Invoice or CreditNote of UBL 2.1. Their elements come in this order in both.
type ublDoc struct {
	XMLName        xml.Name
	Namespace      string          `xml:"xmlns,attr"`
	Aggregates     string          `xml:"xmlns:cac,attr"`
	Basics         string          `xml:"xmlns:cbc,attr"`
	Specification  string          `xml:"cbc:CustomizationID"`
	ID             string          `xml:"cbc:ID"`
	IssueDate      string          `xml:"cbc:IssueDate"`
	InvoiceType    string          `xml:"cbc:InvoiceTypeCode,omitempty"`
	CreditNoteType string          `xml:"cbc:CreditNoteTypeCode,omitempty"`
	Notes          []string        `xml:"cbc:Note"`
	Currency       string          `xml:"cbc:DocumentCurrencyCode"`
	Period         *ublPeriod      `xml:"cac:InvoicePeriod"`
	Billed         *ublReference   `xml:"cac:BillingReference>cac:InvoiceDocumentReference"`
	Object         *ublReference   `xml:"cac:AdditionalDocumentReference"`
	Supplier       ublParty        `xml:"cac:AccountingSupplierParty>cac:Party"`
	Customer       ublParty        `xml:"cac:AccountingCustomerParty>cac:Party"`
	Terms          string          `xml:"cac:PaymentTerms>cbc:Note"`
	Adjustments    []ublAdjustment `xml:"cac:AllowanceCharge"`
	Tax            ublTaxTotal     `xml:"cac:TaxTotal"`
	Total          ublTotal        `xml:"cac:LegalMonetaryTotal"`
	Lines          []ublLine       `xml:"cac:InvoiceLine"`
	CreditLines    []ublLine       `xml:"cac:CreditNoteLine"`
}

type ublPeriod struct {
	Start string `xml:"cbc:StartDate"`
	End   string `xml:"cbc:EndDate"`
}

type ublReference struct {
	ID   string `xml:"cbc:ID"`
	Type string `xml:"cbc:DocumentTypeCode,omitempty"`
}

type ublParty struct {
	ID        *ublReference `xml:"cac:PartyIdentification"`
	Address   ublAddress    `xml:"cac:PostalAddress"`
	Tax       *ublTax       `xml:"cac:PartyTaxScheme"`
	LegalName string        `xml:"cac:PartyLegalEntity>cbc:RegistrationName"`
	Contact   *ublContact   `xml:"cac:Contact"`
}

type ublAddress struct {
	Street     string `xml:"cbc:StreetName,omitempty"`
	City       string `xml:"cbc:CityName,omitempty"`
	PostalCode string `xml:"cbc:PostalZone,omitempty"`
	Country    string `xml:"cac:Country>cbc:IdentificationCode"`
}

type ublTax struct {
	ID     string `xml:"cbc:CompanyID"`
	Scheme string `xml:"cac:TaxScheme>cbc:ID"`
}

type ublContact struct {
	Email string `xml:"cbc:ElectronicMail"`
}

type ublAmount struct {
	Currency string `xml:"currencyID,attr"`
	Text     string `xml:",chardata"`
}

type ublQuantity struct {
	Unit string `xml:"unitCode,attr"`
	Text string `xml:",chardata"`
}

type ublTaxCategory struct {
	ID      string `xml:"cbc:ID"`
	Percent string `xml:"cbc:Percent"`
	Scheme  string `xml:"cac:TaxScheme>cbc:ID"`
}

type ublAdjustment struct {
	Charge   bool           `xml:"cbc:ChargeIndicator"`
	Reason   string         `xml:"cbc:AllowanceChargeReason"`
	Amount   ublAmount      `xml:"cbc:Amount"`
	Category ublTaxCategory `xml:"cac:TaxCategory"`
}

type ublTaxTotal struct {
	Amount ublAmount     `xml:"cbc:TaxAmount"`
	Groups []ublTaxGroup `xml:"cac:TaxSubtotal"`
}

type ublTaxGroup struct {
	Taxable  ublAmount      `xml:"cbc:TaxableAmount"`
	Amount   ublAmount      `xml:"cbc:TaxAmount"`
	Category ublTaxCategory `xml:"cac:TaxCategory"`
}

type ublTotal struct {
	Lines      ublAmount  `xml:"cbc:LineExtensionAmount"`
	Excl       ublAmount  `xml:"cbc:TaxExclusiveAmount"`
	Incl       ublAmount  `xml:"cbc:TaxInclusiveAmount"`
	Allowances *ublAmount `xml:"cbc:AllowanceTotalAmount"`
	Charges    *ublAmount `xml:"cbc:ChargeTotalAmount"`
	Payable    ublAmount  `xml:"cbc:PayableAmount"`
}

type ublLine struct {
	ID       int            `xml:"cbc:ID"`
	Invoiced *ublQuantity   `xml:"cbc:InvoicedQuantity"`
	Credited *ublQuantity   `xml:"cbc:CreditedQuantity"`
	Amount   ublAmount      `xml:"cbc:LineExtensionAmount"`
	Name     string         `xml:"cac:Item>cbc:Name"`
	Category ublTaxCategory `xml:"cac:Item>cac:ClassifiedTaxCategory"`
	Price    ublAmount      `xml:"cac:Price>cbc:PriceAmount"`
}
