package reconcile

import (
	"cmp"
	"math"
	"slices"

	"chargestream"
)

// glitchReadings is how many readings in a row are not believed if the register is back where it
// was after them. A register that stays where it fell to, or rose to, counts anew.
const glitchReadings = 3

// jumpSlack is what a register may rise by at once: the end of a session may tell a kWh that its
// samples did not show.
const jumpSlack chargestream.WattHours = 1000

// spanMax bounds the time for which growth is held against what a connector can deliver.
const spanMax = 400 * chargestream.Day

// forever is the end of a session that runs.
const forever = chargestream.Millis(math.MaxInt64)

// span is a session with what the register of its connector grew by while it ran.
type span struct {
	*Session
	from, to chargestream.Millis
	// grown is growth between readings within the session, taken what it has of growth between a
	// reading before and one after its start or end.
	grown, taken chargestream.WattHours
	// before and after tell whether the register was read before the start and after the end, with
	// nothing to disbelieve between.
	before, after, broken bool
	edges                 []*edge
	copied                bool // it is the copy of another session, and has no energy of its own
}

// edge is growth between two readings between which sessions start or end.
type edge struct {
	at   chargestream.Millis // of the later reading
	left chargestream.WattHours
}

// spans are the sessions by connector, by start.
func (c *check) spans() map[place][]*span {
	spans := map[place][]*span{}
	seen := map[sessionKey]bool{}
	for i := range c.in.Sessions {
		s := &c.in.Sessions[i]
		if seen[s.key()] {
			continue
		}
		seen[s.key()] = true
		p := place{s.StationID, s.ConnectorID}
		one := &span{Session: s, from: cmp.Or(s.Start, s.End), to: s.End,
			copied: s.CopyOf != "" && !c.books.decided(s.key())}
		if s.End == 0 {
			one.to = forever
		}
		spans[p] = append(spans[p], one)
	}
	for _, list := range spans {
		slices.SortFunc(list, func(a, b *span) int {
			return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.ID, b.ID))
		})
	}
	return spans
}

// registers are those of the input, each connector once, with the readings by time.
func (c *check) registers() []Register {
	merged := map[place][]Reading{}
	for _, r := range c.in.Registers {
		p := place{r.StationID, r.ConnectorID}
		merged[p] = append(merged[p], r.Readings...)
	}
	list := make([]Register, 0, len(merged))
	for p, readings := range merged {
		slices.SortFunc(readings, func(a, b Reading) int {
			return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Energy, b.Energy))
		})
		list = append(list, Register{StationID: p.station, ConnectorID: p.connector,
			Readings: readings})
	}
	return list
}

// readRegister gives the growth of a register to the sessions of its connector, and what is left
// to the gap outside of them.
func (c *check) readRegister(r Register, list []*span) {
	b := c.balance(place{r.StationID, r.ConnectorID})
	var active []*span
	var edges []*edge
	next := 0
	for i, step := range c.steps(b, r.Readings) {
		for next < len(list) && list[next].from < step.to {
			if !list[next].copied {
				list[next].before = i > 0 || list[next].from >= step.from
				active = append(active, list[next])
			}
			next++
		}
		active = slices.DeleteFunc(active, func(s *span) bool { return s.to <= step.from })
		if e := step.share(active); e != nil {
			edges = append(edges, e)
		}
	}
	for _, s := range list {
		s.settle()
	}
	for _, e := range edges {
		if e.left > 0 && c.within(e.at) {
			b.Metered += e.left
			b.gap(GapOutside, e.left)
		}
	}
}

// step is what a register grew by between two readings.
type step struct {
	from, to chargestream.Millis
	grown    chargestream.WattHours
	broken   bool // what it grew by is not known
}

// share gives the growth of a step to the sessions that ran in it, and returns what is not certain
// to belong to one.
func (p step) share(active []*span) *edge {
	var e *edge
	for _, s := range active {
		s.after = s.after || p.to >= s.to
		s.broken = s.broken || p.broken
		if len(active) == 1 && s.from <= p.from && s.to >= p.to {
			s.grown += p.grown
			return nil
		}
		if e == nil {
			e = &edge{at: p.to, left: p.grown}
		}
		s.edges = append(s.edges, e)
	}
	if e == nil {
		e = &edge{at: p.to, left: p.grown}
	}
	return e
}

// settle takes from the edges of a session what it told more than its register grew by within.
func (s *span) settle() {
	if s.Energy == nil {
		return
	}
	for _, e := range s.edges {
		more := min(e.left, *s.Energy-s.grown-s.taken)
		if more > 0 {
			s.taken += more
			e.left -= more
		}
	}
}

// steps are the readings of a register as growth, with what is not believed left out.
func (c *check) steps(b *Balance, readings []Reading) []step {
	var steps []step
	for i := 0; i+1 < len(readings); {
		at := readings[i]
		j := i + 1
		odd := readings[j]
		for j < len(readings) && j <= i+glitchReadings && !cameBack(at, odd, readings[j]) {
			j++
		}
		if j < len(readings) && cameBack(at, odd, readings[j]) {
			for _, glitch := range readings[i+1 : j] {
				c.noteOn(b, NoteGlitch, glitch, at)
			}
			steps = append(steps, step{from: at.At, to: readings[j].At,
				grown: readings[j].Energy - at.Energy})
			i = j
			continue
		}
		name := NoteJump
		if odd.Energy < at.Energy {
			name = NoteFall
		}
		c.noteOn(b, name, odd, at)
		steps = append(steps, step{from: at.At, to: odd.At, broken: true})
		i++
	}
	return steps
}

func (c *check) noteOn(b *Balance, name NoteName, odd, last Reading) {
	if c.within(odd.At) {
		b.note(name, odd.Energy-last.Energy)
	}
}

// cameBack reports whether a register is where it can be after a reading, at once or after an odd
// one: a register that jumped is only back where it is below that.
func cameBack(at, odd, now Reading) bool {
	jumped := !plausible(at, odd) && odd.Energy > at.Energy
	return plausible(at, now) && (!jumped || now.Energy < odd.Energy)
}

// plausible reports whether a register that showed one reading can show the other later: it does
// not fall, and rises by no more than any connector can deliver.
func plausible(one, other Reading) bool {
	elapsed := min(other.At-one.At, spanMax)
	most := chargestream.WattHours(int64(chargestream.PowerLimit) * int64(elapsed) /
		int64(chargestream.Hour))
	return other.Energy >= one.Energy && one.Energy >= other.Energy-most-most/10-jumpSlack
}
