package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Guarantee is the processing guarantee of every record.
type Guarantee string

// The guarantees.
const (
	// ExactlyOnce covers changelog, outputs and input offsets with one Kafka transaction per commit
	// (KIP-98, KIP-447).
	ExactlyOnce Guarantee = "exactly_once"
	// AtLeastOnce writes the same in an order in which nothing can be lost: outputs, then the
	// changelog, then the offsets. After a crash outputs may be repeated. That is harmless if rows
	// are semilattices and outputs are functions of them.
	AtLeastOnce Guarantee = "at_least_once"
)

// Config is the configuration of an instance of a processor.
type Config struct {
	Brokers []string
	// StateDir holds the local copies of tables; it belongs to one instance.
	StateDir string
	// Instance names this instance among those of the group, the same after a restart: it makes
	// the transactional id, so that a restart ends what was left open before.
	Instance string
	// Guarantee is ExactlyOnce by default.
	Guarantee Guarantee
	// CommitInterval is the time between two commits: 100 ms by default.
	CommitInterval time.Duration
	// SessionTimeout is how long a silent member keeps its partitions: 10 s by default.
	SessionTimeout time.Duration
	// IdleAfter is how long a partition is silent before a clock record moves its stream time on:
	// 10 s by default. Below zero: never.
	IdleAfter time.Duration
	// SourcesMax is how long a table that is looked up may lack records of its Processor.Sources
	// before nothing is folded any more: 1 min by default.
	SourcesMax time.Duration
	// CacheBytes is what rows may take in memory, in all active partitions of the instance: one
	// half, by estimate, those that are in use as values, the other half what of the disk is kept
	// as bytes. 160 MiB by default.
	CacheBytes int
	// Standby keeps copies of the partitions of other instances up to date, so that a takeover
	// needs no restore. It costs the disk space and the reading of the whole table.
	Standby bool
	// StayOnStop keeps the place in the group at a clean stop, for an instance that is back within
	// SessionTimeout: its partitions do not move. Without it they move at once.
	StayOnStop bool
	// OnRestore is called with the progress of a restore, ten times a second and when it is done;
	// nil for no call.
	OnRestore func(Restore)
	// OnState is called when the owned or active partitions change; nil for no call.
	OnState func(State)
	// Watch follows attempts and asks them for their positions; nil for none.
	Watch   *Watch
	Log     *slog.Logger
	Metrics *Metrics
}

// State is the state of an instance: which of its group's partitions it has.
type State struct {
	Group string
	// Member is true once the group has assigned partitions, or none, to this instance.
	Member bool
	// Owned partitions are assigned, Active ones are restored and read, too.
	Owned, Active int
}

// Ready reports whether every assigned partition is read.
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
	if c.CacheBytes <= 0 {
		c.CacheBytes = cacheBytesMax
	}
	if c.SourcesMax <= 0 {
		c.SourcesMax = sourcesMax
	}
	return c, nil
}

// cacheBytesMax is the default of Config.CacheBytes.
const cacheBytesMax = 160 << 20

// sessionTimeout is the default of Config.SessionTimeout.
const sessionTimeout = 10 * time.Second

// transactionTimeout is how long a transaction may last before the coordinator aborts it. Until
// then a dead instance's open transaction hides everything after it from readers.
const transactionTimeout = 10 * time.Second

// clientLog adapts a slog.Logger for franz-go. Its level info helps only in an investigation, so
// these messages have the level debug.
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
