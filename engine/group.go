package engine

import (
	"chargestream/engine/broker"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Bounds of a member of the group.
const (
	// fenceFirst and fenceMax bound the two attempts to fence former owners at a takeover.
	fenceFirst = time.Second
	fenceMax   = 5 * time.Second
	// heartbeatMax is how late a member may learn of a rebalance.
	heartbeatMax = 300 * time.Millisecond
	// rebalanceTimeout is how long the group waits for a member that commits revoked partitions.
	// It must be longer than such a commit. Otherwise the group would continue without the member,
	// and Kafka keeps a static one although it missed a generation.
	rebalanceTimeout = 2*commitMax + 2*fenceMax + 20*time.Second
	fetchWait        = 100 * time.Millisecond
	// metadataMaxAge is how long a reader may go on asking a broker that leads a partition no more
	// and does not know it, as it is cut off from the others: it answers, and has nothing new.
	metadataMaxAge = 10 * time.Second
	// fetchBytesMax and fetchPartitionBytesMax bound one fetch response, compressed.
	fetchBytesMax          = 4 << 20
	fetchPartitionBytesMax = 256 << 10
)

// group is the member of the consumer group that this instance is. franz-go keeps the membership,
// with cooperative rebalancing: partitions that stay are read during a rebalance. goka knows only
// rounds in which no partition moves (sarama's sessions). So the engine runs one round after
// another, each of the partitions that are owned and restored by then, and does what takes long
// beside the rounds.
type group struct {
	i         *instance
	ctx       context.Context
	client    *kgo.Client
	started   chan struct{} // closed when client is there
	settled   chan struct{} // closed after the last commit
	polling   sync.WaitGroup
	revokedIn atomic.Int32 // generation in which partitions were last revoked
	changes   chan change

	mu    sync.Mutex
	owned map[int32]*ownedPartition // assigned; restored or not
}

// change is a change of the active partitions, which interrupts the rounds.
type change struct {
	add    []*ownedPartition
	revoke []int32
	done   chan struct{}
}

// options are the options of the member. It is a static member (KIP-345): an instance that returns
// within the session timeout keeps its partitions.
func (g *group) options(topics []string) []kgo.Opt {
	c := g.i.c
	return []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...), kgo.ClientID(g.i.transactionalID()),
		kgo.MaxVersions(kversion.V4_0_0()), // offsets are committed by the topic's name
		kgo.ConsumerGroup(g.i.p.Group), kgo.InstanceID(c.Instance), kgo.ConsumeTopics(topics...),
		// What was polled is handed over before partitions can move.
		kgo.BlockRebalanceOnPoll(),
		kgo.Balancers(balancer{}), kgo.DisableAutoCommit(), kgo.MetadataMinAge(metadataMinAge),
		kgo.MetadataMaxAge(metadataMaxAge),
		kgo.SessionTimeout(c.SessionTimeout), kgo.RebalanceTimeout(rebalanceTimeout),
		kgo.HeartbeatInterval(min(c.SessionTimeout/5, heartbeatMax)),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		// adjustOffsets decides where a partition is read from, never the client.
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxWait(fetchWait), kgo.FetchMaxBytes(fetchBytesMax),
		kgo.FetchMaxPartitionBytes(fetchPartitionBytesMax),
		kgo.OnPartitionsAssigned(g.assigned), kgo.OnPartitionsRevoked(g.revoked),
		kgo.OnPartitionsLost(g.lost), kgo.AdjustFetchOffsetsFn(g.adjustOffsets),
		kgo.WithHooks(g), kgo.WithLogger(clientLog{c.Log}),
	}
}

// end commits what was folded, unless the attempt has failed, leaves the group and closes the
// stores. kill cancels the client's requests, which would otherwise wait for a broker that is away.
func (g *group) end(kill func()) error {
	i := g.i
	ctx, stop := context.WithTimeout(context.Background(), closeMax)
	defer stop()
	err := i.failed()
	if err == nil {
		err = i.commit(ctx)
	}
	close(g.settled)
	i.membership.member, i.membership.generation = g.client.GroupMetadata()
	// Revoked partitions are assigned to another member only after this member has joined again.
	// If it returns under its name before that, it gets the old assignment, and the revoked
	// partitions remain without an owner.
	owed := i.membership.generation > 0 && i.membership.generation == g.revokedIn.Load()
	kill()
	g.client.CloseAllowingRebalance()
	g.polling.Wait() // not before: a poll waits for revoked, which waits for settled
	// Under the same name the incomplete assignment would be the same again.
	if owed || errors.Is(err, errAssignment) || (err == nil && !i.c.StayOnStop) {
		g.leave()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.owned {
		<-p.restored
		if p.store != nil {
			err = errors.Join(err, p.store.Close())
		}
	}
	return err
}

// leave removes the member from the group, so that its partitions move at once and not after the
// session timeout. The client does not do that for a static member. The client must be closed
// before: it would join again as soon as it learned that it is not a member.
func (g *group) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), closeMax)
	defer cancel()
	if g.i.membership.member == "" {
		return // another process may have the name
	}
	q := kmsg.NewPtrLeaveGroupRequest()
	q.Group, q.MemberID = g.i.p.Group, g.i.membership.member
	m := kmsg.NewLeaveGroupRequestMember()
	m.MemberID, m.InstanceID = q.MemberID, &g.i.c.Instance
	q.Members = append(q.Members, m)
	if _, err := q.RequestWith(ctx, g.i.producer); err != nil {
		g.i.c.Log.Warn("the group could not be left; its partitions move after the session timeout",
			"group", g.i.p.Group, "error", err)
	}
}

// numbers are the partitions of an assignment.
func numbers(assignment map[string][]int32) []int32 {
	all := map[int32]bool{}
	for _, partitions := range assignment {
		for _, n := range partitions {
			all[n] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// checkAssignment returns an error if an assignment does not have the same existing partitions of
// every topic. The causes are a client that does not know all topics yet, and topics that have
// grown.
func (g *group) checkAssignment(assignment map[string][]int32) error {
	wanted := numbers(assignment)
	for _, n := range wanted {
		if n >= g.i.partitions {
			return fmt.Errorf("%w: there is a partition %d now, and keys lie elsewhere than "+
				"their rows", ErrTopics, n)
		}
	}
	for _, topic := range g.i.p.Topics() {
		if got := slices.Sorted(slices.Values(assignment[topic])); !slices.Equal(got, wanted) {
			return fmt.Errorf("%w: partitions %v, and %v of topic %q", errAssignment, wanted,
				got, topic)
		}
	}
	return nil
}

// errAssignment ends an attempt that was assigned a partition of some topics only.
var errAssignment = errors.New("assignment is not complete")

// assigned is kgo's OnPartitionsAssigned. It ends open transactions of former owners and starts the
// restore of the tables, beside the running work. The client fetches the group's offsets when it
// returns.
func (g *group) assigned(_ context.Context, client *kgo.Client, assignment map[string][]int32) {
	<-g.started
	member, _ := client.GroupMetadata()
	added := numbers(assignment)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ctx.Err() != nil {
		return
	}
	if len(g.owned) > 0 && member != g.i.member() {
		g.i.fail(errExpelled)
		return
	}
	g.i.memberID.Store(&member)
	if err := g.checkAssignment(assignment); err != nil {
		g.i.fail(err)
		return
	}
	var ps []*ownedPartition
	for _, n := range added {
		if g.owned[n] == nil {
			g.owned[n] = g.i.newPartition(n)
			ps = append(ps, g.owned[n])
		}
	}
	owned := len(g.owned)
	g.i.setState(func(s *State) { s.Member, s.Owned = true, owned })
	if len(ps) == 0 {
		return
	}
	// Nothing is read while this callback runs, so it does not wait long for a broker.
	fenced := g.fence(added, fenceFirst)
	go g.takeOver(ps, fenced)
}

// fence ends open transactions of former owners on partitions. A failure costs only time: the
// transactions end by their timeout.
func (g *group) fence(partitions []int32, atMost time.Duration) (done bool) {
	i := g.i
	ctx, cancel := context.WithTimeout(g.ctx, atMost)
	defer cancel()
	began := time.Now()
	ids, err := fence(ctx, i.producer, i.p.TableTopics(), partitions, i.transactionalID())
	if err != nil && g.ctx.Err() == nil {
		i.c.Log.Warn("open transactions of former owners could not be ended, and are waited for",
			"group", i.p.Group, "partitions", partitions, "error", err)
	}
	for _, id := range ids {
		i.c.Log.Info("a former owner's open transaction was ended", "group", i.p.Group,
			"transactional_id", id, "took", time.Since(began).Round(time.Millisecond))
		i.c.Metrics.fenced(i.p.Group)
	}
	return err == nil
}

// takeOver restores partitions, and before that ends open transactions of former owners if that is
// not done yet.
func (g *group) takeOver(ps []*ownedPartition, fenced bool) {
	byNumber := map[int32]*ownedPartition{}
	for _, p := range ps {
		byNumber[p.id] = p
	}
	if !fenced {
		g.fence(slices.Collect(maps.Keys(byNumber)), fenceMax)
	}
	err := g.restore(byNumber)
	for try := 1; try < restoreTries && errors.Is(err, kerr.OffsetOutOfRange); try++ {
		// The log was truncated after its start offset was listed.
		for n, p := range byNumber {
			if p.finished.Load() {
				delete(byNumber, n) // revoked: the pool closes it
			} else if p.store != nil {
				err = errors.Join(err, p.store.Close())
				p.store, p.task = nil, nil
			}
		}
		err = g.restore(byNumber)
	}
	if err != nil {
		g.i.fail(fmt.Errorf("restore: %w", err))
	}
	for _, p := range ps {
		p.finish()
	}
}

// restore restores the tables of partitions and makes their tasks.
func (g *group) restore(ps map[int32]*ownedPartition) error {
	i, wanted := g.i, make([]int32, 0, len(ps))
	for n := range ps {
		wanted = append(wanted, n)
	}
	copies, err := i.open(g.ctx, wanted, i.pool.take(wanted))
	if err != nil {
		return err
	}
	for _, c := range copies { // from here on group.end closes the stores
		p := ps[c.partition]
		p.store, c.gone = c.store, &p.revoked
	}
	if err := i.pool.resume(g.ctx); err != nil {
		return err
	}
	return i.restore(g.ctx, copies, func(c *localCopy) error {
		p := ps[c.partition]
		if c.unwanted() {
			p.finish() // the revocation does not wait for the others
			return nil
		}
		return p.begin(c.store)
	})
}

// apply hands a change to the loop of rounds and waits until it is done.
func (g *group) apply(ctx context.Context, c change) error {
	select {
	case g.changes <- c:
	case <-ctx.Done():
		return ctx.Err()
	case <-g.ctx.Done():
		return g.ctx.Err()
	}
	select {
	case <-c.done:
	case <-g.ctx.Done():
	}
	return g.i.failed()
}

// revoked is kgo's OnPartitionsRevoked: what was folded of the partitions is committed before it
// returns.
func (g *group) revoked(ctx context.Context, client *kgo.Client, assignment map[string][]int32) {
	<-g.started
	partitions := numbers(assignment)
	if len(partitions) == 0 {
		return
	}
	_, generation := client.GroupMetadata()
	g.revokedIn.Store(generation)
	defer func() {
		if g.ctx.Err() != nil {
			<-g.settled // the end of the attempt commits; the rebalance waits for it
		}
	}()
	if !g.interrupt(partitions) {
		return
	}
	err := g.apply(ctx, change{revoke: partitions, done: make(chan struct{})})
	if err != nil && g.ctx.Err() == nil {
		g.i.fail(err)
	}
}

// interrupt ends restores of revoked partitions, while the others are folded; false at the end of
// the attempt.
func (g *group) interrupt(partitions []int32) bool {
	var ps []*ownedPartition
	g.mu.Lock()
	for _, n := range partitions {
		if p := g.owned[n]; p != nil {
			p.revoked.Store(true)
			ps = append(ps, p)
		}
	}
	g.mu.Unlock()
	for _, p := range ps {
		select {
		case <-p.restored:
		case <-g.ctx.Done():
			return false
		}
	}
	return g.ctx.Err() == nil
}

// lost is kgo's OnPartitionsLost. It prevents further commits: another member may own the
// partitions by now.
func (g *group) lost(_ context.Context, _ *kgo.Client, assignment map[string][]int32) {
	<-g.started
	if g.ctx.Err() == nil && len(numbers(assignment)) > 0 {
		g.i.expelled.Store(true) // OnGroupManageError gets the error
	}
}

// OnGroupManageError implements kgo.HookGroupManageError. The client joins again by itself, which
// suffices as long as there is no uncommitted work to drop.
func (g *group) OnGroupManageError(err error) {
	if g.ctx.Err() == nil && (g.i.expelled.Load() || broker.Classify(err).Decision == broker.Stop) {
		g.i.fail(fmt.Errorf("lost the place in the group: %w", err))
	}
}
