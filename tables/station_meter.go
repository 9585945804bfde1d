package tables

import (
	"cmp"

	"chargestream"
	"chargestream/internal/lattice"
)

// over reports whether the open quarter is over when the station was last seen at a moment: a
// session began or ended after it began, or it has been full for a minute.
func (c *Connector) over(seen chargestream.Millis) bool {
	return c.Open.From != 0 && (c.Open.From <= c.LastEdge || c.full() <= seen)
}

// full is when the open quarter is surely over.
func (c *Connector) full() chargestream.Millis {
	return c.Open.Start + chargestream.Quarter + chargestream.Minute
}

func (f *fold) meter(e *chargestream.MeterValue) {
	c := f.connector(e.ConnectorID)
	c.addSample(e)
	if e.Signed != "" && e.SessionID != "" {
		f.session(e.SessionID).addSigned(e.Signed, e.Time, f.arrival)
	}
	start := e.Time.Truncate(chargestream.Quarter)
	if late := lateSample(e, f.arrival); late != 0 {
		f.addQuarter(c, e.SessionID, func(list []Quarter) []Quarter {
			return addSampleTo(list, e, late)
		}, start, late)
		return
	}
	at := cmp.Or(cmp.Compare(start, c.Open.Start), cmp.Compare(e.SessionID, c.OpenSession))
	switch {
	case contextOf(e) != ContextSample, c.Open.From != 0 && at < 0:
		f.addQuarter(c, e.SessionID, func(list []Quarter) []Quarter {
			return addSampleTo(list, e, 0)
		}, start, 0)
		return
	case c.Open.From != 0 && at == 0:
		c.Open.Add(e)
	default:
		if c.Open.From != 0 && !c.Flushed && !c.over(f.LastSeen) { // else it was flushed
			f.flush(c)
		}
		c.Open, c.OpenSession, c.Flushed = newQuarter(e, 0), e.SessionID, false
	}
	if c.over(f.LastSeen) || c.Flushed {
		f.flush(c)
	}
}

// flush merges the open quarter into its session, where its samples name one, and its hour.
func (f *fold) flush(c *Connector) {
	q := &c.Open
	f.addQuarter(c, c.OpenSession, func(list []Quarter) []Quarter {
		return lattice.Insert(list, *q, compareQuarters, mergeQuarters)
	}, q.Start, 0)
}

// addQuarter adds samples of a quarter hour to the session that they name, if any, and to their
// hour.
func (f *fold) addQuarter(c *Connector, session chargestream.SessionID,
	add func([]Quarter) []Quarter, start, late chargestream.Millis) {
	if session != "" {
		s := f.session(session)
		s.Quarters = boundQuarters(add(s.Quarters), SessionQuartersMax)
	}
	h := f.hour(c.ID, start.Truncate(chargestream.Hour))
	h.Quarters = boundQuarters(add(h.Quarters), HourQuartersMax)
	if session == "" && late != 0 {
		f.wake(h, start, late)
	}
}

// addSample keeps the newest sample; of two of the same moment the one that is larger in the
// order of its fields, so that all orders agree.
func (c *Connector) addSample(e *chargestream.MeterValue) {
	m := &c.Meter
	newer := cmp.Or(cmp.Compare(e.Time, m.Time), lattice.CompareOptional(e.Energy, m.Energy),
		lattice.CompareOptional(e.Power, m.Power), lattice.CompareOptional(e.SoC, m.SoC))
	if newer > 0 {
		*m = chargestream.MeterValue{Time: e.Time, Energy: e.Energy, Power: e.Power, SoC: e.SoC}
	}
}
