package views_test

import (
	"testing"

	"chargestream"
	"chargestream/tables"
	"chargestream/web"

	"github.com/google/go-cmp/cmp"
)

// count writes a window as the processors do, and returns its key.
func (c *city) count(
	t *testing.T, station chargestream.StationID, connector chargestream.ConnectorID, hour int,
) string {
	t.Helper()
	key := tables.HourKey{StationID: station, ConnectorID: connector, Start: moment(60 * hour)}
	put(t, c.utilization, key.String(), (&tables.Hour{}).Utilization(key))
	return key.String()
}

func TestUtilizationFilter(t *testing.T) {
	c := newCity()
	var all []string
	for _, station := range []chargestream.StationID{"A", "A/1", "AB"} {
		for _, connector := range []chargestream.ConnectorID{"1", "10"} {
			for hour := range 3 {
				all = append(all, c.count(t, station, connector, hour))
			}
		}
	}
	got, err := c.views.Utilization(t.Context(), web.UtilizationFilter{Page: everything()})
	if err != nil || len(got) != len(all) {
		t.Errorf("%d windows instead of %d: %v", len(got), len(all), err)
	}
	pick := func(picked ...int) []string {
		var keys []string
		for _, i := range picked {
			keys = append(keys, all[i])
		}
		return keys
	}
	for what, test := range map[string]struct {
		filter web.UtilizationFilter
		want   []string
	}{
		"station": {web.UtilizationFilter{StationID: "AB"}, pick(12, 13, 14, 15, 16, 17)},
		"station that others begin with": {web.UtilizationFilter{StationID: "A",
			From: moment(120)}, pick(2, 5)},
		"connector": {web.UtilizationFilter{StationID: "A", ConnectorID: "1"}, pick(0, 1, 2)},
		"connector of any station": {web.UtilizationFilter{ConnectorID: "10",
			From: moment(60), To: moment(120)}, pick(10, 4, 16)},
		"from": {web.UtilizationFilter{StationID: "AB", ConnectorID: "1", From: moment(60)},
			pick(13, 14)},
		"to": {web.UtilizationFilter{StationID: "AB", ConnectorID: "1", To: moment(60)},
			pick(12)},
	} {
		test.filter.Page = everything()
		got, err := c.views.Utilization(t.Context(), test.filter)
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		wantKeys(t, what, got, web.UtilizationKey, test.want...)
	}
}

func TestUtilizationOfAStationReadsNoOthers(t *testing.T) {
	c := newCity()
	var own []string
	for hour := range 3 {
		own = append(own, c.count(t, "A", "1", hour))
		c.count(t, "A", "10", hour)
		c.count(t, "A", "2", hour)
		c.count(t, "B", "1", hour)
	}
	var asked []string
	c.utilization.onGet = func(key string) { asked = append(asked, key) }
	_, err := c.views.Utilization(t.Context(), web.UtilizationFilter{StationID: "A",
		ConnectorID: "1", Page: everything()})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(own, asked); diff != "" {
		t.Errorf("rows read (-want +got):\n%s", diff)
	}
}

func TestCorruptUtilization(t *testing.T) {
	c := newCity()
	good := c.count(t, "A", "1", 0)
	c.utilization.set("A/1/noon", c.utilization.rows[good])
	got, err := c.views.Utilization(t.Context(), web.UtilizationFilter{Page: everything()})
	if err != nil {
		t.Fatal(err)
	}
	wantKeys(t, "list", got, web.UtilizationKey, good)
	c.wantCorrupt(t, map[string]int{"utilization": 1}, "A/1/noon")
}
