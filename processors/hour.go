package processors

import (
	"chargestream"
	"chargestream/engine"
	"chargestream/tables"
	"chargestream/topics"
)

// hourRow is an hour with what was emitted of it.
type hourRow struct {
	tables.Hour
	key tables.HourKey
	// emitted and overlaps are what was emitted last. Of a row that was stored they are worked out
	// before its first change.
	emitted  chargestream.Utilization
	overlaps []chargestream.Anomaly
	stored   bool // something was emitted
	known    bool // emitted and overlaps are worked out
}

// hourKey is the key of an hour's row: that of the window, with the station escaped.
func hourKey(prefix string, connector chargestream.ConnectorID, start chargestream.Millis) string {
	return tables.HourKey{StationID: chargestream.StationID(prefix), ConnectorID: connector,
		Start: start}.String()
}

// ParseHourKey reads the key of an hour's row.
func ParseHourKey(key string) (tables.HourKey, error) {
	k, err := tables.ParseHourKey(key)
	k.StationID = chargestream.StationID(engine.UnescapeKey(string(k.StationID)))
	return k, err
}

func decodeHour(key string, row []byte) (*hourRow, error) {
	k, err := ParseHourKey(key)
	if err != nil {
		return nil, err
	}
	h, err := tables.DecodeHour(row)
	if err != nil {
		return nil, err
	}
	return &hourRow{Hour: *h, key: k, stored: true}, nil
}

func appendHour(buf []byte, h *hourRow) []byte { return h.Append(buf) }

func hourDue(_ string, h *hourRow) int64 { return int64(h.Due(h.key)) }

// prepare works out what was emitted of the row, before it is changed.
func (h *hourRow) prepare() {
	if h.stored && !h.known {
		h.emitted, h.overlaps, h.known = h.Utilization(h.key), h.Overlaps(h.key), true
	}
}

// fireHour closes a window, the grace after its end.
func fireHour(_ *engine.Context, _ string, h *hourRow, _ int64) error {
	h.prepare()
	h.Closed = true
	return nil
}

// flushHour emits what changed of a window.
func (f *stationFold) flushHour(ctx *engine.Context, _ string, h *hourRow) error {
	if len(h.Transitions) >= tables.HourTransitionsMax {
		f.count.Bound("hour_transitions")
	}
	if len(h.Sessions) >= tables.HourSessionsMax {
		f.count.Bound("hour_sessions")
	}
	if len(h.Quarters) >= tables.HourQuartersMax {
		f.count.Bound("hour_quarters")
	}
	now, overlaps := h.Utilization(h.key), h.Overlaps(h.key)
	fresh, before := !h.stored, h.overlaps
	changed := fresh || now != h.emitted
	h.emitted, h.overlaps, h.stored, h.known = now, overlaps, true, true
	if changed {
		station, err := f.stations.Get(ctx, string(h.key.StationID))
		if err != nil {
			return err
		}
		if station != nil {
			now.SiteID = station.Site
		}
		if err := emitJSON(ctx, topics.Utilization, h.key.String(), &now); err != nil {
			return err
		}
	}
	return emitAnomalies(ctx, anomalyChanges(ctx, before, overlaps))
}
