package topics_test

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"chargestream/internal/sim"
	"chargestream/topics"
)

// legal is a name that Kafka takes and whose metrics are its own: Kafka writes dots and underscores
// alike as underscores there.
var legal = regexp.MustCompile(`^[a-z]([a-z-]{0,247}[a-z])?$`)

func TestRegister(t *testing.T) {
	seen := map[string]bool{}
	for _, topic := range topics.All() {
		if !legal.MatchString(topic.Name) || seen[topic.Name] {
			t.Errorf("%q is no name, or comes twice", topic.Name)
		}
		seen[topic.Name] = true
		if topic.Key == "" {
			t.Errorf("%s: nothing says what its key is", topic.Name)
		}
		// Compacted topics are kept for ever, and of the others only the decisions: they are part
		// of the bills.
		forEver := topic.Cleanup == topics.CleanupCompact || topic.Name == topics.BillingDecisions
		if forEver != (topic.Retention == 0) {
			t.Errorf("%s: cleanup %s, kept for %s", topic.Name, topic.Cleanup, topic.Retention)
		}
		input := topic.Kind == topics.KindInput
		if input != (topic.Decode != nil) || input != (topic.LagBudget != 0) ||
			input != (topic.Freshness != 0) {
			t.Errorf("%s, of kind %s: decoder %v, lag budget %s, freshness %s", topic.Name,
				topic.Kind, topic.Decode != nil, topic.LagBudget, topic.Freshness)
		}
		fromOutside := input || topic.Kind == topics.KindReference
		if fromOutside != (topic.RecordBytesMax != 0) {
			t.Errorf("%s: values of at most %d bytes", topic.Name, topic.RecordBytesMax)
		}
		if topic.Freshness > topic.LagBudget {
			t.Errorf("%s: shown after %s, woken for %s", topic.Name, topic.Freshness,
				topic.LagBudget)
		}
		// All topics are read together with others: one number of partitions is enough to know.
		if !topic.Copartitioned {
			t.Errorf("%s is not copartitioned", topic.Name)
		}
	}
}

// TestNames holds the names that brokers have: one that differs is another topic, and the data
// under the old name is lost to its readers.
func TestNames(t *testing.T) {
	var names []string
	for _, topic := range topics.All() {
		names = append(names, topic.Name)
	}
	want := []string{"station-status", "charging-sessions", "meter-values", "heartbeats",
		"billing-decisions", "stations", "tariffs", "stations-clock", "stations-table",
		"registry-table", "sessions-table", "hours-table", "tariffs-table", "utilization",
		"invoices", "anomalies", "dead-letters"}
	if !slices.Equal(names, want) {
		t.Errorf("topics %q\nwant %q", names, want)
	}
}

// TestRetired: a topic that is in use is not retired, or an operator would delete it.
func TestRetired(t *testing.T) {
	want := []string{"hour-parts", "session-parts", "hours-clock", "reference-table"}
	if got := topics.Retired(); !slices.Equal(got, want) {
		t.Errorf("retired %q, want %q", got, want)
	}
	for _, name := range topics.Retired() {
		if _, ok := topics.Lookup(name); ok {
			t.Errorf("%s is in use and retired", name)
		}
	}
}

// TestTables: each table has its changelog in the register.
func TestTables(t *testing.T) {
	for _, name := range []string{topics.TableStations, topics.TableRegistry, topics.TableSessions,
		topics.TableHours, topics.TableTariffs} {
		topic, ok := topics.Lookup(topics.Table(name))
		if !ok || topic.Kind != topics.KindTable || topic.Cleanup != topics.CleanupCompact {
			t.Errorf("table %s: known %v, %+v", name, ok, topic)
		}
	}
}

func TestRetentionOfInputs(t *testing.T) {
	const day = 24 * time.Hour
	for name, want := range map[string]time.Duration{topics.StationStatus: 7 * day,
		topics.ChargingSessions: 400 * day, topics.MeterValues: 30 * day, topics.Heartbeats: day,
		topics.BillingDecisions: 0} {
		if topic, ok := topics.Lookup(name); !ok || topic.Retention != want {
			t.Errorf("%s: known %v, kept for %s, want %s", name, ok, topic.Retention, want)
		}
	}
}

// TestReferenceIsNotCompactedSoon holds that reference data can be read with its history for as
// long as the sessions that are billed by it.
func TestReferenceIsNotCompactedSoon(t *testing.T) {
	sessions, _ := topics.Lookup(topics.ChargingSessions)
	for _, topic := range topics.All() {
		want := time.Duration(0)
		if topic.Kind == topics.KindReference {
			want = sessions.Retention
		}
		if topic.CompactionLag != want {
			t.Errorf("%s is compacted after %s, want %s", topic.Name, topic.CompactionLag, want)
		}
	}
}

func TestLookup(t *testing.T) {
	for _, topic := range topics.All() {
		got, ok := topics.Lookup(topic.Name)
		if !ok || got.Name != topic.Name || got.Kind != topic.Kind {
			t.Errorf("%s: %v, %+v", topic.Name, ok, got)
		}
	}
	for _, name := range []string{"", "station_status", "Stations", "stations-table-table"} {
		if got, ok := topics.Lookup(name); ok || got.Name != "" {
			t.Errorf("%q: %v, %+v", name, ok, got)
		}
	}
}

// TestSimWritesToInputs holds the names that the simulator has of its own.
func TestSimWritesToInputs(t *testing.T) {
	for simulated, want := range map[string]string{sim.TopicStatus: topics.StationStatus,
		sim.TopicSessions: topics.ChargingSessions, sim.TopicMeter: topics.MeterValues,
		sim.TopicHeartbeats: topics.Heartbeats} {
		if simulated != want {
			t.Errorf("the simulator writes to %q, not %q", simulated, want)
		}
	}
}
