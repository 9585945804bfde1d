package tables_test

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"chargestream"
	"chargestream/internal/tabletest"
	"chargestream/tables"
)

// envelope is the quarter of one sample.
func envelope(m *chargestream.MeterValue) tables.Quarter {
	q := tables.Quarter{Start: m.Time.Truncate(quarter), From: m.Time, Named: m.SessionID != ""}
	q.Add(m)
	return q
}

// drawQuarter draws the envelope of some samples of the first quarter hour.
func drawQuarter(t *rapid.T) tables.Quarter {
	q := envelope(tabletest.DrawSample(t, 14))
	for range rapid.IntRange(0, 4).Draw(t, "more samples") {
		q.Add(tabletest.DrawSample(t, 14))
	}
	return q
}

func quarterBytes(q *tables.Quarter) []byte {
	return (&tables.Session{Quarters: []tables.Quarter{*q}}).Append(nil)
}

// TestQuartersAreASemilattice holds that merging is idempotent, commutative and associative, and
// that it leaves the envelope that is merged alone. Equality is that of the bytes.
func TestQuartersAreASemilattice(t *testing.T) {
	join := func(a, b tables.Quarter) tables.Quarter {
		a.Merge(&b)
		return a
	}
	rapid.Check(t, func(t *rapid.T) {
		equal := func(what string, got, want tables.Quarter) {
			t.Helper()
			if !bytes.Equal(quarterBytes(&got), quarterBytes(&want)) {
				t.Fatalf("%s:\n%+v\n%+v", what, got, want)
			}
		}
		a, b, c := drawQuarter(t), drawQuarter(t), drawQuarter(t)
		alone, ab := b, join(a, b)
		equal("a quarter and itself", join(a, a), a)
		equal("the other way round", join(b, a), ab)
		equal("again", join(ab, b), ab)
		equal("in other pairs", join(a, join(b, c)), join(ab, c))
		if b != alone {
			t.Fatal("the quarter that was merged into another has changed")
		}
	})
}

// TestAddIsMerge holds that samples which are added one by one, in any order and some of them
// twice, make the same envelope as the merge of the envelopes of single samples in any order.
func TestAddIsMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		samples := []*chargestream.MeterValue{tabletest.DrawSample(t, 14)}
		for range rapid.IntRange(0, 8).Draw(t, "more samples") {
			samples = append(samples, tabletest.DrawSample(t, 14))
		}
		again := samples[:rapid.IntRange(0, len(samples)).Draw(t, "twice")]
		var added, merged tables.Quarter
		for i, m := range rapid.Permutation(slices.Concat(samples, again)).Draw(t, "added") {
			if i == 0 {
				added = envelope(m)
				continue
			}
			added.Add(m)
		}
		for i, m := range rapid.Permutation(samples).Draw(t, "merged") {
			one := envelope(m)
			if i == 0 {
				merged = one
				continue
			}
			merged.Merge(&one)
		}
		if added != merged {
			t.Fatalf("%d samples:\n%+v\n%+v", len(samples), added, merged)
		}
	})
}

// TestQuarterIsThatOfItsSamples holds the envelope against what it is an envelope of.
func TestQuarterIsThatOfItsSamples(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q tables.Quarter
		var registers []tables.Reading
		first := map[chargestream.Millis]tables.Reading{}
		for i := range rapid.IntRange(1, 12).Draw(t, "samples") {
			m := tabletest.DrawSample(t, 14)
			if m.Energy != nil {
				r := tables.Reading{At: m.Time, Energy: *m.Energy}
				registers = append(registers, r)
				noteFirst(first, r)
			}
			if i == 0 {
				q = envelope(m)
			} else {
				q.Add(m)
			}
			if minute := uint16(1) << ((m.Time - begin) / minute); m.Power != nil &&
				(q.Sampled&minute == 0 || q.Peak < *m.Power ||
					*m.Power >= tables.ChargingPowerMin && (q.Charging&minute == 0 ||
						q.Low == 0 || q.Low > *m.Power)) {
				t.Fatalf("%+v does not hold %d W at %s", q, *m.Power, m.Time)
			}
			if m.Current != nil && *m.Current > 0 && (q.CurrentLow > *m.Current ||
				q.CurrentLow <= 0 || q.CurrentPeak < *m.Current) {
				t.Fatalf("%+v does not hold %d mA", q, *m.Current)
			}
			if q.From > m.Time || q.Start != begin || q.Charging&^q.Sampled != 0 {
				t.Fatalf("%+v does not hold a sample at %s", q, m.Time)
			}
		}
		checkRegisters(t, &q, registers, first)
	})
}

// noteFirst keeps the first reading of each minute, the smaller one of two of the same moment.
func noteFirst(first map[chargestream.Millis]tables.Reading, r tables.Reading) {
	at := r.At.Truncate(minute)
	known, ok := first[at]
	if !ok || r.At < known.At || r.At == known.At && r.Energy < known.Energy {
		first[at] = r
	}
}

func checkRegisters(t *rapid.T, q *tables.Quarter, registers []tables.Reading,
	first map[chargestream.Millis]tables.Reading) {
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
		t.Fatalf("%+v has a reading that is of no sample", q)
	}
	for i, r := range q.Minutes {
		if at := begin + chargestream.Millis(i)*minute; first[at] != r {
			t.Fatalf("%+v is the first reading of minute %d, not %+v", r, i, first[at])
		}
	}
	last := map[chargestream.Millis]tables.Reading{}
	for _, r := range registers {
		at := r.At.Truncate(minute)
		if known, ok := last[at]; !ok || r.At > known.At ||
			r.At == known.At && r.Energy > known.Energy {
			last[at] = r
		}
	}
	for i, r := range q.Lasts {
		if at := begin + chargestream.Millis(i)*minute; last[at] != r {
			t.Fatalf("%+v is the last reading of minute %d, not %+v", r, i, last[at])
		}
	}
}
