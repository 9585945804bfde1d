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
// again from it: a record that would break a bound is refused, and the last revision stays.
const (
	// ReferenceBytesMax bounds the row: half of what a broker takes as one record by default.
	ReferenceBytesMax = 512 << 10
	// ReferenceRevisionsMax bounds the list: a revision a day for almost three years.
	ReferenceRevisionsMax = 1000
)

// Versions of the rows of reference data as they are written.
const (
	registryVersion = 1
	tariffVersion   = 1
)

// Errors of Registry.Add and Tariff.Add: the bound that a revision would break.
var (
	ErrReferenceBytes     = errors.New("the history would be too large")
	ErrReferenceRevisions = errors.New("the history has as many revisions as it may have")
)

// referenceSkew is how far the clocks of two producers of reference data may be apart. A record
// that arrives less than that before the newest one was sent after it, as the log says; one that
// arrives earlier is history that was imported.
const referenceSkew = chargestream.Hour

// arrivalIn is when a record counts from that is read behind others, of which newest is the last
// to arrive; zero for none.
func arrivalIn(arrival, newest chargestream.Millis) chargestream.Millis {
	if arrival > newest-referenceSkew {
		return max(arrival, newest)
	}
	return arrival
}

// Registry is the row of the registry table: the history of a station's entry in the registry, in
// the order in which the entries were read, which is that of the log. What was known at a moment
// depends on when they arrived: history may be imported after what is newer. An entry counts from
// the record after it.
type Registry struct{ Revisions []RegistryRevision }

// RegistryRevision is an entry of the registry from its arrival on, until the next to arrive.
type RegistryRevision struct {
	Arrival chargestream.Millis
	Info    *chargestream.StationInfo // nil: there is no entry
}

func compareArrivals(a, b RegistryRevision) int { return cmp.Compare(a.Arrival, b.Arrival) }

// byArrival are the revisions in the order in which they arrived. The list must not be changed.
func (r *Registry) byArrival() []RegistryRevision {
	if slices.IsSortedFunc(r.Revisions, compareArrivals) {
		return r.Revisions
	}
	list := slices.Clone(r.Revisions)
	slices.SortStableFunc(list, compareArrivals)
	return list
}

// Add adds an entry of the registry, nil for none, and reports whether the row changed: an entry
// that says the same as the one that counts when it arrives adds nothing. An error wraps
// ErrReferenceBytes or ErrReferenceRevisions, and the row is as it was.
func (r *Registry) Add(arrival chargestream.Millis, info *chargestream.StationInfo) (bool, error) {
	if list := r.byArrival(); len(list) > 0 {
		arrival = arrivalIn(arrival, list[len(list)-1].Arrival)
	}
	text := textOf(info)
	if textOf(r.By(arrival)) == text {
		return false, nil
	}
	if err := checkRevisions(len(r.Revisions)); err != nil {
		return false, err
	}
	more := Registry{Revisions: append(slices.Clip(r.Revisions),
		RegistryRevision{Arrival: arrival, Info: info})}
	if len(r.Revisions) > 0 || len(text) > ReferenceBytesMax/2 { // else it cannot be too large
		if err := checkBytes(len(more.Append(nil))); err != nil {
			return false, err
		}
	}
	*r = more
	return true, nil
}

func checkRevisions(n int) error {
	if n >= ReferenceRevisionsMax {
		return fmt.Errorf("%w: %d", ErrReferenceRevisions, ReferenceRevisionsMax)
	}
	return nil
}

func checkBytes(n int) error {
	if n > ReferenceBytesMax {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrReferenceBytes, n, ReferenceBytesMax)
	}
	return nil
}

// First is the history as it was when it had so many revisions.
func (r *Registry) First(revisions int) *Registry {
	return &Registry{Revisions: r.Revisions[:min(revisions, len(r.Revisions))]}
}

// Known is how many revisions First must have for documents up to a moment: those that arrived
// later change none of them, however early they are read.
func (r *Registry) Known(upTo chargestream.Millis) int {
	for i := len(r.Revisions) - 1; i >= 0; i-- {
		if r.Revisions[i].Arrival <= upTo {
			return i + 1
		}
	}
	return 0
}

// At is the entry of the registry for a session that began at start, as it is known at now: the
// last revision that arrived by start; where there was no entry then, the first one that arrived
// later; nil where there is none. For a start that is yet to come, which a correction can set, it
// is the last that arrived by now.
func (r *Registry) At(start, now chargestream.Millis) *chargestream.StationInfo {
	if info := r.By(min(start, now)); info != nil {
		return info
	}
	if later := r.Between(start, now); len(later) > 0 {
		return later[0]
	}
	return nil
}

// Between are the entries that arrived after one moment and up to another, in that order. One that
// another of the same arrival took the place of is none of them.
func (r *Registry) Between(after, upTo chargestream.Millis) []*chargestream.StationInfo {
	var found []*chargestream.StationInfo
	list := r.byArrival()
	for i := range list {
		rev := &list[i]
		replaced := i+1 < len(list) && list[i+1].Arrival == rev.Arrival
		if after < rev.Arrival && rev.Arrival <= upTo && rev.Info != nil && !replaced {
			found = append(found, rev.Info)
		}
	}
	return found
}

// By is the last entry of the registry that arrived by a moment; nil for none.
func (r *Registry) By(at chargestream.Millis) *chargestream.StationInfo {
	list := r.byArrival()
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].Arrival <= at {
			return list[i].Info
		}
	}
	return nil
}

// Append appends the row to buf; docs/format/registry.md draws it. An entry is JSON within the
// row, so that a field more makes no new version.
func (r *Registry) Append(buf []byte) []byte {
	w := codecs.NewWriter(buf, codecs.KindRegistry, registryVersion)
	w.Uint(uint64(len(r.Revisions)))
	before := chargestream.Millis(0)
	for i := range r.Revisions {
		w.Int(int64(r.Revisions[i].Arrival - before))
		w.Text(textOf(r.Revisions[i].Info))
		before = r.Revisions[i].Arrival
	}
	return w.Bytes()
}

// DecodeRegistry reads what Append wrote.
func DecodeRegistry(row []byte) (*Registry, error) {
	r, err := codecs.NewReader(row, codecs.KindRegistry, registryVersion)
	if err != nil {
		return nil, err
	}
	registry, arrival := &Registry{}, chargestream.Millis(0)
	for range r.Count() {
		arrival += chargestream.Millis(r.Int())
		rev := RegistryRevision{Arrival: arrival}
		if text := r.Text(); text != "" {
			if rev.Info = codecs.PlainStation([]byte(text)); rev.Info == nil {
				// One with a name that this version does not know, or with blanks.
				if err := json.Unmarshal([]byte(text), &rev.Info); err != nil {
					return nil, fmt.Errorf("%w: entry: %w", codecs.ErrCorrupt, err)
				}
			}
			if rev.Info == nil {
				return nil, fmt.Errorf("%w: entry: null", codecs.ErrCorrupt)
			}
		}
		registry.Revisions = append(registry.Revisions, rev)
	}
	return registry, r.Close()
}

// RegistryNow is the entry of a row that counts now, the last good one; nil where there is none. It
// reads no other.
func RegistryNow(row []byte) (*chargestream.StationInfo, error) {
	r, err := codecs.NewReader(row, codecs.KindRegistry, registryVersion)
	if err != nil {
		return nil, err
	}
	text := ""
	for range r.Count() {
		r.Int()
		text = r.Text()
	}
	if err := r.Close(); err != nil || text == "" {
		return nil, err
	}
	var info *chargestream.StationInfo
	if err := json.Unmarshal([]byte(text), &info); err != nil {
		return nil, fmt.Errorf("%w: entry: %w", codecs.ErrCorrupt, err)
	}
	return info, nil
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
