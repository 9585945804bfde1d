package engine

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// auditEvery is how often a member looks whether every partition is somebody's.
const auditEvery = 5 * time.Second

// audit has the group agree anew when a partition stays nobody's. What a member gives up is
// assigned when it joins again. A static one that crashes in between and is back in time gets its
// old assignment without the group agreeing, and the partition would be nobody's until something
// else happens (KIP-345 with KIP-429).
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
			continue // the next look finds it
		}
		described := groups[g.i.p.Group]
		member, _ := g.client.GroupMetadata()
		now := described.Err == nil && described.State == "Stable" &&
			orphaned(assignedOf(described, g.i.p.Inputs[0]), g.i.partitions, member)
		if now && before {
			g.i.c.Log.Warn("a partition is nobody's, and the group is asked to agree anew", "group",
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

// orphaned tells whether a partition was left out, to one of the members only: the one with the
// smallest id does what is to be done.
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
