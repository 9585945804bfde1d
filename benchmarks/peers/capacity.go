//go:build linux

package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"chargestream/benchmarks/internal/harness"
)

// fleetPlan is the fleet that capacity is computed for.
type fleetPlan struct {
	connectors    float64
	charging      float64 // share of the connectors that charge in the busiest hour
	sampleEvery   float64 // seconds between two meter values of one that charges
	heartbeat     float64 // seconds between two heartbeats of a connector
	sessions      float64 // of a connector and day
	busiest       float64 // share of a day's sessions that begin in the busiest hour
	replicas      float64
	use           float64 // share of its cores that an instance may use in the busiest hour
	instanceCores float64
}

// millionConnectors is that fleet. 39.5 % is the share of internal/sim/arrivals.go.
func millionConnectors() fleetPlan {
	return fleetPlan{connectors: 1_000_000, charging: 0.3, sampleEvery: 30, heartbeat: 300,
		sessions: 1, busiest: 0.395, replicas: 3, use: 0.5, instanceCores: 4}
}

// figures are what raw results say about costs.
type figures struct {
	machine *harness.Machine
	live    *Latency // one open load
	small   *Run     // short sessions at few stations
	large   *Run     // short sessions at the most stations
	outage  *Outage
	others  float64 // the largest share of other processes in any of them
}

// liveP99Max is the latency above which a rate is too much for the machine: its figures are those
// of a queue.
const liveP99Max = time.Second

// readFigures finds the figures in raw results; an error names the load that is missing.
func readFigures(lines []Line) (*figures, error) {
	f := &figures{}
	for _, line := range lines {
		switch {
		case line.Machine != nil:
			f.machine = line.Machine
		case line.Latency != nil:
			f.takeLive(line.Latency)
		case line.Outage != nil:
			f.outage = line.Outage
		case line.Run != nil && line.Run.Peer == peerHere && shortSessions(line.Run):
			if f.small == nil || line.Run.Stations < f.small.Stations {
				f.small = line.Run
			}
			if f.large == nil || line.Run.Stations >= f.large.Stations {
				f.large = line.Run
			}
		}
	}
	if f.live == nil || f.live.Sent == 0 {
		return nil, fmt.Errorf("the results lack the load %s", loadLatency)
	}
	if f.large == nil || f.small.Stations == f.large.Stations {
		return nil, fmt.Errorf("the results lack two of the loads connectors10k, connectors100k, " +
			"connectors1m, lifecycles and stations300k")
	}
	if f.machine == nil || f.outage == nil {
		return nil, fmt.Errorf("the results lack the machine or the load %s", loadOutage)
	}
	f.others = slices.Max([]float64{f.live.Others, f.small.Others, f.large.Others,
		f.outage.Others})
	return f, nil
}

// shortSessions reports whether a run is one of two samples for each session.
func shortSessions(r *Run) bool {
	return r.Samples == 2 && r.Restore != nil && r.Restore.Rows > 0
}

// takeLive keeps the highest rate that the machine could follow, else the lowest.
func (f *figures) takeLive(l *Latency) {
	follows := func(l *Latency) bool {
		return l.Unseen == 0 && l.P99 <= liveP99Max.Microseconds()
	}
	if f.live == nil || follows(l) && (!follows(f.live) || l.Rate >= f.live.Rate) ||
		!follows(f.live) && l.Rate < f.live.Rate {
		f.live = l
	}
}

// need is what a fleet needs by the figures.
type need struct {
	samples, beats, begins float64 // a second in the busiest hour
	cores                  float64 // busy ones, of all instances
	instances              float64
	partitions             float64
	memory                 float64 // bytes of an instance
	brokerCores            float64
	in, out                float64 // bytes a second to the brokers, before replication
	inDay, outDay          float64 // bytes a day, before replication
	stateDay               float64 // bytes of local disk of all instances for a day's sessions
	rowsDay                float64 // rows that a day's sessions add
	restoreRate            float64 // rows a second of an instance
}

// of computes what a fleet needs.
func (p fleetPlan) of(f *figures) need {
	var n need
	n.samples = p.connectors * p.charging / p.sampleEvery
	n.beats = p.connectors / p.heartbeat
	n.begins = p.connectors * p.sessions * p.busiest / 3600
	lives := float64(f.large.Totals.Sessions)
	perLife := float64(f.large.Totals.Events) / lives
	events := n.samples + n.beats
	n.cores = (events*f.live.CPU + n.begins*perLife*f.large.eventCPU()) / 1e6
	n.instances = max(2, math.Ceil(n.cores/(p.use*p.instanceCores)))
	n.partitions = 4
	for n.partitions < 2*p.instanceCores*n.instances {
		n.partitions *= 2
	}
	slope := max(0, float64(f.large.PeakRSS-f.small.PeakRSS)/
		float64(f.large.Stations-f.small.Stations))
	base := max(0, float64(f.small.PeakRSS)-slope*float64(f.small.Stations))
	n.memory = base + slope*p.connectors/n.instances
	n.brokerCores = (events*f.live.BrokerCPU*p.replicas + n.begins*p.replicas*
		float64(f.large.BrokerCPU.Microseconds())/lives) / 1e6
	n.in = events*f.live.Input + n.begins*float64(f.large.Input)/lives
	n.out = events*f.live.Sent + n.begins*float64(f.large.sent())/lives
	day := p.connectors * p.sessions
	// As many busiest hours as hold the sessions of the day.
	ofDay := n.samples*3600/p.busiest + n.beats*24*3600
	n.inDay = ofDay*f.live.Input + day*float64(f.large.Input)/lives
	n.outDay = ofDay*f.live.Sent + day*float64(f.large.sent())/lives
	n.stateDay = float64(f.large.Disk) / lives * day
	n.rowsDay = float64(f.large.Restore.Rows) / lives * day
	n.restoreRate = float64(f.large.Restore.Rows) / f.large.Restore.Ready.Seconds()
	return n
}

// mib and its like are for reading.
func mib(bytes float64) string { return fmt.Sprintf("%.1f MiB", bytes/(1<<20)) }
func gib(bytes float64) string { return fmt.Sprintf("%.1f GiB", bytes/(1<<30)) }

// capacityPage is docs/capacity.md by raw results.
func capacityPage(lines []Line, name string) (string, error) {
	f, err := readFigures(lines)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	p := millionConnectors()
	fmt.Fprintf(&b, capacityHead, name, f.machine.Time, f.machine.Cores, f.machine.CPU,
		f.machine.Kafka)
	if f.others > othersMax {
		fmt.Fprintf(&b, "\n**Rough.** Other processes used up to %.0f %% of the cores in these "+
			"runs. Times and\nCPU time are too high until they are measured alone.\n",
			100*f.others)
	}
	f.write(&b)
	p.write(&b, p.of(f))
	b.WriteString(capacityTail)
	return b.String(), nil
}

// othersMax is the share of other processes from which figures are called rough.
const othersMax = 0.1
