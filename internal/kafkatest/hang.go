package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Hang is a transaction to be left open on a partition although its coordinator has ended it, as a
// broker leaves one that was killed and is back at once.
type Hang struct {
	ID    string // transactional id
	Topic string
	Ended int32 // the partition whose marker is written
	Open  int32 // the partition that lacks it
	Key   string
	// Commit is the coordinator's outcome.
	Commit bool
	// Group is a group whose offset of Topic/Open hangs as well; empty for none.
	Group string
	// Offset is that offset.
	Offset int64
	// Begun leaves the coordinator without the transaction: it has no outcome. Nothing is ended.
	Begun bool
}

// hanging is held while a broker does not verify transactions: tests that share it may hang some at
// the same time.
var hanging sync.Mutex

// Bounds of the wait for a broker to apply a setting that it has taken: it does so a while after it
// has answered.
const (
	unverifiedMax   = 10 * time.Second
	unverifiedEvery = 20 * time.Millisecond
)

// MakeHang leaves a transaction open, and returns its producer. What hangs is written past the
// coordinator, after the outcome, so the broker does not verify transactions meanwhile. It needs a
// real Kafka with transaction.version 2.
func MakeHang(ctx context.Context, addrs []string, h Hang) (producer int64, epoch int16,
	err error) {
	hanging.Lock()
	defer hanging.Unlock()
	err = withClient(addrs, func(cl *kgo.Client) error {
		if err := verifyTransactions(ctx, kadm.NewClient(cl), "false"); err != nil {
			return err
		}
		if producer, epoch, err = cl.ProducerID(ctx); err != nil || h.Begun {
			return err
		}
		if err := cl.BeginTransaction(); err != nil {
			return err
		}
		ended := &kgo.Record{Topic: h.Topic, Partition: h.Ended, Key: []byte(h.Key)}
		if err := cl.ProduceSync(ctx, ended).FirstErr(); err != nil {
			return err
		}
		return cl.EndTransaction(ctx, kgo.TransactionEndTry(h.Commit))
	}, kgo.TransactionalID(h.ID), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return 0, 0, fmt.Errorf("make a transaction: %w", err)
	}
	defer func() {
		err = errors.Join(err, withClient(addrs, func(cl *kgo.Client) error {
			return verifyTransactions(ctx, kadm.NewClient(cl), "true")
		}))
	}()
	// The requests of clients without transaction.version 2, which do not ask the coordinator.
	err = withClient(addrs, func(cl *kgo.Client) error {
		err := writeHanging(ctx, cl, h, producer, epoch)
		for until := time.Now().Add(unverifiedMax); verified(err) && time.Now().Before(until); {
			<-time.After(unverifiedEvery)
			err = writeHanging(ctx, cl, h, producer, epoch)
		}
		if err != nil || h.Group == "" {
			return err
		}
		return offsetHanging(ctx, cl, h, producer, epoch)
	}, kgo.MaxVersions(kversion.V3_8_0()))
	if err != nil {
		return 0, 0, fmt.Errorf("let a transaction hang: %w", err)
	}
	return producer, epoch, nil
}

// verifyTransactions has the broker refuse what belongs to no transaction of a coordinator, or not.
func verifyTransactions(ctx context.Context, admin *kadm.Client, yes string) error {
	altered, err := admin.AlterBrokerConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig,
		Name: "transaction.partition.verification.enable", Value: &yes}})
	if err != nil {
		return err
	}
	for _, a := range altered {
		err = errors.Join(err, a.Err)
	}
	return err
}

// verified reports whether a broker has asked the coordinator, as it has not applied the setting
// yet. The coordinator does not know the partition, or has a later epoch since the transaction
// ended.
func verified(err error) bool {
	return errors.Is(err, kerr.TransactionAbortable) || errors.Is(err, kerr.InvalidProducerEpoch)
}

// writeHanging writes a batch of a transaction, one record.
func writeHanging(ctx context.Context, cl *kgo.Client, h Hang, producer int64,
	epoch int16) error {
	q := kmsg.NewPtrProduceRequest()
	q.TransactionID, q.Acks, q.TimeoutMillis = &h.ID, -1, 5000
	t, p := kmsg.NewProduceRequestTopic(), kmsg.NewProduceRequestTopicPartition()
	t.Topic, p.Partition = h.Topic, h.Open
	p.Records = batchOf(h.Key, producer, epoch)
	t.Partitions = append(t.Partitions, p)
	q.Topics = append(q.Topics, t)
	meta, err := kadm.NewClient(cl).Metadata(ctx, h.Topic)
	if err != nil {
		return err
	}
	leader := meta.Topics[h.Topic].Partitions[h.Open].Leader
	response, err := q.RequestWith(ctx, cl.Broker(int(leader)))
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(response.Topics[0].Partitions[0].ErrorCode)
}

// batchOf is a batch of a transaction, with one record.
func batchOf(key string, producer int64, epoch int16) []byte {
	const (
		transactional = 0x10
		lengthEnd     = 12 // the length of a batch does not count what is before this
		checksumEnd   = 21 // nor its checksum what is before this
	)
	record := kmsg.Record{Key: []byte(key)}
	record.Length = int32(len(record.AppendTo(nil)) - 1) // the length itself takes one byte
	now := time.Now().UnixMilli()
	batch := kmsg.RecordBatch{PartitionLeaderEpoch: -1, Magic: 2, Attributes: transactional,
		FirstTimestamp: now, MaxTimestamp: now, ProducerID: producer, ProducerEpoch: epoch,
		NumRecords: 1, Records: record.AppendTo(nil)}
	batch.Length = int32(len(batch.AppendTo(nil)) - lengthEnd)
	sum := crc32.Checksum(batch.AppendTo(nil)[checksumEnd:], crc32.MakeTable(crc32.Castagnoli))
	batch.CRC = int32(sum)
	return batch.AppendTo(nil)
}

// offsetHanging adds an offset of a group to a transaction.
func offsetHanging(ctx context.Context, cl *kgo.Client, h Hang, producer int64,
	epoch int16) error {
	q := kmsg.NewPtrTxnOffsetCommitRequest()
	q.TransactionalID, q.Group, q.ProducerID, q.ProducerEpoch = h.ID, h.Group, producer, epoch
	q.Generation = -1
	t := kmsg.NewTxnOffsetCommitRequestTopic()
	t.Topic = h.Topic
	p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset, p.LeaderEpoch = h.Open, h.Offset, -1
	t.Partitions = append(t.Partitions, p)
	q.Topics = append(q.Topics, t)
	response, err := q.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(response.Topics[0].Partitions[0].ErrorCode)
}
