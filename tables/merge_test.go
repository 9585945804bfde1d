package tables_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"chargestream"
	"chargestream/tables"
)

// lattice is what a merge must be: a join of a semilattice. Equality is that of the bytes.
type lattice[T any] struct {
	draw  func(*rapid.T) T
	clone func(T) T
	merge func(into, from T)
	bytes func(T) []byte
}

// check draws three rows and holds that merging is idempotent, commutative and associative, and
// that it leaves the row that is merged alone.
func (l *lattice[T]) check(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := l.draw(t), l.draw(t), l.draw(t)
		alone := l.bytes(b)
		ab := l.join(a, b)
		l.equal(t, "a row and itself", l.join(a, a), a)
		l.equal(t, "the other way round", l.join(b, a), ab)
		l.equal(t, "again", l.join(ab, b), ab)
		l.equal(t, "in other pairs", l.join(a, l.join(b, c)), l.join(ab, c))
		if !bytes.Equal(alone, l.bytes(b)) {
			t.Fatal("the row that was merged into another has changed")
		}
	})
}

func (l *lattice[T]) join(a, b T) T {
	joined := l.clone(a)
	l.merge(joined, b)
	return joined
}

func (l *lattice[T]) equal(t *rapid.T, what string, got, want T) {
	t.Helper()
	if !bytes.Equal(l.bytes(got), l.bytes(want)) {
		t.Fatalf("%s:\n%+v\n%+v", what, got, want)
	}
}

func TestQuartersAreASemilattice(t *testing.T) {
	(&lattice[*tables.Quarter]{
		draw:  func(t *rapid.T) *tables.Quarter { return of(drawQuarter(t)) },
		clone: func(q *tables.Quarter) *tables.Quarter { return of(*q) },
		merge: (*tables.Quarter).Merge,
		bytes: func(q *tables.Quarter) []byte {
			return (&tables.Session{Quarters: []tables.Quarter{*q}}).Append(nil)
		},
	}).check(t)
}

func sessions() *lattice[*tables.Session] {
	return &lattice[*tables.Session]{draw: drawSession, merge: (*tables.Session).Merge,
		bytes: func(s *tables.Session) []byte { return s.Append(nil) },
		clone: func(s *tables.Session) *tables.Session {
			return must(tables.DecodeSession(s.Append(nil)))
		}}
}

func hours() *lattice[*tables.Hour] {
	return &lattice[*tables.Hour]{draw: drawHour, merge: (*tables.Hour).Merge,
		bytes: func(h *tables.Hour) []byte { return h.Append(nil) },
		clone: func(h *tables.Hour) *tables.Hour { return must(tables.DecodeHour(h.Append(nil))) }}
}

// must is the row of a decoder that was given what the row's own Append wrote.
func must[T any](row T, err error) T {
	if err != nil {
		panic(err)
	}
	return row
}

func TestSessionsAreASemilattice(t *testing.T) { sessions().check(t) }

// TestDecisionsAreASemilattice draws decisions that are told again with other content, at the same
// moment too.
func TestDecisionsAreASemilattice(t *testing.T) {
	l := sessions()
	l.draw = func(t *rapid.T) *tables.Session {
		row := &tables.Session{}
		for range rapid.IntRange(0, 3).Draw(t, "decisions") {
			d := drawDecision(t)
			d.Time = begin
			d.Arrival = begin + chargestream.Millis(rapid.IntRange(0, 1).Draw(t, "decided"))
			row.Merge(&tables.Session{Decisions: []tables.Decision{d}})
		}
		return row
	}
	l.check(t)
}

func TestHoursAreASemilattice(t *testing.T) { hours().check(t) }

// TestQuarterIsThatOfItsSamples holds the envelope against what it is an envelope of.
func TestQuarterIsThatOfItsSamples(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q tables.Quarter
		var registers []tables.Reading
		for i := range rapid.IntRange(1, 12).Draw(t, "samples") {
			m := drawSample(t, 14)
			sample := tables.QuarterOf(m, m.Time)
			if m.Energy != nil {
				registers = append(registers, tables.Reading{At: m.Time, Energy: *m.Energy})
			}
			if i == 0 {
				q = sample
			} else {
				q.Merge(&sample)
			}
			if minute := uint16(1) << ((m.Time - begin) / chargestream.Minute); m.Power != nil &&
				(q.Sampled&minute == 0 || q.Peak < *m.Power ||
					*m.Power >= tables.ChargingPowerMin && q.Charging&minute == 0) {
				t.Fatalf("%+v does not hold %d W at %s", q, *m.Power, m.Time)
			}
			if q.From > m.Time || q.Start != begin || q.Charging&^q.Sampled != 0 {
				t.Fatalf("%+v does not hold a sample at %s", q, m.Time)
			}
		}
		if q.HasEnergy() != (len(registers) > 0) {
			t.Fatalf("%+v of %d readings", q, len(registers))
		}
		for _, r := range registers {
			if r.At < q.First.At || r.At > q.Last.At || r.Energy < q.Min || r.Energy > q.Max {
				t.Fatalf("%+v does not hold %+v", q, r)
			}
		}
		if len(registers) > 0 && (!slices.Contains(registers, q.First) ||
			!slices.Contains(registers, q.Last)) {
			t.Fatalf("%+v has a reading that nobody took", q)
		}
	})
}

// TestClaimsAreFew holds that of many different starts and ends the first four to arrive are
// kept, in any order in which the row meets them.
func TestClaimsAreFew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const claims, kept = 6, 4
		order := rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 2, 0}).Draw(t, "order")
		row := &tables.Session{}
		for _, i := range order {
			at := begin + chargestream.Millis(claims-i)*chargestream.Minute
			arrival := begin + chargestream.Millis(i)
			row.Merge(&tables.Session{Starts: []tables.Start{{At: at, Arrival: arrival}},
				Ends: []tables.End{{At: at, Arrival: arrival}}})
		}
		if len(row.Starts) != kept || len(row.Ends) != kept {
			t.Fatalf("starts %+v, ends %+v", row.Starts, row.Ends)
		}
		for i := range kept {
			want := begin + chargestream.Millis(i)
			if row.Starts[i].Arrival != want || row.Ends[i].Arrival != want {
				t.Fatalf("starts %+v, ends %+v", row.Starts, row.Ends)
			}
		}
		first, last := begin+chargestream.Minute, begin+claims*chargestream.Minute
		if row.Low != first || row.LastStart != last || row.LastEnd != last {
			t.Fatalf("low %s, last start %s, last end %s", row.Low, row.LastStart, row.LastEnd)
		}
	})
}

func TestSameClaimKeepsItsEarliestArrival(t *testing.T) {
	row := &tables.Session{}
	for _, arrival := range []chargestream.Millis{9, 3, 5} {
		row.Merge(&tables.Session{Starts: []tables.Start{{At: begin, Arrival: arrival}}})
	}
	if len(row.Starts) != 1 || row.Starts[0].Arrival != 3 {
		t.Errorf("starts %+v", row.Starts)
	}
}

// TestSameDecisionIsTheFirst holds that one id is one decision, and that of the first arrival.
func TestSameDecisionIsTheFirst(t *testing.T) {
	row := &tables.Session{}
	for _, arrival := range []chargestream.Millis{9, 3, 5} {
		d := tables.Decision{Arrival: arrival}
		d.DecisionID, d.By = "d", string(rune('0'+arrival))
		row.Merge(&tables.Session{Decisions: []tables.Decision{d}})
	}
	if len(row.Decisions) != 1 || row.Decisions[0].Arrival != 3 || row.Decisions[0].By != "3" {
		t.Errorf("decisions %+v", row.Decisions)
	}
}

// TestLateSamplesStayApart holds that the envelope of timely samples is not merged with those of
// late ones: a bill of a moment counts what was known at it.
func TestLateSamplesStayApart(t *testing.T) {
	row := &tables.Session{}
	for _, delay := range []chargestream.Millis{0, chargestream.Grace, chargestream.Grace + 1,
		chargestream.Hour, chargestream.Hour + 1} {
		m := &chargestream.MeterValue{
			Time:  begin + chargestream.Minute,
			Power: of[chargestream.Watts](200),
		}
		row.Merge(&tables.Session{Quarters: []tables.Quarter{tables.QuarterOf(m, m.Time+delay)}})
	}
	var late []chargestream.Millis
	for _, q := range row.Quarters {
		late = append(late, q.Late)
	}
	// A delay of an hour and a minute ends in the quarter hour after that of an hour.
	want := []chargestream.Millis{0, begin + chargestream.Quarter, begin + 5*chargestream.Quarter}
	if !slices.Equal(late, want) {
		t.Errorf("late quarters %v, want %v", late, want)
	}
}

// TestBoundsKeepTheSame merges more than a row takes, in two orders and two groupings.
func TestBoundsKeepTheSame(t *testing.T) {
	const n = 1000
	var hourParts []*tables.Hour
	var sessionParts []*tables.Session
	for i := range chargestream.Millis(n) {
		id := fmt.Sprint(int64(i))
		sample := &chargestream.MeterValue{Time: begin + i*chargestream.Quarter}
		quarters := []tables.Quarter{tables.QuarterOf(sample, sample.Time)}
		hourParts = append(hourParts, &tables.Hour{Loads: quarters,
			Stays:       []tables.Stay{{ID: chargestream.SessionID(id)}},
			Transitions: []tables.Transition{{At: begin + i, Arrival: begin + i, State: 1}}})
		decision := tables.Decision{Arrival: begin + i%700}
		decision.DecisionID = id
		sessionParts = append(sessionParts, &tables.Session{Quarters: quarters,
			Decisions: []tables.Decision{decision},
			Hours: []tables.SessionHour{{ConnectorID: "1", Start: begin, Answered: noon,
				Overlaps: []tables.Overlap{{ID: chargestream.SessionID(id),
					Interval: tables.Interval{From: begin + i, To: begin + n}}}}},
			Signed: []tables.Signed{{At: begin + i, Arrival: begin + i, Text: id}}})
	}
	hour := joinInAnyOrder(t, hours(), &tables.Hour{}, hourParts)
	if len(hour.Transitions) != tables.HourTransitionsMax ||
		len(hour.Stays) != tables.HourStaysMax || len(hour.Loads) != tables.HourLoadsMax {
		t.Errorf("%d transitions, %d stays, %d loads", len(hour.Transitions), len(hour.Stays),
			len(hour.Loads))
	}
	session := joinInAnyOrder(t, sessions(), &tables.Session{}, sessionParts)
	if len(session.Quarters) != tables.SessionQuartersMax ||
		len(session.Decisions) != tables.SessionDecisionsMax ||
		len(session.Signed) != tables.SessionSignedMax ||
		len(session.Hours[0].Overlaps) != tables.SessionOverlapsMax {
		t.Errorf("%d quarters, %d decisions, %d signed, %d overlaps", len(session.Quarters),
			len(session.Decisions), len(session.Signed), len(session.Hours[0].Overlaps))
	}
}

// joinInAnyOrder joins parts one by one, and shuffled in two halves, and holds that both are the
// same.
func joinInAnyOrder[T any](t *testing.T, l *lattice[T], empty T, parts []T) T {
	t.Helper()
	one, left, right := l.clone(empty), l.clone(empty), l.clone(empty)
	for _, part := range parts {
		l.merge(one, part)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i, j := range rng.Perm(len(parts)) {
		if i%2 == 0 {
			l.merge(left, parts[j])
		} else {
			l.merge(right, parts[j])
		}
	}
	l.merge(right, left)
	if !bytes.Equal(l.bytes(one), l.bytes(right)) {
		t.Errorf("%+v\n%+v", one, right)
	}
	return one
}
