package engine

import (
	"chargestream/engine/broker"
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
	// steadyAfter is how long an attempt must have lasted for the pause to be the minimum again.
	steadyAfter = time.Minute
)

// ErrTopics is returned by Run when topics are missing or do not have the same number of
// partitions: waiting does not help.
var ErrTopics = errors.New("topics are not as the processor needs them")

// Stopped is returned by Run for an error of a broker or the disk that a restart cannot cure.
type Stopped struct {
	Group string // of the processor
	Class string // one of docs/decisions/0007-broker-errors.md
	// Reason is the cause and, after the last colon, the remedy.
	Reason string
	Err    error
}

// Error implements error.
func (e *Stopped) Error() string { return fmt.Sprintf("%v: %s", e.Err, e.Reason) }

// Unwrap returns the error itself.
func (e *Stopped) Unwrap() error { return e.Err }

// ErrLocked is returned by Run when another process uses the state directory.
var ErrLocked = errors.New("state directory is in use by another process")

// Run runs a processor until ctx is done. An error ends an attempt: it is logged, and the processor
// continues from what was committed, in the same process. Run returns only an error that a restart
// cannot cure.
func Run(ctx context.Context, p *Processor, c Config) (err error) {
	if err := p.Check(); err != nil {
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

// supervise runs one attempt after another.
func supervise(ctx context.Context, p *Processor, c Config) error {
	pause, ran := restartAfterMin, false
	restarts := restartLog{log: c.Log, group: p.Group}
	for {
		began := time.Now()
		err := attempt(ctx, p, c, ran)
		if ctx.Err() != nil {
			return nil
		}
		class := broker.Classify(err)
		switch {
		case errors.Is(err, ErrTopics) || errors.Is(err, ErrDeclaration):
			return err
		case stops(ctx, p, c, class):
			return &Stopped{Group: p.Group, Class: class.Name, Reason: class.Reason, Err: err}
		case ctx.Err() != nil:
			return nil
		}
		if time.Since(began) > steadyAfter {
			pause = restartAfterMin
		}
		c.Watch.noteEnd(p.Group, class)
		ran = ran || time.Since(began) > steadyAfter || class.Decision > broker.Retry
		c.Metrics.restarted(p.Group, class.Name)
		restarts.restarted(err, class, pause)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, restartAfterMax)
	}
}

// repeatEvery is how often the same trouble is logged.
const repeatEvery = 10 * time.Second

// restartLog logs restarts: a new class of error at once, the same class every repeatEvery.
type restartLog struct {
	log      *slog.Logger
	group    string
	last     string
	loggedAt time.Time
	times    int
}

func (s *restartLog) restarted(err error, class broker.Class, after time.Duration) {
	s.times++
	if class.Name == s.last && time.Since(s.loggedAt) < repeatEvery {
		return
	}
	s.log.Warn("processor ended and is restarted", "group", s.group, "error", err, "class",
		class.Name, "reason", class.Reason, "after", after, "times", s.times)
	s.last, s.loggedAt, s.times = class.Name, time.Now(), 0
}

// attempt runs the processor until an error ends it. ran means that an earlier attempt has run.
func attempt(ctx context.Context, p *Processor, c Config, ran bool) error {
	partitions, err := prepare(ctx, p, c, ran)
	if err != nil {
		return err
	}
	i := newInstance(p, c, partitions)
	defer c.Watch.enter(i)()
	proc, err := goka.NewProcessor(c.Brokers, graph(p, i.handle), i.options()...)
	if err != nil {
		return fmt.Errorf("make processor: %w", err)
	}
	if err := i.openProducer(ctx); err != nil {
		return err
	}
	if err = i.endOwnHanging(ctx); err == nil {
		err = i.pool.recoverAhead(ctx)
	}
	if err == nil {
		err = i.runGoka(ctx, proc)
	}
	if first := i.failed(); first != nil {
		err = first // goka wraps the same error
	}
	err = errors.Join(err, i.pool.close())
	i.mu.Lock()
	i.closed = true
	i.mu.Unlock()
	i.lookups.Wait()
	c.Metrics.state(p.Group, "standby", 0)
	i.setState(func(s *State) { *s = State{Group: p.Group} })
	for n := range partitions {
		c.Metrics.forget(p, n)
	}
	if closed := i.closeProducer(); closed != nil && err != nil {
		err = errors.Join(err, closed)
	} else if closed != nil {
		c.Log.Warn("the producer was not closed cleanly", "group", p.Group, "error", closed)
	}
	return errors.Join(err, i.replaced(err))
}

// replaced returns an error if another process with this instance's name has taken its place in the
// group. It is called for an attempt that lost its place; the cause may also be the takeover of a
// partition. It asks as the former member: a new join would take the place back, and the two
// processes would fence each other forever.
func (i *instance) replaced(err error) error {
	if err == nil || i.membership.member == "" || broker.Classify(err).Decision != broker.Rejoin {
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
	return nil // the next attempt finds any other error
}

// topicsAfter is how long topics that existed before may be missing.
const topicsAfter = 10 * time.Second

// prepare checks the topics, binds the state directory to them, and returns the number of
// partitions.
func prepare(ctx context.Context, p *Processor, c Config, ran bool) (int32, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers...))
	if err != nil {
		return 0, fmt.Errorf("connect: %w", err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	partitions, err := checkTopics(ctx, admin, p)
	for began := time.Now(); ran && errors.Is(err, ErrTopics) &&
		time.Since(began) < topicsAfter && ctx.Err() == nil; {
		// A broker that starts may not know its topics yet.
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

// checkTopics checks that every topic exists and that those which are read together have the same
// number of partitions, and returns that number.
func checkTopics(ctx context.Context, admin *kadm.Client, p *Processor) (int32, error) {
	together := append(p.TableTopics(), p.Topics()...)
	all := append(append(together[:len(together):len(together)], p.Lookups...),
		p.OutputTopics()...)
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
			// Temporary, or the next request returns it again.
			return 0, fmt.Errorf("look at topic %q: %w", topic, d.Err)
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
