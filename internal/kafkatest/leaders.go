package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// movePoll is how often MoveLeaders looks whether leaders have moved.
const movePoll = 50 * time.Millisecond

// Topics of the brokers' own.
const (
	OffsetsTopic      = "__consumer_offsets"
	TransactionsTopic = "__transaction_state"
)

// Leader is the node that leads a partition. It waits for one: a topic that was just made has none
// on nodes that have not heard of it yet.
func (c *Cluster) Leader(ctx context.Context, topic string, partition int32) (n *Node, err error) {
	err = withAdmin(c.addresses, func(adm *kadm.Client) error {
		for {
			meta, err := adm.Metadata(ctx, topic)
			if err != nil {
				return fmt.Errorf("read metadata of %s: %w", topic, err)
			}
			if p, ok := meta.Topics[topic].Partitions[partition]; ok {
				if n = c.Node(p.Leader); n != nil {
					return nil
				}
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("%s/%d has no leader: %w", topic, partition, ctx.Err())
			case <-time.After(movePoll):
			}
		}
	})
	return n, err
}

// GroupCoordinator is the node that coordinates a group.
func (c *Cluster) GroupCoordinator(ctx context.Context, group string) (*Node, error) {
	return c.coordinator(ctx, group, (*kadm.Client).FindGroupCoordinators)
}

// TransactionCoordinator is the node that coordinates a transactional id.
func (c *Cluster) TransactionCoordinator(ctx context.Context, id string) (*Node, error) {
	return c.coordinator(ctx, id, (*kadm.Client).FindTxnCoordinators)
}

func (c *Cluster) coordinator(ctx context.Context, name string, find func(*kadm.Client,
	context.Context, ...string) kadm.FindCoordinatorResponses) (n *Node, err error) {
	err = withAdmin(c.addresses, func(adm *kadm.Client) error {
		found := find(adm, ctx, name)
		n = c.Node(found[name].NodeID)
		return found.Error()
	})
	return n, err
}

// MoveLeaders gives each partition of topics to the next of its replicas, and returns how many
// partitions that are. With OffsetsTopic the coordinators of groups move, with TransactionsTopic
// those of transactions.
func (c *Cluster) MoveLeaders(ctx context.Context, topics ...string) (moved int, err error) {
	err = withAdmin(c.addresses, func(adm *kadm.Client) error {
		meta, err := adm.Metadata(ctx, topics...)
		if err != nil {
			return fmt.Errorf("read metadata: %w", err)
		}
		var turn kadm.AlterPartitionAssignmentsReq
		want, all := map[string]map[int32]int32{}, kadm.TopicsSet{}
		for _, t := range meta.Topics {
			want[t.Topic] = map[int32]int32{}
			for _, p := range t.Partitions {
				at := slices.Index(p.Replicas, p.Leader)
				next := append(slices.Clone(p.Replicas[at+1:]), p.Replicas[:at+1]...)
				turn.Assign(t.Topic, p.Partition, next)
				all.Add(t.Topic, p.Partition)
				want[t.Topic][p.Partition] = next[0]
				moved++
			}
		}
		altered, err := adm.AlterPartitionAssignments(ctx, turn)
		if err = errors.Join(err, altered.Error()); err != nil {
			return fmt.Errorf("turn replicas: %w", err)
		}
		return elect(ctx, adm, all, want)
	})
	return moved, err
}

// elect lets the first replica of each partition lead, and waits for it.
func elect(ctx context.Context, adm *kadm.Client, all kadm.TopicsSet,
	want map[string]map[int32]int32) error {
	for {
		results, err := adm.ElectLeaders(ctx, kadm.ElectPreferredReplica, all)
		if err != nil {
			return fmt.Errorf("elect leaders: %w", err)
		}
		var left error
		for _, topic := range results {
			for _, r := range topic {
				if r.Err != nil && !errors.Is(r.Err, kerr.ElectionNotNeeded) {
					left = errors.Join(left, fmt.Errorf("elect leader of %s/%d: %w", r.Topic,
						r.Partition, r.Err))
				}
			}
		}
		meta, err := adm.Metadata(ctx, all.Topics()...)
		if err != nil {
			return fmt.Errorf("read metadata: %w", err)
		}
		for topic, partitions := range want {
			for id, leader := range partitions {
				if got := meta.Topics[topic].Partitions[id].Leader; got != leader {
					left = errors.Join(left, fmt.Errorf("%s/%d is led by %d, want %d", topic, id,
						got, leader))
				}
			}
		}
		if left == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), left)
		case <-time.After(movePoll):
		}
	}
}
