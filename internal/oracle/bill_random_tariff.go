package oracle

import (
	"fmt"
	"strings"
	"time"
)

// reference draws the registry and the tariffs: known long before, sometimes too late, sometimes
// changed after the start, which must change nothing.
func (d *draw) reference() {
	entry := RegistryFact{Site: "site-1", Zone: "Europe/Paris", Tariff: "day", MaxPowerW: 50_000}
	switch {
	case d.chance(5):
		entry.Zone = ""
	case d.chance(10):
		entry.Zone = "Australia/Lord_Howe"
	}
	if d.chance(30) {
		entry.ConnectorPower = map[string]int64{
			"1": pick[int64](d.rng, 3700, 11000, 22000, 150_000),
		}
	}
	if d.chance(10) {
		entry.MaxPowerW = 0
		entry.ConnectorType = map[string]string{"1": pick(d.rng, "", "IEC_62196_T2", "CHADEMO")}
	}
	if entry.Calibrated = d.chance(8); entry.Calibrated && d.chance(50) {
		entry.ConnectorSerial = map[string]string{"1": "M-1"}
	}
	if entry.Calibrated && d.chance(75) {
		entry.ConnectorKey = map[string]bool{"1": true}
	}
	entry.ArrivalMs = d.startMs - dayMs - d.rng.Int64N(dayMs)
	if d.chance(8) {
		entry.ArrivalMs = d.referenceLate()
	}
	d.f.Registry = append(d.f.Registry, entry)
	if d.chance(25) {
		entry.Tariff, entry.Site = "other", "site-2"
		entry.ArrivalMs = d.startMs + pick(d.rng, -12*hourMs, -12*hourMs, 0, hourMs, dayMs)
		d.f.Registry = append(d.f.Registry, entry)
	}
	for _, id := range []string{"day", "other"} {
		d.tariffRecords(id)
	}
	for i := range d.f.Registry {
		d.f.Registry[i].ArrivalMs += int64(i)
	}
	for i := range d.f.Tariffs {
		d.f.Tariffs[i].ArrivalMs += int64(i)
	}
}

// referenceLate is a moment after the start.
func (d *draw) referenceLate() int64 {
	end := max(d.startMs, d.endMs)
	return d.between(d.startMs, end+pick(d.rng, graceMs, hourMs, dayMs, 2*dayMs))
}

func (d *draw) tariffRecords(id string) {
	t := TariffFact{ID: id, ArrivalMs: d.startMs - 2*dayMs - d.rng.Int64N(dayMs)}
	if d.chance(10) {
		t.ArrivalMs = d.referenceLate()
	}
	from := d.startMs - 30*dayMs
	if d.chance(4) {
		from = d.startMs + hourMs // not in force yet
	}
	t.Versions = append(t.Versions, TariffVersion{from, d.tariff(id)})
	if d.chance(30) {
		at := d.startMs + pick(d.rng, -dayMs, -secondMs, 0, secondMs, 20*minuteMs)
		t.Versions = append(t.Versions, TariffVersion{at, d.tariff(id)})
	}
	d.f.Tariffs = append(d.f.Tariffs, t)
	if d.chance(30) { // published again, with what was billed already changed
		t.Versions = append([]TariffVersion(nil), t.Versions...)
		t.Versions[0].JSON = d.tariff(id)
		if d.chance(50) {
			t.Versions = append(t.Versions, TariffVersion{d.startMs - minuteMs, d.tariff(id)})
		}
		t.ArrivalMs = d.referenceLate()
		if d.chance(30) {
			t.ArrivalMs = d.startMs - hourMs
		}
		d.f.Tariffs = append(d.f.Tariffs, t)
	}
}

// random component: a price of up to four decimals.
func (d *draw) component(dimension, vat string, step int) string {
	price := fmt.Sprintf("%d.%02d", 1+d.rng.IntN(3), d.rng.IntN(100))
	if dimension == dimEnergy {
		price = fmt.Sprintf("0.%0*d", 2+d.rng.IntN(3), 1+d.rng.IntN(99))
	}
	text := fmt.Sprintf(`{"type":%q,"price":%s,"step_size":%d`, dimension, price, step)
	if vat != "" {
		text += `,"vat":` + vat
	}
	return text + "}"
}

func elementText(limits string, components ...string) string {
	text := `{"price_components":[` + strings.Join(components, ",") + `]`
	if limits != "" {
		text += `,"restrictions":{` + limits + `}`
	}
	return text + "}"
}

// tariff draws one of the kinds that operators have. Windows end where sessions often are.
func (d *draw) tariff(id string) []byte {
	vat := pick(d.rng, "20", "20", "19", "5.5", "7.7")
	other := pick(d.rng, vat, vat, "10")
	energy := func(v string) string {
		return d.component(dimEnergy, v, pick(d.rng, 1, 1, 1, 100, 1000))
	}
	length := func(dimension, v string) string {
		return d.component(dimension, v, pick(d.rng, 1, 60, 60, 300, 900))
	}
	const weekdays = `"day_of_week":["MONDAY","TUESDAY","WEDNESDAY","THURSDAY","FRIDAY"]`
	day := fmt.Sprintf(`"start_time":"%02d:00","end_time":"%02d:30"`, pick(d.rng, 2, 7, 8),
		pick(d.rng, 17, 22, 23))
	var elements []string
	switch d.rng.IntN(8) {
	case 0:
		elements = []string{elementText("", energy(vat))}
	case 1:
		elements = []string{elementText("", energy(vat), length(dimTime, vat))}
	case 2:
		elements = []string{elementText("", d.component(dimFlat, other, 1), energy(vat),
			length(dimParking, vat))}
	case 3:
		elements = []string{elementText(day, energy(vat)), elementText("", energy(other)),
			elementText("", length(dimParking, vat))}
	case 4:
		elements = []string{elementText(day+","+weekdays, energy(vat), length(dimParking, other)),
			elementText("", energy(vat), d.component(dimFlat, other, 1))}
	case 5:
		elements = []string{elementText(`"max_kwh":`+pick(d.rng, "1", "5", "10.5"), energy(vat)),
			elementText("", energy(other), length(dimTime, vat), length(dimParking, vat))}
	case 6:
		elements = []string{elementText(`"max_duration":`+pick(d.rng, "600", "3600"),
			length(dimParking, vat)), elementText("", energy(vat)),
			elementText(`"start_time":"20:00","end_time":"07:00"`, length(dimTime, other)),
			elementText("", length(dimParking, other), length(dimTime, vat))}
	default:
		elements = []string{elementText("", d.component(dimFlat, vat, 1), energy(vat),
			length(dimTime, vat), length(dimParking, vat))}
	}
	head := ""
	switch d.rng.IntN(40) {
	case 0:
		elements = append([]string{elementText(`"min_current":32`, energy(vat))}, elements...)
	case 1, 2:
		elements = append([]string{elementText("", energy(""))}, elements...)
	case 3, 4:
		head = `"min_price":{"excl_vat":5,"incl_vat":6},`
	case 5, 6:
		head = `"max_price":{"excl_vat":5,"incl_vat":6},`
	case 7:
		head = fmt.Sprintf(`"end_date_time":%q,`, time.UnixMilli(d.startMs).UTC().
			Add(pick(d.rng, 0, time.Hour, -time.Hour)).Format(time.RFC3339))
	}
	return []byte(fmt.Sprintf(`{"country_code":"FR","party_id":"RND","id":%q,%s"currency":%q,`+
		`"elements":[%s],"last_updated":"2025-01-01T00:00:00Z"}`, id, head,
		pick(d.rng, "EUR", "EUR", "EUR", "EUR", "EUR", "JPY", "KWD"), strings.Join(elements, ",")))
}
