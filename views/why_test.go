package views_test

import (
	"errors"
	"strings"
	"testing"

	"chargestream"
	"chargestream/web"
)

// TestWhy: the answers are made of the rows of their station, and of its dead letters.
func TestWhy(t *testing.T) {
	c := full(t)
	c.charge("B", "s/1", charged(moment(10), "u2"))
	c.letters.Add(chargestream.DeadLetter{Key: "A", Value: `{"session_id":"s/1"}`,
		Reason: "malformed", Time: moment(1)})
	c.letters.Add(chargestream.DeadLetter{Key: "C", Value: `{"session_id":"s/7"}`,
		Reason: "late", Time: moment(1)})
	put(t, c.invoices, "s/1-b", chargestream.Invoice{InvoiceID: "s/1-b", SessionID: "s/1",
		StationID: "A", Kind: chargestream.KindInvoice, Status: chargestream.StatusHeld,
		HoldReasons: []chargestream.HoldReason{chargestream.HoldNoEnergy}})
	w, err := c.views.WhySession(t.Context(), "s/1", "A")
	if err != nil {
		t.Fatal(err)
	}
	if w.StationID != "A" || w.InvoiceID != "s/1-b" || len(w.Held) != 1 ||
		len(w.DeadLetters) != 1 || !w.DeadLetters[0].NamesSession || len(w.Received) == 0 ||
		w.Tariff.TariffID != "t" {
		t.Errorf("s/1 at A: %+v", w)
	}
	w, err = c.views.WhySession(t.Context(), "s/1", "")
	if err != nil || w.StationID != "B" || len(w.Held) != 0 || len(w.AlsoAtStations) != 1 ||
		!strings.Contains(w.Tariff.Text, "no entry of the station B") {
		t.Errorf("s/1, which started last at B: %+v, %v", w, err)
	}
	w, err = c.views.WhySession(t.Context(), "s/7", "")
	if err != nil || !strings.Contains(w.Summary, "1 dead letter names it") {
		t.Errorf("a session of dead letters alone: %+v, %v", w, err)
	}
	station, err := c.views.WhyStation(t.Context(), "A")
	if err != nil || station.HeldCount != 1 || station.Held[0].SessionID != "s/1" ||
		len(station.DeadLetters) != 1 || station.LastSeen == 0 {
		t.Errorf("station A: %+v, %v", station, err)
	}
	silent, err := c.views.WhyStation(t.Context(), "C")
	if err != nil || len(silent.DeadLetters) != 1 || len(silent.Missing) != 2 {
		t.Errorf("station C, of which there are dead letters alone: %+v, %v", silent, err)
	}
	_, err = c.views.WhyStation(t.Context(), "D")
	if _, other := c.views.WhySession(t.Context(), "s", ""); !errors.Is(err, web.ErrNotFound) ||
		!errors.Is(other, web.ErrNotFound) {
		t.Errorf("what nothing came of: %v, %v", err, other)
	}
}
