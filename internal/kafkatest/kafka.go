package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// KafkaVersion is the Apache Kafka that LaunchCluster expects to find.
const KafkaVersion = "4.3.0"

const (
	launchTries = 3 // a port may be taken between choosing and listening
	clusterID   = "Y2hhcmdlc3RyZWFtdGVzdA"
	nodesMax    = 5
	replicasMax = 3 // of a topic, where there are as many nodes
)

// Cluster is a real Apache Kafka of one or more nodes, each a child process with the roles of
// broker and controller. Topics have three replicas where there are three nodes, and two of them
// must be in sync.
//
// Between any two nodes there are proxies, one for each direction: a node knows the others by name,
// and each has a list of its own of where these names are (127.0.i.j for node j seen from node i,
// which Linux has without being told). So Isolate cuts a node off from the others, replication and
// the controllers' quorum, and from nothing else.
type Cluster struct {
	addresses
	dir   string
	nodes []*Node
	links []*Proxy
}

// FindJars returns the directory that `make kafka-jars` fills, looked up from the working
// directory towards the project root.
func FindJars() (string, error) {
	at, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find project root: %w", err)
	}
	for {
		_, err := os.Stat(filepath.Join(at, "go.mod"))
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("find project root: %w", err)
		}
		up := filepath.Dir(at)
		if up == at {
			return "", errors.New("find project root: no go.mod above the working directory")
		}
		at = up
	}
	libs := filepath.Join(at, ".cache", "kafka-"+KafkaVersion)
	if _, err := os.Stat(libs); err != nil {
		return "", fmt.Errorf("jars of Kafka %s: %w (run `make kafka-jars`)", KafkaVersion, err)
	}
	return libs, nil
}

// LaunchCluster starts a real Kafka from the jars in libs: KRaft nodes on free loopback ports with
// new data directories. One node takes about 2 s and 250 MB. The caller closes it.
//
// Each node has the proxy of its place before its clients, whose target it sets, if there is one:
// clients that connect to a proxy's address are led through the proxies for good, those that
// connect to the brokers' own are not. The proxies stay the caller's.
func LaunchCluster(ctx context.Context, libs string, nodes int, proxies ...*Proxy) (*Cluster,
	error) {
	var failures error
	for range launchTries {
		c, err := launchCluster(ctx, libs, nodes, proxies)
		if err == nil {
			return c, nil
		}
		failures = errors.Join(failures, err)
		if ctx.Err() != nil || !errors.Is(err, errEnded) {
			break
		}
	}
	return nil, fmt.Errorf("launch Kafka %s: %w", KafkaVersion, failures)
}

func launchCluster(ctx context.Context, libs string, nodes int, proxies []*Proxy) (c *Cluster,
	err error) {
	c = &Cluster{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if c.dir, err = os.MkdirTemp("", "chargestream-kafka-"); err != nil {
		return c, fmt.Errorf("make directory: %w", err)
	}
	ports, err := freePorts(portsOfNode * nodes)
	if err != nil {
		return c, err
	}
	for i := range nodes {
		p := ports[portsOfNode*i:]
		n := &Node{id: i + 1, ports: nodePorts{p[0], p[1], p[2], p[3]}, libs: libs,
			dir: filepath.Join(c.dir, strconv.Itoa(i+1)), heap: heapOfMany}
		if nodes == 1 {
			n.heap = heapAlone
		}
		if i < len(proxies) {
			n.proxy = proxies[i]
		}
		if err := os.Mkdir(n.dir, 0o700); err != nil {
			return c, fmt.Errorf("make directory: %w", err)
		}
		c.nodes, c.addresses = append(c.nodes, n), append(c.addresses, n.Addr())
	}
	if err := c.link(); err != nil {
		return c, err
	}
	if err := each(c.nodes, func(n *Node) error {
		return errors.Join(n.configure(c.nodes), n.format(ctx))
	}); err != nil {
		return c, err
	}
	return c, c.start(ctx)
}

// link puts the proxies between the nodes.
func (c *Cluster) link() error {
	for _, from := range c.nodes {
		for _, to := range c.nodes {
			if from == to {
				continue
			}
			for _, port := range []int{to.ports.nodes, to.ports.controller} {
				p, err := newProxyAt(net.JoinHostPort(linkAddr(from.id, to.id),
					strconv.Itoa(port)))
				if err != nil {
					return err
				}
				p.Target(loopback(port))
				c.links = append(c.links, p)
				from.links, to.links = append(from.links, p), append(to.links, p)
			}
		}
	}
	return nil
}

// start starts all nodes and waits until they answer.
func (c *Cluster) start(ctx context.Context) error {
	for _, n := range c.nodes {
		if err := n.Start(); err != nil {
			return err
		}
	}
	return c.Await(ctx)
}

// Await returns when all nodes are up, there are coordinators, and each partition of every topic
// has a leader and all its replicas in sync.
func (c *Cluster) Await(ctx context.Context) error {
	if err := c.await(ctx); err != nil {
		for _, n := range c.nodes {
			err = errors.Join(err, errors.New(host(n.id)+": "+n.said()))
		}
		return err
	}
	return nil
}

func (c *Cluster) await(ctx context.Context) error {
	procs := make([]*process, len(c.nodes))
	for i, n := range c.nodes {
		procs[i] = n.process()
	}
	return awaitReady(ctx, c.addresses, len(c.nodes), procs...)
}

// Nodes are the cluster's nodes, in the order of their ids.
func (c *Cluster) Nodes() []*Node { return c.nodes }

// Node is the node with an id; nil if there is none.
func (c *Cluster) Node(id int32) *Node {
	if id < 1 || int(id) > len(c.nodes) {
		return nil
	}
	return c.nodes[id-1]
}

// Real implements Broker.
func (c *Cluster) Real() bool { return true }

// Kill implements Broker: all nodes at once.
func (c *Cluster) Kill() error { return each(c.nodes, (*Node).Kill) }

// Stop implements Broker. Of several nodes the last ones have no quorum to leave in order, so all
// but the first are killed after it.
func (c *Cluster) Stop() error {
	if err := c.nodes[0].Stop(); err != nil {
		return err
	}
	return c.Kill()
}

// Restart implements Broker.
func (c *Cluster) Restart() error {
	if err := c.Stop(); err != nil {
		return err
	}
	return c.start(context.Background())
}

// Close implements Broker.
func (c *Cluster) Close() error {
	err := c.Kill()
	for _, link := range c.links {
		err = errors.Join(err, link.Close())
	}
	if err != nil {
		return err
	}
	if err := os.RemoveAll(c.dir); err != nil {
		return fmt.Errorf("remove directory: %w", err)
	}
	return nil
}

// each does the same with all nodes at once.
func each(nodes []*Node, do func(*Node) error) error {
	done := make(chan error)
	for _, n := range nodes {
		go func() {
			if err := do(n); err != nil {
				done <- fmt.Errorf("%s: %w", host(n.id), err)
				return
			}
			done <- nil
		}()
	}
	var err error
	for range nodes {
		err = errors.Join(err, <-done)
	}
	return err
}
