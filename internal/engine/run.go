package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/lovoo/goka"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Bounds of the pause before a processor that ended with an error is started again.
const (
	restartAfterMin = 200 * time.Millisecond
	restartAfterMax = 10 * time.Second
	// steadyAfter is how long an attempt must have lasted for the pause to begin anew.
	steadyAfter = time.Minute
)

// ErrTopics is returned by Run when topics are missing or do not have the same number of
// partitions: nothing that waiting would mend.
var ErrTopics = errors.New("topics are not as the processor needs them")

// ErrLocked is returned by Run when another process uses the state directory.
var ErrLocked = errors.New("state directory is in use by another process")

// Run runs a processor until ctx is done. What ends an attempt is logged and the processor is
// started again from what was committed, in the same process; only what a restart cannot mend is
// returned.
func Run(ctx context.Context, p *Processor, c Config) (err error) {
	if err := p.check(); err != nil {
		return err
	}
	if c, err = c.withDefaults(); err != nil {
		return err
	}
	dir := filepath.Join(c.StateDir, p.Group)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make state directory: %w", err)
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	held, err := lock.TryLock()
	if err != nil {
		return fmt.Errorf("lock %s: %w", dir, err)
	}
	if !held {
		return fmt.Errorf("%w: %s", ErrLocked, dir)
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	return supervise(ctx, p, c)
}

func supervise(ctx context.Context, p *Processor, c Config) error {
	pause := restartAfterMin
	for {
		began := time.Now()
		err := attempt(ctx, p, c)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, ErrTopics) || errors.Is(err, ErrDeclaration) {
			return err
		}
		if time.Since(began) > steadyAfter {
			pause = restartAfterMin
		}
		c.Metrics.restarted(p.Group)
		c.Log.Warn(
			"processor ended and is started again",
			"group",
			p.Group,
			"error",
			err,
			"after",
			pause,
		)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, restartAfterMax)
	}
}

func attempt(ctx context.Context, p *Processor, c Config) error {
	partitions, err := prepare(ctx, p, c)
	if err != nil {
		return err
	}
	i := newInstance(p, c, partitions)
	proc, err := goka.NewProcessor(c.Brokers, p.graph(i.handle), i.options()...)
	if err != nil {
		return fmt.Errorf("make processor: %w", err)
	}
	return proc.Run(ctx)
}

// graph is the processor as goka declares one, with one callback for every input.
func (p *Processor) graph(callback goka.ProcessCallback) *goka.GroupGraph {
	edges := []goka.Edge{goka.Persist(Bytes{})}
	for _, topic := range p.Inputs {
		edges = append(edges, goka.Input(goka.Stream(topic), Bytes{}, callback))
	}
	if p.Clock != "" {
		edges = append(edges, goka.Input(goka.Stream(p.Clock), Bytes{}, callback))
	}
	for _, topic := range p.Lookups {
		edges = append(edges, goka.Lookup(goka.Table(topic), Bytes{}))
	}
	for _, topic := range p.Outputs {
		edges = append(edges, goka.Output(goka.Stream(topic), Bytes{}))
	}
	return goka.DefineGroup(goka.Group(p.Group), edges...)
}

// prepare looks at the topics, binds the state directory to them, and gives the number of
// partitions.
func prepare(ctx context.Context, p *Processor, c Config) (int32, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers...))
	if err != nil {
		return 0, fmt.Errorf("connect: %w", err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	partitions, err := checkTopics(ctx, admin, p)
	if err != nil {
		return 0, err
	}
	return partitions, bind(ctx, admin, p, c, filepath.Join(c.StateDir, p.Group))
}

// checkTopics makes sure that every topic is there and that those which are read together have
// the same number of partitions, and gives that number.
func checkTopics(ctx context.Context, admin *kadm.Client, p *Processor) (int32, error) {
	together := append([]string{p.Table()}, p.Inputs...)
	if p.Clock != "" {
		together = append(together, p.Clock)
	}
	all := append(append(together[:len(together):len(together)], p.Lookups...), p.Outputs...)
	details, err := admin.ListTopics(ctx, all...)
	if err != nil {
		return 0, fmt.Errorf("look at topics: %w", err)
	}
	for _, topic := range all {
		d, ok := details[topic]
		if ok && d.Err != nil && !errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
			return 0, fmt.Errorf("look at topic %q: %w", topic, d.Err) // passes, or is told again
		}
		if !ok || d.Err != nil || len(d.Partitions) == 0 {
			return 0, fmt.Errorf("%w: %q is missing", ErrTopics, topic)
		}
	}
	n := len(details[together[0]].Partitions)
	for _, topic := range together {
		if m := len(details[topic].Partitions); m != n {
			return 0, fmt.Errorf("%w: %q has %d partitions, %q has %d", ErrTopics,
				together[0], n, topic, m)
		}
	}
	return int32(n), nil
}
