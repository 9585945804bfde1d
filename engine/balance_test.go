package engine

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"chargestream/internal/seeded"
)

// copyOwned is what members own, to be given away: share sorts it.
func copyOwned(owned [][]int32) [][]int32 {
	all := make([][]int32, len(owned))
	for n, numbers := range owned {
		all[n] = slices.Clone(numbers)
	}
	return all
}

// expectFair checks that every number is given once, and to no member more than one more than to
// another.
func expectFair(t *testing.T, partitions int32, shares [][]int32) {
	t.Helper()
	seen := map[int32]int{}
	least, most := int(partitions), 0
	for _, numbers := range shares {
		least, most = min(least, len(numbers)), max(most, len(numbers))
		for _, p := range numbers {
			seen[p]++
		}
	}
	for p := range partitions {
		if seen[p] != 1 {
			t.Errorf("partition %d is given %d times", p, seen[p])
		}
	}
	if len(seen) != int(partitions) || most-least > 1 {
		t.Errorf("%d partitions in shares of %d to %d", len(seen), least, most)
	}
}

// keptAtMost is how many partitions can stay where they are: each member keeps what it has up to
// its quota, and the larger quotas are worth most to those that have more than the smaller one.
func keptAtMost(partitions int32, owned [][]int32) int {
	least, more := int(partitions)/len(owned), int(partitions)%len(owned)
	kept, could := 0, 0
	for _, numbers := range owned {
		kept += min(len(numbers), least)
		if len(numbers) > least {
			could++
		}
	}
	return kept + min(could, more)
}

func kept(owned, shares [][]int32) int {
	n := 0
	for member, numbers := range shares {
		for _, p := range numbers {
			if slices.Contains(owned[member], p) {
				n++
			}
		}
	}
	return n
}

// TestShare draws what members own, some of them nothing, and some partitions without an owner, as
// after a join, a leave or both.
func TestShare(t *testing.T) {
	r := seeded.Rand(t)
	for range 2000 {
		partitions := int32(r.IntN(24))
		owned := make([][]int32, 1+r.IntN(8))
		for _, p := range r.Perm(int(partitions)) {
			if member := r.IntN(len(owned) + 1); member < len(owned) {
				owned[member] = append(owned[member], int32(p))
			}
		}
		shares := share(partitions, copyOwned(owned))
		expectFair(t, partitions, shares)
		if got, want := kept(owned, shares), keptAtMost(partitions, owned); got != want {
			t.Errorf("%d stay, %d could: %d partitions of %v become %v", got, want, partitions,
				owned, shares)
		}
		// The order of what each owns does not matter.
		again := copyOwned(owned)
		for _, numbers := range again {
			r.Shuffle(len(numbers), func(a, b int) {
				numbers[a], numbers[b] = numbers[b], numbers[a]
			})
		}
		if diff := gocmp.Diff(shares, share(partitions, again)); diff != "" {
			t.Errorf("in another order (-one +other):\n%s", diff)
		}
		// And it is stable: a second round moves nothing.
		if diff := gocmp.Diff(sortedShares(shares), sortedShares(share(partitions,
			copyOwned(shares)))); diff != "" {
			t.Errorf("a second round moves (-one +other):\n%s", diff)
		}
		if t.Failed() {
			t.Fatalf("%d partitions of %v become %v", partitions, owned, shares)
		}
	}
}

func sortedShares(shares [][]int32) [][]int32 {
	all := copyOwned(shares)
	for _, numbers := range all {
		slices.Sort(numbers)
	}
	return all
}

// TestShareOfJoinAndLeave names what a reader may want to see.
func TestShareOfJoinAndLeave(t *testing.T) {
	for name, c := range map[string]struct {
		partitions int32
		owned      [][]int32
		want       [][]int32
	}{
		"no member":    {4, nil, nil},
		"first":        {4, [][]int32{nil}, [][]int32{{0, 1, 2, 3}}},
		"second joins": {4, [][]int32{{0, 1, 2, 3}, nil}, [][]int32{{0, 1}, {2, 3}}},
		"third joins":  {5, [][]int32{{0, 3, 4}, {1, 2}, nil}, [][]int32{{0, 3}, {1, 2}, {4}}},
		"one left":     {6, [][]int32{{0, 1}, {4, 5}}, [][]int32{{0, 1, 2}, {3, 4, 5}}},
		"too many":     {2, [][]int32{{0}, nil, {1}}, [][]int32{{0}, nil, {1}}},
		"none":         {0, [][]int32{nil, nil}, [][]int32{nil, nil}},
		"larger share stays": {5, [][]int32{{0, 1}, {2, 3, 4}},
			[][]int32{{0, 1}, {2, 3, 4}}},
		"shrunk":  {2, [][]int32{{0, 7}, {1, 9}}, [][]int32{{0}, {1}}},
		"claimed": {3, [][]int32{{0, 1}, {1, 2}, nil}, [][]int32{{0}, {1}, {2}}},
	} {
		got := sortedShares(share(c.partitions, c.owned))
		for n := range got {
			if len(got[n]) == 0 {
				got[n] = nil
			}
		}
		if len(got) == 0 {
			got = nil
		}
		if name == "claimed" { // by two: fair is all that is asked
			expectFair(t, c.partitions, got)
			continue
		}
		if diff := gocmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// member is one of a group as its leader sees it.
type member struct {
	id         string
	topics     []string
	owned      []int32
	generation int32
}

// balance is one round as the client does it, with metadata as bytes.
func balance(t *testing.T, partitions int32, members ...member) map[string]map[string][]int32 {
	t.Helper()
	var joined []kmsg.JoinGroupResponseMember
	counts := map[string]int32{}
	for _, m := range members {
		owned := map[string][]int32{}
		for _, topic := range m.topics {
			counts[topic] = partitions
			if len(m.owned) > 0 {
				owned[topic] = m.owned
			}
		}
		j := kmsg.NewJoinGroupResponseMember()
		j.MemberID = m.id
		j.ProtocolMetadata = balancer{}.JoinGroupMetadata(m.topics, owned, m.generation)
		joined = append(joined, j)
	}
	b, topics, err := balancer{}.MemberBalancer(joined)
	mustDo(t, err)
	if len(topics) != len(counts) {
		t.Errorf("the group reads %v", topics)
	}
	plan, err := b.(kgo.GroupMemberBalancerOrError).BalanceOrError(counts)
	mustDo(t, err)
	assigned := map[string]map[string][]int32{}
	for _, a := range plan.IntoSyncAssignment() {
		got, err := balancer{}.ParseSyncAssignment(a.MemberAssignment)
		mustDo(t, err)
		assigned[a.MemberID] = got
	}
	return assigned
}

// numbersOf are the partitions of each member, which must be the same of each topic.
func numbersOf(t *testing.T, topics []string,
	assigned map[string]map[string][]int32) map[string][]int32 {
	t.Helper()
	all := map[string][]int32{}
	for id, byTopic := range assigned {
		all[id] = numbers(byTopic)
		slices.Sort(all[id])
		if len(byTopic) != 0 && len(byTopic) != len(topics) {
			t.Errorf("%s has %d topics of %d", id, len(byTopic), len(topics))
		}
		for topic, got := range byTopic {
			if slices.Sort(got); !slices.Equal(got, all[id]) {
				t.Errorf("%s has %v of %s and %v of another", id, got, topic, all[id])
			}
		}
	}
	return all
}

func TestJoinGroupMetadata(t *testing.T) {
	topics := []string{"words", "clock"}
	owned := map[string][]int32{"words": {2, 0}, "clock": {2, 0}}
	raw := balancer{}.JoinGroupMetadata(topics, owned, 7)
	var meta kmsg.ConsumerMemberMetadata
	mustDo(t, meta.ReadFrom(raw))
	if meta.Generation != 7 || !slices.Equal(meta.Topics, topics) {
		t.Errorf("generation %d, topics %v", meta.Generation, meta.Topics)
	}
	got := map[string][]int32{}
	for _, o := range meta.OwnedPartitions {
		got[o.Topic] = o.Partitions
	}
	if diff := gocmp.Diff(owned, got); diff != "" {
		t.Errorf("owned (-want +got):\n%s", diff)
	}
	for range 20 { // of a map
		if !slices.Equal(raw, balancer{}.JoinGroupMetadata(topics, maps.Clone(owned), 7)) {
			t.Fatal("the bytes depend on the order of a map")
		}
	}
	if (balancer{}).ProtocolName() != balancerName || !(balancer{}).IsCooperative() {
		t.Error("the protocol is another")
	}
}

// TestBalanceMovesInTwoRounds: a number that moves has no owner until its former owner has given it
// up, and what stays is never taken away.
func TestBalanceMovesInTwoRounds(t *testing.T) {
	topics := []string{"words", "numbers", "clock"}
	a := member{"a", topics, []int32{0, 1, 2, 3}, 1}
	b := member{"b", topics, nil, -1}
	first := numbersOf(t, topics, balance(t, 4, a, b))
	if diff := gocmp.Diff(map[string][]int32{"a": {0, 1}, "b": nil}, first); diff != "" {
		t.Errorf("first round (-want +got):\n%s", diff)
	}
	a.owned, a.generation, b.generation = first["a"], 2, 2
	second := numbersOf(t, topics, balance(t, 4, a, b))
	if diff := gocmp.Diff(map[string][]int32{"a": {0, 1}, "b": {2, 3}}, second); diff != "" {
		t.Errorf("second round (-want +got):\n%s", diff)
	}
	// b leaves: its numbers have no owner, and are given at once.
	a.generation = 3
	last := numbersOf(t, topics, balance(t, 4, a))
	if diff := gocmp.Diff(map[string][]int32{"a": {0, 1, 2, 3}}, last); diff != "" {
		t.Errorf("b has left (-want +got):\n%s", diff)
	}
}

// TestBalanceStaleClaim: a member that missed that partitions moved still claims them; who has them
// since keeps them, and no member gets what another may still read.
func TestBalanceStaleClaim(t *testing.T) {
	topics := []string{"words"}
	stale := member{"stale", topics, []int32{0, 1, 2, 3}, 3}
	owner := member{"owner", topics, []int32{0, 1}, 5}
	for _, members := range [][]member{{stale, owner}, {owner, stale}} {
		got := numbersOf(t, topics, balance(t, 4, members...))
		want := map[string][]int32{"owner": {0, 1}, "stale": {2, 3}}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("assigned (-want +got):\n%s", diff)
		}
	}
	// The stale claim would even be given the partition: not before its owner has given it up.
	owner.owned = []int32{0, 1, 2}
	got := numbersOf(t, topics, balance(t, 4, stale, owner))
	for _, p := range got["stale"] {
		if slices.Contains(owner.owned, p) {
			t.Errorf("partition %d is its owner's still: %v", p, got)
		}
	}
}

// rounds balances until nothing moves, and returns how many partitions moved.
func rounds(t *testing.T, topics []string, partitions int32, members []member) []member {
	t.Helper()
	for generation := int32(1); ; generation++ {
		if generation > 5 {
			t.Fatalf("the group does not agree: %v", members)
		}
		got := numbersOf(t, topics, balance(t, partitions, members...))
		holder, moved := map[int32]string{}, false
		for n := range members {
			m := &members[n]
			for _, p := range got[m.id] {
				if other, ok := holder[p]; ok {
					t.Errorf("partition %d is given to %s and %s", p, other, m.id)
				}
				holder[p] = m.id
				for _, x := range members {
					if x.id != m.id && slices.Contains(x.owned, p) {
						t.Errorf("partition %d is given to %s and is %s's", p, m.id, x.id)
					}
				}
			}
		}
		for n := range members {
			m := &members[n]
			moved = moved || !slices.Equal(m.owned, got[m.id])
			m.owned, m.generation = got[m.id], generation
		}
		if !moved {
			return members
		}
	}
}

// TestBalanceAgrees draws joins and leaves, one after another: the group agrees within a few
// rounds, fairly, moves no more than it must, and in no round has a partition two owners.
func TestBalanceAgrees(t *testing.T) {
	r := seeded.Rand(t)
	topics := []string{"words", "clock"}
	for range 30 {
		partitions := int32(1 + r.IntN(12))
		var members []member
		for step := range 8 {
			if len(members) < 2 || r.IntN(2) == 0 {
				members = append(members, member{id: fmt.Sprint("m", step), topics: topics,
					generation: -1})
			} else {
				n := r.IntN(len(members))
				members = slices.Delete(members, n, n+1)
			}
			r.Shuffle(len(members), func(a, b int) {
				members[a], members[b] = members[b], members[a]
			})
			before := ownedBy(members)
			members = rounds(t, topics, partitions, members)
			after := ownedBy(members)
			expectFair(t, partitions, after)
			if got, want := kept(before, after), keptAtMost(partitions, before); got != want {
				t.Errorf("%d stay, %d could: %v becomes %v", got, want, before, after)
			}
		}
		if t.Failed() {
			return
		}
	}
}

func ownedBy(members []member) [][]int32 {
	var owned [][]int32
	for _, m := range members {
		owned = append(owned, m.owned)
	}
	return copyOwned(owned)
}

// TestBalanceHangsOnNoOrder: every leader makes the same plan of the same members.
func TestBalanceHangsOnNoOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	topics := []string{"words", "clock"}
	members := []member{{"a", topics, []int32{0, 5}, 4}, {"b", topics, []int32{1, 2, 3}, 4},
		{"c", topics, nil, -1}, {"d", topics, []int32{4}, 4}}
	want := numbersOf(t, topics, balance(t, 9, members...))
	for range 20 {
		r.Shuffle(len(members), func(a, b int) { members[a], members[b] = members[b], members[a] })
		got := numbersOf(t, topics, balance(t, 9, members...))
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("assigned (-want +got):\n%s", diff)
		}
	}
}

// TestBalanceMembersOfOtherTopics: while one member still reads fewer topics than another, what it
// has belongs to no other, of no topic: both would write the same rows.
func TestBalanceMembersOfOtherTopics(t *testing.T) {
	var b balancer
	var members []kmsg.JoinGroupResponseMember
	for id, meta := range map[string][]byte{
		"old": b.JoinGroupMetadata([]string{"a"}, map[string][]int32{"a": {0, 1, 2, 3}}, 5),
		"new": b.JoinGroupMetadata([]string{"a", "b"}, nil, 5),
	} {
		m := kmsg.NewJoinGroupResponseMember()
		m.MemberID, m.ProtocolMetadata = id, meta
		members = append(members, m)
	}
	c, err := kgo.NewConsumerBalancer(b, members)
	mustDo(t, err)
	plan := b.Balance(c, map[string]int32{"a": 4, "b": 4}).IntoSyncAssignment()
	for _, a := range plan {
		got, err := kgo.ParseConsumerSyncAssignment(a.MemberAssignment)
		mustDo(t, err)
		if a.MemberID == "new" && len(numbers(got)) > 0 {
			t.Errorf("the new member gets %v at once", got)
		}
		if a.MemberID == "old" && len(numbers(got)) != 2 {
			t.Errorf("the old member keeps %v", got)
		}
	}
}
