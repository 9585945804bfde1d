package e2e_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
	"chargestream/internal/e2e"
	"chargestream/internal/kafkatest"
	"chargestream/topics"
)

// quickEvents is how many events of a world the quick runs of the fault harness have.
const quickEvents = 6000

// TestProduceErrors answers writes of all processors with errors, in the middle of a journal that
// has everything wrong in it that a journal can: errors that pass by themselves, and one that
// ends the attempt. What came out is held against the journal, record by record.
func TestProduceErrors(t *testing.T) {
	for name, codes := range map[string]map[string]*kerr.Error{
		"passing": {
			topics.Utilization:                 kerr.NotLeaderForPartition,
			topics.Table(topics.TableHours):    kerr.NotEnoughReplicas,
			topics.Table(topics.TableStations): kerr.NotLeaderForPartition,
			e2e.CountOutput:                    kerr.RequestTimedOut, // and it is done all the same
		},
		"fatal": {
			topics.Utilization:              kerr.InvalidProducerEpoch,
			topics.Table(topics.TableHours): kerr.InvalidProducerEpoch,
			e2e.CountOutput:                 kerr.InvalidProducerEpoch,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := kafkatest.StartFake(t)
			makeAuditedTopics(t, b)
			j, reference := journalOf(t, e2e.JournalConfig{Seed: 1, Events: quickEvents,
				Partitions: partitions, Depot: 40, City: 30})
			produce(t, b, reference)
			dir := filepath.Join(t.TempDir(), "a")
			stop := runFleet(t, b, dir)
			half := len(j.Entries) / 2
			putEntries(t, b, j.Entries[:half])
			awaitQuiet(t, b)
			hit := refuse(t, b, codes)
			putEntries(t, b, j.Entries[half:])
			awaitHits(t, hit)
			awaitQuiet(t, b)
			stop()
			settleAt(t, b, engine.ExactlyOnce, j.End, true, dir)
			r := verify(t, b, j, reference)
			// Tasks begin with each instance, and after each error that ends an attempt.
			begun := 2 * partitions
			if name == "fatal" {
				begun = 3 * partitions
			}
			if w := r.Work[topics.GroupStations]; w.Tasks < begun {
				t.Errorf("%+v of stations, want %d tasks: this shows nothing", w, begun)
			}
		})
	}
}

// awaitQuiet waits until everything is read and committed.
func awaitQuiet(t *testing.T, b kafkatest.Broker) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := engine.Quiet(ctx, b.Addrs(), 20*time.Millisecond, fleet(true)...); err != nil {
		t.Fatal(err)
	}
}

// putEntries produces entries where they are to lie.
func putEntries(t *testing.T, b kafkatest.Broker, entries []e2e.Entry) {
	t.Helper()
	list := make([]*kgo.Record, len(entries))
	for i := range entries {
		list[i] = entries[i].Record()
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := kafkatest.ProduceAt(ctx, b.Addrs(), list...); err != nil {
		t.Fatal(err)
	}
}

// refuse answers the next write to each topic with an error, and gives for each topic a function
// that counts how often it did.
func refuse(t *testing.T, b kafkatest.Broker, codes map[string]*kerr.Error) map[string]func() int {
	t.Helper()
	hit := map[string]func() int{}
	for topic, code := range codes {
		hits, err := kafkatest.FailProduce(b, topic, code, 1)
		if err != nil {
			t.Fatal(err)
		}
		hit[topic] = hits
	}
	return hit
}

// awaitHits waits until each of the errors was answered.
func awaitHits(t *testing.T, hit map[string]func() int) {
	t.Helper()
	deadline := time.After(time.Minute)
	for topic, hits := range hit {
		for hits() == 0 {
			select {
			case <-deadline:
				t.Fatalf("no write to %s was refused", topic)
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
}

// runFleet runs an audited fleet in this process until stop is called.
func runFleet(t *testing.T, b kafkatest.Broker, dir string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	done := make(chan error, 1)
	c := engine.Config{Brokers: b.Addrs(), StateDir: dir, Instance: filepath.Base(dir),
		SessionTimeout: sessionTimeout(b), IdleAfter: -1, Log: log}
	go func() { done <- runAll(ctx, fleet(true), c) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
