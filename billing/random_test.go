package billing_test

import (
	"cmp"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"chargestream"
	"chargestream/billing"
	"chargestream/internal/tabletest"
)

const (
	begin = tabletest.Begin
	// noon is 2026-03-02T12:00:00Z.
	noon = begin + 12*chargestream.Hour
	// yesterday is before all that happens in tests.
	yesterday = begin - chargestream.Day
	// theEnd is when nothing of a test is due any more.
	theEnd  = begin + 30*chargestream.Day
	minute  = chargestream.Minute
	quarter = chargestream.Quarter
	hour    = chargestream.Hour
	day     = chargestream.Day
)

func of[T any](v T) *T { return tabletest.Of(v) }

func wh(n int64) *chargestream.WattHours { return of(chargestream.WattHours(n)) }

func clock(at chargestream.Millis) string { return tabletest.Clock(at) }

func arrived(e chargestream.Event, arrival chargestream.Millis) tabletest.Arrived {
	return tabletest.Arrived{Event: e, Arrival: arrival}
}

// must is a value that a test cannot do without.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// failer is a test, or a case of a property.
type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

var (
	_ failer = (testing.TB)(nil)
	_ failer = (*rapid.T)(nil)
)

func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// charging is the session s, on connector 1 of the station st from begin on, as the events that
// make its rows. Tests change them, and add others.
type charging struct {
	start        *chargestream.SessionStart // nil: none came
	end          *chargestream.SessionEnd   // nil: none came
	startArrival chargestream.Millis
	endArrival   chargestream.Millis
	others       []tabletest.Arrived
}

// settled is a session of an energy and a length of which nothing is in doubt.
func settled(energy chargestream.WattHours, length chargestream.Millis) *charging {
	end := begin + length
	return &charging{startArrival: begin, endArrival: end,
		start: &chargestream.SessionStart{StationID: "st", SessionID: "s", ConnectorID: "1",
			UserID: "u", Time: begin},
		end: &chargestream.SessionEnd{StationID: "st", SessionID: "s", Time: end,
			Energy: &energy}}
}

// unmeasured is a session of a length of which only the register at the start is known, 1000 Wh.
func unmeasured(length chargestream.Millis) *charging {
	c := settled(0, length)
	c.end.Energy, c.start.Meter = nil, wh(1000)
	return c
}

func (c *charging) add(e chargestream.Event, arrival chargestream.Millis) {
	c.others = append(c.others, arrived(e, arrival))
}

// addEnd adds another end.
func (c *charging) addEnd(at, arrival chargestream.Millis, energy *chargestream.WattHours) {
	c.add(&chargestream.SessionEnd{StationID: "st", SessionID: "s", Time: at, Energy: energy},
		arrival)
}

// events are all events, in the order of arrival.
func (c *charging) events() []tabletest.Arrived {
	var list []tabletest.Arrived
	if c.start != nil {
		list = append(list, arrived(c.start, c.startArrival))
	}
	if c.end != nil {
		list = append(list, arrived(c.end, c.endArrival))
	}
	list = append(list, c.others...)
	slices.SortStableFunc(list, func(a, b tabletest.Arrived) int {
		return cmp.Compare(a.Arrival, b.Arrival)
	})
	return list
}

// session is the session with the rows that the events make.
func (c *charging) session(t failer, book billing.Book) *billing.Session {
	t.Helper()
	rows := tabletest.NewRows()
	for _, a := range c.events() {
		if err := rows.Fold(a.Event, a.Arrival); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.FireStation(theEnd); err != nil {
		t.Fatal(err)
	}
	return billedOf(rows, "s", book)
}

// billedOf is a session of rows with all that its bills are made of. The Marks of its Row are to be
// kept.
func billedOf(rows *tabletest.Rows, id chargestream.SessionID, book billing.Book) *billing.Session {
	s := &billing.Session{ID: id, Station: tabletest.Station, Row: rows.Sessions[id],
		Hours: rows.PeekHour, Book: book}
	s.CountOpen(rows.Station)
	return s
}

// historyOf is the list of a session's invoices by all that happened.
func historyOf(t failer, c *charging, book billing.Book) []chargestream.Invoice {
	t.Helper()
	list, err := c.session(t, book).History(theEnd)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// bill is the last invoice of a session that has one.
func bill(t failer, c *charging, book billing.Book) chargestream.Invoice {
	t.Helper()
	list := historyOf(t, c, book)
	if len(list) == 0 {
		t.Fatalf("no invoice of %+v", c)
	}
	return list[len(list)-1]
}

// anomaliesOf are the anomalies of a session that is billed by all that happened.
func anomaliesOf(t failer, c *charging, book billing.Book) []chargestream.Anomaly {
	t.Helper()
	b, err := c.session(t, book).Bill(theEnd)
	if err != nil {
		t.Fatal(err)
	}
	return b.Anomalies
}
