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
	Stays       []Stay // by ID
	Loads       []Load // by Start
	// Through tells that the station was heard of after the window's end, so that the last
	// status held to it.
	Through bool
	// Closed tells that the grace after the window's end is over.
	Closed bool
}

// HourPart is a partial row for the hours table. Check names a session of the row whose duplicate
// state is asked for: the answer goes to the sessions table as a Verdict.
type HourPart struct {
	Key   HourKey
	Row   Hour
	Check chargestream.SessionID
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

// Load is what the samples of a quarter hour tell of the power; see Quarter.
type Load struct {
	Start             chargestream.Millis
	Peak              chargestream.Watts
	Sampled, Charging uint16
}

// Stay is a session as a window keeps it. The start is known in the window in which the session
// began, the interval, once the session has ended, in every window that it touches.
type Stay struct {
	ID chargestream.SessionID
	// Begins are the claims that the session began in the window, the first to arrive first.
	Begins   []Begin
	Interval Interval
}

// Begin is one claim that a session began.
type Begin struct {
	At      chargestream.Millis
	Arrival chargestream.Millis
}

func compareBegins(a, b *Begin) int { return cmp.Compare(a.At, b.At) }

func beginArrival(b *Begin) *chargestream.Millis { return &b.Arrival }

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
		into.Begins = mergeClaim(into.Begins, b, compareBegins, beginArrival)
	}
	if from.Interval.From != 0 && (into.Interval.From == 0 ||
		compareIntervals(&from.Interval, &into.Interval) < 0) {
		into.Interval = from.Interval
	}
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
	h.Transitions = h.Transitions[:min(len(h.Transitions), HourTransitionsMax)]
	for _, s := range o.Stays {
		h.Stays = insertSorted(h.Stays, s,
			func(a, b *Stay) int { return cmp.Compare(a.ID, b.ID) }, mergeStays)
	}
	h.Stays = h.Stays[:min(len(h.Stays), HourStaysMax)]
	for _, l := range o.Loads {
		h.Loads = insertSorted(h.Loads, l,
			func(a, b *Load) int { return cmp.Compare(a.Start, b.Start) }, mergeLoads)
	}
	h.Through = h.Through || o.Through
	h.Closed = h.Closed || o.Closed
}

func mergeLoads(into, from *Load) {
	into.Peak = max(into.Peak, from.Peak)
	into.Sampled |= from.Sampled
	into.Charging |= from.Charging
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
			o := Origin{Arrival: b.Arrival, ID: h.Stays[i].ID}
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

// Verdict is the answer to HourPart.Check: whether the session is a copy of another.
func (h *Hour) Verdict(id chargestream.SessionID) Verdict {
	v := Verdict{Known: true, DuplicateOf: h.duplicates()[id]}
	if v.DuplicateOf.ID != "" {
		v.Self = id
	}
	return v
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
