//go:build linux

package main

import (
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"chargestream"
	"chargestream/tables"
)

// rowAt is a row of a station whose newest sample is of a moment.
func rowAt(at chargestream.Millis) []byte {
	s := &tables.Station{ID: stationID(0), LastSeen: at, Connectors: []tables.Connector{
		{ID: "1", Meter: chargestream.MeterValue{Time: at}}}}
	return s.Append(nil)
}

// TestTracker: a row shows its newest sample and all before it. What is not shown counts with the
// time that it has waited.
func TestTracker(t *testing.T) {
	const begin = loadBegin
	tr, hist := newTracker(2), hdrhistogram.New(1, latencyMax, latencyDigits)
	now, key := time.Now(), string(stationID(0))
	tr.sent(key, begin, now.Add(-time.Hour)) // before anything is counted
	tr.count(hist)
	tr.sent(key, begin+1, now.Add(-4*time.Second))
	tr.sent(key, begin+2, now.Add(-3*time.Second))
	tr.sent(key, begin+3, now.Add(-2*time.Second))
	tr.shown(key, nil, rowAt(begin+2))
	if hist.TotalCount() != 2 || tr.left() != 1 || hist.Max() < 4_000_000 ||
		hist.Max() > 60_000_000 {
		t.Errorf("%d latencies up to %d us, %d events are left", hist.TotalCount(), hist.Max(),
			tr.left())
	}
	tr.shown(key, nil, rowAt(begin+2)) // again: nothing new
	tr.shown(key, rowAt(begin+2), nil) // a row that is gone shows nothing
	if unseen := tr.giveUp(now); unseen != 1 || tr.left() != 0 || hist.TotalCount() != 3 ||
		hist.Min() < 1_990_000 || hist.Min() > 2_010_000 {
		t.Errorf("%d unseen, %d latencies, at least %d us", unseen, hist.TotalCount(), hist.Min())
	}
	if err := tr.err(); err != nil {
		t.Error(err)
	}
	tr.shown("another", nil, rowAt(begin))
	if tr.err() == nil {
		t.Error("a row of a station that sent nothing was taken")
	}
}
