package sim_test

import (
	"os"
	"strconv"
	"testing"

	"chargestream"
	"chargestream/internal/sim"
)

// seed is that of every test; CHARGESTREAM_TEST_SEED sets another.
func seed(t testing.TB) uint64 {
	t.Helper()
	n := uint64(7)
	if text := os.Getenv("CHARGESTREAM_TEST_SEED"); text != "" {
		var err error
		if n, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("CHARGESTREAM_TEST_SEED: %v", err)
		}
	}
	t.Logf("seed %d", n)
	return n
}

// outlet names one connector of the world.
type outlet struct {
	station   chargestream.StationID
	connector chargestream.ConnectorID
}

// course is everything that was said of one session, in order of arrival.
type course struct {
	start   *chargestream.SessionStart
	end     *chargestream.SessionEnd
	samples []*chargestream.MeterValue
	arrived []chargestream.Millis // of start and end
}

// follow sorts records by session. With repeats it takes the first of what comes twice.
func follow(records []sim.Record) map[chargestream.SessionID]*course {
	courses := map[chargestream.SessionID]*course{}
	of := func(id chargestream.SessionID) *course {
		if courses[id] == nil {
			courses[id] = &course{}
		}
		return courses[id]
	}
	for _, r := range records {
		switch e := r.Event.(type) {
		case *chargestream.SessionStart:
			c := of(e.SessionID)
			c.start, c.arrived = e, append(c.arrived, r.Arrival)
		case *chargestream.SessionEnd:
			c := of(e.SessionID)
			c.end, c.arrived = e, append(c.arrived, r.Arrival)
		case *chargestream.MeterValue:
			c := of(e.SessionID)
			c.samples = append(c.samples, e)
		}
	}
	return courses
}

// until gives the records of the world up to a span after its start.
func until(w *sim.World, span chargestream.Millis) []sim.Record {
	end := w.Now() + span
	var records []sim.Record
	for {
		r := w.Next()
		if r.Arrival > end {
			return records
		}
		records = append(records, r)
	}
}
