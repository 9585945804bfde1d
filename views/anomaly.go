package views

import (
	"context"

	"chargestream"
	"chargestream/web"
)

// Anomalies lists anomalies by anomaly_id.
func (v *Views) Anomalies(
	ctx context.Context, f web.AnomalyFilter,
) ([]chargestream.Anomaly, error) {
	t := v.tables.Anomalies
	return list(ctx, query[chargestream.Anomaly]{
		tables: []Table{t},
		page:   f.Page,
		read: func(key string) (*chargestream.Anomaly, error) {
			return read(v, t, key, decodeAnomaly)
		},
		matches: f.Matches,
	})
}

func decodeAnomaly(key string, value []byte) (*chargestream.Anomaly, error) {
	return decodeJSON(key, value, web.AnomalyKey)
}
