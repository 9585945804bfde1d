package billing_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"chargestream"
	"chargestream/internal/tabletest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestScripts runs the scripts in testdata: see tabletest.RunScripts for the events, and
// tabletest.Printer for the commands that print rows. Besides there are
//
//	tariff CURRENCY [DIMENSION PRICE VAT STEP]... [id=ID] [valid=TIME] [arrival=TIME]
//	registry [tariff=ID] [zone=NAME] [power=W] [arrival=TIME]
//	sent                    prints the invoices and anomalies that were sent since the last sent
//	invoice SESSION         prints the bill that is live now
//	parking SESSION         prints how long of it is billed as parking
//
// A tariff or an entry of the registry arrived on the day before, but for arrival=TIME. The station
// has the tariff t until its registry names another.
func TestScripts(t *testing.T) {
	tabletest.RunScripts(t, *update, func() tabletest.Machine { return newScript() })
}

// script is what a script has come to.
type script struct {
	*pump
	*tabletest.Printer
	shelf *shelf
	sent  []string
}

func newScript() *script {
	s := &script{shelf: newShelf()}
	s.pump = newPump(s.shelf)
	s.Printer = tabletest.NewPrinter(s.pump.Rows)
	s.anomaly = func(a chargestream.Anomaly) { s.sent = append(s.sent, tabletest.ShowAnomaly(&a)) }
	s.invoice = func(v chargestream.Invoice) { s.sent = append(s.sent, showBill(&v)) }
	return s
}

// Fold implements tabletest.Machine.
func (s *script) Fold(event chargestream.Event, arrival chargestream.Millis) error {
	return s.pump.Fold(event, arrival)
}

// Do implements tabletest.Machine.
func (s *script) Do(command string, w *tabletest.Words) (string, error) {
	switch command {
	case "tariff":
		s.publish(w)
		return "", nil
	case "registry":
		s.register(w)
		return "", nil
	case "sent":
		list := s.sent
		s.sent = nil
		return tabletest.OrNone(strings.Join(list, "")), nil
	case "invoice":
		if v := s.live(chargestream.SessionID(w.Next())); v != nil {
			return showInvoice(v), nil
		}
		return tabletest.OrNone(""), nil
	case "parking":
		if v := s.live(chargestream.SessionID(w.Next())); v != nil {
			return fmt.Sprintf("%d of %d s\n", v.ParkingSeconds, v.DurationSeconds), nil
		}
		return tabletest.OrNone(""), nil
	}
	return s.Printer.Do(command, w)
}

// publish adds a tariff, and, where there is no entry for the station yet, one that names t.
func (s *script) publish(w *tabletest.Words) {
	currency := w.Next()
	var components []component
	for w.More() {
		c := component{Type: w.Next(), Price: json.Number(w.Next()), VAT: json.Number(w.Next())}
		step, err := strconv.ParseInt(w.Next(), 10, 64)
		if err != nil {
			w.Fail(err)
		}
		c.Step = step
		components = append(components, c)
	}
	id, valid := chargestream.TariffID("t"), yesterday
	if name, ok := w.Named["id"]; ok {
		id = chargestream.TariffID(name)
	}
	if _, ok := w.Named["valid"]; ok {
		valid = w.TimeOf("valid")
	}
	s.shelf.publish(arrivalOf(w), id, versionOf(valid, currency, components...))
	if s.shelf.registry["st"] == nil {
		s.shelf.register(yesterday, &chargestream.StationInfo{StationID: "st", TariffID: "t"})
	}
}

func (s *script) register(w *tabletest.Words) {
	info := &chargestream.StationInfo{StationID: "st", TimeZone: w.Named["zone"],
		TariffID: chargestream.TariffID(w.Named["tariff"])}
	if power := tabletest.Number[chargestream.Watts](w, "power"); power != nil {
		info.MaxPower = *power
	}
	s.shelf.register(arrivalOf(w), info)
}

// arrivalOf is when reference data arrived: the day before, where nothing else is given.
func arrivalOf(w *tabletest.Words) chargestream.Millis {
	if _, ok := w.Named["arrival"]; ok {
		return w.TimeOf("arrival")
	}
	return yesterday
}

// live is the invoice of a session that is not credited; nil for none.
func (s *script) live(id chargestream.SessionID) *chargestream.Invoice {
	row := s.pump.Sessions[id]
	if row == nil {
		return nil
	}
	history := must(s.billed(id).History(row.BilledUpTo))
	if len(history) == 0 {
		return nil
	}
	return &history[len(history)-1]
}

func reasons(list []chargestream.HoldReason) string {
	text := ""
	for _, r := range list {
		text += " " + string(r)
	}
	return text
}

// showBill writes an invoice in one line, without its id, which depends on every field.
func showBill(v *chargestream.Invoice) string {
	return fmt.Sprintf("%s %s revision %d of %s: %s%s, %s%s\n", v.Kind, v.SessionID, v.Revision,
		clock(v.IssuedAt), v.TotalInclVAT, currencyOf(v), v.Status, reasons(v.HoldReasons))
}

func showBills(list []chargestream.Invoice) string {
	text := ""
	for i := range list {
		text += showInvoice(&list[i])
	}
	return text
}

func currencyOf(v *chargestream.Invoice) string {
	if v.Currency == "" {
		return ""
	}
	return " " + v.Currency
}

func showInvoice(v *chargestream.Invoice) string {
	var b strings.Builder
	b.WriteString(showBill(v))
	fmt.Fprintf(&b, "  %s, connector %s, %s to %s, %d s, %d Wh%s\n", v.UserID, v.ConnectorID,
		clock(v.StartTime), clock(v.EndTime), v.DurationSeconds, v.Energy,
		tabletest.Flagged("estimated", v.Estimated))
	if v.ParkingSeconds != 0 {
		fmt.Fprintf(&b, "  parked for %d s\n", v.ParkingSeconds)
	}
	for _, h := range v.Holds {
		fmt.Fprintf(&b, "  held for %s%s\n", h.Reason, showEvidence(h.Evidence))
	}
	for _, d := range v.Decisions {
		fmt.Fprintf(&b, "  %s %s by %s at %s\n", d.Action, d.DecisionID, d.By, clock(d.DecidedAt))
	}
	for _, l := range v.Lines {
		fmt.Fprintf(&b, "  %-6s %s %s at %s: %s + %s %% %s = %s\n", l.Dimension, l.Quantity, l.Unit,
			l.UnitPrice, l.ExclVAT, l.VATPercent, l.VAT, l.InclVAT)
	}
	fmt.Fprintf(&b, "  total %s + %s = %s\n", v.TotalExclVAT, v.TotalVAT, v.TotalInclVAT)
	return b.String()
}

func showEvidence(e chargestream.Evidence) string {
	text := ""
	for _, name := range slices.Sorted(maps.Keys(e)) {
		text += fmt.Sprintf(" %s=%v", name, e[name])
	}
	return text
}
