package oracle

import (
	"cmp"
	"slices"
)

// addAnomalies notes those of the sessions, as the walk through their moments opens and closes
// them, the pairs that overlap, and the clock skew of each station and day.
func addAnomalies(x *Expected, rows []Row, duplicate map[string]bool) {
	connectors := map[string][]Row{}
	for _, r := range rows {
		key := ConnectorKey(r.Station, r.Connector)
		connectors[key] = append(connectors[key], r)
		if startSkewed(r) {
			x.setSkew(r.Station, r.StartArrivalMs)
		}
		if endSkewed(r) {
			x.setSkew(r.Station, r.EndArrivalMs)
		}
	}
	for _, own := range connectors {
		for _, pair := range overlapPairs(own, duplicate) {
			x.AddAnomaly(OverlapKey(pair[0].ID, pair[1].ID),
				Anomaly{Kind: KindOverlap, Station: pair[0].Station, State: StateAny})
		}
	}
	for _, r := range rows {
		_, alarms := Story(FactsOf(r, connectors[ConnectorKey(r.Station, r.Connector)]))
		for _, a := range alarms {
			state := StateOpen
			if a.ClosedMs != 0 {
				state = StateClosed
			}
			// One that opens again keeps its key: the last state counts.
			x.Anomalies[a.Key] = Anomaly{Count: 1, Kind: a.Kind, Station: r.Station, State: state}
		}
	}
}

// FactsOf are the facts of a row and of those on its connector that touch it, or ended a minute
// before it or less, without a tariff: what a session costs has no part in anything but its
// amounts.
func FactsOf(r Row, connector []Row) Facts {
	f := Facts{Session: r.ID, Station: r.Station, Starts: startsOf(r), Ends: endsOf(r)}
	for _, o := range connector {
		if o.ID != r.ID && o.StartMs <= max(r.StartMs, r.EndMs) &&
			r.StartMs <= max(o.StartMs, o.EndMs)+minuteMs {
			f.Others = append(f.Others,
				OtherSession{ID: o.ID, Starts: startsOf(o), Ends: endsOf(o)})
		}
	}
	const always = 1000
	f.Registry = []RegistryFact{{ArrivalMs: always, Tariff: "free"}}
	if typeOf(connector) == "CHAdeMO" {
		f.Registry[0].ConnectorType = map[string]string{r.Connector: "CHADEMO"}
	}
	f.Tariffs = []TariffFact{{ID: "free", ArrivalMs: always, Versions: []TariffVersion{{
		always, []byte(`{"currency":"EUR","elements":[{"price_components":[` +
			`{"type":"FLAT","price":0,"vat":0}]}]}`)}}}}
	return f
}

func startsOf(r Row) []StartFact {
	return []StartFact{{AtMs: r.StartMs, ArrivalMs: r.StartArrivalMs, Connector: r.Connector,
		User: r.User}}
}

func endsOf(r Row) []EndFact {
	if !r.HasEnd {
		return nil
	}
	e := EndFact{AtMs: r.EndMs, ArrivalMs: r.EndArrivalMs}
	if r.HasEnergy {
		e.EnergyWh = number64(r.EnergyWh)
	}
	return []EndFact{e}
}

// setSkew notes the one anomaly of a station and day, however many events are skewed.
func (x *Expected) setSkew(station string, arrivalMs int64) {
	x.Anomalies[SkewKey(station, arrivalMs)] =
		Anomaly{Count: 1, Kind: KindClockSkew, Station: station, State: StateAny}
}

// overlapPairs pairs each session of a connector with the one of those before it, by start and then
// by id, that ends last, the first of them where several do, if it ends after the session's start.
// A copy is none, and a session that takes no time overlaps nothing.
func overlapPairs(connector []Row, duplicate map[string]bool) [][2]Row {
	own := slices.DeleteFunc(slices.Clone(connector), func(r Row) bool {
		return !r.HasEnd || duplicate[r.ID] || r.EndMs <= r.StartMs
	})
	slices.SortFunc(own, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.StartMs, b.StartMs), cmp.Compare(a.ID, b.ID))
	})
	var pairs [][2]Row
	for i := 1; i < len(own); i++ {
		longest := own[0]
		for _, earlier := range own[1:i] {
			if earlier.EndMs > longest.EndMs {
				longest = earlier
			}
		}
		if longest.EndMs > own[i].StartMs {
			pairs = append(pairs, [2]Row{longest, own[i]})
		}
	}
	return pairs
}

// overlaps are the ids of the sessions that share time with another one of the connector, both
// with an end and neither a copy. Time that ends before it starts is shared with nobody.
func overlaps(rows []Row, duplicate map[string]bool) map[string]bool {
	connectors := map[string][]Row{}
	for _, r := range rows {
		if r.HasEnd && r.EndMs > r.StartMs && !duplicate[r.ID] {
			key := ConnectorKey(r.Station, r.Connector)
			connectors[key] = append(connectors[key], r)
		}
	}
	found := map[string]bool{}
	for _, own := range connectors {
		slices.SortFunc(own, func(a, b Row) int { return cmp.Compare(a.StartMs, b.StartMs) })
		for i, a := range own {
			for _, b := range own[i+1:] {
				if b.StartMs >= a.EndMs {
					break
				}
				found[a.ID], found[b.ID] = true, true
			}
		}
	}
	return found
}
