package tables

import (
	"slices"

	"chargestream"
)

// overdueAt is when a session without an end is called overdue: OverdueAfter its start, but not
// before the start itself has been known for the grace, as the end may come right behind it.
func overdueAt(start, arrival chargestream.Millis) chargestream.Millis {
	return max(start+chargestream.OverdueAfter, arrival+chargestream.Grace)
}

// due is when something must be done about a pending session.
func (p *Pending) due() chargestream.Millis {
	switch {
	case p.End == 0:
		return overdueAt(p.Start, p.Arrival)
	case !p.Settled:
		return p.End + chargestream.Grace
	}
	return p.End + chargestream.OverdueAfter
}

// Due is when the row must be fired next, by stream time; zero for never.
func (s *Station) Due() chargestream.Millis {
	var due chargestream.Millis
	for i := range s.Pending {
		due = least(due, s.Pending[i].due())
	}
	return due
}

// Fire does all that is due at the stream time now: sessions that ended longer than the grace ago
// are settled, those that have no end after a day are overdue, and what needs no more waiting is
// forgotten. What is left of Pending depends on the events and on now only.
func (s *Station) Fire(now chargestream.Millis, out *StationEffects) {
	s.Pending = slices.DeleteFunc(s.Pending, func(p Pending) bool {
		return s.firePending(&p, now, out)
	})
	for i := range s.Pending {
		s.Pending[i].Settled = s.Pending[i].End != 0 && s.Pending[i].End+chargestream.Grace <= now
	}
	for len(s.Pending) > StationPendingMax {
		s.spill(out)
	}
}

// firePending does what is due of one session and tells whether it can be forgotten.
func (s *Station) firePending(p *Pending, now chargestream.Millis, out *StationEffects) bool {
	if p.End == 0 {
		if p.due() > now {
			return false
		}
		out.session(p.ID, Session{StationID: s.ID, Overdue: true})
		return true
	}
	if !p.Settled && p.End+chargestream.Grace <= now {
		out.session(p.ID, Session{StationID: s.ID, Settled: true})
	}
	return p.End+chargestream.OverdueAfter <= now
}

// spill settles the session that is due first, before its time, to keep the row bounded.
func (s *Station) spill(out *StationEffects) {
	first := 0
	for i := range s.Pending {
		if s.Pending[i].due() < s.Pending[first].due() {
			first = i
		}
	}
	p := s.Pending[first]
	s.Pending = slices.Delete(s.Pending, first, first+1)
	if !p.Settled {
		out.session(p.ID, Session{StationID: s.ID, Overdue: p.End == 0, Settled: p.End != 0})
	}
}
