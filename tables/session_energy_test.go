package tables_test

import (
	"testing"

	"pgregory.net/rapid"

	"chargestream"
	"chargestream/tables"
)

// drawLongSession draws a session of one start and one end, shorter than SessionSpanMax, with
// samples before, in and behind it, of which the register may run backwards.
func drawLongSession(t *rapid.T) *tables.Session {
	length := rapid.Int64Range(0, int64(chargestream.SessionSpanMax)-1).Draw(t, "length")
	if rapid.Bool().Draw(t, "short") {
		length %= int64(3 * chargestream.Hour)
	}
	start := drawTime(t, 200, "start")
	row := &tables.Session{}
	row.Merge(&tables.Session{StationID: "st",
		Starts: []tables.Start{{At: start, Arrival: start, ConnectorID: "1", UserID: "u",
			Meter: drawEnergy(t, "start meter")}},
		Ends: []tables.End{{At: start + chargestream.Millis(length), Arrival: start,
			Energy: drawEnergy(t, "energy"), Meter: drawEnergy(t, "end meter")}}})
	for range rapid.IntRange(0, 8).Draw(t, "samples") {
		sample := drawSample(t, 600)
		if rapid.Bool().Draw(t, "within") {
			at := rapid.Int64Range(0, length).Draw(t, "at")
			sample.Time = start + chargestream.Millis(at)
		}
		q := tables.QuarterOf(sample, sample.Time)
		row.Merge(&tables.Session{Quarters: []tables.Quarter{q}})
	}
	return row
}

// TestSharesAddUpToTheSession holds that what falls into the windows adds up to what was
// delivered, and that no share is negative.
func TestSharesAddUpToTheSession(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		row := drawLongSession(t)
		var want, sum chargestream.WattHours
		if energy := row.State("s").Energy; energy != nil {
			want = *energy
		}
		windows := map[tables.HourKey]bool{}
		for _, p := range row.Intervals("s") {
			in := p.Row.Stays[0].Interval
			if windows[p.Key] || in.Energy < 0 || in.From != row.Starts[0].At ||
				in.To != row.Ends[0].At {
				t.Fatalf("window %s: %+v of %+v", p.Key, in, row)
			}
			if p.Key.End() <= in.From && in.Energy != 0 || p.Key.Start > in.To {
				t.Fatalf("window %s lies beside %+v of %+v", p.Key, in, row)
			}
			windows[p.Key] = true
			sum += in.Energy
		}
		if sum != want {
			t.Fatalf("%d Wh in %d windows, %d Wh in all, of %+v", sum, len(windows), want, row)
		}
	})
}

// TestEnergyOfASession is which of what was told counts.
func TestEnergyOfASession(t *testing.T) {
	wh := func(n chargestream.WattHours) *chargestream.WattHours { return &n }
	sample := func(minute chargestream.Millis, register chargestream.WattHours) tables.Quarter {
		at := begin + minute*chargestream.Minute
		return tables.QuarterOf(&chargestream.MeterValue{Energy: &register, Time: at}, at)
	}
	early, late := sample(20, 1100), sample(50, 5000)
	for _, c := range []struct {
		name                 string
		start, energy, meter *chargestream.WattHours
		quarters             []tables.Quarter
		want                 *chargestream.WattHours
		estimated            bool
	}{
		{name: "nothing"},
		{name: "what the end says", start: wh(1000), energy: wh(7), meter: wh(9000),
			quarters: []tables.Quarter{early}, want: wh(7)},
		{name: "registers", start: wh(1000), meter: wh(9000),
			quarters: []tables.Quarter{early, late}, want: wh(8000)},
		{name: "no register at the end", start: wh(1000), quarters: []tables.Quarter{early, late},
			want: wh(4000), estimated: true},
		{name: "no register at the start", meter: wh(9000), quarters: []tables.Quarter{early, late},
			want: wh(7900), estimated: true},
		{name: "samples", quarters: []tables.Quarter{early, late}, want: wh(3900), estimated: true},
		{name: "one sample", quarters: []tables.Quarter{early}},
		{name: "one register", start: wh(1000)},
		{name: "below the start", start: wh(1000), meter: wh(900), want: wh(0)},
		{name: "negative", energy: wh(-1), want: wh(0)},
		{name: "none delivered", energy: wh(0), want: wh(0)},
	} {
		t.Run(c.name, func(t *testing.T) {
			row := &tables.Session{
				Starts: []tables.Start{{At: begin, Meter: c.start}},
				Ends: []tables.End{{At: begin + chargestream.Hour, Energy: c.energy,
					Meter: c.meter}},
				Quarters: c.quarters}
			got := row.State("s")
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

// TestLongSessionIsBounded holds that a session of years is not spread over years of windows.
func TestLongSessionIsBounded(t *testing.T) {
	row := &tables.Session{}
	row.Merge(&tables.Session{
		Starts: []tables.Start{{At: begin, Arrival: begin, ConnectorID: "1"}},
		Ends:   []tables.End{{At: begin + 1000*chargestream.Day, Arrival: begin}}})
	most := int(chargestream.SessionSpanMax/chargestream.Hour) + 1
	if n := len(row.Intervals("s")); n != most {
		t.Errorf("%d windows, want %d", n, most)
	}
}

// TestOtherConnectorIsToldOfNothing holds that a window of the connector that turned out to be
// the wrong one learns that the session was not there.
func TestOtherConnectorIsToldOfNothing(t *testing.T) {
	row := &tables.Session{}
	row.Merge(&tables.Session{
		Starts: []tables.Start{{At: begin, Arrival: begin + 2, ConnectorID: "1"}},
		Ends: []tables.End{{At: begin + chargestream.Minute, Arrival: begin,
			Energy: of[chargestream.WattHours](7)}}})
	row.Merge(&tables.Session{
		Starts: []tables.Start{{At: begin, Arrival: begin + 1, ConnectorID: "2"}}})
	got := map[chargestream.ConnectorID]tables.Interval{}
	for _, p := range row.Intervals("s") {
		got[p.Key.ConnectorID] = p.Row.Stays[0].Interval
	}
	if in := got["2"]; in.Energy != 7 || in.To != begin+chargestream.Minute {
		t.Errorf("connector 2: %+v", in)
	}
	if in := got["1"]; in.Energy != 0 || in.To != in.From || in.StartArrival != begin+1 {
		t.Errorf("connector 1: %+v", in)
	}
}
