package reconcile

import (
	"cmp"
	"slices"

	"chargestream"
)

// Input is what is held against each other. The order of the lists does not matter.
type Input struct {
	// From and To bound the period, To is not in it.
	From, To chargestream.Millis
	// AsOf is the moment up to which documents that are due must be there.
	AsOf      chargestream.Millis
	Sessions  []Session
	Registers []Register
	Documents []chargestream.Invoice
}

// Session is one session, by what the station told of it.
type Session struct {
	ID          chargestream.SessionID
	StationID   chargestream.StationID
	ConnectorID chargestream.ConnectorID
	Start, End  chargestream.Millis // zero where none is known
	// Energy is what its own meters told: the energy of its end, or the difference of its two
	// registers; nil where they told none.
	Energy *chargestream.WattHours
	CopyOf chargestream.SessionID // the first delivery of the same session; empty for none
	// Due is the moment from which a document must be there; zero where none is to be.
	Due chargestream.Millis
}

// sessionKey names a session: an id is unique at a station.
type sessionKey struct {
	station chargestream.StationID
	session chargestream.SessionID
}

func (s *Session) key() sessionKey { return sessionKey{s.StationID, s.ID} }

func keyOf(v *chargestream.Invoice) sessionKey { return sessionKey{v.StationID, v.SessionID} }

// at is the moment by which a session belongs to a period.
func (s *Session) at() chargestream.Millis { return cmp.Or(s.End, s.Start) }

// Register is what was read of the register of one connector, that of its sessions included.
type Register struct {
	StationID   chargestream.StationID
	ConnectorID chargestream.ConnectorID
	Readings    []Reading
}

// Reading is what a register showed.
type Reading struct {
	At     chargestream.Millis
	Energy chargestream.WattHours
}

// GapName is why energy was metered that is on no bill, or the other way round (below zero).
type GapName string

// The gaps.
const (
	// GapOutside: the register grew while no session ran.
	GapOutside GapName = "outside_sessions"
	// GapBeyond: the register grew by more, while a session ran, than the session told.
	GapBeyond GapName = "beyond_session"
	// GapNotDue: the session runs, or its bill is not due yet.
	GapNotDue GapName = "not_due"
	// GapNotEnded: the bill is held as nothing told of an end.
	GapNotEnded GapName = "not_ended"
	// GapNoEnergy: nothing told the energy, and the bill is held.
	GapNoEnergy GapName = "no_energy"
	// GapDoubted: the bill is estimated, or held or released for a doubt about its energy.
	GapDoubted GapName = "doubted"
	// GapCorrected: a decision set another energy.
	GapCorrected GapName = "corrected"
	// GapCancelled: a decision said that the session is not billed.
	GapCancelled GapName = "cancelled"
)

// NoteName is what is worth a look although the sums are right.
type NoteName string

// The notes. Their energy is in no sum.
const (
	// NoteCopy: a session was delivered again; it is metered and billed once.
	NoteCopy NoteName = "copies"
	// NoteFall: the register fell and stayed there: what was lost on the way nobody knows.
	NoteFall NoteName = "register_fell"
	// NoteJump: the register rose by more than any connector can deliver in that time.
	NoteJump NoteName = "register_jumped"
	// NoteGlitch: a reading fell or jumped, and came back.
	NoteGlitch NoteName = "register_glitch"
	// NoteTold: a session told more than the register grew by, from before it to after it.
	NoteTold NoteName = "not_on_register"
)

// Entry is all energy of one name, and how often there was some.
type Entry[N ~string] struct {
	Name   N                      `json:"name"`
	Count  int                    `json:"count"`
	Energy chargestream.WattHours `json:"energy_wh"`
}

// Gap is metered energy that is on no bill, in Wh; below zero it is on a bill and was not metered.
type Gap = Entry[GapName]

// Note is energy in Wh that is in no sum.
type Note = Entry[NoteName]

// enter adds an entry to those of the same name.
func enter[N ~string](list []Entry[N], e Entry[N]) []Entry[N] {
	for i := range list {
		if list[i].Name == e.Name {
			list[i].Count += e.Count
			list[i].Energy += e.Energy
			return list
		}
	}
	return append(list, e)
}

// ordered are entries by name; the list is never nil: JSON shows an empty list as one.
func ordered[N ~string](list []Entry[N]) []Entry[N] {
	list = append([]Entry[N]{}, list...)
	slices.SortFunc(list, func(a, b Entry[N]) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// Balance is what one connector, or all of them, delivered and billed. Metered is Invoiced, Held,
// all Gaps and Unexplained.
type Balance struct {
	StationID   chargestream.StationID   `json:"station_id,omitempty"` // empty in a sum
	ConnectorID chargestream.ConnectorID `json:"connector_id,omitempty"`
	Sessions    int                      `json:"sessions"`
	Metered     chargestream.WattHours   `json:"metered_wh"`
	Invoiced    chargestream.WattHours   `json:"invoiced_wh"`
	Held        chargestream.WattHours   `json:"held_wh"`
	Gaps        []Gap                    `json:"gaps"`
	Unexplained chargestream.WattHours   `json:"unexplained_wh"`
	Notes       []Note                   `json:"notes"`
}

// Report is what Check found.
type Report struct {
	From       chargestream.Millis `json:"from"`
	To         chargestream.Millis `json:"to"`
	AsOf       chargestream.Millis `json:"as_of"`
	Sum        Balance             `json:"sum"`
	Connectors []Balance           `json:"connectors"` // by station and connector
	Findings   []Finding           `json:"findings"`
}

// AddsUp reports whether all energy is explained, and nothing was found that is wrong.
func (r *Report) AddsUp() bool {
	return len(r.Findings) == 0 && !slices.ContainsFunc(r.Connectors, func(b Balance) bool {
		return b.Unexplained != 0
	})
}

// place is one connector.
type place struct {
	station   chargestream.StationID
	connector chargestream.ConnectorID
}

// check is the state of Check.
type check struct {
	in       *Input
	balances map[place]*Balance
	findings []Finding
	books    *books
}

// Check holds the sources of a period against each other.
func Check(in *Input) *Report {
	c := &check{in: in, balances: map[place]*Balance{}, books: openBooks(in.Documents)}
	spans := c.spans()
	for _, r := range c.registers() {
		c.readRegister(r, spans[place{r.StationID, r.ConnectorID}])
	}
	known := map[sessionKey]bool{}
	for _, list := range spans {
		for _, s := range list {
			known[s.key()] = true
			if c.within(s.at()) {
				c.session(s)
			}
		}
	}
	c.strangers(known)
	c.credits()
	return c.report()
}

func (c *check) within(at chargestream.Millis) bool { return at >= c.in.From && at < c.in.To }

// balance is that of a connector.
func (c *check) balance(p place) *Balance {
	b := c.balances[p]
	if b == nil {
		b = &Balance{StationID: p.station, ConnectorID: p.connector}
		c.balances[p] = b
	}
	return b
}

// gap adds metered energy that is on no bill.
func (b *Balance) gap(name GapName, energy chargestream.WattHours) {
	b.Gaps = enter(b.Gaps, Gap{Name: name, Count: 1, Energy: energy})
}

func (b *Balance) note(name NoteName, energy chargestream.WattHours) {
	b.Notes = enter(b.Notes, Note{Name: name, Count: 1, Energy: energy})
}

// add adds another balance to a sum.
func (b *Balance) add(o *Balance) {
	b.Sessions += o.Sessions
	b.Metered += o.Metered
	b.Invoiced += o.Invoiced
	b.Held += o.Held
	b.Unexplained += o.Unexplained
	for _, g := range o.Gaps {
		b.Gaps = enter(b.Gaps, g)
	}
	for _, n := range o.Notes {
		b.Notes = enter(b.Notes, n)
	}
}

// finish computes what is unexplained.
func (b *Balance) finish() {
	b.Unexplained = b.Metered - b.Invoiced - b.Held
	for _, g := range b.Gaps {
		b.Unexplained -= g.Energy
	}
	b.Gaps, b.Notes = ordered(b.Gaps), ordered(b.Notes)
}

func (c *check) report() *Report {
	r := &Report{From: c.in.From, To: c.in.To, AsOf: c.in.AsOf, Connectors: []Balance{},
		Findings: append([]Finding{}, c.findings...)}
	for _, b := range c.balances {
		b.finish()
		if b.Sessions > 0 || b.Metered != 0 || b.Invoiced != 0 || b.Held != 0 ||
			len(b.Notes) > 0 {
			r.Connectors = append(r.Connectors, *b)
		}
	}
	slices.SortFunc(r.Connectors, func(x, y Balance) int {
		return cmp.Or(cmp.Compare(x.StationID, y.StationID),
			cmp.Compare(x.ConnectorID, y.ConnectorID))
	})
	for i := range r.Connectors {
		r.Sum.add(&r.Connectors[i])
	}
	r.Sum.Gaps, r.Sum.Notes = ordered(r.Sum.Gaps), ordered(r.Sum.Notes)
	slices.SortFunc(r.Findings, compareFindings)
	return r
}
