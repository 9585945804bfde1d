package sim

import (
	"math/rand/v2"

	"chargestream"
)

// The figures of this file are those of shared/data/arrivals/distributions.json, which holds
// counts and quantiles only. The key of each set is named with it.

// quantile says that the share p of all values is at most value.
type quantile struct{ p, value float64 }

// distribution is the quantiles of a figure, from 0 to 1.
type distribution []quantile

// at is the value at the share u of 0 to 1, on the line between the two nearest quantiles.
func (d distribution) at(u float64) float64 {
	for i := 1; i < len(d); i++ {
		if low, high := d[i-1], d[i]; u <= high.p {
			part := (u - low.p) / (high.p - low.p)
			return low.value + float64(part*(high.value-low.value))
		}
	}
	return d[len(d)-1].value
}

// perHour is how many vehicles arrive in each hour of the local day.
type perHour [24]float64

func (h *perHour) total() float64 {
	var sum float64
	for _, n := range h {
		sum += n
	}
	return sum
}

// sap_mougins_2019_company_cars: 8,856 arrivals on 257 weekdays of 2019 at one office site; the
// shares are of its 246 days with 20 arrivals or more.
const (
	companyConnectors = 31
	companyArrivals   = 8856
	companyDays       = 257
	// CompanyPeakHour is the share of a median day's arrivals in its busiest hour.
	CompanyPeakHour = 0.395
	// CompanyPeakHourP90 is that share on the day that only every tenth day exceeds.
	CompanyPeakHourP90 = 0.500
	// CompanyPeakHalfHour is the share of a median day's arrivals in its busiest 30 minutes.
	CompanyPeakHalfHour = 0.258
)

// companyPeakShare is the share of a day's arrivals in its peak hour. The source has the median
// and the ninth decile; the first decile is assumed to lie as far below.
var companyPeakShare = distribution{
	{0, 2*CompanyPeakHour - CompanyPeakHourP90}, {0.1, 2*CompanyPeakHour - CompanyPeakHourP90},
	{0.5, CompanyPeakHour}, {0.9, CompanyPeakHourP90}, {1, CompanyPeakHourP90},
}

// companyHours is arrivals.mean_arrivals_per_bin, twelve bins of five minutes added up.
var companyHours = perHour{
	0.0078, 0, 0, 0, 0, 0.0156, 0.0819, 3.3113, 10.8404, 5.9534, 1.4476, 1.3307,
	2.14, 4.1753, 2.2956, 0.9922, 0.7238, 0.5057, 0.4435, 0.1287, 0.0312, 0.0156, 0.0195, 0,
}

// companyStay is duration_min.
var companyStay = distribution{
	{0, 0.17}, {0.01, 1.87}, {0.05, 24.85}, {0.1, 44.7}, {0.25, 101.28}, {0.5, 212.35},
	{0.75, 317.05}, {0.9, 498.05}, {0.95, 548.74}, {0.99, 641.75}, {0.999, 2539.35},
	{1, 10048.07},
}

// companyEnergy is energy_kwh.
var companyEnergy = distribution{
	{0, 0}, {0.01, 0.18}, {0.05, 4.61}, {0.1, 7.61}, {0.25, 13.57}, {0.5, 21.62},
	{0.75, 31.81}, {0.9, 44.39}, {0.95, 51.76}, {0.99, 62.97}, {0.999, 71.14}, {1, 79.3},
}

// companyIdle is idle_fraction: the share of a stay in which no energy flows.
var companyIdle = distribution{
	{0, 0}, {0.25, 0}, {0.5, 0.04}, {0.75, 0.39}, {0.9, 0.66}, {0.95, 0.75}, {0.99, 0.88},
	{0.999, 0.98}, {1, 1},
}

// rapidHours is dundee_rapid_hubs_2018q3, arrivals.mean_arrivals_per_bin, four bins of 15
// minutes added up: 12,248 arrivals on 93 days. It serves as the profile of every public
// connector, as no other source has one.
var rapidHours = perHour{
	2.9569, 4.0538, 2.9677, 1.7957, 2.3226, 2, 2.4195, 3.2795, 4.1398, 5.9678, 6.8387, 7.6559,
	7.9247, 8.3441, 8.4946, 8.7849, 8.1399, 7.8925, 6.5377, 6.8065, 6.7204, 6.1506, 5.129, 4.3762,
}

// rapidStay is dundee_rapid_hubs_2018q3, duration_min.
var rapidStay = distribution{
	{0, 0}, {0.01, 1}, {0.05, 5}, {0.1, 8}, {0.25, 14}, {0.5, 23}, {0.75, 32}, {0.9, 43},
	{0.95, 54}, {0.99, 81}, {0.999, 475.2}, {1, 1505},
}

// rapidEnergy is dundee_rapid_hubs_2018q3, energy_kwh.
var rapidEnergy = distribution{
	{0, 0}, {0.01, 0.2}, {0.05, 1.84}, {0.1, 3.06}, {0.25, 5.92}, {0.5, 10.23}, {0.75, 15.11},
	{0.9, 20.13}, {0.95, 22.92}, {0.99, 30.79}, {0.999, 44.11}, {1, 70.98},
}

// belibPerDay is the sessions a connector and day of belib_sessions: 6,808 in April and May 2017
// on 116 connectors.
const belibPerDay = 6808.0 / (61 * 116)

// belibStay is belib_sessions, duration_min.
var belibStay = distribution{
	{0, 0.08}, {0.01, 0.65}, {0.05, 1.07}, {0.1, 1.73}, {0.25, 17.52}, {0.5, 36.36},
	{0.75, 59.64}, {0.9, 235.68}, {0.95, 601.67}, {0.99, 792.42}, {0.999, 1521.38}, {1, 7023.78},
}

// belibEnergy is belib_sessions, energy_wh in kWh.
var belibEnergy = distribution{
	{0, 0}, {0.1, 0}, {0.25, 2.064}, {0.5, 6.024}, {0.75, 10.352}, {0.9, 16.462},
	{0.95, 19.482}, {0.99, 29.467}, {0.999, 53.429}, {1, 85.93},
}

// belibDelay is the upper quarter of belib_ingest_delay_s, without its last percent (which goes
// up to 21.7 days), rescaled to 0 to 1: how late a record is that is late, in seconds.
var belibDelay = distribution{
	{0, 46}, {(0.90 - 0.75) / 0.24, 69}, {(0.95 - 0.75) / 0.24, 101}, {1, 51493},
}

// epflStay is epfl_dc, stay_min.
var epflStay = distribution{
	{0, 5}, {0.01, 6}, {0.05, 10}, {0.1, 13}, {0.25, 20}, {0.5, 30}, {0.75, 42}, {0.9, 54},
	{0.95, 62}, {0.99, 88.46}, {0.999, 137.49}, {1, 144},
}

// epflEnergy is epfl_dc, energy_wh in kWh, up to the 99th percentile: above it lie lorries.
var epflEnergy = distribution{
	{0, 1.165}, {0.01, 4.093}, {0.05, 7.958}, {0.1, 11.052}, {0.25, 17.98}, {0.5, 29.367},
	{0.75, 43.285}, {0.9, 55.479}, {0.95, 60.905}, {1, 78.304},
}

// epflPower is epfl_dc, pmax_w.
var epflPower = distribution{
	{0, 13986}, {0.01, 27338}, {0.05, 44119}, {0.1, 51615}, {0.25, 65060}, {0.5, 97654},
	{0.75, 145188}, {0.9, 160074}, {0.95, 165378}, {0.99, 171054}, {0.999, 174184}, {1, 174846},
}

// epflSoC is epfl_dc, soc_arrival in percent.
var epflSoC = distribution{
	{0, 0}, {0.01, 2}, {0.05, 7}, {0.1, 11}, {0.25, 19}, {0.5, 31}, {0.75, 46}, {0.9, 60},
	{0.95, 71}, {0.99, 85.23}, {0.999, 97}, {1, 98},
}

// coupling is how far apart the ranks of a stay and of its energy may be. The sources tell the
// two distributions but not how they go together; drawn independently, half of the energies
// would need more power than a connector has.
const coupling = 0.2

// ranks draws the rank of a stay and, near to it, the rank of its energy. Each alone is uniform
// in 0 to 1: what leaves the interval is reflected into it, which keeps it so.
func ranks(rng *rand.Rand) (stay, energy float64) {
	stay = rng.Float64()
	energy = stay + float64(coupling*(rng.Float64()-0.5))
	if energy < 0 {
		energy = -energy
	}
	if energy > 1 {
		energy = 2 - energy
	}
	return stay, energy
}

// poisson draws how many events of a Poisson process with this mean happen.
func poisson(rng *rand.Rand, mean float64) int {
	n := 0
	for sum := rng.ExpFloat64(); sum < mean; sum += rng.ExpFloat64() {
		n++
	}
	return n
}

// between draws a time from low up to, but not including, high.
func between(rng *rand.Rand, low, high chargestream.Millis) chargestream.Millis {
	return low + chargestream.Millis(rng.Int64N(int64(high-low)))
}

// draw draws a time of the local day, which the hours weigh.
func (h *perHour) draw(rng *rand.Rand) chargestream.Millis {
	need := rng.Float64() * h.total()
	hour, last := 0, len(h)-1
	for hour < last && need >= h[hour] {
		need -= h[hour]
		hour++
	}
	return chargestream.Millis(hour)*chargestream.Hour + between(rng, 0, chargestream.Hour)
}

// nextVisit is when the next event of a Poisson process comes, that has perDay events a day in
// the shape of the profile. It walks from hour to hour, as the process has no memory.
func (h *perHour) nextVisit(
	rng *rand.Rand, from chargestream.Millis, perDay float64,
) chargestream.Millis {
	scale := perDay / h.total() / float64(chargestream.Hour)
	need := rng.ExpFloat64()
	for {
		rate := h[localHour(from)] * scale
		end := from.Truncate(chargestream.Hour) + chargestream.Hour
		room := float64(end-from) * rate
		if need < room {
			return from + chargestream.Millis(need/rate)
		}
		need -= room
		from = end
	}
}
