package processors

import (
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
// The stations hand it the start, the quarter hours, the end and the decisions, and tell it up to
// which moment all is known. It asks the windows that it touches for what they know by then, and
// with the last answer its documents up to that moment are due (docs/decisions/0010).
func Sessions(count Counter) *engine.Processor {
	f := &sessionFold{count: orSilent(count), ready: newReady()}
	return &engine.Processor{
		Group:   topics.GroupSessions,
		Inputs:  []string{topics.SessionParts},
		Lookups: []string{topics.Table(topics.GroupReference)},
		Sources: ReferenceSources(),
		Outputs: []string{topics.Invoices, topics.HourParts, topics.Anomalies, topics.DeadLetters},
		Fold:    f.fold,
	}
}

type sessionFold struct {
	count Counter
	ready *ready
}

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
	if !row.Admit(part) {
		deadLetter(ctx, f.count, m, ReasonOtherStation, fmt.Errorf(
			"session is of station %q, the part of %q", row.StationID, part.StationID))
		return nil
	}
	row.Merge(part)
	f.countBounds(row)
	id := chargestream.SessionID(ctx.Key())
	bill, err := row.Bill(id, &book{ctx: ctx, ready: f.ready}, before,
		chargestream.Millis(ctx.Arrival()))
	if err != nil {
		return err
	}
	ctx.SetRow(row.Append(nil))
	tellWindows(ctx, id, before, row)
	for _, v := range bill.Documents {
		if err := emitJSON(ctx, topics.Invoices, v.InvoiceID, v); err != nil {
			return err
		}
	}
	return emitAnomalies(ctx, bill.Anomalies)
}

func (f *sessionFold) countBounds(row *tables.Session) {
	for name, hit := range map[string]bool{
		"session_quarters":    len(row.Quarters) >= tables.SessionQuartersMax,
		"session_transitions": row.Transitions() >= tables.SessionTransitionsMax,
		"session_decisions":   len(row.Decisions) >= tables.SessionDecisionsMax,
		"session_signed":      len(row.Signed) >= tables.SessionSignedMax,
	} {
		if hit {
			f.count.Bound(name)
		}
	}
}

// tellWindows sends what changed of the session's intervals, and asks the windows for what they
// know when more is known, or when there are others to ask.
func tellWindows(
	ctx engine.Context,
	id chargestream.SessionID,
	before, row *tables.Session,
) {
	old, now := before.Intervals(id), row.Intervals(id)
	if !slices.EqualFunc(old, now, sameInterval) {
		emitHourParts(ctx, now)
	}
	emitHourParts(ctx, row.Asks(id, before))
}

func sameInterval(a, b tables.HourPart) bool {
	return a.Key == b.Key && a.Row.Stays[0].Interval.Same(&b.Row.Stays[0].Interval)
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
