//go:build linux

package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"chargestream/internal/kafkatest"
)

const partPause = "pause"

// step is one thing that happens to the instances, and how long is looked what comes of it.
type step struct {
	name   string
	do     func(*scene) error
	window time.Duration
	// silent is how long the broker must wait before it may give the partitions to another.
	silent time.Duration
}

// The steps begin with the instances A and B. stop and go on are SIGSTOP and SIGCONT: a process
// that hangs for longer than its session, and finds that it is a member no longer.
func pauseSteps(kind string) []step {
	steps := []step{
		{"none", func(*scene) error { return nil }, settle, 0},
		{"C joins", func(s *scene) error { return s.start('C') }, 10 * time.Second, 0},
		{"C leaves", func(s *scene) error { return s.signal('C', syscall.SIGTERM) },
			10 * time.Second, 0},
	}
	if kind != kindEngine {
		return steps
	}
	return append(steps,
		step{"B is killed", func(s *scene) error { return s.kill('B') }, 14 * time.Second,
			pauseSession},
		step{"B is back", func(s *scene) error { return s.start('B') }, 8 * time.Second, 0},
		step{"B hangs", func(s *scene) error { return s.signal('B', syscall.SIGSTOP) },
			14 * time.Second, pauseSession},
		step{"B goes on", func(s *scene) error { return s.signal('B', syscall.SIGCONT) },
			10 * time.Second, 0})
}

// pauseResult is what a step did.
type pauseResult struct {
	Name   string
	Step   string
	Stayed spread // partitions that kept their owner
	Moved  spread
	Silent time.Duration
	Ping   time.Duration // the longest gap between pings
}

// pausePart measures what readers of the outputs see when instances come and go.
func (r *run) pausePart(ctx context.Context) error {
	r.title("pause: %d events/s, %d partitions, session timeout of the engine %v", loadRate,
		pausePartitions, pauseSession)
	var rows [][]string
	for _, one := range []struct{ name, kind string }{
		{"here exactly_once", kindEngine}, {"stock goka 1.1.17", kindGoka}} {
		if !r.only.MatchString(one.name) {
			continue
		}
		results, err := r.pauseOnce(ctx, one.name, one.kind)
		if err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
		for _, p := range results {
			if err := r.line(partPause, p); err != nil {
				return err
			}
			rows = append(rows, p.cells())
		}
	}
	return r.table([]string{"who", "what", "stayed", "longest s", "median s", "moved", "longest s",
		"median s", "less session s", "ping s"}, rows)
}

func (p *pauseResult) cells() []string {
	cells := []string{p.Name, p.Step}
	for _, s := range []spread{p.Stayed, p.Moved} {
		cells = append(cells, fmt.Sprint(s.Partitions))
		if s.Partitions == 0 {
			cells = append(cells, "-", "-")
			continue
		}
		cells = append(cells, seconds(s.Longest), seconds(s.Median))
	}
	less := "-"
	if p.Silent > 0 && p.Moved.Partitions > 0 {
		less = seconds(p.Moved.Longest - p.Silent)
	}
	return append(cells, less, seconds(p.Ping))
}

func (r *run) pauseOnce(ctx context.Context, name, kind string) ([]*pauseResult, error) {
	s, err := r.startScene(ctx, name, "pause-"+kind, kind)
	if err != nil {
		return nil, err
	}
	for _, instance := range []byte("AB") {
		if err := s.start(instance); err != nil {
			return nil, err
		}
	}
	if err := s.awaitOwners(ctx, 2); err != nil {
		return nil, err
	}
	var results []*pauseResult
	for _, step := range pauseSteps(kind) {
		from := s.watch.now()
		if err := step.do(s); err != nil {
			return nil, err
		}
		if err := kafkatest.Pause(ctx, step.window); err != nil {
			return nil, err
		}
		if step.name == "C leaves" {
			if err := s.leave('C'); err != nil {
				return nil, err
			}
		}
		results = append(results, s.look(step, from))
		s.checkAlive()
	}
	o, err := s.end(ctx)
	if err != nil {
		return nil, err
	}
	s.judge(partPause, o)
	return results, r.line(partPause, o)
}

// look sorts the partitions by whether they kept their owner during a step.
func (s *scene) look(step step, from time.Duration) *pauseResult {
	to := from + step.window
	p := &pauseResult{Name: s.name, Step: step.name, Silent: step.silent}
	partitions, pings := s.watch.lists()
	for _, list := range partitions {
		if _, _, stayed := ownersIn(list, from, to); stayed {
			p.Stayed.add(gapIn(list, from, to))
		} else {
			p.Moved.add(gapIn(list, from, to))
		}
	}
	p.Ping = gapIn(pings, from, to)
	return p
}
