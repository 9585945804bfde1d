package kafkatest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// groupPoll is how often AwaitGroup looks.
	groupPoll = 25 * time.Millisecond
	// metadataAge is how old metadata may be. The client's own 5 s would be waited for whenever a
	// topic has just been made.
	metadataAge = 10 * time.Millisecond
)

// Produce writes the records and returns when all are acknowledged by all replicas. A record's
// key chooses its partition as Kafka does by default (murmur2); its Partition is not read. The
// records get their partition and offset.
func Produce(ctx context.Context, addrs []string, records ...*kgo.Record) error {
	return produce(ctx, addrs, records, kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
}

// ProduceAt is Produce into the partition that each record names, whatever its key.
func ProduceAt(ctx context.Context, addrs []string, records ...*kgo.Record) error {
	return produce(ctx, addrs, records, kgo.RecordPartitioner(kgo.ManualPartitioner()))
}

func produce(ctx context.Context, addrs []string, records []*kgo.Record, opt kgo.Opt) error {
	return withClient(addrs, func(cl *kgo.Client) error {
		if err := cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
			return fmt.Errorf("produce: %w", err)
		}
		return nil
	}, opt)
}

// Compacted returns what compaction keeps of the records in the end: the last value of each key,
// without the keys whose last value is nil. The records are in the order of ReadAll.
func Compacted(records []*kgo.Record) map[string][]byte {
	table := make(map[string][]byte)
	for _, r := range records {
		if r.Value == nil {
			delete(table, string(r.Key))
			continue
		}
		table[string(r.Key)] = r.Value
	}
	return table
}

// EndOffsets returns the high watermark of each partition: the offset after its last record or
// transaction marker, committed or not.
func EndOffsets(ctx context.Context, addrs []string, topic string) (map[int32]int64, error) {
	ends := make(map[int32]int64)
	err := withClient(addrs, func(cl *kgo.Client) error {
		parts, err := partitionsOf(ctx, kadm.NewClient(cl), topic)
		for _, p := range parts {
			ends[p.partition] = p.end
		}
		return err
	})
	return ends, err
}

// Lag is how far a group is behind on one partition.
type Lag struct {
	Topic     string
	Partition int32
	// Committed is the group's committed offset: the next one to read; -1 if there is none.
	Committed int64
	// End is the partition's high watermark.
	End int64
	// Behind is the number of offsets between the two, or in the whole partition if nothing is
	// committed. Transaction markers take offsets too, so a group that has read everything may
	// stay 1 or more behind; AwaitGroup looks through that.
	Behind int64
}

// GroupLag returns the group's lag on every partition of the topics, or of all topics it has
// committed offsets on if none is named, in the order of topic and partition.
func GroupLag(
	ctx context.Context, addrs []string, group string, topics ...string,
) ([]Lag, error) {
	var lags []Lag
	err := withAdmin(addrs, func(adm *kadm.Client) error {
		byTopic, err := lagOf(ctx, adm, group, topics)
		for _, topic := range slices.Sorted(maps.Keys(byTopic)) {
			for _, p := range byTopic[topic] {
				lags = append(lags, p.Lag)
			}
		}
		return err
	})
	return lags, err
}

// behind is a lag and the partition it was found on.
type behind struct {
	Lag
	part part
}

func lagOf(
	ctx context.Context, adm *kadm.Client, group string, topics []string,
) (map[string][]behind, error) {
	committed, err := adm.FetchOffsets(ctx, group)
	err = errors.Join(err, committed.Error())
	// Brokers differ on a group that has never committed: an error, or no offsets.
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("read offsets of group %s: %w", group, err)
	}
	if len(topics) == 0 {
		topics = slices.Sorted(maps.Keys(committed))
	}
	lags := make(map[string][]behind, len(topics))
	for _, topic := range topics {
		parts, err := partitionsOf(ctx, adm, topic)
		if err != nil {
			return nil, err
		}
		for _, p := range parts {
			l := Lag{topic, p.partition, -1, p.end, p.end - p.start}
			if at, ok := committed.Lookup(topic, p.partition); ok && at.At >= 0 {
				l.Committed = at.At
				l.Behind = max(0, p.end-max(at.At, p.start))
			}
			lags[topic] = append(lags[topic], behind{l, p})
		}
	}
	return lags, nil
}

// AwaitGroup returns when the group has committed past every committed record that the topics
// hold, so a group whose only remaining offsets are transaction markers has arrived. It waits
// behind open transactions, through errors that pass by themselves (a broker that is restarted),
// and as long as the context allows.
func AwaitGroup(ctx context.Context, addrs []string, group string, topics ...string) error {
	return withClient(addrs, func(cl *kgo.Client) error {
		tick := time.NewTicker(groupPoll)
		defer tick.Stop()
		for {
			waiting, err := unread(ctx, cl, group, topics)
			if err == nil && waiting == "" {
				return nil
			}
			if err != nil {
				if !passes(err) {
					return err
				}
				waiting = err.Error()
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("wait for group %s: %w: %s", group, ctx.Err(), waiting)
			case <-tick.C:
			}
		}
	})
}

// passes says whether an error is one that asking again may heal.
func passes(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return true // the caller's own select reports it, with what was waited for
	}
	var kafkaErr *kerr.Error
	if errors.As(err, &kafkaErr) {
		return kafkaErr.Retriable
	}
	var netErr net.Error
	return errors.As(err, &netErr) || errors.Is(err, io.EOF)
}

// unread names the first partition that holds a record the group has not committed past.
func unread(
	ctx context.Context, cl *kgo.Client, group string, topics []string,
) (string, error) {
	lags, err := lagOf(ctx, kadm.NewClient(cl), group, topics)
	if err != nil {
		return "", err
	}
	for _, topic := range topics {
		for _, l := range lags[topic] {
			if l.Behind == 0 {
				continue
			}
			found := false
			p := l.part
			p.start = max(p.start, l.Committed)
			err := p.each(ctx, cl, true, func(*kgo.Record) bool {
				found = true
				return false
			})
			if err != nil {
				return "", err
			}
			if found {
				return fmt.Sprintf("%s/%d is at %d of %d",
					topic, l.Partition, l.Committed, l.End), nil
			}
		}
	}
	return "", nil
}

// withClient runs do with a client of its own.
func withClient(addrs []string, do func(*kgo.Client) error, opts ...kgo.Opt) error {
	opts = append(opts, kgo.SeedBrokers(addrs...), kgo.MetadataMinAge(metadataAge))
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	defer cl.Close()
	return do(cl)
}

// withAdmin runs do with an admin client of its own.
func withAdmin(addrs []string, do func(*kadm.Client) error) error {
	return withClient(addrs, func(cl *kgo.Client) error { return do(kadm.NewClient(cl)) })
}

// part is a partition, who leads it, and the offsets it held when it was looked up.
type part struct {
	topic      string
	id         kadm.TopicID
	partition  int32
	leader     int32
	start, end int64
}

// partitionsOf looks up the topic's partitions, in order.
func partitionsOf(ctx context.Context, adm *kadm.Client, topic string) ([]part, error) {
	meta, err := adm.Metadata(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("read metadata of %s: %w", topic, err)
	}
	if err := led(meta.Topics[topic]); err != nil {
		return nil, err
	}
	starts, err := adm.ListStartOffsets(ctx, topic)
	if err = errors.Join(err, starts.Error()); err != nil {
		return nil, fmt.Errorf("read start offsets of %s: %w", topic, err)
	}
	ends, err := adm.ListEndOffsets(ctx, topic)
	if err = errors.Join(err, ends.Error()); err != nil {
		return nil, fmt.Errorf("read end offsets of %s: %w", topic, err)
	}
	var parts []part
	for _, p := range meta.Topics[topic].Partitions {
		start, okStart := starts.Lookup(topic, p.Partition)
		end, okEnd := ends.Lookup(topic, p.Partition)
		if !okStart || !okEnd {
			return nil, fmt.Errorf("%s/%d has no offsets", topic, p.Partition)
		}
		parts = append(parts, part{
			topic: topic, id: meta.Topics[topic].ID, partition: p.Partition, leader: p.Leader,
			start: start.Offset, end: end.Offset,
		})
	}
	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(a.partition, b.partition) })
	return parts, nil
}
