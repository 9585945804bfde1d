package tables

import (
	"slices"

	"chargestream"
	"chargestream/internal/lattice"
)

// OpenQuarter is samples of a quarter hour that are in the station's row and not yet in those of
// the session and the hour.
type OpenQuarter struct {
	Connector chargestream.ConnectorID
	Session   chargestream.SessionID // that the samples name; empty for none
	Quarter   Quarter
}

// OpenQuarters are those that may matter to a bill of a session. A bill counts every sample that
// arrived, and a session's timer may fire before the station's, or for an end at another connector.
// So it is made of copies of the rows, by [Session.With] and [Hour.With]: a row itself never tells
// whether a bill came before.
func (s *Station) OpenQuarters(id chargestream.SessionID, session *Session) []OpenQuarter {
	var list []OpenQuarter
	connectors := session.connectors()
	for i := range s.Connectors {
		c := &s.Connectors[i]
		open := c.Open.From != 0 && !c.Flushed && !c.over(s.LastSeen)
		if open && (c.OpenSession == id || slices.Contains(connectors, c.ID)) {
			list = append(list, OpenQuarter{c.ID, c.OpenSession, c.Open})
		}
	}
	return list
}

// With is the row of the session id with the open quarters that name it: a copy, or the row itself
// where there are none.
func (s *Session) With(id chargestream.SessionID, open []OpenQuarter) *Session {
	row := s
	for i := range open {
		if open[i].Session != id {
			continue
		}
		if row == s {
			c := *s
			c.Quarters = slices.Clone(s.Quarters)
			row = &c
		}
		row.Quarters = withOpen(row.Quarters, &open[i], SessionQuartersMax)
	}
	return row
}

// With is the row of the hour of a connector with the open quarters of that connector: a copy, or
// the row itself, which may be nil for none, where there are none.
func (h *Hour) With(connector chargestream.ConnectorID, start chargestream.Millis,
	open []OpenQuarter) *Hour {
	row := h
	for i := range open {
		o := &open[i]
		if o.Connector != connector || o.Quarter.Start.Truncate(chargestream.Hour) != start {
			continue
		}
		if row == h {
			row = &Hour{}
			if h != nil {
				*row = *h
				row.Quarters = slices.Clone(h.Quarters)
			}
		}
		row.Quarters = withOpen(row.Quarters, o, HourQuartersMax)
	}
	return row
}

func withOpen(list []Quarter, o *OpenQuarter, most int) []Quarter {
	return boundQuarters(lattice.Insert(list, o.Quarter, compareQuarters, mergeQuarters), most)
}
