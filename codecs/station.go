package codecs

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"chargestream"
)

// DecodeStation reads a record of the stations topic: an entry of the registry, or an OCPI 2.2.1
// Location, of which it makes one. The error is a Refusal or joins some. Whether a time zone is
// known is for the caller to say.
func DecodeStation(value []byte) (*chargestream.StationInfo, error) {
	if info := PlainStation(value); info != nil {
		return info, checkStation(info)
	}
	o, err := parseObject(value, "")
	if err != nil {
		return nil, err
	}
	if o.has("evses") {
		return readLocation(value)
	}
	info := &chargestream.StationInfo{}
	if err := Read(value, info, stationHints()); err != nil {
		return nil, err
	}
	return info, checkStation(info)
}

// StationOf is the station_id of an event, in any of the ways that decoders take; empty for none.
func StationOf(value []byte) string {
	text := IDOf(value, "station_id")
	if chargestream.CheckID(text) != nil {
		return ""
	}
	return text
}

// IDOf is the first of some fields that is there, as an id, in any of the ways that decoders take;
// empty where none can be read.
func IDOf(value []byte, names ...string) string {
	o, err := parseObject(value, "")
	if err != nil {
		return ""
	}
	for _, name := range names {
		raw, err := o.find(name)
		if err != nil || raw == nil {
			continue
		}
		if text, err := readText(name, raw, false); err == nil {
			return text
		}
	}
	return ""
}

// Named are those of some names that a field of an object has, in any spelling, and is not null.
func Named(value []byte, names ...string) map[string]bool {
	o, err := parseObject(value, "")
	if err != nil {
		return nil
	}
	named := map[string]bool{}
	for _, name := range names {
		if o.has(name) {
			named[name] = true
		}
	}
	return named
}

// stationHints say what to do about fields that others have for ours.
func stationHints() map[string]string {
	const power = "did you mean max_power_w? it is in W"
	return map[string]string{"max_power_kw": power, "power_kw": power, "max_power": power,
		"power": power}
}

// checkStation refuses what the format of ids and numbers forbids; the first fault of each field.
func checkStation(info *chargestream.StationInfo) error {
	var r reading
	id := func(field, text string, needed bool) {
		if (text != "" || needed) && chargestream.CheckID(text) != nil {
			r.problems = append(r.problems, errID(field, text))
		}
	}
	id("station_id", string(info.StationID), true)
	id("site_id", string(info.SiteID), false)
	id("tariff_id", string(info.TariffID), false)
	if info.Latitude < -90 || info.Latitude > 90 {
		r.degrees("lat", fmt.Sprint(info.Latitude), 90)
	}
	if info.Longitude < -180 || info.Longitude > 180 {
		r.degrees("lon", fmt.Sprint(info.Longitude), 180)
	}
	r.rating("max_power_w", info.MaxPower)
	seen := map[chargestream.ConnectorID]bool{}
	for i := range info.Connectors {
		c, name := &info.Connectors[i], fmt.Sprintf("connectors[%d].", i)
		id(name+"connector_id", string(c.ConnectorID), true)
		r.rating(name+"max_power_w", c.MaxPower)
		w := wire{ConnectorID: connectorText(c.ConnectorID)}
		if w.checkConnector() != nil && chargestream.CheckID(string(c.ConnectorID)) == nil {
			r.problems = append(r.problems, errSlash(name+"connector_id", string(c.ConnectorID)))
		}
		if seen[c.ConnectorID] {
			r.problems = append(r.problems, &Refusal{Field: name + "connector_id",
				Value: Quoted(string(c.ConnectorID)), Problem: "comes twice",
				Expected: "each connector of a station has an id of its own",
				Do:       "give one of them another id"})
		}
		seen[c.ConnectorID] = true
	}
	return r.err()
}

func (r *reading) degrees(field, shown string, most int) {
	r.problems = append(r.problems, &Refusal{Field: field, Value: shown,
		Problem: "is no number of degrees", Expected: fmt.Sprintf("-%d to %d is taken", most, most),
		Do: "look whether lat and lon are swapped"})
}

// ratingMax bounds the rating of a station or connector: a gigawatt.
const ratingMax chargestream.Watts = 1_000_000_000

func (r *reading) rating(field string, w chargestream.Watts) {
	if w < 0 || w > ratingMax {
		r.problems = append(r.problems, &Refusal{Field: field, Value: fmt.Sprint(int64(w)),
			Problem: "is no rating", Expected: fmt.Sprintf("0 to %d W is taken", ratingMax),
			Do: "send it in W"})
	}
}

// location is what is read of an OCPI Location. Its other fields are OCPI's, and say nothing that
// is kept.
type location struct {
	ID          string         `json:"id"`
	Name        string         `json:"name"`
	State       string         `json:"state"`
	City        string         `json:"city"`
	TimeZone    string         `json:"time_zone"`
	Coordinates coordinates    `json:"coordinates"`
	EVSEs       []locationEVSE `json:"evses"`
}

type coordinates struct {
	Latitude  json.Number `json:"latitude"`
	Longitude json.Number `json:"longitude"`
}

type locationEVSE struct {
	UID        string              `json:"uid"`
	Connectors []locationConnector `json:"connectors"`
}

type locationConnector struct {
	ID        string             `json:"id"`
	Standard  string             `json:"standard"`
	MaxPower  chargestream.Watts `json:"max_electric_power"`
	TariffIDs []string           `json:"tariff_ids"`
}

// readLocation makes an entry of a Location: it is the station, and its EVSEs are the connectors.
// Of an EVSE with several connectors each is one, by both names.
func readLocation(value []byte) (*chargestream.StationInfo, error) {
	var l location
	r := reading{door: &Door{}}
	if err := r.readLoosely(value, &l); err != nil {
		return nil, err
	}
	info := &chargestream.StationInfo{StationID: chargestream.StationID(l.ID),
		SiteID: chargestream.SiteID(l.ID), Name: l.Name, TimeZone: l.TimeZone, Region: l.State}
	if err := errors.Join(
		setDegrees(&info.Latitude, "coordinates.latitude", l.Coordinates.Latitude),
		setDegrees(&info.Longitude, "coordinates.longitude", l.Coordinates.Longitude),
	); err != nil {
		return nil, err
	}
	if info.Region == "" {
		info.Region = l.City
	}
	var tariffs []string
	for _, e := range l.EVSEs {
		for _, c := range e.Connectors {
			info.Connectors = append(info.Connectors, chargestream.ConnectorInfo{
				ConnectorID: l.connector(&e, &c), Type: c.Standard, MaxPower: c.MaxPower})
			for _, t := range c.TariffIDs {
				if !slices.Contains(tariffs, t) {
					tariffs = append(tariffs, t)
				}
			}
		}
	}
	if len(tariffs) > 1 {
		return nil, &Refusal{Field: "evses.connectors.tariff_ids",
			Value: fmt.Sprintf("%q", tariffs), Problem: "are several",
			Expected: "a station has one tariff",
			Do:       "send a station for each tariff, or one tariff with restrictions"}
	}
	if len(tariffs) == 1 {
		info.TariffID = chargestream.TariffID(tariffs[0])
	}
	return info, checkStation(info)
}

// setDegrees sets a coordinate from a number, where there is one.
func setDegrees(at any, field string, number json.Number) error {
	if number == "" || json.Unmarshal([]byte(number), at) == nil {
		return nil
	}
	return errNumber(field, string(number))
}

func (l *location) connector(e *locationEVSE, c *locationConnector) chargestream.ConnectorID {
	switch {
	case len(l.EVSEs) == 1:
		return chargestream.ConnectorID(c.ID)
	case len(e.Connectors) == 1:
		return chargestream.ConnectorID(e.UID)
	}
	return chargestream.ConnectorID(e.UID + "-" + c.ID)
}
