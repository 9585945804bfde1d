package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"chargestream"
	"chargestream/topics"
)

// registry gathers the stations that the rows of a file name. A nil registry gathers nothing.
type registry struct {
	columns  *stationMap
	stations map[chargestream.StationID]*stationEntry
}

// stationEntry is a station with the types that its connectors were seen with.
type stationEntry struct {
	info  chargestream.StationInfo
	types map[chargestream.ConnectorID]map[string]int
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
	if err := chargestream.CheckID(string(connector)); err != nil {
		return fmt.Errorf("stations: connector_id: %w", err)
	}
	entry := g.stations[seen.StationID]
	if entry == nil {
		entry = &stationEntry{types: map[chargestream.ConnectorID]map[string]int{}}
		g.stations[seen.StationID] = entry
	}
	entry.merge(seen)
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
	var problems []error
	if err := chargestream.CheckID(string(info.StationID)); err != nil {
		problems = append(problems, fmt.Errorf("station_id: %w", err))
	}
	for name, text := range map[string]string{"name": info.Name, "region": info.Region,
		"site_id": string(info.SiteID), "tariff_id": string(info.TariffID)} {
		if text != "" && chargestream.CheckID(text) != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, chargestream.ErrID))
		}
	}
	if _, err := time.LoadLocation(info.TimeZone); err != nil || info.TimeZone == "Local" {
		problems = append(problems, fmt.Errorf("time_zone: %q is no IANA name", info.TimeZone))
	}
	problems = append(problems,
		setDegrees(&info.Latitude, "lat", m.Latitude.text(r), 90),
		setDegrees(&info.Longitude, "lon", m.Longitude.text(r), 180))
	return info, errors.Join(problems...)
}

// setDegrees reads a coordinate; it stays zero where it is absent.
func setDegrees(at *float64, name, text string, most float64) error {
	if text == "" {
		return nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || math.Abs(v) > most {
		return fmt.Errorf("%s: %q is not a number of degrees up to %g", name, text, most)
	}
	*at = v
	return nil
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
				ConnectorID: connector, Type: mostSeen(entry.types[connector])})
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
