package oracle_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"chargestream/internal/oracle"
)

const flatTariff = `{"currency":"EUR","elements":[{"price_components":[
	{"type":"ENERGY","price":0.45,"vat":20,"step_size":1},
	{"type":"TIME","price":1.20,"vat":20,"step_size":1}]}]}`

// timeOfUseTariff is the tariff that ExpectTimeOfUse goes by.
func timeOfUseTariff(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/time-of-use.json")
	if err != nil {
		t.Fatal(err)
	}
	var history struct {
		Versions []struct{ Tariff json.RawMessage }
	}
	if err := json.Unmarshal(text, &history); err != nil || len(history.Versions) != 1 {
		t.Fatalf("%d versions, %v", len(history.Versions), err)
	}
	return history.Versions[0].Tariff
}

// live is the document of the row that was credited by none.
func live(r oracle.Row, connector []oracle.Row, tariff []byte) oracle.Document {
	f := oracle.FactsOf(r, connector)
	f.Registry[0].Zone = "Europe/Paris"
	f.Tariffs[0].Versions[0].JSON = tariff
	documents := oracle.History(f)
	return documents[len(documents)-1]
}

func sameBill(t *testing.T, want oracle.Invoice, d oracle.Document) {
	t.Helper()
	if d.Held != want.Held || !slices.Equal(d.Reasons, want.Reasons) || d.Excl != want.ExclCents ||
		d.VAT != want.VATCents || d.Incl != want.InclCents || d.EnergyWh != want.EnergyWh ||
		d.DurationS != want.DurationS || d.StartMs != want.StartMs || d.EndMs != want.EndMs ||
		len(d.Lines) != len(want.Lines) {
		t.Fatalf("\n got %+v\nwant %+v", d, want)
	}
	for i, l := range d.Lines {
		w := want.Lines[i]
		quantity := w.Quantity * 1_000_000 // of a session
		switch w.Dimension {
		case "ENERGY":
			quantity = w.Quantity * 1000
		case "TIME":
			quantity = (w.Quantity*1_000_000 + 1800) / 3600
		}
		near := max(l.Quantity-quantity, quantity-l.Quantity) <= 500 // half a Wh
		if l.Dimension != w.Dimension || !near || l.UnitPrice != w.UnitPrice ||
			l.VATPercent != w.VATPercent || l.Excl != w.ExclCents || l.VAT != w.VATCents {
			t.Fatalf("line %d:\n got %+v\nwant %+v", i, l, w)
		}
	}
}

// parisStep is of how many sessions one is billed a second time, by its history.
const parisStep = 5

// TestParisByHistory holds what Expect reckons row by row against the walk through the moments.
func TestParisByHistory(t *testing.T) {
	rows := paris(t)
	byConnector := map[string][]oracle.Row{}
	for _, r := range rows {
		key := oracle.ConnectorKey(r.Station, r.Connector)
		byConnector[key] = append(byConnector[key], r)
	}
	tariffs := map[string][]byte{"flat": []byte(flatTariff), "time of use": timeOfUseTariff(t)}
	expected := map[string]*oracle.Expected{
		"flat": oracle.Expect(rows, tariff(t)), "time of use": oracle.ExpectTimeOfUse(rows),
	}
	for name, x := range expected {
		t.Run(name, func(t *testing.T) {
			var cents int64
			for i, r := range rows {
				if i%parisStep != 0 {
					continue
				}
				own := byConnector[oracle.ConnectorKey(r.Station, r.Connector)]
				d := live(r, own, tariffs[name])
				sameBill(t, x.Invoices[r.ID], d)
				if !d.Held {
					cents += d.Incl
				}
			}
			t.Logf("%d cents issued", cents)
		})
	}
}

// TestTimeOfUseByHand: a Friday evening from 21:30 to 22:30 in Paris, the night in which the clocks
// go forward, and a session that takes no time.
func TestTimeOfUseByHand(t *testing.T) {
	local := func(text string) int64 {
		zone, err := time.LoadLocation("Europe/Paris")
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
		if err != nil {
			t.Fatal(err)
		}
		return at.UnixMilli()
	}
	for _, c := range []struct {
		from, to string
		wh       int64
		want     string
		incl     int64
	}{
		// 5 kWh at 0.48 and 5 at 0.29 are 3.85 and 0.77 of VAT; the fee 0.50 and 0.05
		{"2017-04-07 21:30", "2017-04-07 22:30", 10_000, "FLAT ENERGY ENERGY", 517},
		// on a Sunday from 01:00 to 08:30, 6.5 h: 0.29 x 13 = 3.77, half an hour of TIME: 0.45
		{"2017-03-26 01:00", "2017-03-26 08:30", 13_000, "FLAT ENERGY TIME", 561},
		{"2017-04-07 21:30", "2017-04-07 21:30", 1000, "FLAT ENERGY", 113},
	} {
		r := oracle.Row{ID: "r", Station: "S1", Connector: "P1", User: "U1", StartMs: local(c.from),
			StartArrivalMs: local(c.from), HasEnd: true, EndMs: local(c.to),
			EndArrivalMs: local(c.to), HasEnergy: true, EnergyWh: c.wh}
		v := oracle.ExpectTimeOfUse([]oracle.Row{r}).Invoices["r"]
		var lines []string
		for _, l := range v.Lines {
			lines = append(lines, l.Dimension)
		}
		if got := strings.Join(lines, " "); got != c.want || v.InclCents != c.incl {
			t.Errorf("%s: %s, %d cents; want %s, %d", c.from, got, v.InclCents, c.want, c.incl)
		}
		sameBill(t, v, live(r, nil, timeOfUseTariff(t)))
	}
}
