//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"chargestream/benchmarks/internal/harness"
	"chargestream/engine"
	"chargestream/topics"
)

// runLimit bounds one program under one load.
const runLimit = 10 * time.Minute

// topicsLimit is how long the broker may take to answer while it makes topics: with 64 partitions
// each they are more than a thousand logs.
const topicsLimit = "2m"

// brokerMore is what the broker of a measurement has beside its defaults: nothing is compacted, so
// that the size of a topic is what was sent to it.
const brokerMore = "log.cleaner.backoff.ms=3600000\n"

// bench is a run of the program, with its flags.
type bench struct {
	out          io.Writer
	results      string
	dir          string // scratch, removed in the end
	seed         uint64
	repeat       int
	chargestream string
	twinClasses  string
	twinJars     string
	twinFlags    string
	rates        []int
	hold, warm   time.Duration
	lines        []Line // what was measured
	wrong        error  // what failed or came out wrong
	outageRate   int
	outageSpan   time.Duration
	marks        string // the program that measures restores of one table
	rows         int64  // that it restores
}

// stage is a broker with topics of so many partitions, in which a load lies.
type stage struct {
	*bench
	addr       string
	broker     *harness.Process // nil for one without a process
	dir        string
	partitions int32
	load       load
	totals     Totals
	repetition int
}

// measure measures loads, one after the other. Neither a program that fails nor a wrong result ends
// it: both are part of the error in the end.
func (b *bench) measure(ctx context.Context, loads []load) error {
	for _, l := range loads {
		repetitions := b.repeat
		switch l.name {
		case loadLatency, loadOutage:
			repetitions = 1 // they take as long as is asked for, and have events enough
		case loadRestore:
			if err := b.failed(ctx, b.restoreRows(ctx), l.name); err != nil {
				return err
			}
			continue
		}
		for repetition := range repetitions {
			for _, partitions := range l.partitions {
				err := b.onKafka(ctx, l, partitions, repetition)
				what := fmt.Sprintf("%s on %d partitions", l.name, partitions)
				if err := b.failed(ctx, err, what); err != nil {
					return err
				}
			}
		}
	}
	return b.wrong
}

// failed keeps an error of a measurement and shows it: what is measured of the other programs and
// loads is worth having. It returns the error if all is to end.
func (b *bench) failed(ctx context.Context, err error, what string) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s: %w", what, err)
	if ctx.Err() != nil {
		return err
	}
	fmt.Fprintln(b.out, "FAILED:", err)
	b.wrong = errors.Join(b.wrong, err)
	return nil
}

// onKafka measures a load on a broker of its own.
func (b *bench) onKafka(ctx context.Context, l load, partitions int32, repetition int) (err error) {
	dir := filepath.Join(b.dir, fmt.Sprintf("%s-%d-%d", l.name, partitions, repetition))
	data := filepath.Join(dir, "kafka")
	if err := os.MkdirAll(data, 0o755); err != nil {
		return fmt.Errorf("make folder of data: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	kafka, err := harness.LaunchKafka(ctx, data, brokerMore)
	if kafka != nil {
		defer func() { err = errors.Join(err, kafka.Process.End(syscall.SIGKILL)) }()
	}
	if err != nil {
		return fmt.Errorf("launch Kafka: %w", err)
	}
	s := &stage{bench: b, addr: kafka.Addr, broker: kafka.Process, dir: dir,
		partitions: partitions, load: l, repetition: repetition}
	return s.measure(ctx)
}

// measure makes the topics, fills them and measures each program.
func (s *stage) measure(ctx context.Context) error {
	if err := s.applyTopics(ctx); err != nil {
		return err
	}
	switch s.load.name {
	case loadLatency:
		return s.latency(ctx)
	case loadOutage:
		return s.outage(ctx)
	}
	var err error
	if s.totals, err = fill(ctx, s.addr, s.load.workload, s.seed); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "\n%s: %s; %d events, %d partitions\n", s.load.name, s.load.about,
		s.totals.Events, s.partitions)
	names := s.load.peers
	for i := range names {
		// The first program meets a broker whose code is hardly compiled yet: each is first once.
		name := names[(i+s.repetition)%len(names)]
		err := s.measurePeer(ctx, peers()[name])
		if err := s.failed(ctx, err, s.load.name+", "+name); err != nil {
			return err
		}
	}
	return nil
}

// measurePeer measures one program, keeps the result and shows it.
func (s *stage) measurePeer(ctx context.Context, p peer) error {
	r, err := s.run(ctx, p)
	if err != nil {
		return err
	}
	if r.Restore, err = s.restore(ctx, p); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if r.Found, err = s.find(ctx, p); err != nil {
		return err
	}
	r.Wrong = append(r.Wrong, s.judge(r.Found)...)
	for _, wrong := range r.Wrong {
		err := fmt.Errorf("%s, %s: %s", r.Load, r.Peer, wrong)
		fmt.Fprintln(s.out, "WRONG:", err)
		s.wrong = errors.Join(s.wrong, err)
	}
	if err := s.keep(Line{Run: r}); err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, r)
	return err
}

// run runs a program on the load until it has caught up.
func (s *stage) run(ctx context.Context, p peer) (*Run, error) {
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	if err := p.prepare(ctx, s); err != nil {
		return nil, err
	}
	before, err := sizes(ctx, s.addr)
	if err != nil {
		return nil, err
	}
	cmd, err := p.command(s, filepath.Join(s.dir, p.name), "")
	if err != nil {
		return nil, err
	}
	meter, err := harness.StartMeter(s.broker, fixedWork())
	if err != nil {
		return nil, err
	}
	child, err := s.start(p, cmd)
	if err != nil {
		return nil, err
	}
	watched := s.watchCommits(p.group, child)
	err = child.await(ctx)
	seen, watchErr := watched()
	if err := errors.Join(err, watchErr); err != nil {
		return nil, err
	}
	r := &Run{Load: s.load.name, Peer: p.name, Repetition: s.repetition,
		Partitions: s.partitions, Stations: s.load.workload.Stations,
		Samples: s.load.workload.Samples, Totals: s.totals, Flags: s.flags(cmd),
		Took: child.took(), Steady: seen.rate(), CPU: child.CPU(), PeakRSS: child.PeakRSS(),
		Report: child.lastLine()}
	r.EventCPU, r.EventsAfter = r.CPU-seen.firstCPU, s.totals.Events-seen.first
	reading, err := meter.Stop(r.CPU)
	if err != nil {
		return nil, err
	}
	r.BrokerCPU, r.Others, r.Loop = reading.Broker, reading.Others, reading.Loop
	after, err := sizes(ctx, s.addr)
	if err != nil {
		return nil, err
	}
	r.Sent = grown(before, after)
	r.Input = before[topics.StationStatus] + before[topics.ChargingSessions] +
		before[topics.MeterValues]
	if r.Disk, err = diskOf(filepath.Join(s.dir, p.name)); err != nil {
		return nil, err
	}
	r.Wrong, err = p.judge(s, r.Report)
	return r, err
}

// flags are the arguments of a program, without the name of this run's folder.
func (s *stage) flags(cmd *exec.Cmd) []string {
	var list []string
	for _, arg := range cmd.Args[1:] {
		list = append(list, strings.ReplaceAll(arg, s.dir, "SCRATCH"))
	}
	return list
}

// fixedWork is what a meter repeats.
func fixedWork() func() {
	buf := make([]byte, 120)
	return func() {
		sum := engine.Murmur2(buf)
		buf[sum%uint32(len(buf))]++
	}
}

// applyTopics makes the topics of chargestream.
func (s *stage) applyTopics(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, s.chargestream, "topics", "apply", "--brokers", s.addr,
		"--partitions", fmt.Sprint(s.partitions), "--timeout", topicsLimit)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w: %s", cmd.Args, err, out)
	}
	return nil
}

// String is the run in one line.
func (r *Run) String() string {
	n := float64(r.Totals.Events)
	return fmt.Sprintf("  %-12s %8.0f events/s, %6.2f us CPU/event, %5d MiB, %4.0f B/event sent, "+
		"restored in %.2f s; %d invoices (%d held); others %.0f %%", r.Peer, n/r.Took.Seconds(),
		float64(r.CPU.Microseconds())/n, r.PeakRSS>>20, float64(r.sent())/n,
		r.Restore.Ready.Seconds(), r.Found.Invoices, r.Found.Held, 100*r.Others)
}
