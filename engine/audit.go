package engine

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// auditEvery is how often a member checks that every partition has an owner.
const auditEvery = 5 * time.Second

// audit triggers a rebalance when a partition remains without an owner. Revoked partitions are
// assigned when their former owner joins again. A static member that crashes before that and
// returns in time gets its old assignment without a rebalance, and the revoked partitions would
// stay without an owner until the next one (KIP-345 with KIP-429).
func (g *group) audit(ctx context.Context) {
	admin := kadm.NewClient(g.i.producer)
	ticker := time.NewTicker(auditEvery)
	defer ticker.Stop()
	before := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		groups, err := admin.DescribeGroups(ctx, g.i.p.Group)
		if err != nil {
			continue // the next check finds it
		}
		described := groups[g.i.p.Group]
		member, _ := g.client.GroupMetadata()
		now := described.Err == nil && described.State == "Stable" &&
			orphaned(assignedOf(described, g.i.p.Inputs[0]), g.i.partitions, member)
		if now && before {
			g.i.c.Log.Warn("a partition has no owner, and a rebalance is requested", "group",
				g.i.p.Group)
			g.client.ForceRebalance()
		}
		before = now
	}
}

// assignedOf are the partitions of a topic that each member of a group has.
func assignedOf(d kadm.DescribedGroup, topic string) map[string][]int32 {
	members := map[string][]int32{}
	for i := range d.Members {
		members[d.Members[i].MemberID] = nil
		c, ok := d.Members[i].Assigned.AsConsumer()
		if !ok {
			continue
		}
		for _, t := range c.Topics {
			if t.Topic == topic {
				members[d.Members[i].MemberID] = t.Partitions
			}
		}
	}
	return members
}

// orphaned reports whether a partition has no owner, and that this member is the one to act: the
// one with the smallest id.
func orphaned(members map[string][]int32, partitions int32, member string) bool {
	assigned := map[int32]bool{}
	for id, owned := range members {
		if id < member {
			return false
		}
		for _, p := range owned {
			assigned[p] = true
		}
	}
	_, in := members[member]
	return in && len(assigned) < int(partitions)
}
