//go:build linux

package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"chargestream/internal/kafkatest"
)

const (
	partBroker = "broker"
	// brokerDown is how long the broker is away after its end.
	brokerDown = 3 * time.Second
	// brokerWindow is how long is looked what comes after its port is open.
	brokerWindow = 20 * time.Second
)

// brokerResult is what a restart of the broker did. Gaps are counted from the moment at which its
// port was open.
type brokerResult struct {
	Name    string
	Stopped time.Duration // from SIGTERM to the end of the process
	Opened  time.Duration // from SIGTERM to the open port
	Serving time.Duration // from the open port to coordinators that answer
	Gaps    spread
	Ping    time.Duration
}

// brokerPart measures what readers of the outputs see when the broker is restarted.
func (r *run) brokerPart(ctx context.Context) error {
	r.title("broker: SIGTERM, %v after its end started again; %d events/s, %d partitions",
		brokerDown, loadRate, pausePartitions)
	const name = "here exactly_once"
	s, err := r.startScene(ctx, name, "broker", kindEngine)
	if err != nil {
		return err
	}
	for _, instance := range []byte("AB") {
		if err := s.start(instance); err != nil {
			return err
		}
	}
	if err := s.awaitOwners(ctx, 2); err != nil {
		return err
	}
	b := &brokerResult{Name: name}
	from, err := r.restartBroker(ctx, s, b)
	if err != nil {
		return err
	}
	to := from + brokerWindow
	if err := kafkatest.Pause(ctx, to-s.watch.now()); err != nil {
		return err
	}
	partitions, pings := s.watch.lists()
	for _, list := range partitions {
		b.Gaps.add(gapSince(list, from, to))
	}
	b.Ping = gapSince(pings, from, to)
	o, err := s.end(ctx)
	if err != nil {
		return err
	}
	s.judge(partBroker, o)
	if err := r.line(partBroker, b); err != nil {
		return err
	}
	if err := r.line(partBroker, o); err != nil {
		return err
	}
	return r.table([]string{"who", "stopped s", "port open s", "serving s", "partitions",
		"longest s", "median s", "ping s"}, [][]string{{b.Name, seconds(b.Stopped),
		seconds(b.Opened), seconds(b.Serving), fmt.Sprint(b.Gaps.Partitions),
		seconds(b.Gaps.Longest), seconds(b.Gaps.Median), seconds(b.Ping)}})
}

// restartBroker gives the moment at which the broker's port was open again.
func (r *run) restartBroker(ctx context.Context, s *scene, b *brokerResult) (time.Duration,
	error) {
	began := s.watch.now()
	if err := r.broker.Process.End(syscall.SIGTERM); err != nil {
		return 0, err
	}
	b.Stopped = s.watch.now() - began
	if err := kafkatest.Pause(ctx, brokerDown); err != nil {
		return 0, err
	}
	if err := r.broker.Start(); err != nil {
		return 0, err
	}
	if err := r.broker.AwaitPort(ctx); err != nil {
		return 0, err
	}
	open := s.watch.now()
	b.Opened = open - began
	if err := r.broker.AwaitServing(ctx); err != nil {
		return 0, err
	}
	b.Serving = s.watch.now() - open
	return open, nil
}
