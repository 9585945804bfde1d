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
	writeOutages(&b, lines)
	writeRestores(&b, lines)
	return b.String()
}

// runKey is what runs have in common that are repetitions of each other.
type runKey struct {
	load       string
	stations   int
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
			key := runKey{r.Load, r.Stations, r.Partitions, r.Totals.Events, r.Peer}
			if runs[key] == nil {
				keys = append(keys, key)
			}
			runs[key] = append(runs[key], r)
		}
	}
	if len(keys) == 0 {
		return
	}
	var rows [][]string
	for _, key := range keys {
		rows = append(rows, cells(key, runs[key]))
	}
	writeTable(b, rows, "load", "stations", "partitions", "program", "events", "events/s",
		"events/s once running", "µs CPU/event", "µs CPU/event once running",
		"µs broker CPU/event", "peak MiB", "disk MiB", "bytes sent/event", "restore s",
		"rows/s restored", "runs", "others", "right")
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
	right, restore, restored := "yes", "-", "-"
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
		if rate := mid(func(r *Run) float64 {
			return float64(r.Restore.Rows) / r.Restore.Ready.Seconds()
		}); rate > 0 {
			restored = fmt.Sprintf("%.0f", rate)
		}
	}
	return []string{key.load, fmt.Sprint(key.stations), fmt.Sprint(key.partitions), key.peer,
		fmt.Sprint(key.events),
		fmt.Sprintf("%.0f", mid(func(r *Run) float64 {
			return float64(r.Totals.Events) / r.Took.Seconds()
		})),
		steady,
		perEvent(func(r *Run) time.Duration { return r.CPU }),
		fmt.Sprintf("%.2f", mid((*Run).eventCPU)),
		perEvent(func(r *Run) time.Duration { return r.BrokerCPU }),
		fmt.Sprintf("%.0f", mid(func(r *Run) float64 { return float64(r.PeakRSS) / (1 << 20) })),
		fmt.Sprintf("%.0f", mid(func(r *Run) float64 { return float64(r.Disk) / (1 << 20) })),
		fmt.Sprintf("%.0f", mid(func(r *Run) float64 {
			return float64(r.sent()) / float64(r.Totals.Events)
		})),
		restore, restored, fmt.Sprint(len(runs)),
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
	ms := func(us int64) string { return fmt.Sprintf("%.1f", float64(us)/1000) }
	var texts [][]string
	for _, l := range rows {
		texts = append(texts, []string{fmt.Sprint(l.Rate), fmt.Sprintf("%.0f", l.Seconds),
			ms(l.P50), ms(l.P99), ms(l.P999), ms(l.Max), fmt.Sprint(l.Unseen), ms(l.BehindMax),
			fmt.Sprintf("%.1f", l.CPU), fmt.Sprintf("%.1f", l.BrokerCPU),
			fmt.Sprintf("%.0f", l.Sent), fmt.Sprintf("%.0f %%", 100*l.Others)})
	}
	writeTable(b, texts, "events/s due", "seconds", "p50 ms", "p99 ms", "p99.9 ms", "max ms",
		"unseen", "sender behind ms", "µs CPU/event", "µs broker CPU/event", "bytes sent/event",
		"others")
	b.WriteByte('\n')
}

// writeOutages writes the table of outages.
func writeOutages(b *strings.Builder, lines []Line) {
	var rows [][]string
	for _, line := range lines {
		o := line.Outage
		if o == nil {
			continue
		}
		rows = append(rows, []string{fmt.Sprint(o.Rate), fmt.Sprintf("%.0f", o.Span.Seconds()),
			fmt.Sprint(o.Stations), fmt.Sprint(o.Partitions), fmt.Sprint(o.Backlog),
			fmt.Sprintf("%.1f", o.Restored.Seconds()), fmt.Sprintf("%.1f", o.CaughtUp.Seconds()),
			fmt.Sprintf("%.0f", float64(o.Folded)/o.CaughtUp.Seconds()),
			fmt.Sprintf("%.2f", o.perEvent()), fmt.Sprint(o.PeakRSS >> 20),
			fmt.Sprintf("%.0f %%", 100*o.Others), yes(len(o.Wrong) == 0)})
	}
	if writeTable(b, rows, "events/s", "outage s", "stations", "partitions", "events waiting",
		"restored after s", "caught up after s", "events/s meanwhile", "µs CPU/event",
		"peak MiB", "others", "right") {
		b.WriteByte('\n')
	}
}

// writeRestores writes the table of restores of one table.
func writeRestores(b *strings.Builder, lines []Line) {
	var rows [][]string
	for _, line := range lines {
		r := line.Rows
		if r == nil {
			continue
		}
		rows = append(rows, []string{r.Name, r.Keys, fmt.Sprint(r.Rows),
			fmt.Sprintf("%.0f", r.rate()),
			fmt.Sprintf("%.2f", float64(r.ReadyCPU.Nanoseconds())/1000/float64(r.Rows)),
			fmt.Sprint(r.RSSMax >> 20), fmt.Sprintf("%.0f %%", 100*r.Others), yes(r.Right)})
	}
	writeTable(b, rows, "restore of one table", "keys", "rows", "rows/s", "µs CPU/row", "peak MiB",
		"others", "right")
}

func yes(right bool) string {
	if right {
		return "yes"
	}
	return "no"
}

// writeTable writes a Markdown table, if it has rows, and reports whether.
func writeTable(b *strings.Builder, rows [][]string, titles ...string) bool {
	if len(rows) == 0 {
		return false
	}
	writeRow(b, titles...)
	writeRow(b, slices.Repeat([]string{"---"}, len(titles))...)
	for _, row := range rows {
		writeRow(b, row...)
	}
	return true
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
