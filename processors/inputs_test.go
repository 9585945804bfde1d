package processors_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"chargestream/codecs"
	"chargestream/internal/tabletest"
	"chargestream/topics"
)

// drawnMax is how many random draws have to hold an event of every kind.
const drawnMax = 300

// TestInputsHaveTheirPlaces holds, for each input topic, the places that must know its events. Each
// message begins with the place to go to; CONTRIBUTING.md, "Add an input topic", has the order.
// internal/e2e and cmd/chargestream hold the places that are not in reach here.
func TestInputsHaveTheirPlaces(t *testing.T) {
	examples := map[string][]string{}
	for _, b := range tabletest.Blocks(t, "events", "json") {
		examples[b.Info] = append(examples[b.Info], b.Text)
	}
	drawn, mixed := drawnKinds(), map[string]bool{}
	for _, r := range randomRecords(rand.New(rand.NewPCG(1, 1)), drawnMax) {
		mixed[r.topic] = true
	}
	for _, topic := range topics.All() {
		if topic.Kind != topics.KindInput {
			continue
		}
		if len(examples[topic.Name]) == 0 {
			t.Errorf("docs/format/events.md: an example of %s", topic.Name)
		}
		for _, text := range examples[topic.Name] {
			checkPlaces(t, topic, text, drawn)
		}
		// Clerks decide about what is there: the oracle of bills draws their decisions.
		if !mixed[topic.Name] && topic.Name != topics.BillingDecisions {
			t.Errorf("processors/order_test.go, randomRecords: a case of %s", topic.Name)
		}
	}
}

// checkPlaces holds the places that must know an example of an event.
func checkPlaces(t *testing.T, topic topics.Topic, text string, drawn map[string]bool) {
	t.Helper()
	event, err := topic.Decode([]byte(text))
	if err != nil {
		t.Errorf("docs/format/events.md: the example of %s: %v", topic.Name, err)
		return
	}
	if written, err := codecs.EncodeEvent(event); err != nil {
		t.Errorf("codecs/event.go, EncodeEvent: a case of %T: %v", event, err)
	} else if again, err := topic.Decode(written); err != nil {
		t.Errorf("codecs/event.go, EncodeEvent: %s is not read again: %v", written, err)
	} else if diff := cmp.Diff(event, again); diff != "" {
		t.Errorf("codecs/event.go, EncodeEvent: the case of %T (-want +got):\n%s", event, diff)
	}
	if err := tabletest.NewRows().Fold(event, event.At()); err != nil {
		t.Errorf("tables/station.go, Station.Fold: a case of %T: %v", event, err)
	}
	if kind := fmt.Sprintf("%T", event); !drawn[kind] {
		t.Errorf("internal/tabletest/random.go, drawEvent: a case of %s", kind)
	}
}

// drawnKinds are the kinds of event that the random tests of rows draw.
func drawnKinds() map[string]bool {
	kinds := map[string]bool{}
	draw := rapid.Custom(tabletest.DrawEvents)
	for seed := range drawnMax {
		for _, a := range draw.Example(seed) {
			kinds[fmt.Sprintf("%T", a.Event)] = true
		}
	}
	return kinds
}
