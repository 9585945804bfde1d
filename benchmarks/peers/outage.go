//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/benchmarks/internal/harness"
	"chargestream/internal/kafkatest"
	"chargestream/topics"
)

const (
	// outageLimit bounds how long a program may take to catch up.
	outageLimit = 10 * time.Minute
	// outageBefore is how long before the outage the vehicles plugged in.
	outageBefore = time.Minute
)

// outage measures how long the program takes to catch up with what arrived while it did not run.
// Sessions run at every station; then the program is stopped, the samples of the outage are
// written as fast as the broker takes them, with their times, and the program is started with the
// state that it had. From then on samples arrive as before. It has caught up when less than a
// second of them is behind.
func (s *stage) outage(ctx context.Context) (err error) {
	o := &Outage{Rate: s.outageRate, Span: s.outageSpan, Partitions: s.partitions,
		Stations: s.load.workload.Stations}
	fmt.Fprintf(s.out, "\n%s: %s; %d events/s, for %v, of %d stations\n", s.load.name,
		s.load.about, o.Rate, o.Span, o.Stations)
	one, err := s.newSender(nil)
	if err != nil {
		return err
	}
	defer one.client.Close()
	if err := s.beforeOutage(ctx, one, time.Now().Add(-o.Span-outageBefore)); err != nil {
		return err
	}
	o.Backlog = int64(o.Span.Seconds() * float64(o.Rate))
	if err := one.backlog(ctx, o.Backlog, o.Rate); err != nil {
		return err
	}
	if err := s.catchUp(ctx, one, o); err != nil {
		return err
	}
	if err := s.keep(Line{Outage: o}); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "  caught up after %.1f s with %d events (%.0f/s, %.2f us CPU each); "+
		"others %.0f %%\n", o.CaughtUp.Seconds(), o.Folded, float64(o.Folded)/o.CaughtUp.Seconds(),
		o.perEvent(), 100*o.Others)
	return nil
}

// perEvent is microseconds of CPU time for each event that was caught up with.
func (o *Outage) perEvent() float64 {
	return float64(o.CPU.Microseconds()) / float64(max(o.Folded, 1))
}

// runHere starts chargestream with the state directory of the outage and returns when it reads.
func (s *stage) runHere(ctx context.Context, flags ...string) (*child, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p := here()
	cmd := exec.Command(s.chargestream, append([]string{"run", "--brokers", s.addr,
		"--state-dir", filepath.Join(s.dir, loadOutage), "--metrics", address}, flags...)...)
	c, err := s.start(p, cmd)
	if err != nil {
		return nil, err
	}
	ready, cancel := context.WithTimeout(ctx, latencyLimit)
	defer cancel()
	if err := p.ready(ready, c, address); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s", err, c.Tail()), c.End(syscall.SIGKILL))
	}
	return c, nil
}

// beforeOutage has the program fold the begin of a session at each station, and stops it. Stream
// time stays where these events were: no clock record moves it on.
func (s *stage) beforeOutage(ctx context.Context, one *sender, at time.Time) error {
	c, err := s.runHere(ctx, "--idle-after", "-1s")
	if err != nil {
		return err
	}
	err = one.plugInAt(ctx, at)
	if err == nil {
		err = s.awaitBehind(ctx, one, 0)
	}
	return errors.Join(err, c.End(syscall.SIGTERM))
}

// catchUp starts the program and lets samples arrive until it has caught up.
func (s *stage) catchUp(ctx context.Context, one *sender, o *Outage) (err error) {
	before := one.produced.Load()
	meter, err := harness.StartMeter(s.broker, fixedWork())
	if err != nil {
		return err
	}
	sending, stop := context.WithCancel(ctx)
	defer stop()
	sent := make(chan error, 1)
	go func() { sent <- one.send(sending, o.Rate, outageLimit) }()
	c, err := s.runHere(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.End(syscall.SIGTERM)) }()
	o.Restored = time.Since(c.Began)
	if err := s.awaitBehind(ctx, one, int64(o.Rate)); err != nil {
		return fmt.Errorf("%w (its log ends in %s)", err, c.Tail())
	}
	o.CaughtUp = time.Since(c.Began)
	if o.CPU, err = c.LiveCPU(); err != nil {
		return err
	}
	reading, err := meter.Stop(o.CPU)
	if err != nil {
		return err
	}
	o.BrokerCPU, o.Others, o.Loop, o.PeakRSS = reading.Broker, reading.Others, reading.Loop,
		c.PeakRSS()
	o.Folded = o.Backlog + one.produced.Load() - before
	stop()
	if err := <-sent; err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return s.judgeOutage(ctx, one, o)
}

// judgeOutage waits until everything is folded and looks for events that became dead letters.
func (s *stage) judgeOutage(ctx context.Context, one *sender, o *Outage) error {
	if err := s.awaitBehind(ctx, one, 0); err != nil {
		return err
	}
	bytes, err := sizes(ctx, s.addr)
	if err != nil {
		return err
	}
	if n := bytes[topics.DeadLetters]; n > 0 {
		o.Wrong = append(o.Wrong, fmt.Sprintf("%d bytes of dead letters", n))
		s.wrong = errors.Join(s.wrong, fmt.Errorf("%s: %s", s.load.name, o.Wrong[0]))
	}
	return nil
}

// awaitBehind returns when the program has committed all but so many of the events that were sent.
func (s *stage) awaitBehind(ctx context.Context, one *sender, most int64) error {
	ctx, cancel := context.WithTimeout(ctx, outageLimit)
	defer cancel()
	return harness.Admin(s.addr, func(adm *kadm.Client) error {
		for {
			// A group that does not exist yet has no offsets.
			n, err := committed(ctx, adm, topics.GroupStations)
			behind := one.produced.Load() - n
			if err == nil && behind <= most {
				return nil
			}
			if err := errors.Join(one.failed.err(), kafkatest.Pause(ctx, commitLook)); err != nil {
				return fmt.Errorf("%d events are behind: %w", behind, err)
			}
		}
	})
}

// plugInAt starts a session at each station at a moment of the past, with a sample.
func (s *sender) plugInAt(ctx context.Context, at time.Time) error {
	for i, id := range s.stations {
		start := &chargestream.SessionStart{StationID: id, ConnectorID: "1",
			SessionID: sessionOf(id), UserID: "u1", Time: chargestream.MillisOf(at)}
		if err := s.produce(ctx, topics.ChargingSessions, id, start, at); err != nil {
			return err
		}
		if err := s.sample(ctx, i, at); err != nil {
			return err
		}
	}
	return errors.Join(s.client.Flush(ctx), s.failed.err())
}

// backlog sends so many samples as fast as the broker takes them. They are due at a rate, the last
// one now.
func (s *sender) backlog(ctx context.Context, events int64, rate int) error {
	live := s.client
	defer func() { s.client = live }()
	var err error
	if s.client, err = newProducer(s.addr, kgo.ProducerLinger(fillLinger),
		kgo.MaxBufferedRecords(fillBuffer)); err != nil {
		return err
	}
	defer s.client.Close()
	began := time.Now().Add(-time.Duration(events) * time.Second / time.Duration(rate))
	for n := range events {
		due := began.Add(time.Duration(n) * time.Second / time.Duration(rate))
		if err := s.sample(ctx, s.next, due); err != nil {
			return err
		}
		s.next = (s.next + 1) % len(s.stations)
	}
	return errors.Join(s.client.Flush(ctx), s.failed.err())
}
