package processors_test

import (
	"fmt"
	"testing"

	"chargestream"
	"chargestream/engine"
	"chargestream/processors"
	"chargestream/topics"
)

// TestAllocationBudgets holds what the fold of an event allocates, from the bytes of the record to
// the changed rows, without the commit: an event of each kind at a station that is in use. A budget
// that is exceeded is a cost that every event of that kind pays; lower it with what is won. The
// race detector adds up to 20 allocations.
func TestAllocationBudgets(t *testing.T) {
	const runs = 100
	of := func(i int) chargestream.SessionID { return chargestream.SessionID(fmt.Sprint("s", i)) }
	after := func(n int, unit chargestream.Millis) chargestream.Millis {
		return begin + chargestream.Millis(n)*unit
	}
	hour := func(i int) chargestream.Millis { return after(i, chargestream.Hour) }
	start := func(i int) record {
		meter := chargestream.WattHours(1000 * i)
		return timely(topics.ChargingSessions, &chargestream.SessionStart{StationID: "st-0",
			ConnectorID: "1", SessionID: of(i), UserID: "u1", Time: hour(i), Meter: &meter})
	}
	end := func(i int) record {
		meter := chargestream.WattHours(1000*i + 500)
		return timely(topics.ChargingSessions, &chargestream.SessionEnd{StationID: "st-0",
			ConnectorID: "1", SessionID: of(i), Time: hour(i) + 40*chargestream.Minute,
			Meter: &meter})
	}
	sample := func(i int) record {
		meter, power := chargestream.WattHours(i), chargestream.Watts(7000)
		return timely(topics.MeterValues, &chargestream.MeterValue{StationID: "st-0",
			ConnectorID: "1", SessionID: of(0), Time: after(i+1, chargestream.Second),
			Energy: &meter, Power: &power})
	}
	status := func(i int) record {
		word := []string{"Charging", "SuspendedEV"}[i%2]
		return timely(topics.StationStatus, &chargestream.StatusReport{StationID: "st-0",
			ConnectorID: "1", Status: word, Time: after(i+1, chargestream.Minute)})
	}
	for name, test := range map[string]struct {
		before []record
		event  func(i int) record
		budget float64
	}{
		"meter value":                          {[]record{start(0)}, sample, 12},
		"status":                               {[]record{start(0)}, status, 14},
		"session start, in an hour of its own": {nil, start, 120},
		"session end, and the bill of the one before": {each(runs+1, start), end, 260},
	} {
		d, err := engine.NewDriver(partitions, processors.All(nil)...)
		if err != nil {
			t.Fatal(err)
		}
		feedReference(t, d)
		d.CommitEvery = 0
		for _, r := range test.before {
			if err := d.Feed(r.message(t)); err != nil {
				t.Fatal(err)
			}
		}
		var messages []engine.Message
		for _, r := range each(runs+1, test.event) {
			messages = append(messages, r.message(t))
		}
		next := 0
		got := testing.AllocsPerRun(runs, func() {
			if err := d.Feed(messages[next]); err != nil {
				t.Fatal(err)
			}
			next++
		})
		if got > test.budget {
			t.Errorf("%s: %v allocations, the budget is %v", name, got, test.budget)
		}
	}
}

// timely is a record that arrives a second after its event.
func timely(topic string, e chargestream.Event) record {
	return record{topic: topic, event: e, arrival: e.At() + chargestream.Second}
}

// each are the first n records.
func each(n int, of func(i int) record) []record {
	var list []record
	for i := range n {
		list = append(list, of(i))
	}
	return list
}
