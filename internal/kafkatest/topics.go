package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// topicPoll is how often the metadata are read until they show what was asked for; the caller's
// context bounds how long.
const topicPoll = 10 * time.Millisecond

// Topic is a topic to create.
type Topic struct {
	Name string
	// Partitions is DefaultPartitions if 0.
	Partitions int32
	// Config holds Kafka's own topic settings, such as "cleanup.policy".
	Config map[string]string
}

// CompactedTopic returns a topic whose log is compacted, with DefaultPartitions.
func CompactedTopic(name string) Topic {
	return Topic{Name: name, Config: map[string]string{"cleanup.policy": "compact"}}
}

func createTopics(ctx context.Context, addrs []string, topics []Topic) error {
	return withAdmin(addrs, func(adm *kadm.Client) error { return create(ctx, adm, topics) })
}

func create(ctx context.Context, adm *kadm.Client, topics []Topic) error {
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = t.Name
		config := make(map[string]*string, len(t.Config))
		for k, v := range t.Config {
			config[k] = &v
		}
		partitions := t.Partitions
		if partitions == 0 {
			partitions = DefaultPartitions
		}
		// -1: the broker's own replication factor.
		if _, err := adm.CreateTopic(ctx, partitions, -1, config, t.Name); err != nil {
			return fmt.Errorf("create topic %s: %w", t.Name, err)
		}
	}
	return awaitTopics(ctx, adm, names, led)
}

func freshTopics(ctx context.Context, addrs []string, topics []Topic) error {
	return withAdmin(addrs, func(adm *kadm.Client) error {
		names := make([]string, len(topics))
		for i, t := range topics {
			names[i] = t.Name
		}
		if err := deleteGroupsOf(ctx, adm, names); err != nil {
			return err
		}
		if err := deleteTopics(ctx, adm, names); err != nil {
			return err
		}
		return create(ctx, adm, topics)
	})
}

// Clear deletes all groups and topics but Kafka's own, so that the next test finds nothing.
func Clear(ctx context.Context, addrs []string) error {
	return withAdmin(addrs, func(adm *kadm.Client) error {
		if err := deleteGroups(ctx, adm); err != nil {
			return err
		}
		meta, err := adm.ListTopics(ctx) // without Kafka's own
		if err != nil {
			return fmt.Errorf("list topics: %w", err)
		}
		if len(meta) == 0 {
			return nil
		}
		return deleteTopics(ctx, adm, meta.Names())
	})
}

// deleteGroups deletes every group, and waits for members that are on their way out.
func deleteGroups(ctx context.Context, adm *kadm.Client) error {
	tick := time.NewTicker(topicPoll)
	defer tick.Stop()
	for {
		groups, err := adm.ListGroups(ctx)
		if err != nil {
			return fmt.Errorf("list groups: %w", err)
		}
		if len(groups) == 0 {
			return nil
		}
		deleted, err := adm.DeleteGroups(ctx, groups.Groups()...)
		if err == nil {
			err = deleted.Error()
		}
		if err != nil && !errors.Is(err, kerr.NonEmptyGroup) &&
			!errors.Is(err, kerr.GroupIDNotFound) {
			return fmt.Errorf("delete groups: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("delete groups %v: %w", groups.Groups(), ctx.Err())
		case <-tick.C:
		}
	}
}

// deleteGroupsOf deletes the groups that have committed an offset on one of the topics.
func deleteGroupsOf(ctx context.Context, adm *kadm.Client, topics []string) error {
	groups, err := adm.ListGroups(ctx)
	if err != nil {
		return fmt.Errorf("list groups: %w", err)
	}
	var doomed []string
	for _, group := range groups.Groups() {
		offsets, err := adm.FetchOffsets(ctx, group)
		if err != nil {
			return fmt.Errorf("read offsets of group %s: %w", group, err)
		}
		for topic := range offsets.Offsets() {
			if slices.Contains(topics, topic) {
				doomed = append(doomed, group)
				break
			}
		}
	}
	if len(doomed) == 0 {
		return nil
	}
	deleted, err := adm.DeleteGroups(ctx, doomed...)
	if err = errors.Join(err, deleted.Error()); err != nil {
		return fmt.Errorf("delete groups %v: %w", doomed, err)
	}
	return nil
}

func deleteTopics(ctx context.Context, adm *kadm.Client, names []string) error {
	deleted, err := adm.DeleteTopics(ctx, names...)
	if err != nil {
		return fmt.Errorf("delete topics: %w", err)
	}
	for _, d := range deleted {
		if d.Err != nil && !errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
			return fmt.Errorf("delete topic %s: %w", d.Topic, d.Err)
		}
	}
	return awaitTopics(ctx, adm, names, gone)
}

// awaitTopics polls the metadata until each named topic passes the check: a broker answers a
// creation or deletion before its own metadata show it.
func awaitTopics(
	ctx context.Context, adm *kadm.Client, names []string, check func(kadm.TopicDetail) error,
) error {
	tick := time.NewTicker(topicPoll)
	defer tick.Stop()
	for {
		meta, err := adm.Metadata(ctx, names...)
		if err != nil {
			return fmt.Errorf("read metadata: %w", err)
		}
		var open error
		for _, name := range names {
			open = errors.Join(open, check(meta.Topics[name]))
		}
		if open == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for topics: %w: %w", ctx.Err(), open)
		case <-tick.C:
		}
	}
}

// led returns nil when the topic is there and each of its partitions has a leader.
func led(topic kadm.TopicDetail) error {
	if topic.Err != nil {
		return fmt.Errorf("topic %s: %w", topic.Topic, topic.Err)
	}
	for _, p := range topic.Partitions {
		if p.Err != nil || p.Leader < 0 {
			return fmt.Errorf("topic %s partition %d has no leader", topic.Topic, p.Partition)
		}
	}
	return nil
}

// gone returns nil when the topic is unknown.
func gone(topic kadm.TopicDetail) error {
	if errors.Is(topic.Err, kerr.UnknownTopicOrPartition) {
		return nil
	}
	return fmt.Errorf("topic %s is still there", topic.Topic)
}
