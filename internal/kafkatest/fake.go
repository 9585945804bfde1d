package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// minSession is the shortest session timeout that brokers of this package grant a group member.
const minSession = time.Second

// fake is an in-process broker. It serialises all requests, so it cannot show races inside a
// real coordinator.
type fake struct {
	addresses
	dir  string // data directory; empty when all is kept in memory
	port int    // 0 when kfake chooses

	mu      sync.Mutex
	serving *kfake.Cluster // nil while it is down
}

// LaunchFake starts an in-process fake broker: one node, DefaultPartitions, no automatic topics.
// The caller closes it.
func LaunchFake(_ context.Context, opts ...Option) (Broker, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	f := &fake{}
	if o.durable {
		ports, err := freePorts(1)
		if err != nil {
			return nil, err
		}
		f.port = ports[0]
		if f.dir, err = os.MkdirTemp("", "chargestream-fake-"); err != nil {
			return nil, fmt.Errorf("make data directory: %w", err)
		}
	}
	if err := f.listen(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	f.addresses = f.serving.ListenAddrs()
	return f, nil
}

func (f *fake) listen() error {
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.DefaultNumPartitions(DefaultPartitions),
		kfake.GroupMinSessionTimeout(minSession),
		// Real Kafka cleans as it goes; kfake's default is once an hour.
		kfake.BrokerConfigs(map[string]string{"log.cleaner.backoff.ms": cleanerBackoff}),
	}
	if f.dir != "" {
		opts = append(opts, kfake.Ports(f.port), kfake.DataDir(f.dir))
	}
	c, err := kfake.NewCluster(opts...)
	if err != nil {
		return fmt.Errorf("start fake broker: %w", err)
	}
	f.serving = c
	return nil
}

// FailProduce answers the next n writes to a topic of a fake broker with an error, n below zero
// all of them. The broker does not do what it refuses, except with those errors that tell nothing
// of that, such as REQUEST_TIMED_OUT. The function it returns tells how many writes were refused.
// errors.ErrUnsupported for a broker that is no fake or is down.
func FailProduce(b Broker, topic string, code *kerr.Error, n int) (hits func() int, err error) {
	f, ok := b.(*fake)
	if !ok {
		return nil, fmt.Errorf("refuse writes of a real broker: %w", errors.ErrUnsupported)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.serving == nil {
		return nil, fmt.Errorf("refuse writes of a broker that is down: %w", errors.ErrUnsupported)
	}
	fault := kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: code, Count: n}
	return f.serving.Fault(fault).Hits, nil
}

func (f *fake) Real() bool  { return false }
func (f *fake) Kill() error { return f.Stop() }

func (f *fake) Stop() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.serving != nil {
		f.serving.Close()
		f.serving = nil
	}
	return nil
}

func (f *fake) Restart() error {
	if f.dir == "" {
		return fmt.Errorf("restart a fake broker without Durable: %w", errors.ErrUnsupported)
	}
	if err := f.Stop(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.listen()
}

func (f *fake) Close() error {
	if err := f.Stop(); err != nil {
		return err
	}
	if f.dir == "" {
		return nil
	}
	if err := os.RemoveAll(f.dir); err != nil {
		return fmt.Errorf("remove data directory: %w", err)
	}
	return nil
}
