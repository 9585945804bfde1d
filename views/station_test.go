package views_test

import (
	"errors"
	"strings"
	"testing"

	"chargestream"
	"chargestream/tables"
	"chargestream/views"
	"chargestream/web"

	"github.com/google/go-cmp/cmp"
)

// newStations has one station of each way to be known.
func newStations(t *testing.T) *city {
	t.Helper()
	c := newCity()
	c.receive(t, status("both", "2", "Available"), status("reports", "1", "Charging"),
		status("typo", "1", "Faulted"))
	put(t, c.registry, "both", chargestream.StationInfo{StationID: "both", SiteID: "north",
		MaxPower: 150000, Connectors: []chargestream.ConnectorInfo{
			{ConnectorID: "3", Type: "CHADEMO", MaxPower: 50000},
			{ConnectorID: "1", Type: "IEC_62196_T2_COMBO"},
			{ConnectorID: "2", Type: "IEC_62196_T2", MaxPower: 22000}}})
	put(t, c.registry, "silent", chargestream.StationInfo{StationID: "another", SiteID: "south",
		Connectors: []chargestream.ConnectorInfo{{ConnectorID: "1", Type: "CHADEMO"},
			{ConnectorID: "1", Type: "CHADEMO"}}})
	c.registry.set("typo", []byte("R\xff"))
	return c
}

func TestStationJoinsTheRegistry(t *testing.T) {
	c := newStations(t)
	unknown := func(id chargestream.ConnectorID) chargestream.ConnectorState {
		return chargestream.ConnectorState{ConnectorID: id}
	}
	both := chargestream.StationInfo{StationID: "both", SiteID: "north", MaxPower: 150000,
		Connectors: []chargestream.ConnectorInfo{
			{ConnectorID: "3", Type: "CHADEMO", MaxPower: 50000},
			{ConnectorID: "1", Type: "IEC_62196_T2_COMBO"},
			{ConnectorID: "2", Type: "IEC_62196_T2", MaxPower: 22000}}}
	want := map[chargestream.StationID]chargestream.StationState{
		"both": {StationID: "both", Info: &both, LastSeen: moment(0),
			Connectors: []chargestream.ConnectorState{unknown("1"), {ConnectorID: "2",
				State: chargestream.StateAvailable, Status: "Available", Since: moment(0)},
				unknown("3")}},
		"reports": {StationID: "reports", LastSeen: moment(0),
			Connectors: []chargestream.ConnectorState{{ConnectorID: "1", Charging: true,
				State: chargestream.StateOccupied, Status: "Charging", Since: moment(0)}}},
		"typo": {StationID: "typo", LastSeen: moment(0),
			Connectors: []chargestream.ConnectorState{{ConnectorID: "1",
				State: chargestream.StateFaulted, Status: "Faulted", Since: moment(0)}}},
		"silent": {StationID: "silent", Info: &chargestream.StationInfo{StationID: "silent",
			SiteID: "south", Connectors: []chargestream.ConnectorInfo{
				{ConnectorID: "1", Type: "CHADEMO"}, {ConnectorID: "1", Type: "CHADEMO"}}},
			Connectors: []chargestream.ConnectorState{unknown("1")}},
	}
	for id, state := range want {
		got, err := c.views.Station(t.Context(), id)
		if err != nil {
			t.Errorf("station %s: %v", id, err)
			continue
		}
		if diff := cmp.Diff(&state, got); diff != "" {
			t.Errorf("station %s (-want +got):\n%s", id, diff)
		}
	}
	if _, err := c.views.Station(t.Context(), "none"); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("a station that is not there: %v", err)
	}
	c.wantCorrupt(t, map[string]int{"registry-table": 1}, "typo")
}

func TestStationsFilter(t *testing.T) {
	c := newStations(t)
	for what, test := range map[string]struct {
		filter web.StationFilter
		want   []string
	}{
		"all":  {web.StationFilter{}, []string{"both", "reports", "silent", "typo"}},
		"site": {web.StationFilter{SiteID: "south"}, []string{"silent"}},
		"state": {web.StationFilter{State: ptr(chargestream.StateAvailable)},
			[]string{"both"}},
		"never reported": {web.StationFilter{State: ptr(chargestream.StateUnknown)},
			[]string{"both", "silent"}},
		"type":  {web.StationFilter{ConnectorType: "chademo"}, []string{"both", "silent"}},
		"power": {web.StationFilter{MinPower: 100000}, []string{"both"}},
		"free and fast": {web.StationFilter{State: ptr(chargestream.StateAvailable),
			MinPower: 50000}, nil},
	} {
		test.filter.Page = everything()
		got, err := c.views.Stations(t.Context(), test.filter)
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		wantKeys(t, what, got, web.StationKey, test.want...)
	}
}

func TestCorruptStations(t *testing.T) {
	c := newStations(t)
	c.stations.set("broken", []byte("S\x01"))
	c.stations.set("later", []byte("S\xff"))
	c.registry.set("broken", c.registry.rows["silent"])
	c.registry.set("null", []byte("null"))
	for range 3 {
		got, err := c.views.Stations(t.Context(), web.StationFilter{Page: everything()})
		if err != nil {
			t.Fatal(err)
		}
		wantKeys(t, "list", got, web.StationKey, "both", "reports", "silent", "typo")
		for _, id := range []chargestream.StationID{"broken", "later", "null"} {
			_, err := c.views.Station(t.Context(), id)
			if !errors.Is(err, views.ErrCorrupt) || !strings.Contains(err.Error(), string(id)) {
				t.Errorf("station %s: %v", id, err)
			}
		}
	}
	c.wantCorrupt(t, map[string]int{"stations-table": 2, "registry-table": 2},
		"broken", "later", "null", "typo")
}

// TestTakenOutOfTheRegistry: the last entry counts, and one that was taken out is none.
func TestTakenOutOfTheRegistry(t *testing.T) {
	c := newCity()
	row := tables.Registry{}
	for i, info := range []*chargestream.StationInfo{{StationID: "a", Name: "old"},
		{StationID: "a", Name: "new", SiteID: "north"}, nil} {
		if _, err := row.Add(moment(i), info); err != nil {
			t.Fatal(err)
		}
		c.registry.set("a", row.Append(nil))
		got, err := c.views.Station(t.Context(), "a")
		switch {
		case info == nil && !errors.Is(err, web.ErrNotFound):
			t.Errorf("after it was taken out: %v, %v", got, err)
		case info != nil && (err != nil || got.Info.Name != info.Name):
			t.Errorf("%s: %v, %v", info.Name, got, err)
		}
	}
	list, err := c.views.Stations(t.Context(), web.StationFilter{Page: everything()})
	if err != nil || len(list) != 0 {
		t.Errorf("listed: %v, %v", list, err)
	}
}
