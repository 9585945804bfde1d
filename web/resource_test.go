package web_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"chargestream"
	"chargestream/web"

	"github.com/google/go-cmp/cmp"
)

func TestItems(t *testing.T) {
	source := city()
	h := handlerOf(source)
	for i, id := range []string{starID, slashID} {
		for _, path := range []string{
			"/api/v1/stations/" + url.PathEscape(id),
			// A client that encodes more than it must means the same.
			"/api/v1/stations/" + strings.ReplaceAll(url.PathEscape(id), "*", "%2A"),
		} {
			got := get[chargestream.StationState](t, h, path)
			if diff := cmp.Diff(source.stations[i], got); diff != "" {
				t.Errorf("GET %s (-want +got):\n%s", path, diff)
			}
		}
	}
	session := get[chargestream.SessionState](t, h, "/api/v1/sessions/s%2F1")
	if diff := cmp.Diff(source.sessions[0], session); diff != "" {
		t.Errorf("session (-want +got):\n%s", diff)
	}
	other := get[chargestream.SessionState](t, h, "/api/v1/sessions/s%2F1?station_id="+
		url.QueryEscape(slashID))
	if diff := cmp.Diff(source.sessions[1], other); diff != "" {
		t.Errorf("session of another station (-want +got):\n%s", diff)
	}
	invoice := get[chargestream.Invoice](t, h, "/api/v1/invoices/s%2F1-aa")
	if diff := cmp.Diff(source.invoices[2], invoice); diff != "" {
		t.Errorf("invoice (-want +got):\n%s", diff)
	}
}

// The bytes matter where types of a client in another language would break on them.
func TestBytes(t *testing.T) {
	h := handlerOf(city())
	for _, c := range []struct{ target, has, hasNot string }{
		{"/api/v1/stations/silent", `"connectors":[]`, `last_seen`},
		{"/api/v1/stations/" + starID, `"last_seen":"2026-01-31T08:00:00Z"`, `$schema`},
		{"/api/v1/stations/" + starID, `"state":"occupied"`, `energy_wh`},
		{"/api/v1/sessions/s%2F1", `"energy_wh":12345`, `end_time`},
		{"/api/v1/sessions/s%2F1", `"also_at_stations":["depot:7/left? 100%"]`, `null`},
		{"/api/v1/sessions/s%2F1?station_id=" + url.QueryEscape(slashID), `"orphan"`, `also_at`},
		{"/api/v1/invoices/s%2F2-bb", `"lines":[]`, `null`},
		{"/api/v1/invoices/s%2F1-aa", `"total_incl_vat":"5.93"`, `credits`},
		{"/api/v1/stations?site_id=none", `"items":[]`, `next`},
		{"/api/v1/invoices?session_id=none", `"items":[]`, `next`},
		{"/api/v1/utilization?station_id=none", `"items":[]`, `next`},
		{"/api/v1/anomalies?station_id=none", `"items":[]`, `next`},
	} {
		body := ask(h, http.MethodGet, c.target).Body.String()
		if !strings.Contains(body, c.has) || strings.Contains(body, c.hasNot) {
			t.Errorf("GET %s has not %s or has %s: %s", c.target, c.has, c.hasNot, body)
		}
	}
}

func TestFilters(t *testing.T) {
	h := handlerOf(city())
	star, slash := url.QueryEscape(starID), url.QueryEscape(slashID)
	hours := func(station, connector string, from, to int) string {
		var keys []string
		for hour := from; hour < to; hour++ {
			keys = append(keys, station+"|"+connector+"|"+moment(hour).String())
		}
		return strings.Join(keys, " ")
	}
	for _, c := range []struct{ target, want string }{
		{"/api/v1/stations", starID + " " + slashID + " silent"},
		{"/api/v1/stations?free=true", starID},
		{"/api/v1/stations?free=true&state=available", starID},
		{"/api/v1/stations?state=faulted", slashID},
		{"/api/v1/stations?state=unknown", "silent"},
		{"/api/v1/stations?site_id=south", "silent"},
		{"/api/v1/stations?bbox=2.3,48.8,2.4,48.9", starID},
		{"/api/v1/stations?bbox=-180,-90,180,90", starID},
		{"/api/v1/stations?bbox=170,40,2.4,49", starID},
		{"/api/v1/stations?bbox=2.4,48.8,2.3,48.9", ""},
		{"/api/v1/stations?connector_type=chademo", "silent"},
		{"/api/v1/stations?min_power_w=50000", starID + " silent"},
		{"/api/v1/stations?min_power_w=50001", starID},
		// The free connector of that station is the slow one.
		{"/api/v1/stations?free=true&min_power_w=22001", ""},
		{"/api/v1/stations?free=true&min_power_w=22000", starID},
		{"/api/v1/stations?free=true&connector_type=IEC_62196_T2_COMBO", ""},
		{"/api/v1/invoices", "s/1-aa s/1-aa-credit s/2-bb"},
		{"/api/v1/invoices?session_id=s/1", "s/1-aa s/1-aa-credit"},
		{"/api/v1/invoices?user_id=u2", "s/2-bb"},
		{"/api/v1/invoices?station_id=" + slash, "s/2-bb"},
		{"/api/v1/invoices?status=held", "s/2-bb"},
		{"/api/v1/invoices?site_id=south", "s/2-bb"},
		{"/api/v1/invoices?month=2026-01", "s/1-aa s/1-aa-credit"},
		{"/api/v1/invoices?month=2026-03", ""},
		{"/api/v1/invoices?kind=credit_note&status=issued", "s/1-aa-credit"},
		{"/api/v1/anomalies", "n1 n2 n3"},
		{"/api/v1/anomalies?open=true", "n1 n3"},
		{"/api/v1/anomalies?kind=clock_skew", "n2 n3"},
		{"/api/v1/anomalies?station_id=" + star + "&open=true", "n1"},
		{"/api/v1/utilization?connector_id=2&station_id=" + slash, hours(slashID, "2", 0, 3)},
		{"/api/v1/utilization?connector_id=1&station_id=" + star +
			"&from=2026-01-31T10:00:00%2B01:00", hours(starID, "1", 1, 3)},
		{"/api/v1/utilization?connector_id=1&station_id=" + star +
			"&from=2026-01-31T09:00:00Z&to=2026-01-31T10:00:00Z", hours(starID, "1", 1, 2)},
	} {
		type item struct {
			StationID   string `json:"station_id"`
			ConnectorID string `json:"connector_id"`
			WindowStart string `json:"window_start"`
			InvoiceID   string `json:"invoice_id"`
			AnomalyID   string `json:"anomaly_id"`
		}
		var got []string
		for _, i := range get[items[item]](t, h, c.target).Items {
			switch {
			case i.WindowStart != "":
				got = append(got, i.StationID+"|"+i.ConnectorID+"|"+i.WindowStart)
			case i.InvoiceID != "" || i.AnomalyID != "":
				got = append(got, i.InvoiceID+i.AnomalyID)
			default:
				got = append(got, i.StationID)
			}
		}
		if list := strings.Join(got, " "); list != c.want {
			t.Errorf("GET %s: %q instead of %q", c.target, list, c.want)
		}
	}
}

func TestNotFound(t *testing.T) {
	h := handlerOf(city())
	for _, c := range []struct{ target, said string }{
		{"/api/v1/stations/none%2F1", `"none/1"`},
		{"/api/v1/sessions/none", `"none"`},
		{"/api/v1/sessions/s%2F1?station_id=silent", `"s/1" at the station "silent"`},
		{"/api/v1/invoices/none", `"none"`},
		{"/api/v1/stations/a/b", "%2F"},
		{"/api/v1/stations/", "GET /"},
		{"/docs", "/docs"},
		{"/schemas/Invoice.json", "GET /"},
	} {
		wantProblem(t, ask(h, http.MethodGet, c.target), c.target, http.StatusNotFound, c.said)
	}
}

func TestRefused(t *testing.T) {
	h := handlerOf(city())
	const invalid = http.StatusUnprocessableEntity
	for _, c := range []struct {
		target string
		status int
		said   []string
	}{
		{"/api/v1/stations?sate=available", invalid,
			[]string{"sate", "unknown", "connector_type, cursor, free"}},
		{"/api/v1/stations?sate=1&sit=2", invalid, []string{"query.sate", "query.sit"}},
		{"/api/v1/stations/x?limit=1", invalid, []string{"limit", "no query parameters"}},
		{"/healthz?x=1", invalid, []string{"query.x"}},
		{"/api/v1/stations?state=", invalid, []string{"query.state", "no value"}},
		{"/api/v1/stations?free", invalid, []string{"query.free", "no value"}},
		{"/api/v1/stations?free=false", invalid, []string{"query.free", "true"}},
		{"/api/v1/stations?state=free", invalid, []string{"query.state", "available", `"free"`}},
		{"/api/v1/stations?free=true&state=faulted", invalid, []string{"free=true", "faulted"}},
		{"/api/v1/stations?state=faulted&state=reserved", invalid, []string{"more than once"}},
		{"/api/v1/stations?site_id=a%0ab", invalid, []string{"query.site_id", "printable"}},
		{"/api/v1/stations?bbox=1,2,3", invalid, []string{"query.bbox", "west,south,east,north"}},
		{"/api/v1/stations?bbox=1,2,x,4", invalid, []string{"query.bbox", `"x"`, "-180 to 180"}},
		{"/api/v1/stations?bbox=1,91,2,92", invalid, []string{"query.bbox", `"91"`, "90"}},
		{"/api/v1/stations?bbox=NaN,1,2,3", invalid, []string{"query.bbox", `"NaN"`}},
		{"/api/v1/stations?bbox=1,3,2,2", invalid, []string{"query.bbox", "south not above north"}},
		{"/api/v1/stations?min_power_w=22kW", invalid, []string{"query.min_power_w", "22kW"}},
		{"/api/v1/stations?min_power_w=0", invalid, []string{"query.min_power_w"}},
		{"/api/v1/stations?limit=0", invalid, []string{"query.limit", ">= 1"}},
		{"/api/v1/stations?limit=1001", invalid, []string{"query.limit", "<= 1000", "1001"}},
		{"/api/v1/stations?limit=many", invalid, []string{"query.limit", "integer"}},
		{"/api/v1/stations?cursor=%21", invalid, []string{"query.cursor", "next"}},
		{"/api/v1/stations?cursor=" + strings.Repeat("A", 1401), invalid,
			[]string{"query.cursor", "1400"}},
		{"/api/v1/stations?state=%zz", http.StatusBadRequest, []string{"%zz"}},
		{"/api/v1/stations?state=faulted;free=true", http.StatusBadRequest, []string{"&"}},
		{"/api/v1/stations/%ff", invalid, []string{"path.id", "UTF-8"}},
		{"/api/v1/stations/" + strings.Repeat("x", 1025), invalid, []string{"path.id", "1024"}},
		{"/api/v1/invoices?status=paid", invalid, []string{"query.status", "issued, held"}},
		{"/api/v1/invoices?month=2026-3", invalid, []string{"query.month", "2026-03"}},
		{"/api/v1/invoices?month=2026-13", invalid, []string{"query.month", "2026-03"}},
		{"/api/v1/sessions/x?station=a", invalid, []string{"query.station", "station_id"}},
		{"/api/v1/invoices?kind=bill", invalid, []string{"query.kind", "credit_note"}},
		{"/api/v1/anomalies?kind=fire", invalid, []string{"query.kind", "clock_skew"}},
		{"/api/v1/utilization?from=yesterday", invalid, []string{"query.from", "RFC 3339"}},
		{"/api/v1/utilization?from=2026-01-31T08:00:00+01:00", invalid, []string{"%2B"}},
		{"/api/v1/utilization?to=1970-01-01T00:00:00Z", invalid, []string{"query.to", "1970"}},
		{"/api/v1/utilization?from=2026-01-31T08:00:00Z&to=2026-01-31T08:00:00Z", invalid,
			[]string{"not before"}},
	} {
		wantProblem(t, ask(h, http.MethodGet, c.target), c.target, c.status, c.said...)
	}
}

func TestSourceErrors(t *testing.T) {
	targets := []string{"/api/v1/stations", "/api/v1/stations/x", "/api/v1/sessions/x",
		"/api/v1/invoices", "/api/v1/invoices/x", "/api/v1/utilization", "/api/v1/anomalies"}
	for _, target := range targets {
		source := city()
		h := handlerOf(source)
		source.err = fmt.Errorf("table invoices: %w", web.ErrNotReady)
		out := ask(h, http.MethodGet, target)
		wantProblem(t, out, target, http.StatusServiceUnavailable, "table invoices", "/readyz")
		if out.Header().Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", target)
		}
		source.err = errors.New("secret of the disk")
		out = ask(h, http.MethodGet, target)
		wantProblem(t, out, target, http.StatusInternalServerError, "log of the server")
		if strings.Contains(out.Body.String(), "secret") {
			t.Errorf("%s shows the client what only the operator may know: %s", target, out.Body)
		}
	}
}

func TestHealth(t *testing.T) {
	source := city()
	h := handlerOf(source)
	type ready struct {
		Ready  bool                 `json:"ready"`
		Tables []web.TableFreshness `json:"tables"`
	}
	want := ready{true, source.tables}
	if diff := cmp.Diff(want, get[ready](t, h, "/readyz")); diff != "" {
		t.Errorf("/readyz (-want +got):\n%s", diff)
	}
	source.reason = "table invoices is catching up"
	source.tables[1].CaughtUp, source.tables[1].Behind = false, 1200
	out := ask(h, http.MethodGet, "/readyz")
	wantProblem(t, out, "/readyz", http.StatusServiceUnavailable, source.reason)
	var p struct {
		Errors []struct{ Location, Message string }
	}
	if err := json.Unmarshal(out.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	if len(p.Errors) != 1 || p.Errors[0].Location != "table.invoices" ||
		!strings.Contains(p.Errors[0].Message, "1200") {
		t.Errorf("/readyz does not say which table is behind: %s", out.Body)
	}
	// A stall is reported, whether all is ready or not.
	stalled := web.NewHandler(web.Options{Source: source,
		Stalled: func() []string { return []string{"view invoices/3 has not moved"} }})
	if out := ask(stalled, http.MethodGet, "/readyz"); !strings.Contains(out.Body.String(),
		`"message":"view invoices/3 has not moved","location":"stalled"`) {
		t.Errorf("/readyz does not say what stands still: %s", out.Body)
	}
	source.reason = ""
	if out := ask(stalled, http.MethodGet, "/readyz"); out.Code != http.StatusOK ||
		!strings.Contains(out.Body.String(), `"stalled":["view invoices/3 has not moved"]`) {
		t.Errorf("/readyz does not say what stands still: %d %s", out.Code, out.Body)
	}
	source.reason = "table invoices is catching up"
	// Who is not ready is still alive.
	if got := get[map[string]string](t, h, "/healthz")["status"]; got != "ok" {
		t.Errorf("/healthz: status %q", got)
	}
}
