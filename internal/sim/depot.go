package sim

import (
	"fmt"
	"math"

	"chargestream"
)

// Where the world lies: a grid of fictional places around the centre of Lyon.
const (
	centreLatitude  = 45.7640 // degrees, WGS 84
	centreLongitude = 4.8357
	region          = "FR-ARA" // ISO 3166-2
)

// The depot: wallboxes of two outlets, every fourth of them with the higher power.
const (
	depotSite        = chargestream.SiteID("lyon-depot")
	depotLatitude    = 45.7290
	depotLongitude   = 4.8210
	depotBay         = 0.00012 // degrees from one wallbox to the next
	depotRow         = 20      // wallboxes in a row
	depotPerStation  = 2
	depotPower       = chargestream.Watts(11_000)
	depotPowerHigh   = chargestream.Watts(22_000)
	depotCardsPerBay = 2
)

// socketAC is OCPI's ConnectorType of an AC outlet.
const socketAC = "IEC_62196_T2"

// Where the peak of a depot's day lies, in local time. The source has a plateau from 07:50 to
// 09:20; that its busiest hour begins anywhere in the plateau's first half hour, and has its
// busiest 30 minutes in the middle, is assumed.
const (
	peakFirst = 7*chargestream.Hour + 50*chargestream.Minute
	peakLast  = peakFirst + 30*chargestream.Minute
)

func (w *World) buildDepot() {
	left := w.cfg.DepotConnectors
	for n := 0; left > 0; n++ {
		outlets, power := min(left, depotPerStation), depotPower
		if n%4 == 3 {
			power = depotPowerHigh
		}
		left -= outlets
		info := chargestream.StationInfo{
			StationID: chargestream.StationID(fmt.Sprintf("lyon-depot-%04d", n+1)),
			Name:      fmt.Sprintf("Depot wallbox %d", n+1), SiteID: depotSite,
			Latitude:  degrees(depotLatitude + depotBay*float64(n/depotRow)),
			Longitude: degrees(depotLongitude + depotBay*float64(n%depotRow)),
			TariffID:  tariffDepot,
		}
		for range outlets {
			info.Connectors = append(info.Connectors,
				chargestream.ConnectorInfo{Type: socketAC, MaxPower: power})
		}
		w.addStation(info, classDepot)
	}
	for n := range w.cfg.DepotConnectors * depotCardsPerBay {
		w.fleet = append(w.fleet, chargestream.UserID(fmt.Sprintf("fleet-%05d", n+1)))
	}
}

// addStation numbers the connectors of a station and puts it into the world.
func (w *World) addStation(info chargestream.StationInfo, class class) {
	info.TimeZone, info.Region = TimeZone, region
	index := int32(len(w.stations))
	for i := range info.Connectors {
		outlet := &info.Connectors[i]
		outlet.ConnectorID = chargestream.ConnectorID(fmt.Sprint(i + 1))
		info.MaxPower += outlet.MaxPower
		w.connectors = append(w.connectors, connector{station: index, class: class,
			id: outlet.ConnectorID, power: outlet.MaxPower,
			register: chargestream.WattHours(registerMin + w.rng.Int64N(registerSpan))})
		w.plugs[class]++
	}
	w.stations = append(w.stations, station{info: info})
}

// A register begins at 10 kWh to 5 MWh: stations have been in use before.
const (
	registerMin  = 10_000
	registerSpan = 5_000_000
)

// degrees rounds to 5 digits, which is a metre.
func degrees(x float64) float64 { return math.Round(x*1e5) / 1e5 }

// planDay draws when the cars of the local day that holds now reach the depot. No car comes at
// weekends, which the source does not count.
func (w *World) planDay(now chargestream.Millis) {
	w.wakes.push(nextMidnight(now), wake{wakeDay, 0})
	if !isWeekday(now) {
		return
	}
	midnight := localMidnight(now)
	for _, at := range w.drawDay() {
		if midnight+at >= now {
			w.wakes.push(midnight+at, wake{wakeCar, 0})
		}
	}
}

// peakChance is by how much chance alone raises the share of the busiest hour of n cars over
// what was drawn for the peak, times the root of n: whoever looks for the busiest hour finds the
// one in which most cars happened to come. Measured on this generator: 5 points at 34 cars.
const peakChance = 0.30

// drawDay draws the arrivals of one weekday, as times after midnight. How many come is Poisson,
// and so are the peak hour, its busiest half and the rest of the day within themselves. The
// share of the peak is drawn as the source has it, and holds for depots of any size, of which
// the source has only one.
func (w *World) drawDay() []chargestream.Millis {
	const aConnector = float64(companyArrivals) / companyDays / companyConnectors
	n := poisson(w.rng, aConnector*float64(w.cfg.DepotConnectors))
	chance := peakChance / math.Sqrt(float64(max(n, 1)))
	hour := w.share(n, max(companyPeakShare.at(w.rng.Float64())-chance, 0))
	half := w.share(hour, CompanyPeakHalfHour/CompanyPeakHour)

	peak := between(w.rng, peakFirst, peakLast)
	middle, halfEnd := peak+chargestream.Quarter, peak+3*chargestream.Quarter
	end := peak + chargestream.Hour
	times := make([]chargestream.Millis, 0, n)
	for range half {
		times = append(times, between(w.rng, middle, halfEnd))
	}
	for len(times) < hour {
		at := between(w.rng, peak, peak+2*chargestream.Quarter)
		if at >= middle { // the second quarter stands for the fourth
			at += 2 * chargestream.Quarter
		}
		times = append(times, at)
	}
	for len(times) < n {
		if at := companyHours.draw(w.rng); at < peak || at >= end {
			times = append(times, at)
		}
	}
	return times
}

// share is the part of n, rounded up or down so that its mean is exact.
func (w *World) share(n int, part float64) int {
	return min(n, int(float64(n)*part+w.rng.Float64()))
}

// companyCar draws what a company car wants: its stay, its energy and the part of the stay in
// which it is idle, at the power that follows from them.
func (w *World) companyCar(c *connector) plan {
	if w.burst {
		more := int64(c.power) * int64(StayMax/chargestream.Hour+1) // Wh than it can take
		return plan{stay: StayMax, power: c.power, energy: chargestream.WattHours(more)}
	}
	stayRank, energyRank := ranks(w.rng)
	stay := companyStay.at(stayRank) // minutes
	energy := companyEnergy.at(energyRank)
	charging := max(stay*(1-companyIdle.at(w.rng.Float64())), 1)
	return plan{stay: chargestream.Millis(stay * float64(chargestream.Minute)),
		energy: chargestream.WattHours(energy * 1000),
		power:  chargestream.Watts(energy * 1000 * 60 / charging)}
}

// Burst is the records of cfg.Span of a depot, without a city, in which all connectors are
// plugged in within the first minute and every car draws the connector's power throughout, for
// StayMax at the most. That all come within a minute is a stress assumption that no data shows:
// at the depot of the source 6.1 % of a day's cars come in its busiest minute, and 39.5 % in its
// busiest hour. It serves for benchmarks only. Its length is about DepotConnectors times Span by
// MeterEvery.
func Burst(cfg Config) []Record {
	cfg.CityStations = -1
	w := build(cfg)
	w.burst = true
	start, end := w.cfg.Start, w.cfg.Start+w.cfg.Span
	for i := range w.connectors {
		w.wakes.push(start, wake{wakeConnector, int32(i)})
		w.wakes.push(between(w.rng, start+1, start+chargestream.Minute), wake{wakeCar, 0})
	}
	var records []Record
	for {
		next := w.Next()
		if next.Arrival > end {
			return records
		}
		records = append(records, next)
	}
}
