package kafkatest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const cleanerBackoff = "500" // milliseconds between two rounds of log compaction

// properties is a node's configuration; what is in angle brackets is filled in. What differs from
// a production broker is only how soon it does things. A client that asks at the listener PROXIED
// is told to stay there.
const properties = `process.roles=broker,controller
node.id=<id>
controller.quorum.voters=<voters>
listeners=PLAINTEXT://127.0.0.1:<client>,CONTROLLER://127.0.0.1:<controller>,` +
	`PROXIED://127.0.0.1:<proxied>,NODES://127.0.0.1:<nodes>
advertised.listeners=PLAINTEXT://127.0.0.1:<client>,CONTROLLER://<host>:<controller>,` +
	`PROXIED://<proxy>,NODES://<host>:<nodes>
controller.listener.names=CONTROLLER
inter.broker.listener.name=NODES
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,` +
	`NODES:PLAINTEXT
log.dirs=<data>
num.partitions=4
auto.create.topics.enable=false
default.replication.factor=<replicas>
min.insync.replicas=<insync>
offsets.topic.replication.factor=<replicas>
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=<replicas>
transaction.state.log.min.isr=<insync>
transaction.state.log.num.partitions=4
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
group.min.session.timeout.ms=1000
log.initial.task.delay.ms=500
log.retention.check.interval.ms=1000
log.cleaner.backoff.ms=` + cleanerBackoff + `
log.cleaner.dedupe.buffer.size=4194304
`

// nodePorts are the ports of a node on the loopback address.
type nodePorts struct{ client, controller, proxied, nodes int }

// portsOfNode is how many these are.
const portsOfNode = 4

// host is the name by which other nodes know a node.
func host(id int) string { return fmt.Sprintf("node-%d", id) }

// linkAddr is the address at which a node finds another: there is a proxy between any two.
func linkAddr(from, to int) string {
	if from == to {
		return "127.0.0.1"
	}
	return fmt.Sprintf("127.0.%d.%d", from, to)
}

// configure writes the files of a node: its configuration, and where it finds the others.
func (n *Node) configure(all []*Node) error {
	voters, hosts := make([]string, len(all)), "127.0.0.1 localhost\n"
	for i, o := range all {
		voters[i] = fmt.Sprintf("%d@%s:%d", o.id, host(o.id), o.ports.controller)
		hosts += fmt.Sprintf("%s %s\n", linkAddr(n.id, o.id), host(o.id))
	}
	if name, err := os.Hostname(); err == nil { // Java asks for its own
		hosts += "127.0.0.1 " + name + "\n"
	}
	proxy := loopback(n.ports.proxied) // where clients of that listener are sent
	if n.proxy != nil {
		n.proxy.Target(proxy)
		proxy = n.proxy.Addr()
	}
	replicas, insync := min(len(all), replicasMax), 1
	if replicas > 1 {
		insync = replicas - 1
	}
	text := strings.NewReplacer("<id>", fmt.Sprint(n.id), "<voters>", strings.Join(voters, ","),
		"<client>", fmt.Sprint(n.ports.client), "<controller>", fmt.Sprint(n.ports.controller),
		"<proxied>", fmt.Sprint(n.ports.proxied), "<nodes>", fmt.Sprint(n.ports.nodes),
		"<host>", host(n.id), "<proxy>", proxy, "<data>", filepath.Join(n.dir, "data"),
		"<replicas>", fmt.Sprint(replicas), "<insync>", fmt.Sprint(insync)).Replace(properties)
	if err := os.WriteFile(n.config(), []byte(text), 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	if err := os.WriteFile(n.hosts(), []byte(hosts), 0o600); err != nil {
		return fmt.Errorf("write hosts: %w", err)
	}
	return nil
}

func (n *Node) config() string { return filepath.Join(n.dir, "server.properties") }
func (n *Node) hosts() string  { return filepath.Join(n.dir, "hosts") }
func (n *Node) output() string { return filepath.Join(n.dir, "output.log") }
