package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"

	"chargestream/internal/engine"
	"chargestream/processors"
)

// quietEvery is how often --until-caught-up looks whether anything is left.
const quietEvery = 100 * time.Millisecond

// headerTimeout bounds how long the header of a request for metrics may take.
const headerTimeout = 5 * time.Second

type runFlags struct {
	stateDir   string
	processors []string
	instance   string
	guarantee  string
	commit     time.Duration
	session    time.Duration
	idle       time.Duration
	http       string
	until      bool
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
chargestream run --brokers localhost:9092 --state-dir ./state --until-caught-up`,
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
	flags.StringSliceVar(&f.processors, "processors", []string{"stations", "hours", "sessions"},
		"which `groups` to run")
	flags.StringVar(&f.instance, "instance", "",
		"`name` of this instance, the same after a restart; kept in the state directory by default")
	flags.StringVar(&f.guarantee, "guarantee", string(engine.ExactlyOnce),
		"exactly_once or at_least_once")
	flags.DurationVar(
		&f.commit,
		"commit-interval",
		100*time.Millisecond,
		"how `long` a unit of work lasts",
	)
	flags.DurationVar(&f.session, "session-timeout", 10*time.Second,
		"how `long` a silent instance keeps its partitions")
	flags.DurationVar(
		&f.idle,
		"idle-after",
		10*time.Second,
		"how `long` a partition is silent before a clock record moves its time on; "+
			"below zero: never",
	)
	flags.StringVar(
		&f.http,
		"metrics",
		"",
		"`address` to serve /metrics and /healthz on; none by default",
	)
	flags.BoolVar(&f.until, "until-caught-up", false,
		"stop when nothing is left to read, and print what was done as JSON")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "log everything")
	return cmd
}

func (a *app) run(ctx context.Context, f *runFlags) error {
	if f.stateDir == "" {
		return usageError(
			"no state directory is given",
			"set --state-dir DIR or "+envName("state-dir"),
		)
	}
	registry := prometheus.NewRegistry()
	procs, err := chooseProcessors(f.processors, newCounters(registry))
	if err != nil {
		return err
	}
	if f.instance == "" {
		if f.instance, err = instanceOf(f.stateDir); err != nil {
			return err
		}
	}
	client, err := a.kafkaClient(ctx) // so that a wrong address is told at once
	if err != nil {
		return err
	}
	client.Close()
	log := a.logger(f.verbose)
	c := engine.Config{Brokers: a.brokers, StateDir: f.stateDir, Instance: f.instance,
		Guarantee: engine.Guarantee(
			f.guarantee,
		), CommitInterval: f.commit, SessionTimeout: f.session,
		IdleAfter: f.idle, Log: log, Metrics: engine.NewMetrics(registry)}
	stop, err := serveMetrics(f.http, registry, log)
	if err != nil {
		return err
	}
	began := time.Now()
	err = runProcessors(ctx, c, procs, f.until)
	if err := errors.Join(err, stop()); err != nil {
		return runError(err)
	}
	if !f.until {
		return nil
	}
	return a.reportRun(registry, time.Since(began))
}

// logger writes to stderr, as stdout is for data.
func (a *app) logger(verbose bool) *slog.Logger {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
}

func chooseProcessors(names []string, count processors.Counter) ([]*engine.Processor, error) {
	all := processors.All(count)
	var chosen []*engine.Processor
	var known []string
	for _, p := range all {
		known = append(known, p.Group)
		if slices.Contains(names, p.Group) {
			chosen = append(chosen, p)
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, usageError(fmt.Sprintf("there is no processor %q", name),
				"the processors are "+strings.Join(known, ", "))
		}
	}
	return chosen, nil
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

// serveMetrics listens where it is told to, and returns what stops it.
func serveMetrics(
	address string,
	registry *prometheus.Registry,
	log *slog.Logger,
) (func() error, error) {
	if address == "" {
		return func() error { return nil }, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, &exitError{code: exitRuntime, what: "cannot listen on " + address, err: err,
			hint: "choose another address with --metrics"}
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc(
		"/healthz",
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) },
	)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics", "error", err)
		}
	})
	return func() error {
		err := server.Close()
		serving.Wait()
		return err
	}, nil
}

// runProcessors runs processors until ctx is done, one of them cannot go on, or, if asked, nothing
// is left to read.
func runProcessors(
	ctx context.Context,
	c engine.Config,
	procs []*engine.Processor,
	until bool,
) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	for _, p := range procs {
		running.Go(func() {
			if err := engine.Run(ctx, p, c); err != nil {
				cancel(fmt.Errorf("processor %s: %w", p.Group, err))
			}
		})
	}
	if until {
		err := catchUp(ctx, c.Brokers, procs)
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

// catchUp waits until nothing is left, moves time on to now, and waits for what that did.
func catchUp(ctx context.Context, brokers []string, procs []*engine.Processor) error {
	if err := engine.Quiet(ctx, brokers, quietEvery, procs...); err != nil {
		return err
	}
	if err := engine.SendClock(ctx, brokers, time.Now(), procs...); err != nil {
		return err
	}
	return engine.Quiet(ctx, brokers, quietEvery, procs...)
}

// runError tells what to do about an error that no restart mends.
func runError(err error) error {
	switch {
	case errors.Is(err, engine.ErrTopics):
		return &exitError{code: exitInvalid, what: "the topics are not as they must be", err: err,
			hint: "see \"chargestream topics plan\", then \"chargestream topics apply\""}
	case errors.Is(err, engine.ErrLocked):
		return &exitError{code: exitRuntime, what: "the state directory is in use", err: err,
			hint: "give each instance a --state-dir of its own"}
	}
	return err
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
