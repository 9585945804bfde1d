package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"chargestream/processors"
)

// counters makes metrics of what becomes of records.
type counters struct {
	dead   *prometheus.CounterVec
	late   *prometheus.CounterVec
	fields *prometheus.CounterVec
	bounds *prometheus.CounterVec
	notice letterNotice
}

func newCounters(r prometheus.Registerer) *counters {
	c := &counters{
		dead: prometheus.NewCounterVec(
			prometheus.CounterOpts{Name: "stream_dead_letter_records_total",
				Help: "Records that were kept as dead letters."},
			[]string{"topic", "reason"},
		),
		late: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "stream_late_records_total",
			Help: "Records that arrived after the grace of what they report."}, []string{"topic"}),
		fields: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "stream_dropped_fields_total",
			Help: "Side fields that could not be read, of records whose other fields were."},
			[]string{"topic", "field"}),
		bounds: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "stream_bounds_hit_total",
			Help: "Bounds of rows that were hit."}, []string{"bound"}),
	}
	r.MustRegister(c.dead, c.late, c.fields, c.bounds)
	return c
}

// DeadLetter implements processors.Counter.
func (c *counters) DeadLetter(topic string, reason processors.Reason) {
	c.dead.WithLabelValues(topic, string(reason)).Inc()
	c.notice.add(topic, reason)
}

// Late implements processors.Counter.
func (c *counters) Late(topic string) { c.late.WithLabelValues(topic).Inc() }

// Dropped implements processors.Counter.
func (c *counters) Dropped(topic, field string) { c.fields.WithLabelValues(topic, field).Inc() }

// Bound implements processors.Counter.
func (c *counters) Bound(name string) { c.bounds.WithLabelValues(name).Inc() }

// viewCounter makes a metric of rows that a view cannot read.
type viewCounter struct{ corrupt *prometheus.CounterVec }

func newViewCounter(r prometheus.Registerer) viewCounter {
	c := viewCounter{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "stream_corrupt_rows_total", Help: "Rows that a view could not read."},
		[]string{"topic"})}
	r.MustRegister(c.corrupt)
	return c
}

// sharedSessionIDs is a metric of session ids that sessions of several stations have.
func sharedSessionIDs(count func() int64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "stream_shared_session_ids",
		Help: "Session ids that sessions of several stations have."},
		func() float64 { return float64(count()) })
}

// Corrupt implements views.Counter.
func (c viewCounter) Corrupt(topic string) { c.corrupt.WithLabelValues(topic).Inc() }
