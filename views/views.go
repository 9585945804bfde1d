// Package views is the read side: typed answers from tables that are full copies of topics. It
// implements web.Source.
//
// It holds which rows make an answer, how they are found and joined, and in which order they are
// listed: for each table an index of its keys, which is kept as the table changes, so that a query
// reads few rows that do not match. A row that cannot be read is never shown as something else: a
// lookup names its key, a list passes it over, and it is counted and logged once.
//
// It refuses to know how a copy of a topic is kept up to date (engine), what a row means
// beyond calling its own method (tables), and how an answer is asked for and written (web).
package views

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"chargestream"
	"chargestream/web"
	"chargestream/why"
)

// Table is a full copy of a compacted topic. Its methods are called by many requests at a time.
type Table interface {
	// Get is the value of a key; nil where there is none. It is only called once Ready was true.
	Get(key string) ([]byte, error)
	// OnChange has f called for every change of a row, with the row's key, what it was and what it
	// will be; nil for a row that is not there. Get shows the change only when f has returned.
	// OnChange is called once, before the first row is there.
	OnChange(f func(key string, old, row []byte))
	// Ready reports whether the copy has reached the end of its topic.
	Ready() bool
	// Topic is the topic of which this is a copy.
	Topic() string
}

// Measured is what a Table may implement besides, to show how far it is.
type Measured interface {
	// Behind is how many records are not read yet.
	Behind() int64
	// Newest is when the newest record that was read was written, in ms since the epoch; zero
	// before the first.
	Newest() int64
}

// Tables are the copies that the answers are made of. All but Letters are required.
type Tables struct {
	Stations    Table // rows of tables.Station by station_id
	Sessions    Table // rows of tables.Session by engine.RowKey of station_id and session_id
	Registry    Table // rows of tables.Registry by station_id
	Utilization Table // chargestream.Utilization as JSON by web.UtilizationKey
	Invoices    Table // chargestream.Invoice as JSON by invoice_id
	Anomalies   Table // chargestream.Anomaly as JSON by anomaly_id
	Tariffs     Table // rows of tables.Tariff by tariff_id
	// Letters are the newest dead letters; nil where nothing follows them.
	Letters *why.Letters
}

// all is every table, in the order in which they are shown.
func (t *Tables) all() []Table {
	return []Table{t.Stations, t.Sessions, t.Registry, t.Utilization, t.Invoices, t.Anomalies,
		t.Tariffs}
}

// Views answers queries from tables. Its methods are safe for concurrent use.
type Views struct {
	tables  Tables
	indexes *indexes
	corrupt *corruption
}

// indexes are what rows are found by.
type indexes struct {
	stations, registry, utilization, invoices, anomalies *index

	shared *sharedIDs // with the index of sessions
}

var _ web.Source = (*Views)(nil)

// New makes the views over tables that have no rows yet. Without a log nothing is logged, without a
// count nothing is counted.
func New(t Tables, log *slog.Logger, count Counter) *Views {
	return &Views{tables: t, corrupt: newCorruption(log, count), indexes: &indexes{
		stations:    newIndex(t.Stations, stationTerms),
		shared:      newSharedIDs(t.Sessions),
		registry:    newIndex(t.Registry, registryTerms),
		utilization: newIndex(t.Utilization, utilizationTerms),
		invoices:    newIndex(t.Invoices, invoiceTerms),
		anomalies:   newIndex(t.Anomalies, anomalyTerms),
	}}
}

// Ready reports whether all tables have caught up; if not, it names those that have not.
func (v *Views) Ready() (bool, string) {
	if err := ready(v.tables.all()...); err != nil {
		return false, err.Error()
	}
	return true, ""
}

// Freshness is how far each table is. Behind and Newest are zero for a table that is not
// Measured.
func (v *Views) Freshness() []web.TableFreshness {
	var all []web.TableFreshness
	for _, t := range v.tables.all() {
		f := web.TableFreshness{Table: t.Topic(), CaughtUp: t.Ready()}
		if m, ok := t.(Measured); ok {
			f.Behind, f.Newest = m.Behind(), chargestream.Millis(m.Newest())
		}
		all = append(all, f)
	}
	return all
}

// ready is web.ErrNotReady with the names of the tables that have not caught up; nil for none.
func ready(needed ...Table) error {
	var names []string
	for _, t := range needed {
		if !t.Ready() {
			names = append(names, t.Topic())
		}
	}
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w", strings.Join(names, ", "), web.ErrNotReady)
}

// decoder reads the value of a key. What it returns shares no memory with the value.
type decoder[T any] func(key string, value []byte) (*T, error)

// lookup is one row of a table that must have caught up, as what is missing from another proves
// nothing and what it has may be long outdated.
func lookup[T any](
	ctx context.Context, v *Views, t Table, key string, decode decoder[T],
) (*T, error) {
	if err := errors.Join(ctx.Err(), ready(t)); err != nil {
		return nil, err
	}
	return read(v, t, key, decode)
}

// read is one row: web.ErrNotFound where there is none, ErrCorrupt where it cannot be read.
func read[T any](v *Views, t Table, key string, decode decoder[T]) (*T, error) {
	value, err := t.Get(key)
	if err != nil {
		if again := ready(t); again != nil {
			return nil, again // the copy is being started anew, and refuses meanwhile
		}
		return nil, fmt.Errorf("read %s, key %q: %w", t.Topic(), shown(key), err)
	}
	if value == nil {
		return nil, web.ErrNotFound
	}
	row, err := decode(key, value)
	if err != nil {
		return nil, v.corrupt.note(t.Topic(), key, err)
	}
	return row, nil
}
