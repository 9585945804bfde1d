//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"chargestream/benchmarks/internal/harness"
	"chargestream/engine"
	"chargestream/topics"
)

const (
	// latencyDrain bounds the wait for events that no view has shown yet.
	latencyDrain = 30 * time.Second
	// latencyLook is how often it is looked whether any are left.
	latencyLook = 20 * time.Millisecond
	// latencyLimit bounds the start of the view and of the program.
	latencyLimit = 2 * time.Minute
	// Bounds and digits of the histogram, in microseconds.
	latencyMax    = int64(10 * time.Minute / time.Microsecond)
	latencyDigits = 3
)

// latency measures how long events take until a view shows them, at each rate in turn. The load is
// open: each event has its moment, whether or not earlier ones have been shown, and its latency
// counts from that moment, not from when it was sent. So a stall counts for every event that was
// due while it lasted.
func (s *stage) latency(ctx context.Context) (err error) {
	fmt.Fprintf(s.out, "\n%s: %s; %d stations, %d partitions\n", s.load.name, s.load.about,
		s.load.workload.Stations, s.partitions)
	address, err := freeAddress()
	if err != nil {
		return err
	}
	p := here()
	cmd := exec.Command(s.chargestream, "run", "--brokers", s.addr, "--state-dir",
		filepath.Join(s.dir, "latency"), "--metrics", address)
	c, err := s.start(p, cmd)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.End(syscall.SIGTERM)) }()
	ready, cancel := context.WithTimeout(ctx, latencyLimit)
	defer cancel()
	if err := p.ready(ready, c, address); err != nil {
		return fmt.Errorf("%w: %s", err, c.Tail())
	}
	events := newTracker(s.load.workload.Stations)
	stop, err := s.watch(ctx, events)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	sender, err := s.newSender(events)
	if err != nil {
		return err
	}
	defer sender.client.Close()
	if err := sender.plugIn(ready); err != nil {
		return err
	}
	for _, rate := range s.rates {
		if err := s.latencyAt(ctx, c, sender, rate); err != nil {
			return fmt.Errorf("%d events/s: %w (its log ends in %s)", rate, err, c.Tail())
		}
	}
	return nil
}

// watch runs a view of the stations table that reports to a tracker, until it is stopped.
func (s *stage) watch(ctx context.Context, events *tracker) (stop func() error, err error) {
	view, err := engine.NewView([]string{s.addr}, topics.Table(topics.TableStations),
		slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	view.OnChange(events.shown)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- view.Run(ctx) }()
	return func() error {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
		return events.err()
	}, nil
}

// latencyAt measures one rate.
func (s *stage) latencyAt(ctx context.Context, c *child, sender *sender, rate int) error {
	hist := hdrhistogram.New(1, latencyMax, latencyDigits)
	sender.events.count(nil)
	if err := sender.send(ctx, rate, s.warm); err != nil {
		return err
	}
	stored, err := sizes(ctx, s.addr)
	if err != nil {
		return err
	}
	meter, err := harness.StartMeter(s.broker, fixedWork())
	if err != nil {
		return err
	}
	before, err := c.LiveCPU()
	if err != nil {
		return err
	}
	began := time.Now()
	sender.events.count(hist)
	sender.behindMax = 0
	if err := sender.send(ctx, rate, s.hold); err != nil {
		return err
	}
	took := time.Since(began)
	after, err := c.LiveCPU()
	if err != nil {
		return err
	}
	reading, err := meter.Stop(after - before)
	if err != nil {
		return err
	}
	unseen, err := sender.drain(ctx)
	if err != nil {
		return err
	}
	sender.events.count(nil)
	more, err := sizes(ctx, s.addr)
	if err != nil {
		return err
	}
	l := newLatency(hist)
	l.measured(grown(stored, more), reading, after-before)
	l.Rate, l.Seconds, l.Partitions = rate, took.Seconds(), s.partitions
	l.Stations, l.Unseen = s.load.workload.Stations, unseen
	l.BehindMax = sender.behindMax.Microseconds()
	l.PeakRSS = c.PeakRSS()
	if err := s.keep(Line{Latency: l}); err != nil {
		return err
	}
	fmt.Fprintln(s.out, l)
	return nil
}

// newLatency is what a histogram shows.
func newLatency(h *hdrhistogram.Histogram) *Latency {
	return &Latency{Count: h.TotalCount(), P50: h.ValueAtQuantile(50), P90: h.ValueAtQuantile(90),
		P99: h.ValueAtQuantile(99), P999: h.ValueAtQuantile(99.9), Max: h.Max(), Mean: h.Mean()}
}

// measured adds what topics grew by, and the CPU time of broker and program.
func (l *Latency) measured(grown map[string]int64, reading harness.Reading, cpu time.Duration) {
	events := float64(max(l.Count, 1))
	for topic, bytes := range grown {
		if topic == topics.MeterValues {
			l.Input = float64(bytes) / events
		} else {
			l.Sent += float64(bytes) / events
		}
	}
	l.CPU = float64(cpu.Microseconds()) / events
	l.BrokerCPU = float64(reading.Broker.Microseconds()) / events
	l.Others, l.Loop = reading.Others, reading.Loop
}

// String is the latency in one line.
func (l *Latency) String() string {
	ms := func(us int64) float64 { return float64(us) / 1000 }
	return fmt.Sprintf("  %6d events/s: p50 %.1f ms, p99 %.1f ms, p99.9 %.1f ms, max %.1f ms; "+
		"%d events, %d unseen; sender behind by %.1f ms at most; others %.0f %%", l.Rate,
		ms(l.P50), ms(l.P99), ms(l.P999), ms(l.Max), l.Count, l.Unseen, ms(l.BehindMax),
		100*l.Others)
}
