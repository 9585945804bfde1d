package web

import (
	"errors"
	"strconv"
	"strings"

	"chargestream"

	"github.com/danielgtaylor/huma/v2"
)

// Area is a part of the map, its edges included, in degrees. West is greater than East where the
// area crosses the 180th meridian.
type Area struct{ West, South, East, North float64 }

// Contains reports whether a station lies in the area. One without coordinates lies nowhere.
func (a *Area) Contains(s *chargestream.StationInfo) bool {
	if s == nil || s.Latitude == 0 && s.Longitude == 0 {
		return false
	}
	within := a.West <= s.Longitude && s.Longitude <= a.East
	if a.West > a.East {
		within = a.West <= s.Longitude || s.Longitude <= a.East
	}
	return within && a.South <= s.Latitude && s.Latitude <= a.North
}

// errArea is what is wrong with an area.
var errArea = errors.New("west and east must be from -180 to 180, south and north from -90 to " +
	"90, and south not above north, as in bbox=2.2,48.8,2.5,48.9")

// parseArea reads west,south,east,north; nil for an empty text.
func parseArea(text string) (*Area, error) {
	if text == "" {
		return nil, nil
	}
	a := &Area{}
	edges := []*float64{&a.West, &a.South, &a.East, &a.North}
	words := strings.Split(text, ",")
	if len(words) != len(edges) {
		return nil, huma.Error422UnprocessableEntity("query.bbox: " + quote(text) +
			" has not four numbers: west,south,east,north in degrees")
	}
	for i, word := range words {
		n, err := strconv.ParseFloat(strings.TrimSpace(word), 64)
		limit := 180.0
		if i%2 == 1 {
			limit = 90
		}
		if err != nil || !(n >= -limit && n <= limit) {
			return nil, huma.Error422UnprocessableEntity("query.bbox: " + quote(word) + ": " +
				errArea.Error())
		}
		*edges[i] = n
	}
	if a.South > a.North {
		return nil, huma.Error422UnprocessableEntity("query.bbox: " + quote(text) + ": " +
			errArea.Error())
	}
	return a, nil
}
