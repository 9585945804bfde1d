package sim

import "chargestream"

// Faults tells how often a world does what real stations and networks do. Every rate is in
// thousandths; a zero Faults is a world without faults. Faults are drawn apart from the world:
// with the same seed, the same sessions happen whatever the rates are.
type Faults struct {
	// Duplicate: of records (heartbeats excepted), how many are delivered twice, the second time
	// up to a minute later.
	Duplicate chargestream.Permille
	// Delayed: of records (heartbeats excepted), how many are late and so out of order, by 46 s
	// to 14.3 h as the late records of Paris were.
	Delayed chargestream.Permille
	// MissingEnd: of sessions, how many never send their session_end.
	MissingEnd chargestream.Permille
	// MeterRegression: of sessions, in how many one sample is below the one before it: one of
	// the first eight after the start, or the last where there are fewer.
	MeterRegression chargestream.Permille
	// DuplicateSession: of sessions, how many are delivered again, start and end, under another
	// session id, 2 minutes to 6 hours after their end.
	DuplicateSession chargestream.Permille
	// Overlap: of sessions, in how many a second session of another user is open on the same
	// connector, from the first periodic sample until the end. Sessions that end before their
	// first periodic sample never have it.
	Overlap chargestream.Permille
}

// DefaultFaults are small rates, for a demonstration: the world of a zero Config, with some 300
// sessions a weekday, shows each of them within a few days. Per mille of sessions, Paris had 6.3
// delivered again, 0.6 never closed and 12 stored more than an hour late.
func DefaultFaults() Faults {
	return Faults{Duplicate: 2, Delayed: 3, MissingEnd: 2, MeterRegression: 2,
		DuplicateSession: 6, Overlap: 2}
}

// Bounds of what faults draw.
const (
	resendMin = chargestream.Second
	resendMax = chargestream.Minute

	againMin = 2 * chargestream.Minute
	againMax = 6 * chargestream.Hour

	regressionMax   = 5000 // Wh
	regressionAfter = 8    // samples, at most
)

// sessionFaults is what was drawn for one session.
type sessionFaults struct {
	noEnd   bool
	again   bool
	overlap bool
	regress int // samples until the register runs backwards; zero: it does not
}

// hit draws whether a fault of this rate happens.
func (w *World) hit(rate chargestream.Permille) bool {
	return rate > 0 && w.bad.Int64N(1000) < int64(rate)
}

func (w *World) drawFaults() sessionFaults {
	rates := &w.cfg.Faults
	drawn := sessionFaults{noEnd: w.hit(rates.MissingEnd), again: w.hit(rates.DuplicateSession),
		overlap: w.hit(rates.Overlap)}
	if w.hit(rates.MeterRegression) {
		drawn.regress = 1 + w.bad.IntN(regressionAfter)
	}
	return drawn
}

// reading is what a sample says: the register, unless it is to run backwards now.
func (w *World) reading(c *connector, context string) chargestream.WattHours {
	s := &c.session
	if s.faults.regress == 0 || context == contextBegin {
		return c.register
	}
	if s.faults.regress--; s.faults.regress > 0 && context != contextEnd {
		return c.register
	}
	s.faults.regress = 0
	return s.read - 1 - chargestream.WattHours(w.bad.Int64N(regressionMax))
}

// openGhost begins the second session of an Overlap.
func (w *World) openGhost(c *connector, now chargestream.Millis) {
	s := &c.session
	s.faults.overlap = false
	ghost := *s.begun
	ghost.SessionID, ghost.Time = c.sessionID(now), now
	for ghost.UserID == s.user {
		ghost.UserID = w.citizen(w.bad)
	}
	register := c.register
	ghost.Meter = &register
	s.ghost = &ghost
	w.emit(c.station, TopicSessions, &ghost, now)
}

// closeGhost ends the second session of an Overlap together with the first.
func (w *World) closeGhost(c *connector, now chargestream.Millis) {
	if ghost := c.session.ghost; ghost != nil {
		register := c.register
		w.emit(c.station, TopicSessions, &chargestream.SessionEnd{StationID: ghost.StationID,
			ConnectorID: ghost.ConnectorID, SessionID: ghost.SessionID, UserID: ghost.UserID,
			Time: now, Meter: &register, Reason: reasonLocal}, now)
	}
}

// deliverAgain sends a finished session once more, under another session id.
func (w *World) deliverAgain(c *connector, end *chargestream.SessionEnd) {
	start, stop := *c.session.begun, *end
	start.SessionID += "-r"
	stop.SessionID = start.SessionID
	arrival := end.Time + between(w.bad, againMin, againMax)
	w.deliver(TopicSessions, &start, arrival)
	w.deliver(TopicSessions, &stop, arrival+between(w.bad, networkMin, networkMax))
}
