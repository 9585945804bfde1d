package oracle

import (
	"cmp"
	"slices"
)

func addAnomalies(x *Expected, rows []Row, duplicate map[string]bool) {
	connectors := map[string][]Row{}
	for _, r := range rows {
		if duplicate[r.ID] {
			x.AddAnomaly(AnomalyKey(KindDuplicate, r.ID),
				Anomaly{Kind: KindDuplicate, Station: r.Station, State: StateAny})
		} else if r.HasEnd {
			key := ConnectorKey(r.Station, r.Connector)
			connectors[key] = append(connectors[key], r)
		}
		if state, ok := notEnded(r); ok {
			x.AddAnomaly(AnomalyKey(KindNotEnded, r.ID),
				Anomaly{Kind: KindNotEnded, Station: r.Station, State: state})
		}
		if startSkewed(r) {
			x.setSkew(r.Station, r.StartArrivalMs)
		}
		if endSkewed(r) {
			x.setSkew(r.Station, r.EndArrivalMs)
		}
	}
	for _, sessions := range connectors {
		for _, pair := range overlaps(sessions) {
			x.AddAnomaly(OverlapKey(pair[0].ID, pair[1].ID),
				Anomaly{Kind: KindOverlap, Station: pair[0].Station, State: StateAny})
		}
	}
}

// setSkew notes the one anomaly of a station and day, however many events are skewed.
func (x *Expected) setSkew(station string, arrivalMs int64) {
	x.Anomalies[SkewKey(station, arrivalMs)] =
		Anomaly{Count: 1, Kind: KindClockSkew, Station: station, State: StateAny}
}

// notEnded tells whether a session was missed a day after its start, or the grace after that had
// arrived if it came later, and whether it still is.
func notEnded(r Row) (state string, ok bool) {
	if !r.HasEnd {
		return StateOpen, true
	}
	return StateClosed, r.EndArrivalMs >= max(r.StartMs+dayMs, r.StartArrivalMs+graceMs)+fireDelay
}

// overlaps pairs each session of a connector with the one of those before it, by start and then
// by id, that ends last, the first of them where several do, if it ends after the session's
// start. A session that takes no time overlaps nothing.
func overlaps(sessions []Row) [][2]Row {
	sorted := slices.DeleteFunc(slices.Clone(sessions), func(r Row) bool {
		return r.EndMs <= r.StartMs
	})
	slices.SortFunc(sorted, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.StartMs, b.StartMs), cmp.Compare(a.ID, b.ID))
	})
	var pairs [][2]Row
	for i := 1; i < len(sorted); i++ {
		longest := sorted[0]
		for _, earlier := range sorted[1:i] {
			if earlier.EndMs > longest.EndMs {
				longest = earlier
			}
		}
		if longest.EndMs > sorted[i].StartMs {
			pairs = append(pairs, [2]Row{longest, sorted[i]})
		}
	}
	return pairs
}
