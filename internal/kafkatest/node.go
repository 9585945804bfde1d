package kafkatest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// Heaps of a node, by whether it is alone.
const (
	heapAlone  = "-Xmx1g"
	heapOfMany = "-Xmx400m"
)

const logTail = 2000 // bytes of the broker's own output shown in an error

// Node is one node of a Cluster, broker and controller in one process.
type Node struct {
	id    int
	ports nodePorts
	libs  string // directory of jars
	dir   string // configuration, output and data
	heap  string
	proxy *Proxy   // before its clients; nil for none
	links []*Proxy // between it and other nodes, both ways

	mu   sync.Mutex
	proc *process
}

// ID is the node's id, as brokers have it in metadata: from 1.
func (n *Node) ID() int32 { return int32(n.id) }

// Addr is where clients that are not behind a proxy reach this node, "host:port".
func (n *Node) Addr() string { return loopback(n.ports.client) }

// java prepares a Java process with a small heap and only the quick compiler: tests start many
// brokers and push little through each.
func (n *Node) java(ctx context.Context, class string, args ...string) *exec.Cmd {
	flags := []string{n.heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Djdk.net.hosts.file=" + n.hosts(), "-cp", filepath.Join(n.libs, "*"), class}
	return exec.CommandContext(ctx, "java", append(flags, args...)...)
}

// format makes the node's data directory.
func (n *Node) format(ctx context.Context) error {
	cmd := n.java(ctx, "kafka.tools.StorageTool", "format", "-t", clusterID, "-c", n.config())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("format: %w: %s", err, tail(out))
	}
	return nil
}

// Start starts the node on the data there is. It does not wait until the node answers: see
// Cluster.Await. One that runs is left alone.
func (n *Node) Start() (err error) {
	if p := n.process(); p != nil && p.running() {
		return nil
	}
	out, err := os.OpenFile(n.output(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open output: %w", err)
	}
	// The child has its own descriptor once it runs.
	defer func() { err = errors.Join(err, out.Close()) }()
	// The broker outlives whoever started it.
	cmd := n.java(context.Background(), "kafka.Kafka", n.config())
	cmd.Stdout, cmd.Stderr = out, out
	proc, err := startProcess(cmd)
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.proc = proc
	n.mu.Unlock()
	return nil
}

// Kill ends the node at once (SIGKILL). One that is down stays down.
func (n *Node) Kill() error {
	if p := n.process(); p != nil {
		return p.kill()
	}
	return nil
}

// Stop ends the node in order (SIGTERM): it gives its leaderships away first. One that is down
// stays down.
func (n *Node) Stop() error {
	if p := n.process(); p != nil {
		return errors.Join(n.Freeze(false), p.stop())
	}
	return nil
}

// Freeze lets the node's process stand still until it is told otherwise (SIGSTOP, SIGCONT).
func (n *Node) Freeze(on bool) error {
	p := n.process()
	if p == nil || !p.running() {
		return nil
	}
	sig := syscall.SIGCONT
	if on {
		sig = syscall.SIGSTOP
	}
	if err := p.handle.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %v: %w", sig, err)
	}
	return nil
}

// Isolate cuts the node off from all other nodes, brokers and controllers, until it is told
// otherwise. Clients reach it.
func (n *Node) Isolate(on bool) {
	for _, link := range n.links {
		link.Refuse(on)
	}
}

func (n *Node) process() *process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.proc
}

// said is the end of the node's own output.
func (n *Node) said() string {
	out, err := os.ReadFile(n.output())
	if err != nil {
		return err.Error()
	}
	return tail(out)
}

// tail returns the end of a program's output, one line.
func tail(out []byte) string {
	out = bytes.TrimSpace(out)
	return strings.ReplaceAll(string(out[max(0, len(out)-logTail):]), "\n", " | ")
}
