package documents

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"chargestream"
)

// field is one cell of a row, and the column that it stands in.
type field struct{ column, cell string }

// fieldsOf is the row of one document. Times have the offset of the station's zone, lists are
// joined by a space, and amounts are decimal text with a point.
func fieldsOf(v *chargestream.Invoice) []field {
	z := zoneOf(v)
	reasons := make([]string, len(v.HoldReasons))
	for i, r := range v.HoldReasons {
		reasons[i] = string(r)
	}
	decisions := make([]string, len(v.Decisions))
	for i := range v.Decisions {
		decisions[i] = v.Decisions[i].DecisionID
	}
	return []field{
		{"invoice_id", textCell(v.InvoiceID)},
		{"kind", textCell(string(v.Kind))},
		{"status", textCell(string(v.Status))},
		{"hold_reasons", textCell(strings.Join(reasons, " "))},
		{"revision", strconv.Itoa(v.Revision)},
		{"credits", textCell(v.Credits)},
		{"booking_date", textCell(v.BookingDate)},
		{"issued_at", z.rfc3339(v.IssuedAt)},
		{"session_id", textCell(string(v.SessionID))},
		{"site_id", textCell(string(v.SiteID))},
		{"station_id", textCell(string(v.StationID))},
		{"connector_id", textCell(string(v.ConnectorID))},
		{"user_id", textCell(string(v.UserID))},
		{"time_zone", textCell(v.TimeZone)},
		{"start_time", z.rfc3339(v.StartTime)},
		{"end_time", z.rfc3339(v.EndTime)},
		{"duration_s", strconv.FormatInt(v.DurationSeconds, 10)},
		{"parking_s", strconv.FormatInt(v.ParkingSeconds, 10)},
		{"energy_wh", wattHours(energyOf(v))}, // negative in a credit note, so that they add up
		{"meter_start_wh", register(v.MeterStart)},
		{"meter_stop_wh", register(v.MeterStop)},
		{"estimated", strconv.FormatBool(v.Estimated)},
		{"tariff_id", textCell(string(v.TariffID))},
		{"tariff_valid_from", z.rfc3339(v.TariffValidFrom)},
		{"decisions", textCell(strings.Join(decisions, " "))},
		{"signed_values", strconv.Itoa(len(v.SignedData))},
		{columnCurrency, textCell(v.Currency)},
		{columnExcl, numberCell(v.TotalExclVAT)},
		{columnVAT, numberCell(v.TotalVAT)},
		{columnIncl, numberCell(v.TotalInclVAT)},
	}
}

// The columns of amounts.
const (
	columnCurrency = "currency"
	columnExcl     = "total_excl_vat"
	columnVAT      = "total_vat"
	columnIncl     = "total_incl_vat"
)

// header are the columns of a document.
func header() []string {
	fields := fieldsOf(&chargestream.Invoice{})
	columns := make([]string, len(fields))
	for i := range fields {
		columns[i] = fields[i].column
	}
	return columns
}

// row are the cells of a document.
func row(v *chargestream.Invoice) []string {
	fields := fieldsOf(v)
	cells := make([]string, len(fields))
	for i := range fields {
		cells[i] = fields[i].cell
	}
	return cells
}

// CSV writes one row a document, below a header. A text that a spreadsheet could take for a
// formula begins with an apostrophe; JSON has it as it is.
//
// Behind the columns of all documents stand which invoice each replaces or is replaced by, of links
// by invoice_id as LinksOf gives them, and its VAT rates, three columns a rate: as many as the
// document with the most rates has, and one rate at least.
func CSV(w io.Writer, list []chargestream.Invoice, links map[string]Links) error {
	rates := 1
	for i := range list {
		rates = max(rates, len(groups(&list[i])))
	}
	rows := make([][]string, 0, len(list)+1)
	head := append(header(), "replaces", "replaced_by")
	for n := range rates {
		behind := "_" + strconv.Itoa(n+1)
		head = append(head, "vat_percent"+behind, "vat_base"+behind, "vat_amount"+behind)
	}
	rows = append(rows, head)
	for i := range list {
		link := links[list[i].InvoiceID]
		cells := append(row(&list[i]), textCell(link.Replaces), textCell(link.ReplacedBy))
		for _, g := range groups(&list[i]) {
			cells = append(cells, numberCell(g.VATPercent), numberCell(g.ExclVAT),
				numberCell(g.VAT))
		}
		for len(cells) < len(head) {
			cells = append(cells, "")
		}
		rows = append(rows, cells)
	}
	return csv.NewWriter(w).WriteAll(rows)
}

func wattHours(e chargestream.WattHours) string { return strconv.FormatInt(int64(e), 10) }

// register is a reading, empty where there is none.
func register(e *chargestream.WattHours) string {
	if e == nil {
		return ""
	}
	return wattHours(*e)
}

// formulaLetters are those with which spreadsheets let a formula begin, the wide forms of the
// East included.
const formulaLetters = "=+-@\t\r\n＝＋－＠"

// textCell is a cell that no spreadsheet computes: some skip spaces before they look.
func textCell(cell string) string {
	for _, first := range strings.TrimLeft(cell, " \u00a0") {
		if strings.ContainsRune(formulaLetters, first) {
			return "'" + cell
		}
		break
	}
	return cell
}

// numberCell is a cell that may be negative, if it is a number.
func numberCell(cell string) string {
	if decimal(cell) {
		return cell
	}
	return textCell(cell)
}
