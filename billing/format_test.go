package billing_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream"
	"chargestream/billing"
	"chargestream/internal/tabletest"
)

// exampleOf reads the example of a topic in a page of docs/format.
func exampleOf(t *testing.T, page, topic string, into any) {
	t.Helper()
	for _, b := range tabletest.Blocks(t, page, "json") {
		if b.Info != topic {
			continue
		}
		if err := json.Unmarshal([]byte(b.Text), into); err != nil {
			t.Fatalf("%s: %v", topic, err)
		}
		return
	}
	t.Fatalf("%s.md has no example of %s", page, topic)
}

// TestExampleBill holds that the invoice of derived.md is the one that the tariff of events.md
// makes of such a session.
func TestExampleBill(t *testing.T) {
	var want chargestream.Invoice
	var history chargestream.TariffHistory
	exampleOf(t, "derived", "invoices", &want)
	exampleOf(t, "events", "tariffs", &history)
	book := newShelf()
	book.publish(yesterday, history.TariffID, history.Versions...)
	book.register(yesterday, &chargestream.StationInfo{StationID: want.StationID,
		SiteID: want.SiteID, TimeZone: want.TimeZone, TariffID: history.TariffID})
	rows := tabletest.NewRows()
	for _, a := range []tabletest.Arrived{
		arrived(&chargestream.SessionStart{StationID: want.StationID, SessionID: want.SessionID,
			ConnectorID: want.ConnectorID, UserID: want.UserID, Time: want.StartTime,
			Meter: want.MeterStart}, want.StartTime),
		arrived(&chargestream.SessionEnd{StationID: want.StationID, SessionID: want.SessionID,
			Time: want.EndTime, Meter: want.MeterStop}, want.EndTime)} {
		if err := rows.Fold(a.Event, a.Arrival); err != nil {
			t.Fatal(err)
		}
	}
	s := billing.Session{ID: want.SessionID, Station: want.StationID,
		Row: rows.Sessions[want.SessionID], Hours: rows.PeekHour, Book: book}
	list, err := s.History(want.IssuedAt)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d invoices, %v", len(list), err)
	}
	if diff := cmp.Diff(want, list[0]); diff != "" {
		t.Errorf("the tariff of events.md does not make the invoice of derived.md: %s", diff)
	}
}

// TestExampleHolds holds that the holds of derived.md are those of a session that another overlaps.
func TestExampleHolds(t *testing.T) {
	type held struct {
		HoldReasons []chargestream.HoldReason `json:"hold_reasons"`
		Holds       []chargestream.Hold       `json:"holds"`
	}
	var want, got held
	exampleOf(t, "derived", "holds", &want)
	s := settled(7000, hour)
	s.start.Time, s.end.Time = noon+10*minute, noon+40*minute
	s.startArrival, s.endArrival = s.start.Time, s.end.Time
	s.other("s-2", 12*hour+30*minute, 13*hour, 0)
	if err := json.Unmarshal([]byte(textOf(bill(t, s, rated()))), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestExampleAnomaly holds that the anomaly of derived.md is one that a bill opens.
func TestExampleAnomaly(t *testing.T) {
	var want chargestream.Anomaly
	exampleOf(t, "derived", "anomalies", &want)
	book := newShelf()
	book.register(yesterday, &chargestream.StationInfo{StationID: want.StationID})
	rows := tabletest.NewRows()
	rows.Station.ID = want.StationID
	start, end := noon, noon+40*minute
	sample := func(m chargestream.Millis, energy int64) tabletest.Arrived {
		return arrived(&chargestream.MeterValue{StationID: want.StationID, ConnectorID: "2",
			SessionID: "s-1", Time: noon + m*minute, Energy: wh(energy)}, noon+m*minute)
	}
	for _, a := range []tabletest.Arrived{
		arrived(&chargestream.SessionStart{StationID: want.StationID, SessionID: "s-1",
			ConnectorID: "2", UserID: "u", Time: start, Meter: wh(1000)}, start),
		sample(10, 2000), sample(20, 150),
		arrived(&chargestream.SessionEnd{StationID: want.StationID, SessionID: "s-1", Time: end,
			Meter: wh(900), Energy: wh(4000)}, end)} {
		if err := rows.Fold(a.Event, a.Arrival); err != nil {
			t.Fatal(err)
		}
	}
	s := billing.Session{ID: "s-1", Station: want.StationID, Row: rows.Sessions["s-1"],
		Hours: rows.PeekHour, Book: book}
	b, err := s.Bill(end + chargestream.Grace)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range b.Anomalies {
		if a.AnomalyID == want.AnomalyID {
			if diff := cmp.Diff(want, a); diff != "" {
				t.Error(diff)
			}
			return
		}
	}
	t.Errorf("%s is none of %+v", want.AnomalyID, b.Anomalies)
}
