package billing_test

import (
	"testing"

	"pgregory.net/rapid"

	"chargestream"
	"chargestream/billing"
	"chargestream/internal/tabletest"
	"chargestream/tables"
)

// drawLongSession draws a session of one start and one end, shorter than SessionSpanMax, with
// samples before, in and behind it, of which the register may run backwards.
func drawLongSession(t *rapid.T) *charging {
	length := rapid.Int64Range(0, int64(chargestream.SessionSpanMax)-1).Draw(t, "length")
	if rapid.Bool().Draw(t, "short") {
		length %= int64(3 * hour)
	}
	start := tabletest.DrawTime(t, 200, "start")
	s := settled(0, chargestream.Millis(length))
	s.start.Time, s.startArrival = start, start
	s.end.Time, s.endArrival = start+chargestream.Millis(length), start
	s.start.Meter = tabletest.DrawEnergy(t, "start meter")
	s.end.Energy = tabletest.DrawEnergy(t, "energy")
	s.end.Meter = tabletest.DrawEnergy(t, "end meter")
	for range rapid.IntRange(0, 8).Draw(t, "samples") {
		sample := tabletest.DrawSample(t, 600)
		sample.ConnectorID, sample.SessionID = "1", "s"
		if rapid.Bool().Draw(t, "within") {
			at := rapid.Int64Range(0, length).Draw(t, "at")
			sample.Time = start + chargestream.Millis(at)
		}
		s.add(sample, sample.Time)
	}
	return s
}

// TestSharesAddUpToTheSession holds that what falls into the hours adds up to what was
// delivered, and that no share is negative.
func TestSharesAddUpToTheSession(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		row := drawLongSession(t).session(t, newShelf()).Row
		var want, sum chargestream.WattHours
		if energy := billing.State("s", "st", row).Energy; energy != nil {
			want = *energy
		}
		from, to := row.Starts[0].At, row.Ends[0].At
		seen := map[chargestream.Millis]bool{}
		billing.Shares(row, func(start chargestream.Millis, share chargestream.WattHours) {
			if seen[start] || share < 0 {
				t.Fatalf("hour %s: %d Wh of %s", start, share, tabletest.ShowSession(row))
			}
			if start+hour <= from && share != 0 || start > to {
				t.Fatalf("hour %s lies beside %s", start, tabletest.ShowSession(row))
			}
			seen[start] = true
			sum += share
		})
		if sum != want {
			t.Fatalf("%d Wh in %d hours, %d Wh in all, of %s", sum, len(seen), want,
				tabletest.ShowSession(row))
		}
	})
}

// TestSharesNeedBothClaims holds that a session without an end, or without a start, has no shares.
func TestSharesNeedBothClaims(t *testing.T) {
	for _, change := range []func(*charging){noEnd, func(s *charging) { s.start = nil }} {
		s := settled(7, hour)
		change(s)
		billing.Shares(s.session(t, newShelf()).Row,
			func(start chargestream.Millis, share chargestream.WattHours) {
				t.Errorf("%d Wh at %s", share, start)
			})
	}
}

// TestEnergyOfASession is which of what was reported counts, as views show it.
func TestEnergyOfASession(t *testing.T) {
	early, late := reading{20, 1100, -1}, reading{50, 5000, -1}
	for _, c := range []struct {
		name                 string
		start, energy, meter *chargestream.WattHours
		readings             []reading
		want                 *chargestream.WattHours
		estimated            bool
	}{
		{name: "nothing"},
		{name: "what the end says", start: wh(1000), energy: wh(7), meter: wh(9000),
			readings: []reading{early}, want: wh(7)},
		{name: "registers", start: wh(1000), meter: wh(9000),
			readings: []reading{early, late}, want: wh(8000)},
		{name: "no register at the end", start: wh(1000), readings: []reading{early, late},
			want: wh(4000), estimated: true},
		{name: "no register at the start", meter: wh(9000), readings: []reading{early, late},
			want: wh(7900), estimated: true},
		{name: "samples", readings: []reading{early, late}, want: wh(3900), estimated: true},
		{name: "one sample", readings: []reading{early}},
		{name: "one register", start: wh(1000)},
		{name: "below the start", start: wh(1000), meter: wh(900), want: wh(0)},
		{name: "negative", energy: wh(-1), want: wh(0)},
		{name: "none delivered", energy: wh(0), want: wh(0)},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := settled(0, hour)
			s.start.Meter, s.end.Energy, s.end.Meter = c.start, c.energy, c.meter
			s.sampled(c.readings...)
			got := billing.State("s", "st", s.session(t, newShelf()).Row)
			if (got.Energy == nil) != (c.want == nil) || got.Energy != nil &&
				*got.Energy != *c.want {
				t.Errorf("energy %v, want %v", got.Energy, c.want)
			}
			if got.Estimated != c.estimated {
				t.Errorf("estimated is %v", got.Estimated)
			}
		})
	}
}

// TestState is a session as views show it.
func TestState(t *testing.T) {
	s := settled(7000, hour)
	s.end.Reason = "Local"
	row := s.session(t, rated()).Row
	row.Marks = tables.Marks{BilledUpTo: begin + 70*minute, Documents: 1,
		Holds: holds(chargestream.HoldDuplicate), DuplicateOf: "o"}
	got := billing.State("s", "st", row)
	if got.SessionID != "s" || got.StationID != "st" || got.ConnectorID != "1" ||
		got.UserID != "u" || got.StartTime != begin || got.EndTime != begin+hour ||
		got.EndReason != "Local" || got.Phase != chargestream.PhaseSettled ||
		got.DuplicateOf != "o" || len(got.HoldReasons) != 1 || *got.Energy != 7000 {
		t.Errorf("%+v", got)
	}
}
