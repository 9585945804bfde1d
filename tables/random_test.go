package tables_test

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"chargestream"
	"chargestream/internal/tabletest"
	"chargestream/tables"
)

const (
	begin = tabletest.Begin
	// noon is 2026-03-02T12:00:00Z.
	noon    = begin + 12*chargestream.Hour
	minute  = chargestream.Minute
	quarter = chargestream.Quarter
	hour    = chargestream.Hour
	day     = chargestream.Day
	// theEnd is when no row of the random events is due any more.
	theEnd = begin + 30*day
)

func of[T any](v T) *T { return tabletest.Of(v) }

// must is the row of a decoder that was given what the row's own Append wrote.
func must[T any](row T, err error) T {
	if err != nil {
		panic(err)
	}
	return row
}

// failer is a test, or a case of a property.
type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

var (
	_ failer = (*testing.T)(nil)
	_ failer = (*rapid.T)(nil)
)

// fold folds events into rows.
func fold(t failer, rows *tabletest.Rows, list ...tabletest.Arrived) {
	t.Helper()
	for _, a := range list {
		if err := rows.Fold(a.Event, a.Arrival); err != nil {
			t.Fatal(err)
		}
	}
}

// rowsOf are the rows that events make.
func rowsOf(t failer, list ...tabletest.Arrived) *tabletest.Rows {
	t.Helper()
	rows := tabletest.NewRows()
	fold(t, rows, list...)
	return rows
}

func arrived(e chargestream.Event, arrival chargestream.Millis) tabletest.Arrived {
	return tabletest.Arrived{Event: e, Arrival: arrival}
}

func drawEvents(t *rapid.T) []tabletest.Arrived {
	if rapid.Bool().Draw(t, "crowd") {
		return tabletest.DrawCrowd(t)
	}
	return tabletest.DrawEvents(t)
}

// foldAnyhow folds events, with timers that fire at any stream time, and rows that are stored and
// read back, in between. In the end everything that is due is done.
func foldAnyhow(t *rapid.T, list []tabletest.Arrived) *tabletest.Rows {
	rows := tabletest.NewRows()
	for _, a := range list {
		fold(t, rows, a)
		var err error
		switch rapid.IntRange(0, 5).Draw(t, "then") {
		case 0:
			err = rows.Reload()
		case 1:
			err = rows.FireStation(tabletest.DrawTime(t, 900, "fire"))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.FireStation(theEnd); err != nil {
		t.Fatal(err)
	}
	return rows
}

// drawRows draws the rows of random events.
func drawRows(t *rapid.T) *tabletest.Rows { return foldAnyhow(t, drawEvents(t)) }

// drawHour draws an hour of random events, with any shares of the energy; the key is that of
// hourKey.
func drawHour(t *rapid.T) *tables.Hour {
	rows := tabletest.NewRows()
	fold(t, rows, tabletest.DrawCrowd(t)...)
	row := rows.Hours[hourKey]
	if row == nil {
		return &tables.Hour{}
	}
	for i := range row.Sessions {
		if s := &row.Sessions[i]; s.From != 0 {
			s.Energy = chargestream.WattHours(rapid.IntRange(0, 9000).Draw(t, "share"))
		}
	}
	row.Closed = rapid.Bool().Draw(t, "closed")
	return row
}

// hourKey is the key of the first hour of connector 1.
var hourKey = tabletest.Key("1", begin)

func sorted[V any](m map[chargestream.SessionID]V) []chargestream.SessionID {
	return slices.Sorted(maps.Keys(m))
}
