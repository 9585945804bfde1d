package engine_test

import (
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"chargestream/engine"
	"chargestream/internal/kafkatest"
)

// TestFormerMember: a coordinator that has forgotten the last join answers the only process of a
// name that another has it. The process goes on when the session of its former self is over.
func TestFormerMember(t *testing.T) {
	name := "former"
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1),
		kfake.GroupMinSessionTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	t.Setenv(kafkatest.BrokersEnv, cluster.ListenAddrs()[0])
	b, err := kafkatest.Launch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	topicsOf(t, b, name)
	sent := map[string]int{}
	r := start(t, named(name, wordCount()), configOf(t, b, "a"))
	someWords(t, b, name, 5, sent)
	untilSent(t, b, name, sent)
	fault := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat},
		Err: kerr.FencedInstanceID, Count: 1})
	eventually(t, "the process is told that it was replaced",
		func() bool { return fault.Hits() > 0 })
	someWords(t, b, name, 5, sent)
	untilSent(t, b, name, sent)
	r.stop(t)
	expectExact(t, b, name, sent)
}

// TestTwin: of two processes of one name the one that joined first ends, and the other goes on.
func TestTwin(t *testing.T) {
	t.Parallel()
	b, name := shared.Broker(t), "twin"
	topicsOf(t, b, name)
	sent := map[string]int{}
	first := start(t, named(name, wordCount()), configOf(t, b, "a"))
	someWords(t, b, name, 5, sent)
	untilSent(t, b, name, sent)
	second := start(t, named(name, wordCount()), configOf(t, b, "a"))
	select {
	case err := <-first.done:
		var stopped *engine.Stopped
		if !errors.As(err, &stopped) || stopped.Class != "instance_twice" {
			t.Errorf("it ended with %v, want that another process has its name", err)
		}
	case <-time.After(patience):
		t.Error("both go on")
	}
	someWords(t, b, name, 5, sent)
	untilSent(t, b, name, sent)
	second.stop(t)
	expectExact(t, b, name, sent)
}
