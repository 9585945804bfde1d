//go:build linux

package main

import (
	_ "embed" // the text of the page
	"fmt"
	"strings"
)

// What the page has beside its tables.
var (
	//go:embed capacity_fleet.md
	capacityFleet string
	//go:embed capacity_head.md
	capacityHead string
	//go:embed capacity_tail.md
	capacityTail string
)

// write writes the figures that the page rests on.
func (f *figures) write(b *strings.Builder) {
	b.WriteString("\n## What was measured\n\n")
	writeRow(b, "figure", "value", "load")
	writeRow(b, "---", "---", "---")
	live := fmt.Sprintf("`%s` at %d events/s, %d stations", loadLatency, f.live.Rate,
		f.live.Stations)
	large := fmt.Sprintf("`%s`, %d stations, %d sessions", f.large.Load, f.large.Stations,
		f.large.Totals.Sessions)
	small := fmt.Sprintf("`%s`, %d stations", f.small.Load, f.small.Stations)
	lives := float64(f.large.Totals.Sessions)
	for _, row := range [][3]string{
		{"CPU of an event, live", fmt.Sprintf("%.1f µs, broker %.1f µs", f.live.CPU,
			f.live.BrokerCPU), live},
		{"bytes of an event, live", fmt.Sprintf("%.0f in, %.0f out", f.live.Input, f.live.Sent),
			live},
		{"event to view, p99", fmt.Sprintf("%.0f ms", float64(f.live.P99)/1000), live},
		{"CPU of a short session", fmt.Sprintf("%.0f µs, broker %.0f µs",
			f.large.eventCPU()*float64(f.large.Totals.Events)/lives,
			float64(f.large.BrokerCPU.Microseconds())/lives), large},
		{"bytes of a short session", fmt.Sprintf("%.0f in, %.0f out",
			float64(f.large.Input)/lives, float64(f.large.sent())/lives), large},
		{"state of a session on disk", fmt.Sprintf("%.0f bytes", float64(f.large.Disk)/lives),
			large},
		{"peak memory", mib(float64(f.small.PeakRSS)), small},
		{"peak memory", mib(float64(f.large.PeakRSS)), large},
		{"restore", fmt.Sprintf("%.0f rows/s", float64(f.large.Restore.Rows)/
			f.large.Restore.Ready.Seconds()), large},
		{"CPU of an event by connectors", fmt.Sprintf("×%.2f", f.large.eventCPU()/
			f.small.eventCPU()), fmt.Sprintf("%d to %d stations", f.small.Stations,
			f.large.Stations)},
		{"outage caught up with", fmt.Sprintf("%.0f events/s", float64(f.outage.Folded)/
			f.outage.CaughtUp.Seconds()), fmt.Sprintf("`%s` of %.0f s at %d events/s", loadOutage,
			f.outage.Span.Seconds(), f.outage.Rate)},
	} {
		writeRow(b, row[:]...)
	}
}

// write writes what the fleet needs.
func (p fleetPlan) write(b *strings.Builder, n need) {
	fmt.Fprintf(b, capacityFleet, p.connectors, p.sessions, 100*p.busiest, 100*p.charging,
		p.sampleEvery, p.heartbeat)
	b.WriteString("\n## What it needs\n\n")
	writeRow(b, "", "busiest hour", "from")
	writeRow(b, "---", "---", "---")
	restore := func(days float64) string {
		return fmt.Sprintf("%.0f s", n.rowsDay*days/n.instances/n.restoreRate)
	}
	for _, row := range [][3]string{
		{"meter values", fmt.Sprintf("%.0f/s", n.samples), "connectors × charging ÷ interval"},
		{"heartbeats", fmt.Sprintf("%.0f/s", n.beats), "connectors ÷ interval"},
		{"sessions that begin", fmt.Sprintf("%.0f/s", n.begins),
			"sessions of a day × busiest hour"},
		{"busy cores of instances", fmt.Sprintf("%.1f", n.cores), "events × CPU"},
		{"instances", fmt.Sprintf("%.0f of %g cores", n.instances, p.instanceCores),
			fmt.Sprintf("cores at most %.0f %% busy, at least two instances", 100*p.use)},
		{"partitions", fmt.Sprintf("%.0f", n.partitions),
			"a power of two, at least two for each core"},
		{"memory of an instance", mib(n.memory), "line through both peaks, by connectors"},
		{"busy cores of brokers", fmt.Sprintf("%.1f", n.brokerCores),
			fmt.Sprintf("events × CPU × %g replicas, for too much", p.replicas)},
		{"bytes to the brokers", fmt.Sprintf("%s/s, with %g replicas %s/s", mib(n.in+n.out),
			p.replicas, mib((n.in+n.out)*p.replicas)), "events × bytes, inputs and outputs"},
		{"inputs of a day", fmt.Sprintf("%s, with %g replicas %s", gib(n.inDay), p.replicas,
			gib(n.inDay*p.replicas)),
			"samples of as many busiest hours as hold its sessions, and heartbeats"},
		{"outputs of a day, before compaction", fmt.Sprintf("%s, with %g replicas %s",
			gib(n.outDay), p.replicas, gib(n.outDay*p.replicas)), "likewise"},
		{"local state of a day's sessions", gib(n.stateDay),
			"bytes × sessions, over all instances"},
		{"local state of a year", gib(n.stateDay * 365), "likewise"},
		{"restore from nothing after a day", restore(1),
			"changelog records before compaction ÷ instances ÷ rows/s"},
		{"after 30 days", restore(30), "likewise"},
		{"after a year", restore(365), "likewise"},
	} {
		writeRow(b, row[:]...)
	}
}
