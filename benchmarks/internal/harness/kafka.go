//go:build linux

package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/internal/kafkatest"
)

// heap is the broker's. The brokers of kafkatest are made to start soon, without the optimizing
// compiler, which a measurement must not do without.
const heap = "1g"

// properties is the broker's configuration, with Kafka's defaults but for what a single broker
// needs and for what its shipped configuration sets too. %[1]d is its port, %[2]d that of the
// controller, %[3]s the data directory.
const properties = `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%[2]d
listeners=PLAINTEXT://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d
advertised.listeners=PLAINTEXT://127.0.0.1:%[1]d
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=%[3]s
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
`

const (
	clusterID = "Y2hhcmdlc3RyZWFtYmVuY2g"
	// brokerLimit bounds the start of the broker.
	brokerLimit = 60 * time.Second
	// brokerLook is how often a broker that starts is looked at.
	brokerLook = 5 * time.Millisecond
	// metadataAge is how old the metadata of an admin client may be.
	metadataAge = 10 * time.Millisecond
)

// Kafka is a single-node Apache Kafka of one run.
type Kafka struct {
	Addr      string
	Process   *Process
	libs, dir string
}

// LaunchKafka starts a broker with its data in dir, which must exist; more are further lines of its
// configuration. The caller ends its process.
func LaunchKafka(ctx context.Context, dir, more string) (*Kafka, error) {
	libs, err := kafkatest.FindJars()
	if err != nil {
		return nil, err
	}
	ports, err := FreePorts(2)
	if err != nil {
		return nil, err
	}
	k := &Kafka{libs: libs, dir: dir, Addr: fmt.Sprintf("127.0.0.1:%d", ports[0])}
	text := fmt.Sprintf(properties, ports[0], ports[1], filepath.Join(dir, "data")) + more
	if err := os.WriteFile(k.config(), []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	format := k.java("kafka.tools.StorageTool", "format", "-t", clusterID, "-c", k.config())
	if out, err := format.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("format: %w: %s", err, out)
	}
	if err := k.Start(); err != nil {
		return nil, err
	}
	return k, k.AwaitServing(ctx)
}

// Where ports are looked for: below Linux's range for outgoing connections, as a broker that is
// started again must find its port free.
const (
	portLow  = 15000
	portSpan = 17000
)

// portsTried counts the ports that were looked at, so that none is given twice.
var portsTried atomic.Int64

// FreePorts are ports of the loopback address that no process listens on.
func FreePorts(n int) ([]int, error) {
	var ports []int
	for len(ports) < n {
		tried := portsTried.Add(1)
		at := portLow + (os.Getpid()+int(tried))%portSpan
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", at))
		if err != nil {
			if tried > portSpan {
				return nil, fmt.Errorf("find a free port: %w", err)
			}
			continue
		}
		ports = append(ports, at)
		if err := ln.Close(); err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
	}
	return ports, nil
}

func (k *Kafka) config() string { return filepath.Join(k.dir, "server.properties") }

func (k *Kafka) java(class string, args ...string) *exec.Cmd {
	flags := []string{"-Xms" + heap, "-Xmx" + heap, "-cp", filepath.Join(k.libs, "*"), class}
	return exec.Command("java", append(flags, args...)...)
}

// Start starts the broker, for the first time or after its end, and does not wait for it.
func (k *Kafka) Start() (err error) {
	cmd := k.java("kafka.Kafka", k.config())
	k.Process, err = StartProcess(cmd, filepath.Join(k.dir, "broker.log"), discard)
	return err
}

// discard reads what nothing is done with: a broker logs on standard error.
func discard(r io.Reader) {
	// An error ends the reading, as the end does.
	io.Copy(io.Discard, r)
}

// AwaitPort returns when the broker's port is open.
func (k *Kafka) AwaitPort(ctx context.Context) error {
	for {
		conn, err := net.Dial("tcp", k.Addr)
		if err == nil {
			return conn.Close()
		}
		if err := kafkatest.Pause(ctx, brokerLook); err != nil {
			return err
		}
		if k.Process.Ended() {
			return errors.New("the broker ended")
		}
	}
}

// AwaitServing returns when there are coordinators for groups and transactions.
func (k *Kafka) AwaitServing(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, brokerLimit)
	defer cancel()
	if err := k.AwaitPort(ctx); err != nil {
		return err
	}
	return k.Admin(func(adm *kadm.Client) error {
		for {
			groups := adm.FindGroupCoordinators(ctx, "any")
			transactions := adm.FindTxnCoordinators(ctx, "any")
			err := errors.Join(groups.Error(), transactions.Error())
			if err == nil {
				return nil
			}
			if ctx.Err() != nil {
				return fmt.Errorf("wait for the broker: %w", err)
			}
			if err := kafkatest.Pause(ctx, brokerLook); err != nil {
				return err
			}
		}
	})
}

// Admin runs do with a client of its own.
func (k *Kafka) Admin(do func(*kadm.Client) error) error { return Admin(k.Addr, do) }

// Admin runs do with a client of its own.
func Admin(addr string, do func(*kadm.Client) error) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.MetadataMinAge(metadataAge))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer client.Close()
	return do(kadm.NewClient(client))
}

// CreateTopic creates a topic with this cleanup policy, and returns when the metadata show it.
func CreateTopic(ctx context.Context, addr, name string, partitions int32, cleanup string) error {
	return Admin(addr, func(adm *kadm.Client) error {
		config := map[string]*string{"cleanup.policy": &cleanup}
		if _, err := adm.CreateTopic(ctx, partitions, 1, config, name); err != nil {
			return fmt.Errorf("create topic %s: %w", name, err)
		}
		for {
			meta, err := adm.Metadata(ctx, name)
			if err == nil && meta.Topics[name].Err == nil &&
				len(meta.Topics[name].Partitions) == int(partitions) {
				return nil
			}
			if err := kafkatest.Pause(ctx, metadataAge); err != nil {
				return err
			}
		}
	})
}
