package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/twmb/franz-go/pkg/kgo"
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
	// SourcesMax is how long a table that is looked up may lack records of its Processor.Sources
	// before nothing is folded any more: 5 min by default.
	SourcesMax time.Duration
	// Standby keeps a copy of the partitions that other instances own up to date, so that what is
	// taken over from them is there at once. It costs the disk and the reading of the whole table.
	Standby bool
	// StayOnStop keeps the place in the group at a clean stop, for an instance that is back within
	// SessionTimeout: its partitions do not move. Without it they move at once.
	StayOnStop bool
	// OnRestore is told how a restore of the table goes on, ten times a second and when it is done;
	// nil for nobody.
	OnRestore func(Restore)
	// OnState is told when the partitions change that are owned or active; nil for nobody.
	OnState func(State)
	Log     *slog.Logger
	Metrics *Metrics
}

// State is what an instance has of its group's partitions.
type State struct {
	Group string
	// Member tells that the group has assigned partitions, or none, to this instance.
	Member bool
	// Owned partitions are assigned, Active ones are restored and read, too.
	Owned, Active int
}

// Ready tells whether everything that is assigned is read.
func (s State) Ready() bool { return s.Member && s.Active == s.Owned }

func (c Config) withDefaults() (Config, error) {
	if len(c.Brokers) == 0 || c.StateDir == "" || c.Instance == "" || c.Log == nil {
		return c, errors.New("brokers, state directory, instance and log are needed")
	}
	if c.Guarantee == "" {
		c.Guarantee = ExactlyOnce
	}
	if c.Guarantee != ExactlyOnce && c.Guarantee != AtLeastOnce {
		return c, fmt.Errorf("guarantee %q is neither %s nor %s", c.Guarantee, ExactlyOnce,
			AtLeastOnce)
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
	if c.SourcesMax <= 0 {
		c.SourcesMax = sourcesMax
	}
	return c, nil
}

// sessionTimeout is the default of Config.SessionTimeout.
const sessionTimeout = 10 * time.Second

// transactionTimeout is how long a transaction may last before the coordinator aborts it. A dead
// instance's open transaction hides everything after it from readers for that long.
const transactionTimeout = 10 * time.Second

// protocol is the Kafka version that sarama speaks: old enough for every broker that is still
// supported.
var protocol = sarama.V2_7_0_0

// saramaConfig is a configuration of sarama, through which goka looks at topics, with retries that
// outlast the restart of a broker.
func saramaConfig() *sarama.Config {
	s := goka.DefaultConfig()
	s.Version = protocol
	s.Metadata.Retry.Max, s.Metadata.Retry.Backoff = 120, 250*time.Millisecond
	return s
}

// topicManager is goka's way to topics. The engine's topics exist before it runs; goka only
// looks at them.
func topicManager(brokers []string) (goka.TopicManager, error) {
	t := goka.NewTopicManagerConfig()
	t.Table.Replication, t.Stream.Replication = 1, 1
	return goka.NewTopicManager(brokers, saramaConfig(), t)
}

// clientLog is a slog.Logger as franz-go wants one. What it calls information is of use to who
// looks for the reason of something, and told at debug.
type clientLog struct{ log *slog.Logger }

// Level implements kgo.Logger.
func (c clientLog) Level() kgo.LogLevel {
	if c.log.Enabled(context.Background(), slog.LevelDebug) {
		return kgo.LogLevelInfo
	}
	return kgo.LogLevelNone
}

// Log implements kgo.Logger.
func (c clientLog) Log(_ kgo.LogLevel, text string, args ...any) { c.log.Debug(text, args...) }

// printer is a slog.Logger as goka wants one. goka says much that is of no use to anybody, so it
// is told at debug.
type printer struct{ log *slog.Logger }

// Print implements goka's logger.
func (p printer) Print(args ...any) { p.log.Debug(fmt.Sprint(args...)) }

// Printf implements goka's logger.
func (p printer) Printf(format string, args ...any) { p.log.Debug(fmt.Sprintf(format, args...)) }

// Println implements goka's logger.
func (p printer) Println(args ...any) { p.log.Debug(fmt.Sprintln(args...)) }
