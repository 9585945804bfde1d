package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	restartAfterMax = time.Second
	// steadyAfter is how long an attempt must have lasted for the pause to begin anew.
	steadyAfter = time.Minute
)

// ErrTopics is returned by Run when topics are missing or do not have the same number of
// partitions: nothing that waiting would mend.
var ErrTopics = errors.New("topics are not as the processor needs them")

// Stopped is returned by Run for what a broker or the disk refuses and no restart mends.
type Stopped struct {
	Group string // of the processor
	Class string // one of docs/decisions/0007-broker-refusals.md
	// Reason is why, and after the last colon what to do.
	Reason string
	Err    error
}

// Error implements error.
func (e *Stopped) Error() string { return fmt.Sprintf("%v: %s", e.Err, e.Reason) }

// Unwrap gives what was refused.
func (e *Stopped) Unwrap() error { return e.Err }

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
	pause, ran := restartAfterMin, false
	said := saying{log: c.Log, group: p.Group}
	for {
		began := time.Now()
		err := attempt(ctx, p, c, ran)
		if ctx.Err() != nil {
			return nil
		}
		why := classify(err)
		switch {
		case errors.Is(err, ErrTopics) || errors.Is(err, ErrDeclaration):
			return err
		case why.decision == stop:
			return &Stopped{Group: p.Group, Class: why.class, Reason: why.reason, Err: err}
		}
		if time.Since(began) > steadyAfter {
			pause = restartAfterMin
		}
		ran = ran || time.Since(began) > steadyAfter || why.decision > retry
		c.Metrics.restarted(p.Group, why.class)
		said.again(err, why, pause)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, restartAfterMax)
	}
}

// sayEvery is how often the same trouble is told of.
const sayEvery = 10 * time.Second

// saying tells of restarts: of each new kind of trouble at once, of what goes on now and then.
type saying struct {
	log   *slog.Logger
	group string
	class string
	at    time.Time
	times int
}

func (s *saying) again(err error, why refusal, after time.Duration) {
	s.times++
	if why.class == s.class && time.Since(s.at) < sayEvery {
		return
	}
	s.log.Warn("processor ended and is started again", "group", s.group, "error", err, "class",
		why.class, "reason", why.reason, "after", after, "times", s.times)
	s.class, s.at, s.times = why.class, time.Now(), 0
}

// attempt runs the processor until an error ends it.
func attempt(ctx context.Context, p *Processor, c Config, again bool) error {
	partitions, err := prepare(ctx, p, c, again)
	if err != nil {
		return err
	}
	i := newInstance(p, c, partitions)
	proc, err := goka.NewProcessor(c.Brokers, p.graph(i.handle), i.options()...)
	if err != nil {
		return fmt.Errorf("make processor: %w", err)
	}
	if err := i.openProducer(ctx); err != nil {
		return err
	}
	if err = i.pool.recoverAhead(ctx); err == nil {
		err = i.runGoka(ctx, proc)
	}
	if first := i.failed(); first != nil {
		err = first // goka tells the same with more words
	}
	err = errors.Join(err, i.pool.close())
	i.mu.Lock()
	i.over = true
	i.mu.Unlock()
	i.lookups.Wait()
	c.Metrics.state(p.Group, "standby", 0)
	i.tell(func(s *State) { *s = State{Group: p.Group} })
	for n := range partitions {
		c.Metrics.forget(p, n)
	}
	if closed := i.closeProducer(); closed != nil && err != nil {
		err = errors.Join(err, closed)
	} else if closed != nil {
		c.Log.Warn("the producer was not ended in good order", "group", p.Group, "error", closed)
	}
	return errors.Join(err, i.replaced(err))
}

// runGoka runs goka until ctx is done or the attempt has failed. goka ends its lookup tables
// together with what reads them; so it is given a context that ends when the folds have.
func (i *instance) runGoka(ctx context.Context, proc *goka.Processor) error {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	i.outer, i.ended = ctx, cancel
	stop := context.AfterFunc(ctx, func() {
		if !i.began.Load() {
			cancel() // it waits for its lookup tables
		}
	})
	defer stop()
	return proc.Run(own)
}

// consuming ties the folds to the end of the instance, and what is returned ends goka after them.
func (i *instance) consuming(cancel context.CancelCauseFunc) func() {
	i.began.Store(true)
	stop := context.AfterFunc(i.outer, func() { cancel(context.Canceled) })
	return func() { stop(); i.ended() }
}

// replaced tells whether another process of the same name has taken this one's place in the group,
// of an attempt that lost it: that may have been a takeover of a partition, too. It asks as the
// member that it was. To join anew would take the place back, and the two would fence each other
// for ever.
func (i *instance) replaced(err error) error {
	if err == nil || i.membership.member == "" || classify(err).decision != rejoin {
		return nil
	}
	client, e := kgo.NewClient(kgo.SeedBrokers(i.c.Brokers...))
	if e != nil {
		return nil
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), closeMax)
	defer cancel()
	i.group = client
	if e := i.askMembership(ctx, i.membership, nil); errors.Is(e, kerr.FencedInstanceID) {
		return fmt.Errorf("heartbeat: %w", e)
	}
	return nil // the next attempt meets whatever else is wrong
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

// topicsAfter is how long topics that were there before may be missing.
const topicsAfter = 10 * time.Second

// prepare looks at the topics, binds the state directory to them, and gives the number of
// partitions.
func prepare(ctx context.Context, p *Processor, c Config, again bool) (int32, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers...))
	if err != nil {
		return 0, fmt.Errorf("connect: %w", err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	partitions, err := checkTopics(ctx, admin, p)
	for began := time.Now(); again && errors.Is(err, ErrTopics) &&
		time.Since(began) < topicsAfter && ctx.Err() == nil; {
		// A broker that starts does not know its topics at once.
		select {
		case <-ctx.Done():
		case <-time.After(restartAfterMin):
		}
		partitions, err = checkTopics(ctx, admin, p)
	}
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
	for _, sources := range p.Sources {
		all = append(all, sources...)
	}
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
