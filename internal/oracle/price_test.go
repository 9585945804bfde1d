package oracle

import (
	"fmt"
	"strings"
	"testing"
)

// failures prices all vectors by p, after alter has changed each, and tells the amounts that
// differ from what the vectors say; it ends with the vector that makes most of them.
func failures(p pricing, alter func(*vector), most int) []string {
	var found []string
	for _, v := range vectors() {
		if len(found) >= most {
			break
		}
		if alter != nil {
			alter(&v)
		}
		got, err := p.price([]byte(v.tariff), v.usage, 2)
		if err != nil {
			found = append(found, fmt.Sprintf("%s: %v", v.name, err))
			continue
		}
		for _, a := range []struct{ name, got, want string }{
			{"exact excl", got.ExactExcl, v.excl},
			{"exact incl", got.ExactIncl, v.incl},
			{"rounded", got.Excl + " " + got.Incl, v.rounded},
			{"mWh", fmt.Sprint(got.EnergyBilledMilliWh), said(v.milliWh)},
			{"charging s", fmt.Sprint(got.ChargingBilledS), said(v.chargingS)},
			{"parking s", fmt.Sprint(got.ParkingBilledS), said(v.parkingS)},
		} {
			if a.want != "" && a.got != a.want {
				found = append(found, fmt.Sprintf("%s: %s %s, want %s",
					v.name, a.name, a.got, a.want))
			}
		}
	}
	return found
}

func said(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func TestVectors(t *testing.T) {
	for _, f := range failures(priceRules(), nil, len(vectors())) {
		t.Error(f)
	}
	if n := len(vectors()); n < 80 {
		t.Errorf("%d vectors, want 80 at least", n)
	}
}

func TestBoundApplied(t *testing.T) {
	want := map[string]string{
		"least price":            "min_excl+min_incl",
		"most price":             "max_excl+max_incl",
		"below most price":       "",
		"least price reached":    "",
		"least price with VAT":   "min_excl+min_incl",
		"most price with VAT":    "max_excl+max_incl",
		"most price without VAT": "max_excl+max_incl",
		"between both":           "",
		"at the most price":      "",
	}
	for _, v := range vectors() {
		by, ok := want[v.name]
		if !ok {
			continue
		}
		delete(want, v.name)
		got, err := PriceUsage([]byte(v.tariff), v.usage, 2)
		if err != nil || got.BoundApplied != by {
			t.Errorf("%s: %q %v, want %q", v.name, got.BoundApplied, err, by)
		}
	}
	if len(want) > 0 {
		t.Errorf("no such vectors: %v", want)
	}
}

func TestDigits(t *testing.T) {
	v := vectorsSimple()[8] // 4.75 and 4.997
	for digits, want := range map[int]string{
		0: "5 0 5", 1: "4.8 0.2 5.0", 2: "4.75 0.25 5.00", 3: "4.750 0.247 4.997",
	} {
		got, err := PriceUsage([]byte(v.tariff), v.usage, digits)
		text := strings.Join([]string{got.Excl, got.VAT, got.Incl}, " ")
		if err != nil || text != want {
			t.Errorf("%d digits: %s %v, want %s", digits, text, err, want)
		}
	}
}

func TestTariffRefused(t *testing.T) {
	good := component("ENERGY", "1", "10", 1)
	u := session(monday, charge(1, 1))
	if _, err := PriceUsage([]byte(tariffOf(element("", good))), u, 2); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"no JSON":              `{`,
		"no elements":          `{"elements":[]}`,
		"no components":        tariffOf(element("")),
		"null component":       tariffOf(element("", "null")),
		"type":                 tariffOf(element("", component("ENERGIE", "1", "", 1))),
		"no price":             tariffOf(element("", `{"type":"FLAT"}`)),
		"price in quotes":      tariffOf(element("", component("FLAT", `"1"`, "", 1))),
		"price of great power": tariffOf(element("", component("FLAT", "1e999", "", 1))),
		"negative vat":         tariffOf(element("", component("FLAT", "1", "-1", 1))),
		"no step":              tariffOf(element("", component("TIME", "1", "", 0))),
		"unknown restriction":  tariffOf(element(`"min_soc":1`, good)),
		"time of day":          tariffOf(element(`"start_time":"24:00"`, good)),
		"short time of day":    tariffOf(element(`"end_time":"9:00"`, good)),
		"date":                 tariffOf(element(`"end_date":"2025-02-30"`, good)),
		"weekday":              tariffOf(element(`"day_of_week":["Monday"]`, good)),
		"reservation":          tariffOf(element(`"reservation":"NONE"`, good)),
		"bound without excl":   tariffOf(element("", good), `"min_price":{"incl_vat":1}`),
	} {
		if got, err := PriceUsage([]byte(text), u, 2); err == nil {
			t.Errorf("%s: %+v, want an error", name, got)
		}
	}
}

func TestUsageRefused(t *testing.T) {
	tariff := []byte(tariffOf(element("", component("ENERGY", "1", "10", 1))))
	for name, spoil := range map[string]func(*Usage){
		"no zone":            func(u *Usage) { u.Zone = nil },
		"backwards":          func(u *Usage) { u.EndMs = u.StartMs - 1 },
		"gap":                func(u *Usage) { u.Periods[1].FromMs++ },
		"overlap":            func(u *Usage) { u.Periods[1].FromMs-- },
		"late start":         func(u *Usage) { u.StartMs-- },
		"early end":          func(u *Usage) { u.EndMs++ },
		"period backwards":   func(u *Usage) { u.Periods[1].ToMs = u.Periods[1].FromMs - 1 },
		"negative energy":    func(u *Usage) { u.Periods[0].MilliWh = -1 },
		"energy at a moment": func(u *Usage) { u.Periods[1].ToMs = u.Periods[1].FromMs },
		"reservation backwards": func(u *Usage) {
			u.Reservation = &Reservation{StartMs: 1, EndMs: 0}
		},
		"reservation too late": func(u *Usage) {
			u.Reservation = &Reservation{StartMs: u.StartMs, EndMs: u.StartMs + 1}
		},
		"session after expiry": func(u *Usage) { u.Reservation = &Reservation{Expired: true} },
	} {
		u := session(monday, charge(1, 1), charge(1, 1))
		spoil(&u)
		if got, err := PriceUsage(tariff, u, 2); err == nil {
			t.Errorf("%s: %+v, want an error", name, got)
		}
	}
	if _, err := PriceUsage(tariff, session(monday), digitsMax+1); err == nil {
		t.Error("too many digits: no error")
	}
}
