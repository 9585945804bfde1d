package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"chargestream"
	"chargestream/documents"
)

func (a *app) printSessionWhy(w *chargestream.SessionWhy) error {
	if a.output == outputJSON {
		return a.printJSON(w)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "session   %s%s%s%s%s\n", harmless(string(w.SessionID)),
		labelled(" at station ", string(w.StationID)), labelled(", connector ",
			string(w.ConnectorID)), labelled(", user ", string(w.UserID)),
		labelled(", ", string(w.Phase)))
	fmt.Fprintf(&text, "answer    %s\n", harmless(w.Summary))
	if len(w.AlsoAtStations) > 0 {
		fmt.Fprintf(&text, "also at   %s: choose one with --station\n",
			harmless(joinIDs(w.AlsoAtStations)))
	}
	writeReceived(&text, w.Received)
	writeLetters(&text, w.DeadLetters)
	writeList(&text, "missing", w.Missing)
	fmt.Fprintf(&text, "\ndue       %s%s\n", labelledTime(w.Due.At, ": "), harmless(w.Due.Text))
	writeTariff(&text, &w.Tariff)
	if w.InvoiceID != "" {
		fmt.Fprintf(&text, "document  %s, %s%s; %d in all, see \"chargestream invoices show %s\"\n",
			harmless(w.InvoiceID), w.Status, labelled(", ", strings.TrimSpace(w.Total+" "+
				w.Currency)), w.Documents, harmless(string(w.SessionID)))
	}
	for i := range w.Held {
		h := &w.Held[i]
		fmt.Fprintf(&text, "\nheld      %s: %s\n", harmless(string(h.Reason)), harmless(h.Text))
		for _, next := range h.Next {
			fmt.Fprintf(&text, "  next    %s\n", harmless(next))
		}
	}
	return a.printf("%s", text.String())
}

func (a *app) printStationWhy(w *chargestream.StationWhy) error {
	if a.output == outputJSON {
		return a.printJSON(w)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "station   %s\nanswer    %s\n", harmless(string(w.StationID)),
		harmless(w.Summary))
	writeReceived(&text, w.Received)
	writeLetters(&text, w.DeadLetters)
	writeList(&text, "missing", w.Missing)
	text.WriteString("\n")
	writeTariff(&text, &w.Tariff)
	if w.HeldCount > 0 {
		fmt.Fprintf(&text, "\nheld      %s; \"chargestream why SESSION\" says what can be "+
			"done\n", documents.Counted(w.HeldCount, "bill", "bills"))
		for i := range w.Held {
			h := &w.Held[i]
			fmt.Fprintf(&text, "  %s: %s\n", harmless(string(h.SessionID)),
				harmless(joinReasons(h.HoldReasons)))
		}
	}
	return a.printf("%s", text.String())
}

func writeReceived(w io.Writer, list []chargestream.Received) {
	fmt.Fprintln(w, "\nreceived")
	if len(list) == 0 {
		fmt.Fprintln(w, "  nothing that was folded")
		return
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range list {
		fmt.Fprintf(table, "  %s\t%s\t%s%s\n", harmless(r.What), cmp.Or(r.Time.String(), "-"),
			harmless(r.Text), labelled(", arrived ", r.Arrival.String()))
	}
	// A strings.Builder takes everything.
	table.Flush()
}

func writeLetters(w io.Writer, list []chargestream.DeadLetter) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintln(w, "\nnot folded: dead letters")
	for i := range list {
		d := &list[i]
		of := "of the station"
		if d.NamesSession {
			of = "names the session"
		}
		fmt.Fprintf(w, "  %s  %s/%s@%s  %s, %s: %s\n    %s\n", d.Time, harmless(d.SourceTopic),
			harmless(d.SourcePartition), harmless(d.SourceOffset), harmless(d.Reason), of,
			harmless(d.Error), harmless(d.Value))
	}
}

func writeList(w io.Writer, title string, list []string) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", title)
	for _, text := range list {
		fmt.Fprintf(w, "  - %s\n", harmless(text))
	}
}

func writeTariff(w io.Writer, t *chargestream.TariffWhy) {
	name := ""
	if t.ValidFrom != 0 {
		name = fmt.Sprintf("%s of %s: ", harmless(string(t.TariffID)), t.ValidFrom)
	}
	fmt.Fprintf(w, "tariff    %s%s\n", name, harmless(t.Text))
}

func labelledTime(at chargestream.Millis, behind string) string {
	if at == 0 {
		return ""
	}
	return at.String() + behind
}

func joinIDs[T ~string](ids []T) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = string(id)
	}
	return strings.Join(texts, ", ")
}
