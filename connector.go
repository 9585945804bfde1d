package chargestream

import "strings"

// UnknownRating is the rating of a connector of which neither a rating nor a type is known: what
// CCS, the strongest connector of cars, delivers at most.
const UnknownRating Watts = 500_000

// ratings are the most that a connector of a type delivers. The names are those of OCPI 2.2.1
// (ConnectorType, mod_locations) and of OCPP 2.0.1 (ConnectorEnumType), without case and marks, and
// what operators call them. The numbers are voltage times current, as the standards allow them:
//
//	IEC 60309-2, NEMA 5/6/10/14, IEC 60884 (domestic): the rated current, at 230 V a phase, or at
//	120 and 240 V in North America; domestic sockets as a whole 32 A
//	IEC 62196-2: type 1 80 A at 240 V, type 2 63 A and type 3 32 A, three phases of 230 V
//	IEC 62196-3: CCS 500 A at 1000 V; CHAdeMO 1.x 200 A at 500 V; ChaoJi 600 A at 1500 V
//	GB/T 20234-2 and -3: 63 A of three phases; 250 A at 1000 V
//	SAE J3400: as CCS; J3105 (pantographs): 600 A at 1000 V; IEC 63379 (MCS): 3000 A at 1250 V
//	Tesla: the Roadster's 70 A at 240 V, a Supercharger of version 3
func ratings() map[string]Watts { return ratingsByType }

var ratingsByType = map[string]Watts{
	"domestic": 7_400, "schuko": 7_400, "bs1361": 7_400, "cee77": 7_400, "typeef": 7_400,

	"iec603092single16": 3_700, "3091p16a": 3_700, "other1phmax16a": 3_700,
	"3091p32a": 7_400, "other1phover16a": 19_200,
	"iec603092three16": 11_000, "3093p16a": 11_000,
	"iec603092three32": 22_000, "3093p32a": 22_000,
	"iec603092three64": 44_000, "other3ph": 44_000,

	"nema520": 2_400, "nema630": 7_200, "nema650": 12_000, "nema1030": 7_200, "nema1050": 12_000,
	"nema1430": 7_200, "nema1450": 12_000,

	"iec62196t1": 19_200, "type1": 19_200, "j1772": 19_200,
	"iec62196t2": 43_000, "type2": 43_000, "typ2": 43_000, "mennekes": 43_000,
	"iec62196t3a": 3_700, "type3": 22_000, "iec62196t3c": 22_000,
	"gbtac": 43_000,

	"chademo": 100_000, "g105": 100_000,
	"chaoji": 900_000, "gbtdc": 250_000,
	"iec62196t1combo": 500_000, "iec62196t2combo": 500_000, "ccs": 500_000, "ccs1": 500_000,
	"ccs2": 500_000, "combo": 500_000, "comboccs": 500_000,
	"saej3400": 500_000, "nacs": 500_000,
	"pantographbottomup": 600_000, "pantographtopdown": 600_000, "pan": 600_000,
	"mcs": 3_750_000,

	"teslar": 16_800, "teslas": 250_000, "tesla": 250_000,
}

// RatingOf is the most that a connector of a type delivers, for one whose rating the registry does
// not have. A type that is not known has UnknownRating.
func RatingOf(connectorType string) Watts {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return -1
	}, connectorType)
	if strings.HasPrefix(name, "domestic") {
		name = "domestic" // DOMESTIC_A to DOMESTIC_O
	}
	if w, ok := ratings()[name]; ok {
		return w
	}
	if len(name) > 1 && (name[0] == 'c' || name[0] == 's') { // cType2, sCEE-7-7 of OCPP
		if w, ok := ratings()[name[1:]]; ok {
			return w
		}
	}
	return UnknownRating
}
