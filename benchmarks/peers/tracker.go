//go:build linux

package main

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"chargestream"
	"chargestream/tables"
)

// tracker measures how long events take until a view shows them. It keeps the events that no view
// has shown yet, by station. A row has the newest sample of its connector only, so it shows that
// sample and every earlier one: a commit may merge several.
type tracker struct {
	mu        sync.Mutex
	pending   map[string][]pendingEvent // by station, the earliest first
	remaining int64                     // events in pending
	latencies *hdrhistogram.Histogram   // nil: events are not counted
	failed    error                     // the first error
}

// pendingEvent is an event that no view has shown yet.
type pendingEvent struct {
	at      chargestream.Millis // its event time, by which it is found in the row
	due     time.Time           // when it was due to arrive
	counted bool                // it was sent while events were counted
}

func newTracker(stations int) *tracker {
	t := &tracker{pending: make(map[string][]pendingEvent, stations)}
	for i := range stations {
		t.pending[string(stationID(i))] = nil
	}
	return t
}

// count adds the latencies of the events that are sent from now on to a histogram; nil: to none.
func (t *tracker) count(latencies *hdrhistogram.Histogram) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.latencies = latencies
}

// sent adds an event that is sent.
func (t *tracker) sent(station string, at chargestream.Millis, due time.Time) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending[station] = append(t.pending[station], pendingEvent{at, due, t.latencies != nil})
	t.remaining++
}

// shown is called by the view for each change of a row.
func (t *tracker) shown(key string, _, row []byte) {
	now := time.Now()
	if row == nil {
		return
	}
	station, err := tables.DecodeStation(chargestream.StationID(key), row)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.fail(fmt.Errorf("row of %q: %w", key, err))
		return
	}
	if _, ok := t.pending[key]; !ok {
		t.fail(fmt.Errorf("row of %q: %w", key, errors.New("no such station")))
		return
	}
	for i := range station.Connectors {
		t.complete(key, station.Connectors[i].Meter.Time, now)
	}
}

// complete removes the events of a station up to a moment. The lock is held.
func (t *tracker) complete(station string, newest chargestream.Millis, now time.Time) {
	events, n := t.pending[station], 0
	for ; n < len(events) && events[n].at <= newest; n++ {
		t.record(events[n], now)
	}
	t.pending[station] = append(events[:0], events[n:]...)
}

// record counts an event that a view shows at a moment. The lock is held.
func (t *tracker) record(e pendingEvent, now time.Time) {
	t.remaining--
	if !e.counted || t.latencies == nil {
		return
	}
	took := min(max(now.Sub(e.due).Microseconds(), 1), latencyMax)
	if err := t.latencies.RecordValue(took); err != nil {
		t.fail(fmt.Errorf("count a latency of %d us: %w", took, err))
	}
}

// giveUp removes the events that are left. Each counts with the time that it has waited so far. It
// returns how many of the counted events there were.
func (t *tracker) giveUp(now time.Time) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	unseen := int64(0)
	for station, events := range t.pending {
		for _, e := range events {
			if e.counted {
				unseen++
			}
			t.record(e, now)
		}
		t.pending[station] = nil
	}
	return unseen
}

// left is how many events no view has shown yet.
func (t *tracker) left() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.remaining
}

// fail keeps the first error. The lock is held.
func (t *tracker) fail(err error) {
	if t.failed == nil {
		t.failed = err
	}
}

func (t *tracker) err() error {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}
