package views

import (
	"context"

	"chargestream"
	"chargestream/web"
)

// Utilization lists windows by station, connector and begin. Those of one station lie together,
// as their keys begin with its id, so that only they are read.
func (v *Views) Utilization(
	ctx context.Context, f web.UtilizationFilter,
) ([]chargestream.Utilization, error) {
	var prefix string
	if f.StationID != "" {
		prefix = string(f.StationID) + "/"
		if f.ConnectorID != "" {
			prefix += string(f.ConnectorID) + "/"
		}
	}
	t := v.tables.Utilization
	return list(ctx, query[chargestream.Utilization]{
		tables:  []Table{t},
		choices: [][]set{v.indexes.utilization.all()},
		prefix:  prefix,
		page:    f.Page,
		read: func(key string) (*chargestream.Utilization, error) {
			return read(v, t, key, decodeUtilization)
		},
		matches: f.Matches,
	})
}

func decodeUtilization(key string, value []byte) (*chargestream.Utilization, error) {
	return decodeJSON(key, value, web.UtilizationKey)
}
