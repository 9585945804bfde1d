package oracle

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
)

// DiffDocuments tells what differs in got, the documents that really came out, from want, those of
// History, a line each; it is empty if all is as it should be. What History does not judge is not
// compared: Estimated where it is unsure, lines and groups where a bound changed the totals. Lines
// may come in any order, and those of no quantity may be left out; where several share a rate,
// the amounts of one may be off by one minor unit, since which of equals is the first hangs on the
// order. Quantities are rounded piece by piece, and may be off by a little.
func DiffDocuments(want, got []Document) []string {
	var out []string
	if len(want) != len(got) {
		out = append(out, fmt.Sprintf("documents: want %d, got %d", len(want), len(got)))
	}
	for i := range min(len(want), len(got)) {
		out = append(out, diffDocument(fmt.Sprint("document ", i), want[i], got[i])...)
	}
	for i := len(got); i < len(want); i++ {
		out = append(out, fmt.Sprintf("document %d: missing, want %+v", i, want[i]))
	}
	for i := len(want); i < len(got); i++ {
		out = append(out, fmt.Sprintf("document %d: too much, got %+v", i, got[i]))
	}
	return out
}

func diffDocument(name string, want, got Document) []string {
	got.EstimatedUnsure, got.Bounded = want.EstimatedUnsure, want.Bounded
	if want.EstimatedUnsure {
		got.Estimated = want.Estimated
	}
	if got.EnergyUnsure = want.EnergyUnsure; want.EnergyUnsure {
		want, got = want.withoutEnergy(), got.withoutEnergy()
	}
	var out []string
	if !want.Bounded {
		out = append(out, diffLines(name, want.Lines, got.Lines)...)
		out = append(out, diffField(name+" Groups", reflect.ValueOf(want.Groups),
			reflect.ValueOf(got.Groups))...)
	}
	want.Lines, want.Groups = nil, nil
	got.Lines, got.Groups = nil, nil
	got.Digits = want.Digits
	return append(out, diffValue(name, want, got)...)
}

// withoutEnergy is the document without its energy and all that hangs on it.
func (d Document) withoutEnergy() Document {
	d.EnergyWh, d.Lines, d.Groups = 0, nil, nil
	d.Excl, d.VAT, d.Incl = 0, 0, 0
	return d
}

// diffLines compares lines once each list is in one order, and the amounts of those of one rate
// by their sums, which the groups tell.
func diffLines(name string, want, got []DocumentLine) []string {
	w, g := plainLines(want), plainLines(got)
	if len(w) != len(g) {
		return []string{fmt.Sprintf("%s Lines: want %+v, got %+v", name, w, g)}
	}
	const pieces = 100 // of a session, each of which is rounded
	off := func(a, b, by int64) bool { return a-b > by || b-a > by }
	var out []string
	for i, a := range w {
		b := g[i]
		shared := int64(0)
		for _, other := range w {
			if other != a && other.VATPercent == a.VATPercent {
				shared = 1
			}
		}
		same := a.Dimension == b.Dimension && a.UnitPrice == b.UnitPrice &&
			a.VATPercent == b.VATPercent && a.Excl+a.VAT == a.Incl && b.Excl+b.VAT == b.Incl
		if !same || off(a.Quantity, b.Quantity, pieces) || off(a.Measured, b.Measured, pieces) ||
			off(a.Excl, b.Excl, shared) || off(a.VAT, b.VAT, shared) {
			out = append(out, fmt.Sprintf("%s line %d: want %+v, got %+v", name, i, a, b))
		}
	}
	return out
}

// plainLines are those with a quantity, without their place in the tariff, in one order; those of
// the same dimension, price and VAT are one.
func plainLines(lines []DocumentLine) []DocumentLine {
	compare := func(x, y DocumentLine) int {
		return cmp.Or(cmp.Compare(x.Dimension, y.Dimension), cmp.Compare(x.UnitPrice, y.UnitPrice),
			cmp.Compare(x.VATPercent, y.VATPercent))
	}
	var plain []DocumentLine
	for _, l := range lines {
		if l.Quantity == 0 && l.Measured == 0 && l.Excl == 0 {
			continue
		}
		l.Element, l.Position = 0, 0
		i := slices.IndexFunc(plain, func(p DocumentLine) bool { return compare(p, l) == 0 })
		if i < 0 {
			plain = append(plain, l)
			continue
		}
		p := &plain[i]
		p.Quantity, p.Measured = p.Quantity+l.Quantity, p.Measured+l.Measured
		p.Excl, p.VAT, p.Incl = p.Excl+l.Excl, p.VAT+l.VAT, p.Incl+l.Incl
	}
	slices.SortFunc(plain, compare)
	return plain
}

// DiffAlarms tells what differs in got from want, in any order of both.
func DiffAlarms(want, got []Alarm) []string {
	byKey := func(alarms []Alarm) map[string]Alarm {
		all := map[string]Alarm{}
		for _, a := range alarms {
			all[fmt.Sprint(a.Key, " opened at ", a.OpenedMs)] = a
		}
		return all
	}
	return diffMap("anomaly", byKey(want), byKey(got))
}
