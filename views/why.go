package views

import (
	"context"
	"errors"
	"time"

	"chargestream"
	"chargestream/engine"
	"chargestream/tables"
	"chargestream/web"
	"chargestream/why"
)

// whyDocumentsMax bounds the held documents of a station that are looked at.
const whyDocumentsMax = 10 * web.LimitMax

// WhySession is why a session's bill is as it is. Without a station it is, of the sessions of that
// id, the one that Session gives.
func (v *Views) WhySession(
	ctx context.Context, id chargestream.SessionID, at chargestream.StationID,
) (*chargestream.SessionWhy, error) {
	t := &v.tables
	err := errors.Join(ctx.Err(), ready(t.Sessions, t.Registry, t.Invoices, t.Tariffs))
	if err != nil {
		return nil, err
	}
	f := &why.SessionFacts{ID: id, Station: at, Book: v.tariff(),
		Now: chargestream.MillisOf(time.Now())}
	state, err := v.Session(ctx, id, at)
	if err != nil && !errors.Is(err, web.ErrNotFound) {
		return nil, err
	}
	if state != nil {
		f.Station = state.StationID
		key := engine.RowKey(string(f.Station), string(id))
		f.Row, err = read(v, t.Sessions, key, func(_ string, value []byte) (*tables.Session,
			error) {
			return tables.DecodeSession(value)
		})
		if err != nil && !errors.Is(err, web.ErrNotFound) {
			return nil, err
		}
	}
	f.Documents, err = v.Invoices(ctx, web.InvoiceFilter{SessionID: id, StationID: f.Station,
		Page: web.Page{Limit: web.LimitMax}})
	if err != nil {
		return nil, err
	}
	if f.Station == "" && len(f.Documents) > 0 {
		f.Station = f.Documents[0].StationID
	}
	if f.Registry, err = v.registryOf(f.Station); err != nil {
		return nil, err
	}
	f.Letters = v.letters(f.Station, id)
	if !f.Known() {
		return nil, web.ErrNotFound
	}
	w, err := why.Session(f)
	var stations []chargestream.StationID
	for _, key := range v.indexes.sessionKeys(id) {
		stations = append(stations, stationOf(key))
	}
	w.AlsoAtStations = others(stations, f.Station)
	return &w, err
}

// WhyStation is what keeps a station's sessions from being billed.
func (v *Views) WhyStation(
	ctx context.Context, id chargestream.StationID,
) (*chargestream.StationWhy, error) {
	t := &v.tables
	err := errors.Join(ctx.Err(), ready(t.Stations, t.Registry, t.Invoices, t.Tariffs))
	if err != nil {
		return nil, err
	}
	f := &why.StationFacts{ID: id, Book: v.tariff(), Now: chargestream.MillisOf(time.Now()),
		Letters: v.letters(id, "")}
	f.Row, err = read(v, t.Stations, string(id), decodeStation)
	if err != nil && !errors.Is(err, web.ErrNotFound) {
		return nil, err
	}
	if f.Registry, err = v.registryOf(id); err != nil {
		return nil, err
	}
	page := web.Page{Limit: web.LimitMax}
	for len(f.Documents) < whyDocumentsMax {
		more, err := v.Invoices(ctx, web.InvoiceFilter{StationID: id, Page: page,
			Status: chargestream.StatusHeld})
		if err != nil {
			return nil, err
		}
		f.Documents = append(f.Documents, more...)
		if len(more) < page.Limit {
			break
		}
		page.After = web.InvoiceKey(&more[len(more)-1])
	}
	if !f.Known() {
		return nil, web.ErrNotFound
	}
	w, err := why.Station(f)
	return &w, err
}

func (v *Views) letters(station chargestream.StationID,
	session chargestream.SessionID) []chargestream.DeadLetter {
	if v.tables.Letters == nil {
		return nil
	}
	return v.tables.Letters.Of(station, session)
}

// registryOf is the history of a station's entry in the registry; nil for none.
func (v *Views) registryOf(id chargestream.StationID) (*tables.Registry, error) {
	row, err := read(v, v.tables.Registry, string(id), func(_ string, value []byte) (
		*tables.Registry, error) {
		return tables.DecodeRegistry(value)
	})
	if errors.Is(err, web.ErrNotFound) || errors.Is(err, ErrCorrupt) {
		return nil, nil
	}
	return row, err
}

// tariff looks up the history of a tariff.
func (v *Views) tariff() why.Book {
	return func(id chargestream.TariffID) (*tables.Tariff, error) {
		key := string(chargestream.FoldID(id))
		row, err := read(v, v.tables.Tariffs, key, func(_ string, value []byte) (*tables.Tariff,
			error) {
			return tables.DecodeTariff(value)
		})
		if errors.Is(err, web.ErrNotFound) {
			return nil, nil
		}
		return row, err
	}
}
