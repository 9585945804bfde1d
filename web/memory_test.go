package web_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"chargestream"
	"chargestream/web"
)

// memory is a Source that holds everything in slices. It keeps the contract of Source with the
// means that the package gives to those who implement it.
type memory struct {
	stations    []chargestream.StationState
	sessions    []chargestream.SessionState
	invoices    []chargestream.Invoice
	utilization []chargestream.Utilization
	anomalies   []chargestream.Anomaly
	sessionWhys []chargestream.SessionWhy
	stationWhys []chargestream.StationWhy
	reason      string // why it is not ready; empty where it is
	err         error  // what every lookup and list returns, if not nil
	tables      []web.TableFreshness
}

func find[T any](items []T, err error, is func(*T) bool) (*T, error) {
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		if is(&item) {
			return &item, nil
		}
	}
	return nil, web.ErrNotFound
}

func page[T any](
	items []T, err error, matches func(*T) bool, key func(*T) string, p web.Page,
) ([]T, error) {
	if err != nil {
		return nil, err
	}
	var found []T
	for i := range items {
		if matches(&items[i]) {
			found = append(found, items[i])
		}
	}
	return web.Cut(found, key, p), nil
}

func (m *memory) Station(
	_ context.Context, id chargestream.StationID,
) (*chargestream.StationState, error) {
	return find(m.stations, m.err,
		func(s *chargestream.StationState) bool { return s.StationID == id })
}

func (m *memory) Stations(
	_ context.Context, f web.StationFilter,
) ([]chargestream.StationState, error) {
	return page(m.stations, m.err, f.Matches, web.StationKey, f.Page)
}

func (m *memory) Session(
	_ context.Context, id chargestream.SessionID, at chargestream.StationID,
) (*chargestream.SessionState, error) {
	return find(m.sessions, m.err, func(s *chargestream.SessionState) bool {
		return s.SessionID == id && (at == "" || s.StationID == at)
	})
}

func (m *memory) Invoice(_ context.Context, id string) (*chargestream.Invoice, error) {
	return find(m.invoices, m.err,
		func(v *chargestream.Invoice) bool { return v.InvoiceID == id })
}

func (m *memory) Invoices(
	_ context.Context, f web.InvoiceFilter,
) ([]chargestream.Invoice, error) {
	return page(m.invoices, m.err, f.Matches, web.InvoiceKey, f.Page)
}

func (m *memory) Utilization(
	_ context.Context, f web.UtilizationFilter,
) ([]chargestream.Utilization, error) {
	return page(m.utilization, m.err, f.Matches, web.UtilizationKey, f.Page)
}

func (m *memory) Anomalies(
	_ context.Context, f web.AnomalyFilter,
) ([]chargestream.Anomaly, error) {
	return page(m.anomalies, m.err, f.Matches, web.AnomalyKey, f.Page)
}

func (m *memory) WhySession(
	_ context.Context, id chargestream.SessionID, _ chargestream.StationID,
) (*chargestream.SessionWhy, error) {
	return find(m.sessionWhys, m.err,
		func(w *chargestream.SessionWhy) bool { return w.SessionID == id })
}

func (m *memory) WhyStation(
	_ context.Context, id chargestream.StationID,
) (*chargestream.StationWhy, error) {
	return find(m.stationWhys, m.err,
		func(w *chargestream.StationWhy) bool { return w.StationID == id })
}

func (m *memory) Ready() (bool, string) { return m.reason == "", m.reason }

func (m *memory) Freshness() []web.TableFreshness { return m.tables }

// The ids that are hard to carry in an address.
const (
	starID  = "FR*SOD*X*BELI*21*1*2*1"
	slashID = "depot:7/left? 100%"
)

// moment is 2026-01-31T08:00:00Z and so many hours.
func moment(hours int) chargestream.Millis {
	return 1769846400000 + chargestream.Millis(hours)*chargestream.Hour
}

func ptr[T any](v T) *T { return &v }

// city is a Source with a little of everything.
func city() *memory {
	return &memory{
		stations: cityStations(),
		sessions: []chargestream.SessionState{
			{SessionID: "s/1", StationID: starID, Phase: chargestream.PhaseActive,
				StartTime: moment(0), Energy: ptr(chargestream.WattHours(12345)),
				AlsoAtStations: []chargestream.StationID{slashID}},
			{SessionID: "s/1", StationID: slashID, Phase: chargestream.PhaseOrphan},
		},
		invoices:    cityInvoices(),
		utilization: cityHours(),
		anomalies: []chargestream.Anomaly{
			{AnomalyID: "n1", Kind: chargestream.AnomalyOverlap, StationID: starID,
				Severity: chargestream.SeverityWarning, OpenedAt: moment(0),
				Evidence: map[string]string{"other": "s/2"}},
			{AnomalyID: "n2", Kind: chargestream.AnomalyClockSkew, StationID: starID,
				Severity: chargestream.SeverityInfo, OpenedAt: moment(0), ClosedAt: moment(1)},
			{AnomalyID: "n3", Kind: chargestream.AnomalyClockSkew, StationID: slashID,
				Severity: chargestream.SeverityInfo, OpenedAt: moment(0)},
		},
		sessionWhys: []chargestream.SessionWhy{{SessionID: "s/1", StationID: starID,
			Summary: "held", Received: []chargestream.Received{}, Missing: []string{"its end"}}},
		stationWhys: []chargestream.StationWhy{{StationID: "dead*letters", Summary: "nothing",
			DeadLetters: []chargestream.DeadLetter{{SourceTopic: "heartbeats", Reason: "malformed",
				Error: "time \"yesterday\" is not RFC 3339", Time: moment(0)}}},
			{StationID: starID, Summary: "fine", LastSeen: moment(0)}},
		tables: []web.TableFreshness{
			{Table: "stations", CaughtUp: true, Newest: moment(0)},
			{Table: "invoices", CaughtUp: true},
		},
	}
}

func cityStations() []chargestream.StationState {
	return []chargestream.StationState{
		{StationID: starID, LastSeen: moment(0),
			Info: &chargestream.StationInfo{StationID: starID, SiteID: "north", Latitude: 48.85,
				Longitude: 2.35, MaxPower: 150000, Connectors: []chargestream.ConnectorInfo{
					{ConnectorID: "1", Type: "IEC_62196_T2_COMBO"},
					{ConnectorID: "2", Type: "IEC_62196_T2", MaxPower: 22000}}},
			Connectors: []chargestream.ConnectorState{
				{ConnectorID: "1", State: chargestream.StateOccupied, Charging: true,
					Status: "Charging", Since: moment(0), Power: ptr(chargestream.Watts(48000))},
				{ConnectorID: "2", State: chargestream.StateAvailable, Status: "Available"}}},
		{StationID: slashID, LastSeen: moment(1), Connectors: []chargestream.ConnectorState{
			{ConnectorID: "1", State: chargestream.StateFaulted, Status: "Faulted"}}},
		{StationID: "silent", Info: &chargestream.StationInfo{StationID: "silent",
			SiteID: "south", Connectors: []chargestream.ConnectorInfo{
				{ConnectorID: "1", Type: "CHADEMO", MaxPower: 50000}}}},
	}
}

func cityInvoices() []chargestream.Invoice {
	bill := chargestream.Invoice{InvoiceID: "s/1-aa", SessionID: "s/1", Revision: 1,
		Kind: chargestream.KindInvoice, Status: chargestream.StatusIssued, StationID: starID,
		SiteID: "north", BookingDate: "2026-01-31",
		ConnectorID: "1", UserID: "u1", Currency: "EUR", StartTime: moment(0),
		EndTime: moment(1), DurationSeconds: 3600, Energy: 12345,
		Lines: []chargestream.InvoiceLine{{Dimension: "ENERGY", Quantity: "12.345",
			Unit: "kWh", UnitPrice: "0.40", ExclVAT: "4.94", VATPercent: "20", VAT: "0.99",
			InclVAT: "5.93"}},
		TotalExclVAT: "4.94", TotalVAT: "0.99", TotalInclVAT: "5.93"}
	note := bill
	note.InvoiceID, note.Kind, note.Credits = "s/1-aa-credit", chargestream.KindCreditNote,
		bill.InvoiceID
	held := bill
	held.InvoiceID, held.SessionID, held.UserID, held.StationID = "s/2-bb", "s/2", "u2", slashID
	held.Status, held.Lines = chargestream.StatusHeld, nil
	held.SiteID, held.BookingDate = "south", "2026-02-01"
	held.HoldReasons = []chargestream.HoldReason{chargestream.HoldNoTariff}
	held.Holds = []chargestream.Hold{{Reason: chargestream.HoldNoTariff,
		Evidence: chargestream.Evidence{"tariff_id": "t"}}}
	return []chargestream.Invoice{note, held, bill}
}

func cityHours() []chargestream.Utilization {
	var hours []chargestream.Utilization
	for _, station := range []chargestream.StationID{starID, slashID} {
		for _, connector := range []chargestream.ConnectorID{"1", "2"} {
			for hour := range 3 {
				hours = append(hours, chargestream.Utilization{StationID: station,
					ConnectorID: connector, WindowStart: moment(hour),
					WindowEnd: moment(hour + 1), Available: 3600, Revision: 1, Final: true})
			}
		}
	}
	return hours
}

// handlerOf is the whole interface over a Source.
func handlerOf(source web.Source) http.Handler {
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, err := io.WriteString(w, "up 1\n"); err != nil {
			panic(err)
		}
	})
	return web.NewHandler(web.Options{Source: source, Metrics: metrics,
		Logger: slog.New(slog.DiscardHandler)})
}

// ask sends a request without a body.
func ask(h http.Handler, method, target string) *httptest.ResponseRecorder {
	out := httptest.NewRecorder()
	h.ServeHTTP(out, httptest.NewRequest(method, target, http.NoBody))
	return out
}

// get wants an answer with status 200 and reads it.
func get[T any](t *testing.T, h http.Handler, target string) T {
	t.Helper()
	out := ask(h, http.MethodGet, target)
	var body T
	if out.Code != http.StatusOK {
		t.Fatalf("GET %s: status %d, body %s", target, out.Code, out.Body)
	}
	if kind := out.Header().Get("Content-Type"); kind != "application/json" {
		t.Errorf("GET %s: content type %q", target, kind)
	}
	if err := json.Unmarshal(out.Body.Bytes(), &body); err != nil {
		t.Fatalf("GET %s: %v in %s", target, err, out.Body)
	}
	return body
}

// problem is an error as RFC 9457 has it.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// wantProblem checks the status of an answer and that its detail says all of some words.
func wantProblem(
	t *testing.T, out *httptest.ResponseRecorder, what string, status int, said ...string,
) {
	t.Helper()
	if out.Code != status {
		t.Errorf("%s: status %d instead of %d: %s", what, out.Code, status, out.Body)
		return
	}
	if kind := out.Header().Get("Content-Type"); kind != "application/problem+json" {
		t.Errorf("%s: content type %q", what, kind)
	}
	var p problem
	if err := json.Unmarshal(out.Body.Bytes(), &p); err != nil {
		t.Errorf("%s: %v in %s", what, err, out.Body)
		return
	}
	if p.Status != status || p.Title != http.StatusText(status) {
		t.Errorf("%s: status %d and title %q in the body", what, p.Status, p.Title)
	}
	for _, word := range said {
		if !strings.Contains(p.Detail, word) {
			t.Errorf("%s: the detail does not say %q: %s", what, word, p.Detail)
		}
	}
}

// items is a list as a client reads it.
type items[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
}
