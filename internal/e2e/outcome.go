package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"chargestream"
	"chargestream/billing"
	"chargestream/codecs"
	"chargestream/internal/oracle"
	"chargestream/processors"
	"chargestream/tables"
)

// Outcome is what came out: the rows of the sessions table and the last record of each key of the
// derived topics.
type Outcome struct {
	Sessions    map[string][]byte
	Invoices    map[string][]byte
	Utilization map[string][]byte
	Anomalies   map[string][]byte
}

// Plain is the outcome in the oracle's types.
func (o *Outcome) Plain() (*oracle.Expected, error) {
	x := oracle.New()
	for _, read := range []func(*oracle.Expected) error{
		o.readSessions, o.readInvoices, o.readUtilization, o.readAnomalies} {
		if err := read(x); err != nil {
			return nil, err
		}
	}
	x.Total()
	return x, nil
}

func (o *Outcome) readSessions(x *oracle.Expected) error {
	for key, raw := range o.Sessions {
		station, id, ok := processors.ParseSessionKey(key)
		if !ok {
			return fmt.Errorf("session key %q has no station", key)
		}
		row, err := tables.DecodeSession(raw)
		if err != nil {
			return fmt.Errorf("session %q: %w", key, err)
		}
		v := billing.State(id, station, row)
		s := oracle.Session{Station: string(v.StationID), Connector: string(v.ConnectorID),
			User: string(v.UserID), StartMs: int64(v.StartTime), EndMs: int64(v.EndTime),
			HasEnd: v.EndTime != 0, HasEnergy: v.Energy != nil}
		if v.Energy != nil {
			s.EnergyWh = int64(*v.Energy)
		}
		if _, ok := x.Sessions[string(id)]; ok {
			return fmt.Errorf("session %q is at two stations", id)
		}
		x.Sessions[string(id)] = s
	}
	return nil
}

func (o *Outcome) readInvoices(x *oracle.Expected) error {
	credited := map[string]bool{}
	var live []chargestream.Invoice
	for id, raw := range o.Invoices {
		var v chargestream.Invoice
		if err := json.Unmarshal(raw, &v); err != nil {
			return fmt.Errorf("invoice %q: %w", id, err)
		}
		if v.Kind == chargestream.KindCreditNote {
			credited[v.Credits] = true
		} else {
			live = append(live, v)
		}
	}
	for i := range live {
		if credited[live[i].InvoiceID] {
			continue
		}
		plain, err := plainInvoice(&live[i])
		if err != nil {
			return fmt.Errorf("invoice %q: %w", live[i].InvoiceID, err)
		}
		x.AddInvoice(string(live[i].SessionID), plain)
	}
	return nil
}

func plainInvoice(v *chargestream.Invoice) (oracle.Invoice, error) {
	p := oracle.Invoice{Station: string(v.StationID), Connector: string(v.ConnectorID),
		User: string(v.UserID), Currency: v.Currency, StartMs: int64(v.StartTime),
		EndMs: int64(v.EndTime), DurationS: v.DurationSeconds, EnergyWh: int64(v.Energy),
		Held: v.Status == chargestream.StatusHeld}
	for _, r := range v.HoldReasons {
		p.Reasons = append(p.Reasons, string(r))
	}
	cents := centReader{}
	p.ExclCents, p.VATCents = cents.read(v.TotalExclVAT), cents.read(v.TotalVAT)
	p.InclCents = cents.read(v.TotalInclVAT)
	for _, l := range v.Lines {
		if strings.Trim(l.Measured, "0.") == "" {
			continue // of what no quantity was used the oracle has no line
		}
		line := oracle.Line{Dimension: l.Dimension, ExclCents: cents.read(l.ExclVAT),
			VATCents: cents.read(l.VAT), InclCents: cents.read(l.InclVAT)}
		line.UnitPrice, line.VATPercent = cents.decimal(l.UnitPrice), cents.decimal(l.VATPercent)
		line.Quantity = cents.quantity(l)
		p.Lines = append(p.Lines, line)
	}
	return p, cents.err
}

// centReader reads texts of an invoice and keeps the first error.
type centReader struct{ err error }

func (c *centReader) note(err error) {
	if c.err == nil {
		c.err = err
	}
}

func (c *centReader) read(text string) int64 {
	n, err := oracle.Cents(text)
	c.note(err)
	return n
}

func (c *centReader) decimal(text string) string {
	d, err := oracle.Decimal(text)
	c.note(err)
	return d
}

// quantity is Wh of an ENERGY line, rounded half up, seconds of a TIME line and else a number.
func (c *centReader) quantity(l chargestream.InvoiceLine) int64 {
	const million = 1_000_000
	micro, err := codecs.ParseScaled(l.Quantity, 6)
	c.note(err)
	switch l.Unit {
	case "kWh":
		return (micro*1000 + million/2) / million
	case "h":
		return (micro*3600 + million/2) / million
	}
	return micro / million
}

func (o *Outcome) readUtilization(x *oracle.Expected) error {
	for key, raw := range o.Utilization {
		var u chargestream.Utilization
		if err := json.Unmarshal(raw, &u); err != nil {
			return fmt.Errorf("window %q: %w", key, err)
		}
		parts := u.Occupied + u.Available + u.Reserved + u.Unavailable + u.Faulted + u.Unknown
		if parts != 3600 {
			return fmt.Errorf("window %q: its parts add up to %d s", key, parts)
		}
		if !u.Final {
			return fmt.Errorf("window %q is not final", key)
		}
		station, connector := string(u.StationID), string(u.ConnectorID)
		x.Windows[oracle.WindowKey(station, connector, int64(u.WindowStart))] = oracle.Window{
			Station: station, Connector: connector, StartMs: int64(u.WindowStart),
			OccupiedS: u.Occupied, UnknownS: u.Unknown, EnergyWh: int64(u.Energy),
			Sessions: u.Sessions, Revision: u.Revision}
		x.Connectors[oracle.ConnectorKey(station, connector)] += u.Occupied
	}
	return nil
}

func (o *Outcome) readAnomalies(x *oracle.Expected) error {
	for id, raw := range o.Anomalies {
		var a chargestream.Anomaly
		if err := json.Unmarshal(raw, &a); err != nil {
			return fmt.Errorf("anomaly %q: %w", id, err)
		}
		if a.Evidence[tables.EvidenceWithdrawn] != "" {
			continue
		}
		state := oracle.StateOpen
		if a.ClosedAt != 0 {
			state = oracle.StateClosed
		}
		key, form := anomalyKey(&a)
		if id != form {
			return fmt.Errorf("anomaly %q must have the key %q", id, form)
		}
		x.AddAnomaly(key, oracle.Anomaly{Count: 1, Kind: string(a.Kind),
			Station: string(a.StationID), State: state})
	}
	return nil
}

// anomalyKey is the oracle's key of an anomaly, and the key that its record must have.
//
// A window reports which two sessions overlap, and a station that its clock was ahead. What holds
// a bill is reported of its session besides, under the same kinds.
func anomalyKey(a *chargestream.Anomaly) (key, form string) {
	kind, station, session := string(a.Kind), string(a.StationID), string(a.SessionID)
	form = kind + "/" + station + "/"
	if a.Kind == chargestream.AnomalyClockSkew && session == "" {
		return oracle.SkewKey(station, int64(a.OpenedAt)),
			form + a.OpenedAt.Time().UTC().Format(time.DateOnly)
	}
	other := a.Evidence["other_session_id"]
	if pair := form + other + "/" + session; a.Kind == chargestream.AnomalyOverlap &&
		other != "" && a.AnomalyID == pair {
		return oracle.OverlapKey(other, session), pair
	}
	return oracle.AnomalyKey(kind, session), form + session
}
