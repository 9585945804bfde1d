package web_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"chargestream"
	"chargestream/web"
)

func TestReadOnly(t *testing.T) {
	h := handlerOf(city())
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete,
		http.MethodPatch, http.MethodOptions, http.MethodTrace} {
		for _, target := range []string{"/api/v1/stations", "/api/v1/invoices/x", "/nothing", "/"} {
			out := ask(h, method, target)
			wantProblem(t, out, method+" "+target, http.StatusMethodNotAllowed, "read-only")
			if out.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: Allow is %q", method, target, out.Header().Get("Allow"))
			}
		}
	}
	for name, body := range map[string]io.Reader{
		"sized":   strings.NewReader("{}"),
		"chunked": io.MultiReader(strings.NewReader("{}")),
	} {
		out := httptest.NewRecorder()
		h.ServeHTTP(out, httptest.NewRequest(http.MethodGet, "/api/v1/stations", body))
		wantProblem(t, out, name, http.StatusRequestEntityTooLarge, "no body")
	}
	if out := ask(h, http.MethodHead, "/api/v1/stations"); out.Code != http.StatusOK {
		t.Errorf("HEAD: status %d", out.Code)
	}
}

func TestMetrics(t *testing.T) {
	if out := ask(handlerOf(city()), http.MethodGet, "/metrics"); out.Body.String() != "up 1\n" {
		t.Errorf("/metrics: %d %s", out.Code, out.Body)
	}
	without := web.NewHandler(web.Options{Source: city()})
	wantProblem(t, ask(without, http.MethodGet, "/metrics"), "/metrics", http.StatusNotFound)
	if page := ask(without, http.MethodGet, "/").Body.String(); strings.Contains(page, "/metrics") {
		t.Errorf("the index names /metrics, which is not there:\n%s", page)
	}
}

// TestProfiles: they are served where the caller of NewHandler has them, and nowhere else.
func TestProfiles(t *testing.T) {
	profiles := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.WriteString(w, "profile of "+r.URL.Path); err != nil {
			t.Error(err)
		}
	})
	with := web.NewHandler(web.Options{Source: city(), Profiles: profiles})
	without := web.NewHandler(web.Options{Source: city()})
	for _, target := range []string{"/debug/pprof/", "/debug/pprof/heap?debug=1"} {
		if out := ask(with, http.MethodGet, target); out.Code != http.StatusOK ||
			!strings.HasPrefix(out.Body.String(), "profile of /debug/pprof/") {
			t.Errorf("GET %s: %d %s", target, out.Code, out.Body)
		}
		wantProblem(t, ask(without, http.MethodGet, target), target, http.StatusNotFound)
	}
	const link = `href="/debug/pprof/"`
	if page := ask(with, http.MethodGet, "/").Body.String(); !strings.Contains(page, link) {
		t.Errorf("the index does not name the profiles:\n%s", page)
	}
	if page := ask(without, http.MethodGet, "/").Body.String(); strings.Contains(page, link) {
		t.Errorf("the index names profiles that are not there:\n%s", page)
	}
}

// Every link of the index leads somewhere, and every resource is on it.
func TestIndex(t *testing.T) {
	h := handlerOf(city())
	out := ask(h, http.MethodGet, "/")
	page := out.Body.String()
	if out.Code != http.StatusOK || !strings.HasPrefix(page, "<!DOCTYPE html>") ||
		out.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("status %d, %v\n%s", out.Code, out.Header(), page)
	}
	for _, path := range []string{"/api/v1/stations", "/api/v1/stations/{id}",
		"/api/v1/sessions/{id}", "/api/v1/invoices", "/api/v1/invoices/{id}",
		"/api/v1/utilization", "/api/v1/anomalies", "/metrics", "/healthz", "/readyz",
		"/openapi.json"} {
		if !strings.Contains(page, ">"+path+"<") {
			t.Errorf("the index has no %s:\n%s", path, page)
		}
	}
	links := regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(page, -1)
	for _, link := range links {
		if out := ask(h, http.MethodGet, link[1]); out.Code != http.StatusOK {
			t.Errorf("%s is linked and has status %d", link[1], out.Code)
		}
	}
	if len(links) < 8 {
		t.Errorf("%d links:\n%s", len(links), page)
	}
}

// No answer may be kept by a cache, guessed at by a browser or framed by a page.
func TestHeaders(t *testing.T) {
	h := handlerOf(city())
	for _, target := range []string{"/", "/api/v1/stations", "/nothing", "/metrics"} {
		got := ask(h, http.MethodGet, target).Header()
		if got.Get("Cache-Control") != "no-store" ||
			got.Get("X-Content-Type-Options") != "nosniff" ||
			!strings.Contains(got.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: %v", target, got)
		}
	}
}

func TestAccessLog(t *testing.T) {
	var out bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	h := web.NewHandler(web.Options{Source: city(), Logger: logger})
	ask(h, http.MethodGet, "/api/v1/invoices?user_id=u1")
	ask(h, http.MethodGet, "/nothing")
	for _, word := range []string{"level=DEBUG", "method=GET", "path=/api/v1/invoices",
		"status=200", "path=/nothing", "status=404"} {
		if !strings.Contains(out.String(), word) {
			t.Errorf("the log has no %s:\n%s", word, out.String())
		}
	}
	if strings.Contains(out.String(), "u1") {
		t.Errorf("the log names a user:\n%s", out.String())
	}
}

// broken panics, or finds nothing without an error.
type broken struct{ memory }

func (*broken) Stations(
	context.Context, web.StationFilter,
) ([]chargestream.StationState, error) {
	panic("planted fault")
}

func (*broken) Station(
	context.Context, chargestream.StationID,
) (*chargestream.StationState, error) {
	return nil, nil
}

func TestFaultsOfASource(t *testing.T) {
	var out bytes.Buffer
	h := web.NewHandler(web.Options{Source: &broken{},
		Logger: slog.New(slog.NewTextHandler(&out, nil))})
	wantProblem(t, ask(h, http.MethodGet, "/api/v1/stations"), "panic",
		http.StatusInternalServerError, "log")
	if !strings.Contains(out.String(), "planted fault") {
		t.Errorf("the log has no fault: %s", out.String())
	}
	wantProblem(t, ask(h, http.MethodGet, "/api/v1/stations/x"), "nothing",
		http.StatusNotFound, `"x"`)
}

// slow waits until its caller has had enough.
type slow struct{ memory }

func (*slow) Stations(
	ctx context.Context, _ web.StationFilter,
) ([]chargestream.StationState, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestClientThatLeaves(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var log bytes.Buffer
	h := web.NewHandler(web.Options{Source: &slow{},
		Logger: slog.New(slog.NewTextHandler(&log, nil))})
	out := httptest.NewRecorder()
	h.ServeHTTP(out, httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/stations",
		http.NoBody))
	wantProblem(t, out, "cancelled", http.StatusServiceUnavailable, "cancelled")
	if log.Len() > 0 {
		t.Errorf("a client that leaves is no event for the operator: %s", log.String())
	}
}
