package why

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"chargestream"
	"chargestream/billing"
	"chargestream/documents"
	"chargestream/tables"
)

// SessionFacts are what the answer about a session is made of.
type SessionFacts struct {
	ID       chargestream.SessionID
	Station  chargestream.StationID // empty where no row and no document has one
	Row      *tables.Session        // nil: nothing of it was folded
	Registry *tables.Registry       // of its station; nil for none
	Book     Book
	// Documents are all those of the session, in any order.
	Documents []chargestream.Invoice
	Letters   []chargestream.DeadLetter // as Letters.Of gives them
	Now       chargestream.Millis       // the wall clock
}

// Known reports whether there is anything to say.
func (f *SessionFacts) Known() bool {
	return f.Row != nil || len(f.Documents) > 0 || slices.ContainsFunc(f.Letters,
		func(d chargestream.DeadLetter) bool { return d.NamesSession })
}

// Session says why a session's bill is as it is, or why there is none.
func Session(f *SessionFacts) (chargestream.SessionWhy, error) {
	w := chargestream.SessionWhy{SessionID: f.ID, StationID: f.Station,
		Received: []chargestream.Received{}, Missing: []string{}, Held: []chargestream.HoldWhy{},
		DeadLetters: slices.Concat([]chargestream.DeadLetter{}, f.Letters),
		Documents:   len(f.Documents)}
	live := f.live()
	if live != nil {
		w.InvoiceID, w.Status = live.InvoiceID, live.Status
		w.Total, w.Currency, w.UserID = live.TotalInclVAT, live.Currency, live.UserID
		w.ConnectorID, w.Held = live.ConnectorID, holds(live)
	}
	if f.Row != nil {
		state := billing.State(f.ID, f.Station, f.Row)
		w.ConnectorID, w.Phase = state.ConnectorID, state.Phase
		w.UserID = cmp.Or(w.UserID, state.UserID)
		w.Received = received(f.Row)
	}
	var err error
	if w.Tariff, err = f.tariff(live); err != nil {
		return w, err
	}
	w.Missing = append(w.Missing, f.missing(&w)...)
	w.Due = f.due(live)
	w.Summary = f.summary(&w, live)
	return w, nil
}

// live is the document that no credit note cancels; nil for none.
func (f *SessionFacts) live() *chargestream.Invoice {
	list := slices.DeleteFunc(documents.Live(f.Documents), func(v chargestream.Invoice) bool {
		return v.Kind != chargestream.KindInvoice
	})
	if len(list) == 0 {
		return nil
	}
	last := slices.MaxFunc(list, func(a, b chargestream.Invoice) int {
		return cmp.Or(cmp.Compare(a.IssuedAt, b.IssuedAt), cmp.Compare(a.Revision, b.Revision))
	})
	return &last
}

// received is what the session's row holds.
func received(s *tables.Session) []chargestream.Received {
	list := []chargestream.Received{}
	for i := range s.Starts {
		c := &s.Starts[i]
		list = append(list, chargestream.Received{What: "start", Time: c.At, Arrival: c.Arrival,
			Text: joined(named("connector", string(c.ConnectorID)), named("user",
				string(c.UserID)), register(c.Meter), counts(i))})
	}
	if len(s.Quarters) > 0 {
		list = append(list, samples(s.Quarters))
	}
	for i := range s.Signed {
		v := &s.Signed[i]
		list = append(list, chargestream.Received{What: "signed meter value", Time: v.At,
			Arrival: v.Arrival, Text: strconv.Itoa(len(v.Text)) + " bytes"})
	}
	for i := range s.Ends {
		c := &s.Ends[i]
		energy := ""
		if c.Energy != nil {
			energy = "energy " + kWh(*c.Energy)
		}
		list = append(list, chargestream.Received{What: "end", Time: c.At, Arrival: c.Arrival,
			Text: joined(named("connector", string(c.ConnectorID)), register(c.Meter), energy,
				named("reason", c.Reason), counts(i))})
	}
	for i := range s.Decisions {
		d := &s.Decisions[i]
		list = append(list, chargestream.Received{What: "decision", Time: d.Time,
			Arrival: d.Arrival, Text: fmt.Sprintf("%s by %s: %s (%s)", d.Action, d.By, d.Reason,
				d.DecisionID)})
	}
	slices.SortStableFunc(list, func(a, b chargestream.Received) int {
		return cmp.Compare(a.Time, b.Time)
	})
	return list
}

// counts says of a claim that is not the first to arrive that it does not count.
func counts(i int) string {
	if i == 0 {
		return ""
	}
	return "differs from the first to arrive, which counts"
}

func samples(list []tables.Quarter) chargestream.Received {
	r := chargestream.Received{What: "meter values", Time: list[0].From}
	last := &list[len(list)-1]
	r.Text = fmt.Sprintf("in %d quarter hours, up to %s", len(list),
		last.Start+chargestream.Quarter)
	var first, end *tables.Reading
	for i := range list {
		q := &list[i]
		if q.First.At == 0 {
			continue
		}
		if first == nil {
			first = &q.First
		}
		end = &q.Last
	}
	if first == nil {
		r.Text += ", none with a register"
	} else {
		r.Text += fmt.Sprintf(", register from %s at %s to %s at %s", kWh(first.Energy), first.At,
			kWh(end.Energy), end.At)
	}
	return r
}

// tariff is the tariff of the live document, or the one that would be found now.
func (f *SessionFacts) tariff(live *chargestream.Invoice) (chargestream.TariffWhy, error) {
	start, chosen := chargestream.Millis(0), (*tables.Decision)(nil)
	if f.Row != nil {
		if len(f.Row.Starts) > 0 {
			start = f.Row.Starts[0].At
		} else if len(f.Row.Ends) > 0 {
			start = f.Row.Ends[0].At
		}
		for i := range f.Row.Decisions {
			d := &f.Row.Decisions[i]
			if d.Correction.TariffID != "" {
				chosen = d
			}
			if d.Action == chargestream.ActionReprice {
				chosen = nil
			}
		}
	}
	if live != nil {
		start = cmp.Or(live.StartTime, live.EndTime, start)
	}
	found, err := tariffOf(f.Station, f.Registry, f.Book, chosen, start)
	if err != nil || live == nil {
		return found, err
	}
	switch {
	case live.TariffID == found.TariffID && live.TariffValidFrom == found.ValidFrom:
	case live.TariffID != "" && live.TariffValidFrom != 0:
		found.Text = fmt.Sprintf("the bill is sealed with this version as it was known at %s; by "+
			"what is known now it would be %s of %s (%s); \"chargestream invoices reprice %s\" "+
			"bills by that", live.IssuedAt, cmp.Or(found.TariffID, "none"), found.ValidFrom,
			found.Text, f.ID)
		found.TariffID, found.ValidFrom = live.TariffID, live.TariffValidFrom
	case found.ValidFrom != 0:
		found.Text += fmt.Sprintf("; it was not known when the bill was made at %s: a bill that "+
			"waits for its tariff follows by itself at the end of a quarter hour, and \""+
			"chargestream invoices reprice %s\" bills by it at once", live.IssuedAt, f.ID)
	}
	return found, nil
}

// missing is what a bill needs and what never came.
func (f *SessionFacts) missing(w *chargestream.SessionWhy) []string {
	var list []string
	add := func(when bool, text string) {
		if when {
			list = append(list, text)
		}
	}
	s := f.Row
	add(s == nil && len(f.Documents) == 0, "all of it: nothing that names the session was folded")
	if s != nil {
		add(len(s.Starts) == 0, "its start: no session_start came")
		add(len(s.Ends) == 0, "its end: no session_end came")
		add(len(s.Ends) > 0 && !metered(s), "its energy: its end has no register and no "+
			"energy_wh, and no meter value has a register")
		add(len(s.Starts) > 0 && s.Starts[0].UserID == "", "who pays: its start names no user_id")
		info, _ := entryAt(f.Registry, s.Low)
		add(calibrated(info, s.ConnectorID()) && len(s.Signed) == 0, "its signed meter values: "+
			"the registry says that the connector is calibrated")
	}
	add(w.Tariff.ValidFrom == 0 && (s != nil || len(f.Documents) > 0), "its tariff: "+
		strings.TrimPrefix(w.Tariff.Text, "none: "))
	return list
}

// metered reports whether anything says how much energy was delivered.
func metered(s *tables.Session) bool {
	if s.Ends[0].Energy != nil || s.Ends[0].Meter != nil {
		return true
	}
	return slices.ContainsFunc(s.Quarters, func(q tables.Quarter) bool { return q.Last.At != 0 })
}

func calibrated(info *chargestream.StationInfo, connector chargestream.ConnectorID) bool {
	if info == nil {
		return false
	}
	return info.Calibrated || slices.ContainsFunc(info.Connectors,
		func(c chargestream.ConnectorInfo) bool {
			return c.ConnectorID == connector && c.Calibrated
		})
}

// behind is how long after its moment a bill that is not there shows that no processor works.
const behind = chargestream.Minute

// due is when the session is billed, or billed again.
func (f *SessionFacts) due(live *chargestream.Invoice) chargestream.BillDue {
	if f.Row == nil {
		return chargestream.BillDue{Text: "never: nothing of the session was folded"}
	}
	d := chargestream.BillDue{At: f.Row.NextDue()}
	switch {
	case live != nil && d.At == 0:
		d.Text = fmt.Sprintf("it was billed as of %s; only a fact or a decision that still comes "+
			"changes it", live.IssuedAt)
		return d
	case live != nil:
		d.Text = fmt.Sprintf("it was billed as of %s and is looked at again", live.IssuedAt)
	case d.At == 0:
		d.Text = "never: its row has neither a start nor an end"
		return d
	case len(f.Row.Ends) == 0:
		d.Text = fmt.Sprintf("%s after its end; without an end it is held as %s then",
			minutes(chargestream.Grace), chargestream.HoldNotEnded)
	case len(f.Row.Starts) == 0:
		d.Text = fmt.Sprintf("%s after its end; without a start it is held as %s then",
			minutes(chargestream.Grace), chargestream.HoldNoStart)
	default:
		d.Text = minutes(chargestream.Grace) + " after its end, or at the quarter hour behind " +
			"what came later than that"
	}
	if f.Now > d.At+behind {
		d.Text += "; that has passed, so no processor has come this far: see \"chargestream " +
			"status\", and whether \"chargestream run\" works"
	}
	return d
}

// summary is the answer in one sentence.
func (f *SessionFacts) summary(w *chargestream.SessionWhy, live *chargestream.Invoice) string {
	switch {
	case f.Row == nil && live == nil:
		return fmt.Sprintf("nothing of the session was folded, and %s it: mend what the error "+
			"says and send it again, or \"chargestream dead-letters redrive\"",
			documents.Counted(len(f.Letters), "dead letter names", "dead letters name"))
	case live == nil && len(w.Missing) > 0 && w.Due.At == 0:
		return "there is no bill: " + w.Missing[0]
	case live == nil:
		return fmt.Sprintf("there is no bill yet: it is due at %s, %s", w.Due.At, w.Due.Text)
	case live.Status == chargestream.StatusHeld:
		reasons := make([]string, len(live.HoldReasons))
		for i, r := range live.HoldReasons {
			reasons[i] = string(r)
		}
		return fmt.Sprintf("its bill %s is held for %s", live.InvoiceID,
			strings.Join(reasons, ", "))
	}
	return fmt.Sprintf("its bill %s of %s is issued and nothing holds it", live.InvoiceID,
		strings.TrimSpace(live.TotalInclVAT+" "+live.Currency))
}

// The forms in which quantities are written.

func kWh(e chargestream.WattHours) string {
	sign, n := "", int64(e)
	if n < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%d.%03d kWh", sign, n/1000, n%1000)
}

func register(e *chargestream.WattHours) string {
	if e == nil {
		return "no register"
	}
	return "register " + kWh(*e)
}

func named(label, text string) string {
	if text == "" {
		return ""
	}
	return label + " " + text
}

func minutes(m chargestream.Millis) string {
	return strconv.FormatInt(int64(m/chargestream.Minute), 10) + " minutes"
}

func joined(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), ", ")
}
