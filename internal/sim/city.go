package sim

import (
	"fmt"
	"math"
	"math/rand/v2"

	"chargestream"
)

// class is a kind of connector that vehicles do not exchange for another.
type class uint8

const (
	classDepot class = iota
	classAC          // public, Type 2
	classRapid       // public, DC, 50 kW
	classUltra       // public, DC, 150 kW
	classCount
)

// The city's connectors.
const (
	powerAC    = chargestream.Watts(22_000)
	powerRapid = chargestream.Watts(50_000)
	powerUltra = chargestream.Watts(150_000)

	socketCHAdeMO = "CHADEMO"
	socketCCS     = "IEC_62196_T2_COMBO"
)

// The grid on which the city's stations lie, in degrees.
const (
	gridLatitude  = 0.0060
	gridLongitude = 0.0085
	gridJitter    = 0.0020
	siteStations  = 3 // stations of one site, at the most
)

// dcPerDay is how many sessions a DC connector has a day. It is an assumption, as the sources do
// not count their connectors.
const dcPerDay = 8

// citizensPerStation is how many drivers share a station; Paris had 693 on 36.
const citizensPerStation = 20

// cityMix is which stations follow each other as the city grows.
var cityMix = [...]class{classAC, classAC, classRapid, classAC, classUltra, classAC, classRapid,
	classAC}

// The names of places are made of these; none is meant.
var (
	places  = [...]string{"Market", "Station", "River", "Garden", "Theatre", "Harbour", "Mill"}
	streets = [...]string{"Square", "Quay", "Street", "Gate", "Park", "Bridge", "Lane", "Court",
		"Walk", "Hill", "Passage"}
)

// buildCity lays the stations on the grid, site by site from the centre outwards.
func (w *World) buildCity(rng *rand.Rand) {
	for n := range w.cfg.CityStations {
		class, site := cityMix[n%len(cityMix)], n/siteStations
		x, y := spiral(site)
		place := places[site%len(places)] + " " + streets[site%len(streets)]
		if round := site / (len(places) * len(streets)); round > 0 {
			place = fmt.Sprintf("%s %d", place, round+1)
		}
		info := chargestream.StationInfo{
			StationID: chargestream.StationID(fmt.Sprintf("lyon-city-%04d", n+1)),
			Name:      fmt.Sprintf("%s %c", place, 'A'+rune(n%siteStations)),
			SiteID:    chargestream.SiteID(fmt.Sprintf("lyon-site-%04d", site+1)),
			Latitude:  degrees(centreLatitude + gridLatitude*float64(y) + jitter(rng)),
			Longitude: degrees(centreLongitude + gridLongitude*float64(x) + jitter(rng)),
			TariffID:  tariffDC,
		}
		switch class {
		case classRapid:
			info.Connectors = []chargestream.ConnectorInfo{
				{Type: socketCHAdeMO, MaxPower: powerRapid},
				{Type: socketCCS, MaxPower: powerRapid}}
		case classUltra:
			info.Connectors = []chargestream.ConnectorInfo{
				{Type: socketCCS, MaxPower: powerUltra},
				{Type: socketCCS, MaxPower: powerUltra}}
		default:
			info.TariffID = tariffAC
			info.Connectors = []chargestream.ConnectorInfo{
				{Type: socketAC, MaxPower: powerAC}, {Type: socketAC, MaxPower: powerAC}}
		}
		w.addStation(info, class)
	}
	// A city without stations still has drivers, whom the Overlap of a depot names.
	for n := range max(w.cfg.CityStations, 1) * citizensPerStation {
		w.citizens = append(w.citizens, chargestream.UserID(fmt.Sprintf("driver-%06d", n+1)))
	}
}

func jitter(rng *rand.Rand) float64 { return float64((rng.Float64() - 0.5) * gridJitter) }

// spiral is the n-th cell of a square spiral around 0, 0.
func spiral(n int) (x, y int) {
	ring := int(math.Ceil((math.Sqrt(float64(n+1)) - 1) / 2))
	if ring == 0 {
		return 0, 0
	}
	side := 2 * ring
	along := n - (side-1)*(side-1)
	switch step := along % side; along / side {
	case 0:
		return ring, step - ring + 1
	case 1:
		return ring - step - 1, ring
	case 2:
		return -ring, ring - step - 1
	default:
		return step - ring + 1, -ring
	}
}

// scheduleVisit draws when the next vehicle looks for a connector of the class.
func (w *World) scheduleVisit(class class, now chargestream.Millis) {
	if w.plugs[class] == 0 {
		return
	}
	perDay := float64(dcPerDay)
	if class == classAC {
		perDay = belibPerDay
	}
	at := rapidHours.nextVisit(w.rng, now, perDay*float64(w.plugs[class]))
	w.wakes.push(at, wake{wakeVisit, int32(class)})
}

// visitor draws what a vehicle wants of a public connector.
func visitor(rng *rand.Rand, c *connector) plan {
	const acFlows, dcFlows = 0.8, 0.9 // assumed part of a stay in which energy flows
	stayRank, energyRank := ranks(rng)
	stays, energies, flows := &belibStay, &belibEnergy, acFlows
	switch c.class {
	case classRapid:
		stays, energies, flows = &rapidStay, &rapidEnergy, dcFlows
	case classUltra:
		stays, energies, flows = &epflStay, &epflEnergy, dcFlows
	}
	stay, energy := stays.at(stayRank), energies.at(energyRank) // minutes, kWh
	drawn := plan{stay: chargestream.Millis(stay * float64(chargestream.Minute)),
		energy: chargestream.WattHours(energy * 1000),
		power:  chargestream.Watts(energy * 1000 * 60 / max(stay*flows, 1))}
	if c.class != classAC {
		drawn.vehicle(rng, c.class, energyRank)
	}
	return drawn
}

// batteries are usable sizes as in shared/data/dc-curves, from a small car to a large one.
var batteries = [...]chargestream.WattHours{40_000, 52_000, 58_000, 64_000, 77_000, 82_000, 95_000}

// vehicle draws the battery of a DC session. Who arrives emptier takes more, so the rank of the
// state of charge is that of the energy from the other end.
func (p *plan) vehicle(rng *rand.Rand, class class, energyRank float64) {
	p.battery = batteries[rng.IntN(len(batteries))]
	p.soc = chargestream.Permille(epflSoC.at(1-energyRank) * 10)
	p.energy = min(p.energy, p.battery*chargestream.WattHours(1000-p.soc)/1000)
	const taperRoom = 1.25 // the curve's highest power over its mean
	p.power = chargestream.Watts(float64(p.power) * taperRoom)
	if class == classUltra {
		p.power = max(p.power, chargestream.Watts(epflPower.at(rng.Float64())))
	}
}

// citizen draws a driver of the city. Drivers are not followed: one may be at two places.
func (w *World) citizen(rng *rand.Rand) chargestream.UserID {
	return w.citizens[rng.IntN(len(w.citizens))]
}

// user is who plugs in. A card of the fleet is at one connector at a time.
func (w *World) user(class class) chargestream.UserID {
	if class != classDepot {
		return w.citizen(w.rng)
	}
	card := w.fleet[0]
	w.fleet = w.fleet[1:]
	return card
}

// Reasons of OCPP 1.6.
const (
	reasonLocal        = "Local"
	reasonDisconnected = "EVDisconnected"
	reasonRemote       = "Remote"
	reasonOther        = "Other"
	reasonPowerLoss    = "PowerLoss"
	reasonUnlock       = "UnlockCommand"
)

// reasons is belib_sessions, stop_reason, in words of OCPP 1.6 (Badge, End Of Charge, Cable
// Unlock, Remote Stop, Power Outage, Remote Unlock), without those that have none.
var reasons = [...]struct {
	word  string
	count int
}{
	{reasonLocal, 5094}, {reasonOther, 1352}, {reasonDisconnected, 196}, {reasonRemote, 91},
	{reasonPowerLoss, 4}, {reasonUnlock, 2},
}

// reason draws why a session ends. Company cars are unplugged, which is assumed.
func (w *World) reason(class class) string {
	if class == classDepot {
		return reasonDisconnected
	}
	total := 0
	for _, r := range reasons {
		total += r.count
	}
	n := w.rng.IntN(total)
	for _, r := range reasons {
		if n -= r.count; n < 0 {
			return r.word
		}
	}
	return reasonLocal
}
