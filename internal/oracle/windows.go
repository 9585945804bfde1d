package oracle

import (
	"cmp"
	"math/big"
	"slices"
)

// span is a piece of time [from, to) in ms.
type span struct{ from, to int64 }

// hour gathers what falls into one window before it is counted.
type hour struct {
	station, connector string
	startMs            int64
	occupied           []span
	energyWh           int64
	sessions           int
	arrivals           []int64 // of every start and every end that tells something of the window
}

func addWindows(x *Expected, rows []Row, duplicate map[string]bool) {
	hours := map[string]*hour{}
	whole := map[string][]span{}
	at := func(r Row, startMs int64) *hour {
		key := WindowKey(r.Station, r.Connector, startMs)
		if hours[key] == nil {
			hours[key] = &hour{station: r.Station, connector: r.Connector, startMs: startMs}
		}
		return hours[key]
	}
	for _, r := range rows {
		h := at(r, hourOf(r.StartMs))
		h.arrivals = append(h.arrivals, r.StartArrivalMs)
		if !duplicate[r.ID] {
			h.sessions++
		}
		connector := ConnectorKey(r.Station, r.Connector)
		whole[connector] = append(whole[connector], span{r.StartMs, r.StartMs})
		if r.HasEnd {
			whole[connector] = append(whole[connector], span{r.StartMs, r.EndMs})
			addEnded(r, !duplicate[r.ID], at)
		}
	}
	for key, h := range hours {
		occupied := wholeSeconds(unionLength(h.occupied))
		x.Windows[key] = Window{
			Station:   h.station,
			Connector: h.connector,
			StartMs:   h.startMs,
			OccupiedS: occupied,
			UnknownS:  wholeSeconds(hourMs) - occupied,
			EnergyWh:  h.energyWh,
			Sessions:  h.sessions,
			Revision:  h.revision(),
		}
	}
	for key, spans := range whole {
		x.Connectors[key] = wholeSeconds(unionLength(spans))
	}
}

// addEnded spreads an ended session over the hours that it touches. One that takes no time
// occupies nothing and gives all its energy to the hour of its start.
func addEnded(r Row, counts bool, at func(Row, int64) *hour) {
	if r.EndMs <= r.StartMs {
		h := at(r, hourOf(r.StartMs))
		h.arrivals = append(h.arrivals, r.EndArrivalMs)
		if counts && r.HasEnergy {
			h.energyWh += r.EnergyWh
		}
		return
	}
	for start := hourOf(r.StartMs); start < r.EndMs; start += hourMs {
		h := at(r, start)
		part := span{max(start, r.StartMs), min(start+hourMs, r.EndMs)}
		h.occupied = append(h.occupied, part)
		h.arrivals = append(h.arrivals, r.EndArrivalMs)
		if counts && r.HasEnergy {
			h.energyWh += energyUntil(r, part.to) - energyUntil(r, part.from)
		}
	}
}

// energyUntil is the energy that a session had delivered at ms had its power been constant, cut
// to whole Wh; the differences of it add up to all the energy.
func energyUntil(r Row, ms int64) int64 {
	n := new(big.Int).Mul(big.NewInt(r.EnergyWh), big.NewInt(ms-r.StartMs))
	return n.Div(n, big.NewInt(r.EndMs-r.StartMs)).Int64()
}

// revision is how often the window had to be told: once for all that arrived in time, if anything
// did, and once for each arrival after the grace.
func (h *hour) revision() int {
	late, inTime := map[int64]bool{}, 0
	for _, arrival := range h.arrivals {
		if arrival > h.startMs+hourMs+graceMs {
			late[arrival] = true
		} else {
			inTime = 1
		}
	}
	return max(1, inTime+min(len(late), lateMax))
}

// unionLength is how many ms lie in at least one of spans; those that end before they start
// cover nothing.
func unionLength(spans []span) int64 {
	sorted := slices.Clone(spans)
	slices.SortFunc(sorted, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var covered, length int64 // covered: everything before it is counted
	for _, s := range sorted {
		from := max(s.from, covered)
		if s.to > from {
			length += s.to - from
			covered = s.to
		}
	}
	return length
}

// hourOf is the start of the clock hour that holds ms; no time here is before 1970.
func hourOf(ms int64) int64 { return ms - ms%hourMs }
