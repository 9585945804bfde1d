package main

import (
	"fmt"
	"strconv"
	"strings"

	"chargestream/documents"
	"chargestream/ingest"
)

// printDryRun writes what a file holds: as JSON, else the warnings last, where they are seen.
func (a *app) printDryRun(answer *importAnswer) error {
	if a.output == outputJSON {
		return a.printJSON(answer)
	}
	s := answer.Summary
	var text strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&text, "%-10s%s\n", name, harmless(fmt.Sprintf(format, args...)))
	}
	line("sessions", "%d, %d of them with an end; nothing is written", answer.Sessions, answer.Ends)
	if answer.Skipped > 0 {
		line("bad rows", "%d, which cannot be read and are in nothing else here", answer.Skipped)
	}
	if answer.Sessions > 0 {
		line("times", "%s to %s", s.From, s.To)
	}
	energy := kilowattHours(s.EnergyWh)
	if s.WithoutEnd > 0 {
		energy += fmt.Sprintf(", %s of it in sessions without an end",
			kilowattHours(s.EnergyWithoutEndWh))
	}
	line("energy", "%s", energy)
	line("users", "%d", s.Users)
	line("stations", "%d, with %s", s.Stations,
		documents.Counted(s.Connectors, "connector", "connectors"))
	line("would be", "%s", countsOf(answer.Produced))
	if err := a.printf("%s", text.String()); err != nil {
		return err
	}
	if err := a.printLines("longest", s.Longest); err != nil {
		return err
	}
	if err := a.printLines("largest", s.Largest); err != nil {
		return err
	}
	if err := a.printFirst(answer.First); err != nil {
		return err
	}
	if len(s.Warnings) == 0 {
		return a.printf("\nwarnings  none\n")
	}
	return a.printf("\nwarnings\n  - %s\n", harmlessLines(strings.Split(
		strings.Join(s.Warnings, "\n  - "), "\n")))
}

// printImported writes what an import produced.
func (a *app) printImported(answer *importAnswer) error {
	if a.output == outputJSON {
		return a.printJSON(answer)
	}
	text := fmt.Sprintf("imported %s: %s\n",
		documents.Counted(answer.Sessions, "session", "sessions"), countsOf(answer.Produced))
	if answer.Skipped > 0 {
		text += fmt.Sprintf("- %s left out\n", documents.Counted(answer.Skipped,
			"row that cannot be read is", "rows that cannot be read are"))
	}
	if answer.Repeated > 0 {
		text += fmt.Sprintf("- %s the session_id of an earlier one\n",
			documents.Counted(answer.Repeated, "row has", "rows have"))
	}
	return a.printf("%s", text)
}

// countsOf are numbers of records by topic, in the order of the topics.
func countsOf(counts map[string]int) string {
	var records []string
	for _, name := range sendTopics() {
		if n := counts[name]; n > 0 {
			records = append(records, fmt.Sprintf("%s to %s",
				documents.Counted(n, "record", "records"), name))
		}
	}
	if len(records) == 0 {
		return "no record"
	}
	return strings.Join(records, ", ")
}

// printLines writes the sessions of a file that are the longest, or the largest.
func (a *app) printLines(what string, lines []ingest.Line) error {
	if len(lines) == 0 {
		return nil
	}
	if err := a.printf("\n%s\n", what); err != nil {
		return err
	}
	columns := []column{{title: "LINE"}, {title: "SESSION", give: 1}, {title: "STATION", give: 2},
		{title: "START"}, {title: "DURATION"}, {title: "ENERGY"}}
	var rows [][]string
	for i := range lines {
		l := &lines[i]
		rows = append(rows, []string{strconv.Itoa(l.Line), preview(string(l.SessionID)),
			preview(string(l.StationID)), l.Start.String(), l.Duration, kilowattHours(l.EnergyWh)})
	}
	return a.printTable(columns, rows)
}

// printFirst writes the first record of each topic, so that it is seen what becomes of a row.
func (a *app) printFirst(first []shownRecord) error {
	columns := []column{{title: "TOPIC"}, {title: "KEY", give: 1}, {title: "FIRST RECORD", give: 2}}
	var rows [][]string
	seen := map[string]bool{}
	for _, r := range first {
		if !seen[r.Topic] {
			seen[r.Topic] = true
			rows = append(rows, []string{r.Topic, preview(r.Key), preview(string(r.Value))})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	if err := a.printf("\n"); err != nil {
		return err
	}
	return a.printTable(columns, rows)
}
