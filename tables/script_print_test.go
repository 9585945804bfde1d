package tables_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"chargestream"
	"chargestream/tables"
)

// print gives what a command prints; empty where it is no command.
func (s *script) print(command string, w *words) string {
	switch command {
	case "row":
		return showStation(s.station)
	case "effects":
		list := s.effects
		s.effects = nil
		return orNone(strings.Join(list, ""))
	case "told":
		list := s.told
		s.told = nil
		return orNone(strings.Join(list, ""))
	case "connectors":
		return showConnectors(s.station.State(nil))
	case "session":
		id := chargestream.SessionID(w.next())
		if row := s.sessions[id]; row != nil {
			return fmt.Sprintf("%s: %s\n", row.Phase(), showSession(row))
		}
		return orNone("")
	case "hour":
		if key := w.key(); s.hours[key] != nil {
			return showHour(s.hours[key]) + "\n"
		}
		return orNone("")
	case "utilization":
		if key := w.key(); s.hours[key] != nil {
			return showUtilization(s.hours[key].Utilization(key))
		}
		return orNone("")
	case "invoice":
		if v := s.live(chargestream.SessionID(w.next())); v != nil {
			return showInvoice(v)
		}
		return orNone("")
	case "parking":
		if v := s.live(chargestream.SessionID(w.next())); v != nil {
			return fmt.Sprintf("%d of %d s\n", v.ParkingSeconds, v.DurationSeconds)
		}
		return orNone("")
	}
	return ""
}

func (w *words) key() tables.HourKey {
	return tables.HourKey{StationID: "st", ConnectorID: chargestream.ConnectorID(w.next()),
		Start: w.time()}
}

func orNone(text string) string {
	if text == "" {
		return "none\n"
	}
	return text
}

// clock writes a time as the scripts do.
func clock(at chargestream.Millis) string {
	if at == 0 {
		return "-"
	}
	day := (at - begin).Truncate(chargestream.Day)
	text := strings.TrimSuffix(at.Time().Format("15:04:05.999"), ":00")
	if day != 0 {
		text = fmt.Sprintf("%dd%s", day/chargestream.Day, text)
	}
	return text
}

func showKey(k tables.HourKey) string {
	return fmt.Sprintf("%s %s", k.ConnectorID, clock(k.Start))
}

// optional writes a value with its name, or nothing where there is none.
func optional[T any](name string, v *T) string {
	if v == nil {
		return ""
	}
	return fmt.Sprintf(" %s=%v", name, *v)
}

func named[T ~string](name string, text T) string {
	if text == "" {
		return ""
	}
	return fmt.Sprintf(" %s=%s", name, text)
}

func since(what string, at chargestream.Millis) string {
	if at == 0 {
		return ""
	}
	return " " + what + " " + clock(at)
}

func activity(a chargestream.Activity) string {
	return [...]string{"", "/idle", "/charging", "/parked"}[a]
}

func showStation(s *tables.Station) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s last seen %s\n", s.ID, clock(s.LastSeen))
	for i := range s.Connectors {
		c := &s.Connectors[i]
		fmt.Fprintf(&b, "connector %s\n", c.ID)
		for _, st := range c.Statuses {
			fmt.Fprintf(&b, "  %s %s (%s%s)%s\n", clock(st.At), st.Word, st.State,
				activity(st.Activity), named("code", st.ErrorCode))
		}
		if c.Meter.Time != 0 {
			fmt.Fprintf(&b, "  meter %s%s%s%s\n", clock(c.Meter.Time), optional("wh",
				c.Meter.Energy),
				optional("w", c.Meter.Power), optional("soc", c.Meter.SoC))
		}
		if c.Running.ID != "" {
			fmt.Fprintf(&b, "  session %s of %s since %s\n", c.Running.ID, c.Running.UserID,
				clock(c.Running.StartedAt))
		}
		if c.Boundary != 0 {
			fmt.Fprintf(&b, "  last end %s, boundary %s\n", clock(c.LastEnd), clock(c.Boundary))
		}
		if c.Slot.From != 0 {
			fmt.Fprintf(&b, "  slot%s %s\n", named("session", c.SlotSession), showQuarter(&c.Slot))
		}
	}
	for i := range s.Pending {
		p := &s.Pending[i]
		fmt.Fprintf(&b, "pending %s%s%s%s%s\n", p.ID, named("connector", p.ConnectorID),
			since("start", p.Start), since("end", p.End), flagged("settled", p.Settled))
	}
	for _, t := range s.Ticks {
		what := named("session", t.ID)
		if t.ID == "" {
			what = fmt.Sprintf(" hour %s %s", t.ConnectorID, clock(t.Hour))
		}
		fmt.Fprintf(&b, "tick %s%s\n", clock(t.At), what)
	}
	for _, d := range s.Skews {
		fmt.Fprintf(&b, "skew %s first %s, %d ms ahead\n", clock(d.Day), clock(d.First), d.Ahead)
	}
	return b.String()
}

func flagged(what string, on bool) string {
	if on {
		return " " + what
	}
	return ""
}

func showQuarter(q *tables.Quarter) string {
	text := fmt.Sprintf("%s from %s%s", clock(q.Start), clock(q.From), since("known", q.Late))
	if q.HasEnergy() {
		text += fmt.Sprintf(" first %s=%d last %s=%d min %d max %d", clock(q.First.At),
			q.First.Energy, clock(q.Last.At), q.Last.Energy, q.Min, q.Max)
	}
	if q.Sampled != 0 {
		text += fmt.Sprintf(" peak %d W sampled %015b charging %015b", q.Peak, q.Sampled,
			q.Charging)
	}
	return text
}

func showConnectors(v chargestream.StationState) string {
	var b strings.Builder
	for _, c := range v.Connectors {
		word := c.State.String()
		if c.Charging {
			word += ", charging"
		}
		fmt.Fprintf(&b, "connector %s: %s%s%s%s%s%s\n", c.ConnectorID, word, since("since",
			c.Since),
			named("session", c.SessionID), named("word", c.Status), optional("w", c.Power),
			optional("wh", c.Energy))
	}
	return orNone(b.String())
}

func showSession(s *tables.Session) string {
	var parts []string
	for _, c := range s.Starts {
		parts = append(parts, fmt.Sprintf("start %s%s%s%s%s", clock(c.At), arrivedAt(c.At,
			c.Arrival),
			named("connector", c.ConnectorID), named("user", c.UserID), optional("meter", c.Meter)))
	}
	for _, c := range s.Ends {
		parts = append(parts, fmt.Sprintf("end %s%s%s%s%s%s", clock(c.At), arrivedAt(c.At,
			c.Arrival),
			named("connector", c.ConnectorID), optional("energy", c.Energy),
			optional("meter", c.Meter), named("reason", c.Reason)))
	}
	for i := range s.Quarters {
		parts = append(parts, "quarter "+showQuarter(&s.Quarters[i]))
	}
	if d := s.Verdict.DuplicateOf; d.ID != "" {
		parts = append(parts, fmt.Sprintf("copy of %s", d.ID))
	} else if s.Verdict.Known {
		parts = append(parts, "no copy")
	}
	for i := range s.Hours {
		h := &s.Hours[i]
		text := fmt.Sprintf("window %s %s answered %s: %d reports, %d loads", h.ConnectorID,
			clock(h.Start), clock(h.Answered), len(h.Transitions), len(h.Loads))
		for j := range h.Overlaps {
			o := &h.Overlaps[j]
			text += fmt.Sprintf(", overlaps %s from %s to %s", o.ID, clock(o.Interval.From),
				clock(o.Interval.To))
		}
		parts = append(parts, text)
	}
	for i := range s.Decisions {
		d := &s.Decisions[i]
		parts = append(parts, fmt.Sprintf("%s %s at %s", d.Action, d.DecisionID,
			clock(d.Arrival)))
	}
	for i := range s.Signed {
		parts = append(parts, "signed at "+clock(s.Signed[i].At))
	}
	if s.Heard != 0 {
		parts = append(parts, "heard "+clock(s.Heard))
	}
	if s.Told != 0 && s.Told != s.Heard {
		parts = append(parts, "told "+clock(s.Told))
	}
	return strings.Join(parts, "; ")
}

func arrivedAt(at, arrival chargestream.Millis) string {
	if at == arrival {
		return ""
	}
	return " (arrived " + clock(arrival) + ")"
}

func showHour(h *tables.Hour) string {
	var parts []string
	if h.Carry.At != 0 {
		parts = append(parts, fmt.Sprintf("carry %s %s%s", clock(h.Carry.At), h.Carry.State,
			activity(h.Carry.Activity)))
	}
	for _, t := range h.Transitions {
		parts = append(parts, fmt.Sprintf("%s %s%s%s", clock(t.At), t.State, activity(t.Activity),
			arrivedAt(t.At, t.Arrival)))
	}
	for _, s := range h.Stays {
		text := fmt.Sprintf("stay %s", s.ID) + since("heard", s.Heard) + flagged("whole", s.Whole)
		for _, b := range s.Begins {
			text += " begins " + clock(b.At) + arrivedAt(b.At, b.Arrival)
		}
		if in := s.Span; in.From != 0 {
			text += fmt.Sprintf(" spans %s to %s", clock(in.From), clock(in.To))
		}
		if in := s.Interval; in.From != 0 {
			text += fmt.Sprintf(" from %s to %s %d Wh", clock(in.From), clock(in.To), in.Energy)
		}
		parts = append(parts, text)
	}
	for i := range h.Loads {
		parts = append(parts, "load "+showQuarter(&h.Loads[i]))
	}
	if h.Heard != 0 {
		parts = append(parts, "heard "+clock(h.Heard))
	}
	if h.Through {
		parts = append(parts, "heard of after it")
	}
	if h.Closed {
		parts = append(parts, "closed")
	}
	return orEmpty(strings.Join(parts, "; "))
}

func orEmpty(text string) string {
	if text == "" {
		return "nothing"
	}
	return text
}

// showUtilization writes the parts that are not zero, as minutes and seconds.
func showUtilization(u chargestream.Utilization) string {
	var b strings.Builder
	state := "open"
	if u.Final {
		state = "final"
	}
	fmt.Fprintf(&b, "%s, revision %d:", state, u.Revision)
	for _, p := range []struct {
		name    string
		seconds int64
	}{{"available", u.Available}, {"reserved", u.Reserved}, {"occupied", u.Occupied},
		{"of it charging", u.Charging}, {"unavailable", u.Unavailable}, {"faulted", u.Faulted},
		{"unknown", u.Unknown}} {
		if p.seconds != 0 {
			fmt.Fprintf(&b, " %s %d:%02d", p.name, p.seconds/60, p.seconds%60)
		}
	}
	fmt.Fprintf(&b, "; %d Wh, peak %d W, %d sessions\n", u.Energy, u.PeakPower, u.Sessions)
	return b.String()
}

func reasons(list []chargestream.HoldReason) string {
	text := ""
	for _, r := range list {
		text += " " + string(r)
	}
	return text
}

// showBill writes an invoice in one line, without its id, which hangs on every field.
func showBill(v *chargestream.Invoice) string {
	return fmt.Sprintf("%s %s revision %d of %s: %s%s, %s%s\n", v.Kind, v.SessionID, v.Revision,
		clock(v.IssuedAt), v.TotalInclVAT, currencyOf(v), v.Status, reasons(v.HoldReasons))
}

func currencyOf(v *chargestream.Invoice) string {
	if v.Currency == "" {
		return ""
	}
	return " " + v.Currency
}

func showInvoice(v *chargestream.Invoice) string {
	var b strings.Builder
	b.WriteString(showBill(v))
	fmt.Fprintf(&b, "  %s, connector %s, %s to %s, %d s, %d Wh%s\n", v.UserID, v.ConnectorID,
		clock(v.StartTime), clock(v.EndTime), v.DurationSeconds, v.Energy,
		flagged("estimated", v.Estimated))
	if v.ParkingSeconds != 0 {
		fmt.Fprintf(&b, "  parked for %d s\n", v.ParkingSeconds)
	}
	for _, d := range v.Decisions {
		fmt.Fprintf(&b, "  %s %s by %s at %s\n", d.Action, d.DecisionID, d.By, clock(d.DecidedAt))
	}
	for _, l := range v.Lines {
		fmt.Fprintf(&b, "  %-6s %s %s at %s: %s + %s %% %s = %s\n", l.Dimension, l.Quantity, l.Unit,
			l.UnitPrice, l.ExclVAT, l.VATPercent, l.VAT, l.InclVAT)
	}
	fmt.Fprintf(&b, "  total %s + %s = %s\n", v.TotalExclVAT, v.TotalVAT, v.TotalInclVAT)
	return b.String()
}

func showAnomaly(a *chargestream.Anomaly) string {
	text := fmt.Sprintf("anomaly %s opened %s%s", a.AnomalyID, clock(a.OpenedAt),
		since("closed", a.ClosedAt))
	text += flagged("holds the bill", a.BillingHold)
	for _, name := range slices.Sorted(maps.Keys(a.Evidence)) {
		text += fmt.Sprintf(" %s=%s", name, a.Evidence[name])
	}
	return text + "\n"
}
