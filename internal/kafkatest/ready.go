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
	readyLimit = 60 * time.Second // from start to the first full answer
	readyPoll  = 25 * time.Millisecond
)

// errEnded is returned by awaitReady when the broker ended before it answered.
var errEnded = errors.New("broker ended before it answered")

// awaitReady returns when the brokers serve clients, or when proc has ended (nil: nobody's
// child), or when readyLimit is over.
func awaitReady(ctx context.Context, addrs []string, proc *process) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	var exited chan struct{} // nil: never
	if proc != nil {
		exited = proc.exited
	}
	// Without retries of its own the client tells at once what is amiss.
	return withClient(addrs, func(cl *kgo.Client) error {
		tick := time.NewTicker(readyPoll)
		defer tick.Stop()
		last := errors.New("no answer")
		for {
			select {
			case <-exited:
				return fmt.Errorf("%w: %v", errEnded, proc.status)
			case <-ctx.Done():
				return fmt.Errorf("wait for %v: %w: %w", addrs, ctx.Err(), last)
			case <-tick.C:
			}
			if last = serving(ctx, kadm.NewClient(cl)); last == nil {
				return nil
			}
		}
	}, kgo.RetryTimeout(readyPoll))
}

// serving returns nil when there are coordinators of groups and transactions (their topics are
// made when first asked for) and each partition of every topic has a leader.
func serving(ctx context.Context, adm *kadm.Client) error {
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
	for _, topic := range meta.Topics {
		if err := led(topic); err != nil {
			return err
		}
	}
	return nil
}
