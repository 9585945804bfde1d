package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	fetchBytes = 16 << 20               // of one partition in one answer
	fetchWait  = 100 * time.Millisecond // how long the broker holds back an empty answer
	emptyLimit = 2                      // empty answers in a row that prove there is nothing
)

// ReadAll returns the topic's records from the first one to the high watermark at the time of
// the call, in the order of partition and offset. With committed it leaves out what belongs to
// aborted transactions, and waits, as long as the context allows, behind an open one: what lies
// after that could be neither shown nor left out.
//
// It ends by position, not by the last record: partitions that are empty, that compaction has
// thinned, or that end in a transaction marker end too.
func ReadAll(
	ctx context.Context, addrs []string, topic string, committed bool,
) ([]*kgo.Record, error) {
	var records []*kgo.Record
	err := withClient(addrs, func(cl *kgo.Client) error {
		parts, err := partitionsOf(ctx, kadm.NewClient(cl), topic)
		if err != nil {
			return err
		}
		for _, p := range parts {
			err := p.each(ctx, cl, committed, func(r *kgo.Record) bool {
				records = append(records, r)
				return true
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return records, err
}

// each calls yield with the records of p from p.start up to p.end, until yield returns false.
// A consumer group client hides its position, and the position is what tells the end, so this
// asks the leader directly.
func (p part) each(
	ctx context.Context, cl *kgo.Client, committed bool, yield func(*kgo.Record) bool,
) error {
	at, empty := p.start, 0
	for at < p.end {
		answer, err := p.fetch(ctx, cl, at, committed)
		if err != nil {
			return fmt.Errorf("read %s/%d at %d of %d: %w", p.topic, p.partition, at, p.end, err)
		}
		if answer.lost {
			// Retention has moved the start on since it was looked up.
			at = answer.logStart
			continue
		}
		for _, r := range answer.records {
			if r.Offset >= p.end {
				break
			}
			if !yield(r) {
				return nil
			}
		}
		if answer.next > at {
			at, empty = answer.next, 0
			continue
		}
		if answer.visible < p.end {
			if err := Pause(ctx, fetchWait); err != nil {
				return fmt.Errorf("read %s/%d: open transaction at %d, end %d: %w",
					p.topic, p.partition, answer.visible, p.end, err)
			}
			continue
		}
		// Compaction may have left nothing at all below the end.
		if empty++; empty == emptyLimit {
			return nil
		}
	}
	return nil
}

// Pause waits for d, or returns the context's error.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// answer is what the leader says about one partition from one offset on.
type answer struct {
	records  []*kgo.Record
	next     int64 // position after what was answered, markers and gaps included
	visible  int64 // where the isolation level lets readers end
	logStart int64
	lost     bool // the offset asked for lies before logStart
}

func (p part) fetch(
	ctx context.Context, cl *kgo.Client, at int64, committed bool,
) (answer, error) {
	isolation := kgo.ReadUncommitted()
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis = int32(fetchWait.Milliseconds())
	req.MinBytes = 1
	req.MaxBytes = fetchBytes
	if committed {
		isolation = kgo.ReadCommitted()
		req.IsolationLevel = 1
	}
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.TopicID = p.topic, p.id
	partition := kmsg.NewFetchRequestTopicPartition()
	partition.Partition = p.partition
	partition.FetchOffset = at
	partition.PartitionMaxBytes = fetchBytes
	topic.Partitions = append(topic.Partitions, partition)
	req.Topics = append(req.Topics, topic)

	resp, err := req.RequestWith(ctx, cl.Broker(int(p.leader)))
	if err != nil {
		return answer{}, err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return answer{}, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return answer{}, errors.New("answer names no partition")
	}
	raw := &resp.Topics[0].Partitions[0]
	got, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		Offset: at, IsolationLevel: isolation, Topic: p.topic, Partition: p.partition,
	}, raw, kgo.DefaultDecompressor(), nil)
	if errors.Is(got.Err, kerr.OffsetOutOfRange) && got.LogStartOffset > at {
		return answer{lost: true, logStart: got.LogStartOffset}, nil
	}
	visible := got.HighWatermark
	if committed {
		visible = got.LastStableOffset
	}
	return answer{records: got.Records, next: next, visible: visible}, got.Err
}
