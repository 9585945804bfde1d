package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Bounds of a member of the group.
const (
	// fenceFirst and fenceMax bound the two tries to fence dead owners at a takeover.
	fenceFirst = time.Second
	fenceMax   = 5 * time.Second
	// heartbeatMax is how late a member may learn that the group agrees anew.
	heartbeatMax = 300 * time.Millisecond
	// rebalanceTimeout is how long the group waits for a member that commits what it gives up.
	// It must be longer than that may take, or the group would go on without the member, and Kafka
	// keeps a static one although it missed a generation.
	rebalanceTimeout = 2*commitMax + 2*fenceMax + 20*time.Second
	fetchWait        = 100 * time.Millisecond
	// fetchBytesMax and fetchPartitionBytesMax bound one answer, compressed.
	fetchBytesMax          = 4 << 20
	fetchPartitionBytesMax = 256 << 10
)

// group is the instance's place in the consumer group, as goka's sarama.ConsumerGroup. The group
// is kept by franz-go, cooperatively: partitions that stay are read on while the group agrees.
// goka knows sessions only, in which nothing moves; so it is given one session after another, each
// of the partitions that are ours and restored, and what takes long happens beside them.
type group struct {
	i         *instance
	ctx       context.Context
	client    *kgo.Client
	started   chan struct{} // closed when client is there
	settled   chan struct{} // closed when nothing will be committed any more
	polling   sync.WaitGroup
	revokedIn atomic.Int32 // generation in which partitions were last given up
	changes   chan change

	mu    sync.Mutex
	owned map[int32]*part // assigned; restored or not
}

// change is what the sequence of goka's sessions is interrupted for.
type change struct {
	add    []*part
	revoke []int32
	done   chan struct{}
}

func (i *instance) buildGroup([]string, string, string) (sarama.ConsumerGroup, error) {
	return &group{i: i, started: make(chan struct{}), settled: make(chan struct{}),
		changes: make(chan change), owned: map[int32]*part{}}, nil
}

// options are those of the member. A static one (KIP-345): an instance that comes back within the
// session timeout finds its partitions unmoved.
func (g *group) options(topics []string) []kgo.Opt {
	c := g.i.c
	return []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...), kgo.ClientID(g.i.transactionalID()),
		kgo.MaxVersions(kversion.V4_0_0()), // offsets are committed by the topic's name
		kgo.ConsumerGroup(g.i.p.Group), kgo.InstanceID(c.Instance), kgo.ConsumeTopics(topics...),
		// What was polled is handed over before partitions can move.
		kgo.BlockRebalanceOnPoll(),
		kgo.Balancers(balancer{}), kgo.DisableAutoCommit(), kgo.MetadataMinAge(metadataMinAge),
		kgo.SessionTimeout(c.SessionTimeout), kgo.RebalanceTimeout(rebalanceTimeout),
		kgo.HeartbeatInterval(min(c.SessionTimeout/5, heartbeatMax)),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		// Where a partition goes on is decided in offsets, never by the client.
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxWait(fetchWait), kgo.FetchMaxBytes(fetchBytesMax),
		kgo.FetchMaxPartitionBytes(fetchPartitionBytesMax),
		kgo.OnPartitionsAssigned(g.assigned), kgo.OnPartitionsRevoked(g.revoked),
		kgo.OnPartitionsLost(g.lost), kgo.AdjustFetchOffsetsFn(g.offsets),
		kgo.WithHooks(g), kgo.WithLogger(clientLog{c.Log}),
	}
}

// Consume implements sarama.ConsumerGroup: it returns when ctx is done or the attempt has failed.
func (g *group) Consume(ctx context.Context, topics []string, h sarama.ConsumerGroupHandler) error {
	g.i.given = ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	g.i.fatal, g.ctx = cancel, ctx
	defer g.i.consuming(cancel)()
	if err := g.i.failed(); err != nil {
		return err
	}
	if err := g.i.awaitSources(ctx); err != nil {
		if g.i.outer.Err() != nil {
			return nil // it is stopped before it has begun
		}
		g.i.fail(err)
		return err
	}
	alive, kill := context.WithCancel(context.Background())
	defer kill()
	client, err := kgo.NewClient(append(g.options(topics), kgo.WithContext(alive))...)
	if err != nil {
		return fmt.Errorf("join group: %w", err)
	}
	g.client, g.i.group = client, client
	close(g.started)
	var committing sync.WaitGroup
	g.polling.Go(func() { g.poll(ctx) })
	committing.Go(func() { g.i.commitEvery(ctx) })
	committing.Go(func() { g.audit(ctx) })
	committing.Go(func() { g.i.watchSources(ctx) })
	err = g.sessions(ctx, h)
	if err != nil {
		g.i.fail(err)
	}
	cancel(nil)
	committing.Wait()
	return g.end(kill)
}

// end commits what was folded, unless the attempt has failed, leaves the group and closes the
// stores. kill ends the client's requests, which would else wait for a broker that is away.
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
	// What was given up is another's only when this member has joined again. If it comes back by
	// its name before that, it gets the old assignment, and nobody gets the partitions.
	owed := i.membership.generation > 0 && i.membership.generation == g.revokedIn.Load()
	kill()
	g.client.CloseAllowingRebalance()
	g.polling.Wait() // not before: a poll waits for revoked, which waits for settled
	// A part of an assignment would be the same again under the same name.
	if owed || errors.Is(err, errAssignment) || (err == nil && !i.c.StayOnStop) {
		g.leave()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.owned {
		<-p.restored
		if p.store != nil {
			err = errors.Join(err, p.store.close())
		}
	}
	return err
}

// leave gives the place in the group up, so that the partitions move at once and not when the
// session has timed out. The client does not do that for a static member. It is closed by then: it
// would join again as soon as it learned that it is no member any more.
func (g *group) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), closeMax)
	defer cancel()
	if g.i.membership.member == "" {
		return // it would be another that has the name
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

// Errors implements sarama.ConsumerGroup.
func (g *group) Errors() <-chan error { return nil }

// Close implements sarama.ConsumerGroup.
func (g *group) Close() error { return nil }

// Pause implements sarama.ConsumerGroup.
func (g *group) Pause(map[string][]int32) {}

// Resume implements sarama.ConsumerGroup.
func (g *group) Resume(map[string][]int32) {}

// PauseAll implements sarama.ConsumerGroup.
func (g *group) PauseAll() {}

// ResumeAll implements sarama.ConsumerGroup.
func (g *group) ResumeAll() {}

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

// whole tells whether an assignment has the same partitions, which are there, of every topic.
// Others come of a client that does not know all topics yet, and of topics that have grown.
func (g *group) whole(assignment map[string][]int32) error {
	wanted := numbers(assignment)
	for _, n := range wanted {
		if n >= g.i.partitions {
			return fmt.Errorf("%w: there is a partition %d now, and keys lie elsewhere than "+
				"their rows", ErrTopics, n)
		}
	}
	for _, topic := range g.i.p.topics() {
		if got := slices.Sorted(slices.Values(assignment[topic])); !slices.Equal(got, wanted) {
			return fmt.Errorf("%w: partitions %v, and %v of topic %q", errAssignment, wanted,
				got, topic)
		}
	}
	return nil
}

// errAssignment ends an attempt that was assigned parts of partitions.
var errAssignment = errors.New("assignment is not whole")

// assigned takes partitions on: those that a dead owner left an open transaction on are freed, and
// their tables are restored beside what runs. The group's offsets are fetched when it returns.
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
	if err := g.whole(assignment); err != nil {
		g.i.fail(err)
		return
	}
	var parts []*part
	for _, n := range added {
		if g.owned[n] == nil {
			g.owned[n] = g.i.newPart(n)
			parts = append(parts, g.owned[n])
		}
	}
	owned := len(g.owned)
	g.i.tell(func(s *State) { s.Member, s.Owned = true, owned })
	if len(parts) == 0 {
		return
	}
	// Nothing is read while this callback runs, so a broker that does not answer is not waited for.
	fenced := g.fence(added, fenceFirst)
	go g.take(parts, fenced)
}

// fence frees partitions of what dead owners left open. That it fails costs time, not truth: what
// is open ends when it times out.
func (g *group) fence(partitions []int32, atMost time.Duration) (done bool) {
	i := g.i
	ctx, cancel := context.WithTimeout(g.ctx, atMost)
	defer cancel()
	began := time.Now()
	ids, err := fence(ctx, i.producer, i.p.Table(), partitions, i.transactionalID())
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

// take restores partitions; those of which dead owners may have a transaction open are freed first.
func (g *group) take(parts []*part, fenced bool) {
	byNumber := map[int32]*part{}
	for _, p := range parts {
		byNumber[p.id] = p
	}
	if !fenced {
		g.fence(slices.Collect(maps.Keys(byNumber)), fenceMax)
	}
	err := g.restore(byNumber)
	for try := 1; try < restoreTries && errors.Is(err, kerr.OffsetOutOfRange); try++ {
		// The log was cut between the question where it begins and the reading.
		for n, p := range byNumber {
			if p.finished.Load() {
				delete(byNumber, n) // given up, and no more ours to close
			} else if p.store != nil {
				err = errors.Join(err, p.store.close())
				p.store, p.task = nil, nil
			}
		}
		err = g.restore(byNumber)
	}
	if err != nil {
		g.i.fail(fmt.Errorf("restore: %w", err))
	}
	for _, p := range parts {
		p.finish()
	}
}

func (g *group) restore(parts map[int32]*part) error {
	i, wanted := g.i, make([]int32, 0, len(parts))
	for n := range parts {
		wanted = append(wanted, n)
	}
	copies, err := i.open(g.ctx, wanted, i.pool.take(wanted))
	if err != nil {
		return err
	}
	for _, c := range copies { // known from here on to whoever closes the stores
		p := parts[c.store.partition]
		p.store, c.gone = c.store, &p.gone
	}
	if err := i.pool.resume(g.ctx); err != nil {
		return err
	}
	return i.restore(g.ctx, copies, func(c *copyOf) error {
		p := parts[c.store.partition]
		if c.unwanted() {
			p.finish() // who gives it up does not wait for the others
			return nil
		}
		return p.begin(c.store)
	})
}

// offsets decides where new partitions are read from. The table itself tells what it was made of;
// the group's offsets are held against that. They differ when they have expired, or were reset:
// then the table is right.
func (g *group) offsets(ctx context.Context,
	committed map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	parts, err := g.wait(ctx, committed)
	if err != nil {
		return nil, err
	}
	from, err := g.from(ctx, parts, committed)
	for began := time.Now(); errors.Is(err, ErrTopics) && time.Since(began) < topicsAfter; {
		// A broker that has just started may not know yet how far its topics go.
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(restartAfterMin):
		}
		from, err = g.from(ctx, parts, committed)
	}
	if err != nil {
		if ctx.Err() == nil {
			g.i.fail(err)
		}
		return nil, err
	}
	c := change{done: make(chan struct{})}
	for n, p := range parts {
		c.add = append(c.add, p)
		g.i.resumeFetch(g.i.p.topics(), n) // the client keeps what was paused before
	}
	return from, g.apply(ctx, c)
}

// from finds where each topic of new partitions is read from, and tells their readers.
func (g *group) from(ctx context.Context, parts map[int32]*part,
	committed map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	// What is not committed is no part of a topic yet, and nobody waits for it.
	starts, ends, err := g.i.bounds(ctx, (*kadm.Client).ListCommittedOffsets, g.i.p.topics()...)
	if err != nil {
		return nil, fmt.Errorf("bounds of inputs: %w", err)
	}
	from := map[string]map[int32]kgo.Offset{}
	for topic, partitions := range committed {
		from[topic] = map[int32]kgo.Offset{}
		for n, at := range partitions {
			p := parts[n]
			if p == nil {
				continue
			}
			start, _ := starts.Lookup(topic, n)
			end, _ := ends.Lookup(topic, n)
			next, err := g.next(p, topic, at.EpochOffset().Offset, start.Offset, end.Offset)
			if err != nil {
				return nil, err
			}
			p.read.start(topic, next, end.Offset)
			from[topic][n] = kgo.NewOffset().At(next)
		}
	}
	return from, nil
}

// wait waits until the partitions of an assignment are restored.
func (g *group) wait(ctx context.Context,
	committed map[string]map[int32]kgo.Offset) (map[int32]*part, error) {
	parts := map[int32]*part{}
	g.mu.Lock()
	for _, partitions := range committed {
		for n := range partitions {
			if p := g.owned[n]; p != nil {
				parts[n] = p
			}
		}
	}
	g.mu.Unlock()
	for _, p := range parts {
		select {
		case <-p.restored:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return parts, g.i.failed()
}

// next is where a topic of a partition is read from; committed is below zero for never. A topic
// that ends before what the table has of it was made anew or has lost records. Whether what it has
// now was folded is for a person to say, by the group's offset.
func (g *group) next(p *part, topic string, committed, start, end int64) (int64, error) {
	next, known := p.progress[topic]
	log := g.i.c.Log.With("group", g.i.p.Group, "topic", topic, "partition", p.id,
		"group_offset", committed)
	switch {
	case known && next > end && (committed < 0 || committed > end):
		return 0, fmt.Errorf("%w: %s/%d ends at %d, and the table has it up to %d: it was made "+
			"anew or has lost records; set the group's offset to where to go on", ErrTopics, topic,
			p.id, end, next)
	case known && next > end:
		log.Warn("the topic ends before the table's offset; the group's counts", "table_offset",
			next, "end", end)
		g.i.c.Metrics.offsetMismatch(g.i.p.Group)
		next = committed
	case known:
		if committed != next && committed >= 0 {
			log.Warn("the group's offset is not the table's, which counts", "table_offset", next)
			g.i.c.Metrics.offsetMismatch(g.i.p.Group)
		}
	case committed < 0:
		return start, nil
	default:
		if !p.known {
			log.Warn("the table is empty but the group has read: what it read before is not " +
				"in the table; to fold it, reset the group's offsets")
			g.i.c.Metrics.offsetMismatch(g.i.p.Group)
		}
		next = min(committed, end)
	}
	if next < start {
		log.Warn("records were deleted before they were read", "next", next, "begin", start)
	}
	return max(next, start), nil
}

// apply hands a change to the sequence of sessions and waits until it is done.
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

// revoked gives partitions up: what was folded of them is committed before it returns.
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
			<-g.settled // the end of the attempt commits, and others wait for that
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

// interrupt ends restores of partitions that are given up, while those that stay are folded; false
// at the end of the attempt.
func (g *group) interrupt(partitions []int32) bool {
	var parts []*part
	g.mu.Lock()
	for _, n := range partitions {
		if p := g.owned[n]; p != nil {
			p.gone.Store(true)
			parts = append(parts, p)
		}
	}
	g.mu.Unlock()
	for _, p := range parts {
		select {
		case <-p.restored:
		case <-g.ctx.Done():
			return false
		}
	}
	return g.ctx.Err() == nil
}

// lost keeps all that was not committed from being committed: who has the partitions now may have
// folded already.
func (g *group) lost(_ context.Context, _ *kgo.Client, assignment map[string][]int32) {
	<-g.started
	if g.ctx.Err() == nil && len(numbers(assignment)) > 0 {
		g.i.expelled.Store(true) // OnGroupManageError tells why
	}
}

// OnGroupManageError implements kgo.HookGroupManageError. The client joins again by itself, which
// is as good as a new attempt as long as there is nothing to forget.
func (g *group) OnGroupManageError(err error) {
	if g.ctx.Err() == nil && (g.i.expelled.Load() || classify(err).decision == stop) {
		g.i.fail(fmt.Errorf("lost the place in the group: %w", err))
	}
}

// poll fetches records and hands them to the readers of their partitions.
func (g *group) poll(ctx context.Context) {
	i := g.i
	for ctx.Err() == nil {
		fetches := g.client.PollFetches(ctx)
		if err := i.fetchErrors(fetches); err != nil {
			g.client.AllowRebalance()
			i.fail(fmt.Errorf("read inputs: %w", err))
			return
		}
		fetches.EachPartition(func(f kgo.FetchTopicPartition) {
			p := i.part(f.Partition)
			if p == nil {
				return // revoked meanwhile
			}
			bytes, full := p.read.feed(f.Topic, f.Records, f.LastStableOffset)
			i.queued.Add(bytes)
			if full {
				g.client.PauseFetchPartitions(map[string][]int32{f.Topic: {f.Partition}})
				i.c.Metrics.paused(f.Topic)
				if !p.read.isPaused(f.Topic) { // folded meanwhile
					i.resumeFetch([]string{f.Topic}, f.Partition)
				}
			}
		})
		g.client.AllowRebalance()
		for i.queued.Load() > queueBytesMax && i.starving.Load() == 0 {
			select {
			case <-ctx.Done():
				return
			case <-i.room:
			}
		}
	}
}

// resumeFetch has topics of a partition fetched again.
func (i *instance) resumeFetch(topics []string, partition int32) {
	again := map[string][]int32{}
	for _, topic := range topics {
		again[topic] = []int32{partition}
	}
	i.group.ResumeFetchPartitions(again)
}

// fetchErrors is the first error of fetches that does not pass; the client tries again after those
// that do.
func (i *instance) fetchErrors(fetches kgo.Fetches) error {
	var first error
	fetches.EachError(func(topic string, partition int32, err error) {
		var lost *kgo.ErrGroupSession
		switch {
		case errors.As(err, &lost): // OnGroupManageError is told, too
		case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
			errors.Is(err, kgo.ErrClientClosed):
		case classify(err).decision == retry:
			i.c.Log.Debug("fetch", "topic", topic, "partition", partition, "error", err)
		case first == nil:
			first = fmt.Errorf("%s/%d: %w", topic, partition, err)
		}
	})
	return first
}
