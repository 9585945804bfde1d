package engine

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// balancerName is the name of the group protocol; members of one group speak the same.
const balancerName = "copartitioned-sticky"

// balancer assigns partition numbers: a member that has a number has it of every topic, as a key
// lies in the same partition of each. A member keeps its numbers as far as the others get their
// share, and continues to read them during the rebalance (KIP-429): only numbers that move are
// interrupted.
type balancer struct{}

// ProtocolName implements kgo.GroupBalancer.
func (balancer) ProtocolName() string { return balancerName }

// IsCooperative implements kgo.GroupBalancer.
func (balancer) IsCooperative() bool { return true }

// JoinGroupMetadata implements kgo.GroupBalancer: what is owned, and since which generation.
func (balancer) JoinGroupMetadata(topics []string, owned map[string][]int32,
	generation int32) []byte {
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Version, meta.Topics, meta.Generation = 2, topics, generation
	for _, topic := range slices.Sorted(maps.Keys(owned)) {
		o := kmsg.NewConsumerMemberMetadataOwnedPartition()
		o.Topic, o.Partitions = topic, owned[topic]
		meta.OwnedPartitions = append(meta.OwnedPartitions, o)
	}
	return meta.AppendTo(nil)
}

// ParseSyncAssignment implements kgo.GroupBalancer.
func (balancer) ParseSyncAssignment(assignment []byte) (map[string][]int32, error) {
	return kgo.ParseConsumerSyncAssignment(assignment)
}

// MemberBalancer implements kgo.GroupBalancer.
func (b balancer) MemberBalancer(members []kmsg.JoinGroupResponseMember) (
	kgo.GroupMemberBalancer, map[string]struct{}, error) {
	c, err := kgo.NewConsumerBalancer(b, members)
	if err != nil {
		return nil, nil, err
	}
	return c, c.MemberTopics(), nil
}

// Balance implements kgo.ConsumerBalancerBalance.
func (balancer) Balance(c *kgo.ConsumerBalancer, topics map[string]int32) kgo.IntoSyncAssignment {
	var partitions int32
	for _, n := range topics {
		partitions = max(partitions, n)
	}
	var owned [][]int32
	c.EachMember(func(*kmsg.JoinGroupResponseMember, *kmsg.ConsumerMemberMetadata) {
		owned = append(owned, nil)
	})
	owners := ownersOf(c)
	for p, member := range owners {
		owned[member] = append(owned[member], p)
	}
	plan := c.NewPlan()
	for member, numbers := range share(partitions, owned) {
		// A number of another owner is revoked in this rebalance and assigned in the next, for all
		// topics: members may know different ones.
		numbers = slices.DeleteFunc(numbers, func(p int32) bool {
			owner, had := owners[p]
			return had && owner != member
		})
		m, meta := c.MemberAt(member)
		for _, topic := range meta.Topics {
			plan.AddPartitions(m, topic, slices.Clone(numbers))
		}
	}
	return plan
}

// ownersOf is which member owns each partition number. If several claim one, the member with the
// newest generation owns it: the others missed that it moved.
func ownersOf(c *kgo.ConsumerBalancer) map[int32]int {
	owners, newest := map[int32]int{}, map[int32]int32{}
	member := 0
	c.EachMember(func(_ *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) {
		for _, o := range meta.OwnedPartitions {
			for _, p := range o.Partitions {
				if _, ok := owners[p]; !ok || meta.Generation > newest[p] {
					owners[p], newest[p] = member, meta.Generation
				}
			}
		}
		member++
	})
	return owners
}

// share divides the numbers from 0 to partitions-1 among the members. Each gets as many as the
// others, or one more, and keeps what it owns as far as possible. It is a function of its
// arguments.
func share(partitions int32, owned [][]int32) [][]int32 {
	members := len(owned)
	if members == 0 {
		return nil
	}
	order := make([]int, members)
	for i := range order {
		order[i] = i
	}
	// The larger shares go to the members that own most.
	slices.SortStableFunc(order, func(a, b int) int { return len(owned[b]) - len(owned[a]) })
	least, more := int(partitions)/members, int(partitions)%members
	shares, quota := make([][]int32, members), make([]int, members)
	taken := make([]bool, partitions)
	for rank, member := range order {
		quota[member] = least
		if rank < more {
			quota[member]++
		}
		slices.Sort(owned[member])
		for _, p := range owned[member] {
			if p < partitions && !taken[p] && len(shares[member]) < quota[member] {
				shares[member], taken[p] = append(shares[member], p), true
			}
		}
	}
	next := 0
	for p := range partitions {
		if taken[p] {
			continue
		}
		for len(shares[order[next]]) >= quota[order[next]] {
			next++
		}
		shares[order[next]] = append(shares[order[next]], p)
	}
	return shares
}
