package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"chargestream/engine"
	"chargestream/processors"
)

const (
	// quietEvery is how often --until-caught-up looks whether anything is left.
	quietEvery = 100 * time.Millisecond
	// waitsEvery is how often --until-caught-up logs what it waits for.
	waitsEvery = 30 * time.Second
)

type runFlags struct {
	stateDir   string
	processors []string
	instance   string
	guarantee  string
	commit     time.Duration
	session    time.Duration
	idle       time.Duration
	standby    bool
	stay       bool
	http       string
	pprof      bool
	until      bool
	noProgress bool
	verbose    bool
}

func (a *app) runCommand() *cobra.Command {
	f := &runFlags{}
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run an instance of the processors",
		Long: `Run an instance of the processors. Instances share the work by partitions:
start as many as you like, each with a state directory of its own.`,
		Example: `chargestream run --brokers localhost:9092 --state-dir ./state
chargestream run --brokers localhost:9092 --state-dir ./state --until-caught-up
chargestream run --brokers localhost:9092 --state-dir ./state --standby --stay-on-stop`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.run(cmd.Context(), f) },
	}
	a.kafkaFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(
		&f.stateDir,
		"state-dir",
		"",
		"`directory` of this instance's local tables; required",
	)
	flags.StringSliceVar(&f.processors, "processors", groups(), "which `groups` to run")
	flags.StringVar(&f.instance, "instance", "",
		"`name` of this instance, the same after a restart; kept in the state directory by default")
	flags.StringVar(&f.guarantee, "guarantee", string(engine.ExactlyOnce),
		"`promise` that is kept: exactly_once or at_least_once")
	flags.DurationVar(&f.commit, "commit-interval", 100*time.Millisecond,
		"how `long` a commit interval lasts")
	flags.DurationVar(&f.session, "session-timeout", 10*time.Second,
		"how `long` a silent instance keeps its partitions")
	flags.DurationVar(&f.idle, "idle-after", 10*time.Second,
		"how `long` a partition is silent before a clock record moves its time on; "+
			"below zero: never")
	flags.BoolVar(&f.standby, "standby", false,
		"keep copies of the partitions of others, to take them over at once")
	flags.BoolVar(&f.stay, "stay-on-stop", false,
		"keep the partitions at a stop, for an instance that is back within --session-timeout")
	flags.StringVar(&f.http, "metrics", "",
		"`address` to serve /metrics, /healthz and /readyz on; none by default")
	pprofFlag(cmd, &f.pprof)
	flags.BoolVar(&f.until, "until-caught-up", false,
		"stop when nothing is left to read, and print what was done as JSON")
	flags.BoolVar(&f.noProgress, "no-progress", false,
		"draw no bar while tables are restored; none is drawn but on a terminal")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "log everything")
	return cmd
}

func (a *app) run(ctx context.Context, f *runFlags) error {
	registry := newRegistry()
	count := newCounters(registry)
	procs, err := f.prepare(count)
	if err != nil {
		return err
	}
	client, err := a.kafkaClient(ctx) // so that a wrong address fails at once
	if err != nil {
		return err
	}
	client.Close()
	out, onRestore, erase := a.restoreBar(f)
	log, ready := a.loggerTo(out, f.verbose), newReadiness(procs)
	c := engine.Config{Brokers: a.brokers, StateDir: f.stateDir, Instance: f.instance,
		Guarantee: engine.Guarantee(f.guarantee), CommitInterval: f.commit,
		SessionTimeout: f.session, IdleAfter: f.idle, Standby: f.standby, StayOnStop: f.stay,
		OnRestore: onRestore, OnState: ready.note, Log: log, Metrics: engine.NewMetrics(registry)}
	c.Watch = engine.NewWatch(c, procs)
	ready.stalls = c.Watch.Stalls
	registry.MustRegister(c.Watch.Collector("run"))
	stop, err := serveMetrics(f.http, f.pprof, registry, ready, log)
	if err != nil {
		return err
	}
	began := time.Now()
	said := count.notice.start(ctx, log, a.brokers)
	err = runProcessors(ctx, c, procs, ready, f.until)
	said()
	erase()
	if err := errors.Join(err, stop()); err != nil {
		return a.runError(err)
	}
	if !f.until {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err // it has not caught up
	}
	return a.reportRun(registry, time.Since(began))
}

// prepare looks at the flags before anything is asked of Kafka.
func (f *runFlags) prepare(count processors.Counter) ([]*engine.Processor, error) {
	if f.stateDir == "" {
		return nil, usageError(
			"no state directory is given",
			"set --state-dir DIR or "+envName("state-dir"),
		)
	}
	if g := engine.Guarantee(f.guarantee); g != engine.ExactlyOnce && g != engine.AtLeastOnce {
		return nil, usageError(fmt.Sprintf("--guarantee %q is neither %s nor %s", f.guarantee,
			engine.ExactlyOnce, engine.AtLeastOnce), "")
	}
	procs, err := chooseProcessors(f.processors, count)
	if err != nil {
		return nil, err
	}
	if f.instance == "" {
		if f.instance, err = instanceOf(f.stateDir); err != nil {
			return nil, &exitError{code: exitRuntime, what: "the state directory cannot be used",
				err: err, hint: "give --state-dir a directory that this user may write to"}
		}
	}
	return procs, nil
}

// restoreBar is where to log to, what to call as tables are restored, and how to end that: with a
// bar on a terminal.
func (a *app) restoreBar(f *runFlags) (io.Writer, func(engine.Restore), func()) {
	if out := a.terminal(); out != nil && !f.noProgress {
		b := newRestoreBar(out)
		return b, b.note, b.close
	}
	return a.stderr, nil, func() {}
}

// logger writes to stderr, as stdout is for data.
func (a *app) logger(verbose bool) *slog.Logger { return a.loggerTo(a.stderr, verbose) }

func (a *app) loggerTo(out io.Writer, verbose bool) *slog.Logger {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level}))
}

// groups are the groups of all processors.
func groups() []string {
	var names []string
	for _, p := range processors.All(nil) {
		names = append(names, p.Group)
	}
	return names
}

func chooseProcessors(names []string, count processors.Counter) ([]*engine.Processor, error) {
	for _, name := range names {
		if !slices.Contains(groups(), name) {
			return nil, usageError(fmt.Sprintf("there is no processor %q", name),
				"the processors are "+strings.Join(groups(), ", "))
		}
	}
	return slices.DeleteFunc(processors.All(count), func(p *engine.Processor) bool {
		return !slices.Contains(names, p.Group)
	}), nil
}

// instanceOf is the name of the instance that a state directory belongs to: made once, and kept in
// it, so that a restart is the same instance to Kafka.
func instanceOf(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make state directory: %w", err)
	}
	path := filepath.Join(dir, "instance")
	text, err := os.ReadFile(path)
	if name := strings.TrimSpace(string(text)); err == nil && name != "" {
		return name, nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read name of instance: %w", err)
	}
	name := strings.ToLower(ulid.Make().String())
	if err := os.WriteFile(path, []byte(name+"\n"), 0o644); err != nil {
		return "", fmt.Errorf("write name of instance: %w", err)
	}
	return name, nil
}

// runProcessors runs processors until ctx is done, one of them cannot go on, or, if asked, nothing
// is left to read.
func runProcessors(
	ctx context.Context,
	c engine.Config,
	procs []*engine.Processor,
	ready *readiness,
	until bool,
) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if c.Watch == nil {
		c.Watch = engine.NewWatch(c, procs)
	}
	var running sync.WaitGroup
	running.Go(func() {
		if err := c.Watch.Run(ctx); err != nil {
			cancel(err)
		}
	})
	for _, p := range procs {
		running.Go(func() {
			if err := engine.Run(ctx, p, c); err != nil {
				cancel(&processorError{p.Group, err})
			}
		})
	}
	if until {
		err := catchUp(ctx, c, procs, ready)
		if ctx.Err() == nil {
			cancel(err)
		}
	}
	running.Wait()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// catchUp waits until the processors read and nothing is left, moves time on to now, and waits for
// what that did. A processor whose tables are of an older layout only then knows what it has to
// read.
func catchUp(ctx context.Context, c engine.Config, procs []*engine.Processor,
	ready *readiness) error {
	began := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go logWaits(ctx, c, procs, ready)
	if err := ready.wait(ctx); err != nil {
		return err
	}
	if err := engine.Quiet(ctx, c.Brokers, quietEvery, procs...); err != nil {
		return err
	}
	// A timer fires FireDelay after its moment: so that what arrived before the run began, such as
	// a decision a moment ago, is in its result, time must be moved on to that much later.
	const delay = time.Duration(engine.FireDelay) * time.Millisecond
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Until(began.Add(delay))):
	}
	if err := engine.SendClock(ctx, c.Brokers, time.Now(), procs...); err != nil {
		return err
	}
	return engine.Quiet(ctx, c.Brokers, quietEvery, procs...)
}

// logWaits logs every waitsEvery what catchUp waits for, until ctx is done: no wait has a bound, as
// a broker may be back at any time.
func logWaits(ctx context.Context, c engine.Config, procs []*engine.Processor, ready *readiness) {
	ticker := time.NewTicker(waitsEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if states := ready.unready(); len(states) > 0 {
			for _, s := range states {
				c.Log.Info("has not caught up: not all partitions are read", "group", s.Group,
					"member", s.Member, "owned", s.Owned, "active", s.Active)
			}
			continue
		}
		lag, err := engine.Lag(ctx, c.Brokers, procs...)
		if ctx.Err() == nil {
			c.Log.Info("has not caught up: records are left", "records", lag, "error", err)
		}
	}
}

// runReport is what run --until-caught-up prints.
type runReport struct {
	Seconds    float64            `json:"seconds"`
	CPUSeconds float64            `json:"cpu_seconds"`
	Consumed   map[string]float64 `json:"consumed"`
	Produced   map[string]float64 `json:"produced"`
	Dead       float64            `json:"dead_letters"`
	Misplaced  float64            `json:"misplaced"`
	Unaligned  float64            `json:"unaligned"` // topics behind that were not waited for
}

func (a *app) reportRun(registry *prometheus.Registry, took time.Duration) error {
	r := runReport{Seconds: took.Seconds(), CPUSeconds: cpuSeconds(),
		Consumed: map[string]float64{}, Produced: map[string]float64{}}
	families, err := registry.Gather()
	if err != nil {
		return fmt.Errorf("gather metrics: %w", err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			n := m.GetCounter().GetValue()
			switch family.GetName() {
			case "stream_records_consumed_total":
				r.Consumed[m.GetLabel()[0].GetValue()] = n
			case "stream_records_produced_total":
				r.Produced[m.GetLabel()[0].GetValue()] = n
			case "stream_dead_letter_records_total":
				r.Dead += n
			case "stream_unaligned_reads_total":
				r.Unaligned += n
			case "stream_misplaced_keys_total":
				r.Misplaced += n
			}
		}
	}
	return a.printJSON(r)
}

// cpuSeconds is what this process has used of the processors, user and system.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}
