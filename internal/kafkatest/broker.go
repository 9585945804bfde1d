package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// BrokersEnv names the environment variable with the addresses of an existing cluster
// ("host:port", separated by commas). That cluster must be there for tests alone: they delete
// the topics and groups they use.
const BrokersEnv = "CHARGESTREAM_TEST_BROKERS"

// NodesEnv names the environment variable with the number of nodes of a real Kafka that Launch
// starts; 1 if it is not set.
const NodesEnv = "CHARGESTREAM_TEST_NODES"

// DefaultPartitions is the number of partitions of a topic that does not ask for another.
const DefaultPartitions = 4

// Broker is one Kafka broker, or an existing cluster, that tests may fill and end.
type Broker interface {
	// Addrs returns the bootstrap addresses, "host:port". They stay the same over a restart.
	Addrs() []string
	// Real says whether this is Apache Kafka (or the cluster of BrokersEnv) and not the fake.
	Real() bool
	// Kill ends the broker at once, without letting it write anything (SIGKILL). The fake has no
	// process: there Kill is Stop, so only a real broker shows what a crash leaves behind.
	// A broker that is down stays down. errors.ErrUnsupported for an existing cluster.
	Kill() error
	// Stop ends the broker in order (SIGTERM) and waits for it. A broker that is down stays down.
	// errors.ErrUnsupported for an existing cluster.
	Stop() error
	// Restart starts the broker again on the same address and data and returns when it answers;
	// one that is up is stopped first. errors.ErrUnsupported for an existing cluster and for a
	// fake that was not started with Durable.
	Restart() error
	// Close ends the broker for good and removes its data; an existing cluster is left alone.
	Close() error

	// CreateTopics creates topics and returns when all their partitions have a leader.
	CreateTopics(ctx context.Context, topics ...Topic) error
	// FreshTopics makes the topics exist and be empty: those that exist are deleted first, with
	// every group that has committed offsets on them.
	FreshTopics(ctx context.Context, topics ...Topic) error
}

// Option changes how a broker is launched.
type Option func(*options)

type options struct{ durable bool }

// Durable gives the fake a data directory, so that it can be restarted. It is slower. A real
// broker is always durable.
func Durable() Option { return func(o *options) { o.durable = true } }

// Launch starts the broker that this build and environment ask for: the cluster of BrokersEnv,
// else a real Kafka of NodesEnv nodes if built with the tag `integration`, else the fake. The
// caller closes it.
func Launch(ctx context.Context, opts ...Option) (Broker, error) {
	if env := os.Getenv(BrokersEnv); env != "" {
		addrs := strings.Split(env, ",")
		if err := awaitReady(ctx, addrs, 1); err != nil {
			return nil, fmt.Errorf("use the cluster of %s: %w", BrokersEnv, err)
		}
		return existing{addrs}, nil
	}
	if !realByDefault {
		return LaunchFake(ctx, opts...)
	}
	libs, err := FindJars()
	if err != nil {
		return nil, err
	}
	nodes := 1
	if env := os.Getenv(NodesEnv); env != "" {
		if nodes, err = strconv.Atoi(env); err != nil || nodes < 1 || nodes > nodesMax {
			return nil, fmt.Errorf("%s is %q, expected a number from 1 to %d", NodesEnv, env,
				nodesMax)
		}
	}
	return LaunchCluster(ctx, libs, nodes)
}

// addresses is what all brokers share: where they are, and what a client may ask of them.
type addresses []string

func (a addresses) Addrs() []string { return a }

func (a addresses) CreateTopics(ctx context.Context, topics ...Topic) error {
	return createTopics(ctx, a, topics)
}

func (a addresses) FreshTopics(ctx context.Context, topics ...Topic) error {
	return freshTopics(ctx, a, topics)
}

// existing is a cluster that somebody else runs.
type existing struct{ addresses }

func (existing) Real() bool     { return true }
func (existing) Kill() error    { return unsupported("kill") }
func (existing) Stop() error    { return unsupported("stop") }
func (existing) Restart() error { return unsupported("restart") }
func (existing) Close() error   { return nil }

func unsupported(verb string) error {
	return fmt.Errorf("%s the cluster of %s: %w", verb, BrokersEnv, errors.ErrUnsupported)
}
