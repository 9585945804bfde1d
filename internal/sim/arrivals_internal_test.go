package sim

import (
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"chargestream"
)

const figures = "../../../shared/data/arrivals/distributions.json"

type profile struct {
	Arrivals struct {
		BinMinutes int       `json:"bin_minutes"`
		Days       int       `json:"days_with_arrivals"`
		Arrivals   int       `json:"arrivals"`
		Mean       []float64 `json:"mean_arrivals_per_bin"`
	} `json:"arrivals"`
	Burst struct {
		Share map[string]map[string]float64 `json:"share_of_day_in_busiest"`
	} `json:"burst"`
}

func readFigures(t *testing.T) map[string]json.RawMessage {
	t.Helper()
	text, err := os.ReadFile(figures)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is absent: the carried figures are not compared with it", figures)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("read %s", figures)
	var sets map[string]json.RawMessage
	if err := json.Unmarshal(text, &sets); err != nil {
		t.Fatal(err)
	}
	return sets
}

func TestProfilesAreTheSource(t *testing.T) {
	sets := readFigures(t)
	read := func(key string) (p profile) {
		if err := json.Unmarshal(sets[key], &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	company, rapid := read("sap_mougins_2019_company_cars"), read("dundee_rapid_hubs_2018q3")
	if company.Arrivals.Arrivals != companyArrivals || company.Arrivals.Days != companyDays {
		t.Errorf("company cars: %+v", company.Arrivals)
	}
	for key, want := range map[string][2]float64{
		"3600s": {CompanyPeakHour, CompanyPeakHourP90}, "1800s": {CompanyPeakHalfHour, 0.342}} {
		got := company.Burst.Share[key]
		if got["median_day"] != want[0] || got["p90_day"] != want[1] {
			t.Errorf("%s: %v, carried %v", key, got, want)
		}
	}
	compare := func(p profile, carried perHour) {
		bins := 60 / p.Arrivals.BinMinutes
		for hour := range carried {
			var sum float64
			for _, mean := range p.Arrivals.Mean[hour*bins : (hour+1)*bins] {
				sum += mean
			}
			if math.Abs(sum-carried[hour]) > 1e-6 {
				t.Errorf("hour %d: %v, carried %v", hour, sum, carried[hour])
			}
		}
	}
	compare(company, companyHours)
	compare(rapid, rapidHours)
}

// quantileAt reads one quantile of the source: a number, "min" or "max".
func quantileAt(set map[string]float64, p float64) (float64, bool) {
	key := strconv.FormatFloat(p, 'g', -1, 64)
	switch p {
	case 0:
		key = "min"
	case 1:
		key = "max"
	}
	value, ok := set[key]
	return value, ok
}

func TestQuantilesAreTheSource(t *testing.T) {
	sets := readFigures(t)
	for _, c := range []struct {
		set, figure string
		scale       float64
		carried     distribution
	}{
		{"sap_mougins_2019_company_cars", "duration_min", 1, companyStay},
		{"sap_mougins_2019_company_cars", "energy_kwh", 1, companyEnergy},
		{"sap_mougins_2019_company_cars", "idle_fraction", 1, companyIdle},
		{"dundee_rapid_hubs_2018q3", "duration_min", 1, rapidStay},
		{"dundee_rapid_hubs_2018q3", "energy_kwh", 1, rapidEnergy},
		{"belib_sessions", "duration_min", 1, belibStay},
		{"belib_sessions", "energy_wh", 1e-3, belibEnergy},
		{"epfl_dc", "stay_min", 1, epflStay},
		{"epfl_dc", "pmax_w", 1, epflPower},
		{"epfl_dc", "soc_arrival", 1, epflSoC},
		{"epfl_dc", "energy_wh", 1e-3, epflEnergy[:len(epflEnergy)-1]},
	} {
		var figures map[string]json.RawMessage
		if err := json.Unmarshal(sets[c.set], &figures); err != nil {
			t.Fatal(err)
		}
		var set map[string]float64
		if err := json.Unmarshal(figures[c.figure], &set); err != nil {
			t.Fatal(err)
		}
		for _, q := range c.carried {
			want, ok := quantileAt(set, q.p)
			if !ok || math.Abs(want*c.scale-q.value) > 1e-9 {
				t.Errorf("%s %s at %v: %v, carried %v", c.set, c.figure, q.p, want, q.value)
			}
		}
	}
}

// Ranks must stay uniform, or the energies would not have the distribution of their source.
func TestRanksAreUniform(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	const n = 100_000
	var stays, energies [10]int
	for range n {
		stay, energy := ranks(rng)
		stays[int(stay*10)]++
		energies[min(int(energy*10), 9)]++
	}
	for i := range stays {
		for _, got := range []int{stays[i], energies[i]} {
			if got < n/10*95/100 || got > n/10*105/100 {
				t.Errorf("tenth %d holds %d and %d of %d", i, stays[i], energies[i], n)
			}
		}
	}
}

// What the world does has the medians of its sources, so far as connectors have the power.
func TestMediansAreNearTheSource(t *testing.T) {
	w := New(Config{Seed: 3})
	c := &connector{class: classDepot, power: depotPower}
	var energies, stays []float64
	for range 20_000 {
		p := w.draw(c)
		hours := float64(p.stay) / float64(chargestream.Hour)
		energies = append(energies, min(float64(p.energy), float64(p.power)*hours)/1000)
		stays = append(stays, hours*60)
	}
	slices.Sort(energies)
	slices.Sort(stays)
	energy, stay := energies[len(energies)/2], stays[len(stays)/2]
	t.Logf("median energy %.2f kWh (source 21.62), stay %.1f min (source 212.35)", energy, stay)
	if math.Abs(energy-21.62) > 2.2 || math.Abs(stay-212.35) > 10 {
		t.Error("more than a tenth off")
	}
}
