package tables

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"chargestream"
	"chargestream/codecs"
)

// Bounds of a row of reference data. Nothing old is ever dropped, as old invoices are computed
// again from it: what would break a bound is refused, and the last revision stays.
const (
	// ReferenceBytesMax bounds the row: half of what a broker takes as one record by default.
	ReferenceBytesMax = 512 << 10
	// ReferenceRevisionsMax bounds each of the two lists: a revision a day for almost three years.
	ReferenceRevisionsMax = 1000
)

// referenceVersion is the version of the row as it is written.
const referenceVersion = 1

// Errors of AddRegistry and AddTariff: the bound that a revision would break.
var (
	ErrReferenceBytes     = errors.New("the history would be too large")
	ErrReferenceRevisions = errors.New("the history has as many revisions as it may have")
)

// Reference is the row of a key of reference data: the history of the registry entry of that key
// and the history of the tariff of that key, of which most rows have one only. It hangs on the
// order in which the revisions are read, which is that of the log.
type Reference struct {
	Registry []RegistryRevision
	Tariffs  []TariffRevision
}

// RegistryRevision is an entry of the registry from its arrival on, until the next revision.
type RegistryRevision struct {
	Arrival chargestream.Millis       // never before that of the revision before
	Info    *chargestream.StationInfo // nil: there is no entry
}

// TariffRevision is a tariff from its arrival on, until the next revision.
type TariffRevision struct {
	Arrival  chargestream.Millis          // never before that of the revision before
	Versions []chargestream.TariffVersion // by ValidFrom, no two alike; empty: there is no tariff
}

// AddRegistry adds an entry of the registry, nil for none, and tells whether the row changed: an
// entry that says the same as the last one adds nothing. An error wraps ErrReferenceBytes or
// ErrReferenceRevisions, and the row is as it was.
func (r *Reference) AddRegistry(arrival chargestream.Millis,
	info *chargestream.StationInfo) (bool, error) {
	last := RegistryRevision{}
	if n := len(r.Registry); n > 0 {
		last = r.Registry[n-1]
	}
	if textOf(last.Info) == textOf(info) {
		return false, nil
	}
	if err := checkRevisions(len(r.Registry)); err != nil {
		return false, err
	}
	more := *r
	more.Registry = append(slices.Clip(r.Registry),
		RegistryRevision{Arrival: max(arrival, last.Arrival), Info: info})
	return r.become(&more)
}

// AddTariff adds a tariff with all its versions, none for a tariff that is no more, and tells
// whether the row changed, as AddRegistry does. The texts of the tariffs are compared as they are.
func (r *Reference) AddTariff(arrival chargestream.Millis,
	versions []chargestream.TariffVersion) (bool, error) {
	last := TariffRevision{}
	if n := len(r.Tariffs); n > 0 {
		last = r.Tariffs[n-1]
	}
	versions = slices.Clone(versions)
	slices.SortStableFunc(versions, func(a, b chargestream.TariffVersion) int {
		return cmp.Compare(a.ValidFrom, b.ValidFrom)
	})
	if slices.EqualFunc(last.Versions, versions, sameVersion) {
		return false, nil
	}
	if err := checkRevisions(len(r.Tariffs)); err != nil {
		return false, err
	}
	more := *r
	more.Tariffs = append(slices.Clip(r.Tariffs),
		TariffRevision{Arrival: max(arrival, last.Arrival), Versions: versions})
	return r.become(&more)
}

func checkRevisions(n int) error {
	if n >= ReferenceRevisionsMax {
		return fmt.Errorf("%w: %d", ErrReferenceRevisions, ReferenceRevisionsMax)
	}
	return nil
}

func sameVersion(a, b chargestream.TariffVersion) bool {
	return a.ValidFrom == b.ValidFrom && string(a.Tariff) == string(b.Tariff)
}

// become makes more the row, if it is not too large.
func (r *Reference) become(more *Reference) (bool, error) {
	if n := len(more.Append(nil)); n > ReferenceBytesMax {
		return false, fmt.Errorf("%w: %d bytes, at most %d", ErrReferenceBytes, n,
			ReferenceBytesMax)
	}
	*r = *more
	return true, nil
}

// RegistryAt is the entry of the registry for a session that began at start, as it is in effect at
// now: the last revision that arrived by start; where there was no entry then, the first one that
// did later, from Grace after its arrival on. It is nil where there is none. since is the moment
// from which it is in effect, zero where it always was.
func (r *Reference) RegistryAt(start, now chargestream.Millis) (info *chargestream.StationInfo,
	since chargestream.Millis) {
	if info := r.RegistryBy(start); info != nil {
		return info, 0
	}
	for i := range r.Registry {
		rev := &r.Registry[i]
		replaced := i+1 < len(r.Registry) && r.Registry[i+1].Arrival == rev.Arrival
		if rev.Arrival <= start || rev.Info == nil || replaced {
			continue
		}
		if rev.Arrival+chargestream.Grace > now {
			break
		}
		return rev.Info, rev.Arrival + chargestream.Grace
	}
	return nil, 0
}

// RegistryBy is the last entry of the registry that arrived by a moment; nil for none.
func (r *Reference) RegistryBy(by chargestream.Millis) *chargestream.StationInfo {
	for i := len(r.Registry) - 1; i >= 0; i-- {
		if r.Registry[i].Arrival <= by {
			return r.Registry[i].Info
		}
	}
	return nil
}

// TariffAt is the version of the tariff in force at start, as it is in effect at now: of the last
// revision that arrived Grace or more before now, the version with the largest ValidFrom that is
// not after start; nil for none.
func (r *Reference) TariffAt(start, now chargestream.Millis) *chargestream.TariffVersion {
	return r.TariffBy(start, now-chargestream.Grace)
}

// TariffBy is the version of the tariff in force at start, of the last revision that arrived by a
// moment; nil for none.
func (r *Reference) TariffBy(start, by chargestream.Millis) *chargestream.TariffVersion {
	for i := len(r.Tariffs) - 1; i >= 0; i-- {
		if r.Tariffs[i].Arrival <= by {
			return r.Tariffs[i].at(start)
		}
	}
	return nil
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

// Append writes the row to buf[:0]; docs/format/reference.md draws it.
//
// An entry of the registry is JSON within the row, so that a field more makes no new version: this
// table cannot be rebuilt once its topics were compacted. The text of a tariff is written once,
// however many revisions repeat it.
func (r *Reference) Append(buf []byte) []byte {
	w := codecs.NewWriter(buf, codecs.KindReference, referenceVersion)
	w.Uint(uint64(len(r.Registry)))
	before := chargestream.Millis(0)
	for i := range r.Registry {
		w.Int(int64(r.Registry[i].Arrival - before))
		w.Text(textOf(r.Registry[i].Info))
		before = r.Registry[i].Arrival
	}
	texts, places := r.texts()
	w.Uint(uint64(len(texts)))
	for _, text := range texts {
		w.Text(text)
	}
	w.Uint(uint64(len(r.Tariffs)))
	before = 0
	for i := range r.Tariffs {
		t := &r.Tariffs[i]
		w.Int(int64(t.Arrival - before))
		before = t.Arrival
		w.Uint(uint64(len(t.Versions)))
		for _, v := range t.Versions {
			w.Int(int64(v.ValidFrom))
			w.Uint(uint64(places[string(v.Tariff)]))
		}
	}
	return w.Bytes()
}

// texts are the different texts of tariffs, in the order of their first use, and their places.
func (r *Reference) texts() ([]string, map[string]int) {
	var texts []string
	places := map[string]int{}
	for i := range r.Tariffs {
		for _, v := range r.Tariffs[i].Versions {
			if _, ok := places[string(v.Tariff)]; !ok {
				places[string(v.Tariff)] = len(texts)
				texts = append(texts, string(v.Tariff))
			}
		}
	}
	return texts, places
}

// DecodeReference reads what Append wrote.
func DecodeReference(row []byte) (*Reference, error) {
	r, err := codecs.NewReader(row, codecs.KindReference, referenceVersion)
	if err != nil {
		return nil, err
	}
	ref, arrival := &Reference{}, chargestream.Millis(0)
	for range r.Count() {
		arrival += chargestream.Millis(r.Int())
		rev := RegistryRevision{Arrival: arrival}
		if text := r.Text(); text != "" {
			if err := json.Unmarshal([]byte(text), &rev.Info); err != nil {
				return nil, fmt.Errorf("%w: registry: %w", codecs.ErrCorrupt, err)
			}
			if rev.Info == nil {
				return nil, fmt.Errorf("%w: registry: null", codecs.ErrCorrupt)
			}
		}
		ref.Registry = append(ref.Registry, rev)
	}
	var texts []json.RawMessage
	for range r.Count() {
		texts = append(texts, json.RawMessage(r.Text()))
	}
	arrival = 0
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
		ref.Tariffs = append(ref.Tariffs, rev)
	}
	return ref, r.Close()
}

// textOf is an entry of the registry as JSON; empty for none.
func textOf(info *chargestream.StationInfo) string {
	if info == nil {
		return ""
	}
	text, err := json.Marshal(info)
	if err != nil {
		return "" // no number of an entry that was read is infinite, and nothing else fails
	}
	return string(text)
}
