//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"

	"chargestream/benchmarks/internal/harness"
)

// run is one run of the program, with what its flags say.
type run struct {
	*results
	broker   *kafka
	dir      string // scratch, removed in the end
	events   int64
	keys     int
	rows     int64
	repeat   int
	metrics  bool
	profiles string
	only     *regexp.Regexp
}

func main() {
	if text := os.Getenv(childEnv); text != "" {
		exit(runChild(text))
	}
	exit(runAll())
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func runAll() (err error) {
	r := &run{}
	parts := flag.String("run", ".", "regular expression of the parts to run: "+
		"fold, restore, pause, broker")
	only := flag.String("only", ".", "regular expression of the rows to run: \"here\", \"goka\"")
	results := flag.String("results", "", "file of raw numbers; none if empty")
	scratch := flag.String("scratch", "", "folder for data; the system's if empty")
	flag.Int64Var(&r.events, "events", 2_000_000, "events of fold")
	flag.IntVar(&r.keys, "keys", 100_000, "keys of fold, restore and pause")
	flag.Int64Var(&r.rows, "rows", 2_000_000, "records of the changelog of restore")
	flag.IntVar(&r.repeat, "repeat", 1, "how often fold is measured")
	flag.BoolVar(&r.metrics, "metrics", true, "whether the engine has metrics, as in production")
	flag.StringVar(&r.profiles, "cpuprofile", "", "folder for CPU profiles of fold; none if empty")
	flag.Parse()
	selected, err := regexp.Compile(*parts)
	if err != nil {
		return err
	}
	if r.only, err = regexp.Compile(*only); err != nil {
		return err
	}
	if r.profiles != "" {
		if err := os.MkdirAll(r.profiles, 0o755); err != nil {
			return fmt.Errorf("make folder of profiles: %w", err)
		}
	}
	if r.results, err = openResults(os.Stdout, *results); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	if r.dir, err = os.MkdirTemp(*scratch, "chargestream-marks-"); err != nil {
		return fmt.Errorf("make scratch folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.dir)) }()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return r.measure(ctx, selected)
}

// measure runs the parts that are selected, one after the other on the same broker.
func (r *run) measure(ctx context.Context, selected *regexp.Regexp) (err error) {
	m := harness.ThisMachine()
	r.say("%v", m)
	if err := r.line("machine", m); err != nil {
		return err
	}
	dir := filepath.Join(r.dir, "kafka")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	broker, err := harness.LaunchKafka(ctx, dir, "")
	if err != nil {
		return fmt.Errorf("launch Kafka: %w", err)
	}
	r.broker = &kafka{broker}
	defer func() { err = errors.Join(err, r.broker.Process.End(syscall.SIGKILL)) }()
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{
		{partFold, r.foldPart},
		{partRestore, r.restorePart},
		{partPause, r.pausePart},
		{partBroker, r.brokerPart},
	} {
		if !selected.MatchString(part.name) {
			continue
		}
		if err := part.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return r.wrong
}

// discard removes the state and the topics of a measurement, so that none pays for another's.
func (r *run) discard(ctx context.Context, dir string, topics ...string) error {
	return errors.Join(os.RemoveAll(dir), r.broker.deleteTopics(ctx, topics...))
}
