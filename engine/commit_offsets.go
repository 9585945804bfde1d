package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"chargestream/engine/broker"
)

// retryEvery is the pause before a rejected request is repeated.
const retryEvery = 20 * time.Millisecond

// membership is the member and the generation that offsets are committed under.
type membership struct {
	member     string
	generation int32
}

// offsets are the positions of every input after the interval.
func (iv *interval) offsets() map[string]map[int32]int64 {
	offsets := map[string]map[int32]int64{}
	for _, w := range iv.partitions {
		for topic, next := range w.next {
			if offsets[topic] == nil {
				offsets[topic] = map[int32]int64{}
			}
			offsets[topic][w.p.id] = next
		}
	}
	return offsets
}

// commitOffsets sends the input offsets with the member and the generation under which they were
// read, so that the coordinator rejects those of a former member (KIP-447). During a rebalance the
// partitions still belong to this member, and commitOffsets waits for the new generation. A member
// that was expelled joins again under another id. Another member may have owned its partitions
// meanwhile, so nothing that it did before is committed.
func (i *instance) commitOffsets(ctx context.Context, offsets map[string]map[int32]int64,
	send func(context.Context, membership, map[string]map[int32]int64) error) error {
	for {
		var m membership
		m.member, m.generation = i.group.GroupMetadata()
		if m.member != i.member() {
			return fmt.Errorf("commit offsets: %w", errExpelled)
		}
		err := send(ctx, m, offsets)
		if err == nil {
			return nil
		}
		if now, _ := i.group.GroupMetadata(); now != m.member {
			return fmt.Errorf("commit offsets: %w; the coordinator returned %v", errExpelled, err)
		}
		class := broker.Classify(err)
		if class.Decision != broker.Retry && !errors.Is(err, kerr.RebalanceInProgress) &&
			!errors.Is(err, kerr.IllegalGeneration) {
			return fmt.Errorf("commit offsets: %w", err)
		}
		i.c.Metrics.brokerError(i.p.Group, class.Name)
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("commit offsets: %w", err), ctx.Err())
		case <-time.After(retryEvery):
		}
	}
}

// transactionOffsets adds offsets to the transaction.
func (i *instance) transactionOffsets(ctx context.Context, m membership,
	offsets map[string]map[int32]int64) error {
	id, epoch, err := i.producer.ProducerID(ctx)
	if err != nil {
		return err
	}
	q := kmsg.NewPtrTxnOffsetCommitRequest()
	q.TransactionalID, q.Group = i.transactionalID(), i.p.Group
	q.ProducerID, q.ProducerEpoch = id, epoch
	q.Generation, q.MemberID, q.InstanceID = m.generation, m.member, &i.c.Instance
	for topic, partitions := range offsets {
		t := kmsg.NewTxnOffsetCommitRequestTopic()
		t.Topic = topic
		for partition, next := range partitions {
			p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset, p.LeaderEpoch = partition, next, -1
			t.Partitions = append(t.Partitions, p)
		}
		q.Topics = append(q.Topics, t)
	}
	response, err := q.RequestWith(ctx, i.producer)
	if err != nil {
		return err
	}
	for _, t := range response.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("%s/%d: %w", t.Topic, p.Partition, err)
			}
		}
	}
	return nil
}

// plainOffsets commits offsets without a transaction.
func (i *instance) plainOffsets(ctx context.Context, m membership,
	offsets map[string]map[int32]int64) error {
	q := kmsg.NewPtrOffsetCommitRequest()
	q.Group = i.p.Group
	q.Generation, q.MemberID, q.InstanceID = m.generation, m.member, &i.c.Instance
	for topic, partitions := range offsets {
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic = topic
		for partition, next := range partitions {
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset, p.LeaderEpoch = partition, next, -1
			t.Partitions = append(t.Partitions, p)
		}
		q.Topics = append(q.Topics, t)
	}
	response, err := q.RequestWith(ctx, i.group)
	if err != nil {
		return err
	}
	for _, t := range response.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("%s/%d: %w", t.Topic, p.Partition, err)
			}
		}
	}
	return nil
}

// askMembership asks the coordinator whether this is still a member.
func (i *instance) askMembership(ctx context.Context, m membership,
	_ map[string]map[int32]int64) error {
	q := kmsg.NewPtrHeartbeatRequest()
	q.Group, q.InstanceID = i.p.Group, &i.c.Instance
	q.MemberID, q.Generation = m.member, m.generation
	response, err := q.RequestWith(ctx, i.group)
	if err != nil {
		return err
	}
	err = kerr.ErrorForCode(response.ErrorCode)
	if errors.Is(err, kerr.RebalanceInProgress) {
		return nil // it is a member, and the client learns of the rebalance soon
	}
	return err
}
