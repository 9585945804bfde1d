package engine

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are what an instance tells of itself. A nil Metrics is told nothing. No label is made
// of a key: there would be as many as rows.
type Metrics struct {
	consumed   *prometheus.CounterVec
	sent       *prometheus.CounterVec
	folded     *prometheus.CounterVec
	foldTime   *prometheus.HistogramVec
	commits    *prometheus.CounterVec
	commitTime *prometheus.HistogramVec
	rebalances *prometheus.CounterVec
	misplaced  *prometheus.CounterVec
	fired      *prometheus.CounterVec
	streamTime *prometheus.GaugeVec
	restarts   *prometheus.CounterVec
	rebuilds   *prometheus.CounterVec
	unaligned  *prometheus.CounterVec
}

// NewMetrics registers the metrics of an instance.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(
			prometheus.CounterOpts{Name: "stream_" + name, Help: help},
			labels,
		)
		r.MustRegister(c)
		return c
	}
	histogram := func(name, help string, buckets []float64,
		labels ...string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "stream_" + name, Help: help,
			Buckets: buckets}, labels)
		r.MustRegister(h)
		return h
	}
	m := &Metrics{
		consumed: counter("records_consumed_total", "Records read.", "topic"),
		sent:     counter("records_produced_total", "Records sent, changelog excepted.", "topic"),
		folded:   counter("records_processed_total", "Records folded.", "processor"),
		foldTime: histogram("processing_duration_seconds", "Time that a fold takes.",
			prometheus.ExponentialBuckets(1e-6, 4, 10), "processor"),
		commits: counter("commits_total", "Units of work.", "group", "outcome"),
		commitTime: histogram("commit_duration_seconds", "Time that a commit takes.",
			prometheus.ExponentialBuckets(0.001, 2, 12), "group"),
		rebalances: counter("rebalances_total", "Sessions of the group that ended.", "group"),
		misplaced: counter("misplaced_keys_total",
			"Records that lay in another partition than their key's and were led home.", "topic"),
		fired: counter("timers_fired_total", "Rows that were fired.", "processor"),
		unaligned: counter("unaligned_reads_total",
			"Topics that were behind and not waited for any longer.", "topic"),
		rebuilds: counter("table_rebuilds_total", "Corrupt local copies that were thrown away.",
			"table"),
		restarts: counter("processor_restarts_total", "Restarts within the process.", "group"),
	}
	m.streamTime = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "stream_time_seconds",
		Help: "The largest arrival time seen."}, []string{"processor", "partition"})
	r.MustRegister(m.streamTime)
	return m
}

func (m *Metrics) produced(topic string) {
	if m != nil {
		m.sent.WithLabelValues(topic).Inc()
	}
}

func (m *Metrics) processed(group, topic string, took time.Duration) {
	if m != nil {
		m.consumed.WithLabelValues(topic).Inc()
		m.folded.WithLabelValues(group).Inc()
		m.foldTime.WithLabelValues(group).Observe(took.Seconds())
	}
}

func (m *Metrics) committed(group string, took time.Duration, err error) {
	if m == nil {
		return
	}
	outcome := "committed"
	if err != nil {
		outcome = "aborted"
	}
	m.commits.WithLabelValues(group, outcome).Inc()
	m.commitTime.WithLabelValues(group).Observe(took.Seconds())
}

func (m *Metrics) rebalanced(group string) {
	if m != nil {
		m.rebalances.WithLabelValues(group).Inc()
	}
}

func (m *Metrics) restarted(group string) {
	if m != nil {
		m.restarts.WithLabelValues(group).Inc()
	}
}

func (m *Metrics) gaveUp(topic string) {
	if m != nil {
		m.unaligned.WithLabelValues(topic).Inc()
	}
}

func (m *Metrics) rebuilt(topic string) {
	if m != nil {
		m.rebuilds.WithLabelValues(topic).Inc()
	}
}

func (m *Metrics) task(group string, partition int32) taskMetrics {
	if m == nil {
		return taskMetrics{}
	}
	fired := m.fired.WithLabelValues(group)
	now := m.streamTime.WithLabelValues(group, strconv.Itoa(int(partition)))
	return taskMetrics{
		misplaced: func(topic string) { m.misplaced.WithLabelValues(topic).Inc() },
		fired:     fired.Inc,
		time:      func(ms int64) { now.Set(float64(ms) / 1000) },
	}
}
