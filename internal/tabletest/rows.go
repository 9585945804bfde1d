// Package tabletest is what the tests of rows and of bills share: the rows of one station in
// memory, random events, a language of scripts, and the examples of docs/format.
package tabletest

import (
	"bytes"
	"fmt"
	"slices"

	"chargestream"
	"chargestream/tables"
)

// Begin is 2026-03-02T00:00:00Z, a Monday. Tests lie in the hours behind it.
const Begin = chargestream.Millis(1772409600000)

// Station is the id of the station of all events and scripts.
const Station chargestream.StationID = "st"

// Of is a pointer to a value.
func Of[T any](v T) *T { return &v }

// Arrived is an event with its arrival.
type Arrived struct {
	Event   chargestream.Event
	Arrival chargestream.Millis
}

// Rows are the rows of one station in memory. They implement tables.Rows.
type Rows struct {
	Station  *tables.Station
	Sessions map[chargestream.SessionID]*tables.Session
	Hours    map[tables.HourKey]*tables.Hour
}

// NewRows are the rows of a station that has sent nothing.
func NewRows() *Rows {
	return &Rows{Station: &tables.Station{ID: Station},
		Sessions: map[chargestream.SessionID]*tables.Session{},
		Hours:    map[tables.HourKey]*tables.Hour{}}
}

// Peek implements tables.Rows.
func (r *Rows) Peek(id chargestream.SessionID) (*tables.Session, error) {
	return r.Sessions[id], nil
}

// Session implements tables.Rows.
func (r *Rows) Session(id chargestream.SessionID) (*tables.Session, error) {
	if r.Sessions[id] == nil {
		r.Sessions[id] = &tables.Session{}
	}
	return r.Sessions[id], nil
}

// Key is the key of an hour of one of the station's connectors.
func Key(connector chargestream.ConnectorID, start chargestream.Millis) tables.HourKey {
	return tables.HourKey{StationID: Station, ConnectorID: connector, Start: start}
}

// Hour implements tables.Rows.
func (r *Rows) Hour(connector chargestream.ConnectorID, start chargestream.Millis) (*tables.Hour,
	error) {
	key := Key(connector, start)
	if r.Hours[key] == nil {
		r.Hours[key] = &tables.Hour{}
	}
	return r.Hours[key], nil
}

// PeekHour is an hour that is not changed; nil where there is none.
func (r *Rows) PeekHour(connector chargestream.ConnectorID, start chargestream.Millis) (
	*tables.Hour, error) {
	return r.Hours[Key(connector, start)], nil
}

// Fold folds an event into the rows.
func (r *Rows) Fold(event chargestream.Event, arrival chargestream.Millis) error {
	return r.Station.Fold(r, event, arrival)
}

// FireStation fires the station's row, and closes the hours, by the stream time now.
func (r *Rows) FireStation(now chargestream.Millis) error {
	if due := r.Station.Due(); due != 0 && due <= now {
		if err := r.Station.Fire(r, now); err != nil {
			return err
		}
		if due := r.Station.Due(); due != 0 && due <= now {
			return fmt.Errorf("the station is due at %s after it was fired at %s", due, now)
		}
	}
	for key, h := range r.Hours {
		if due := h.Due(key); due != 0 && due <= now {
			h.Closed = true
		}
	}
	return nil
}

// Reload writes every row and reads it back, as where a task ends and another one goes on.
func (r *Rows) Reload() error {
	station, err := tables.DecodeStation(Station, r.Station.Append(nil))
	if err != nil {
		return fmt.Errorf("station: %w", err)
	}
	r.Station = station
	for id, row := range r.Sessions {
		if r.Sessions[id], err = tables.DecodeSession(row.Append(nil)); err != nil {
			return fmt.Errorf("session %q: %w", id, err)
		}
	}
	for key, row := range r.Hours {
		if r.Hours[key], err = tables.DecodeHour(row.Append(nil)); err != nil {
			return fmt.Errorf("hour %q: %w", key, err)
		}
	}
	return nil
}

// Diff shows where the facts of rows differ; empty where they do not: the bytes of the station, of
// the hours, and of the sessions without their marks. An hour that holds nothing, as the session
// that it was made for turned out not to touch it, is as none.
func (r *Rows) Diff(o *Rows) string {
	if !bytes.Equal(r.Station.Append(nil), o.Station.Append(nil)) {
		return "stations:\n" + ShowStation(r.Station) + ShowStation(o.Station)
	}
	for _, id := range keysOf(r.Sessions, o.Sessions) {
		a, b := orZero(r.Sessions[id]), orZero(o.Sessions[id])
		if !bytes.Equal(a.Facts(), b.Facts()) {
			return fmt.Sprintf("session %s:\n%s\n%s", id, ShowSession(a), ShowSession(b))
		}
	}
	for _, key := range keysOf(r.Hours, o.Hours) {
		a, b := orNothing(r.Hours[key]), orNothing(o.Hours[key])
		if !bytes.Equal(a.Append(nil), b.Append(nil)) {
			return fmt.Sprintf("hour %s:\n%s\n%s", key, ShowHour(a), ShowHour(b))
		}
	}
	return ""
}

func keysOf[K comparable, V any](maps ...map[K]V) []K {
	var keys []K
	for _, m := range maps {
		for key := range m {
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// orZero is a row, or the one that there is before the first event.
func orZero[T any](row *T) *T {
	if row == nil {
		return new(T)
	}
	return row
}

// orNothing is an hour, or the one that there is before the first event where it holds nothing.
func orNothing(h *tables.Hour) *tables.Hour {
	if h == nil || h.Empty() {
		return &tables.Hour{}
	}
	return h
}
