package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fence ends the transactions that others have open on partitions of a topic that have just become
// ours: their owner is dead, or a member no more. Left alone they would hide all that is written
// after them, and the input offsets that they hold, until they time out. To start a producer of
// the same transactional id aborts them and refuses their producer from then on (KIP-98). It gives
// the ids that it fenced.
//
// It needs the rights Read of the topic, and Describe and Write of the transactional ids.
func fence(ctx context.Context, client *kgo.Client, topic string, partitions []int32,
	own string) ([]string, error) {
	producers, err := openProducers(ctx, client, topic, partitions)
	if err != nil || len(producers) == 0 {
		return nil, err
	}
	q := kmsg.NewPtrListTransactionsRequest()
	q.ProducerIDFilters = producers
	var ids, fenced []string
	var failed error // what one broker does not tell must not keep the others' from being ended
	for _, shard := range client.RequestSharded(ctx, q) {
		if shard.Err != nil {
			failed = errors.Join(failed, fmt.Errorf("list transactions: %w", shard.Err))
			continue
		}
		response := shard.Resp.(*kmsg.ListTransactionsResponse)
		if err := kerr.ErrorForCode(response.ErrorCode); err != nil {
			failed = errors.Join(failed, fmt.Errorf("list transactions: %w", err))
			continue
		}
		for _, t := range response.TransactionStates {
			if t.TransactionalID != own {
				ids = append(ids, t.TransactionalID)
			}
		}
	}
	for _, id := range ids {
		open, err := holds(ctx, client, id, topic, partitions)
		if err == nil && open {
			err = abortTransaction(ctx, client, id)
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("fence %q: %w", id, err))
		} else if open {
			fenced = append(fenced, id)
		}
	}
	return fenced, failed
}

// holds tells whether a transaction is going on that wrote to one of the partitions. One that is
// being committed ends by itself, and its producer may be alive and have others under way already:
// who gave a partition up in good order must not be fenced for it.
func holds(ctx context.Context, client *kgo.Client, id, topic string,
	partitions []int32) (bool, error) {
	q := kmsg.NewPtrDescribeTransactionsRequest()
	q.TransactionalIDs = []string{id}
	response, err := q.RequestWith(ctx, client)
	if err != nil {
		return false, err
	}
	for _, t := range response.TransactionStates {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return false, err
		}
		for _, in := range t.Topics {
			if t.State == "Ongoing" && in.Topic == topic && slices.ContainsFunc(in.Partitions,
				func(p int32) bool { return slices.Contains(partitions, p) }) {
				return true, nil
			}
		}
	}
	return false, nil
}

// openProducers are the ids of the producers that have a transaction open on partitions (KIP-664).
func openProducers(ctx context.Context, client *kgo.Client, topic string,
	partitions []int32) ([]int64, error) {
	q := kmsg.NewPtrDescribeProducersRequest()
	t := kmsg.NewDescribeProducersRequestTopic()
	t.Topic, t.Partitions = topic, partitions
	q.Topics = append(q.Topics, t)
	var producers []int64
	for _, shard := range client.RequestSharded(ctx, q) {
		if shard.Err != nil {
			return nil, fmt.Errorf("describe producers: %w", shard.Err)
		}
		for _, t := range shard.Resp.(*kmsg.DescribeProducersResponse).Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return nil, fmt.Errorf("describe producers of %s/%d: %w", t.Topic,
						p.Partition, err)
				}
				for _, a := range p.ActiveProducers {
					if a.CurrentTxnStartOffset >= 0 {
						producers = append(producers, a.ProducerID)
					}
				}
			}
		}
	}
	return producers, nil
}

// abortTransaction starts a producer of a transactional id, which aborts what is open. The
// coordinator answers CONCURRENT_TRANSACTIONS while it does that.
func abortTransaction(ctx context.Context, client *kgo.Client, id string) error {
	q := kmsg.NewPtrInitProducerIDRequest()
	q.TransactionalID = &id
	q.TransactionTimeoutMillis = int32(transactionTimeout / time.Millisecond)
	q.ProducerID, q.ProducerEpoch = -1, -1
	for {
		response, err := q.RequestWith(ctx, client)
		if err == nil {
			err = kerr.ErrorForCode(response.ErrorCode)
		}
		if err == nil {
			return nil
		}
		if classify(err).decision != retry {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(retryEvery):
		}
	}
}
