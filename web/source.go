package web

import (
	"context"
	"errors"

	"chargestream"
)

// ErrNotFound is returned by Source.Station, Session and Invoice for an id that is not known.
var ErrNotFound = errors.New("not found")

// ErrNotReady is returned by a Source whose table has not caught up, so that what is missing from
// it proves nothing. Its text, wrapped, is shown to the client with status 503.
var ErrNotReady = errors.New("not caught up")

// Source is what the API is answered from. Its methods are called by many requests at a time, and
// what they return is the caller's: the Source neither changes nor reads it any more.
//
// A list holds what matches the filter, has a key greater than Page.After, in the byte order of
// the keys, and at most Page.Limit of it; Cut and the Matches methods of the filters do just that.
type Source interface {
	// Station is a station by its id, or ErrNotFound.
	Station(ctx context.Context, id chargestream.StationID) (*chargestream.StationState, error)
	// Stations are listed by StationKey.
	Stations(ctx context.Context, f StationFilter) ([]chargestream.StationState, error)
	// Session is a session by its id, or ErrNotFound. Without a station it is, of the sessions of
	// that id, the one that started last; it names the stations of the others.
	Session(ctx context.Context, id chargestream.SessionID, at chargestream.StationID) (
		*chargestream.SessionState, error)
	// Invoice is an invoice or credit note by its id, or ErrNotFound.
	Invoice(ctx context.Context, id string) (*chargestream.Invoice, error)
	// Invoices are listed by InvoiceKey.
	Invoices(ctx context.Context, f InvoiceFilter) ([]chargestream.Invoice, error)
	// Utilization is listed by UtilizationKey.
	Utilization(ctx context.Context, f UtilizationFilter) ([]chargestream.Utilization, error)
	// Anomalies are listed by AnomalyKey.
	Anomalies(ctx context.Context, f AnomalyFilter) ([]chargestream.Anomaly, error)
	// WhySession is why the bill of the session that Session gives is as it is. A session that only
	// dead letters name has an answer; ErrNotFound means that nothing came of it.
	WhySession(ctx context.Context, id chargestream.SessionID, at chargestream.StationID) (
		*chargestream.SessionWhy, error)
	// WhyStation is what keeps the sessions of a station from being billed; ErrNotFound as for
	// WhySession.
	WhyStation(ctx context.Context, id chargestream.StationID) (*chargestream.StationWhy, error)
	// Ready reports whether all tables have caught up, and if not, why not.
	Ready() (bool, string)
	// Freshness is how far each table is, in a fixed order.
	Freshness() []TableFreshness
}

// TableFreshness is how far one table of a Source is.
type TableFreshness struct {
	Table    string `json:"table" doc:"Name of the table"`
	CaughtUp bool   `json:"caught_up" doc:"Whether the table has reached the end of its topic"`
	Behind   int64  `json:"behind" doc:"Records that are not read yet"`
	// Newest is when the newest record that was read was written; zero before the first.
	Newest chargestream.Millis `json:"newest,omitzero" doc:"When the newest record was written"`
}
