//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/benchmarks/internal/harness"
	"chargestream/topics"
)

// The programs that are measured.
const (
	peerHere = "chargestream"
	peerTwin = "kafka-streams"
	peerGoka = "stock-goka"
)

// peer is a program that does the job.
type peer struct {
	name     string
	group    string // its consumer group
	invoices string // its topic of invoices
	// prepare makes the topics that the program does not make.
	prepare func(ctx context.Context, s *stage) error
	// command starts the program with a state directory. It ends by itself when it has caught up,
	// or, with an address, runs on until it is stopped.
	command func(s *stage, dir, http string) (*exec.Cmd, error)
	// ready returns when the program reads its inputs.
	ready func(ctx context.Context, c *child, http string) error
	// judge returns what is wrong by the last line that the program printed.
	judge func(s *stage, report string) ([]string, error)
}

func peers() map[string]peer {
	return map[string]peer{peerHere: here(), peerTwin: twin(), peerGoka: stockGoka()}
}

// here is chargestream.
func here() peer {
	return peer{name: peerHere, group: topics.GroupStations, invoices: topics.Invoices,
		prepare: func(context.Context, *stage) error { return nil },
		command: func(s *stage, dir, http string) (*exec.Cmd, error) {
			args := []string{"run", "--brokers", s.addr, "--state-dir", dir}
			if http == "" {
				args = append(args, "--until-caught-up")
			} else {
				args = append(args, "--metrics", http)
			}
			return exec.Command(s.chargestream, args...), nil
		},
		ready: awaitReadyz,
		judge: judgeHere,
	}
}

// judgeHere reads what "chargestream run --until-caught-up" prints.
func judgeHere(s *stage, report string) (wrong []string, err error) {
	var r struct {
		Consumed    map[string]float64 `json:"consumed"`
		DeadLetters float64            `json:"dead_letters"`
	}
	if err := json.Unmarshal([]byte(report), &r); err != nil {
		return nil, fmt.Errorf("read the report %q: %w", report, err)
	}
	read := r.Consumed[topics.StationStatus] + r.Consumed[topics.ChargingSessions] +
		r.Consumed[topics.MeterValues]
	if int64(read) != s.totals.Events {
		wrong = append(wrong, fmt.Sprintf("%.0f of %d events were read", read, s.totals.Events))
	}
	if r.DeadLetters != 0 {
		wrong = append(wrong, fmt.Sprintf("%.0f events became dead letters", r.DeadLetters))
	}
	return wrong, nil
}

// createOutputs makes topics for the outputs of a peer, whose names begin with a prefix.
func createOutputs(ctx context.Context, s *stage, prefix string, names ...string) error {
	for _, name := range names {
		if err := harness.CreateTopic(ctx, s.addr, prefix+name, s.partitions,
			"compact"); err != nil {
			return err
		}
	}
	return nil
}

// outputs are what the peers write beside their tables.
func outputs() []string {
	return []string{topics.Invoices, topics.Anomalies, topics.Utilization, topics.DeadLetters}
}

// child is a program that runs.
type child struct {
	*harness.Process
	name string
	mu   sync.Mutex
	last string
	// ready is closed at the first line of standard output that is readyLine.
	ready chan struct{}
	read  chan struct{} // closed when standard output has ended
	ended time.Time     // when await saw the end
}

// readyLine is what the peers print when they read their inputs.
const readyLine = "ready"

// start starts a program. It is killed if this one ends.
func (s *stage) start(p peer, cmd *exec.Cmd) (*child, error) {
	c := &child{name: p.name, ready: make(chan struct{}), read: make(chan struct{})}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, fmt.Errorf("make folder of logs: %w", err)
	}
	var err error
	c.Process, err = harness.StartProcess(cmd, filepath.Join(s.dir, p.name+".log"), c.listen)
	return c, err
}

// listen reads what the program prints.
func (c *child) listen(r io.Reader) {
	defer close(c.read)
	ready := false
	for lines := bufio.NewScanner(r); lines.Scan(); {
		if lines.Text() == readyLine && !ready {
			ready = true
			close(c.ready)
		}
		c.mu.Lock()
		c.last = lines.Text()
		c.mu.Unlock()
	}
}

// await waits for the end of a program that ends by itself.
func (c *child) await(ctx context.Context) error {
	select {
	case <-c.Exited():
	case <-ctx.Done():
		return fmt.Errorf("%s has not ended: %w; killing it: %v; its log ends in %s", c.name,
			ctx.Err(), c.End(syscall.SIGKILL), c.Tail())
	}
	c.ended = time.Now()
	<-c.read
	if err := c.Wait(); err != nil {
		return fmt.Errorf("%s: %w: %s", c.name, err, c.Tail())
	}
	return nil
}

// took is how long the program ran; await must have seen its end.
func (c *child) took() time.Duration { return c.ended.Sub(c.Began) }

// lastLine is the last line that the program printed.
func (c *child) lastLine() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// find adds up the invoices of a program.
func (s *stage) find(ctx context.Context, p peer) (Found, error) {
	var f Found
	err := harness.ReadAll(ctx, s.addr, p.invoices, func(r *kgo.Record) error {
		var invoice struct {
			Kind     string `json:"kind"`
			Status   string `json:"status"`
			EnergyWh int64  `json:"energy_wh"`
		}
		if err := json.Unmarshal(r.Value, &invoice); err != nil {
			return fmt.Errorf("invoice %s: %w", r.Key, err)
		}
		if invoice.Kind == "credit_note" {
			f.Invoices--
			f.EnergyWh -= invoice.EnergyWh
			return nil
		}
		f.Invoices++
		f.EnergyWh += invoice.EnergyWh
		if invoice.Status == "held" {
			f.Held++
		}
		return nil
	})
	return f, err
}

// judge returns what is wrong with the invoices: each session has one, for the difference of its
// registers.
func (s *stage) judge(f Found) (wrong []string) {
	if f.Invoices != s.totals.Sessions {
		wrong = append(wrong, fmt.Sprintf("%d invoices of %d sessions", f.Invoices,
			s.totals.Sessions))
	}
	if f.EnergyWh != s.totals.EnergyWh {
		wrong = append(wrong, fmt.Sprintf("invoices of %d Wh, not %d", f.EnergyWh,
			s.totals.EnergyWh))
	}
	return wrong
}
