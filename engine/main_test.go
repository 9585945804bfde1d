package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"chargestream/engine"
	"chargestream/internal/kafkatest"
)

// shared is the broker of the tests that do not end it; each keeps to topics of its own name.
var shared sharedBroker

// sharedBroker makes topics one test at a time: that also deletes groups that have read them, and
// looks at all groups for it, which must not vanish meanwhile.
type sharedBroker struct {
	kafkatest.Shared
	topics sync.Mutex
}

func (s *sharedBroker) mustTopics(t *testing.T, b kafkatest.Broker, topics ...kafkatest.Topic) {
	t.Helper()
	s.topics.Lock()
	defer s.topics.Unlock()
	kafkatest.MustTopics(t, b, topics...)
}

// childEnv makes the test binary an instance of a processor that a test kills.
const childEnv = "ENGINE_TEST_CHILD"

// patience bounds every wait of a test.
const patience = 60 * time.Second

func TestMain(m *testing.M) {
	if task := os.Getenv(childEnv); task != "" {
		if err := runChild([]byte(task)); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		return
	}
	// Most tests wait for a broker, so more of them fit on a processor than the default.
	if err := flag.Set("test.parallel", "8"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(shared.Main(m))
}

// childTask is what a child runs.
type childTask struct {
	Name      string // of the topics and the group
	Kind      string // a key of kinds
	Brokers   []string
	StateDir  string
	Guarantee engine.Guarantee
	// CommitInterval is that of quickConfig if zero.
	CommitInterval time.Duration
	Mark           string // a file that is made at the first fold; empty for none
}

// kinds are the processors that children run.
func kinds(kind, name string) *engine.Processor {
	switch kind {
	case "count":
		return named(name, wordCount())
	case "largest":
		return named(name, largest())
	case "tally":
		return tally(name)
	case "tally2":
		return tally2(name)
	}
	return nil
}

// runChild runs until it is killed, or until the parent is gone.
func runChild(text []byte) error {
	var task childTask
	if err := json.Unmarshal(text, &task); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		cancel(errors.Join(errors.New("parent is gone"), err))
	}()
	c := quickConfig(task.Brokers, task.StateDir, task.Guarantee)
	c.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	if task.CommitInterval > 0 {
		c.CommitInterval = task.CommitInterval
	}
	p := kinds(task.Kind, task.Name)
	if task.Mark != "" {
		fold := p.Fold
		p.Fold = func(ctx *engine.Context, m *engine.Message) error {
			return errors.Join(fold(ctx, m), os.WriteFile(task.Mark, nil, 0o600))
		}
	}
	return engine.Run(ctx, p, c)
}

// child is a running child.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
}

func startChild(t *testing.T, task childTask) *child {
	t.Helper()
	text, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &child{cmd: cmd, stdin: stdin}
}

// kill ends the child with SIGKILL, and fails the test if it had ended by itself.
func (c *child) kill(t *testing.T) {
	t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatalf("kill the child: %v", err)
	}
	if err := c.cmd.Wait(); err == nil || c.cmd.ProcessState.Exited() {
		t.Fatalf("the child ended by itself: %v", err)
	}
}

// quickConfig has time limits that suit a test.
func quickConfig(brokers []string, dir string, guarantee engine.Guarantee) engine.Config {
	return engine.Config{Brokers: brokers, StateDir: dir, Instance: "one", Guarantee: guarantee,
		SessionTimeout: 1500 * time.Millisecond, CommitInterval: 50 * time.Millisecond,
		IdleAfter: -1}
}

// eventually waits until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for !cond() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("waited %v for: %s", patience, what)
		}
	}
}

// running is a processor that runs in this process.
type running struct {
	cancel context.CancelFunc
	done   chan error
}

func start(t *testing.T, p *engine.Processor, c engine.Config) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{cancel: cancel, done: make(chan error, 1)}
	go func() { r.done <- engine.Run(ctx, p, c) }()
	t.Cleanup(cancel)
	return r
}

func (r *running) stop(t *testing.T) {
	t.Helper()
	r.cancel()
	select {
	case err := <-r.done:
		if err != nil {
			t.Fatalf("run: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("does not stop")
	}
}
