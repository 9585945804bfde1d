package views_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"chargestream"
	"chargestream/tables"
	"chargestream/views"
	"chargestream/web"

	"github.com/google/go-cmp/cmp"
)

func TestReadyNamesWhatIsBehind(t *testing.T) {
	c := newCity()
	if ready, reason := c.views.Ready(); !ready || reason != "" {
		t.Errorf("all tables have caught up: %v, %q", ready, reason)
	}
	c.sessions.behind, c.invoices.behind = 3, 1
	ready, reason := c.views.Ready()
	if want := "sessions-table, invoices: not caught up"; ready || reason != want {
		t.Errorf("two tables are behind: %v, %q instead of %q", ready, reason, want)
	}
}

func TestFreshness(t *testing.T) {
	c := newCity()
	c.sessions.behind, c.invoices.behind = 3, 1
	v := views.New(views.Tables{Stations: c.stations, Registry: c.registry,
		Sessions:    measured{c.sessions, int64(moment(0))},
		Utilization: c.utilization, Invoices: c.invoices, Anomalies: c.anomalies,
		Tariffs: c.tariffs}, nil, nil)
	want := []web.TableFreshness{
		{Table: "stations-table", CaughtUp: true},
		{Table: "sessions-table", Behind: 3, Newest: moment(0)},
		{Table: "registry-table", CaughtUp: true},
		{Table: "utilization", CaughtUp: true},
		{Table: "invoices"},
		{Table: "anomalies", CaughtUp: true},
		{Table: "tariffs-table", CaughtUp: true},
	}
	if diff := cmp.Diff(want, v.Freshness()); diff != "" {
		t.Errorf("freshness (-want +got):\n%s", diff)
	}
}

// queries are all of them, each with the tables that it needs.
func queries(c *city) map[string]struct {
	ask   func(context.Context) error
	needs []*memory
} {
	type query = struct {
		ask   func(context.Context) error
		needs []*memory
	}
	all := map[string]query{}
	add := func(name string, ask func(context.Context) error, needs ...*memory) {
		all[name] = query{ask, needs}
	}
	add("station", func(ctx context.Context) error {
		_, err := c.views.Station(ctx, "A")
		return err
	}, c.stations, c.registry)
	add("stations", func(ctx context.Context) error {
		_, err := c.views.Stations(ctx, web.StationFilter{Page: everything()})
		return err
	}, c.stations, c.registry)
	add("session", func(ctx context.Context) error {
		_, err := c.views.Session(ctx, "s/1", "")
		return err
	}, c.sessions)
	add("session at a station", func(ctx context.Context) error {
		_, err := c.views.Session(ctx, "s/1", "A")
		return err
	}, c.sessions)
	add("invoice", func(ctx context.Context) error {
		_, err := c.views.Invoice(ctx, "s/1-a")
		return err
	}, c.invoices)
	add("invoices", func(ctx context.Context) error {
		_, err := c.views.Invoices(ctx, web.InvoiceFilter{Page: everything()})
		return err
	}, c.invoices)
	add("utilization", func(ctx context.Context) error {
		_, err := c.views.Utilization(ctx, web.UtilizationFilter{Page: everything()})
		return err
	}, c.utilization)
	add("why of a session", func(ctx context.Context) error {
		_, err := c.views.WhySession(ctx, "s/1", "A")
		return err
	}, c.sessions, c.registry, c.invoices, c.tariffs)
	add("why of a station", func(ctx context.Context) error {
		_, err := c.views.WhyStation(ctx, "A")
		return err
	}, c.stations, c.registry, c.invoices, c.tariffs)
	add("anomalies", func(ctx context.Context) error {
		_, err := c.views.Anomalies(ctx, web.AnomalyFilter{Page: everything()})
		return err
	}, c.anomalies)
	return all
}

// full is a city with an answer to each of the queries.
func full(t *testing.T) *city {
	t.Helper()
	c := newCity()
	c.receive(t, status("A", "1", "Available"))
	put(t, c.registry, "A", chargestream.StationInfo{StationID: "A", TariffID: "t"})
	c.tariffs.set("t", (&tables.Tariff{Revisions: []tables.TariffRevision{{Arrival: moment(0),
		Versions: []chargestream.TariffVersion{{ValidFrom: moment(-60), Tariff: []byte("{}")}},
	}}}).Append(nil))
	c.charge("A", "s/1", charged(moment(0), "u1"))
	put(t, c.invoices, "s/1-a", chargestream.Invoice{InvoiceID: "s/1-a", SessionID: "s/1",
		StationID: "A", Status: chargestream.StatusHeld})
	c.count(t, "A", "1", 0)
	c.watch(t)
	return c
}

func TestQueriesNeedTheirTablesAndNoOthers(t *testing.T) {
	c := full(t)
	every := []*memory{c.stations, c.sessions, c.registry, c.utilization, c.invoices, c.anomalies,
		c.tariffs}
	for name, q := range queries(c) {
		for _, table := range every {
			table.behind = 1
		}
		for _, needed := range q.needs {
			needed.behind = 0
		}
		if err := q.ask(t.Context()); err != nil {
			t.Errorf("%s, with all that it needs: %v", name, err)
		}
		for _, needed := range q.needs {
			needed.behind = 1
			err := q.ask(t.Context())
			if !errors.Is(err, web.ErrNotReady) || !strings.Contains(err.Error(), needed.topic) {
				t.Errorf("%s, with %s behind: %v", name, needed.topic, err)
			}
			needed.behind = 0
		}
	}
}

func TestQueriesNameWhatFails(t *testing.T) {
	gone := errors.New("disk is gone")
	c := full(t)
	for name, q := range queries(c) {
		for _, needed := range q.needs {
			needed.err = gone
			err := q.ask(t.Context())
			if !errors.Is(err, gone) || !strings.Contains(err.Error(), needed.topic) {
				t.Errorf("%s, with %s out of order: %v", name, needed.topic, err)
			}
			needed.err = nil
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := q.ask(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("%s of a request that has ended: %v", name, err)
		}
	}
}

// A view that starts anew refuses to be read: the client has to ask again.
func TestTableThatStartsAnewIsNotReady(t *testing.T) {
	c := full(t)
	c.sessions.onGet = func(string) {
		c.sessions.behind, c.sessions.err = 1, errors.New("not running")
	}
	_, err := c.views.Session(t.Context(), "s/1", "")
	if !errors.Is(err, web.ErrNotReady) {
		t.Errorf("session: %v", err)
	}
}

func TestListEndsWithItsRequest(t *testing.T) {
	c := full(t)
	ctx, cancel := context.WithCancel(t.Context())
	var reads int
	c.anomalies.onGet = func(string) { reads++; cancel() }
	_, err := c.views.Anomalies(ctx, web.AnomalyFilter{Page: everything()})
	if !errors.Is(err, context.Canceled) || reads != 1 {
		t.Errorf("after %d reads: %v", reads, err)
	}
}

func TestCorruptRowsAreShownUpToABound(t *testing.T) {
	c := newCity()
	long := "!" + strings.Repeat("n", 5000) // the first of all
	c.anomalies.set(long, []byte("{"))
	for i := range views.CorruptMax + 10 {
		c.anomalies.set(fmt.Sprint(i), []byte("{"))
	}
	for range 2 {
		got, err := c.views.Anomalies(t.Context(), web.AnomalyFilter{Page: everything()})
		if err != nil || len(got) != 0 {
			t.Fatalf("%d anomalies: %v", len(got), err)
		}
	}
	if n := c.corrupt["anomalies"]; n != views.CorruptMax {
		t.Errorf("%d rows counted, the bound is %d", n, views.CorruptMax)
	}
	if n := strings.Count(c.log.String(), "\n"); n != views.CorruptMax+1 {
		t.Errorf("%d lines in the log instead of %d", n, views.CorruptMax+1)
	}
	if log := c.log.String(); !strings.Contains(log, long[:100]) || strings.Contains(log, long) {
		t.Error("a key of 5000 bytes is not shown, or not cut")
	}
}

func TestAnswersOverHTTP(t *testing.T) {
	c := full(t)
	c.sessions.set("A/broken", []byte("?"))
	handler := web.NewHandler(web.Options{Source: c.views, Logger: slog.New(slog.DiscardHandler)})
	ask := func(target string, status int, said string) {
		t.Helper()
		out := httptest.NewRecorder()
		handler.ServeHTTP(out, httptest.NewRequest(http.MethodGet, target, http.NoBody))
		if out.Code != status || !strings.Contains(out.Body.String(), said) {
			t.Errorf("GET %s: status %d instead of %d, or no %q: %s", target, out.Code, status,
				said, out.Body)
		}
	}
	ask("/readyz", http.StatusOK, `"sessions-table"`)
	ask("/api/v1/stations?free=true", http.StatusOK, `"station_id":"A"`)
	ask("/api/v1/anomalies?limit=1", http.StatusOK, `"next"`)
	ask("/api/v1/sessions/s%2F1", http.StatusOK, `"energy_wh":12345`)
	ask("/api/v1/sessions/none", http.StatusNotFound, "none")
	ask("/api/v1/sessions/broken", http.StatusInternalServerError, "log of the server")
	c.sessions.behind = 1
	ask("/api/v1/sessions/none", http.StatusServiceUnavailable, "sessions-table: not caught up")
	ask("/readyz", http.StatusServiceUnavailable, "sessions-table: not caught up")
}
