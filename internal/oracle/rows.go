package oracle

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
)

// Bounds of what a row may tell, so that no sum or product here leaves an int64.
const (
	secondsMax = 10_000_000_000 // the year 2286
	energyMax  = 1_000_000_000  // Wh in one session
)

var errAbsent = errors.New("absent")

// Row is one session record of the file, with the times at which its start and its end arrived.
// EndMs and EndArrivalMs are zero where the session was never closed. HasEnergy tells only what
// the file tells: of a session without an end, no event carries the energy.
type Row struct {
	ID             string
	Station        string
	Connector      string // plug_ref, or charge_point_ref where that is empty
	Type           string // of the connector, in the operator's word; empty where it is not told
	User           string
	StartMs        int64
	StartArrivalMs int64
	HasEnd         bool
	EndMs          int64
	EndArrivalMs   int64 // the later of ingested_at and stopped_at
	HasEnergy      bool
	EnergyWh       int64
}

// Read reads the rows of the CSV file at path. Columns are found by their names in the first
// line. A missing column, a number out of bounds and an id that comes twice are errors that name
// the line.
func Read(path string) (rows []Row, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open sessions: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return parse(f)
}

func parse(r io.Reader) ([]Row, error) {
	records := csv.NewReader(r)
	head, err := records.Read()
	if err != nil {
		return nil, fmt.Errorf("read header: %w", err)
	}
	column := map[string]int{}
	for i, name := range head {
		column[name] = i
	}
	for _, name := range []string{"record_id", "ingested_at", "station_ref", "charge_point_ref",
		"plug_ref", "user", "started_at", "stopped_at", "energy_wh"} {
		if _, ok := column[name]; !ok {
			return nil, fmt.Errorf("column %s: %w", name, errAbsent)
		}
	}
	var rows []Row
	seen := map[string]bool{}
	for line := 2; ; line++ {
		record, err := records.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read line %d: %w", line, err)
		}
		row, err := rowOf(func(name string) string {
			if i, ok := column[name]; ok {
				return record[i]
			}
			return ""
		})
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		if seen[row.ID] {
			return nil, fmt.Errorf("line %d: record_id %q comes twice", line, row.ID)
		}
		seen[row.ID] = true
		rows = append(rows, row)
	}
}

func rowOf(cell func(name string) string) (Row, error) {
	row := Row{
		ID:        cell("record_id"),
		Station:   cell("station_ref"),
		Connector: cell("plug_ref"),
		Type:      cell("connector_type"),
		User:      cell("user"),
	}
	if row.Connector == "" {
		row.Connector = cell("charge_point_ref")
	}
	if row.ID == "" || row.Station == "" || row.Connector == "" {
		return Row{}, fmt.Errorf("record_id, station_ref or connector: %w", errAbsent)
	}
	ingested, err := number("ingested_at", cell("ingested_at"), secondsMax)
	if err != nil {
		return Row{}, err
	}
	started, err := number("started_at", cell("started_at"), secondsMax)
	if err != nil {
		return Row{}, err
	}
	row.StartMs, row.StartArrivalMs = started*secondMs, ingested*secondMs
	if text := cell("stopped_at"); text != "" && text != "0" {
		stopped, err := number("stopped_at", text, secondsMax)
		if err != nil {
			return Row{}, err
		}
		row.HasEnd = true
		row.EndMs, row.EndArrivalMs = stopped*secondMs, max(ingested, stopped)*secondMs
	}
	if text := cell("energy_wh"); text != "" {
		row.HasEnergy = true
		if row.EnergyWh, err = number("energy_wh", text, energyMax); err != nil {
			return Row{}, err
		}
	}
	return row, nil
}

func number(name, text string, most int64) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	if n < 0 || n > most {
		return 0, fmt.Errorf("%s: %d is not within 0 and %d", name, n, most)
	}
	return n, nil
}
