package ingest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream"
	"chargestream/codecs"
	"chargestream/ingest"
	"chargestream/internal/oracle"
	"chargestream/topics"
)

const parisFile = "belib-paris-2017/sessions_joined_arrival_order.csv"

// paris reads the real sessions with the map of the examples.
func paris(t *testing.T) (*ingest.Sessions, string) {
	t.Helper()
	path := filepath.Join("..", "..", "shared", "data", parisFile)
	file, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("real data is absent: %s", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join("..", "examples", "belib-paris-2017.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, parse(t, string(text)), string(file))
	t.Logf("read %d real sessions from %s", got.Rows, path)
	return got, path
}

func TestParis(t *testing.T) {
	got, _ := paris(t)
	if got.Rows != 6808 || got.Starts != 6808 || got.Ends != 6804 || got.BadRows != 0 {
		t.Errorf("%d rows, %d starts, %d ends, bad: %v", got.Rows, got.Starts, got.Ends, got.Bad)
	}
	if len(got.Events) != 13612 || len(got.Stations) != 36 {
		t.Errorf("%d events and %d stations", len(got.Events), len(got.Stations))
	}
	connectors := 0
	for _, r := range got.Stations {
		var info chargestream.StationInfo
		if err := json.Unmarshal(r.Value, &info); err != nil {
			t.Fatal(err)
		}
		connectors += len(info.Connectors)
		if info.TariffID != "belib" || info.Latitude == 0 || string(info.StationID) != r.Key {
			t.Errorf("station %+v", info)
		}
	}
	if connectors != 118 {
		t.Errorf("%d connectors, want 118", connectors)
	}
	if !slices.IsSortedFunc(got.Events, func(a, b ingest.Record) int {
		return int(a.Arrival - b.Arrival)
	}) {
		t.Error("the events are not in the order of their arrival")
	}
	again, _ := paris(t)
	if diff := cmp.Diff(tell(got.Events), tell(again.Events)); diff != "" {
		t.Errorf("read twice (-first +second):\n%s", diff)
	}
}

// TestParisMeetsOracle compares every event with what an independent reader sees in the file.
func TestParisMeetsOracle(t *testing.T) {
	got, path := paris(t)
	rows, err := oracle.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]oracle.Row{}
	for _, r := range rows {
		r.Type = "" // which the registry tells, not the events
		want[r.ID] = r
	}
	seen := map[string]oracle.Row{}
	for _, r := range got.Events {
		event, err := codecs.DecodeSession(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		switch e := event.(type) {
		case *chargestream.SessionStart:
			seen[string(e.SessionID)] = oracle.Row{ID: string(e.SessionID), Station: r.Key,
				Connector: string(e.ConnectorID), User: string(e.UserID), StartMs: int64(e.Time),
				StartArrivalMs: int64(r.Arrival)}
		case *chargestream.SessionEnd:
			row, started := seen[string(e.SessionID)]
			if !started {
				t.Fatalf("session %s ends before it starts", e.SessionID)
			}
			row.HasEnd, row.EndMs, row.EndArrivalMs = true, int64(e.Time), int64(r.Arrival)
			if e.Energy != nil {
				row.HasEnergy, row.EnergyWh = true, int64(*e.Energy)
			}
			seen[row.ID] = row
		}
	}
	for id, row := range want {
		if !row.HasEnd {
			row.HasEnergy, row.EnergyWh = false, 0
			want[id] = row
		}
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("sessions (-file +events):\n%s", diff)
	}
}

func TestParisTariff(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "examples", "belib-paris-2017-tariffs.json"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ingest.ReadTariffs(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Key != "belib" || got[0].Topic != topics.Tariffs ||
		!bytes.Contains(got[0].Value, []byte(`"type":"TIME","price":1.20,"vat":20,"step_size":1`)) {
		t.Errorf("tariffs %v", tell(got))
	}
}
