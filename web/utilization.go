package web

import (
	"context"

	"chargestream"

	"github.com/danielgtaylor/huma/v2"
)

// UtilizationFilter is which windows are asked for; what is empty or zero is any.
type UtilizationFilter struct {
	StationID   chargestream.StationID
	ConnectorID chargestream.ConnectorID
	From        chargestream.Millis // windows that begin at or after
	To          chargestream.Millis // windows that begin before
	Page        Page
}

// UtilizationKey is the key by which windows are listed, and that of their topic:
// station/connector/window_start. Windows of one connector follow each other by time.
func UtilizationKey(u *chargestream.Utilization) string {
	return string(u.StationID) + "/" + string(u.ConnectorID) + "/" + u.WindowStart.String()
}

// Matches reports whether a window is asked for, whatever its page.
func (f *UtilizationFilter) Matches(u *chargestream.Utilization) bool {
	return (f.StationID == "" || u.StationID == f.StationID) &&
		(f.ConnectorID == "" || u.ConnectorID == f.ConnectorID) &&
		(f.From == 0 || u.WindowStart >= f.From) &&
		(f.To == 0 || u.WindowStart < f.To)
}

type utilizationInput struct {
	StationID   chargestream.StationID   `query:"station_id" doc:"Windows of this station"`
	ConnectorID chargestream.ConnectorID `query:"connector_id" doc:"Windows of this connector"`
	From        instant                  `query:"from" doc:"Windows that begin at or after"`
	To          instant                  `query:"to" doc:"Windows that begin before"`
	PageInput
}

func (a *api) registerUtilization(h huma.API) {
	huma.Register(h, operation("list-utilization", "/api/v1/utilization",
		"Hours of the connectors", "Lists clock hours in UTC by station, connector and begin. The "+
			"seconds of the states add up to the hour; occupied includes charging."),
		a.utilization)
}

func (a *api) utilization(
	ctx context.Context, in *utilizationInput,
) (*listOutput[chargestream.Utilization], error) {
	f := UtilizationFilter{
		StationID:   in.StationID,
		ConnectorID: in.ConnectorID,
		From:        in.From.at,
		To:          in.To.at,
	}
	if f.From != 0 && f.To != 0 && f.From >= f.To {
		return nil, huma.Error422UnprocessableEntity("from " + f.From.String() +
			" is not before to " + f.To.String() + "; to is the first moment not asked for")
	}
	read := func(p Page) ([]chargestream.Utilization, error) {
		f.Page = p
		return a.source.Utilization(ctx, f)
	}
	found, err := readList(ctx, a, "utilization", in.PageInput, UtilizationKey, read)
	if err != nil {
		return nil, err
	}
	return &listOutput[chargestream.Utilization]{Body: found}, nil
}
