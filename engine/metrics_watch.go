package engine

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"chargestream/engine/stall"
)

// watch makes the metrics of Watch.
func (m *Metrics) watch(f factory) {
	m.hangsEnded = f.counter("hanging_transactions_ended_total",
		"Hanging transactions that were ended on a partition by their coordinator's outcome.",
		"outcome")
	m.hangsOpen = f.gauge("hanging_transactions", "Partitions whose readers stand still behind a "+
		"transaction that no process ends, by whose it is: own, other or unknown.", "owner")
}

func (m *Metrics) hangEnded(outcome string) {
	if m != nil {
		m.hangsEnded.WithLabelValues(outcome).Inc()
	}
}

// hanging records on how many partitions transactions hang, by owner.
func (m *Metrics) hanging(by map[Owner]int) {
	if m == nil {
		return
	}
	for _, owner := range []Owner{OwnerOwn, OwnerOther, OwnerUnknown} {
		m.hangsOpen.WithLabelValues(string(owner)).Set(float64(by[owner]))
	}
}

// stalls makes metrics of a watch when they are asked for.
type stalls struct {
	w              *Watch
	count, seconds *prometheus.Desc
}

// Collector makes the metrics of what stands still, with the name of the program that watches.
func (w *Watch) Collector(program string) prometheus.Collector {
	labels, of := []string{"what", "group", "topic", "reason"},
		prometheus.Labels{"program": program}
	return &stalls{w: w,
		count: prometheus.NewDesc("stream_stalled_partitions", "Positions that have not moved "+
			"for 18 s although there is something to read, by the reason.", labels, of),
		seconds: prometheus.NewDesc("stream_stalled_seconds",
			"How long the longest of them has not moved.", labels, of)}
}

// Describe implements prometheus.Collector.
func (s *stalls) Describe(to chan<- *prometheus.Desc) { to <- s.count; to <- s.seconds }

// Collect implements prometheus.Collector. Where nothing stands still there is no sample.
func (s *stalls) Collect(to chan<- prometheus.Metric) {
	type key struct {
		what                 stall.What
		group, topic, reason string
	}
	now, count, longest := time.Now(), map[key]int{}, map[key]time.Duration{}
	for _, one := range s.w.Stalls() {
		k := key{one.What, one.Group, one.Topic, one.Reason.Class}
		count[k]++
		longest[k] = max(longest[k], now.Sub(one.Since))
	}
	for k, n := range count {
		labels := []string{string(k.what), k.group, k.topic, k.reason}
		to <- prometheus.MustNewConstMetric(s.count, prometheus.GaugeValue, float64(n), labels...)
		to <- prometheus.MustNewConstMetric(s.seconds, prometheus.GaugeValue,
			longest[k].Seconds(), labels...)
	}
}
