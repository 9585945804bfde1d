package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"chargestream/engine"
	"chargestream/engine/stall"
	"chargestream/processors"
)

// topologyBytes is how much of the hash of the topology is shown: enough for two to differ.
const topologyBytes = 4

// newRegistry holds what every process reports: which build it is, and how Go and the operating
// system see it.
func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	b := readBuild()
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "stream_build_info",
		Help: "1, with labels of what was built; topology is a hash of what \"topology\" prints.",
		ConstLabels: prometheus.Labels{"version": b.Version, "revision": b.Revision, "go": b.Go,
			"topology": topologyHash()}})
	info.Set(1)
	r.MustRegister(info, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// topologyHash changes with what is read, kept and written: instances of one group have the same,
// but while they are being replaced.
func topologyHash() string {
	sum := sha256.Sum256(fmt.Append(nil, engine.Describe(processors.All(nil)...)))
	return hex.EncodeToString(sum[:topologyBytes])
}

// viewMetrics asks views how far they are when the metrics are asked for, so that a view that
// receives nothing grows stale by itself.
type viewMetrics struct {
	views          map[string]*engine.View
	staleness, lag *prometheus.Desc
}

func newViewMetrics(views map[string]*engine.View) *viewMetrics {
	return &viewMetrics{views: views,
		staleness: prometheus.NewDesc("stream_view_staleness_seconds",
			"Age of what the view shows; 0 where it has caught up.", []string{"table"}, nil),
		lag: prometheus.NewDesc("stream_view_lag_records",
			"Offsets that the view has not read yet, control records included.",
			[]string{"table"}, nil)}
}

// Describe implements prometheus.Collector.
func (m *viewMetrics) Describe(to chan<- *prometheus.Desc) {
	to <- m.staleness
	to <- m.lag
}

// Collect implements prometheus.Collector. A view whose staleness is not known yet has none.
func (m *viewMetrics) Collect(to chan<- prometheus.Metric) {
	now := time.Now()
	for table, v := range m.views {
		if stale, known := v.Staleness(now); known {
			to <- prometheus.MustNewConstMetric(m.staleness, prometheus.GaugeValue,
				stale.Seconds(), table)
		}
		to <- prometheus.MustNewConstMetric(m.lag, prometheus.GaugeValue, float64(v.Behind()),
			table)
	}
}

// headerTimeout bounds how long the header of a request for metrics may take.
const headerTimeout = 5 * time.Second

// readiness is the states of processors, and answers /readyz.
type readiness struct {
	mu     sync.Mutex
	states map[string]engine.State // by group
	// stalls is what stands still; nil for nothing. It is set before the first request.
	stalls func() []stall.Stall
}

// newReadiness is that of processors that have not begun.
func newReadiness(procs []*engine.Processor) *readiness {
	r := &readiness{states: map[string]engine.State{}}
	for _, p := range procs {
		r.states[p.Group] = engine.State{Group: p.Group}
	}
	return r
}

// note is engine.Config.OnState.
func (r *readiness) note(s engine.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.states[s.Group] = s
}

// wait returns when every processor reads all that it was given.
func (r *readiness) wait(ctx context.Context) error {
	for {
		if len(r.unready()) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(quietEvery):
		}
	}
}

// unready is the processors that do not read all that they were given, by name.
func (r *readiness) unready() []engine.State {
	r.mu.Lock()
	defer r.mu.Unlock()
	var states []engine.State
	for _, group := range slices.Sorted(maps.Keys(r.states)) {
		if s := r.states[group]; !s.Ready() {
			states = append(states, s)
		}
	}
	return states
}

// groupState is a group in the answer.
type groupState struct {
	Group  string `json:"group"`
	Ready  bool   `json:"ready"`
	Member bool   `json:"member"` // the group has given this instance its partitions, or none
	Owned  int    `json:"owned"`  // partitions that it was given
	Active int    `json:"active"` // partitions whose table is restored and that are read
}

// stalled is a position that stands still in the answer.
type stalled struct {
	What      stall.What `json:"what"`
	Group     string     `json:"group,omitempty"`
	Topic     string     `json:"topic,omitempty"`
	Partition int32      `json:"partition"`
	Since     string     `json:"since"`
	Behind    int64      `json:"behind"`
	Class     string     `json:"class"`
	Reason    string     `json:"reason"`
}

// stalledMax bounds what one answer lists: one cause may stop every partition of every topic.
const stalledMax = 100

func stalledOf(stalls []stall.Stall) []stalled {
	list := make([]stalled, 0, min(len(stalls), stalledMax))
	for _, s := range stalls[:min(len(stalls), stalledMax)] {
		list = append(list, stalled{s.What, s.Group, s.Topic, s.Partition,
			s.Since.UTC().Format(time.RFC3339), s.Behind, s.Reason.Class, s.Reason.Detail})
	}
	return list
}

// stalledTexts are stalls as sentences.
func stalledTexts(stalls []stall.Stall, now time.Time) []string {
	var texts []string
	for _, s := range stalls[:min(len(stalls), stalledMax)] {
		texts = append(texts, fmt.Sprintf("%s has not moved for %s: %s (%s)", s.Subject,
			now.Sub(s.Since).Round(time.Second), s.Reason.Detail, s.Reason.Class))
	}
	return texts
}

// ServeHTTP implements http.Handler: 503 until every processor reads all that it was given. What
// stands still is listed and does not change the status: another instance would fare no better.
func (r *readiness) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	var answer struct {
		Ready   bool         `json:"ready"`
		Groups  []groupState `json:"groups"`
		Stalled []stalled    `json:"stalled,omitempty"`
	}
	answer.Ready = true
	r.mu.Lock()
	for _, group := range slices.Sorted(maps.Keys(r.states)) {
		s := r.states[group]
		answer.Ready = answer.Ready && s.Ready()
		answer.Groups = append(answer.Groups, groupState{s.Group, s.Ready(), s.Member, s.Owned,
			s.Active})
	}
	r.mu.Unlock()
	if r.stalls != nil {
		answer.Stalled = stalledOf(r.stalls())
	}
	w.Header().Set("Content-Type", "application/json")
	if !answer.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	// An error means that the client is gone.
	json.NewEncoder(w).Encode(answer)
}

// serveMetrics listens on an address, and returns what stops it. Without an address it does not.
func serveMetrics(address string, forced bool, registry *prometheus.Registry, ready *readiness,
	log *slog.Logger) (func() error, error) {
	if address == "" {
		return func() error { return nil }, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, &exitError{code: exitRuntime, what: "cannot listen on " + address, err: err,
			hint: "choose another address with --metrics"}
	}
	log.Info("metrics are served", "address", listener.Addr().String())
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.Handle("GET /readyz", ready)
	if handler := profiles(listener, forced); handler != nil {
		mux.Handle("GET /debug/pprof/", handler)
	}
	mux.HandleFunc("GET /healthz",
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics", "error", err)
		}
	})
	return func() error {
		err := server.Close()
		serving.Wait()
		return err
	}, nil
}
