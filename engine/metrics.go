package engine

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"chargestream/engine/task"
)

// Metrics are the metrics of instances. A nil Metrics counts nothing. No label is made of a key:
// there would be as many as rows.
type Metrics struct {
	consumed, sent, folded, commits, repartitioned, fired, unaligned, rebuilds, restarts,
	brokerErrors, restoredRows, fences, mismatches, pauses, slowdowns *prometheus.CounterVec
	foldTime, commitTime, rebalanceTime, restoreTime, latency   *prometheus.HistogramVec
	streamTime, lagRecords, lagSeconds, restoreLeft, partitions *prometheus.GaugeVec
	hangsEnded                                                  *prometheus.CounterVec
	hangsOpen                                                   *prometheus.GaugeVec
}

// NewMetrics registers the metrics of instances.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{}
	m.countWork(factory{r})
	m.countTrouble(factory{r})
	m.measure(factory{r})
	m.watch(factory{r})
	return m
}

// factory makes and registers metrics.
type factory struct{ r prometheus.Registerer }

func (f factory) counter(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(
		prometheus.CounterOpts{Name: "stream_" + name, Help: help},
		labels,
	)
	f.r.MustRegister(c)
	return c
}

func (f factory) gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "stream_" + name, Help: help}, labels)
	f.r.MustRegister(g)
	return g
}

func (f factory) histogram(name, help string, buckets []float64,
	labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "stream_" + name, Help: help,
		Buckets: buckets}, labels)
	f.r.MustRegister(h)
	return h
}

func (m *Metrics) countWork(f factory) {
	m.consumed = f.counter("records_consumed_total", "Records read.", "topic")
	m.sent = f.counter("records_produced_total", "Records sent, changelog excepted.", "topic")
	m.folded = f.counter("records_processed_total", "Records folded.", "processor")
	m.commits = f.counter("commits_total", "Commits.", "group", "outcome")
	m.fired = f.counter("timers_fired_total", "Rows whose timer fired.", "processor")
	m.restoredRows = f.counter("table_restored_records_total",
		"Changelog offsets that were read to restore a table.", "table")
	m.repartitioned = f.counter("misplaced_keys_total",
		"Records that lay in another partition than their key's and were repartitioned.", "topic")
}

func (m *Metrics) countTrouble(f factory) {
	m.unaligned = f.counter("unaligned_reads_total",
		"Topics that were behind when a partition stopped waiting for them.", "topic")
	m.rebuilds = f.counter("table_rebuilds_total",
		"Local copies that were corrupt or could not be continued, and were rebuilt.", "table")
	m.restarts = f.counter("processor_restarts_total", "Restarts within the process.", "group",
		"reason")
	m.brokerErrors = f.counter("broker_refusals_total",
		"Requests that failed with a broker error and were repeated.", "group", "reason")
	m.fences = f.counter("transactions_fenced_total",
		"Open transactions of former owners that were ended at a takeover.", "group")
	m.mismatches = f.counter("offset_mismatches_total",
		"Input offsets of the group that were not those of the table.", "group")
	m.pauses = f.counter("fetch_pauses_total",
		"Times that a topic was not fetched because it was too far ahead of others.", "topic")
	m.slowdowns = f.counter("unit_full_total",
		"Times that a partition waited because the commit interval was full.", "group")
}

func (m *Metrics) measure(f factory) {
	seconds := prometheus.ExponentialBuckets(0.001, 2, 16) // 1 ms to 33 s
	m.foldTime = f.histogram("processing_duration_seconds",
		"Time that the fold of a record takes, as the mean of a batch.",
		prometheus.ExponentialBuckets(1e-6, 4, 10), "processor")
	m.commitTime = f.histogram("commit_duration_seconds", "Time that a commit takes.", seconds,
		"group")
	m.rebalanceTime = f.histogram("rebalance_duration_seconds",
		"Time that partitions which stay were not folded for a rebalance.", seconds, "group")
	m.restoreTime = f.histogram("table_restore_duration_seconds",
		"Time from a partition's assignment until its table is restored.",
		prometheus.ExponentialBuckets(0.01, 4, 8), "table")
	m.latency = f.histogram(
		"record_e2e_latency_seconds",
		"Age of a record, by its timestamp (KIP-613): the last of a batch when it is read "+
			"(source), the oldest of a commit when that is done (sink).",
		[]float64{.005, .01, .025, .05, .1, .15, .25, .5, 1, 2, 5, 15, 60, 600, 3600, 86400},
		"processor",
		"stage",
	)
	m.streamTime = f.gauge("time_seconds", "The largest arrival time seen.", "processor",
		"partition")
	m.lagRecords = f.gauge("consumer_lag_records",
		"Offsets that are not folded yet, control records included.", "group", "topic", "partition")
	m.lagSeconds = f.gauge(
		"consumer_lag_seconds",
		"Age of the next record to be folded; 0 where there is none.",
		"group",
		"topic",
		"partition",
	)
	m.restoreLeft = f.gauge("table_restore_remaining_records",
		"Changelog offsets that are still to be read.", "table", "partition")
	m.partitions = f.gauge("partitions", "Partitions by what is done with them.", "group", "state")
}

func (m *Metrics) produced(topic string) {
	if m != nil {
		m.sent.WithLabelValues(topic).Inc()
	}
}

// partition are the counters of one partition, looked up once.
func (m *Metrics) partition(p *Processor) (consumed func(string), folded func(int, time.Duration),
	latency func(time.Duration)) {
	if m == nil {
		return func(string) {}, func(int, time.Duration) {}, func(time.Duration) {}
	}
	byTopic := map[string]prometheus.Counter{}
	for _, topic := range p.Topics() {
		byTopic[topic] = m.consumed.WithLabelValues(topic)
	}
	count, spent := m.folded.WithLabelValues(p.Group), m.foldTime.WithLabelValues(p.Group)
	age := m.latency.WithLabelValues(p.Group, "source")
	return func(topic string) { byTopic[topic].Inc() },
		func(records int, took time.Duration) {
			count.Add(float64(records))
			spent.Observe(took.Seconds() / float64(records))
		},
		func(old time.Duration) { age.Observe(old.Seconds()) }
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

func (m *Metrics) sinkLatency(group string, ms int64) {
	if m != nil {
		m.latency.WithLabelValues(group, "sink").Observe(float64(ms) / 1000)
	}
}

func (m *Metrics) rebalanced(group string, took time.Duration) {
	if m != nil {
		m.rebalanceTime.WithLabelValues(group).Observe(took.Seconds())
	}
}

func (m *Metrics) restarted(group, reason string) {
	if m != nil {
		m.restarts.WithLabelValues(group, reason).Inc()
	}
}

func (m *Metrics) brokerError(group, reason string) {
	if m != nil {
		m.brokerErrors.WithLabelValues(group, reason).Inc()
	}
}

func (m *Metrics) gaveUp(topic string) {
	if m != nil {
		m.unaligned.WithLabelValues(topic).Inc()
	}
}

func (m *Metrics) paused(topic string) {
	if m != nil {
		m.pauses.WithLabelValues(topic).Inc()
	}
}

func (m *Metrics) slowed(group string) {
	if m != nil {
		m.slowdowns.WithLabelValues(group).Inc()
	}
}

func (m *Metrics) fenced(group string) {
	if m != nil {
		m.fences.WithLabelValues(group).Inc()
	}
}

func (m *Metrics) offsetMismatch(group string) {
	if m != nil {
		m.mismatches.WithLabelValues(group).Inc()
	}
}

func (m *Metrics) rebuilt(topic string) {
	if m != nil {
		m.rebuilds.WithLabelValues(topic).Inc()
	}
}

// restoring records how much of a restore is done and left.
func (m *Metrics) restoring(table string, rows int64, copies []*localCopy) {
	if m == nil {
		return
	}
	m.restoredRows.WithLabelValues(table).Add(float64(rows))
	for _, c := range copies {
		m.restoreLeft.WithLabelValues(table, strconv.Itoa(int(c.partition))).
			Set(float64(c.left()))
	}
}

func (m *Metrics) restored(table string, took time.Duration) {
	if m != nil {
		m.restoreTime.WithLabelValues(table).Observe(took.Seconds())
	}
}

// state records how many partitions are active, restoring or on standby.
func (m *Metrics) state(group, state string, partitions int) {
	if m != nil {
		m.partitions.WithLabelValues(group, state).Set(float64(partitions))
	}
}

func (m *Metrics) lag(group, topic, partition string, records int64, seconds float64) {
	m.lagRecords.WithLabelValues(group, topic, partition).Set(float64(records))
	m.lagSeconds.WithLabelValues(group, topic, partition).Set(seconds)
}

// forget deletes the metrics of a partition that this instance does not own any more.
func (m *Metrics) forget(p *Processor, id int32) {
	if m == nil {
		return
	}
	partition := strconv.Itoa(int(id))
	for _, topic := range p.Topics() {
		m.lagRecords.DeleteLabelValues(p.Group, topic, partition)
		m.lagSeconds.DeleteLabelValues(p.Group, topic, partition)
	}
	m.streamTime.DeleteLabelValues(p.Group, partition)
	m.restoreLeft.DeleteLabelValues(p.Table(), partition)
}

func (m *Metrics) task(group string, partition int32) task.Metrics {
	if m == nil {
		return task.Metrics{}
	}
	fired := m.fired.WithLabelValues(group)
	now := m.streamTime.WithLabelValues(group, strconv.Itoa(int(partition)))
	return task.Metrics{
		Repartitioned: func(topic string) { m.repartitioned.WithLabelValues(topic).Inc() },
		Fired:         fired.Inc,
		StreamTime:    func(ms int64) { now.Set(float64(ms) / 1000) },
	}
}
