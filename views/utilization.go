package views

import (
	"context"
	"strings"
	"time"

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
	t, x := v.tables.Utilization, v.indexes.utilization
	choices := [][]set{x.all()}
	if months := monthsOf(f.From, f.To); months != nil {
		var sets []set
		for _, month := range months {
			sets = append(sets, set{x, term{fieldMonth, month}})
		}
		choices = append(choices, sets)
	}
	return list(ctx, query[chargestream.Utilization]{
		tables:  []Table{t},
		choices: choices,
		prefix:  prefix,
		page:    f.Page,
		read: func(key string) (*chargestream.Utilization, error) {
			return read(v, t, key, decodeUtilization)
		},
		matches: f.Matches,
	})
}

// monthsMax bounds the months that a list is put together of.
const monthsMax = 24

// monthsOf are the months that windows from one moment until before another begin in; nil where one
// of them is not given, or for more than monthsMax.
func monthsOf(from, to chargestream.Millis) []string {
	if from == 0 || to == 0 {
		return nil
	}
	var months []string
	first := from.Time().UTC()
	at := time.Date(first.Year(), first.Month(), 1, 0, 0, 0, 0, time.UTC)
	for ; at.Before(to.Time()); at = at.AddDate(0, 1, 0) {
		if len(months) == monthsMax {
			return nil
		}
		months = append(months, web.MonthOf(chargestream.MillisOf(at).String()))
	}
	return months
}

// utilizationTerms are what windows are found by, besides their keys: the month of their begin.
func utilizationTerms(key string, _ []byte) ([]term, error) {
	return valued(nil, fieldMonth, web.MonthOf(key[strings.LastIndexByte(key, '/')+1:])), nil
}

func decodeUtilization(key string, value []byte) (*chargestream.Utilization, error) {
	return decodeJSON(key, value, web.UtilizationKey)
}
