package tables

import (
	"cmp"
	"strings"

	"chargestream"
	"chargestream/codecs"
	"chargestream/internal/lattice"
)

// ChargingPowerMin is the power from which on a connector counts as charging: what a vehicle's
// own heating and the electronics of a connector draw at rest lies below it.
const ChargingPowerMin chargestream.Watts = 100

const minutesOfQuarter = 15

// Reading is what a register showed at a time.
type Reading struct {
	At     chargestream.Millis
	Energy chargestream.WattHours
}

func compareReadings(a, b *Reading) int {
	return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Energy, b.Energy))
}

// ReadingContext is what a reading was taken for, as far as bills depend on it.
type ReadingContext uint8

// The contexts of readings. Those of the begin and the end say what the register showed then, even
// where the station sends them with another time: they are never merged with others.
const (
	ContextSample ReadingContext = iota // Sample.Periodic, Sample.Clock, any other, and none
	ContextBegin                        // Transaction.Begin
	ContextEnd                          // Transaction.End
)

// contextOf is the context of a sample of the register.
func contextOf(m *chargestream.MeterValue) ReadingContext {
	switch {
	case m.Energy == nil || m.Context == "":
	case strings.EqualFold(m.Context, "Transaction.Begin"):
		return ContextBegin
	case strings.EqualFold(m.Context, "Transaction.End"):
		return ContextEnd
	}
	return ContextSample
}

// Quarter is the envelope of the samples of one quarter hour: what must be known of them to bill
// and to draw the load, however many there were. Merging envelopes is a semilattice: first and
// last by time, smallest and largest by value, bits that are set stay set.
type Quarter struct {
	Start chargestream.Millis // multiple of a quarter hour
	// Late is the moment from which samples that arrived late are known, and zero of those that
	// did not: the two are never merged, so that what was known at a moment can be told.
	Late chargestream.Millis
	// Named: the samples name a session. Those that name none are kept apart, as they count for
	// whichever session was there.
	Named bool
	// Context is that of all samples of the register.
	Context ReadingContext
	From    chargestream.Millis // the first sample of any kind
	// First and Last are the outer readings of the register; both are zero where no sample told
	// one.
	First, Last Reading
	// Min and Max are the extremes of the register: Min below First or Max above Last shows that
	// it ran backwards in between.
	Min, Max chargestream.WattHours
	// Minutes is the first reading of each minute, by which the last reading before an end, or the
	// first after a start, can be told within the quarter hour.
	Minutes [minutesOfQuarter]Reading
	// Lasts is the last reading of each minute, which is the first where there is one only.
	Lasts [minutesOfQuarter]Reading
	Peak  chargestream.Watts
	// Low is the smallest power of ChargingPowerMin or more; zero where there was none.
	Low chargestream.Watts
	// CurrentLow and CurrentPeak are the extremes of the current above zero; zero for none.
	CurrentLow, CurrentPeak chargestream.Milliamps
	// Sampled and Charging have a bit for each minute: with a power sample at all, with one of
	// ChargingPowerMin or more.
	Sampled, Charging uint16
}

// newQuarter is the envelope of one sample; late is the moment from which a late one is known, zero
// for one that is timely.
func newQuarter(m *chargestream.MeterValue, late chargestream.Millis) Quarter {
	q := Quarter{Start: m.Time.Truncate(chargestream.Quarter), Late: late,
		Named: m.SessionID != "", Context: contextOf(m), From: m.Time}
	q.Add(m)
	return q
}

// Add merges a sample of the same quarter hour into q.
func (q *Quarter) Add(m *chargestream.MeterValue) {
	q.From = lattice.Least(q.From, m.Time)
	minute := int((m.Time - q.Start) / chargestream.Minute)
	if m.Current != nil && *m.Current > 0 {
		q.CurrentLow = lattice.Least(q.CurrentLow, *m.Current)
		q.CurrentPeak = max(q.CurrentPeak, *m.Current)
	}
	if m.Power != nil {
		bit := uint16(1) << minute
		q.Sampled |= bit
		q.Peak = max(q.Peak, *m.Power)
		if *m.Power >= ChargingPowerMin {
			q.Charging |= bit
			q.Low = lattice.Least(q.Low, *m.Power)
		}
	}
	if m.Energy != nil {
		q.read(Reading{At: m.Time, Energy: *m.Energy}, minute)
	}
}

// read merges a reading of the register.
func (q *Quarter) read(r Reading, minute int) {
	first := &q.Minutes[minute]
	if first.At == 0 || compareReadings(&r, first) < 0 {
		*first = r
	}
	if last := &q.Lasts[minute]; last.At == 0 || compareReadings(&r, last) > 0 {
		*last = r
	}
	if !q.HasEnergy() {
		q.First, q.Last, q.Min, q.Max = r, r, r.Energy, r.Energy
		return
	}
	if compareReadings(&r, &q.First) < 0 {
		q.First = r
	}
	if compareReadings(&r, &q.Last) > 0 {
		q.Last = r
	}
	q.Min, q.Max = min(q.Min, r.Energy), max(q.Max, r.Energy)
}

// addSampleTo merges a sample into the envelope of its quarter hour in a list.
func addSampleTo(list []Quarter, m *chargestream.MeterValue, late chargestream.Millis) []Quarter {
	key := Quarter{Start: m.Time.Truncate(chargestream.Quarter), Late: late,
		Named: m.SessionID != "", Context: contextOf(m)}
	for i := len(list) - 1; i >= 0; i-- {
		switch c := compareQuarters(&list[i], &key); {
		case c == 0:
			list[i].Add(m)
			return list
		case c < 0:
			return lattice.InsertAt(list, i+1, newQuarter(m, late))
		}
	}
	return lattice.InsertAt(list, 0, newQuarter(m, late))
}

// HasEnergy reports whether any sample read the register.
func (q *Quarter) HasEnergy() bool { return q.First.At != 0 }

// Merge joins another envelope of the same quarter into q.
func (q *Quarter) Merge(o *Quarter) {
	q.From = lattice.Least(q.From, o.From)
	q.Peak = max(q.Peak, o.Peak)
	q.Low = lattice.Least(q.Low, o.Low)
	q.CurrentLow = lattice.Least(q.CurrentLow, o.CurrentLow)
	q.CurrentPeak = max(q.CurrentPeak, o.CurrentPeak)
	q.Sampled |= o.Sampled
	q.Charging |= o.Charging
	if !o.HasEnergy() {
		return
	}
	if !q.HasEnergy() {
		q.First, q.Last, q.Min, q.Max = o.First, o.Last, o.Min, o.Max
		q.Minutes, q.Lasts = o.Minutes, o.Lasts
		return
	}
	for i := range o.Minutes {
		r := &o.Minutes[i]
		if r.At != 0 && (q.Minutes[i].At == 0 || compareReadings(r, &q.Minutes[i]) < 0) {
			q.Minutes[i] = *r
		}
		if r := &o.Lasts[i]; r.At != 0 && (q.Lasts[i].At == 0 ||
			compareReadings(r, &q.Lasts[i]) > 0) {
			q.Lasts[i] = *r
		}
	}
	if compareReadings(&o.First, &q.First) < 0 {
		q.First = o.First
	}
	if compareReadings(&o.Last, &q.Last) > 0 {
		q.Last = o.Last
	}
	q.Min, q.Max = min(q.Min, o.Min), max(q.Max, o.Max)
}

// RanBackwards reports whether the register fell within the quarter.
func (q *Quarter) RanBackwards() bool {
	return q.HasEnergy() && (q.Min < q.First.Energy || q.Max > q.Last.Energy)
}

func compareQuarters(a, b *Quarter) int {
	named := 0
	if a.Named != b.Named {
		named = -1
		if a.Named {
			named = 1
		}
	}
	return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Late, b.Late), named,
		cmp.Compare(a.Context, b.Context))
}

// boundQuarters keeps so many envelopes: those that are known first, so that what comes late never
// takes the place of what was billed.
func boundQuarters(list []Quarter, most int) []Quarter {
	return lattice.Bound(list, most, func(a, b *Quarter) int {
		return cmp.Or(cmp.Compare(a.Late, b.Late), compareQuarters(a, b))
	})
}

func mergeQuarters(into, from *Quarter) { into.Merge(from) }

func (q *Quarter) write(w *codecs.Writer) {
	w.Int(int64(q.Start / chargestream.Quarter))
	w.Int(int64(q.From - q.Start))
	w.Uint(uint64(q.Sampled))
	w.Uint(uint64(q.Charging))
	w.Int(int64(q.Peak))
	w.Int(int64(q.Low))
	w.Int(int64(q.CurrentLow))
	w.Int(int64(q.CurrentPeak - q.CurrentLow))
	late := uint64(0)
	if q.Late != 0 {
		late = uint64((q.Late-q.Start)/chargestream.Quarter) << 3
	}
	late |= uint64(q.Context) << 1
	if q.Named {
		late |= 1
	}
	w.Uint(late)
	if !q.HasEnergy() {
		w.Byte(0)
		return
	}
	w.Byte(1)
	w.Int(int64(q.First.At - q.Start))
	w.Int(int64(q.First.Energy))
	w.Int(int64(q.Last.At - q.First.At))
	w.Int(int64(q.Last.Energy - q.First.Energy))
	w.Int(int64(q.Min - q.First.Energy))
	w.Int(int64(q.Max - q.First.Energy))
	q.writeMinutes(w)
}

// writeMinutes writes which minutes have a reading, and which have another as their last. For each
// it writes how long after the begin of its minute it is, and how much above the one before.
func (q *Quarter) writeMinutes(w *codecs.Writer) {
	var has, more uint64
	for i := range q.Minutes {
		if q.Minutes[i].At != 0 {
			has |= 1 << i
		}
		if q.Lasts[i] != q.Minutes[i] {
			more |= 1 << i
		}
	}
	w.Uint(has)
	w.Uint(more)
	before := q.First.Energy
	write := func(i int, r *Reading) {
		w.Uint(uint64(r.At - q.Start - chargestream.Millis(i)*chargestream.Minute))
		w.Int(int64(r.Energy - before))
		before = r.Energy
	}
	for i := range q.Minutes {
		if has>>i&1 != 0 {
			write(i, &q.Minutes[i])
		}
		if more>>i&1 != 0 {
			write(i, &q.Lasts[i])
		}
	}
}

func (q *Quarter) readMinutes(r *codecs.Reader) {
	has, more, before := r.Uint(), r.Uint(), q.First.Energy
	read := func(i int) Reading {
		at := q.Start + chargestream.Millis(i)*chargestream.Minute + chargestream.Millis(r.Uint())
		before += chargestream.WattHours(r.Int())
		return Reading{At: at, Energy: before}
	}
	for i := range q.Minutes {
		if has>>i&1 != 0 {
			q.Minutes[i] = read(i)
			q.Lasts[i] = q.Minutes[i]
		}
		if more>>i&1 != 0 {
			q.Lasts[i] = read(i)
		}
	}
}

func readQuarter(r *codecs.Reader) Quarter {
	var q Quarter
	q.Start = chargestream.Millis(r.Int()) * chargestream.Quarter
	q.From = q.Start + chargestream.Millis(r.Int())
	q.Sampled, q.Charging = uint16(r.Uint()), uint16(r.Uint())
	q.Peak = chargestream.Watts(r.Int())
	q.Low = chargestream.Watts(r.Int())
	q.CurrentLow = chargestream.Milliamps(r.Int())
	q.CurrentPeak = q.CurrentLow + chargestream.Milliamps(r.Int())
	late := r.Uint()
	q.Named = late&1 != 0
	q.Context = ReadingContext(late >> 1 & 3)
	if late >>= 3; late != 0 {
		q.Late = q.Start + chargestream.Millis(late)*chargestream.Quarter
	}
	if r.Byte() == 0 {
		return q
	}
	q.First.At = q.Start + chargestream.Millis(r.Int())
	q.First.Energy = chargestream.WattHours(r.Int())
	q.Last.At = q.First.At + chargestream.Millis(r.Int())
	q.Last.Energy = q.First.Energy + chargestream.WattHours(r.Int())
	q.Min = q.First.Energy + chargestream.WattHours(r.Int())
	q.Max = q.First.Energy + chargestream.WattHours(r.Int())
	q.readMinutes(r)
	return q
}
