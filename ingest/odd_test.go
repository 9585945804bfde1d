package ingest_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream/ingest"
)

// oddFile is a file of an operator as it is, with its map and the figures that another program
// computed of it.
type oddFile struct {
	name, columns string
	rows, bad     int
	want          ingest.Summary // without lists
	longest       string         // the longest and the largest sessions, each with its amount
	largest       string
	// The starts and ends of sessions of which the clocks made a doubt.
	starts, ends map[string]string
}

func oddFiles() []oddFile {
	return []oddFile{
		{name: "boulder-odd.csv", columns: `
time_zone: America/Denver
sessions:
  session_id: {column: ObjectId}
  station_id: {column: Station_Name}
  start_time: {column: Start_Date___Time, format: "2006/01/02 15:04:05",
    zone_column: Start_Time_Zone}
  end_time: {column: End_Date___Time, format: "2006/01/02 15:04:05", zone_column: End_Time_Zone}
  duration: {column: Total_Duration__hh_mm_ss_}
  energy_kwh: {column: Energy__kWh_}
`, rows: 15, want: ingest.Summary{From: 1514879340000, To: 1607729580000, EnergyWh: 65132,
			Stations: 9, Connectors: 9, WithoutEnd: 1, WithoutUser: 15},
			longest: "479 67:30:00, 5370 48:25:00, 499 45:50:00",
			largest: "5370 10792, 5391 9160, 15651 7803",
			ends: map[string]string{"492": "2018-03-11T09:23:00Z", "9100": "2019-03-10T11:46:00Z",
				"15928": "2019-11-03T07:14:00Z"}},
		{name: "dundee-raw-odd.csv", columns: `
time_zone: Europe/London
sessions:
  session_id: {column: Charging event}
  station_id: {column: CP ID}
  connector_id: {column: Connector}
  start_time: {join: [Start Date, Start Time], format: "02/01/2006 15:04"}
  end_time: {join: [End Date, End Time], format: "02/01/2006 15:04"}
  energy: {column: Total kWh, unit: kWh}
`, rows: 10, bad: 2, want: ingest.Summary{From: 1508260980000, To: 1512130020000,
			EnergyWh: 93423, EnergyWithoutEndWh: 7030, Stations: 5, Connectors: 6, WithoutEnd: 2,
			WithoutUser: 10, WithoutEnergy: 1},
			longest: "4018375 2:19:00, 3944224 0:27:00, 3944166 0:25:00",
			largest: "3944224 16000, 3946076 15640, 4018375 12873",
			ends: map[string]string{"3944166": "2017-10-29T01:20:00Z",
				"3944164": "2017-10-29T01:08:00Z", "3946076": "2017-10-29T01:06:00Z",
				"3944220": "2017-10-29T02:00:00Z"},
			// It began after 3944166 had ended on its connector, which one moment alone allows.
			starts: map[string]string{"3944220": "2017-10-29T01:44:00Z"}},
		{name: "lugano-odd.csv", columns: `
time_zone: Europe/Zurich
absent: [Sconosciuto]
sessions:
  session_id: {column: ChargeLogId}
  station_id: {column: ChargingStationId}
  connector_id: {column: Plug}
  user_id: {column: UserId}
  start_time: {join: [BeginDate, BeginHour], formats: ["01.02.06 15:04", "01/02/2006 15:04"]}
  end_time: {join: [EndDate, EndHour], formats: ["01.02.06 15:04", "01/02/2006 15:04"]}
  duration: {column: Durata min}
  energy_wh: {column: PowerConsumption}
`, rows: 8, want: ingest.Summary{From: 1483263000000, To: 1484312640000, EnergyWh: 150025, Users: 3,
			Stations: 4, Connectors: 5, WithoutUser: 5},
			longest: "151189 4:39:00, 153731 2:06:00, 153838 2:04:00",
			largest: "151189 60481, 153838 22077, 153781 21678"},
		{name: "norway-odd.csv", columns: `
delimiter: ";"
decimal: ","
time_zone: Europe/Oslo
sessions:
  session_id: {column: session_id}
  station_id: {column: location}
  connector_id: {column: user_id}
  user_id: {column: user_id}
  start_time: {column: plugin_time, format: iso8601}
  end_time: {column: plugout_time, format: iso8601}
  duration: {column: connection_time, unit: h}
  energy: {column: energy_session, unit: kWh}
`, rows: 14, want: ingest.Summary{From: 1540690680000, To: 1616476740000, EnergyWh: 283875,
			EnergyWithoutEndWh: 75730, Users: 9, Stations: 6, Connectors: 9, WithoutEnd: 3},
			longest: "OSL_T_5150 119:55:00, KRO_3 64:07:50, BAR_2_207 41:03:00",
			largest: "BAR_2_827 47300, KRO_4 33395, ASK_14273 27670",
			ends:    map[string]string{"OSL_S_3456": "2018-10-28T07:19:00Z"}},
	}
}

// odd reads a file of the shared data; it skips where there is none.
func odd(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join("..", "..", "shared", "data", "csv-odd", name)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("real data is absent: %s", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestOddFiles reads files of four operators, and the same with the line ends of other systems.
func TestOddFiles(t *testing.T) {
	for _, f := range oddFiles() {
		t.Run(f.name, func(t *testing.T) {
			text := odd(t, f.name)
			unix := strings.ReplaceAll(text, "\r\n", "\n")
			for _, same := range []string{text, unix, strings.ReplaceAll(unix, "\n", "\r\n"),
				"\ufeff" + strings.TrimPrefix(unix, "\ufeff")} {
				f.check(t, same)
			}
		})
	}
}

func (f *oddFile) check(t *testing.T, text string) {
	t.Helper()
	got := read(t, parse(t, f.columns), text)
	if got.Rows != f.rows || got.BadRows != f.bad {
		t.Errorf("%d rows, %d bad: %v", got.Rows, got.BadRows, got.Bad)
	}
	s := got.Summary
	var longest, largest []string
	for _, l := range s.Longest[:3] {
		longest = append(longest, fmt.Sprintf("%s %s", l.SessionID, l.Duration))
	}
	for _, l := range s.Largest[:3] {
		largest = append(largest, fmt.Sprintf("%s %d", l.SessionID, l.EnergyWh))
	}
	if diff := cmp.Diff(f.longest+"; "+f.largest, strings.Join(longest, ", ")+"; "+
		strings.Join(largest, ", ")); diff != "" {
		t.Errorf("longest and largest (-want +got):\n%s", diff)
	}
	s.Longest, s.Largest, s.Warnings = nil, nil, nil
	if diff := cmp.Diff(f.want, s); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	for field, times := range map[string]map[string]string{"start_time": f.starts,
		"end_time": f.ends} {
		for id, at := range times {
			if !slices.ContainsFunc(got.Events, func(r ingest.Record) bool {
				return strings.Contains(string(r.Value), fmt.Sprintf(`"session_id":%q`, id)) &&
					strings.Contains(string(r.Value), fmt.Sprintf(`%q:%q`, field, at))
			}) {
				t.Errorf("session %s has no %s %s", id, field, at)
			}
		}
	}
}
