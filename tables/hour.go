package tables

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"chargestream"
	"chargestream/internal/lattice"
)

// Bounds of an hour row.
const (
	// HourTransitionsMax: a connector that changes its status every ten seconds is broken.
	HourTransitionsMax = 360
	// HourSessionsMax: a session of a minute is the shortest that makes sense, and a few are
	// reported twice.
	HourSessionsMax = 128
	// HourQuartersMax: four quarter hours, each with samples that came late at a few times, and
	// with readings of the begin and the end of a session.
	HourQuartersMax = 48
	lateMax         = 8
)

// HourKey names a window: one clock hour in UTC of one connector.
type HourKey struct {
	StationID   chargestream.StationID
	ConnectorID chargestream.ConnectorID
	Start       chargestream.Millis
}

// ErrKey is returned by ParseHourKey for a text that is no key of a window.
var ErrKey = errors.New("not station/connector/window_start")

// String is the key as it stands in the topics: station/connector/window_start.
func (k HourKey) String() string {
	return string(k.StationID) + "/" + string(k.ConnectorID) + "/" + k.Start.String()
}

// End is the end of the window.
func (k HourKey) End() chargestream.Millis { return k.Start + chargestream.Hour }

// ParseHourKey reads what String wrote. A station may contain slashes, a connector may not.
func ParseHourKey(text string) (HourKey, error) {
	var k HourKey
	i := strings.LastIndexByte(text, '/')
	if i < 0 {
		return k, fmt.Errorf("%w: %q", ErrKey, text)
	}
	j := strings.LastIndexByte(text[:i], '/')
	if j < 0 {
		return k, fmt.Errorf("%w: %q", ErrKey, text)
	}
	if err := k.Start.UnmarshalText([]byte(text[i+1:])); err != nil {
		return k, fmt.Errorf("%w: %w", ErrKey, err)
	}
	k.StationID = chargestream.StationID(text[:j])
	k.ConnectorID = chargestream.ConnectorID(text[j+1 : i])
	return k, nil
}

// Hour is the row of the hours table: all that is known of one window.
type Hour struct {
	// Opening is the status in force when the window began.
	Opening Transition
	// Transitions are the status reports within the window, by time.
	Transitions []Transition
	// Sessions are the sessions that touched the window, by ID: each as its own row has it.
	Sessions []HourSession
	Quarters []Quarter // by Start: every sample of the connector, whatever session it names
	// CoversEnd: the station was seen after the window's end, so that the last status held to it.
	CoversEnd bool
	// Closed: the grace after the window's end is over.
	Closed bool
}

// Transition is a status report as a window keeps it.
type Transition struct {
	At       chargestream.Millis
	Arrival  chargestream.Millis // zero in an Opening
	State    chargestream.State
	Activity chargestream.Activity
}

func transitionOf(st *Status) Transition {
	return Transition{At: st.At, State: st.State, Activity: st.Activity}
}

func compareTransitions(a, b *Transition) int {
	return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.State, b.State),
		cmp.Compare(a.Activity, b.Activity))
}

// HourSession is a session within the hour: a function of the session's own row.
type HourSession struct {
	ID chargestream.SessionID
	// Starts are the claims that the session began in the window, the first to arrive first.
	Starts []HourStart
	// From and To are when the session was, by the claims that count; both are zero where one is
	// missing, or where the session was at another connector.
	From, To     chargestream.Millis
	StartArrival chargestream.Millis
	EndArrival   chargestream.Millis
	// Due is when the session is settled, by these claims.
	Due chargestream.Millis
	// Energy is the part of the session's energy that falls into the window.
	Energy chargestream.WattHours
	// EndEnergy is the energy that the end which counts reported; nil where it reported none.
	EndEnergy *chargestream.WattHours
	// Decided: a decision set a time of the session, so that all of the window may matter to it.
	Decided bool
}

// HourStart is one claim that a session began.
type HourStart struct {
	At      chargestream.Millis
	Arrival chargestream.Millis
}

// arrival is when the session was first reported.
func (s *HourSession) arrival() chargestream.Millis {
	first := s.StartArrival
	for _, c := range s.Starts {
		first = lattice.Least(first, c.Arrival)
	}
	return first
}

// Meets reports whether two sessions share time.
func (s *HourSession) Meets(o *HourSession) bool { return s.From < o.To && o.From < s.To }

// FollowMax is how long after a session another one may begin that goes on with its energy.
const FollowMax = chargestream.Minute

// Follows reports whether the session began right after another had ended.
func (s *HourSession) Follows(o *HourSession) bool {
	return o.From != 0 && s.From != 0 && o.To <= s.From && s.From <= o.To+FollowMax
}

// endsBefore reports whether the session ended so shortly before a moment that one may follow it
// then.
func (s *HourSession) endsBefore(at chargestream.Millis) bool {
	return s.From != 0 && s.To <= at && at <= s.To+FollowMax
}

// shares reports whether two sessions share time, or claim to have begun at the same moment.
func (s *HourSession) shares(o *HourSession) bool {
	return s.Meets(o) || slices.ContainsFunc(s.Starts, func(a HourStart) bool {
		return slices.ContainsFunc(o.Starts, func(b HourStart) bool { return a.At == b.At })
	})
}

// concerns reports whether what happened at a moment, or in the quarter hour that began then, may
// matter to the session.
func (s *HourSession) concerns(at chargestream.Millis) bool {
	return s.Decided || (s.From < at+chargestream.Quarter && at <= s.To)
}

// open merges the status that was brought into the window, and whether it holds to its end.
func (h *Hour) open(opening Transition, coversEnd bool) {
	if compareTransitions(&opening, &h.Opening) > 0 {
		h.Opening = opening
	}
	h.CoversEnd = h.CoversEnd || coversEnd
}

// addTransition merges a status report.
func (h *Hour) addTransition(t Transition) {
	h.Transitions = lattice.Insert(h.Transitions, t, compareTransitions,
		func(into, from *Transition) { into.Arrival = lattice.Least(into.Arrival, from.Arrival) })
	if len(h.Transitions) > HourTransitionsMax {
		h.Transitions = lattice.Bound(
			h.Transitions,
			HourTransitionsMax,
			func(a, b *Transition) int {
				return cmp.Or(cmp.Compare(LateMoment(a.At, a.Arrival), LateMoment(b.At, b.Arrival)),
					compareTransitions(a, b))
			},
		)
	}
}

// place puts a session into the window as its row has it now, in place of what the window had of
// it, which it returns. The share of the energy stays until SetEnergy.
func (h *Hour) place(s HourSession) (before HourSession) {
	i, known := slices.BinarySearchFunc(h.Sessions, s.ID,
		func(a HourSession, id chargestream.SessionID) int { return cmp.Compare(a.ID, id) })
	if known {
		before = h.Sessions[i]
		if s.Energy = before.Energy; s.From == 0 {
			s.Energy = 0
		}
		h.Sessions[i] = s
		return before
	}
	h.Sessions = lattice.InsertAt(h.Sessions, i, s)
	h.Sessions = lattice.Bound(h.Sessions, HourSessionsMax, func(a, b *HourSession) int {
		return cmp.Or(cmp.Compare(a.arrival(), b.arrival()), cmp.Compare(a.ID, b.ID))
	})
	return HourSession{ID: s.ID}
}

// remove takes a session out of the window, and returns what the window had of it.
func (h *Hour) remove(id chargestream.SessionID) (before HourSession) {
	i := h.find(id)
	if i < 0 {
		return HourSession{ID: id}
	}
	before = h.Sessions[i]
	h.Sessions = slices.Delete(h.Sessions, i, i+1)
	return before
}

// Energy is the share of a session's energy that the window has; false where the window does not
// have the session.
func (h *Hour) Energy(id chargestream.SessionID) (chargestream.WattHours, bool) {
	if i := h.find(id); i >= 0 {
		return h.Sessions[i].Energy, true
	}
	return 0, false
}

// SetEnergy sets the share of a session's energy.
func (h *Hour) SetEnergy(id chargestream.SessionID, share chargestream.WattHours) {
	if i := h.find(id); i >= 0 {
		h.Sessions[i].Energy = share
	}
}

// find is the place of a session in the window; -1 where there is none.
func (h *Hour) find(id chargestream.SessionID) int {
	return slices.IndexFunc(h.Sessions, func(s HourSession) bool { return s.ID == id })
}

// Empty reports whether the window holds nothing: only claims that were cut, or counted no more,
// touched it.
func (h *Hour) Empty() bool {
	return h.Opening.At == 0 && !h.CoversEnd &&
		len(h.Transitions)+len(h.Sessions)+len(h.Quarters) == 0
}

// Due is when the window must be closed, by stream time; zero when it is.
func (h *Hour) Due(key HourKey) chargestream.Millis {
	if h.Closed {
		return 0
	}
	return key.End() + chargestream.Grace
}

// Origin is the first delivery of a session.
type Origin struct {
	Arrival chargestream.Millis
	ID      chargestream.SessionID
	At      chargestream.Millis // the start that both claim
}

func compareOrigins(a, b *Origin) int {
	return cmp.Or(cmp.Compare(a.Arrival, b.Arrival), cmp.Compare(a.ID, b.ID),
		cmp.Compare(a.At, b.At))
}

// OriginOf is the first delivery of a session that began at a moment; false where it is this one.
// Two sessions cannot start on one connector at the same millisecond; of those that claim to, the
// first by (arrival, id) is the session and the others are its duplicates.
func (h *Hour) OriginOf(id chargestream.SessionID, at chargestream.Millis) (Origin, bool) {
	var first Origin
	for i := range h.Sessions {
		for _, c := range h.Sessions[i].Starts {
			o := Origin{Arrival: c.Arrival, ID: h.Sessions[i].ID, At: c.At}
			if c.At == at && (first.ID == "" || compareOrigins(&o, &first) < 0) {
				first = o
			}
		}
	}
	return first, first.ID != "" && first.ID != id
}

// duplicates gives, for each session that was delivered before under another id, the first
// delivery.
func (h *Hour) duplicates() map[chargestream.SessionID]Origin {
	if len(h.Sessions) < 2 {
		return nil
	}
	first := map[chargestream.Millis]Origin{}
	for i := range h.Sessions {
		for _, c := range h.Sessions[i].Starts {
			o := Origin{Arrival: c.Arrival, ID: h.Sessions[i].ID, At: c.At}
			if known, ok := first[c.At]; !ok || compareOrigins(&o, &known) < 0 {
				first[c.At] = o
			}
		}
	}
	copies := map[chargestream.SessionID]Origin{}
	for i := range h.Sessions {
		id := h.Sessions[i].ID
		for _, c := range h.Sessions[i].Starts {
			o := first[c.At]
			if known, ok := copies[id]; o.ID != id && (!ok || compareOrigins(&o, &known) < 0) {
				copies[id] = o
			}
		}
	}
	return copies
}

// Ran are the sessions that took time, without duplicates of others, by begin.
func (h *Hour) Ran() []HourSession {
	copies := h.duplicates()
	var ran []HourSession
	for i := range h.Sessions {
		s := &h.Sessions[i]
		if _, copied := copies[s.ID]; !copied && s.From < s.To && h.firstOf(s) {
			ran = append(ran, *s)
		}
	}
	slices.SortFunc(ran, func(a, b HourSession) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.ID, b.ID))
	})
	return ran
}

// firstOf reports whether no session that was reported before it began at the same moment.
func (h *Hour) firstOf(s *HourSession) bool {
	for i := range h.Sessions {
		o := &h.Sessions[i]
		if o.From == s.From && o.ID != s.ID && cmp.Or(
			cmp.Compare(o.StartArrival, s.StartArrival), cmp.Compare(o.ID, s.ID)) < 0 {
			return false
		}
	}
	return true
}
