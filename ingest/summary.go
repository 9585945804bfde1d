package ingest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"chargestream"
)

// The bounds of a summary.
const (
	// shownMax is how many of the longest, of the largest and of the repeated sessions are shown.
	shownMax = 10
	// spanMax is how long a session takes that nobody need look at.
	spanMax = 7 * chargestream.Day
	// powerMax is the mean power in W up to which nobody need look at a session.
	powerMax = 400_000
	// slackMin and slackShare are how far a told duration may be from that of the times.
	slackMin   = 2 * chargestream.Minute
	slackShare = 20 // a twentieth
)

// Summary is what a file of sessions holds as a whole, for who imports it to look at.
type Summary struct {
	// From and To are the span of all times.
	From chargestream.Millis `json:"from,omitzero"`
	To   chargestream.Millis `json:"to,omitzero"`
	// EnergyWh is that of all rows; EnergyWithoutEndWh the part of it of sessions without an end,
	// which no event carries.
	EnergyWh           chargestream.WattHours `json:"energy_wh"`
	EnergyWithoutEndWh chargestream.WattHours `json:"energy_without_end_wh,omitempty"`
	Users              int                    `json:"users"`
	Stations           int                    `json:"stations"`
	Connectors         int                    `json:"connectors"`
	WithoutEnd         int                    `json:"without_end,omitempty"`
	WithoutUser        int                    `json:"without_user,omitempty"`
	WithoutEnergy      int                    `json:"without_energy,omitempty"`
	// RepeatedIDs is how many rows have the session_id and station_id of an earlier one.
	RepeatedIDs int        `json:"repeated_ids,omitempty"`
	Repeated    []Repeated `json:"repeated,omitempty"` // the first of them
	Longest     []Line     `json:"longest,omitempty"`
	Largest     []Line     `json:"largest,omitempty"`
	Warnings    []string   `json:"warnings,omitempty"`
}

// Line is one session of a summary.
type Line struct {
	Line      int                    `json:"line"` // in the file, counted from one
	StationID chargestream.StationID `json:"station_id"`
	SessionID chargestream.SessionID `json:"session_id"`
	Start     chargestream.Millis    `json:"start"`
	Duration  string                 `json:"duration,omitempty"` // h:mm:ss
	EnergyWh  chargestream.WattHours `json:"energy_wh"`

	took chargestream.Millis
}

// Repeated is a session_id that came before at the same station.
type Repeated struct {
	Line      int                    `json:"line"`
	Before    int                    `json:"before"` // the line of the first
	StationID chargestream.StationID `json:"station_id"`
	SessionID chargestream.SessionID `json:"session_id"`
	Same      bool                   `json:"same"` // the rows tell the same
}

// seen is a session by which a repeated one is known.
type seen struct {
	line       int
	start, end chargestream.Millis
	energy     chargestream.WattHours
}

// tally gathers a summary row by row.
type tally struct {
	sum        Summary
	users      map[chargestream.UserID]bool
	stations   map[chargestream.StationID]bool
	connectors map[string][]span
	sessions   map[string]seen
	energies   []chargestream.WattHours
	counts     map[string]count
	midnight   int // starts at 00:00:00 UTC, of all
	rows       int
}

// span is a session on its connector.
type span struct{ from, to chargestream.Millis }

// count is how often something was found, and the first line of it.
type count struct{ n, line int }

func newTally() *tally {
	return &tally{users: map[chargestream.UserID]bool{},
		stations: map[chargestream.StationID]bool{}, connectors: map[string][]span{},
		sessions: map[string]seen{}, counts: map[string]count{}}
}

// add takes a row.
func (t *tally) add(f *fact) {
	t.rows++
	from, to := f.start.Time, max(f.start.Time, f.end.Time)
	if t.sum.From == 0 || from < t.sum.From {
		t.sum.From = from
	}
	t.sum.To = max(t.sum.To, to)
	t.stations[f.start.StationID] = true
	if f.start.UserID == "" {
		t.sum.WithoutUser++
	} else {
		t.users[chargestream.FoldID(f.start.UserID)] = true
	}
	line := Line{Line: f.line, StationID: f.start.StationID, SessionID: f.start.SessionID,
		Start: from, took: to - from, EnergyWh: f.wattHours(t)}
	t.connectors[f.place()] = append(t.connectors[f.place()], span{from, to})
	t.sum.Longest = keep(t.sum.Longest, line, func(l *Line) int64 { return int64(l.took) })
	t.sum.Largest = keep(t.sum.Largest, line, func(l *Line) int64 { return int64(l.EnergyWh) })
	t.repeated(f, line.EnergyWh)
	t.doubts(f, &line)
}

// place is the connector of a row.
func (f *fact) place() string {
	return string(f.start.StationID) + "\x00" + string(f.start.ConnectorID)
}

// wattHours is the energy of a row: what it tells, else what its registers do.
func (f *fact) wattHours(t *tally) chargestream.WattHours {
	var energy chargestream.WattHours
	switch {
	case f.end.Energy != nil:
		energy = *f.end.Energy
	case f.start.Meter != nil && f.end.Meter != nil:
		energy = *f.end.Meter - *f.start.Meter
	default:
		t.sum.WithoutEnergy++
	}
	t.energies = append(t.energies, energy)
	t.sum.EnergyWh += energy
	if f.end.Time == 0 {
		t.sum.WithoutEnd++
		t.sum.EnergyWithoutEndWh += energy
	}
	return energy
}

// keep keeps the lines with the largest amounts, of equals the first.
func keep(lines []Line, line Line, by func(*Line) int64) []Line {
	if by(&line) <= 0 || len(lines) == shownMax && by(&line) <= by(&lines[shownMax-1]) {
		return lines
	}
	lines = append(lines, line)
	slices.SortStableFunc(lines, func(a, b Line) int { return -cmp.Compare(by(&a), by(&b)) })
	return lines[:min(len(lines), shownMax)]
}

// repeated notes a session that came before.
func (t *tally) repeated(f *fact, energy chargestream.WattHours) {
	key := string(f.start.StationID) + "\x00" + string(f.start.SessionID)
	this := seen{f.line, f.start.Time, f.end.Time, energy}
	before, ok := t.sessions[key]
	if !ok {
		t.sessions[key] = this
		return
	}
	t.sum.RepeatedIDs++
	if len(t.sum.Repeated) < shownMax {
		this.line = before.line
		t.sum.Repeated = append(t.sum.Repeated, Repeated{Line: f.line, Before: before.line,
			StationID: f.start.StationID, SessionID: f.start.SessionID, Same: this == before})
	}
}

// note counts a doubt.
func (t *tally) note(line int, found bool, what string) {
	if !found {
		return
	}
	c := t.counts[what]
	if c.n == 0 {
		c.line = line
	}
	c.n++
	t.counts[what] = c
}

// The doubts about a row, in the order in which they are told.
const (
	doubtEndBefore = "sessions that end before they start; are the columns and the zones right?"
	doubtLong      = "sessions of more than 7 days"
	doubtPower     = "sessions with a mean power above 400 kW; is the unit of the energy right?"
	doubtNegative  = "sessions with a negative energy"
	doubtZero      = "sessions without energy, or with zero"
	doubtDuration  = "sessions with another duration than their times; are the zones right?"
	doubtTwice     = "sessions with a time that the clocks showed twice; the duration decided, " +
		"else the order of start and end, else the other sessions of the connector"
	doubtSkipped = "sessions with a time that the clocks skipped; it was read as if they had " +
		"not been set yet"
)

// doubts notes what looks wrong with a row.
func (t *tally) doubts(f *fact, line *Line) {
	ended := f.end.Time != 0
	took := f.end.Time - f.start.Time
	t.note(f.line, ended && took < 0, doubtEndBefore)
	t.note(f.line, ended && took > spanMax, doubtLong)
	t.note(f.line, ended && took > 0 && int64(line.EnergyWh) >
		powerMax*int64(took)/int64(chargestream.Hour), doubtPower)
	t.note(f.line, line.EnergyWh < 0, doubtNegative)
	t.note(f.line, line.EnergyWh == 0, doubtZero)
	off := max(took-f.duration, f.duration-took)
	t.note(f.line, ended && f.duration > 0 && off > max(slackMin, f.duration/slackShare),
		doubtDuration)
	t.note(f.line, f.twice, doubtTwice)
	t.note(f.line, f.skipped, doubtSkipped)
	if f.start.Time%chargestream.Day == 0 {
		t.midnight++
	}
}

// summary is what was gathered.
func (t *tally) summary() Summary {
	s := &t.sum
	s.Users, s.Stations, s.Connectors = len(t.users), len(t.stations), len(t.connectors)
	for _, list := range [][]Line{s.Longest, s.Largest} {
		for i := range list {
			list[i].Duration = hours(list[i].took)
		}
	}
	for _, doubt := range []string{doubtEndBefore, doubtLong, doubtPower, doubtNegative, doubtZero,
		doubtDuration, doubtTwice, doubtSkipped} {
		if c := t.counts[doubt]; c.n > 0 {
			what, ask, found := strings.Cut(doubt, "; ")
			if found {
				ask = "; " + ask
			}
			t.warn(true, "%s: %d, the first in line %d%s", what, c.n, c.line, ask)
		}
	}
	t.warn(s.RepeatedIDs > 0, "rows with the session_id of an earlier one: %d; rows that differ "+
		"make one doubtful session, add a column to session_id with join", s.RepeatedIDs)
	t.warn(s.WithoutEnd > 0, "sessions without an end: %d; they are billed only when one is sent",
		s.WithoutEnd)
	t.warn(s.WithoutUser > 0, "sessions without a user: %d; their bills will be held",
		s.WithoutUser)
	over := t.overlapping()
	t.warn(over > 0, "sessions that begin while another one is on the same connector: %d; is "+
		"connector_id mapped?", over)
	t.warn(t.rows > 1 && t.midnight > t.rows/2, "sessions that start at midnight: %d of %d; is "+
		"the time of day in another column?", t.midnight, t.rows)
	if t.rows > 0 {
		slices.Sort(t.energies)
		median := t.energies[len(t.energies)/2]
		t.warn(median > 0 && median < 200, "half of the sessions have less than %d Wh: is the "+
			"energy in kWh?", median)
		t.warn(median > 200_000, "half of the sessions have more than %d kWh: is the energy in Wh?",
			median/1000)
	}
	return *s
}

func (t *tally) warn(found bool, format string, args ...any) {
	if found {
		t.sum.Warnings = append(t.sum.Warnings, fmt.Sprintf(format, args...))
	}
}

// overlapping is how many sessions begin before an earlier one on their connector has ended.
func (t *tally) overlapping() int {
	n := 0
	for _, spans := range t.connectors {
		slices.SortFunc(spans, func(a, b span) int {
			return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
		})
		busy := chargestream.Millis(0)
		for _, s := range spans {
			if s.from < busy {
				n++
			}
			busy = max(busy, s.to)
		}
	}
	return n
}

// hours is a span as h:mm:ss.
func hours(m chargestream.Millis) string {
	s := m / chargestream.Second
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}
