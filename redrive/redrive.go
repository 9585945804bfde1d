// Package redrive sends dead letters to the topics that they came from, once more, with the arrival
// time that they had.
//
// How far it has come is an offset of a consumer group, so that the next run goes on behind it. It
// refuses to know flags and how an answer is printed: package cmd does.
package redrive

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/internal/kafkaread"
	"chargestream/topics"
)

// GroupPrefix is the consumer group whose offsets are how far letters were driven again. A reason
// has a group of its own: its name follows behind a dash.
const GroupPrefix = "chargestream-redrive"

// Config is what is driven again.
type Config struct {
	// Reason selects letters; empty for all.
	Reason string
	DryRun bool
	// Again begins with the oldest letter, also with those that were driven again before.
	Again bool
}

// Group is the consumer group of a configuration.
func (c *Config) Group() string {
	if c.Reason == "" {
		return GroupPrefix
	}
	return GroupPrefix + "-" + c.Reason
}

// Answer is what became of the letters.
type Answer struct {
	DryRun   bool           `json:"dry_run,omitempty"`
	Redriven map[string]int `json:"redriven"` // by topic; in a dry run what would be
	// Left are letters that name no topic to which they could be driven, and those of which only
	// a part was kept, by the topic they name.
	Left map[string]int `json:"left,omitempty"`
}

// Producer sends the records.
type Producer interface {
	// Send hands a record over; it may wait. An error ends the run.
	Send(r *kgo.Record) error
	// Flush returns when all records are acknowledged, with their number by topic.
	Flush() (map[string]int, error)
}

// Run drives letters again. The reader's client serves for offsets too.
func Run(ctx context.Context, reader *kafkaread.Reader, p Producer, c Config) (*Answer, error) {
	from, err := offsets(ctx, reader, &c)
	if err != nil {
		return nil, err
	}
	answer := &Answer{DryRun: c.DryRun, Redriven: map[string]int{}, Left: map[string]int{}}
	end, err := reader.Each(ctx, topics.DeadLetters, from, func(r *kgo.Record) error {
		if c.Reason != "" && kafkaread.Header(r, topics.HeaderReason) != c.Reason {
			return nil
		}
		source := kafkaread.Header(r, topics.HeaderSourceTopic)
		switch {
		case !Takes(source), kafkaread.Header(r, topics.HeaderSourceBytes) != "":
			answer.Left[source]++
		case c.DryRun:
			answer.Redriven[source]++
		default:
			return p.Send(Record(r))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if c.DryRun {
		return answer, nil
	}
	if answer.Redriven, err = p.Flush(); err != nil {
		return nil, err
	}
	return answer, commit(ctx, reader, &c, end)
}

// Takes reports whether a letter may be driven to a topic: a header, which anyone can write, must
// not choose any topic of the cluster.
func Takes(name string) bool {
	t, ok := topics.Lookup(name)
	return ok && slices.Contains([]topics.Kind{topics.KindInput, topics.KindReference,
		topics.KindInternal}, t.Kind)
}

// Record is a letter as the record that it was, with one more on its count. Without an arrival time
// it arrived when its source record was written.
func Record(letter *kgo.Record) *kgo.Record {
	again := &kgo.Record{Topic: kafkaread.Header(letter, topics.HeaderSourceTopic), Key: letter.Key,
		Value: letter.Value}
	own := []string{topics.HeaderReason, topics.HeaderError, topics.HeaderSourceTopic,
		topics.HeaderSourcePartition, topics.HeaderSourceOffset, topics.HeaderSourceTime,
		topics.HeaderRedriven}
	for _, h := range letter.Headers {
		if !slices.Contains(own, h.Key) {
			again.Headers = append(again.Headers, h)
		}
	}
	arrived := kafkaread.Header(letter, topics.HeaderSourceTime)
	if _, err := time.Parse(time.RFC3339Nano, arrived); err == nil &&
		kafkaread.Header(letter, topics.HeaderArrival) == "" {
		again.Headers = append(again.Headers, kgo.RecordHeader{Key: topics.HeaderArrival,
			Value: []byte(arrived)})
	}
	times, err := strconv.Atoi(kafkaread.Header(letter, topics.HeaderRedriven))
	if err != nil || times < 0 {
		times = 0
	}
	again.Headers = append(again.Headers, kgo.RecordHeader{Key: topics.HeaderRedriven,
		Value: []byte(strconv.Itoa(times + 1))})
	return again
}

// offsets are how far letters were driven again before, by partition.
func offsets(ctx context.Context, reader *kafkaread.Reader, c *Config) (map[int32]int64, error) {
	from := map[int32]int64{}
	if c.Again {
		return from, nil
	}
	ctx, cancel := context.WithTimeout(ctx, reader.Timeout)
	defer cancel()
	committed, err := kadm.NewClient(reader.Client).FetchOffsets(ctx, c.Group())
	if errors.Is(err, kerr.GroupIDNotFound) {
		return from, nil
	}
	if err == nil {
		err = committed.Error()
	}
	if err != nil {
		return nil, &kafkaread.Error{What: "read the offsets of group " + c.Group(), Err: err}
	}
	for partition, o := range committed[topics.DeadLetters] {
		from[partition] = max(o.At, 0)
	}
	return from, nil
}

// commit keeps how far letters were driven again.
func commit(ctx context.Context, reader *kafkaread.Reader, c *Config, end map[int32]int64) error {
	ctx, cancel := context.WithTimeout(ctx, reader.Timeout)
	defer cancel()
	list := kadm.Offsets{}
	for partition, at := range end {
		list.AddOffset(topics.DeadLetters, partition, at, -1)
	}
	if err := kadm.NewClient(reader.Client).CommitAllOffsets(ctx, c.Group(), list); err != nil {
		return &kafkaread.Error{What: "commit the offsets of group " + c.Group(), Err: err}
	}
	return nil
}
