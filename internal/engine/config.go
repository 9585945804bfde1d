package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
)

// Guarantee is what is promised of every record.
type Guarantee string

// The guarantees.
const (
	// ExactlyOnce covers changelog, outputs and input offsets with one Kafka transaction a unit of
	// work (KIP-98, KIP-447).
	ExactlyOnce Guarantee = "exactly_once"
	// AtLeastOnce writes the same in an order in which nothing can be lost: outputs, then the
	// changelog, then the offsets. After a crash outputs come again; rows that are semilattices
	// and outputs that are functions of them make that harmless.
	AtLeastOnce Guarantee = "at_least_once"
)

// Config is how an instance of a processor runs.
type Config struct {
	Brokers []string
	// StateDir holds the local copies of tables; it belongs to one instance.
	StateDir string
	// Instance names this instance among those of the group, the same after a restart: it makes
	// the transactional id, so that a restart ends what was left open before.
	Instance string
	// Guarantee is ExactlyOnce by default.
	Guarantee Guarantee
	// CommitInterval is how long a unit of work lasts: 100 ms by default.
	CommitInterval time.Duration
	// SessionTimeout is how long a silent member keeps its partitions: 10 s by default.
	SessionTimeout time.Duration
	// IdleAfter is how long a partition is silent before a clock record moves its stream time on:
	// 10 s by default. Below zero: never.
	IdleAfter time.Duration
	Log       *slog.Logger
	Metrics   *Metrics
}

func (c Config) withDefaults() (Config, error) {
	if len(c.Brokers) == 0 || c.StateDir == "" || c.Instance == "" || c.Log == nil {
		return c, errors.New("brokers, state directory, instance and log are needed")
	}
	if c.Guarantee == "" {
		c.Guarantee = ExactlyOnce
	}
	if c.Guarantee != ExactlyOnce && c.Guarantee != AtLeastOnce {
		return c, fmt.Errorf(
			"guarantee %q is neither %s nor %s",
			c.Guarantee,
			ExactlyOnce,
			AtLeastOnce,
		)
	}
	if c.CommitInterval <= 0 {
		c.CommitInterval = 100 * time.Millisecond
	}
	if c.SessionTimeout <= 0 {
		c.SessionTimeout = sessionTimeout
	}
	if c.IdleAfter == 0 {
		c.IdleAfter = 10 * time.Second
	}
	return c, nil
}

// sessionTimeout is the default of Config.SessionTimeout.
const sessionTimeout = 10 * time.Second

// transactionTimeout is how long a transaction may last before the coordinator aborts it. A dead
// instance's open transaction hides everything after it from readers for that long.
const transactionTimeout = 10 * time.Second

// protocol is the Kafka version that sarama speaks: new enough for static membership and for
// committed reads with stable offsets, and old enough for every broker that is still supported.
var protocol = sarama.V2_7_0_0

// saramaConfig is a configuration of sarama with retries that outlast the restart of a broker.
func saramaConfig(c Config) *sarama.Config {
	s := goka.DefaultConfig()
	s.Version = protocol
	s.Metadata.Retry.Max, s.Metadata.Retry.Backoff = 120, 250*time.Millisecond
	s.Consumer.Offsets.Initial = sarama.OffsetOldest
	s.Consumer.Offsets.Retry.Max = 100
	s.Consumer.Offsets.AutoCommit.Enable = false
	s.Consumer.IsolationLevel = sarama.ReadCommitted
	s.Consumer.Fetch.Default = 1 << 20
	s.Consumer.MaxWaitTime = 100 * time.Millisecond
	// The merger leaves the topics that are ahead unread; the others must not wait for them.
	s.Consumer.MaxProcessingTime = 10 * time.Millisecond
	s.Consumer.Group.Session.Timeout = c.SessionTimeout
	s.Consumer.Group.Heartbeat.Interval = min(c.SessionTimeout/5, 2*time.Second)
	s.Consumer.Group.Rebalance.Retry.Max = 20
	s.Consumer.Group.Rebalance.Timeout = 30 * time.Second
	return s
}

// topicManager is goka's way to topics. The engine's topics exist before it runs; goka only
// looks at them.
func topicManager(c Config) goka.TopicManagerBuilder {
	return func(brokers []string) (goka.TopicManager, error) {
		t := goka.NewTopicManagerConfig()
		t.Table.Replication, t.Stream.Replication = 1, 1
		return goka.NewTopicManager(brokers, saramaConfig(c), t)
	}
}

// printer is a slog.Logger as goka wants one. goka says much that is of no use to anybody, so it
// is told at debug.
type printer struct{ log *slog.Logger }

// Print implements goka's logger.
func (p printer) Print(args ...any) { p.log.Debug(fmt.Sprint(args...)) }

// Printf implements goka's logger.
func (p printer) Printf(format string, args ...any) { p.log.Debug(fmt.Sprintf(format, args...)) }

// Println implements goka's logger.
func (p printer) Println(args ...any) { p.log.Debug(fmt.Sprintln(args...)) }
