package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"chargestream/engine/hanging"
)

// topicPartition is a partition of a topic.
type topicPartition struct {
	topic     string
	partition int32
}

// reach is how far a partition goes: it begins at start, readers of committed records come to
// stable, and all records end at end.
type reach struct{ start, stable, end int64 }

// survey is how far partitions go at a moment.
type survey map[topicPartition]reach

// standing are the partitions in which records lie behind a stable offset that has not moved since
// an earlier survey.
func (s survey) standing(before survey) kadm.TopicsSet {
	at := kadm.TopicsSet{}
	for p, e := range s {
		if b, ok := before[p]; ok && e.stable < e.end && e.stable == b.stable {
			at.Add(p.topic, p.partition)
		}
	}
	return at
}

// surveyOf asks how far topics go. With an error it has the partitions that could be asked for.
func surveyOf(ctx context.Context, admin *kadm.Client, topics []string) (survey, error) {
	s := survey{}
	return s, s.add(ctx, admin, topics, func(string, int32, int) bool { return true })
}

// addOffsets adds the partitions of groups' offsets. Their topic is not there before the first
// group is, and a right on it may be missing: nothing else needs it.
func (s survey) addOffsets(ctx context.Context, admin *kadm.Client, groups []string) error {
	if len(groups) == 0 {
		return nil
	}
	return s.add(ctx, admin, []string{hanging.OffsetsTopic},
		func(_ string, p int32, partitions int) bool {
			return slices.ContainsFunc(groups, func(group string) bool {
				return hanging.OffsetsOf(group, partitions) == p
			})
		})
}

// lackingMax bounds how many partitions lackReplicas names.
const lackingMax = 5

// lackReplicas names the partitions of topics and of the brokers' own that have fewer replicas in
// sync than they have replicas, or no leader.
func lackReplicas(ctx context.Context, admin *kadm.Client, topics []string) ([]string, error) {
	details, err := admin.ListTopics(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("look at replicas: %w", err)
	}
	// The brokers' own topics too: without their replicas no group and no transaction goes on. A
	// right on them may be missing.
	own, err := admin.ListTopics(ctx, hanging.OffsetsTopic, hanging.StateTopic)
	if err == nil {
		maps.Copy(details, own)
	}
	var lacking []string
	more := 0
	for _, topic := range details.Sorted() {
		for _, p := range topic.Partitions.Sorted() {
			if p.Leader >= 0 && len(p.ISR) >= len(p.Replicas) {
				continue
			}
			if len(lacking) == lackingMax {
				more++
				continue
			}
			lacking = append(lacking, fmt.Sprintf("%s/%d (%d of %d)", topic.Topic, p.Partition,
				len(p.ISR), len(p.Replicas)))
		}
	}
	if more > 0 {
		lacking = append(lacking, fmt.Sprintf("%d more", more))
	}
	return lacking, nil
}

// add adds the partitions of topics that are wanted.
func (s survey) add(ctx context.Context, admin *kadm.Client, topics []string,
	wanted func(topic string, partition int32, partitions int) bool) error {
	// The stable offsets first: they are then no larger than the ends.
	var failed error
	starts, err := admin.ListStartOffsets(ctx, topics...)
	if err != nil {
		failed = fmt.Errorf("list starts: %w", err)
	}
	stable, err := admin.ListCommittedOffsets(ctx, topics...)
	if err != nil {
		failed = errors.Join(failed, fmt.Errorf("list stable offsets: %w", err))
	}
	ends, err := admin.ListEndOffsets(ctx, topics...)
	if err != nil {
		failed = errors.Join(failed, fmt.Errorf("list ends: %w", err))
	}
	ends.Each(func(end kadm.ListedOffset) {
		at, ok := stable.Lookup(end.Topic, end.Partition)
		start, begins := starts.Lookup(end.Topic, end.Partition)
		err := errors.Join(end.Err, at.Err, start.Err)
		switch {
		case errors.Is(err, kerr.UnknownTopicOrPartition):
		case err != nil:
			failed = errors.Join(failed, fmt.Errorf("%s/%d: %w", end.Topic, end.Partition, err))
		case ok && begins && wanted(end.Topic, end.Partition, len(ends[end.Topic])):
			s[topicPartition{end.Topic, end.Partition}] = reach{start.Offset, at.Offset,
				end.Offset}
		}
	})
	return failed
}

// watchedTopics are all topics of processors: inputs, tables, outputs and lookups.
func watchedTopics(procs []*Processor) []string {
	var topics []string
	for _, p := range procs {
		topics = slices.Concat(topics, p.Topics(), p.TableTopics(), p.OutputTopics(), p.Lookups)
	}
	slices.Sort(topics)
	return slices.Compact(topics)
}

// groupsOf are the groups of processors.
func groupsOf(procs []*Processor) []string {
	groups := make([]string, len(procs))
	for n, p := range procs {
		groups[n] = p.Group
	}
	return groups
}
