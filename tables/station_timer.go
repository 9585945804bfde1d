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

// due is when something must be done about a pending session. An end is told the grace after it
// is known, by when it is known whether its start is missed too.
func (p *Pending) due() chargestream.Millis {
	if p.Settled {
		return p.forgotten()
	}
	return p.known()
}

// known is when the claim is told. An end waits for its start.
func (p *Pending) known() chargestream.Millis {
	if p.End == 0 {
		return knownFrom(p.Start, p.Arrival)
	}
	return orphanDue(p.End, p.Arrival)
}

// Due is when the row must be fired next, by stream time; zero for never.
func (s *Station) Due() chargestream.Millis {
	var due chargestream.Millis
	for i := range s.Pending {
		due = least(due, s.Pending[i].due())
	}
	if len(s.Ticks) > 0 {
		due = least(due, s.Ticks[0].At)
	}
	for i := range s.Connectors {
		if c := &s.Connectors[i]; c.Slot.From != 0 && !c.SlotTold && !c.over(s.LastSeen) {
			due = least(due, c.full())
		}
	}
	return due
}

// Fire does all that is due at the stream time now: sessions and windows are told up to which
// moment all is known, and what needs no more waiting is forgotten. What is left of Pending and
// Ticks depends on the events and on now only.
func (s *Station) Fire(now chargestream.Millis, out *StationEffects) {
	for i := range s.Connectors {
		c := &s.Connectors[i]
		if c.Slot.From != 0 && !c.SlotTold && !c.over(s.LastSeen) && c.full() <= now {
			out.quarter(s.ID, c.ID, c.SlotSession, &c.Slot)
			c.SlotTold = true
		}
	}
	fired := 0
	for ; fired < len(s.Ticks) && s.Ticks[fired].At <= now; fired++ {
		s.tell(&s.Ticks[fired], out)
	}
	s.Ticks = slices.Delete(s.Ticks, 0, fired)
	var waiting []Pending
	for i := range s.Pending {
		if !s.firePending(&s.Pending[i], now, out) {
			waiting = append(waiting, s.Pending[i])
		}
	}
	s.Pending = waiting
	for i := range s.Pending {
		p := &s.Pending[i]
		p.Settled = p.settled(now)
	}
	for len(s.Pending) > StationPendingMax {
		s.spill()
	}
	for len(s.Ticks) > StationTicksMax {
		s.tell(&s.Ticks[0], out)
		s.Ticks = slices.Delete(s.Ticks, 0, 1)
	}
}

// Crowded tells whether the row holds more than it may, so that some of it must be told before
// its time.
func (s *Station) Crowded() bool {
	return len(s.Pending) > StationPendingMax || len(s.Ticks) > StationTicksMax
}

// tell hands on that all is known up to a tick's moment.
func (s *Station) tell(t *Tick, out *StationEffects) {
	if t.ID != "" {
		s.heard(t.ID, t.At, out)
		return
	}
	out.hour(s.ID, t.ConnectorID, t.Hour, Hour{Heard: t.At})
}

// settled tells whether a claim is known by a moment, so that only its forgetting is due.
func (p *Pending) settled(now chargestream.Millis) bool { return p.known() <= now }

// forgotten is when nothing is waited for any more.
func (p *Pending) forgotten() chargestream.Millis {
	if p.End == 0 {
		return overdueAt(p.Start, p.Arrival)
	}
	return max(p.End+chargestream.OverdueAfter, orphanDue(p.End, p.Arrival))
}

// firePending does what is due of one claim and tells whether it can be forgotten. A start is told
// when it is known, as it may be one that contradicts an end which is not waited for any more.
func (s *Station) firePending(p *Pending, now chargestream.Millis, out *StationEffects) bool {
	if !p.Settled && p.settled(now) {
		s.heard(p.ID, p.known(), out)
	}
	if p.forgotten() > now {
		return false
	}
	if p.End == 0 {
		s.heard(p.ID, p.forgotten(), out)
	}
	return true
}

// heard hands on up to which moment all is known of a session.
func (s *Station) heard(
	id chargestream.SessionID,
	at chargestream.Millis,
	out *StationEffects,
) {
	out.session(id, Session{StationID: s.ID, Heard: at})
}

// spill forgets a claim before its time, to keep the row bounded: of those that only a late start
// would ask for, and else of the sessions that were to be missed, the one that is due first.
func (s *Station) spill() {
	worst := 0
	for i := range s.Pending {
		p, w := &s.Pending[i], &s.Pending[worst]
		told, least := p.Settled && p.End != 0, w.Settled && w.End != 0
		if told != least {
			if told {
				worst = i
			}
		} else if p.forgotten() < w.forgotten() {
			worst = i
		}
	}
	s.Pending = slices.Delete(s.Pending, worst, worst+1)
}
