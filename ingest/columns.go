package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"

	"chargestream"
)

// ErrMap is wrapped by every error of ParseMap, and by those of a map that does not fit a file.
var ErrMap = errors.New("column map")

// Map says in which column of a CSV file each field is. The package comment documents it.
type Map struct {
	// Latest is the last moment that a row may name; zero for any. What arrives from the future
	// moves the time of the processors on, and what arrives after it would be late.
	Latest chargestream.Millis

	delimiter rune
	sessions  sessionMap
	stations  *stationMap // nil: no registry entries are made
}

// mapFile is a map as it is written.
type mapFile struct {
	Delimiter string      `yaml:"delimiter"`
	Decimal   string      `yaml:"decimal"`
	Thousands string      `yaml:"thousands"`
	TimeZone  string      `yaml:"time_zone"`
	Absent    []string    `yaml:"absent"`
	Sessions  sessionMap  `yaml:"sessions"`
	Stations  *stationMap `yaml:"stations"`
}

type sessionMap struct {
	SessionID   *field `yaml:"session_id"`
	StationID   *field `yaml:"station_id"`
	ConnectorID *field `yaml:"connector_id"`
	UserID      *field `yaml:"user_id"`
	StartTime   *field `yaml:"start_time"`
	EndTime     *field `yaml:"end_time"`
	Duration    *field `yaml:"duration"`
	Energy      *field `yaml:"energy"`
	EnergyWh    *field `yaml:"energy_wh"`
	EnergyKWh   *field `yaml:"energy_kwh"`
	MeterStart  *field `yaml:"meter_start_wh"`
	MeterStop   *field `yaml:"meter_stop_wh"`
	EndReason   *field `yaml:"end_reason"`
	ArrivalTime *field `yaml:"arrival_time"`
	EndArrival  string `yaml:"end_arrival"`
}

type stationMap struct {
	StationID     *field `yaml:"station_id"`
	Name          *field `yaml:"name"`
	SiteID        *field `yaml:"site_id"`
	Latitude      *field `yaml:"lat"`
	Longitude     *field `yaml:"lon"`
	TimeZone      *field `yaml:"time_zone"`
	Region        *field `yaml:"region"`
	TariffID      *field `yaml:"tariff_id"`
	ConnectorID   *field `yaml:"connector_id"`
	ConnectorType *field `yaml:"connector_type"`
	MaxPowerW     *field `yaml:"max_power_w"`
	MaxPowerKW    *field `yaml:"max_power_kw"`
}

// The words of end_arrival.
const (
	endArrivalLater = "later_of_arrival_and_end"
	endArrivalRow   = "arrival"
)

// ParseMap reads a column map. Every error wraps ErrMap; one of the YAML itself names the line.
func ParseMap(text []byte) (*Map, error) {
	var file mapFile
	err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&file)
	// An empty file lacks what a map must have, and is told so below.
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: %w", ErrMap, err)
	}
	m := &Map{delimiter: ',', sessions: file.Sessions, stations: file.Stations}
	if m.stations != nil && m.stations.TimeZone == nil && file.TimeZone != "" {
		m.stations.TimeZone = &field{Value: &file.TimeZone}
	}
	if file.Delimiter != "" {
		r, size := utf8.DecodeRuneInString(file.Delimiter)
		if size != len(file.Delimiter) || strings.ContainsRune("\"\r\n\ufffd", r) {
			return nil, fmt.Errorf("%w: delimiter %q is not one character that can part columns",
				ErrMap, file.Delimiter)
		}
		m.delimiter = r
	}
	if m.sessions.EndArrival == "" {
		m.sessions.EndArrival = endArrivalLater
	}
	if m.stations != nil && m.stations.MaxPowerW != nil && m.stations.MaxPowerKW != nil {
		return nil, fmt.Errorf("%w: stations: max_power_w and max_power_kw are both given, one is "+
			"meant", ErrMap)
	}
	if m.stations != nil && m.stations.ConnectorID == nil {
		m.stations.ConnectorID = m.sessions.ConnectorID
	}
	problems := append(m.sessions.check(), file.check())
	for _, f := range m.fields() {
		problems = append(problems, f.prepare(&file))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMap, err)
	}
	return m, nil
}

// check refuses marks that numbers cannot have.
func (f *mapFile) check() error {
	marks := []string{"", ".", ",", "'", "’", " ", "\u00a0"}
	if !slices.Contains(marks[:3], f.Decimal) {
		return fmt.Errorf("decimal: %q is neither a point nor a comma", f.Decimal)
	}
	if !slices.Contains(marks, f.Thousands) || f.Thousands != "" && f.Thousands == f.Decimal {
		return fmt.Errorf("thousands: %q parts no thousands: a point, a comma, a blank or an "+
			"apostrophe does, if it is not the decimal mark", f.Thousands)
	}
	if _, err := loadZone(f.TimeZone); f.TimeZone != "" && err != nil {
		return fmt.Errorf("time_zone: %w", err)
	}
	return nil
}

// check finds what no single field can tell.
func (s *sessionMap) check() []error {
	var problems []error
	if s.EnergyWh != nil && s.EnergyKWh != nil {
		problems = append(problems,
			errors.New("sessions: energy_wh and energy_kwh are both given, one is meant"))
	}
	if s.Energy != nil && (s.EnergyWh != nil || s.EnergyKWh != nil) {
		problems = append(problems, errors.New("sessions: energy and energy_wh or energy_kwh "+
			"are both given, one is meant"))
	}
	if s.EndArrival != endArrivalLater && s.EndArrival != endArrivalRow {
		problems = append(problems, fmt.Errorf("sessions.end_arrival: %q is neither %s nor %s",
			s.EndArrival, endArrivalLater, endArrivalRow))
	}
	return problems
}

// named is a field with its place in the map.
type named struct {
	*field
	name     string
	required bool
	kind     fieldKind
}

// fieldKind is what a field holds.
type fieldKind uint8

const (
	kindText fieldKind = iota
	kindTime
	kindEnergy
	kindDuration
	kindPower
)

// fields is every field that a map may have, also those that are nil.
func (m *Map) fields() []named {
	s := &m.sessions
	list := []named{
		{field: s.SessionID, name: "sessions.session_id", required: true},
		{field: s.StationID, name: "sessions.station_id", required: true},
		{field: s.ConnectorID, name: "sessions.connector_id"},
		{field: s.UserID, name: "sessions.user_id"},
		{field: s.StartTime, name: "sessions.start_time", required: true, kind: kindTime},
		{field: s.EndTime, name: "sessions.end_time", kind: kindTime},
		{field: s.Duration, name: "sessions.duration", kind: kindDuration},
		{field: s.Energy, name: "sessions.energy", kind: kindEnergy},
		{field: s.EnergyWh, name: "sessions.energy_wh", kind: kindEnergy},
		{field: s.EnergyKWh, name: "sessions.energy_kwh", kind: kindEnergy},
		{field: s.MeterStart, name: "sessions.meter_start_wh", kind: kindEnergy},
		{field: s.MeterStop, name: "sessions.meter_stop_wh", kind: kindEnergy},
		{field: s.EndReason, name: "sessions.end_reason"},
		{field: s.ArrivalTime, name: "sessions.arrival_time", kind: kindTime},
	}
	if t := m.stations; t != nil {
		list = append(list,
			named{field: t.StationID, name: "stations.station_id", required: true},
			named{field: t.Name, name: "stations.name"},
			named{field: t.SiteID, name: "stations.site_id"},
			named{field: t.Latitude, name: "stations.lat"},
			named{field: t.Longitude, name: "stations.lon"},
			named{field: t.TimeZone, name: "stations.time_zone"},
			named{field: t.Region, name: "stations.region"},
			named{field: t.TariffID, name: "stations.tariff_id"},
			named{field: t.ConnectorID, name: "stations.connector_id"},
			named{field: t.ConnectorType, name: "stations.connector_type"},
			named{field: t.MaxPowerW, name: "stations.max_power_w", kind: kindPower},
			named{field: t.MaxPowerKW, name: "stations.max_power_kw", kind: kindPower})
	}
	return list
}
