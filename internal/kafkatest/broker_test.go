package kafkatest_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chargestream/internal/kafkatest"
)

// startOwn starts a broker of this test's own, and skips where only an existing one is offered.
func startOwn(t *testing.T, opts ...kafkatest.Option) kafkatest.Broker {
	t.Helper()
	if os.Getenv(kafkatest.BrokersEnv) != "" {
		t.Skip(kafkatest.BrokersEnv, "is set: its brokers are not ours to end")
	}
	return kafkatest.Start(t, opts...)
}

func TestRestartKeepsAddressAndData(t *testing.T) {
	b := startOwn(t, kafkatest.Durable())
	addrs := b.Addrs()
	kafkatest.MustTopics(t, b, kafkatest.Topic{Name: "kept"})
	var want []string
	for _, down := range []struct {
		name string
		end  func() error
	}{{"kill", b.Kill}, {"stop", b.Stop}, {"restart while up", func() error { return nil }}} {
		kafkatest.MustProduce(t, b, record("kept", "k", down.name))
		commit(t, b, "kept-group", "kept", int64(len(want)))
		want = append(want, down.name)
		if err := down.end(); err != nil {
			t.Fatalf("%s: %v", down.name, err)
		}
		if err := b.Restart(); err != nil {
			t.Fatalf("restart after %s: %v", down.name, err)
		}
		if diff := cmp.Diff(addrs, b.Addrs()); diff != "" {
			t.Fatalf("addresses after %s (-before +after):\n%s", down.name, diff)
		}
		got := values(kafkatest.MustReadAll(t, b, "kept", true))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("records after %s (-want +got):\n%s", down.name, diff)
		}
		lag := kafkatest.MustGroupLag(t, b, "kept-group")
		if len(lag) == 0 || lag[0].Committed != int64(len(want)-1) {
			t.Fatalf("lag after %s: %+v, want %d committed", down.name, lag, len(want)-1)
		}
	}
}

func TestDownIsDown(t *testing.T) {
	b := startOwn(t, kafkatest.Durable())
	kafkatest.MustTopics(t, b, kafkatest.Topic{Name: "down"})
	for range 2 { // ending what has ended changes nothing
		if err := b.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := b.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := kafkatest.Produce(ctx, b.Addrs(), record("down", "k", "v")); err == nil {
		t.Fatal("a broker that is down took a record")
	}
}

func TestFakeInMemoryCannotRestart(t *testing.T) {
	b := kafkatest.StartFake(t)
	if b.Real() {
		t.Error("the fake calls itself real")
	}
	if err := b.Restart(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("restart: got %v, want ErrUnsupported", err)
	}
}

func TestExistingClusterIsUsedAndLeftAlone(t *testing.T) {
	theirs := kafkatest.StartFake(t)
	t.Setenv(kafkatest.BrokersEnv, theirs.Addrs()[0])
	ours, err := kafkatest.Launch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kafkatest.MustTopics(t, ours, kafkatest.Topic{Name: "theirs"})
	for verb, do := range map[string]func() error{
		"kill": ours.Kill, "stop": ours.Stop, "restart": ours.Restart,
	} {
		if err := do(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: got %v, want ErrUnsupported", verb, err)
		}
	}
	if err := ours.Close(); err != nil {
		t.Fatal(err)
	}
	got := len(kafkatest.MustEndOffsets(t, theirs, "theirs"))
	if got != kafkatest.DefaultPartitions {
		t.Errorf("%d partitions after Close, want %d", got, kafkatest.DefaultPartitions)
	}
}
