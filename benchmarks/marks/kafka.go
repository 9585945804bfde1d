//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/internal/kafkatest"
)

// heap is the broker's. The brokers of kafkatest are made to start soon, with half of it and
// without the optimizing compiler, which a measurement must not do without.
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
	clusterID = "Y2hhcmdlc3RyZWFtbWFya3M"
	// brokerLimit bounds the start of the broker.
	brokerLimit = 60 * time.Second
	// brokerLook is how often a broker that starts is looked at.
	brokerLook = 5 * time.Millisecond
)

// kafka is a single-node Apache Kafka of one run.
type kafka struct {
	libs, dir string
	addr      string
	proc      *process
}

// launchKafka starts a broker with its data in dir.
func launchKafka(ctx context.Context, dir string) (*kafka, error) {
	libs, err := kafkatest.FindJars()
	if err != nil {
		return nil, err
	}
	ports, err := freePorts()
	if err != nil {
		return nil, err
	}
	k := &kafka{libs: libs, dir: dir, addr: fmt.Sprintf("127.0.0.1:%d", ports[0])}
	text := fmt.Sprintf(properties, ports[0], ports[1], filepath.Join(dir, "data"))
	if err := os.WriteFile(k.config(), []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	format := k.java("kafka.tools.StorageTool", "format", "-t", clusterID, "-c", k.config())
	if out, err := format.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("format: %w: %s", err, out)
	}
	if err := k.start(); err != nil {
		return nil, err
	}
	return k, k.awaitServing(ctx)
}

// freePorts are two free ports below Linux's range for outgoing connections: a broker that is
// started again must find its port free.
func freePorts() (ports [2]int, err error) {
	at := 15000 + os.Getpid()%15000
	for i := range ports {
		for ; ports[i] == 0; at++ {
			ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", at))
			if err != nil {
				if at > 32000 {
					return ports, fmt.Errorf("find a free port: %w", err)
				}
				continue
			}
			ports[i] = at
			if err := ln.Close(); err != nil {
				return ports, err
			}
		}
	}
	return ports, nil
}

func (k *kafka) config() string { return filepath.Join(k.dir, "server.properties") }

func (k *kafka) java(class string, args ...string) *exec.Cmd {
	flags := []string{"-Xms" + heap, "-Xmx" + heap, "-cp", filepath.Join(k.libs, "*"), class}
	return exec.Command("java", append(flags, args...)...)
}

// start starts the broker and does not wait for it.
func (k *kafka) start() (err error) {
	cmd := k.java("kafka.Kafka", k.config())
	k.proc, err = startProcess(cmd, filepath.Join(k.dir, "broker.log"))
	return err
}

// awaitPort returns when the broker's port is open.
func (k *kafka) awaitPort(ctx context.Context) error {
	for {
		conn, err := net.Dial("tcp", k.addr)
		if err == nil {
			return conn.Close()
		}
		if err := pause(ctx, brokerLook); err != nil {
			return err
		}
		if k.proc.ended() {
			return errors.New("the broker ended")
		}
	}
}

// awaitServing returns when there are coordinators for groups and transactions.
func (k *kafka) awaitServing(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, brokerLimit)
	defer cancel()
	if err := k.awaitPort(ctx); err != nil {
		return err
	}
	return k.admin(func(adm *kadm.Client) error {
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
			if err := pause(ctx, brokerLook); err != nil {
				return err
			}
		}
	})
}

// admin runs do with a client of its own.
func (k *kafka) admin(do func(*kadm.Client) error) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(k.addr), kgo.MetadataMinAge(10*time.Millisecond))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer client.Close()
	return do(kadm.NewClient(client))
}

// pause waits for a while, or returns the context's error.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
