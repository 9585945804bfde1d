package billing_test

import (
	"slices"
	"testing"

	"chargestream"
)

// issued are the moments of the invoices of a list.
func issued(list []chargestream.Invoice) []chargestream.Millis {
	var moments []chargestream.Millis
	for i := range list {
		moments = append(moments, list[i].IssuedAt)
	}
	return moments
}

// TestMoments is when the first bill of a session is made, by its two claims and their arrivals
// (docs/decisions/0010, When a fact is known). A time of none is a claim that never came.
func TestMoments(t *testing.T) {
	const none = chargestream.Millis(-1)
	for _, c := range []struct {
		name                         string
		start, startCame, end, ended chargestream.Millis // after begin
		want                         chargestream.Millis
	}{
		{"timely", 0, 0, 60 * minute, 60 * minute, 70 * minute},
		{"the end is under way for the grace", 0, 0, 60 * minute, 70 * minute, 70 * minute},
		{"a ms more: the next quarter hour", 0, 0, 60 * minute, 70*minute + 1, 75 * minute},
		{"on the quarter hour", 0, 0, 60 * minute, 75 * minute, 75 * minute},
		{"a ms later: the one after", 0, 0, 60 * minute, 75*minute + 1, 90 * minute},
		{"a day later", 0, 0, 60 * minute, 23*hour + 7*minute, 23*hour + quarter},
		{"the start is late", 0, 71 * minute, 60 * minute, 60 * minute, 70 * minute},
		{"both are late", 0, 91 * minute, 60 * minute, 91 * minute, 105 * minute},
		{"the end is ahead of its clock", 0, 0, 60 * minute, 58 * minute, 70 * minute},
		{"no end", 0, 0, none, none, 24 * hour},
		{"no end, and the start came a day later", 0, 24 * hour, none, none, 24*hour + 10*minute},
		{"no end, and the start was under way", 0, 5 * minute, none, none, 24 * hour},
		{"no start", none, none, 60 * minute, 60 * minute, 70 * minute},
		{"no start, and a late end", none, none, 60 * minute, 80 * minute, 90 * minute},
		{"no start, and a late end on the quarter hour", none, none, 60 * minute, 75 * minute,
			85 * minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := settled(7000, c.end)
			s.startArrival, s.endArrival = begin+c.startCame, begin+c.ended
			if c.start == none {
				s.start = nil
			}
			if c.end == none {
				s.end = nil
			}
			list := historyOf(t, s, rated())
			if len(list) == 0 || list[0].IssuedAt != begin+c.want {
				t.Fatalf("%v, want %s", issued(list), begin+c.want)
			}
			want := holds()
			switch {
			case c.start == none:
				want = holds(chargestream.HoldNoStart, chargestream.HoldUnknownUser)
			case c.end == none:
				want = holds(chargestream.HoldNotEnded)
			case c.startCame == 71*minute: // the end is missed before the start is known
				want = holds(chargestream.HoldNoStart, chargestream.HoldUnknownUser)
			}
			if !slices.Equal(list[0].HoldReasons, want) {
				t.Errorf("%q, want %q", list[0].HoldReasons, want)
			}
			before, err := s.session(t, rated()).History(begin + c.want - 1)
			if err != nil || len(before) != 0 {
				t.Errorf("a ms before: %s, %v", showBills(before), err)
			}
			if due := s.session(t, rated()).Row.NextDue(); due == 0 || due > begin+c.want {
				t.Errorf("the timer fires at %s", due)
			}
		})
	}
}

// TestCorrectionsComeOnTheQuarterHour holds that all that arrives late within a quarter hour is
// billed at its end, together.
func TestCorrectionsComeOnTheQuarterHour(t *testing.T) {
	s := unmeasured(50 * minute)
	for i, arrival := range []chargestream.Millis{60*minute + 1, 67 * minute, 75 * minute,
		75*minute + 1, 90 * minute} {
		s.add(&chargestream.MeterValue{StationID: "st", ConnectorID: "1", SessionID: "s",
			Time: begin + 5*minute*chargestream.Millis(i+1), Energy: wh(int64(1000 + 100*(i+1)))},
			begin+arrival)
	}
	list := historyOf(t, s, rated())
	want := []chargestream.Millis{begin + 60*minute, begin + 75*minute, begin + 90*minute}
	if !slices.Equal(issued(list), want) {
		t.Fatalf("%s", showBills(list))
	}
	var energy []chargestream.WattHours
	for _, v := range list {
		energy = append(energy, v.Energy)
	}
	if !slices.Equal(energy, []chargestream.WattHours{0, 300, 500}) {
		t.Errorf("energy %v", energy)
	}
}

// TestTimelySamplesAreThereAtOnce holds that what came within the grace is in the first bill.
func TestTimelySamplesAreThereAtOnce(t *testing.T) {
	s := unmeasured(50 * minute)
	s.add(&chargestream.MeterValue{StationID: "st", ConnectorID: "1", SessionID: "s",
		Time: begin + 44*minute, Energy: wh(5000)}, begin+54*minute)
	list := historyOf(t, s, rated())
	if len(list) != 1 || list[0].Energy != 4000 || list[0].IssuedAt != begin+60*minute {
		t.Errorf("%s", showBills(list))
	}
}

// TestFirstToArriveCountsOfThoseKnown holds that a claim that arrived first, but is known later,
// counts from then on.
func TestFirstToArriveCountsOfThoseKnown(t *testing.T) {
	s := settled(7000, hour)
	// Arrives before the end that is timely, of a moment so far ahead that it is known after it.
	s.addEnd(begin+65*minute, begin+59*minute, wh(8000))
	list := historyOf(t, s, rated())
	if len(list) != 2 || list[0].Energy != 7000 || list[0].Status != chargestream.StatusIssued ||
		list[1].Energy != 8000 || list[1].IssuedAt != begin+75*minute ||
		!slices.Contains(list[1].HoldReasons, chargestream.HoldConflict) {
		t.Errorf("%s", showBills(list))
	}
}
