package tables

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"chargestream"
	"chargestream/codecs"
)

// Tariff is the row of the tariffs table: the history of a tariff, in the order in which the
// records were read, which is that of the log.
type Tariff struct{ Revisions []TariffRevision }

// TariffRevision is a tariff from its arrival on, until the next to arrive.
type TariffRevision struct {
	Arrival  chargestream.Millis
	Versions []chargestream.TariffVersion // by ValidFrom; empty: there is no tariff
}

// Add adds a tariff with all its versions, none for a tariff that is no more, and reports whether
// the row changed, as Registry.Add does. The texts of the tariffs are compared as they are.
func (t *Tariff) Add(arrival chargestream.Millis, versions []chargestream.TariffVersion) (bool,
	error) {
	list, last := t.byArrival(), TariffRevision{}
	if n := len(list); n > 0 {
		arrival = arrivalIn(arrival, list[n-1].Arrival)
	}
	for i := range list {
		if list[i].Arrival <= arrival {
			last = list[i]
		}
	}
	versions = slices.Clone(versions)
	slices.SortStableFunc(versions, func(a, b chargestream.TariffVersion) int {
		return cmp.Compare(a.ValidFrom, b.ValidFrom)
	})
	if slices.EqualFunc(last.Versions, versions, sameVersion) {
		return false, nil
	}
	if err := checkRevisions(len(t.Revisions)); err != nil {
		return false, err
	}
	more := Tariff{Revisions: append(slices.Clip(t.Revisions),
		TariffRevision{Arrival: arrival, Versions: versions})}
	if err := checkBytes(len(more.Append(nil))); err != nil {
		return false, err
	}
	*t = more
	return true, nil
}

func sameVersion(a, b chargestream.TariffVersion) bool {
	return a.ValidFrom == b.ValidFrom && string(a.Tariff) == string(b.Tariff)
}

// First is the history as it was when it had so many revisions.
func (t *Tariff) First(revisions int) *Tariff {
	return &Tariff{Revisions: t.Revisions[:min(revisions, len(t.Revisions))]}
}

// Known is how many revisions First must have for documents up to a moment, as Registry.Known.
func (t *Tariff) Known(upTo chargestream.Millis) int {
	for i := len(t.Revisions) - 1; i >= 0; i-- {
		if t.Revisions[i].Arrival+chargestream.TariffDelay <= upTo {
			return i + 1
		}
	}
	return 0
}

// At is the version of the tariff in force at start, as it is in effect at now: of the last
// revision that arrived TariffDelay or more before now; nil for none.
func (t *Tariff) At(start, now chargestream.Millis) *chargestream.TariffVersion {
	return t.By(start, now-chargestream.TariffDelay)
}

// Exists reports whether there is a tariff, with any version, as it is in effect at now.
func (t *Tariff) Exists(now chargestream.Millis) bool {
	return t.By(math.MaxInt64, now-chargestream.TariffDelay) != nil
}

// By is the version of the tariff with the largest ValidFrom that is not after start, of the last
// revision that arrived by a moment; nil for none.
func (t *Tariff) By(start, at chargestream.Millis) *chargestream.TariffVersion {
	list := t.byArrival()
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].Arrival <= at {
			return list[i].at(start)
		}
	}
	return nil
}

// byArrival are the revisions in the order in which they arrived, as those of a Registry.
func (t *Tariff) byArrival() []TariffRevision {
	compare := func(a, b TariffRevision) int { return cmp.Compare(a.Arrival, b.Arrival) }
	if slices.IsSortedFunc(t.Revisions, compare) {
		return t.Revisions
	}
	list := slices.Clone(t.Revisions)
	slices.SortStableFunc(list, compare)
	return list
}

// at is the version in force at a moment; nil for none.
func (t *TariffRevision) at(start chargestream.Millis) *chargestream.TariffVersion {
	for i := len(t.Versions) - 1; i >= 0; i-- {
		if t.Versions[i].ValidFrom <= start {
			return &t.Versions[i]
		}
	}
	return nil
}

// Append appends the row to buf; docs/format/tariff.md draws it. The text of a tariff is written
// once, however many revisions repeat it.
func (t *Tariff) Append(buf []byte) []byte {
	w := codecs.NewWriter(buf, codecs.KindTariff, tariffVersion)
	texts, places := t.texts()
	w.Uint(uint64(len(texts)))
	for _, text := range texts {
		w.Text(text)
	}
	w.Uint(uint64(len(t.Revisions)))
	before := chargestream.Millis(0)
	for i := range t.Revisions {
		rev := &t.Revisions[i]
		w.Int(int64(rev.Arrival - before))
		before = rev.Arrival
		w.Uint(uint64(len(rev.Versions)))
		for _, v := range rev.Versions {
			w.Int(int64(v.ValidFrom))
			w.Uint(uint64(places[string(v.Tariff)]))
		}
	}
	return w.Bytes()
}

// texts are the different texts of the tariff, in the order of their first use, and their places.
func (t *Tariff) texts() ([]string, map[string]int) {
	var texts []string
	places := map[string]int{}
	for i := range t.Revisions {
		for _, v := range t.Revisions[i].Versions {
			if _, ok := places[string(v.Tariff)]; !ok {
				places[string(v.Tariff)] = len(texts)
				texts = append(texts, string(v.Tariff))
			}
		}
	}
	return texts, places
}

// DecodeTariff reads what Append wrote.
func DecodeTariff(row []byte) (*Tariff, error) {
	r, err := codecs.NewReader(row, codecs.KindTariff, tariffVersion)
	if err != nil {
		return nil, err
	}
	var texts []json.RawMessage
	for range r.Count() {
		texts = append(texts, json.RawMessage(r.Text()))
	}
	tariff, arrival := &Tariff{}, chargestream.Millis(0)
	for range r.Count() {
		arrival += chargestream.Millis(r.Int())
		rev := TariffRevision{Arrival: arrival}
		for range r.Count() {
			v := chargestream.TariffVersion{ValidFrom: chargestream.Millis(r.Int())}
			place := r.Uint()
			if r.Failed() {
				break
			}
			if place >= uint64(len(texts)) {
				return nil, fmt.Errorf("%w: text %d of %d", codecs.ErrCorrupt, place, len(texts))
			}
			v.Tariff = texts[place]
			rev.Versions = append(rev.Versions, v)
		}
		tariff.Revisions = append(tariff.Revisions, rev)
	}
	return tariff, r.Close()
}
