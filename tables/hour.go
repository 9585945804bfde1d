package tables

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"chargestream"
)

// Bounds of an hour row.
const (
	// HourTransitionsMax: a connector that changes its status every ten seconds is broken.
	HourTransitionsMax = 360
	// HourStaysMax: a session of a minute is the shortest that makes sense, and a few are told
	// twice.
	HourStaysMax = 128
	// HourLoadsMax: four quarter hours, each with samples that came late at a few times.
	HourLoadsMax = 32
	lateMax      = 8
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
	// Carry is the status in force when the window began.
	Carry Transition
	// Transitions are the status reports within the window, by time.
	Transitions []Transition
	Stays       []Stay    // by ID
	Loads       []Quarter // by Start: every sample of the connector, whatever session it names
	// Through tells that the station was heard of after the window's end, so that the last
	// status held to it.
	Through bool
	// Closed tells that the grace after the window's end is over.
	Closed bool
	// Heard is the last moment from which something late is known.
	Heard chargestream.Millis
}

// HourPart is a partial row for the hours table.
type HourPart struct {
	Key HourKey
	Row Hour
	// Check names a session that asks for what the window knows: see Answer.
	Check chargestream.SessionID
	// Heard is up to which moment the session that asks has heard all.
	Heard chargestream.Millis
}

// Transition is a status report as a window keeps it.
type Transition struct {
	At       chargestream.Millis
	Arrival  chargestream.Millis // zero in a Carry
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

// Stay is a session as a window keeps it. The start is known in the window in which the session
// began, the interval, once the session has ended, in every window that it touches.
type Stay struct {
	ID chargestream.SessionID
	// Begins are the claims that the session began in the window, the first to arrive first.
	Begins   []Begin
	Interval Interval
	// Span is when the session was, as its station knew at its end, without energy: so that no
	// other session's bill has to wait for the row of this one.
	Span Interval
	// Heard is the moment up to which the session knew all when it asked the window last.
	Heard chargestream.Millis
	// Whole: a decision set a time of the session, so that all of the window may be of interest.
	Whole bool
}

// arrival is when the session was first told of.
func (s *Stay) arrival() chargestream.Millis {
	first := least(s.Interval.StartArrival, s.Span.StartArrival)
	for _, b := range s.Begins {
		first = least(first, b.Arrival)
	}
	return first
}

// Begin is one claim that a session began.
type Begin struct {
	At      chargestream.Millis
	Arrival chargestream.Millis
}

func compareBegins(a, b *Begin) int { return cmp.Compare(a.At, b.At) }

func beginArrival(b *Begin) chargestream.Millis { return b.Arrival }

func earlierBegin(a, b *Begin) int { return cmp.Compare(a.Arrival, b.Arrival) }

// Interval is when a session was, and what of its energy falls into the window. Of two, the one
// made from the earlier claims counts, and of the same claims the one that was made from more
// samples.
type Interval struct {
	From, To     chargestream.Millis // From is zero where there is no interval
	StartArrival chargestream.Millis
	EndArrival   chargestream.Millis
	// StartMeter, EndEnergy and EndMeter are what the claims told of energy: by these, and in the
	// same order, the session chooses between claims of the same moment.
	StartMeter, EndEnergy, EndMeter *chargestream.WattHours
	Measure                         int64
	Energy                          chargestream.WattHours
	// Due is when the session is settled, by these claims.
	Due chargestream.Millis
}

// compareIntervals is below zero where a is to be preferred.
func compareIntervals(a, b *Interval) int {
	return cmp.Or(cmp.Compare(a.StartArrival, b.StartArrival), cmp.Compare(a.From, b.From),
		compareOptional(a.StartMeter, b.StartMeter),
		cmp.Compare(a.EndArrival, b.EndArrival), cmp.Compare(a.To, b.To),
		compareOptional(a.EndEnergy, b.EndEnergy), compareOptional(a.EndMeter, b.EndMeter),
		-cmp.Compare(a.Measure, b.Measure), -cmp.Compare(a.Energy, b.Energy))
}

// Same tells whether two intervals say the same.
func (in *Interval) Same(o *Interval) bool { return compareIntervals(in, o) == 0 }

func mergeStays(into, from *Stay) {
	for _, b := range from.Begins {
		into.Begins = mergeClaim(into.Begins, b, compareBegins, earlierBegin, beginArrival)
	}
	if from.Interval.From != 0 && (into.Interval.From == 0 ||
		compareIntervals(&from.Interval, &into.Interval) < 0) {
		into.Interval = from.Interval
	}
	if from.Span.From != 0 && (into.Span.From == 0 ||
		compareIntervals(&from.Span, &into.Span) < 0) {
		into.Span = from.Span
	}
	into.Heard, into.Whole = max(into.Heard, from.Heard), into.Whole || from.Whole
}

// Merge joins another row of the same window into h.
func (h *Hour) Merge(o *Hour) {
	if compareTransitions(&o.Carry, &h.Carry) > 0 {
		h.Carry = o.Carry
	}
	for _, t := range o.Transitions {
		h.Transitions = insertSorted(h.Transitions, t, compareTransitions,
			func(into, from *Transition) { into.Arrival = least(into.Arrival, from.Arrival) })
	}
	h.Transitions = bound(h.Transitions, HourTransitionsMax, func(a, b *Transition) int {
		return cmp.Or(cmp.Compare(lateMoment(a.At, a.Arrival), lateMoment(b.At, b.Arrival)),
			compareTransitions(a, b))
	})
	for _, s := range o.Stays {
		h.Stays = insertSorted(h.Stays, s,
			func(a, b *Stay) int { return cmp.Compare(a.ID, b.ID) }, mergeStays)
	}
	h.Stays = bound(h.Stays, HourStaysMax, func(a, b *Stay) int {
		return cmp.Or(cmp.Compare(a.arrival(), b.arrival()), cmp.Compare(a.ID, b.ID))
	})
	for _, l := range o.Loads {
		h.Loads = insertSorted(h.Loads, l, compareQuarters, mergeQuarters)
	}
	h.Loads = boundQuarters(h.Loads, HourLoadsMax)
	h.Through = h.Through || o.Through
	h.Closed = h.Closed || o.Closed
	h.Heard = max(h.Heard, o.Heard)
}

// Due is when the window must be closed, by stream time; zero when it is.
func (h *Hour) Due(key HourKey) chargestream.Millis {
	if h.Closed {
		return 0
	}
	return key.End() + chargestream.Grace
}

// duplicates gives, for each session that was delivered before under another id, the first
// delivery. Two sessions cannot start on one connector at the same millisecond; of those that
// say so, the first by (arrival, id) is the session and the others are its copies.
func (h *Hour) duplicates() map[chargestream.SessionID]Origin {
	first := map[chargestream.Millis]Origin{}
	for i := range h.Stays {
		for _, b := range h.Stays[i].Begins {
			o := Origin{Arrival: b.Arrival, ID: h.Stays[i].ID, At: b.At}
			if known, ok := first[b.At]; !ok || compareOrigins(&o, &known) < 0 {
				first[b.At] = o
			}
		}
	}
	copies := map[chargestream.SessionID]Origin{}
	for i := range h.Stays {
		id := h.Stays[i].ID
		for _, b := range h.Stays[i].Begins {
			o := first[b.At]
			if known, ok := copies[id]; o.ID != id && (!ok || compareOrigins(&o, &known) < 0) {
				copies[id] = o
			}
		}
	}
	return copies
}

// Verdicts are the answers that a merge changed: those of sessions that before was not known,
// or was not known rightly, to be copies. They are in the order of the session ids.
func (h *Hour) Verdicts(before *Hour) []SessionPart {
	old, parts := before.duplicates(), []SessionPart(nil)
	for id, origin := range h.duplicates() {
		if old[id] != origin {
			parts = append(parts, SessionPart{ID: id,
				Row: Session{Verdict: Verdict{DuplicateOf: origin, Self: id}}})
		}
	}
	slices.SortFunc(parts, func(a, b SessionPart) int { return cmp.Compare(a.ID, b.ID) })
	return parts
}

// intervals are the stays that count as occupancy, by begin: without copies, and without those
// that have no length.
func (h *Hour) intervals() []Stay {
	var stays []Stay
	for _, s := range h.distinct() {
		if s.Interval.From < s.Interval.To {
			stays = append(stays, s)
		}
	}
	slices.SortFunc(stays, func(a, b Stay) int {
		return cmp.Or(cmp.Compare(a.Interval.From, b.Interval.From), cmp.Compare(a.ID, b.ID))
	})
	return stays
}

// distinct are the stays with an interval, without the copies of others.
func (h *Hour) distinct() []Stay {
	first := map[chargestream.Millis]*Stay{}
	for i := range h.Stays {
		s := &h.Stays[i]
		if s.Interval.From == 0 {
			continue
		}
		if f := first[s.Interval.From]; f == nil || cmp.Or(cmp.Compare(s.Interval.StartArrival,
			f.Interval.StartArrival), cmp.Compare(s.ID, f.ID)) < 0 {
			first[s.Interval.From] = s
		}
	}
	var stays []Stay
	for i := range h.Stays {
		if s := &h.Stays[i]; s.Interval.From != 0 && first[s.Interval.From] == s {
			stays = append(stays, *s)
		}
	}
	return stays
}
