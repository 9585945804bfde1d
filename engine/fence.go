package engine

import (
	"chargestream/engine/broker"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fence ends the open transactions of other producers on partitions of topics that have just been
// assigned to this member: their producers belong to dead or former members. Otherwise these
// transactions would hide everything that is written after them, and the input offsets that they
// contain, until they time out. InitProducerId with the same transactional id aborts the
// transaction and fences its producer (KIP-98). fence returns the ids that it fenced.
//
// It needs the rights Read on the topics, and Describe and Write on the transactional ids.
func fence(ctx context.Context, client *kgo.Client, topics []string, partitions []int32,
	own string) ([]string, error) {
	producers, err := openProducers(ctx, client, topics, partitions)
	if err != nil || len(producers) == 0 {
		return nil, err
	}
	q := kmsg.NewPtrListTransactionsRequest()
	q.ProducerIDFilters = producers
	var ids, fenced []string
	var failed error // an error of one broker must not prevent the others
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
		open, err := holds(ctx, client, id, topics, partitions)
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

// holds reports whether a transaction is ongoing that wrote to one of the partitions. One that is
// being committed ends by itself, and its producer may be alive and have begun the next: a member
// that gave a partition up properly must not be fenced.
func holds(ctx context.Context, client *kgo.Client, id string, topics []string,
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
			if t.State == "Ongoing" && slices.Contains(topics, in.Topic) &&
				slices.ContainsFunc(
					in.Partitions,
					func(p int32) bool { return slices.Contains(partitions, p) },
				) {
				return true, nil
			}
		}
	}
	return false, nil
}

// openProducers are the ids of the producers that have a transaction open on partitions (KIP-664).
func openProducers(ctx context.Context, client *kgo.Client, topics []string,
	partitions []int32) ([]int64, error) {
	q := kmsg.NewPtrDescribeProducersRequest()
	for _, topic := range topics {
		t := kmsg.NewDescribeProducersRequestTopic()
		t.Topic, t.Partitions = topic, partitions
		q.Topics = append(q.Topics, t)
	}
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

// abortTransaction initialises a producer of a transactional id, which aborts its open transaction.
// The coordinator returns CONCURRENT_TRANSACTIONS while it does that.
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
		if broker.Classify(err).Decision != broker.Retry {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(retryEvery):
		}
	}
}
