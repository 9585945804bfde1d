package tabletest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"chargestream"
	"chargestream/tables"
)

// Printer gives what the commands print that show rows:
//
//	row                     prints the station's row
//	changed                 prints the rows of sessions and hours that changed since it was used
//	connectors              prints the station as the views show it
//	session SESSION         prints a row
//	hour CONNECTOR TIME     prints a row
//	utilization CONNECTOR TIME
type Printer struct {
	*Rows
	printed map[string]string // what changed has printed, by what it is of
}

// NewPrinter is a printer of rows.
func NewPrinter(rows *Rows) *Printer { return &Printer{Rows: rows, printed: map[string]string{}} }

// Do implements Machine.
func (p *Printer) Do(command string, w *Words) (string, error) {
	switch command {
	case "row":
		return ShowStation(p.Station), nil
	case "changed":
		return OrNone(p.changed()), nil
	case "connectors":
		return ShowConnectors(p.Station.State(nil)), nil
	case "session":
		if row := p.Sessions[chargestream.SessionID(w.Next())]; row != nil {
			return fmt.Sprintf("%s: %s\n", row.Phase(), ShowSession(row)), nil
		}
		return OrNone(""), nil
	case "hour":
		if key := w.key(); p.Hours[key] != nil {
			return ShowHour(p.Hours[key]) + "\n", nil
		}
		return OrNone(""), nil
	case "utilization":
		if key := w.key(); p.Hours[key] != nil {
			return ShowUtilization(p.Hours[key].Utilization(key)), nil
		}
		return OrNone(""), nil
	}
	return "", ErrCommand
}

func (w *Words) key() tables.HourKey {
	return Key(chargestream.ConnectorID(w.Next()), w.Time())
}

// changed gives the rows that are printed in another way than they were before.
func (p *Printer) changed() string {
	var b strings.Builder
	show := func(name, text string) {
		if p.printed[name] != text {
			p.printed[name] = text
			b.WriteString(name + ": " + text + "\n")
		}
	}
	for _, id := range slices.Sorted(maps.Keys(p.Sessions)) {
		show("session "+string(id), ShowSession(p.Sessions[id]))
	}
	for _, key := range slices.SortedFunc(maps.Keys(p.Hours), compareKeys) {
		show(fmt.Sprintf("hour %s %s", key.ConnectorID, Clock(key.Start)), ShowHour(p.Hours[key]))
	}
	return b.String()
}

func compareKeys(a, b tables.HourKey) int {
	return cmp.Or(cmp.Compare(a.ConnectorID, b.ConnectorID), cmp.Compare(a.Start, b.Start))
}
