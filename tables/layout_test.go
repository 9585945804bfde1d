package tables

import "testing"

// TestLayout holds Layout against the versions of the rows: where a row is written in another way,
// its version and Layout are raised together, or tables of the old kind would be read as new ones.
func TestLayout(t *testing.T) {
	type versions struct{ station, session, hour, registry, tariff int }
	known := map[int]versions{
		3: {station: 3, session: 3, hour: 3, registry: 1, tariff: 1},
		4: {station: 4, session: 3, hour: 3, registry: 1, tariff: 1},
	}
	now := versions{stationVersion, sessionVersion, hourVersion, registryVersion, tariffVersion}
	if known[Layout] != now {
		t.Errorf("layout %d has rows of the versions %+v, and they are %+v now: raise Layout in "+
			"tables/rows.go and add a line here", Layout, known[Layout], now)
	}
}
