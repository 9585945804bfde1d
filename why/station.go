package why

import (
	"cmp"
	"fmt"
	"slices"

	"chargestream"
	"chargestream/documents"
	"chargestream/tables"
)

// heldMax bounds the held documents that an answer about a station names.
const heldMax = 100

// StationFacts are what the answer about a station is made of.
type StationFacts struct {
	ID       chargestream.StationID
	Row      *tables.Station  // nil: no event of it was folded
	Registry *tables.Registry // nil for none
	Book     Book
	// Documents are all held documents of the station, credit notes of such among them.
	Documents []chargestream.Invoice
	Letters   []chargestream.DeadLetter // as Letters.Of gives them
	Now       chargestream.Millis       // the wall clock
}

// Known reports whether there is anything to say.
func (f *StationFacts) Known() bool {
	return f.Row != nil || f.Registry != nil || len(f.Documents) > 0 ||
		slices.ContainsFunc(f.Letters, func(d chargestream.DeadLetter) bool {
			return d.Key == string(f.ID) || d.Key == ""
		})
}

// Station says what is known of a station, and what keeps its sessions from being billed.
func Station(f *StationFacts) (chargestream.StationWhy, error) {
	w := chargestream.StationWhy{StationID: f.ID, Received: []chargestream.Received{},
		DeadLetters: slices.Concat([]chargestream.DeadLetter{}, f.Letters), Missing: []string{},
		Held: []chargestream.HeldDocument{}}
	info, arrival := entryAt(f.Registry, f.Now)
	if info != nil {
		w.Received = append(w.Received, chargestream.Received{What: "registry entry",
			Arrival: arrival, Text: joined(named("tariff", string(info.TariffID)),
				named("site", string(info.SiteID)), named("time zone", info.TimeZone),
				documents.Counted(len(info.Connectors), "connector", "connectors"))})
	} else {
		w.Missing = append(w.Missing, "its entry in the registry (topic stations): its sessions "+
			"are held as no_tariff")
	}
	if f.Row != nil {
		state := f.Row.State(info)
		w.LastSeen = state.LastSeen
		for i := range state.Connectors {
			c := &state.Connectors[i]
			w.Received = append(w.Received, chargestream.Received{
				What: "connector " + string(c.ConnectorID), Time: max(c.Since, c.MeterTime),
				Text: joined(c.State.String(), named("status", c.Status), named("session",
					string(c.SessionID)))})
		}
	} else {
		w.Missing = append(w.Missing, "its events: none was folded")
	}
	var err error
	if w.Tariff, err = tariffOf(f.ID, f.Registry, f.Book, nil, f.Now); err != nil {
		return w, err
	}
	if w.Tariff.ValidFrom == 0 && info != nil {
		w.Missing = append(w.Missing, "its tariff: "+w.Tariff.Text)
	}
	f.held(&w)
	w.Summary = f.summary(&w)
	return w, nil
}

func (f *StationFacts) held(w *chargestream.StationWhy) {
	live := documents.Live(f.Documents)
	slices.SortFunc(live, func(a, b chargestream.Invoice) int {
		return cmp.Or(cmp.Compare(a.IssuedAt, b.IssuedAt), cmp.Compare(a.InvoiceID, b.InvoiceID))
	})
	for _, v := range live {
		if v.Kind != chargestream.KindInvoice || v.Status != chargestream.StatusHeld ||
			slices.Contains(v.HoldReasons, chargestream.HoldCancelled) {
			continue
		}
		if w.HeldCount++; w.HeldCount <= heldMax {
			w.Held = append(w.Held, chargestream.HeldDocument{InvoiceID: v.InvoiceID,
				SessionID: v.SessionID, HoldReasons: v.HoldReasons})
		}
	}
}

func (f *StationFacts) summary(w *chargestream.StationWhy) string {
	letters := documents.Counted(len(w.DeadLetters), "recent dead letter", "recent dead letters")
	switch {
	case f.Row == nil && len(w.DeadLetters) > 0:
		return fmt.Sprintf("no event of the station was folded, and %s came of it: mend what the "+
			"errors say and send them again", letters)
	case f.Row == nil:
		return "no event of the station was folded"
	}
	return fmt.Sprintf("it was last seen at %s; %s held, %s", w.LastSeen,
		documents.Counted(w.HeldCount, "bill is", "bills are"), letters)
}
