package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"

	"chargestream"
	"chargestream/engine"
	"chargestream/internal/sim"
	"chargestream/processors"
)

// demoPartitions is how many partitions the demo's topics have.
const demoPartitions = 4

// demoHistory is how long the simulated world has been running when the demo begins: from before
// the depot's morning into its busiest hour, so that there is something of everything to see.
const demoHistory = 5 * chargestream.Hour

type demoFlags struct {
	http     string
	chosen   bool
	dataDir  string
	kafka    int
	seed     uint64
	duration time.Duration
	pprof    bool
	verbose  bool
}

func (a *app) demoCommand() *cobra.Command {
	f := &demoFlags{}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show everything in one process: broker, simulated depot and city, processors, API",
		Example: `chargestream demo
chargestream demo --data-dir ./demo --http 127.0.0.1:9000`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.chosen = cmd.Flags().Changed("http")
			return a.demo(cmd.Context(), f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.http, "http", httpDefault,
		"`address` to listen on; if the default is taken, the next free port")
	flags.StringVar(
		&f.dataDir,
		"data-dir",
		"",
		"`directory` to keep everything in; without it all is lost at the end",
	)
	flags.IntVar(&f.kafka, "kafka-port", 0, "`port` of the embedded broker; a free one by default")
	flags.Uint64Var(&f.seed, "seed", 1, "`seed` of the simulated world")
	flags.DurationVar(&f.duration, "duration", 0, "how `long` to run; until Ctrl-C by default")
	pprofFlag(cmd, &f.pprof)
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "log everything")
	return cmd
}

func (a *app) demo(ctx context.Context, f *demoFlags) (err error) {
	if f.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.duration)
		defer cancel()
	}
	log := a.logger(f.verbose)
	unlock, err := lockData(f.dataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	cluster, err := startBroker(f)
	if err != nil {
		return err
	}
	defer cluster.Close()
	a.brokers, a.timeout = cluster.ListenAddrs(), timeoutDefault
	state := f.dataDir
	if state == "" {
		if state, err = os.MkdirTemp("", "chargestream-demo-"); err != nil {
			return fmt.Errorf("make state directory: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(state)) }()
	}
	if err := a.makeTopics(ctx); err != nil {
		return err
	}
	listener, err := listen(f.http, f.chosen)
	if err != nil {
		return err
	}
	registry := newRegistry()
	c := engine.Config{
		Brokers:  a.brokers,
		StateDir: filepath.Join(state, "state"),
		Instance: "demo",
		Log:      log,
		Metrics:  engine.NewMetrics(registry),
	}
	count := newCounters(registry)
	procs := processors.All(count)
	c.Watch = engine.NewWatch(c, procs)
	registry.MustRegister(c.Watch.Collector("run"))
	a.banner(f, listener)
	defer count.notice.start(ctx, log, a.brokers)()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	for _, part := range []func() error{
		func() error { return runProcessors(ctx, c, procs, nil, false) },
		func() error { return a.serveViews(ctx, listener, f.pprof, registry, log) },
		func() error { return a.liveWorld(ctx, f.seed) },
	} {
		running.Go(func() {
			if err := part(); err != nil {
				cancel(err)
			}
		})
	}
	running.Wait()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) &&
		!errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	return nil
}

// lockData takes the directory of a demo's data for this process, before anything in it is touched:
// two brokers on the same files would spoil them. Without a directory there is nothing to take.
func lockData(dir string) (unlock func() error, err error) {
	if dir == "" {
		return func() error { return nil }, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "demo.lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	// The lock ends with the process, however that ends.
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(&exitError{code: exitRuntime, err: err,
			what: "the data directory " + dir + " is in use by another demo",
			hint: "stop that one, or give each demo a --data-dir of its own"}, file.Close())
	}
	return file.Close, nil
}

func startBroker(f *demoFlags) (*kfake.Cluster, error) {
	options := []kfake.Opt{kfake.NumBrokers(1), kfake.DefaultNumPartitions(demoPartitions)}
	if f.kafka != 0 {
		options = append(options, kfake.Ports(f.kafka))
	}
	if f.dataDir != "" {
		dir := filepath.Join(f.dataDir, "kafka")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("make data directory: %w", err)
		}
		options = append(options, kfake.DataDir(dir))
	}
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		return nil, &exitError{
			code: exitRuntime,
			what: "cannot start the embedded broker",
			err:  err,
			hint: "is --kafka-port " + strconv.Itoa(f.kafka) + " in use?",
		}
	}
	return cluster, nil
}

// makeTopics creates what is missing, without a word.
func (a *app) makeTopics(ctx context.Context) error {
	f := &topicFlags{partitions: demoPartitions, replication: 1}
	return a.withAdmin(ctx, func(ctx context.Context, admin *kadm.Client) error {
		findings, err := a.compareTopics(ctx, admin, f)
		if err != nil {
			return err
		}
		left := 0
		for _, d := range findings {
			if !d.Applies {
				left++
			} else if err := a.applyFinding(ctx, admin, d, f); err != nil {
				return err
			}
		}
		return a.awaitTopics(ctx, admin, f, left)
	})
}

// banner shows where everything is.
func (a *app) banner(f *demoFlags, listener net.Listener) {
	kept := "in memory, lost at the end (keep it with --data-dir DIR)"
	if f.dataDir != "" {
		kept = "in " + f.dataDir
	}
	url := "http://" + listener.Addr().String()
	fmt.Fprintf(a.stdout, `chargestream demo: a simulated depot and city, live

  Stations     %[1]s/api/v1/stations?free=true
  Invoices     %[1]s/api/v1/invoices
  Utilization  %[1]s/api/v1/utilization
  Anomalies    %[1]s/api/v1/anomalies
  Metrics      %[1]s/metrics
  Kafka        %[2]s   (kcat -b %[2]s -L)
  Data         %[3]s

Press Ctrl-C to stop.
`, url, a.brokers[0], kept)
}

// liveWorld produces what a simulated world says: its past at once, and from then on as it
// happens. The world's clock is set so that now is the depot's morning, whatever hour it is.
func (a *app) liveWorld(ctx context.Context, seed uint64) error {
	client, err := a.kafkaClient(ctx)
	if err != nil {
		return ended(ctx, err)
	}
	defer client.Close()
	p := newProducer(ctx, client, nil)
	defer p.close()
	world := sim.New(sim.Config{Seed: seed, Faults: sim.DefaultFaults()})
	shift := chargestream.MillisOf(time.Now()) - (sim.DefaultStart + demoHistory)
	if err := sendReference(p, world, world.Now()+shift); err != nil {
		return err
	}
	for {
		r := world.Next()
		at := r.Arrival + shift
		if ahead := time.Until(at.Time()); ahead > 0 {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(ahead):
			}
		}
		record, err := worldRecord(r.Topic, shiftEvent(r.Event, shift), at)
		if err != nil {
			return err
		}
		p.send(record)
		if p.ctx.Err() != nil {
			return ended(ctx, context.Cause(p.ctx))
		}
	}
}

// ended turns an error that only says that it is over into none.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// shiftEvent is an event as it would be sent at another time.
func shiftEvent(event chargestream.Event, by chargestream.Millis) chargestream.Event {
	switch e := event.(type) {
	case *chargestream.StatusReport:
		moved := *e
		moved.Time += by
		return &moved
	case *chargestream.MeterValue:
		moved := *e
		moved.Time += by
		moved.SessionID = shiftSession(e.SessionID, by)
		return &moved
	case *chargestream.Heartbeat:
		moved := *e
		moved.Time += by
		return &moved
	case *chargestream.SessionStart:
		moved := *e
		moved.Time += by
		moved.SessionID = shiftSession(e.SessionID, by)
		return &moved
	case *chargestream.SessionEnd:
		moved := *e
		moved.Time += by
		moved.SessionID = shiftSession(e.SessionID, by)
		return &moved
	case *chargestream.SessionRecord:
		moved := *e
		moved.Start.Time, moved.End.Time = moved.Start.Time+by, moved.End.Time+by
		moved.Start.SessionID = shiftSession(e.Start.SessionID, by)
		moved.End.SessionID = shiftSession(e.End.SessionID, by)
		return &moved
	}
	return event
}

// shiftSession names a session of one demo: the next one on the same data has the same world at
// another time, and its sessions are others.
func shiftSession(id chargestream.SessionID, by chargestream.Millis) chargestream.SessionID {
	if id == "" {
		return ""
	}
	return id + "-" + chargestream.SessionID(strconv.FormatInt(int64(by), 36))
}
