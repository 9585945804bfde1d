package views

import (
	"fmt"
	"math"

	"chargestream"
	"chargestream/web"
)

// areaCellsMax bounds the cells that an area is put together of: of a larger area coarser ones are
// taken.
const areaCellsMax = 64

// areaSteps are the sizes of cells, in degrees: 2 km, 20 km and 200 km from north to south, and a
// continent.
var areaSteps = [...]float64{0.02, 0.2, 2, 20}

// cell is a field of the grid of one size in which places are sought.
func cell(level, west, south int) term {
	return term{fieldArea, fmt.Sprintf("%d/%d/%d", level, west, south)}
}

// at is the row or column of a coordinate.
func at(degrees float64, level int) int { return int(math.Floor(degrees / areaSteps[level])) }

// areaTerms are the cells that a station lies in, one of each size.
func areaTerms(terms []term, s *chargestream.StationInfo) []term {
	if s.Latitude == 0 && s.Longitude == 0 {
		return terms
	}
	for level := range areaSteps {
		terms = append(terms, cell(level, at(s.Longitude, level), at(s.Latitude, level)))
	}
	return terms
}

// areaSets are the keys of the finest cells that cover an area; nil where it takes too many.
func areaSets(x *index, a *web.Area) []set {
	spans := [][2]float64{{a.West, a.East}}
	if a.West > a.East {
		spans = [][2]float64{{a.West, 180}, {-180, a.East}}
	}
	for level := range areaSteps {
		cells := 0
		rows := at(a.North, level) - at(a.South, level) + 1
		for _, span := range spans {
			cells += rows * (at(span[1], level) - at(span[0], level) + 1)
		}
		if cells > areaCellsMax {
			continue
		}
		sets := []set{{x, term{field: fieldUnreadable}}}
		for _, span := range spans {
			for west := at(span[0], level); west <= at(span[1], level); west++ {
				for south := at(a.South, level); south <= at(a.North, level); south++ {
					sets = append(sets, set{x, cell(level, west, south)})
				}
			}
		}
		return sets
	}
	return nil
}
