package processors

import (
	"slices"

	"chargestream"
	"chargestream/billing"
	"chargestream/engine"
	"chargestream/internal/lattice"
	"chargestream/tables"
)

// stationRows are the rows of one station, as the fold and the bills reach them. It implements
// tables.Rows.
type stationRows struct {
	f       *stationFold
	ctx     *engine.Context
	station chargestream.StationID
	prefix  string // the station, as keys of rows begin with it
}

func (f *stationFold) rowsOf(ctx *engine.Context, id chargestream.StationID) *stationRows {
	return &stationRows{f: f, ctx: ctx, station: id, prefix: engine.EscapeKey(string(id))}
}

func (r *stationRows) sessionKey(id chargestream.SessionID) string {
	return r.prefix + "/" + string(id)
}

// Peek implements tables.Rows.
func (r *stationRows) Peek(id chargestream.SessionID) (*tables.Session, error) {
	row, err := r.f.sessions.Get(r.ctx, r.sessionKey(id))
	if err != nil || row == nil {
		return nil, err
	}
	return &row.Session, nil
}

// Session implements tables.Rows.
func (r *stationRows) Session(id chargestream.SessionID) (*tables.Session, error) {
	row, err := r.f.sessions.Edit(r.ctx, r.sessionKey(id))
	if err != nil {
		return nil, err
	}
	return &row.Session, nil
}

// Hour implements tables.Rows.
func (r *stationRows) Hour(connector chargestream.ConnectorID, start chargestream.Millis) (
	*tables.Hour, error) {
	row, err := r.f.hours.Edit(r.ctx, hourKey(r.prefix, connector, start))
	if err != nil {
		return nil, err
	}
	if row.key.ConnectorID == "" {
		row.key = tables.HourKey{StationID: r.station, ConnectorID: connector, Start: start}
	}
	row.prepare()
	return &row.Hour, nil
}

// PeekHour implements tables.Rows.
func (r *stationRows) PeekHour(connector chargestream.ConnectorID, start chargestream.Millis) (
	*tables.Hour, error) {
	row, err := r.f.hours.Get(r.ctx, hourKey(r.prefix, connector, start))
	if err != nil || row == nil {
		return nil, err
	}
	return &row.Hour, nil
}

// billed is a session with all that its bills are made of. The Marks of its Row are to be kept.
func (r *stationRows) billed(id chargestream.SessionID, row *tables.Session) (*billing.Session,
	error) {
	s := &billing.Session{ID: id, Station: r.station, Row: row, Hours: r.PeekHour,
		Book: &book{ctx: r.ctx, f: r.f}}
	station, err := r.f.stations.Get(r.ctx, string(r.station))
	if err != nil || station == nil {
		return s, err
	}
	s.CountOpen(&station.Station)
	return s, nil
}

// sentBill is what was sent of a session before a fact is folded.
type sentBill struct {
	id   chargestream.SessionID
	sent billing.Sent
}

// billedBehind gives what was sent of the sessions that an event may change, and that were billed
// up to its arrival or later: records that are read in the order of their arrival have none.
func (r *stationRows) billedBehind(event chargestream.Event,
	arrival chargestream.Millis) ([]sentBill, error) {
	if int64(arrival) > r.f.billedUpTo[r.ctx.Partition()%partitionsMax].Load() {
		return nil, nil
	}
	ids, err := r.concerned(event)
	if err != nil {
		return nil, err
	}
	var list []sentBill
	for _, id := range ids {
		row, err := r.Peek(id)
		if err != nil {
			return nil, err
		}
		if row == nil || row.BilledUpTo < arrival {
			continue
		}
		billed, err := r.billed(id, row)
		if err != nil {
			return nil, err
		}
		sent, err := billed.Sent()
		if err != nil {
			return nil, err
		}
		list = append(list, sentBill{id, sent})
	}
	return list, nil
}

// restate sends what facts that were read behind their moment change of bills that were sent.
func (r *stationRows) restate(list []sentBill) error {
	for _, before := range list {
		row, err := r.Session(before.id)
		if err != nil {
			return err
		}
		billed, err := r.billed(before.id, row)
		if err != nil {
			return err
		}
		bill, err := billed.Restate(before.sent)
		if err != nil {
			return err
		}
		row.Marks = billed.Row.Marks
		if err := emitBill(r.ctx, &bill); err != nil {
			return err
		}
	}
	return nil
}

// concerned are the sessions whose bills an event may change: the one that it names, and those of
// the hours that it touches, by the event and by the session's row.
func (r *stationRows) concerned(event chargestream.Event) ([]chargestream.SessionID, error) {
	scope := event.Scope()
	var list []chargestream.SessionID
	var connectors []chargestream.ConnectorID
	if scope.ConnectorID != "" {
		connectors = append(connectors, scope.ConnectorID)
	}
	first, last := scope.From, scope.To
	if scope.SessionID != "" {
		list = append(list, scope.SessionID)
		row, err := r.Peek(scope.SessionID)
		if err != nil {
			return nil, err
		}
		if row != nil {
			for i := range row.Starts {
				connectors = append(connectors, row.Starts[i].ConnectorID)
			}
			for _, at := range append(row.Windows(), row.LastEnd) {
				first, last = lattice.Least(first, at), max(last, at)
			}
		}
	}
	return r.inHours(list, connectors, max(first, last-chargestream.SessionSpanMax),
		last+tables.FollowMax)
}

// inHours adds the sessions of the hours of connectors from one moment to another.
func (r *stationRows) inHours(list []chargestream.SessionID,
	connectors []chargestream.ConnectorID, from, to chargestream.Millis) ([]chargestream.SessionID,
	error) {
	for i, connector := range connectors {
		if slices.Contains(connectors[:i], connector) {
			continue
		}
		for at := from.Truncate(chargestream.Hour); at <= to; at += chargestream.Hour {
			h, err := r.PeekHour(connector, at)
			if err != nil {
				return nil, err
			}
			if h == nil {
				continue
			}
			for j := range h.Sessions {
				if id := h.Sessions[j].ID; !slices.Contains(list, id) {
					list = append(list, id)
				}
			}
		}
	}
	return list, nil
}
