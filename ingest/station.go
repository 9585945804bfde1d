package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"chargestream"
	"chargestream/codecs"
	"chargestream/topics"
)

// registry gathers the stations that the rows of a file name. A nil registry gathers nothing.
type registry struct {
	columns  *stationMap
	stations map[chargestream.StationID]*stationEntry
}

// stationEntry is a station with the types that its connectors were seen with.
type stationEntry struct {
	info    chargestream.StationInfo
	types   map[chargestream.ConnectorID]map[string]int
	ratings map[chargestream.ConnectorID]chargestream.Watts
}

func newRegistry(m *stationMap) *registry {
	if m == nil {
		return nil
	}
	return &registry{columns: m, stations: map[chargestream.StationID]*stationEntry{}}
}

// learn takes what a row tells of its station.
func (g *registry) learn(r *row) error {
	if g == nil {
		return nil
	}
	seen, err := g.columns.info(r)
	if err != nil {
		return fmt.Errorf("stations: %w", err)
	}
	connector := chargestream.ConnectorID(g.columns.ConnectorID.text(r))
	if connector == "" {
		connector = chargestream.ConnectorDefault
	}
	if err := codecs.CheckID("connector_id", string(connector)); err != nil {
		return fmt.Errorf("stations: %w", err)
	}
	rating, err := g.columns.rating(r)
	if err != nil {
		return fmt.Errorf("stations: %w", err)
	}
	entry := g.stations[seen.StationID]
	if entry == nil {
		entry = &stationEntry{types: map[chargestream.ConnectorID]map[string]int{},
			ratings: map[chargestream.ConnectorID]chargestream.Watts{}}
		g.stations[seen.StationID] = entry
	}
	entry.merge(seen)
	if rating != 0 {
		entry.ratings[connector] = rating
	}
	if entry.types[connector] == nil {
		entry.types[connector] = map[string]int{}
	}
	if kind := g.columns.ConnectorType.text(r); kind != "" {
		entry.types[connector][kind]++
	}
	return nil
}

// info is a row's station without its connectors.
func (m *stationMap) info(r *row) (chargestream.StationInfo, error) {
	info := chargestream.StationInfo{
		StationID: chargestream.StationID(m.StationID.text(r)),
		Name:      m.Name.text(r),
		SiteID:    chargestream.SiteID(m.SiteID.text(r)),
		TimeZone:  m.TimeZone.text(r),
		Region:    m.Region.text(r),
		TariffID:  chargestream.TariffID(m.TariffID.text(r)),
	}
	problems := []error{codecs.CheckID("station_id", string(info.StationID))}
	for _, text := range []struct{ field, text string }{{"name", info.Name},
		{"region", info.Region}, {"site_id", string(info.SiteID)},
		{"tariff_id", string(info.TariffID)}} {
		if text.text != "" {
			problems = append(problems, codecs.CheckID(text.field, text.text))
		}
	}
	if _, err := loadZone(info.TimeZone); err != nil && info.TimeZone != "" {
		problems = append(problems, &codecs.Refusal{Field: "time_zone",
			Value: codecs.Quoted(info.TimeZone), Problem: "is no IANA name",
			Expected: "a name such as Europe/Paris is taken", Do: "mend the map or the cell"})
	}
	problems = append(problems,
		m.Latitude.degrees(&info.Latitude, "lat", r, 90),
		m.Longitude.degrees(&info.Longitude, "lon", r, 180))
	return info, errors.Join(problems...)
}

// degrees reads a coordinate; it stays zero where it is absent.
func (f *field) degrees(at *float64, name string, r *row, most float64) error {
	text := f.text(r)
	if text == "" {
		return nil
	}
	number, err := f.marks.plain(name, text)
	if err != nil {
		return err
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(v) || math.Abs(v) > most {
		return &codecs.Refusal{Field: name, Value: codecs.Quoted(text),
			Problem:  "is no number of degrees",
			Expected: fmt.Sprintf("-%g to %g is taken", most, most),
			Do:       "mend the cell, and look whether lat and lon are swapped"}
	}
	*at = v
	return nil
}

// rating is the rating of a row's connector; zero where it has none.
func (m *stationMap) rating(r *row) (chargestream.Watts, error) {
	if m.MaxPowerKW != nil {
		return m.MaxPowerKW.power("max_power_kw", r)
	}
	return m.MaxPowerW.power("max_power_w", r)
}

// merge lets what a later row tells replace what an earlier one told.
func (e *stationEntry) merge(seen chargestream.StationInfo) {
	e.info.StationID = seen.StationID
	replace(&e.info.Name, seen.Name)
	replace(&e.info.SiteID, seen.SiteID)
	replace(&e.info.TimeZone, seen.TimeZone)
	replace(&e.info.Region, seen.Region)
	replace(&e.info.TariffID, seen.TariffID)
	if seen.Latitude != 0 || seen.Longitude != 0 {
		e.info.Latitude, e.info.Longitude = seen.Latitude, seen.Longitude
	}
}

func replace[T ~string](old *T, seen T) {
	if seen != "" {
		*old = seen
	}
}

// records are the registry entries, by key.
func (g *registry) records() ([]Record, error) {
	if g == nil {
		return nil, nil
	}
	records := make([]Record, 0, len(g.stations))
	for _, id := range slices.Sorted(maps.Keys(g.stations)) {
		entry := g.stations[id]
		for _, connector := range slices.Sorted(maps.Keys(entry.types)) {
			entry.info.Connectors = append(entry.info.Connectors, chargestream.ConnectorInfo{
				ConnectorID: connector, Type: mostSeen(entry.types[connector]),
				MaxPower: entry.ratings[connector]})
		}
		value, err := json.Marshal(entry.info)
		if err != nil {
			return nil, fmt.Errorf("write station %s: %w", id, err)
		}
		if len(value) > topics.RecordBytesMax {
			return nil, fmt.Errorf("station %s: its entry has %d bytes, at most %d are allowed",
				id, len(value), topics.RecordBytesMax)
		}
		records = append(records, Record{Topic: topics.Stations, Key: string(id), Value: value})
	}
	return records, nil
}

// mostSeen is the word that was counted most often, of equals the first in the alphabet.
func mostSeen(counts map[string]int) string {
	most := ""
	for _, word := range slices.Sorted(maps.Keys(counts)) {
		if most == "" || counts[word] > counts[most] {
			most = word
		}
	}
	return most
}
