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
	t, x := v.tables.Anomalies, v.indexes.anomalies
	choices := [][]set{x.all()}
	if f.Open {
		choices = append(choices, x.with(term{field: fieldOpen}))
	}
	if f.StationID != "" {
		choices = append(choices, x.with(term{fieldStation, string(f.StationID)}))
	}
	return list(ctx, query[chargestream.Anomaly]{
		tables:  []Table{t},
		choices: choices,
		page:    f.Page,
		read: func(key string) (*chargestream.Anomaly, error) {
			return read(v, t, key, decodeAnomaly)
		},
		matches: f.Matches,
	})
}

func decodeAnomaly(key string, value []byte) (*chargestream.Anomaly, error) {
	return decodeJSON(key, value, web.AnomalyKey)
}

// anomalyTerms are what anomalies are found by.
func anomalyTerms(_ string, value []byte) ([]term, error) {
	var terms []term
	open := true
	err := eachText(value, func(name, text string) {
		switch name {
		case "station_id":
			terms = valued(terms, fieldStation, text)
		case "closed_at":
			open = text == ""
		}
	})
	if open {
		terms = append(terms, term{field: fieldOpen})
	}
	return terms, err
}
