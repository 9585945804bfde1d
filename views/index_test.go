package views_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"chargestream"
	"chargestream/web"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drawInvoice is an invoice of one of few users, stations and sites, booked in one of two months or
// in none.
func drawInvoice(t *rapid.T) chargestream.Invoice {
	session := ids().Draw(t, "session")
	date := rapid.SampledFrom([]string{"2026-03-02", "2026-03-31", "2026-04-01", "2026-03",
		""}).Draw(t, "date")
	return chargestream.Invoice{SessionID: chargestream.SessionID(session),
		InvoiceID:   session + "-" + rapid.StringMatching(`[ab]`).Draw(t, "digit"),
		UserID:      chargestream.UserID(few().Draw(t, "user")),
		StationID:   chargestream.StationID(few().Draw(t, "station")),
		SiteID:      chargestream.SiteID(few().Draw(t, "site")),
		BookingDate: date,
		Kind:        chargestream.KindInvoice,
		Status: rapid.SampledFrom([]chargestream.InvoiceStatus{chargestream.StatusIssued,
			chargestream.StatusHeld}).Draw(t, "status"),
		HoldReasons: rapid.SampledFrom([][]chargestream.HoldReason{nil,
			{chargestream.HoldCancelled}, {chargestream.HoldNoTariff}}).Draw(t, "reasons")}
}

// few are a few words, so that there is something to every filter; or none.
func few() *rapid.Generator[string] { return rapid.SampledFrom([]string{"", "x", "y"}) }

// drawInvoiceFilter asks for some of the fields that drawInvoice writes.
func drawInvoiceFilter(t *rapid.T) web.InvoiceFilter {
	return web.InvoiceFilter{
		UserID:    chargestream.UserID(few().Draw(t, "by user")),
		StationID: chargestream.StationID(few().Draw(t, "by station")),
		SiteID:    chargestream.SiteID(few().Draw(t, "by site")),
		Month:     rapid.SampledFrom([]string{"", "2026-03", "2026-04"}).Draw(t, "by month"),
		Status: rapid.SampledFrom([]chargestream.InvoiceStatus{"", chargestream.StatusHeld,
			chargestream.StatusIssued, chargestream.StatusCancelled}).Draw(t, "by status"),
		SessionID: chargestream.SessionID(rapid.SampledFrom([]string{"", "", "a", "aa"}).
			Draw(t, "by session")),
	}
}

// TestInvoiceIndexes changes and deletes invoices, and holds every list against all that there are.
func TestInvoiceIndexes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCity()
		kept := map[string]chargestream.Invoice{}
		for range rapid.IntRange(0, 60).Draw(t, "changes") {
			v := drawInvoice(t)
			if rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
				c.invoices.set(v.InvoiceID, nil)
				delete(kept, v.InvoiceID)
			} else {
				put(t, c.invoices, v.InvoiceID, v)
				kept[v.InvoiceID] = v
			}
		}
		f := drawInvoiceFilter(t)
		var all []chargestream.Invoice
		for _, v := range kept {
			all = append(all, v)
		}
		walked := walk(t, rapid.IntRange(1, 8).Draw(t, "limit"), web.InvoiceKey,
			func(p web.Page) ([]chargestream.Invoice, error) {
				f.Page = p
				return c.views.Invoices(t.Context(), f)
			})
		wantWalked(t, walked, all, web.InvoiceKey, f.Matches)
	})
}

// degrees are coordinates, among them many at the edges of cells and of the map.
func degrees(most int) *rapid.Generator[float64] {
	return rapid.OneOf(rapid.Map(rapid.IntRange(-most, most), func(n int) float64 {
		return float64(n)
	}), rapid.SampledFrom([]float64{0, -0.02, 0.02, 1.999999, 2, float64(most), -float64(most)}),
		rapid.Float64Range(-float64(most), float64(most)))
}

// drawArea draws an area of any size, or none.
func drawArea(t *rapid.T) *web.Area {
	if rapid.Bool().Draw(t, "anywhere") {
		return nil
	}
	a := &web.Area{West: degrees(180).Draw(t, "west"), East: degrees(180).Draw(t, "east"),
		South: degrees(90).Draw(t, "south"), North: degrees(90).Draw(t, "north")}
	if a.South > a.North {
		a.South, a.North = a.North, a.South
	}
	return a
}

// reporter is a station whose connectors are known by its reports, by the registry or by both.
func (c *city) reporter(t *rapid.T, id chargestream.StationID) {
	words := []string{"", "Available", "Charging", "Faulted"}
	c.stations.set(string(id), nil)
	c.registry.set(string(id), nil)
	info := chargestream.StationInfo{StationID: id, SiteID: sites().Draw(t, "site"),
		Latitude: degrees(90).Draw(t, "lat"), Longitude: degrees(180).Draw(t, "lon")}
	for _, connector := range []chargestream.ConnectorID{"1", "2"} {
		if word := rapid.SampledFrom(words).Draw(t, "status"); word != "" {
			c.receive(t, status(id, connector, word))
		} else {
			info.Connectors = append(info.Connectors,
				chargestream.ConnectorInfo{ConnectorID: connector})
		}
	}
	switch rapid.IntRange(0, 3).Draw(t, "registry") {
	case 0:
	case 1:
		c.registry.set(string(id), []byte("R"))
	default:
		put(t, c.registry, string(id), info)
	}
}

// TestStationIndexes changes stations, and holds every list against all that there are.
func TestStationIndexes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCity()
		for range rapid.IntRange(0, 20).Draw(t, "changes") {
			c.reporter(t, chargestream.StationID(ids().Draw(t, "station")))
		}
		all, err := c.views.Stations(t.Context(), web.StationFilter{Page: everything()})
		if err != nil {
			t.Fatal(err)
		}
		f := web.StationFilter{SiteID: sites().Draw(t, "by site"), Area: drawArea(t)}
		state := rapid.IntRange(-1, int(chargestream.StateFaulted)).Draw(t, "by state")
		if state >= 0 {
			f.State = ptr(chargestream.State(state))
		}
		walked := walk(t, rapid.IntRange(1, 8).Draw(t, "limit"), web.StationKey,
			func(p web.Page) ([]chargestream.StationState, error) {
				f.Page = p
				return c.views.Stations(t.Context(), f)
			})
		wantWalked(t, walked, all, web.StationKey, f.Matches)
	})
}

// counted is how many items a list has.
func counted[T any](list func() ([]T, error)) func() (int, error) {
	return func() (int, error) {
		items, err := list()
		return len(items), err
	}
}

// TestListsReadWhatTheirFiltersName: of many rows a list reads those that have what is asked for.
func TestListsReadWhatTheirFiltersName(t *testing.T) {
	c := newCity()
	for i := range 30 {
		id := chargestream.StationID(fmt.Sprintf("%02d", i))
		word := "Available"
		if i%10 == 0 {
			word = "Faulted"
		}
		c.receive(t, status(id, "1", word))
		put(t, c.registry, string(id), chargestream.StationInfo{StationID: id,
			SiteID: chargestream.SiteID(fmt.Sprint(i % 6)), Longitude: 2,
			Latitude: 48 + float64(i)/10})
		put(t, c.utilization, string(id)+"/1/2026-0"+fmt.Sprint(1+i%5)+"-02T12:00:00Z",
			chargestream.Utilization{StationID: id, ConnectorID: "1",
				WindowStart: chargestream.MillisOf(time.Date(2026, time.Month(1+i%5), 2, 12, 0, 0,
					0, time.UTC))})
		v := chargestream.Invoice{SessionID: "s", InvoiceID: "s-" + string(id), StationID: id,
			UserID: chargestream.UserID(fmt.Sprint(i % 3)), Status: chargestream.StatusIssued,
			SiteID: chargestream.SiteID(fmt.Sprint(i % 6)), BookingDate: "2026-03-02"}
		if i%15 == 0 {
			v.Status, v.BookingDate = chargestream.StatusHeld, "2026-04-01"
		}
		put(t, c.invoices, v.InvoiceID, v)
		n := chargestream.Anomaly{AnomalyID: "n" + string(id), StationID: id, OpenedAt: moment(0)}
		if i%7 != 0 {
			n.ClosedAt = moment(1)
		}
		put(t, c.anomalies, n.AnomalyID, n)
	}
	stations := func(f web.StationFilter) func() (int, error) {
		f.Page = everything()
		return counted(func() ([]chargestream.StationState, error) {
			return c.views.Stations(t.Context(), f)
		})
	}
	invoices := func(f web.InvoiceFilter) func() (int, error) {
		f.Page = everything()
		return counted(func() ([]chargestream.Invoice, error) {
			return c.views.Invoices(t.Context(), f)
		})
	}
	anomalies := func(f web.AnomalyFilter) func() (int, error) {
		f.Page = everything()
		return counted(func() ([]chargestream.Anomaly, error) {
			return c.views.Anomalies(t.Context(), f)
		})
	}
	windows := func(f web.UtilizationFilter) func() (int, error) {
		f.Page = everything()
		return counted(func() ([]chargestream.Utilization, error) {
			return c.views.Utilization(t.Context(), f)
		})
	}
	march := chargestream.MillisOf(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	for what, test := range map[string]struct {
		table *memory
		list  func() (int, error)
		items int
		reads []string // nil: those of the items
	}{
		"stations by state": {c.stations,
			stations(web.StationFilter{State: ptr(chargestream.StateFaulted)}), 3, nil},
		"stations by site": {c.stations, stations(web.StationFilter{SiteID: "2"}), 5, nil},
		"stations by both": {c.stations, stations(web.StationFilter{SiteID: "2",
			State: ptr(chargestream.StateFaulted)}), 1, []string{"00", "10", "20"}},
		"stations by area": {c.stations, stations(web.StationFilter{Area: &web.Area{West: 1.99,
			South: 48.05, East: 2.01, North: 48.35}}), 3, nil},
		"stations of a continent": {c.stations, stations(web.StationFilter{Area: &web.Area{
			West: -10, South: 35, East: 40, North: 48.05}}), 1, ids30()},
		"windows by month": {c.utilization, windows(web.UtilizationFilter{From: march,
			To: march + 31*chargestream.Day}), 6, nil},
		"windows of two months": {c.utilization, windows(web.UtilizationFilter{
			From: march + chargestream.Day, To: march + 35*chargestream.Day}), 12, nil},
		"invoices by user":    {c.invoices, invoices(web.InvoiceFilter{UserID: "1"}), 10, nil},
		"invoices by site":    {c.invoices, invoices(web.InvoiceFilter{SiteID: "1"}), 5, nil},
		"invoices by month":   {c.invoices, invoices(web.InvoiceFilter{Month: "2026-04"}), 2, nil},
		"invoices by station": {c.invoices, invoices(web.InvoiceFilter{StationID: "07"}), 1, nil},
		"invoices held": {c.invoices,
			invoices(web.InvoiceFilter{Status: chargestream.StatusHeld}), 2, nil},
		"anomalies open": {c.anomalies, anomalies(web.AnomalyFilter{Open: true}), 5, nil},
		"anomalies by station": {c.anomalies,
			anomalies(web.AnomalyFilter{StationID: "07"}), 1, nil},
	} {
		var reads []string
		test.table.onGet = func(key string) { reads = append(reads, key) }
		items, err := test.list()
		test.table.onGet = nil
		if err != nil || items != test.items {
			t.Errorf("%s: %d items instead of %d: %v", what, items, test.items, err)
		}
		if test.reads == nil && len(reads) != test.items ||
			test.reads != nil && !slices.Equal(reads, test.reads) {
			t.Errorf("%s: %q were read for %d items", what, reads, items)
		}
	}
}

// ids30 are the ids of all stations of the test above.
func ids30() []string {
	var list []string
	for i := range 30 {
		list = append(list, fmt.Sprintf("%02d", i))
	}
	return list
}

// TestFilteredListsNoteCorruptRows: a row that cannot be read is noted whatever is asked for.
func TestFilteredListsNoteCorruptRows(t *testing.T) {
	c := newCity()
	good := c.bill(t, "s/1", "A", "u1", chargestream.StatusHeld)
	c.invoices.set("cut", c.invoices.rows[good.InvoiceID][:20])
	for range 2 {
		got, err := c.views.Invoices(t.Context(),
			web.InvoiceFilter{UserID: "u1", Page: everything()})
		if err != nil {
			t.Fatal(err)
		}
		wantKeys(t, "list", got, web.InvoiceKey, good.InvoiceID)
	}
	c.wantCorrupt(t, map[string]int{"invoices": 1}, "cut")
	c.invoices.set("cut", nil)
	got, err := c.views.Invoices(t.Context(), web.InvoiceFilter{Page: everything()})
	if diff := cmp.Diff([]chargestream.Invoice{good}, got); err != nil || diff != "" {
		t.Errorf("after it was deleted (-want +got):\n%s\n%v", diff, err)
	}
}
