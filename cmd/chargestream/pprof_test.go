package main

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"chargestream/engine"
)

// anyAddress is every address of the host: not only loopback.
const anyAddress = "0.0.0.0:0"

// TestProfiles: they are there on a loopback address, and elsewhere only when they are forced.
func TestProfiles(t *testing.T) {
	for _, tc := range []struct {
		address string
		forced  bool
		want    bool
	}{{"127.0.0.1:0", false, true}, {"127.0.0.1:0", true, true}, {"localhost:0", false, true},
		{anyAddress, false, false}, {anyAddress, true, true}} {
		listener, err := net.Listen("tcp", tc.address)
		if err != nil {
			t.Fatal(err)
		}
		handler := profiles(listener, tc.forced)
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		if (handler != nil) != tc.want {
			t.Errorf("%s, forced %v: profiles %v", tc.address, tc.forced, handler != nil)
			continue
		}
		if handler == nil {
			continue
		}
		for path, holds := range map[string]string{"": "goroutine", "heap?debug=1": "heap profile",
			"cmdline": "test", "goroutine?debug=2": "TestProfiles"} {
			out := httptest.NewRecorder()
			handler.ServeHTTP(out, httptest.NewRequest(http.MethodGet, "/debug/pprof/"+path, nil))
			if out.Code != http.StatusOK || !strings.Contains(out.Body.String(), holds) {
				t.Errorf("/debug/pprof/%s: %d without %q", path, out.Code, holds)
			}
		}
	}
}

// TestProfilesBesideMetrics: what run serves has profiles on a loopback address, and elsewhere only
// with --pprof.
func TestProfilesBesideMetrics(t *testing.T) {
	for _, tc := range []struct {
		address string
		forced  bool
		want    int
	}{{"127.0.0.1:0", false, http.StatusOK}, {anyAddress, false, http.StatusNotFound},
		{anyAddress, true, http.StatusOK}} {
		out := &lines{}
		stop, err := serveMetrics(tc.address, tc.forced, prometheus.NewRegistry(),
			newReadiness([]*engine.Processor{{Group: "stations"}}),
			slog.New(slog.NewTextHandler(out, nil)))
		if err != nil {
			t.Fatal(err)
		}
		_, port, err := net.SplitHostPort(strings.TrimSpace(out.after("address=")))
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]int{"/debug/pprof/": tc.want,
			"/metrics": http.StatusOK} {
			response, err := http.Get("http://127.0.0.1:" + port + path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, response.Body); err != nil {
				t.Error(err)
			}
			if err := response.Body.Close(); err != nil || response.StatusCode != want {
				t.Errorf("%s, forced %v: GET %s has status %d, want %d, %v", tc.address, tc.forced,
					path, response.StatusCode, want, err)
			}
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	}
}

// lines is what was written, of which a test wants a part.
type lines struct{ strings.Builder }

// after is what follows a label up to the next space.
func (l *lines) after(label string) string {
	_, rest, _ := strings.Cut(l.String(), label)
	text, _, _ := strings.Cut(rest, " ")
	return text
}
