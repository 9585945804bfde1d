package web

import (
	"context"
	"strings"

	"chargestream"

	"github.com/danielgtaylor/huma/v2"
)

// StationFilter is which stations are asked for. State, ConnectorType and MinPower must hold
// for one and the same connector.
type StationFilter struct {
	State         *chargestream.State // nil for any
	ConnectorType string              // in any case; empty for any
	MinPower      chargestream.Watts  // of the connector, else of its station; 0 for any
	SiteID        chargestream.SiteID // empty for any
	Area          *Area               // nil for any
	Page          Page
}

// StationKey is the key by which stations are listed: the station's id.
func StationKey(s *chargestream.StationState) string { return string(s.StationID) }

// Matches reports whether a station is asked for, whatever its page.
func (f *StationFilter) Matches(s *chargestream.StationState) bool {
	if f.SiteID != "" && (s.Info == nil || s.Info.SiteID != f.SiteID) {
		return false
	}
	if f.Area != nil && !f.Area.Contains(s.Info) {
		return false
	}
	if f.State == nil && f.ConnectorType == "" && f.MinPower == 0 {
		return true
	}
	reported := map[chargestream.ConnectorID]bool{}
	for i := range s.Connectors {
		c := &s.Connectors[i]
		reported[c.ConnectorID] = true
		if f.matchesConnector(s.Info, c) {
			return true
		}
	}
	if s.Info == nil {
		return false
	}
	for _, c := range s.Info.Connectors {
		silent := chargestream.ConnectorState{ConnectorID: c.ConnectorID}
		if !reported[c.ConnectorID] && f.matchesConnector(s.Info, &silent) {
			return true
		}
	}
	return false
}

// matchesConnector reports whether all that is asked of a connector holds for this one.
func (f *StationFilter) matchesConnector(
	info *chargestream.StationInfo, c *chargestream.ConnectorState,
) bool {
	if f.State != nil && c.State != *f.State {
		return false
	}
	var kind string
	var power chargestream.Watts
	if info != nil {
		power = info.MaxPower
		for _, registered := range info.Connectors {
			if registered.ConnectorID != c.ConnectorID {
				continue
			}
			kind = registered.Type
			if registered.MaxPower != 0 {
				power = registered.MaxPower
			}
		}
	}
	return (f.ConnectorType == "" || strings.EqualFold(kind, f.ConnectorType)) &&
		power >= f.MinPower
}

// stateWord is a chargestream.State as text, with its words in the schema.
type stateWord string

// Schema implements huma.SchemaProvider.
func (stateWord) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for state := chargestream.StateUnknown; state <= chargestream.StateFaulted; state++ {
		s.Enum = append(s.Enum, state.String())
	}
	return s
}

// station is a station in an answer. A station that never reported has no last_seen, as an
// empty text there would not be a time.
type station struct {
	chargestream.StationState
	LastSeen chargestream.Millis `json:"last_seen,omitzero"`
}

func stationAnswer(s chargestream.StationState) station {
	if s.Connectors == nil {
		s.Connectors = []chargestream.ConnectorState{}
	}
	return station{StationState: s, LastSeen: s.LastSeen}
}

type stationInput struct {
	ID chargestream.StationID `path:"id" doc:"station_id; percent-encode / as %2F"`
}

type stationsInput struct {
	State  stateWord           `query:"state" doc:"Stations with a connector in this state"`
	Free   bool                `query:"free" enum:"true" doc:"Short for state=available"`
	Type   string              `query:"connector_type" doc:"OCPI ConnectorType, in any case"`
	Power  chargestream.Watts  `query:"min_power_w" minimum:"1" doc:"Least power in W"`
	SiteID chargestream.SiteID `query:"site_id" doc:"Stations of this site"`
	Area   string              `query:"bbox" doc:"west,south,east,north in degrees"`
	PageInput
}

// filter is the filter that the parameters mean, without its page.
func (in *stationsInput) filter() (StationFilter, error) {
	f := StationFilter{ConnectorType: in.Type, MinPower: in.Power, SiteID: in.SiteID}
	area, err := parseArea(in.Area)
	if err != nil {
		return f, err
	}
	f.Area = area
	if in.Free {
		free := stateWord(chargestream.StateAvailable.String())
		if in.State != "" && in.State != free {
			return f, huma.Error422UnprocessableEntity(`free=true means state=available and ` +
				`contradicts state=` + string(in.State) + `; leave one of them out`)
		}
		in.State = free
	}
	if in.State != "" {
		var state chargestream.State
		if err := state.UnmarshalText([]byte(in.State)); err != nil {
			return f, huma.Error422UnprocessableEntity("query.state: " + err.Error())
		}
		f.State = &state
	}
	return f, nil
}

func (a *api) registerStations(h huma.API) {
	huma.Register(h, operation("list-stations", "/api/v1/stations", "Stations as they are now",
		"Lists stations by station_id. state, connector_type and min_power_w must hold for one "+
			"and the same connector."), a.stations)
	huma.Register(h, operation("get-station", "/api/v1/stations/{id}", "A station as it is now",
		"One station with all its connectors."), a.station)
}

func (a *api) station(
	ctx context.Context, in *stationInput,
) (*itemOutput[station], error) {
	s, err := a.source.Station(ctx, in.ID)
	if err = missing(s, err); err != nil {
		return nil, a.problem(ctx, err, "no station has the id "+quote(string(in.ID))+
			"; GET /api/v1/stations lists those that are known"+a.lettersHint(ctx, err, in.ID))
	}
	return &itemOutput[station]{Body: stationAnswer(*s)}, nil
}

func (a *api) stations(
	ctx context.Context, in *stationsInput,
) (*listOutput[station], error) {
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	read := func(p Page) ([]chargestream.StationState, error) {
		f.Page = p
		return a.source.Stations(ctx, f)
	}
	found, err := readList(ctx, a, "stations", in.PageInput, StationKey, read)
	if err != nil {
		return nil, err
	}
	out := list[station]{Items: make([]station, 0, len(found.Items)), Next: found.Next}
	for _, s := range found.Items {
		out.Items = append(out.Items, stationAnswer(s))
	}
	return &listOutput[station]{Body: out}, nil
}
