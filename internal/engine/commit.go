package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// progressKey is the key of the changelog record that every unit of work writes: where the
// inputs stood. It also makes sure that a transaction is never empty, as the client would not
// end one that holds nothing but offsets.
const progressKey = reserved + "progress"

// retryEvery is the pause before a refused offset commit is sent again.
const retryEvery = 20 * time.Millisecond

// mark takes note that a record is folded.
func (i *instance) mark(topic string, partition int32, next int64) {
	i.mu.Lock()
	claim := i.claimed[partition]
	i.mu.Unlock()
	if claim == nil {
		return
	}
	claim.mu.Lock()
	claim.next[topic] = next
	claim.mu.Unlock()
	claim.done.Add(1)
	if i.waiting.Load() {
		i.mu.Lock()
		i.folded.Broadcast()
		i.mu.Unlock()
	}
}

// commitRunning stops the hand-over of records, waits until those that were handed over are
// folded, and commits.
func (i *instance) commitRunning() error {
	i.gate.Lock()
	defer i.gate.Unlock()
	i.waiting.Store(true)
	defer i.waiting.Store(false)
	i.mu.Lock()
	for !i.quiet() && !i.closing {
		i.folded.Wait()
	}
	closing := i.closing
	i.mu.Unlock()
	if closing {
		return nil // Cleanup commits
	}
	return i.commit()
}

func (i *instance) quiet() bool {
	for _, claim := range i.claimed {
		if claim.done.Load() < claim.delivered.Load() {
			return false
		}
	}
	return true
}

// commit makes the unit of work count. No fold is running.
//
// An error is the end of the attempt: it is noted, so that no later commit can make count what
// the broker refused. The rows of the unit die with the stores' memory.
func (i *instance) commit() error {
	if err := i.failed(); err != nil {
		return err
	}
	offsets := i.takeOffsets()
	if len(offsets) == 0 && i.produced.Load() == 0 {
		return nil
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 3*transactionTimeout)
	defer cancel()
	var err error
	if i.c.Guarantee == ExactlyOnce {
		err = i.commitTransaction(ctx, offsets)
	} else {
		err = i.commitInOrder(ctx, offsets)
	}
	i.c.Metrics.committed(i.p.Group, time.Since(start), err)
	if err == nil {
		i.produced.Store(0)
		err = i.commitStores()
	}
	if err != nil {
		err = fmt.Errorf("commit: %w", err)
		i.failure.CompareAndSwap(nil, &err)
	}
	return err
}

// takeOffsets collects where the next records of every input begin.
func (i *instance) takeOffsets() map[string]map[int32]int64 {
	offsets := map[string]map[int32]int64{}
	i.mu.Lock()
	defer i.mu.Unlock()
	for partition, claim := range i.claimed {
		claim.mu.Lock()
		for topic, next := range claim.next {
			if offsets[topic] == nil {
				offsets[topic] = map[int32]int64{}
			}
			offsets[topic][partition] = next
		}
		clear(claim.next)
		claim.mu.Unlock()
	}
	return offsets
}

// commitTransaction commits changelog, outputs and offsets as one Kafka transaction. With
// transaction.version 2 (KIP-890) the coordinator adds the offsets to the transaction itself.
func (i *instance) commitTransaction(
	ctx context.Context,
	offsets map[string]map[int32]int64,
) error {
	i.sendChangelog(offsets)
	err := i.flush(ctx)
	if err == nil {
		err = i.commitOffsets(ctx, offsets, i.transactionOffsets)
	}
	if err != nil {
		return errors.Join(err, i.client.EndTransaction(ctx, kgo.TryAbort))
	}
	if err := i.client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("end transaction: %w", err)
	}
	return i.client.BeginTransaction()
}

// commitInOrder commits without a transaction. Whatever the moment of a crash, the changelog
// never tells of a record whose outputs are not written, nor do the offsets tell of one that the
// changelog does not: what was begun is done again, and nothing is skipped.
func (i *instance) commitInOrder(ctx context.Context, offsets map[string]map[int32]int64) error {
	if err := i.flush(ctx); err != nil {
		return err
	}
	i.sendChangelog(offsets)
	if err := i.flush(ctx); err != nil {
		return err
	}
	return i.commitOffsets(ctx, offsets, i.plainOffsets)
}

func (i *instance) flush(ctx context.Context) error {
	if err := i.client.Flush(ctx); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	return i.failed()
}

// sendChangelog writes the rows that the unit of work changed: each once, however often it was
// folded into.
func (i *instance) sendChangelog(offsets map[string]map[int32]int64) {
	i.mu.Lock()
	stores := make(map[int32]*store, len(i.stores))
	for key, s := range i.stores {
		stores[key.partition] = s
	}
	claims := i.claimed
	i.mu.Unlock()
	for partition, s := range stores {
		claim := claims[partition]
		if claim == nil {
			continue
		}
		for key, row := range s.changes() {
			i.sendRow(claim, partition, key, row)
		}
		if progress := progressOf(offsets, partition); progress != nil {
			i.sendRow(claim, partition, progressKey, progress)
		}
	}
}

// sendRow writes one row to the changelog and takes note of its offset.
func (i *instance) sendRow(claim *claimed, partition int32, key string, row []byte) {
	r := &kgo.Record{Topic: i.p.Table(), Partition: partition, Key: []byte(key), Value: row}
	i.produced.Add(1)
	i.client.Produce(context.Background(), r, func(r *kgo.Record, err error) {
		if err != nil {
			err = fmt.Errorf("write changelog %s/%d: %w", r.Topic, r.Partition, err)
			i.failure.CompareAndSwap(nil, &err)
			return
		}
		claim.mu.Lock()
		claim.changelog = max(claim.changelog, r.Offset)
		claim.mu.Unlock()
	})
}

// progressOf writes where the inputs of a partition stand: topic, space, next offset, newline.
func progressOf(offsets map[string]map[int32]int64, partition int32) []byte {
	var text []byte
	for topic, partitions := range offsets {
		if next, ok := partitions[partition]; ok {
			text = append(text, topic...)
			text = append(text, ' ')
			text = strconv.AppendInt(text, next, 10)
			text = append(text, '\n')
		}
	}
	return text
}

// commitStores lets the disks have what is committed.
func (i *instance) commitStores() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	var err error
	for key, s := range i.stores {
		claim := i.claimed[key.partition]
		if claim == nil {
			continue
		}
		claim.mu.Lock()
		offset := claim.changelog
		claim.mu.Unlock()
		err = errors.Join(err, s.commit(offset))
	}
	return err
}

// commitOffsets sends the input offsets, with the member and the generation that they were read
// in, so that the coordinator refuses those of a member that is one no more (KIP-447). What
// passes by itself is tried again; kerr does not count a transaction that is still being ended
// among that.
func (i *instance) commitOffsets(ctx context.Context, offsets map[string]map[int32]int64,
	send func(context.Context, map[string]map[int32]int64) error) error {
	if len(offsets) == 0 {
		return nil
	}
	for {
		err := send(ctx, offsets)
		if err == nil {
			return nil
		}
		if !kerr.IsRetriable(err) && !errors.Is(err, kerr.ConcurrentTransactions) {
			return fmt.Errorf("commit offsets: %w", err)
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(retryEvery):
		}
	}
}

func (i *instance) transactionOffsets(
	ctx context.Context,
	offsets map[string]map[int32]int64,
) error {
	id, epoch, err := i.client.ProducerID(ctx)
	if err != nil {
		return err
	}
	q := kmsg.NewPtrTxnOffsetCommitRequest()
	q.TransactionalID, q.Group = i.transactionalID(), i.p.Group
	q.ProducerID, q.ProducerEpoch = id, epoch
	q.Generation, q.MemberID = i.session.GenerationID(), i.session.MemberID()
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
	response, err := q.RequestWith(ctx, i.client)
	if err != nil {
		return err
	}
	for _, t := range response.Topics {
		for _, p := range t.Partitions {
			err = errors.Join(err, kerr.ErrorForCode(p.ErrorCode))
		}
	}
	return firstOf(err)
}

func (i *instance) plainOffsets(ctx context.Context, offsets map[string]map[int32]int64) error {
	q := kmsg.NewPtrOffsetCommitRequest()
	q.Group = i.p.Group
	q.Generation, q.MemberID = i.session.GenerationID(), i.session.MemberID()
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
	response, err := q.RequestWith(ctx, i.client)
	if err != nil {
		return err
	}
	for _, t := range response.Topics {
		for _, p := range t.Partitions {
			err = errors.Join(err, kerr.ErrorForCode(p.ErrorCode))
		}
	}
	return firstOf(err)
}

// firstOf is one error of a joined one: kerr's own questions do not look into a join of several.
func firstOf(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()[0]
	}
	return err
}

// clockEvery is how often a clock record is sent to a partition that is not idle, for what was
// put off until one.
const clockEvery = time.Minute

// moveClock sends a clock record to each partition that has been silent for long, or has had none
// for long, so that what is due there is done.
func (i *instance) moveClock() {
	if i.p.Clock == "" || i.c.IdleAfter < 0 {
		return
	}
	now := time.Now()
	i.mu.Lock()
	defer i.mu.Unlock()
	for partition, claim := range i.claimed {
		idle := now.UnixMilli() - claim.lastRecord.Load()
		if idle < i.c.IdleAfter.Milliseconds() && now.Sub(claim.lastClock) < clockEvery {
			continue
		}
		claim.lastRecord.Store(now.UnixMilli())
		claim.lastClock = now
		i.send(clockRecord(i.p.Clock, partition, now))
	}
}

func clockRecord(topic string, partition int32, now time.Time) *kgo.Record {
	return &kgo.Record{Topic: topic, Partition: partition, Value: []byte{},
		Headers: []kgo.RecordHeader{
			{Key: HeaderArrival, Value: arrivalHeader(now.UnixMilli()).Value},
		}}
}
