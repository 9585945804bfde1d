package views

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"chargestream"
	"chargestream/tables"
	"chargestream/web"
)

// Station is a station with its entry in the registry, known by either. Its connectors are those
// of both, by connector_id; one that never reported a state is in the unknown state.
func (v *Views) Station(
	ctx context.Context, id chargestream.StationID,
) (*chargestream.StationState, error) {
	if err := errors.Join(ctx.Err(), ready(v.tables.Stations, v.tables.Registry)); err != nil {
		return nil, err
	}
	return v.station(string(id))
}

// Stations lists stations by station_id.
func (v *Views) Stations(
	ctx context.Context, f web.StationFilter,
) ([]chargestream.StationState, error) {
	return list(ctx, query[chargestream.StationState]{
		tables:  []Table{v.tables.Stations, v.tables.Registry},
		choices: v.stationChoices(&f),
		page:    f.Page,
		read:    v.station,
		matches: f.Matches,
	})
}

// stationChoices are the sets of stations that can match a filter. The unknown state has more than
// those of the stations that reported it: any station that the registry knows may have a connector
// that never reported a state.
func (v *Views) stationChoices(f *web.StationFilter) [][]set {
	stations, registry := v.indexes.stations, v.indexes.registry
	choices := [][]set{slices.Concat(stations.all(), registry.all())}
	if f.SiteID != "" {
		choices = append(choices, registry.with(term{fieldSite, string(f.SiteID)}))
	}
	if f.Area != nil {
		if sets := areaSets(registry, f.Area); sets != nil {
			choices = append(choices, sets)
		}
	}
	if f.State != nil {
		sets := stations.with(term{fieldState, f.State.String()})
		if *f.State == chargestream.StateUnknown {
			sets = append(sets, registry.all()...)
		}
		choices = append(choices, sets)
	}
	return choices
}

// station joins a row with the entry of the registry that counts, by which bills are made too: one
// that was refused leaves the last good one. A row that cannot be read counts as none, and must not
// hide a station that reports; of a station that never reported its error is the answer.
func (v *Views) station(key string) (*chargestream.StationState, error) {
	row, err := read(v, v.tables.Stations, key, decodeStation)
	if err != nil && !errors.Is(err, web.ErrNotFound) {
		return nil, err
	}
	info, infoErr := read(v, v.tables.Registry, key, decodeInfo)
	if infoErr == nil && info == nil {
		infoErr = web.ErrNotFound // it was taken out
	}
	if infoErr != nil && (row == nil || !errors.Is(infoErr, web.ErrNotFound) &&
		!errors.Is(infoErr, ErrCorrupt)) {
		return nil, infoErr
	}
	if row == nil {
		row = &tables.Station{ID: chargestream.StationID(key)}
	}
	state := row.State(info)
	addSilent(&state)
	return &state, nil
}

// addSilent adds the connectors that only the registry knows.
func addSilent(s *chargestream.StationState) {
	if s.Info == nil {
		return
	}
	for _, c := range s.Info.Connectors {
		if !slices.ContainsFunc(s.Connectors, func(k chargestream.ConnectorState) bool {
			return k.ConnectorID == c.ConnectorID
		}) {
			s.Connectors = append(s.Connectors,
				chargestream.ConnectorState{ConnectorID: c.ConnectorID})
		}
	}
	slices.SortFunc(s.Connectors, func(a, b chargestream.ConnectorState) int {
		return cmp.Compare(a.ConnectorID, b.ConnectorID)
	})
}

func decodeStation(key string, value []byte) (*tables.Station, error) {
	return tables.DecodeStation(chargestream.StationID(key), value)
}

// stationTerms are what stations are found by, of what they reported.
func stationTerms(key string, value []byte) ([]term, error) {
	row, err := decodeStation(key, value)
	if err != nil {
		return nil, err
	}
	var terms []term
	for _, c := range row.State(nil).Connectors {
		if t := (term{fieldState, c.State.String()}); !slices.Contains(terms, t) {
			terms = append(terms, t)
		}
	}
	return terms, nil
}

// registryTerms are what stations are found by, of what the registry has of them.
func registryTerms(key string, value []byte) ([]term, error) {
	info, err := decodeInfo(key, value)
	if err != nil || info == nil {
		return nil, err
	}
	return areaTerms(valued(nil, fieldSite, string(info.SiteID)), info), nil
}

// decodeInfo is the entry of the registry that counts; nil where it was taken out.
func decodeInfo(key string, value []byte) (*chargestream.StationInfo, error) {
	info, err := tables.RegistryNow(value)
	if info != nil {
		info.StationID = chargestream.StationID(key)
	}
	return info, err
}
