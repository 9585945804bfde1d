package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// progressKey is the key of the changelog record that every unit of work writes: where the
// inputs stand. What a table was made of is so told by the table itself, and the group's offsets
// are held against it. It also makes sure that a transaction is never empty, as the client would
// not end one that holds nothing but offsets.
const progressKey = reserved + "progress"

// retryEvery is the pause before a refused request is sent again.
const retryEvery = 20 * time.Millisecond

// commitMax is how long a commit may take; by then the coordinator has aborted it.
const commitMax = 3 * transactionTimeout

// unit is a unit of work: what was folded between two cuts, and nothing of what is folded since.
type unit struct {
	parts  []partUnit
	clocks []*kgo.Record
}

// partUnit is what a unit of work did in one partition.
type partUnit struct {
	p      *part
	rows   map[string][]byte
	out    []*kgo.Record
	next   map[string]int64
	oldest int64

	mu        sync.Mutex
	changelog int64 // largest offset of a changelog record; -1 for none
}

// commitEvery cuts and commits a unit of work at every interval, until ctx is done.
func (i *instance) commitEvery(ctx context.Context) {
	ticker := time.NewTicker(i.c.CommitInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-i.hurried:
		}
		i.moveClock()
		if err := i.commit(ctx); err != nil {
			i.fail(err)
			return
		}
		i.tellLag()
	}
}

// commit cuts the running unit of work and makes it count. Records are folded on meanwhile, into
// the next one; it is not cut before this one is committed.
//
// An error is the end of the attempt: it is noted, so that no later commit can make count what
// the broker refused. The rows of both units die with the stores' memory.
func (i *instance) commit(ctx context.Context) error {
	i.commitMu.Lock()
	defer i.commitMu.Unlock()
	if err := i.failed(); err != nil {
		return err
	}
	u := i.cut()
	if u == nil {
		return i.writeStores()
	}
	start := time.Now()
	ctx, cancel := i.commitContext(ctx)
	defer cancel()
	var err error
	if i.c.Guarantee == ExactlyOnce {
		err = i.commitTransaction(ctx, u)
	} else {
		err = i.commitInOrder(ctx, u)
	}
	i.c.Metrics.committed(i.p.Group, time.Since(start), err)
	if err == nil {
		err = errors.Join(i.keep(u), i.writeStores())
	}
	if err != nil {
		err = fmt.Errorf("commit: %w", err)
		i.note(err)
	}
	return err
}

// commitContext is that of a commit, which is not broken off when the attempt ends in good order:
// it would be done again, by whoever has the partitions then.
func (i *instance) commitContext(ctx context.Context) (context.Context, context.CancelFunc) {
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitMax)
	stop := context.AfterFunc(ctx, func() {
		if i.failed() != nil {
			cancel()
			return
		}
		time.AfterFunc(closeMax, cancel)
	})
	return own, func() { stop(); cancel() }
}

// cut ends the running unit of work and begins the next; nil where nothing was done.
func (i *instance) cut() *unit {
	i.gate.Lock()
	defer i.gate.Unlock()
	i.mu.Lock()
	defer i.mu.Unlock()
	u := &unit{clocks: i.clocks}
	i.clocks = nil
	for _, p := range i.parts {
		if len(p.next) == 0 {
			continue
		}
		for topic, next := range p.next {
			p.progress[topic] = next
		}
		p.store.set(progressKey, progressOf(p.progress))
		u.parts = append(u.parts, partUnit{p: p, rows: p.store.cut(), out: p.out, next: p.next,
			oldest: p.oldest, changelog: -1})
		p.out, p.next, p.weight, p.oldest = nil, map[string]int64{}, 0, 0
	}
	close(i.wasCut)
	i.wasCut = make(chan struct{})
	if len(u.parts) == 0 && len(u.clocks) == 0 {
		return nil
	}
	return u
}

// commitTransaction commits changelog, outputs and offsets as one Kafka transaction. With
// transaction.version 2 (KIP-890) the coordinator adds the offsets to the transaction itself.
func (i *instance) commitTransaction(ctx context.Context, u *unit) error {
	if err := i.producer.BeginTransaction(); err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	i.sendOutputs(ctx, u)
	i.sendChangelog(ctx, u)
	err := i.flush(ctx)
	if offsets := u.offsets(); err == nil && len(offsets) > 0 {
		err = i.commitOffsets(ctx, offsets, i.transactionOffsets)
	}
	if err != nil {
		return err // closeProducer aborts
	}
	err = i.producer.EndTransaction(ctx, kgo.TryCommit)
	switch {
	case err == nil:
		return nil
	case endOfTransactionUnknown(err):
		// Never asked for again: what came of it is read when the table is restored.
		return fmt.Errorf("end transaction, which may have been committed: %w", err)
	}
	return fmt.Errorf("end transaction: %w", err)
}

// commitInOrder commits without a transaction. Whatever the moment of a crash, the changelog
// never tells of a record whose outputs are not written, nor do the offsets tell of one that the
// changelog does not: what was begun is done again, and nothing is skipped. No broker refuses the
// rows of a member that was expelled while it stood still, so it asks before it writes them; one
// that stands still between the answer and the writing can still put older rows over newer ones,
// which a transaction would have refused.
func (i *instance) commitInOrder(ctx context.Context, u *unit) error {
	i.sendOutputs(ctx, u)
	if err := i.flush(ctx); err != nil {
		return err
	}
	if len(u.parts) > 0 {
		if err := i.commitOffsets(ctx, nil, i.askMembership); err != nil {
			return err
		}
	}
	i.sendChangelog(ctx, u)
	if err := i.flush(ctx); err != nil {
		return err
	}
	if offsets := u.offsets(); len(offsets) > 0 {
		return i.commitOffsets(ctx, offsets, i.plainOffsets)
	}
	return nil
}

func (i *instance) flush(ctx context.Context) error {
	if err := i.producer.Flush(ctx); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	return i.failed()
}

// sendOutputs sends what was emitted; an error shows when it is flushed.
func (i *instance) sendOutputs(ctx context.Context, u *unit) {
	note := func(r *kgo.Record, err error) {
		if err != nil {
			i.note(&produceError{r.Topic, r.Partition, err})
		}
	}
	for n := range u.parts {
		for _, r := range u.parts[n].out {
			i.producer.Produce(ctx, r, note)
			i.c.Metrics.produced(r.Topic)
		}
	}
	for _, r := range u.clocks {
		i.producer.Produce(ctx, r, note)
	}
}

// sendChangelog writes the rows that the unit of work changed: each once, however often it was
// folded into.
func (i *instance) sendChangelog(ctx context.Context, u *unit) {
	for n := range u.parts {
		pu := &u.parts[n]
		note := func(r *kgo.Record, err error) {
			if err != nil {
				i.note(&produceError{r.Topic, r.Partition, err})
				return
			}
			pu.mu.Lock()
			pu.changelog = max(pu.changelog, r.Offset)
			pu.mu.Unlock()
		}
		records := make([]kgo.Record, 0, len(pu.rows))
		for key, row := range pu.rows {
			records = append(records, kgo.Record{Topic: i.p.Table(), Partition: pu.p.id,
				Key: []byte(key), Value: row})
			i.producer.Produce(ctx, &records[len(records)-1], note)
		}
	}
}

// keep lets the stores have what is committed.
func (i *instance) keep(u *unit) error {
	var err error
	now := time.Now()
	for n := range u.parts {
		pu := &u.parts[n]
		pu.mu.Lock()
		offset := pu.changelog
		pu.mu.Unlock()
		err = errors.Join(err, pu.p.store.committed(offset))
		i.c.Metrics.sinkLatency(i.p.Group, now.UnixMilli()-pu.oldest)
	}
	return err
}

// writeStores has the disks get what is committed for long enough.
func (i *instance) writeStores() error {
	var err error
	for _, p := range i.active() {
		err = errors.Join(err, p.store.write(false))
	}
	return err
}

// offsets are where the next records of every input begin.
func (u *unit) offsets() map[string]map[int32]int64 {
	offsets := map[string]map[int32]int64{}
	for n := range u.parts {
		for topic, next := range u.parts[n].next {
			if offsets[topic] == nil {
				offsets[topic] = map[int32]int64{}
			}
			offsets[topic][u.parts[n].p.id] = next
		}
	}
	return offsets
}

// membership is the place in the group that offsets are committed from.
type membership struct {
	member     string
	generation int32
}

// commitOffsets sends the input offsets, with the member and the generation that they were read
// in, so that the coordinator refuses those of a member that is one no more (KIP-447). While the
// group agrees anew, the partitions are still ours, and the new generation is waited for. A member
// that was expelled comes back under another id: its partitions may have been another's meanwhile,
// so nothing of what it did counts.
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
			return fmt.Errorf("commit offsets: %w, and was told: %v", errExpelled, err)
		}
		why := classify(err)
		if why.decision != retry && !errors.Is(err, kerr.RebalanceInProgress) &&
			!errors.Is(err, kerr.IllegalGeneration) {
			return fmt.Errorf("commit offsets: %w", err)
		}
		i.c.Metrics.refused(i.p.Group, why.class)
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("commit offsets: %w", err), ctx.Err())
		case <-time.After(retryEvery):
		}
	}
}

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

// askMembership asks the coordinator whether the member is one still.
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
		return nil // it is one, and is about to learn of that
	}
	return err
}

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

// clockEvery is how often a clock record is sent to a partition that is not idle, for what was
// put off until one.
const clockEvery = time.Minute

// moveClock has a clock record sent, with the unit of work, to each partition that has been silent
// for long, or has had none for long, so that what is due there is done.
func (i *instance) moveClock() {
	if i.p.Clock == "" || i.c.IdleAfter < 0 {
		return
	}
	now := time.Now()
	i.mu.Lock()
	defer i.mu.Unlock()
	for id, p := range i.parts {
		idle := now.UnixMilli() - p.lastRecord.Load()
		if idle < i.c.IdleAfter.Milliseconds() && now.Sub(p.lastClock) < clockEvery {
			continue
		}
		p.lastRecord.Store(now.UnixMilli())
		p.lastClock = now
		i.clocks = append(i.clocks, clockRecord(i.p.Clock, id, now))
	}
}

func clockRecord(topic string, partition int32, now time.Time) *kgo.Record {
	return &kgo.Record{Topic: topic, Partition: partition, Value: []byte{},
		Headers: []kgo.RecordHeader{
			{Key: HeaderArrival, Value: arrivalHeader(now.UnixMilli()).Value},
		}}
}
