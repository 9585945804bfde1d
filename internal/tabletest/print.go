package tabletest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"chargestream"
	"chargestream/tables"
)

// Clock writes a time as the scripts do.
func Clock(at chargestream.Millis) string {
	if at == 0 {
		return "-"
	}
	day := (at - Begin).Truncate(chargestream.Day)
	text := strings.TrimSuffix(at.Time().Format("15:04:05.999"), ":00")
	if day != 0 {
		text = fmt.Sprintf("%dd%s", day/chargestream.Day, text)
	}
	return text
}

// Flagged writes a word, or nothing where it does not hold.
func Flagged(what string, on bool) string {
	if on {
		return " " + what
	}
	return ""
}

// Since writes a time with its name, or nothing where there is none.
func Since(what string, at chargestream.Millis) string {
	if at == 0 {
		return ""
	}
	return " " + what + " " + Clock(at)
}

// OrNone writes what was printed, or that it is nothing.
func OrNone(text string) string {
	if text == "" {
		return "none\n"
	}
	return text
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

func arrivedAt(at, arrival chargestream.Millis) string {
	if at == arrival {
		return ""
	}
	return " (arrived " + Clock(arrival) + ")"
}

func activity(a chargestream.Activity) string {
	return [...]string{"", "/idle", "/charging", "/parked"}[a]
}

// ShowStation writes the row of a station.
func ShowStation(s *tables.Station) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s last seen %s\n", s.ID, Clock(s.LastSeen))
	for i := range s.Connectors {
		c := &s.Connectors[i]
		fmt.Fprintf(&b, "connector %s\n", c.ID)
		for _, st := range c.Statuses {
			fmt.Fprintf(&b, "  %s %s (%s%s)%s\n", Clock(st.At), st.Word, st.State,
				activity(st.Activity), named("code", st.ErrorCode))
		}
		if c.Meter.Time != 0 {
			fmt.Fprintf(&b, "  meter %s%s%s%s\n", Clock(c.Meter.Time),
				optional("wh", c.Meter.Energy), optional("w", c.Meter.Power),
				optional("soc", c.Meter.SoC))
		}
		if c.Running.ID != "" {
			fmt.Fprintf(&b, "  session %s of %s since %s\n", c.Running.ID, c.Running.UserID,
				Clock(c.Running.StartedAt))
		}
		if c.LastEdge != 0 {
			fmt.Fprintf(&b, "  last end %s, last edge %s\n", Clock(c.LastEnd), Clock(c.LastEdge))
		}
		if c.Open.From != 0 {
			fmt.Fprintf(&b, "  open quarter%s%s %s\n", named("session", c.OpenSession),
				Flagged("flushed", c.Flushed), showQuarter(&c.Open))
		}
	}
	for _, d := range s.Skews {
		fmt.Fprintf(&b, "skew %s first %s, %d ms ahead\n", Clock(d.Day), Clock(d.First), d.Ahead)
	}
	return b.String()
}

func showQuarter(q *tables.Quarter) string {
	text := fmt.Sprintf("%s from %s%s", Clock(q.Start), Clock(q.From), Since("known", q.Late))
	switch q.Context {
	case tables.ContextBegin:
		text += " begin"
	case tables.ContextEnd:
		text += " end"
	}
	if q.HasEnergy() {
		text += fmt.Sprintf(" first %s=%d last %s=%d min %d max %d", Clock(q.First.At),
			q.First.Energy, Clock(q.Last.At), q.Last.Energy, q.Min, q.Max)
	}
	if q.Sampled != 0 {
		text += fmt.Sprintf(" peak %d W sampled %015b charging %015b", q.Peak, q.Sampled,
			q.Charging)
	}
	return text
}

// ShowConnectors writes a station as the views show it.
func ShowConnectors(v chargestream.StationState) string {
	var b strings.Builder
	for _, c := range v.Connectors {
		word := c.State.String()
		if c.Charging {
			word += ", charging"
		}
		fmt.Fprintf(&b, "connector %s: %s%s%s%s%s%s\n", c.ConnectorID, word,
			Since("since", c.Since), named("session", c.SessionID), named("word", c.Status),
			optional("w", c.Power), optional("wh", c.Energy))
	}
	return OrNone(b.String())
}

// ShowSession writes the row of a session in one line.
func ShowSession(s *tables.Session) string {
	var parts []string
	for _, c := range s.Starts {
		parts = append(parts, fmt.Sprintf("start %s%s%s%s%s", Clock(c.At),
			arrivedAt(c.At, c.Arrival), named("connector", c.ConnectorID), named("user", c.UserID),
			optional("meter", c.Meter)))
	}
	for _, c := range s.Ends {
		parts = append(parts, fmt.Sprintf("end %s%s%s%s%s%s", Clock(c.At),
			arrivedAt(c.At, c.Arrival), named("connector", c.ConnectorID),
			optional("energy", c.Energy), optional("meter", c.Meter), named("reason", c.Reason)))
	}
	for i := range s.Quarters {
		parts = append(parts, "quarter "+showQuarter(&s.Quarters[i]))
	}
	for i := range s.Decisions {
		d := &s.Decisions[i]
		parts = append(parts, fmt.Sprintf("%s %s at %s", d.Action, d.DecisionID,
			Clock(d.Arrival)))
	}
	for i := range s.Signed {
		parts = append(parts, "signed at "+Clock(s.Signed[i].At))
	}
	parts = append(parts, showMarks(&s.Marks)...)
	return strings.Join(parts, "; ")
}

// showMarks writes the marks, but for the reasons to hold and the first delivery, which are those
// of the last document.
func showMarks(m *tables.Marks) []string {
	if m.BilledUpTo == 0 && m.WakeAt == 0 {
		return nil
	}
	parts := []string{fmt.Sprintf("billed up to %s, %d documents", Clock(m.BilledUpTo),
		m.Documents)}
	if m.WakeAt != 0 {
		parts = append(parts, "wakes at "+Clock(m.WakeAt))
	}
	if m.RevisionOffset != 0 {
		parts = append(parts, fmt.Sprintf("revisions are %d higher", m.RevisionOffset))
	}
	return parts
}

// ShowHour writes the row of an hour in one line.
func ShowHour(h *tables.Hour) string {
	var parts []string
	if h.Opening.At != 0 {
		parts = append(parts, fmt.Sprintf("opening %s %s%s", Clock(h.Opening.At), h.Opening.State,
			activity(h.Opening.Activity)))
	}
	for _, t := range h.Transitions {
		parts = append(parts, fmt.Sprintf("%s %s%s%s", Clock(t.At), t.State, activity(t.Activity),
			arrivedAt(t.At, t.Arrival)))
	}
	for i := range h.Sessions {
		s := &h.Sessions[i]
		text := "session " + string(s.ID) + Flagged("decided", s.Decided)
		for _, c := range s.Starts {
			text += " starts " + Clock(c.At) + arrivedAt(c.At, c.Arrival)
		}
		if s.From != 0 {
			text += fmt.Sprintf(" from %s to %s due %s %d Wh", Clock(s.From), Clock(s.To),
				Clock(s.Due), s.Energy)
		}
		parts = append(parts, text)
	}
	for i := range h.Quarters {
		text := "quarter "
		if h.Quarters[i].Named {
			text = "quarter of a session "
		}
		parts = append(parts, text+showQuarter(&h.Quarters[i]))
	}
	if h.CoversEnd {
		parts = append(parts, "covers its end")
	}
	if h.Closed {
		parts = append(parts, "closed")
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, "; ")
}

// ShowUtilization writes the parts that are not zero, as minutes and seconds.
func ShowUtilization(u chargestream.Utilization) string {
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

// ShowAnomaly writes an anomaly in one line.
func ShowAnomaly(a *chargestream.Anomaly) string {
	text := fmt.Sprintf("anomaly %s opened %s%s", a.AnomalyID, Clock(a.OpenedAt),
		Since("closed", a.ClosedAt))
	text += Flagged("holds the bill", a.BillingHold)
	for _, name := range slices.Sorted(maps.Keys(a.Evidence)) {
		text += fmt.Sprintf(" %s=%s", name, a.Evidence[name])
	}
	return text + "\n"
}

// ShowArrived writes events in the order in which they are read, each in one line.
func ShowArrived(list []Arrived) string {
	var b strings.Builder
	for _, a := range list {
		kind := strings.TrimPrefix(fmt.Sprintf("%T", a.Event), "*chargestream.")
		fmt.Fprintf(&b, "%s of %s arrives %s: ", kind, Clock(a.Event.At()), Clock(a.Arrival))
		switch e := a.Event.(type) {
		case *chargestream.StatusReport:
			fmt.Fprintf(&b, "connector %s %s\n", e.ConnectorID, e.Status)
		case *chargestream.MeterValue:
			fmt.Fprintf(&b, "connector %s%s%s%s\n", e.ConnectorID, named("session", e.SessionID),
				optional("wh", e.Energy), optional("w", e.Power))
		case *chargestream.SessionStart:
			b.WriteString(showStart(e) + "\n")
		case *chargestream.SessionEnd:
			b.WriteString(showEnd(e) + "\n")
		case *chargestream.SessionRecord:
			b.WriteString(showStart(&e.Start) + "; " + showEnd(&e.End) + "\n")
		case *chargestream.Decision:
			fmt.Fprintf(&b, "%s %s of %s, start %s, end %s%s\n", e.Action, e.DecisionID,
				e.SessionID, Clock(e.Correction.StartTime), Clock(e.Correction.EndTime),
				optional("energy", e.Correction.Energy))
		default:
			b.WriteString("\n")
		}
	}
	return b.String()
}

func showStart(e *chargestream.SessionStart) string {
	return fmt.Sprintf("%s starts %s at connector %s%s%s", e.SessionID, Clock(e.Time),
		e.ConnectorID, named("user", e.UserID), optional("meter", e.Meter))
}

func showEnd(e *chargestream.SessionEnd) string {
	return fmt.Sprintf("%s ends %s%s%s%s%s", e.SessionID, Clock(e.Time),
		named("connector", e.ConnectorID), optional("meter", e.Meter),
		optional("energy", e.Energy), named("reason", e.Reason))
}
