package views_test

import (
	"fmt"
	"runtime"
	"strconv"
	"testing"

	"chargestream"
	"chargestream/web"
)

// benchStations is how many stations the benchmarks have, each with a session and its invoice.
const benchStations = 100_000

// benchCity is a city of benchStations stations, sessions, invoices and entries of the registry.
// Every tenth station has a fault and every hundredth an open anomaly; there are 1,000 sites,
// 20,000 users and two months.
func benchCity(b *testing.B) *city {
	b.Helper()
	c := newCity()
	for i := range benchStations {
		id := chargestream.StationID("FR*SOD*E" + strconv.Itoa(i))
		site := chargestream.SiteID("site-" + strconv.Itoa(i%1000))
		word := "Available"
		if i%10 == 0 {
			word = "Faulted"
		}
		c.receive(b, status(id, "1", word), status(id, "2", "Charging"))
		put(b, c.registry, string(id), chargestream.StationInfo{StationID: id, SiteID: site,
			TimeZone: "Europe/Paris", TariffID: "city-ac", MaxPower: 22000,
			Connectors: []chargestream.ConnectorInfo{{ConnectorID: "1", Type: "IEC_62196_T2"},
				{ConnectorID: "2", Type: "IEC_62196_T2"}}})
		session := chargestream.SessionID("s-" + strconv.Itoa(i))
		user := chargestream.UserID("card-" + strconv.Itoa(i%20_000))
		c.charge(id, session, charged(moment(i%1000), user))
		v := benchInvoice(session, id, site, user)
		if i%2 == 0 {
			v.BookingDate = "2026-04-01"
		}
		put(b, c.invoices, v.InvoiceID, v)
		if i%100 == 0 {
			n := chargestream.Anomaly{AnomalyID: "clock_skew/" + string(id), StationID: id,
				Kind: chargestream.AnomalyClockSkew, OpenedAt: moment(0)}
			put(b, c.anomalies, n.AnomalyID, n)
		}
	}
	return c
}

func benchInvoice(session chargestream.SessionID, station chargestream.StationID,
	site chargestream.SiteID, user chargestream.UserID) chargestream.Invoice {
	line := chargestream.InvoiceLine{Dimension: "ENERGY", Description: "Energy",
		Quantity: "12.345", Measured: "12.345", Unit: "kWh", UnitPrice: "0.45", ExclVAT: "5.56",
		VATPercent: "20", VAT: "1.11", InclVAT: "6.67"}
	return chargestream.Invoice{InvoiceID: string(session) + "-0123456789", SessionID: session,
		Revision: 1, Kind: chargestream.KindInvoice, Status: chargestream.StatusIssued,
		IssuedAt: moment(70), BookingDate: "2026-03-02", StationID: station, ConnectorID: "2",
		SiteID: site, TimeZone: "Europe/Paris", UserID: user, Currency: "EUR",
		StartTime: moment(0), EndTime: moment(60), DurationSeconds: 3600, Energy: 12345,
		TariffID: "city-ac", TariffValidFrom: moment(0),
		Lines: []chargestream.InvoiceLine{line, line},
		VATGroups: []chargestream.VATGroup{{VATPercent: "20", ExclVAT: "11.12", VAT: "2.22",
			InclVAT: "13.34"}},
		TotalExclVAT: "11.12", TotalVAT: "2.22", TotalInclVAT: "13.34"}
}

// BenchmarkQueries asks for pages of 100 and for single rows.
func BenchmarkQueries(b *testing.B) {
	c := benchCity(b)
	page := web.Page{Limit: web.LimitDefault + 1}
	middle := page
	middle.After = "FR*SOD*E5"
	faulted, free := ptr(chargestream.StateFaulted), ptr(chargestream.StateAvailable)
	stations := func(f web.StationFilter) func(int) (int, error) {
		return func(int) (int, error) {
			list, err := c.views.Stations(b.Context(), f)
			return len(list), err
		}
	}
	invoices := func(f web.InvoiceFilter) func(int) (int, error) {
		return func(int) (int, error) {
			list, err := c.views.Invoices(b.Context(), f)
			return len(list), err
		}
	}
	for _, query := range []struct {
		name  string
		items int
		ask   func(i int) (int, error)
	}{
		{"stations", 101, stations(web.StationFilter{Page: page})},
		{"stations/middle", 101, stations(web.StationFilter{Page: middle})},
		{"stations/free", 101, stations(web.StationFilter{State: free, Page: page})},
		{"stations/faulted", 101, stations(web.StationFilter{State: faulted, Page: page})},
		{"stations/site", 100, stations(web.StationFilter{SiteID: "site-7", Page: page})},
		{"stations/site,faulted", 0, stations(web.StationFilter{SiteID: "site-7", State: faulted,
			Page: page})},
		{"invoices", 101, invoices(web.InvoiceFilter{Page: page})},
		{"invoices/user", 5, invoices(web.InvoiceFilter{UserID: "card-7", Page: page})},
		{"invoices/site", 100, invoices(web.InvoiceFilter{SiteID: "site-7", Page: page})},
		{"invoices/month", 101, invoices(web.InvoiceFilter{Month: "2026-04", Page: page})},
		{"invoices/session", 1, invoices(web.InvoiceFilter{SessionID: "s-77777", Page: page})},
		{"anomalies/open", 101, func(int) (int, error) {
			list, err := c.views.Anomalies(b.Context(), web.AnomalyFilter{Open: true, Page: page})
			return len(list), err
		}},
		{"station", 1, func(i int) (int, error) {
			id := chargestream.StationID("FR*SOD*E" + strconv.Itoa(i%benchStations))
			_, err := c.views.Station(b.Context(), id)
			return 1, err
		}},
		{"session", 1, func(i int) (int, error) {
			id := chargestream.SessionID("s-" + strconv.Itoa(i%benchStations))
			_, err := c.views.Session(b.Context(), id, "")
			return 1, err
		}},
		{"invoice", 1, func(i int) (int, error) {
			_, err := c.views.Invoice(b.Context(), fmt.Sprintf("s-%d-0123456789", i%benchStations))
			return 1, err
		}},
	} {
		b.Run(query.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if items, err := query.ask(i); err != nil || items != query.items {
					b.Fatalf("%d items instead of %d: %v", items, query.items, err)
				}
			}
		})
	}
}

// BenchmarkIndexes keeps the indexes of a whole city, and reports what they cost a row.
func BenchmarkIndexes(b *testing.B) {
	full := benchCity(b)
	for _, table := range []struct {
		name string
		of   func(*city) *memory
	}{
		{"stations", func(c *city) *memory { return c.stations }},
		{"sessions", func(c *city) *memory { return c.sessions }},
		{"registry", func(c *city) *memory { return c.registry }},
		{"invoices", func(c *city) *memory { return c.invoices }},
	} {
		b.Run(table.name, func(b *testing.B) {
			rows := table.of(full).rows
			var bytes uint64
			for b.Loop() {
				b.StopTimer()
				empty := newCity()
				before := heap()
				b.StartTimer()
				for key, row := range rows {
					table.of(empty).onChange(key, nil, row)
				}
				b.StopTimer()
				bytes = heap() - before
				runtime.KeepAlive(empty)
				b.StartTimer()
			}
			per := float64(b.Elapsed().Nanoseconds()) / float64(b.N*len(rows))
			b.ReportMetric(per, "ns/row")
			b.ReportMetric(float64(bytes)/float64(len(rows)), "index-B/row")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// heap is how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
