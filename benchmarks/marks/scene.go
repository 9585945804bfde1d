//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"chargestream/engine"
	"chargestream/internal/kafkatest"
)

const (
	pausePartitions = 8
	// pauseSession is the session timeout of the engine, the shortest that a broker grants by
	// default. Goka keeps its own.
	pauseSession = 6 * time.Second
	// settle is how long the flow must have had its owners before it is measured.
	settle = 4 * time.Second
	// sceneLimit bounds the wait for a steady flow, and for the last outputs.
	sceneLimit = 60 * time.Second
)

// scene is a steady flow through some instances of one processor.
type scene struct {
	r        *run
	name     string
	kind     string
	topics   sceneTopics
	watch    *watch
	load     *load
	children map[byte]*process
	reports  map[byte]report // of those that ended in order
	wrong    []string        // exits that nobody asked for
}

type sceneTopics struct{ group, input, output, ping string }

// startScene makes topics, whose names begin with what topics says, and starts the load and the
// reader; instances are started by whoever plays the scene.
func (r *run) startScene(ctx context.Context, name, topics, kind string) (*scene, error) {
	group := "marks-" + topics
	t := sceneTopics{group: group, input: group + "-in", output: group + "-out",
		ping: group + "-ping"}
	err := errors.Join(r.broker.createTopic(ctx, t.input, pausePartitions, keep),
		r.broker.createTopic(ctx, t.output, pausePartitions, keep),
		r.broker.createTopic(ctx, t.group+"-table", pausePartitions, compact),
		r.broker.createTopic(ctx, t.ping, 1, keep))
	if err != nil {
		return nil, err
	}
	s := &scene{r: r, name: name, kind: kind, topics: t, children: map[byte]*process{},
		reports: map[byte]report{}}
	if s.watch, err = r.broker.startWatch(t.output, t.ping, pausePartitions); err != nil {
		return nil, err
	}
	s.load, err = r.broker.startLoad(t.input, t.ping, r.keys)
	return s, err
}

// start starts an instance.
func (s *scene) start(instance byte) error {
	name := string(instance)
	dir := filepath.Join(s.r.dir, s.topics.group)
	session := pauseSession
	if s.kind != kindEngine {
		session = 0
	}
	p, err := startChild(dir, task{Kind: s.kind, Broker: s.r.broker.Addr,
		StateDir: filepath.Join(dir, name), Instance: name, Group: s.topics.group,
		Input: s.topics.input, Output: s.topics.output, Guarantee: engine.ExactlyOnce,
		Decoder: decoderLexer, SessionTimeout: session, Metrics: true,
		Partitions: pausePartitions})
	s.children[instance] = p
	return err
}

// leave ends an instance in order.
func (s *scene) leave(instance byte) (err error) {
	s.reports[instance], err = s.children[instance].finish()
	delete(s.children, instance)
	return err
}

// signal sends a signal and returns at once.
func (s *scene) signal(instance byte, signal syscall.Signal) error {
	return s.children[instance].Signal(signal)
}

// kill ends an instance by SIGKILL.
func (s *scene) kill(instance byte) error {
	p := s.children[instance]
	delete(s.children, instance)
	return p.End(syscall.SIGKILL)
}

// awaitOwners waits until so many instances share the partitions, and a little longer.
func (s *scene) awaitOwners(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, sceneLimit)
	defer cancel()
	for {
		owners := s.watch.owners()
		all := 0
		for _, partitions := range owners {
			all += partitions
		}
		if len(owners) == n && all == pausePartitions {
			return kafkatest.Pause(ctx, settle)
		}
		if err := kafkatest.Pause(ctx, foldLook); err != nil {
			return fmt.Errorf("owners are %v: %w: %s", owners, err, s.tails())
		}
	}
}

func (s *scene) tails() (text string) {
	for instance, p := range s.children {
		text += fmt.Sprintf("\n%c: %s", instance, p.Tail())
	}
	return text
}

// checkAlive notes instances that have ended by themselves.
func (s *scene) checkAlive() {
	for instance, p := range s.children {
		if p.Ended() {
			s.wrong = append(s.wrong, fmt.Sprintf("%c ended by itself, %v: %s", instance,
				p.State(), p.Tail()))
			delete(s.children, instance)
		}
	}
}

// outcome is what is known of a scene in the end.
type outcome struct {
	Name     string
	Events   int64
	Missing  int64
	Twice    int64
	Restarts map[string]float64
	Exits    []string
}

// end stops the load, waits for the last outputs and ends the instances.
func (s *scene) end(ctx context.Context) (outcome, error) {
	o := outcome{Name: s.name, Restarts: map[string]float64{}}
	s.checkAlive()
	err := s.load.stop(ctx)
	o.Events = s.load.sent
	limit := time.Now().Add(sceneLimit)
	for {
		distinct, twice, wrong := s.watch.counts()
		o.Missing, o.Twice = o.Events-distinct, twice
		if o.Missing == 0 || time.Now().After(limit) || wrong != nil || err != nil {
			err = errors.Join(err, wrong)
			break
		}
		err = kafkatest.Pause(ctx, foldLook)
	}
	s.checkAlive()
	for instance := range s.children {
		err = errors.Join(err, s.leave(instance))
	}
	for instance, report := range s.reports {
		o.Restarts[string(instance)] = report.Metrics["stream_processor_restarts_total"]
	}
	s.watch.stop()
	o.Exits = s.wrong
	t := s.topics
	return o, errors.Join(err, s.r.discard(ctx, filepath.Join(s.r.dir, t.group), t.input,
		t.output, t.ping, t.group+"-table"))
}

// judge notes what came out wrong: stock goka promises nothing.
func (s *scene) judge(part string, o outcome) {
	s.r.say("%s: %d events, %d without output, %d with more than one; restarts within the "+
		"process %v; exits %d", s.name, o.Events, o.Missing, o.Twice, o.Restarts, len(o.Exits))
	if s.kind != kindEngine {
		return
	}
	if o.Missing != 0 || o.Twice != 0 {
		s.r.fail(part, s.name, "%d events have no output, %d more than one", o.Missing, o.Twice)
	}
	for _, exit := range o.Exits {
		s.r.fail(part, s.name, "%s", exit)
	}
}
