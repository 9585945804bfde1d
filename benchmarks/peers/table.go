//go:build linux

package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// table is raw results as Markdown: what each program gave under each load, and the latencies. Of
// several runs of the same it shows the median of each column.
func table(lines []Line) string {
	var b strings.Builder
	for _, line := range lines {
		if line.Machine != nil {
			fmt.Fprintf(&b, "%v\n\n", line.Machine)
		}
	}
	writeRuns(&b, lines)
	writeLatencies(&b, lines)
	return b.String()
}

// runKey is what runs have in common that are repetitions of each other.
type runKey struct {
	load       string
	partitions int32
	events     int64
	peer       string
}

// writeRuns writes the table of runs, in the order in which they were first measured.
func writeRuns(b *strings.Builder, lines []Line) {
	var keys []runKey
	runs := map[runKey][]*Run{}
	for _, line := range lines {
		if r := line.Run; r != nil {
			key := runKey{r.Load, r.Partitions, r.Totals.Events, r.Peer}
			if runs[key] == nil {
				keys = append(keys, key)
			}
			runs[key] = append(runs[key], r)
		}
	}
	if len(keys) == 0 {
		return
	}
	writeRow(b, "load", "partitions", "program", "events", "events/s", "events/s once running",
		"µs CPU/event", "µs broker CPU/event", "peak MiB", "bytes sent/event", "restore s", "runs",
		"others", "right")
	writeRow(b, slices.Repeat([]string{"---"}, 14)...)
	for _, key := range keys {
		writeRow(b, cells(key, runs[key])...)
	}
	b.WriteByte('\n')
}

// cells is the row of the repetitions of a run.
func cells(key runKey, runs []*Run) []string {
	mid := func(of func(*Run) float64) float64 { return median(runs, of) }
	perEvent := func(of func(*Run) time.Duration) string {
		return fmt.Sprintf("%.2f", mid(func(r *Run) float64 {
			return of(r).Seconds() * 1e6 / float64(r.Totals.Events)
		}))
	}
	right, restore := "yes", "-"
	for _, r := range runs {
		if len(r.Wrong) > 0 {
			right = "no"
		}
	}
	steady := "-" // all was in one commit
	if rate := mid(func(r *Run) float64 { return r.Steady }); rate > 0 {
		steady = fmt.Sprintf("%.0f", rate)
	}
	if runs[0].Restore != nil {
		restore = fmt.Sprintf("%.2f", mid(func(r *Run) float64 {
			return r.Restore.Ready.Seconds()
		}))
	}
	return []string{key.load, fmt.Sprint(key.partitions), key.peer,
		fmt.Sprint(key.events),
		fmt.Sprintf("%.0f", mid(func(r *Run) float64 {
			return float64(r.Totals.Events) / r.Took.Seconds()
		})),
		steady,
		perEvent(func(r *Run) time.Duration { return r.CPU }),
		perEvent(func(r *Run) time.Duration { return r.BrokerCPU }),
		fmt.Sprintf("%.0f", mid(func(r *Run) float64 { return float64(r.PeakRSS) / (1 << 20) })),
		fmt.Sprintf("%.0f", mid(func(r *Run) float64 {
			return float64(r.sent()) / float64(r.Totals.Events)
		})),
		restore, fmt.Sprint(len(runs)),
		fmt.Sprintf("%.0f %%", 100*mid(func(r *Run) float64 { return r.Others })), right}
}

// writeLatencies writes the table of latencies, the last run of each rate.
func writeLatencies(b *strings.Builder, lines []Line) {
	last := map[int]*Latency{}
	for _, line := range lines {
		if line.Latency != nil {
			last[line.Latency.Rate] = line.Latency
		}
	}
	if len(last) == 0 {
		return
	}
	rows := make([]*Latency, 0, len(last))
	for _, l := range last {
		rows = append(rows, l)
	}
	slices.SortFunc(rows, func(x, y *Latency) int { return cmp.Compare(x.Rate, y.Rate) })
	writeRow(b, "events/s due", "seconds", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "unseen",
		"sender behind ms", "µs CPU/event", "others")
	writeRow(b, slices.Repeat([]string{"---"}, 10)...)
	ms := func(us int64) string { return fmt.Sprintf("%.1f", float64(us)/1000) }
	for _, l := range rows {
		writeRow(b, fmt.Sprint(l.Rate), fmt.Sprintf("%.0f", l.Seconds), ms(l.P50), ms(l.P99),
			ms(l.P999), ms(l.Max), fmt.Sprint(l.Unseen), ms(l.BehindMax),
			fmt.Sprintf("%.1f", l.CPU), fmt.Sprintf("%.0f %%", 100*l.Others))
	}
}

// writeRow writes a row of a Markdown table.
func writeRow(b *strings.Builder, cells ...string) {
	fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
}

// median is the middle of what runs gave; of an even number the lower of the two.
func median(runs []*Run, of func(*Run) float64) float64 {
	values := make([]float64, len(runs))
	for i, r := range runs {
		values[i] = of(r)
	}
	slices.Sort(values)
	return values[(len(values)-1)/2]
}
