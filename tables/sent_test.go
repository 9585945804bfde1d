package tables_test

import (
	"testing"

	"pgregory.net/rapid"

	"chargestream"
	"chargestream/tables"
)

// TestWhatWasSentStands holds that a world that is read in the order of arrival never changes a
// document that was sent: the list of a session's documents only grows.
func TestWhatWasSentStands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPump(drawBook(t))
		p.billed = func(id chargestream.SessionID, before, now *tables.Session) {
			old := must(before.History(id, p.book, before.Told))
			if list := must(now.History(id, p.book, now.Told)); !isPrefix(old, list) {
				t.Fatalf("%s at %s:\n%s\n%s\n%s\n%s", id, clock(p.now), showBills(old),
					showSession(before), showBills(list), showSession(now))
			}
		}
		for _, a := range drawWorld(t) {
			p.arrive(a.event, a.arrival)
		}
		p.fire(theEnd)
	})
}

// TestSampleAtTheEnd holds that the sample that is taken with the end counts.
func TestSampleAtTheEnd(t *testing.T) {
	for _, length := range []chargestream.Millis{chargestream.Hour, chargestream.Hour - 1} {
		row := settled(0, length)
		row.Ends[0].Energy, row.Starts[0].Meter = nil, wh(1000)
		m := &chargestream.MeterValue{Time: begin + length, Energy: wh(6000)}
		row.Merge(&tables.Session{Quarters: []tables.Quarter{tables.QuarterOf(m, m.Time)}})
		if v := bill(t, row, rated()); v.Energy != 5000 {
			t.Errorf("%d Wh", v.Energy)
		}
	}
}
