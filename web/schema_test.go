package web

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"chargestream"

	"github.com/danielgtaylor/huma/v2"
)

// full answers with one item that has every field set, and with one that has none.
type full struct{ Source }

func (full) Stations(context.Context, StationFilter) ([]chargestream.StationState, error) {
	energy, power, soc := chargestream.WattHours(1), chargestream.Watts(2), chargestream.Permille(3)
	return []chargestream.StationState{{StationID: "a", LastSeen: chargestream.Day + 1,
		Info: &chargestream.StationInfo{StationID: "a", Name: "n", SiteID: "s", Latitude: 1.5,
			Longitude: -1.5, TimeZone: "UTC", Region: "r", TariffID: "t", MaxPower: 1,
			Connectors: []chargestream.ConnectorInfo{{ConnectorID: "1", Type: "x", MaxPower: 1}}},
		Connectors: []chargestream.ConnectorState{{ConnectorID: "1",
			State: chargestream.StateFaulted, Status: "Faulted", Since: chargestream.Day,
			ErrorCode: "e", SessionID: "s", MeterTime: chargestream.Day, Energy: &energy,
			Power: &power, SoC: &soc}}}, {StationID: "b"}}, nil
}

func (full) Session(
	_ context.Context, id chargestream.SessionID, _ chargestream.StationID,
) (*chargestream.SessionState, error) {
	energy := chargestream.WattHours(-1)
	return &chargestream.SessionState{SessionID: id, Phase: chargestream.PhaseOrphan,
		StartTime: chargestream.Day, EndTime: chargestream.Day, Energy: &energy,
		HoldReasons:    []chargestream.HoldReason{chargestream.HoldConflict},
		AlsoAtStations: []chargestream.StationID{"b"}}, nil
}

func (full) Invoices(context.Context, InvoiceFilter) ([]chargestream.Invoice, error) {
	return []chargestream.Invoice{{InvoiceID: "a", Kind: chargestream.KindCreditNote,
		Status: chargestream.StatusHeld, IssuedAt: chargestream.Day,
		StartTime: chargestream.Day, EndTime: chargestream.Day,
		HoldReasons: []chargestream.HoldReason{chargestream.HoldTariffUnsupported},
		Holds: []chargestream.Hold{{Reason: chargestream.HoldTariffUnsupported,
			Evidence: chargestream.Evidence{"a": int64(1), "b": "c", "d": []string{"e"}}}, {
			Reason: chargestream.HoldConflict}},
		TariffValidFrom: chargestream.Day, Lines: []chargestream.InvoiceLine{{}}, Credits: "b"},
		{InvoiceID: "b", Kind: chargestream.KindInvoice, Status: chargestream.StatusIssued,
			IssuedAt: chargestream.Day, StartTime: chargestream.Day}}, nil
}

func (full) Utilization(
	context.Context, UtilizationFilter,
) ([]chargestream.Utilization, error) {
	return []chargestream.Utilization{{WindowStart: chargestream.Day, WindowEnd: chargestream.Day,
		SiteID: "s", Energy: -1}}, nil
}

func (full) Anomalies(context.Context, AnomalyFilter) ([]chargestream.Anomaly, error) {
	return []chargestream.Anomaly{{Kind: chargestream.AnomalyConflict,
		Severity: chargestream.SeverityInfo, OpenedAt: chargestream.Day,
		ClosedAt: chargestream.Day, Evidence: map[string]string{"a": "b"}},
		{Kind: chargestream.AnomalyOverlap, Severity: chargestream.SeverityWarning,
			OpenedAt: chargestream.Day}}, nil
}

func (full) WhySession(
	_ context.Context, id chargestream.SessionID, _ chargestream.StationID,
) (*chargestream.SessionWhy, error) {
	return &chargestream.SessionWhy{SessionID: id, StationID: "a", Phase: chargestream.PhaseActive,
		Received:    []chargestream.Received{{What: "start", Time: 1, Arrival: 1, Text: "x"}, {}},
		DeadLetters: []chargestream.DeadLetter{{Time: 1, Key: "a", NamesSession: true}},
		Missing:     []string{"x"}, Due: chargestream.BillDue{At: 1, Text: "x"},
		Tariff: chargestream.TariffWhy{TariffID: "t", ValidFrom: 1, Text: "x"}, InvoiceID: "x",
		Status: chargestream.StatusHeld, Total: "1.00", Currency: "EUR",
		Held: []chargestream.HoldWhy{{Reason: chargestream.HoldNoEnergy,
			Next: []string{"x"}}},
		AlsoAtStations: []chargestream.StationID{"b"}}, nil
}

func (full) WhyStation(
	_ context.Context, id chargestream.StationID,
) (*chargestream.StationWhy, error) {
	return &chargestream.StationWhy{StationID: id, Received: []chargestream.Received{},
		DeadLetters: []chargestream.DeadLetter{}, Missing: []string{},
		Held: []chargestream.HeldDocument{{InvoiceID: "x", SessionID: "y",
			HoldReasons: []chargestream.HoldReason{chargestream.HoldNoEnergy}}}}, nil
}

func (full) Ready() (bool, string) { return true, "" }

func (full) Freshness() []TableFreshness { return []TableFreshness{{Newest: 1}, {}} }

// What is written must be what the OpenAPI document says is written.
func TestBodiesKeepTheirSchema(t *testing.T) {
	a := &api{source: full{}}
	mux := http.NewServeMux()
	document := a.register(mux)
	for path, target := range map[string]string{
		"/api/v1/stations":          "/api/v1/stations",
		"/api/v1/sessions/{id}":     "/api/v1/sessions/x",
		"/api/v1/invoices":          "/api/v1/invoices",
		"/api/v1/utilization":       "/api/v1/utilization",
		"/api/v1/anomalies":         "/api/v1/anomalies",
		"/api/v1/sessions/{id}/why": "/api/v1/sessions/x/why",
		"/api/v1/stations/{id}/why": "/api/v1/stations/x/why",
		"/readyz":                   "/readyz",
		"/healthz":                  "/healthz",
	} {
		out := httptest.NewRecorder()
		mux.ServeHTTP(out, httptest.NewRequest(http.MethodGet, target, http.NoBody))
		var body any
		if err := json.Unmarshal(out.Body.Bytes(), &body); err != nil || out.Code != 200 {
			t.Fatalf("GET %s: status %d, %v: %s", target, out.Code, err, out.Body)
		}
		schema := document.Paths[path].Get.Responses["200"].Content["application/json"].Schema
		if broken := breaks(document, schema, body); len(broken) > 0 {
			t.Errorf("GET %s breaks its schema: %v\n%s", target, broken, out.Body)
		}
	}
}

func breaks(document *huma.OpenAPI, schema *huma.Schema, body any) []error {
	var result huma.ValidateResult
	huma.Validate(document.Components.Schemas, schema, huma.NewPathBuffer(nil, 0),
		huma.ModeReadFromServer, body, &result)
	return result.Errors
}

// The check above must see a body that is wrong.
func TestBodiesThatBreakTheirSchemaAreSeen(t *testing.T) {
	document := (&api{source: full{}}).register(http.NewServeMux())
	schema := document.Paths["/api/v1/anomalies"].Get.Responses["200"].
		Content["application/json"].Schema
	good := `{"anomaly_id":"a","kind":"clock_skew","severity":"info","station_id":"s",` +
		`"opened_at":"2026-01-31T08:00:00Z","billing_hold":false}`
	for text, wrong := range map[string]bool{
		good: false,
		strings.Replace(good, "2026-01-31T08:00:00Z", "", 1):  true,
		strings.Replace(good, "clock_skew", "fire", 1):        true,
		strings.Replace(good, `"severity":"info",`, "", 1):    true,
		strings.Replace(good, `false`, `"no"`, 1):             true,
		strings.Replace(good, `false}`, `false,"new":1}`, 1):  false,
		strings.Replace(good, `"opened_at"`, `"closed"`, 1):   true,
		strings.Replace(good, `"station_id":"s"`, `"a":1`, 1): true,
	} {
		var body any
		if err := json.Unmarshal([]byte(`{"items":[`+text+`]}`), &body); err != nil {
			t.Fatal(err)
		}
		if broken := breaks(document, schema, body); len(broken) > 0 != wrong {
			t.Errorf("%s: %v", text, broken)
		}
	}
}
