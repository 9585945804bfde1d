//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lovoo/goka"
	"github.com/prometheus/client_golang/prometheus"

	"chargestream/benchmarks/internal/harness"
	"chargestream/engine"
)

// childEnv makes this program a child; its value is a task.
const childEnv = "CHARGESTREAM_MARKS_CHILD"

// What a child runs.
const (
	kindEngine = "engine"
	kindGoka   = "goka"
	kindView   = "view" // goka's, on the task's table
)

// task is what a child is told to do.
type task struct {
	Kind           string
	Broker         string
	StateDir       string
	Instance       string
	Group          string
	Input          string
	Output         string // empty: nothing is emitted
	Guarantee      engine.Guarantee
	Decoder        string
	SessionTimeout time.Duration // zero: the default
	Metrics        bool
	CPUProfile     string // a file; empty for none
	Partitions     int32
	Events         int64    // how many folds the last one is expected after; zero: unknown
	Probes         []string // keys that a view looks up when it is ready
}

// The kinds of report.
const (
	reportReady = "ready" // every partition was folded from, or a view is there
	reportEnd   = "end"
)

// report is what a child tells on standard output. Times are since the call of Run.
type report struct {
	Kind      string
	Ready     time.Duration
	ReadyCPU  time.Duration // CPU time of the process then
	FirstFold time.Duration
	LastFold  time.Duration
	Folds     int64
	Probes    map[string]int64   // counts by key
	Metrics   map[string]float64 // those of the engine, labels added up
}

// startChild starts this program as a child, in a directory of its own.
func startChild(dir string, t task) (*process, error) {
	text, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	return startProcess(cmd, filepath.Join(dir, "child-"+t.Group+"-"+t.Instance+".log"))
}

// child is a running child, from the inside.
type child struct {
	task
	decode   decode
	registry *prometheus.Registry
	began    time.Time
	folds    atomic.Int64
	mu       sync.Mutex // guards what follows
	report   report
	seen     map[int32]bool
}

// runChild runs until SIGTERM.
func runChild(text string) (err error) {
	c := &child{registry: prometheus.NewRegistry(), seen: map[int32]bool{}}
	if err := json.Unmarshal([]byte(text), &c.task); err != nil {
		return err
	}
	if c.decode, err = decoderOf(c.Decoder); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if c.CPUProfile != "" {
		f, err := os.Create(c.CPUProfile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer func() {
			pprof.StopCPUProfile()
			err = errors.Join(err, f.Close())
		}()
	}
	c.began = time.Now()
	if err := c.run(ctx); err != nil {
		return err
	}
	if ctx.Err() == nil {
		return errors.New("ended by itself")
	}
	return c.tellEnd()
}

func (c *child) run(ctx context.Context) error {
	switch c.Kind {
	case kindEngine:
		return c.runEngine(ctx)
	case kindGoka:
		return c.runGoka(ctx)
	case kindView:
		return c.runView(ctx)
	}
	return fmt.Errorf("no kind %q", c.Kind)
}

func (c *child) runEngine(ctx context.Context) error {
	table := &engine.Table[row]{Name: c.Group,
		Decode: func(_ string, b []byte) (*row, error) {
			r := &row{}
			return r, decodeRow(b, r)
		},
		Append: func(buf []byte, r *row) []byte { return r.append(buf) }}
	p := &engine.Processor{Group: c.Group, Inputs: []string{c.Input},
		Tables: []engine.Declared{table},
		Fold: func(ctx *engine.Context, m *engine.Message) error {
			return c.fold(ctx, table, m)
		}}
	if c.Output != "" {
		p.Outputs = []engine.Output{{Topic: c.Output}}
	}
	config := engine.Config{Brokers: []string{c.Broker}, StateDir: c.StateDir,
		Instance: c.Instance, Guarantee: c.Guarantee, SessionTimeout: c.SessionTimeout,
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	if c.Metrics {
		config.Metrics = engine.NewMetrics(c.registry)
	}
	return engine.Run(ctx, p, config)
}

// fold is the fold of the engine's processor.
func (c *child) fold(ctx *engine.Context, table *engine.Table[row], m *engine.Message) error {
	var e event
	if err := c.decode(m.Value, &e); err != nil {
		return err
	}
	r, err := table.Edit(ctx, m.Key)
	if err != nil {
		return err
	}
	r.fold(&e)
	if c.Output != "" {
		ctx.Emit(c.Output, m.Key, c.outcome(m.Partition, &e))
	}
	c.folded(m.Partition)
	return nil
}

// outcome is the output of an event.
func (c *child) outcome(partition int32, e *event) []byte {
	return output{Partition: partition, Owner: c.Instance[0], Seq: e.Timestamp - firstTimestamp}.
		append(nil)
}

// folded counts a fold, and tells the parent when every partition had one.
func (c *child) folded(partition int32) {
	n := c.folds.Add(1)
	if n != 1 && n != c.Events && n > int64(c.Partitions)*readyFolds {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n == 1 {
		c.report.FirstFold = time.Since(c.began)
	}
	if n == c.Events {
		c.report.LastFold = time.Since(c.began)
	}
	c.seen[partition] = true
	if c.report.Ready == 0 && len(c.seen) == int(c.Partitions) {
		c.tellReady()
	}
}

// readyFolds is how many folds a partition are looked at for whether all partitions had one. No
// more records than that are in a partition where a child is asked to become ready.
const readyFolds = 25

// tellReady is called with the lock held.
func (c *child) tellReady() {
	c.report.Ready, c.report.ReadyCPU = time.Since(c.began), harness.OwnCPU()
	ready := c.report
	ready.Kind = reportReady
	c.tell(ready)
}

func (c *child) tellEnd() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report.Kind, c.report.Folds = reportEnd, c.folds.Load()
	families, err := c.registry.Gather()
	if err != nil {
		return fmt.Errorf("gather metrics: %w", err)
	}
	c.report.Metrics = map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			switch {
			case m.Counter != nil:
				c.report.Metrics[family.GetName()] += m.Counter.GetValue()
			case m.Gauge != nil:
				c.report.Metrics[family.GetName()] += m.Gauge.GetValue()
			case m.Histogram != nil:
				c.report.Metrics[family.GetName()+"_count"] +=
					float64(m.Histogram.GetSampleCount())
				c.report.Metrics[family.GetName()+"_sum"] += m.Histogram.GetSampleSum()
			}
		}
	}
	c.tell(c.report)
	return nil
}

func (c *child) tell(r report) {
	text, err := json.Marshal(r)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	fmt.Println(string(text))
}

// gokaFold is the same fold for goka, whose codecs have decoded event and row.
func (c *child) gokaFold(ctx goka.Context, message any) {
	e, ok := message.(*event)
	if !ok {
		ctx.Fail(fmt.Errorf("%T is no event", message))
	}
	r := &row{}
	if old, ok := ctx.Value().(*row); ok {
		*r = *old
	}
	r.fold(e)
	ctx.SetValue(r)
	if c.Output != "" {
		ctx.Emit(goka.Stream(c.Output), ctx.Key(), c.outcome(ctx.Partition(), e))
	}
	c.folded(ctx.Partition())
}
