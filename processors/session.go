package processors

import (
	"strings"

	"chargestream"
	"chargestream/billing"
	"chargestream/engine"
	"chargestream/internal/lattice"
	"chargestream/tables"
	"chargestream/topics"
)

// sessionRow is a session.
type sessionRow struct {
	tables.Session
	// looked is the stream time up to which reference data was looked for that the session waits
	// for. It is not written: after a restart it is looked for again.
	looked chargestream.Millis
}

// SessionKey is the key of a session's row: the station, escaped, a slash and the session.
func SessionKey(station chargestream.StationID, id chargestream.SessionID) string {
	return engine.EscapeKey(string(station)) + "/" + string(id)
}

// ParseSessionKey reads what SessionKey wrote; false for a text that is no such key.
func ParseSessionKey(key string) (chargestream.StationID, chargestream.SessionID, bool) {
	station, id, ok := strings.Cut(key, "/")
	return chargestream.StationID(engine.UnescapeKey(station)), chargestream.SessionID(id), ok
}

func decodeSession(_ string, row []byte) (*sessionRow, error) {
	s, err := tables.DecodeSession(row)
	if err != nil {
		return nil, err
	}
	return &sessionRow{Session: *s}, nil
}

func appendSession(buf []byte, s *sessionRow) []byte { return s.Append(buf) }

func sessionDue(_ string, s *sessionRow) int64 {
	due := s.NextDue()
	if s.Waits() {
		due = lattice.Least(due, tables.QuarterAfter(max(s.BilledUpTo, s.looked)+1))
	}
	return int64(due)
}

// fireSession bills a session up to the stream time now.
func (f *stationFold) fireSession(ctx *engine.Context, key string, row *sessionRow,
	now int64) error {
	station, id, _ := ParseSessionKey(key)
	facts := row.Session // so that the marks are those of before
	billed, err := f.rowsOf(ctx, station).billed(id, &facts)
	if err != nil {
		return err
	}
	bill, err := billed.Bill(chargestream.Millis(now))
	if err != nil {
		return err
	}
	if row.Marks.Equal(&billed.Row.Marks) && len(bill.Documents)+len(bill.Anomalies) == 0 {
		ctx.Unchanged() // it waits on
	}
	row.Marks = billed.Row.Marks
	row.looked = chargestream.Millis(now)
	f.noteBilled(ctx, row.BilledUpTo)
	return emitBill(ctx, &bill)
}

func emitBill(ctx *engine.Context, bill *billing.Bill) error {
	for i := range bill.Documents {
		v := &bill.Documents[i]
		if err := emitJSON(ctx, topics.Invoices, v.InvoiceID, v); err != nil {
			return err
		}
	}
	return emitAnomalies(ctx, bill.Anomalies)
}

// flushSession sets the session's share of the energy in each hour that it touches.
func (f *stationFold) flushSession(ctx *engine.Context, key string, row *sessionRow) error {
	f.countBounds(&row.Session)
	if !row.Both() {
		return nil
	}
	station, id, _ := ParseSessionKey(key)
	rows := f.rowsOf(ctx, station)
	connector := row.Starts[0].ConnectorID
	var failed error
	billing.Shares(&row.Session, func(hour chargestream.Millis, share chargestream.WattHours) {
		h, err := rows.PeekHour(connector, hour)
		if err != nil || h == nil {
			failed = err
			return
		}
		if had, ok := h.Energy(id); !ok || had == share {
			return
		}
		changed, err := rows.Hour(connector, hour)
		if err != nil {
			failed = err
			return
		}
		changed.SetEnergy(id, share)
	})
	return failed
}

func (f *stationFold) countBounds(s *tables.Session) {
	if len(s.Quarters) >= tables.SessionQuartersMax {
		f.count.Bound("session_quarters")
	}
	if len(s.Decisions) >= tables.SessionDecisionsMax {
		f.count.Bound("session_decisions")
	}
	if len(s.Signed) >= tables.SessionSignedMax {
		f.count.Bound("session_signed")
	}
}
