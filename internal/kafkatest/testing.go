package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// probeLimit bounds each Must… call and each start of a broker.
const probeLimit = 60 * time.Second

// Start launches a broker with no topics for this test and closes it after it: see Launch for
// which one. Of an existing cluster the topics remain, so use MustTopics on whatever it returns.
func Start(t testing.TB, opts ...Option) Broker {
	t.Helper()
	ctx, cancel := limited(t)
	defer cancel()
	return closing(t)(Launch(ctx, opts...))
}

// StartFake is Start with the fake broker under any build tag and environment.
func StartFake(t testing.TB, opts ...Option) Broker {
	t.Helper()
	return closing(t)(LaunchFake(t.Context(), opts...))
}

// StartCluster starts a real Kafka of this test's own, with no topics, and a proxy before each of
// its nodes, and closes all after the test. It needs the jars of `make kafka-jars`.
func StartCluster(t testing.TB, nodes int) (*Cluster, Proxies) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), readyLimit)
	defer cancel()
	libs, err := FindJars()
	if err != nil {
		t.Fatal(err)
	}
	proxies := make(Proxies, nodes)
	for i := range proxies {
		if proxies[i], err = NewProxy(); err != nil {
			t.Fatalf("start a proxy: %v", err)
		}
		t.Cleanup(func() {
			if err := proxies[i].Close(); err != nil {
				t.Errorf("close the proxy: %v", err)
			}
		})
	}
	c, err := LaunchCluster(ctx, libs, nodes, proxies...)
	closing(t)(c, err)
	return c, proxies
}

func closing(t testing.TB) func(Broker, error) Broker {
	return func(b Broker, err error) Broker {
		t.Helper()
		if err != nil {
			t.Fatalf("start a broker: %v", err)
		}
		t.Cleanup(func() {
			if err := b.Close(); err != nil {
				t.Errorf("close the broker: %v", err)
			}
		})
		return b
	}
}

// Shared is one broker for all tests of a binary, launched when the first test asks for it. Tests
// that share it separate themselves by topic and group names, or by MustTopics:
//
//	var shared kafkatest.Shared
//
//	func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }
type Shared struct {
	once    sync.Once
	running bool // set by Main, which alone can close the broker
	broker  Broker
	err     error
}

// Main runs the tests, closes the broker if one was launched, and returns the exit code.
func (s *Shared) Main(m *testing.M) int {
	s.running = true
	code := m.Run()
	if s.broker == nil {
		return code
	}
	if err := s.broker.Close(); err != nil {
		if _, printErr := fmt.Fprintln(os.Stderr, "close the broker:", err); printErr != nil {
			return 1
		}
		return max(code, 1)
	}
	return code
}

// Broker returns the broker. Do not end it: other tests use it.
func (s *Shared) Broker(t testing.TB) Broker {
	t.Helper()
	s.once.Do(func() {
		if !s.running {
			s.err = errors.New("TestMain does not call Shared.Main")
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), probeLimit)
		defer cancel()
		s.broker, s.err = Launch(ctx)
	})
	if s.err != nil {
		t.Fatalf("start the shared broker: %v", s.err)
	}
	return s.broker
}

// MustTopics makes the topics exist and be empty (see Broker.FreshTopics).
func MustTopics(t testing.TB, b Broker, topics ...Topic) {
	t.Helper()
	ctx, cancel := limited(t)
	defer cancel()
	if err := b.FreshTopics(ctx, topics...); err != nil {
		t.Fatal(err)
	}
}

// MustClear deletes all groups and topics of a broker that tests share one after the other.
func MustClear(t testing.TB, b Broker) {
	t.Helper()
	ctx, cancel := limited(t)
	defer cancel()
	if err := Clear(ctx, b.Addrs()); err != nil {
		t.Fatal(err)
	}
}

// MustProduce is Produce for tests.
func MustProduce(t testing.TB, b Broker, records ...*kgo.Record) {
	t.Helper()
	ctx, cancel := limited(t)
	defer cancel()
	if err := Produce(ctx, b.Addrs(), records...); err != nil {
		t.Fatal(err)
	}
}

// MustReadAll is ReadAll for tests.
func MustReadAll(t testing.TB, b Broker, topic string, committed bool) []*kgo.Record {
	t.Helper()
	ctx, cancel := limited(t)
	defer cancel()
	records, err := ReadAll(ctx, b.Addrs(), topic, committed)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// MustEndOffsets is EndOffsets for tests.
func MustEndOffsets(t testing.TB, b Broker, topic string) map[int32]int64 {
	t.Helper()
	ctx, cancel := limited(t)
	defer cancel()
	ends, err := EndOffsets(ctx, b.Addrs(), topic)
	if err != nil {
		t.Fatal(err)
	}
	return ends
}

// MustGroupLag is GroupLag for tests.
func MustGroupLag(t testing.TB, b Broker, group string, topics ...string) []Lag {
	t.Helper()
	ctx, cancel := limited(t)
	defer cancel()
	lags, err := GroupLag(ctx, b.Addrs(), group, topics...)
	if err != nil {
		t.Fatal(err)
	}
	return lags
}

// MustAwaitGroup is AwaitGroup for tests.
func MustAwaitGroup(t testing.TB, b Broker, group string, topics ...string) {
	t.Helper()
	ctx, cancel := limited(t)
	defer cancel()
	if err := AwaitGroup(ctx, b.Addrs(), group, topics...); err != nil {
		t.Fatal(err)
	}
}

func limited(t testing.TB) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), probeLimit)
}
