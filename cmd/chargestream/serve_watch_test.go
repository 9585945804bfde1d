package main

import (
	"strings"
	"testing"
	"time"

	"chargestream/views"
)

// TestServeSaysWhy: the API knows the dead letters, and a station of which nothing was folded is
// not just unknown.
func TestServeSaysWhy(t *testing.T) {
	brokers := doubts(t)
	url := serving(t, brokers, "--http", "127.0.0.1:0")
	for path, want := range map[string]string{
		"/api/v1/sessions/s-1/why":                 `held for no_tariff"`,
		"/api/v1/sessions/s-2/why?station_id=st-2": `"station_id":"st-2","connector_id":"1"`,
		"/api/v1/stations/st-1/why":                `"held_count":1`,
		"/api/v1/stations/st-3/why":                `"source_topic":"heartbeats"`,
		"/api/v1/sessions/s-9/why":                 "1 dead letter names it",
		"/api/v1/stations/st-3":                    "1 dead letters are of it, the newest",
		"/api/v1/stations/st-8":                    "lists those that are known\"",
	} {
		// Dead letters are read beside the views.
		deadline := time.Now().Add(20 * time.Second)
		text, err := fetch(t.Context(), url+path)
		for err == nil && !strings.Contains(text, want) {
			text, err = fetch(t.Context(), url+path)
			if time.Now().After(deadline) {
				t.Fatalf("GET %s has no %s: %s", path, want, text)
			}
		}
		if err != nil {
			t.Errorf("GET %s: %v", path, err)
		}
	}
}

// TestBrokerThatIsGone: what serve shows is old once no broker has answered for a while, and it
// says so.
func TestBrokerThatIsGone(t *testing.T) {
	var w brokerWatch
	now := time.UnixMilli(1772452800000)
	w.answered.Store(now.UnixMilli())
	for after, want := range map[time.Duration]string{0: "", goneAfter: "",
		goneAfter + time.Second: "no broker of Kafka has answered for 11s"} {
		if got := w.gone(now.Add(after)); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("after %s: %q, want %q", after, got, want)
		}
	}
	w.answered.Store(time.Now().Add(-time.Minute).UnixMilli())
	v := watchedViews{&views.Views{}, &w}
	if ready, reason := v.Ready(); ready || !strings.Contains(reason, "no broker") {
		t.Errorf("ready %v, %q", ready, reason)
	}
}
