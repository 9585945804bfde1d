package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	readyLimit = 2 * time.Minute // from start to the first full answer, on a busy machine
	readyPoll  = 25 * time.Millisecond
)

// errEnded is returned by awaitReady when the broker ended before it answered.
var errEnded = errors.New("broker ended before it answered")

// awaitReady returns when so many brokers serve clients, or when one of the processes has ended,
// or when readyLimit is over.
func awaitReady(ctx context.Context, addrs []string, nodes int, procs ...*process) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	// Without retries of its own the client tells at once what is amiss.
	return withClient(addrs, func(cl *kgo.Client) error {
		tick := time.NewTicker(readyPoll)
		defer tick.Stop()
		last := errors.New("no answer")
		for {
			for _, p := range procs {
				if !p.running() {
					return fmt.Errorf("%w: %v", errEnded, p.status)
				}
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("wait for %v: %w: %w", addrs, ctx.Err(), last)
			case <-tick.C:
			}
			if last = serving(ctx, kadm.NewClient(cl), nodes); last == nil {
				return nil
			}
		}
	}, kgo.RetryTimeout(readyPoll))
}

// serving returns nil when there are coordinators of groups and transactions (their topics are
// made when first asked for), so many brokers, and each partition of every topic has a leader and
// all its replicas in sync.
func serving(ctx context.Context, adm *kadm.Client, nodes int) error {
	const anyName = "ready"
	groups := adm.FindGroupCoordinators(ctx, anyName)
	transactions := adm.FindTxnCoordinators(ctx, anyName)
	if err := errors.Join(groups.Error(), transactions.Error()); err != nil {
		return fmt.Errorf("find coordinators: %w", err)
	}
	meta, err := adm.Metadata(ctx)
	if err != nil {
		return fmt.Errorf("read metadata: %w", err)
	}
	if len(meta.Brokers) < nodes {
		return fmt.Errorf("%d of %d brokers are up", len(meta.Brokers), nodes)
	}
	for _, topic := range meta.Topics {
		if err := led(topic); err != nil {
			return err
		}
		for _, p := range topic.Partitions {
			if len(p.ISR) < len(p.Replicas) {
				return fmt.Errorf("%s/%d has %d of %d replicas in sync", p.Topic, p.Partition,
					len(p.ISR), len(p.Replicas))
			}
		}
	}
	return nil
}
