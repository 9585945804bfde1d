//go:build linux

package harness

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ReadAll calls yield with the committed records of a topic that is not written to any more.
func ReadAll(ctx context.Context, addr, topic string, yield func(*kgo.Record) error) error {
	left := map[int32]int64{} // ends of the partitions that are not read yet
	if err := Admin(addr, func(adm *kadm.Client) error {
		ends, err := adm.ListEndOffsets(ctx, topic)
		ends.Each(func(o kadm.ListedOffset) {
			if o.Offset > 0 {
				left[o.Partition] = o.Offset
			}
		})
		return errors.Join(err, ends.Error())
	}); err != nil {
		return fmt.Errorf("end offsets of %s: %w", topic, err)
	}
	// Control records are kept, as the last one of a partition may be one.
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer client.Close()
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			if r.Offset >= left[r.Partition]-1 {
				delete(left, r.Partition)
			}
			if r.Attrs.IsControl() {
				continue
			}
			if err := yield(r); err != nil {
				return fmt.Errorf("read %s/%d at %d: %w", topic, r.Partition, r.Offset, err)
			}
		}
	}
	return nil
}
