package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"chargestream"

	"github.com/google/go-cmp/cmp"
)

func TestWhy(t *testing.T) {
	source := city()
	h := handlerOf(source)
	session := get[chargestream.SessionWhy](t, h, "/api/v1/sessions/s%2F1/why")
	if diff := cmp.Diff(source.sessionWhys[0], session); diff != "" {
		t.Errorf("session (-want +got):\n%s", diff)
	}
	station := get[chargestream.StationWhy](t, h, "/api/v1/stations/"+url.PathEscape(starID)+"/why")
	if diff := cmp.Diff(source.stationWhys[1], station); diff != "" {
		t.Errorf("station (-want +got):\n%s", diff)
	}
	for target, text := range map[string]string{
		"/api/v1/sessions/none/why": "not even a dead letter that names it",
		"/api/v1/stations/none/why": "not even a dead letter",
		// What is not known, but of which records came that could not be read, is told of.
		"/api/v1/stations/dead*letters": `1 dead letters are of it, the newest malformed from ` +
			`heartbeats: time \"yesterday\" is not RFC 3339; see ` +
			`/api/v1/stations/dead%2Aletters/why`,
		"/api/v1/stations/none": "lists those that are known\"",
		"/api/v1/sessions/none": "/api/v1/sessions/{id}/why",
	} {
		out := ask(h, http.MethodGet, target)
		if out.Code != http.StatusNotFound || !strings.Contains(out.Body.String(), text) {
			t.Errorf("GET %s: status %d, want 404 with %q: %s", target, out.Code, text, out.Body)
		}
	}
}
