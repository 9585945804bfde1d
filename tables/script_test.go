package tables_test

import (
	"testing"

	"chargestream"
	"chargestream/internal/tabletest"
)

// TestScripts runs the scripts in testdata: see tabletest.RunScripts for the events, and
// tabletest.Printer for the commands that print. No session is billed, and the energy of sessions
// is not spread over their hours: package billing does both, and has scripts of its own.
func TestScripts(t *testing.T) {
	tabletest.RunScripts(t, *update, func() tabletest.Machine {
		return script{tabletest.NewPrinter(tabletest.NewRows())}
	})
}

// script is the rows of a script.
type script struct{ *tabletest.Printer }

// Fire implements tabletest.Machine.
func (s script) Fire(now chargestream.Millis) error { return s.FireStation(now) }

// Do implements tabletest.Machine. The command anomalies prints those of the station.
func (s script) Do(command string, w *tabletest.Words) (string, error) {
	if command != "anomalies" {
		return s.Printer.Do(command, w)
	}
	text := ""
	for _, a := range s.Station.Anomalies() {
		text += tabletest.ShowAnomaly(&a)
	}
	return tabletest.OrNone(text), nil
}
