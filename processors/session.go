package processors

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"chargestream"
	"chargestream/internal/engine"
	"chargestream/tables"
	"chargestream/topics"
)

// Sessions merges the parts of each session, tells the windows when it was, and bills it.
//
// The stations hand it, in this order, the start, the quarter hours, the end and the word that
// the session is settled. Then it asks the window of its start whether it is the copy of another
// session, and with the answer the invoice is due.
func Sessions(count Counter) *engine.Processor {
	f := &sessionFold{count: orSilent(count)}
	return &engine.Processor{
		Group:   topics.GroupSessions,
		Inputs:  []string{topics.SessionParts},
		Lookups: []string{topics.Stations, topics.Tariffs},
		Outputs: []string{topics.Invoices, topics.HourParts, topics.Anomalies, topics.DeadLetters},
		Fold:    f.fold,
	}
}

type sessionFold struct{ count Counter }

func (f *sessionFold) fold(ctx engine.Context, m *engine.Message) error {
	if m.Key == "" {
		deadLetter(ctx, f.count, m, ReasonNullKey, errors.New("a part is keyed by its session"))
		return nil
	}
	part, err := tables.DecodeSession(m.Value)
	if err != nil {
		deadLetter(ctx, f.count, m, ReasonMalformed, err)
		return nil
	}
	before, err := readSession(ctx)
	if err != nil {
		return err
	}
	row, err := readSession(ctx)
	if err != nil {
		return err
	}
	row.Merge(part)
	if len(row.Quarters) >= tables.SessionQuartersMax {
		f.count.Bound("session_quarters")
	}
	id := chargestream.SessionID(ctx.Key())
	ctx.SetRow(row.Append(nil))
	f.tellWindows(ctx, id, before, row)
	if err := emitAnomalies(ctx, before.Anomalies(id), row.Anomalies(id)); err != nil {
		return err
	}
	return f.bill(ctx, id, before, row)
}

// tellWindows sends what changed of the session's intervals, and asks for the verdict when the
// session has come so far that it will be billed.
func (f *sessionFold) tellWindows(
	ctx engine.Context,
	id chargestream.SessionID,
	before, row *tables.Session,
) {
	old, now := before.Intervals(id), row.Intervals(id)
	if !slices.EqualFunc(old, now, sameInterval) {
		emitHourParts(ctx, now)
	}
	asks := func(s *tables.Session) bool {
		return s.Settled && len(s.Starts) > 0 && len(s.Ends) > 0
	}
	if asks(row) && !asks(before) {
		start := &row.Starts[0]
		key := tables.HourKey{StationID: row.StationID, ConnectorID: start.ConnectorID,
			Start: start.At.Truncate(chargestream.Hour)}
		emitHourParts(ctx, []tables.HourPart{{Key: key, Check: id}})
	}
}

func sameInterval(a, b tables.HourPart) bool {
	return a.Key == b.Key && a.Row.Stays[0].Interval.Same(&b.Row.Stays[0].Interval)
}

// bill sends what changed of the session's invoice: a credit note for one that was sent before
// and says something else now, and the new one.
func (f *sessionFold) bill(
	ctx engine.Context,
	id chargestream.SessionID,
	before, row *tables.Session,
) error {
	if !before.Billable() && !row.Billable() {
		return nil
	}
	oldTariff, err := tariffOf(ctx, before.StationID)
	if err != nil {
		return err
	}
	tariff, err := tariffOf(ctx, row.StationID)
	if err != nil {
		return err
	}
	old, sent := before.Invoice(id, oldTariff)
	now, due := row.Invoice(id, tariff)
	if sent && due && old.InvoiceID == now.InvoiceID {
		return nil
	}
	if sent {
		note := tables.CreditNote(old)
		if err := emitJSON(ctx, topics.Invoices, note.InvoiceID, note); err != nil {
			return err
		}
	}
	if due {
		return emitJSON(ctx, topics.Invoices, now.InvoiceID, now)
	}
	return nil
}

func readSession(ctx engine.Context) (*tables.Session, error) {
	raw, err := ctx.Row()
	if err != nil || raw == nil {
		return &tables.Session{}, err
	}
	row, err := tables.DecodeSession(raw)
	if err != nil {
		return nil, fmt.Errorf("session %q: %w", ctx.Key(), err)
	}
	return row, nil
}

// registered is a station's entry in the registry; nil for none, and for one that nobody can
// read, as an operator's typing error must not stop a partition.
func registered(ctx engine.Context, id chargestream.StationID) (*chargestream.StationInfo, error) {
	if id == "" {
		return nil, nil
	}
	raw, err := ctx.Lookup(topics.Stations, string(id))
	if err != nil || raw == nil {
		return nil, err
	}
	info := &chargestream.StationInfo{}
	if json.Unmarshal(raw, info) != nil {
		return nil, nil
	}
	return info, nil
}

// tariffOf is the tariff of a station with all its versions; nil for none.
func tariffOf(ctx engine.Context, id chargestream.StationID) (*chargestream.TariffHistory, error) {
	info, err := registered(ctx, id)
	if err != nil || info == nil || info.TariffID == "" {
		return nil, err
	}
	raw, err := ctx.Lookup(topics.Tariffs, string(info.TariffID))
	if err != nil || raw == nil {
		return nil, err
	}
	history := &chargestream.TariffHistory{}
	if json.Unmarshal(raw, history) != nil {
		return nil, nil
	}
	return history, nil
}
