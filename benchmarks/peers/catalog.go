//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"

	"chargestream"
)

// load is a workload with a name, the programs that it measures, and on how many partitions.
type load struct {
	name       string
	about      string
	workload   Workload
	peers      []string
	partitions []int32 // the load is measured once with each
}

const (
	loadLatency = "latency"
	loadDepot   = "depot"
	loadOutage  = "outage"
	loadRestore = "restore"
	// partitionsDefault is that of "chargestream topics apply".
	partitionsDefault = 4
)

// sampleEvery is how often a vehicle's meter is read.
const sampleEvery = 30 * chargestream.Second

// catalog is every load, in the order in which they are measured; depot are the numbers of
// partitions of that load.
func catalog(depot []int32) []load {
	all, one := []string{peerHere, peerTwin, peerGoka}, []string{peerHere}
	usual := []int32{partitionsDefault}
	burst := Workload{Stations: 4000, Samples: 240, Every: sampleEvery}
	buffered := burst
	buffered.Late = true
	lives := func(stations, sessions int) Workload {
		return Workload{Stations: stations, Sessions: sessions, Samples: 2, Every: sampleEvery}
	}
	return []load{
		{"burst", "4,000 vehicles plug in and charge for two hours, read on time", burst, all,
			usual},
		{"buffered", "the same two hours, late and in one go", buffered, all, usual},
		{"lifecycles", "100,000 short sessions, each at a station of its own", lives(100_000, 1),
			all, usual},
		{"stations300k", "300,000 stations with one session each", lives(300_000, 1), one, usual},
		{"history", "26,820 sessions of the past, each a record of up to 16 hours",
			Workload{Stations: 149, Sessions: 180, Records: true}, one, usual},
		{loadDepot, "the burst by number of partitions", burst, all, depot},
		{loadLatency, "from an event's arrival until a view shows it",
			Workload{Stations: 4000}, one, usual},
		{loadOutage, "what arrives while no instance runs, and goes on arriving", lives(100_000, 1),
			one, usual},
		{loadRestore, "rows of one table, restored by the engine and by a view of stock goka",
			Workload{}, one, usual},
		{"connectors10k", "short sessions, 30 at each of 10,000 stations", lives(10_000, 30), one,
			usual},
		{"connectors100k", "short sessions, 3 at each of 100,000 stations", lives(100_000, 3), one,
			usual},
		{"connectors1m", "short sessions, one at each of 1,000,000 stations", lives(1_000_000, 1),
			one, usual},
	}
}

// choose are the loads of these names, in their order; all of them for none.
func choose(all []load, names []string) ([]load, error) {
	if len(names) == 0 {
		return all, nil
	}
	var chosen []load
	for _, name := range names {
		i := slices.IndexFunc(all, func(l load) bool { return l.name == name })
		if i < 0 {
			var known []string
			for _, l := range all {
				known = append(known, l.name)
			}
			return nil, fmt.Errorf("there is no load %q, only %s", name, strings.Join(known, ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// scaled is a load with a share of its stations, at least one.
func (l load) scaled(share float64) load {
	l.workload.Stations = max(1, int(float64(l.workload.Stations)*share))
	return l
}
