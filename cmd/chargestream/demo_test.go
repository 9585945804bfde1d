package main

import (
	"testing"

	"chargestream"
	"chargestream/internal/tabletest"
	"chargestream/topics"
)

// TestShiftEvent: the demo moves every event that a station may report to its own time.
func TestShiftEvent(t *testing.T) {
	t.Chdir("..") // pages are sought from the folder of a room
	reported := map[string]bool{}
	for _, topic := range topics.Reported() {
		reported[topic] = true
	}
	for _, b := range tabletest.Blocks(t, "events", "json") {
		if !reported[b.Info] {
			continue
		}
		topic, _ := topics.Lookup(b.Info)
		event, err := topic.Decode([]byte(b.Text))
		if err != nil {
			t.Errorf("%s: %v", b.Text, err)
			continue
		}
		if got := shiftEvent(event, chargestream.Hour); got.At() != event.At()+chargestream.Hour {
			t.Errorf("cmd/chargestream/demo.go, shiftEvent: a case of %T", event)
		}
	}
}
